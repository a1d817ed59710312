"""Predictions -> metrics -> intervals."""

from .rating import DEFINITION, TopKDefinition, rating_errors, rating_metrics, top_k
from .significance import (
    Estimate,
    equivalence,
    holm,
    mean_interval,
    paired_difference,
    percent_better,
)

__all__ = [
    "DEFINITION",
    "Estimate",
    "TopKDefinition",
    "equivalence",
    "holm",
    "mean_interval",
    "paired_difference",
    "percent_better",
    "rating_errors",
    "rating_metrics",
    "top_k",
]
