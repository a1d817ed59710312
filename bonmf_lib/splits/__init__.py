"""Which ratings train, validate and test."""

# a rule is known by name once its class is made
from . import by_time, folds, given, revealed, rules

__all__ = ["by_time", "folds", "given", "revealed", "rules"]
