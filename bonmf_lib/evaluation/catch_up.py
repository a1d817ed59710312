"""From how many ratings on one learning curve lies below another's start: where it crosses zero,
and between which numbers of ratings it may."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import RecordError
from .significance import Estimate

NEVER = float("inf")  # not within the ratings that were tried


@dataclass(frozen=True)
class CatchUp:
    """From how many ratings on a difference is no longer above zero.

    Attributes:
        ratings: by the mean difference; ``NEVER`` where it stays above zero.
        low, high: ratings before which it is above zero beyond chance, and after which it is below
            zero beyond chance (``NEVER`` likewise; NaN where seeds are too few for an interval).
        most: the most ratings that were tried.
    """

    ratings: float
    low: float
    high: float
    most: int

    def __str__(self) -> str:
        if np.isnan(self.low):
            return self._shown(self.ratings)
        return f"{self._shown(self.ratings)} ({self._span()})"

    def _span(self) -> str:
        if self.low == NEVER:
            return f"surely more than {self.most}"
        if self.high == NEVER:
            return f"at least {self.low:.1f}"
        return f"{self.low:.1f} to {self.high:.1f}"

    def _shown(self, ratings: float) -> str:
        return f"more than {self.most}" if ratings == NEVER else f"{ratings:.1f}"


def catch_up(revealed: Sequence[int], differences: Sequence[Estimate]) -> CatchUp:
    """Where a difference by revealed ratings reaches zero, with the numbers of ratings that its
    95 % intervals cannot exclude (the test of each number inverted, as in Fieller's interval).
    Between numbers that were tried, lines over log(1 + n).

    Args:
        revealed: numbers of ratings, ascending. differences: what the pursuer still loses at each.

    Raises:
        RecordError: there are none, or not one for each number.
    """
    if not len(revealed) or len(revealed) != len(differences):
        raise RecordError(
            f"A learning curve needs a difference for every number of ratings, got "
            f"{len(differences)} for {len(revealed)}."
        )
    places = np.log1p(np.asarray(revealed, np.float64))
    bounds = {
        name: np.array([getattr(one, name) for one in differences])
        for name in ("mean", "low", "high")
    }
    found = {name: _reaches_zero(places, values) for name, values in bounds.items()}
    return CatchUp(found["mean"], found["low"], found["high"], int(revealed[-1]))


def _reaches_zero(places: np.ndarray, values: np.ndarray) -> float:
    """The first number of ratings at which lines between values are at or below zero."""
    if np.isnan(values).any():
        return float("nan")
    below = np.flatnonzero(values <= 0)
    if not len(below):
        return NEVER
    end = below[0]
    if end == 0:
        return float(np.expm1(places[0]))
    start, before, after = end - 1, values[end - 1], values[end]
    return float(
        np.expm1(places[start] + (places[end] - places[start]) * before / (before - after))
    )
