"""Predictions -> metrics -> intervals."""

from .rating import DEFINITION, TopKDefinition, rating_errors, rating_metrics, top_k
from .significance import Estimate, equivalence, holm, mean_interval, paired_difference

__all__ = [
    "DEFINITION",
    "Estimate",
    "TopKDefinition",
    "equivalence",
    "holm",
    "mean_interval",
    "paired_difference",
    "rating_errors",
    "rating_metrics",
    "top_k",
]
