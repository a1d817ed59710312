"""The rating scale of ratings whose owner declared none."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .dataset import RatingScale
from .tables import line_of

_WIDEST = 1000  # range of ratings that is believed without a declared scale
_MOST_STEPS = 200  # of a scale that is believed without a declaration, but for
_MANY_LOWEST = 0.3  # share of zeros from which on they may mean no rating
_CONTINUOUS = 50  # different ratings: then they are taken to be continuous


def observed_scale(rating: pd.Series, source: Path) -> RatingScale:
    """Without a declared scale: from lowest to highest rating, stepping by the smallest gap between
    two.

    Many different ratings, or some on no even steps, are taken to be continuous, with a warning.

    Args:
        rating: finite ratings; the index holds their lines.

    Raises:
        DatasetError: a scale that cannot be: wider than 1,000; with ratings far from all others
            (over a gap of more than ten times any other and three times all others together); or of
            more than 200 steps of which fewer than 50 are used.
    """
    values = np.sort(rating.unique())
    gaps = np.diff(values)
    lowest = (rating == values[0]).mean()
    if values[0] == -1 or (values[0] == 0 and lowest > _MANY_LOWEST):
        warnings.warn(
            f"{source}: {lowest:.0%} of the ratings are {values[0]:g}, which counts as the lowest "
            "rating; drop these rows if it means that nothing was rated.",
            stacklevel=2,
        )
    scale = RatingScale(float(values[0]), float(values[-1]), float(gaps.min()))
    mend = "correct the row, or declare scale = [low, high, step] in dataset.toml"

    def at(value: float) -> str:
        return f"{source}, line {line_of(rating == value)}: the rating {value:g}"

    widest, others = int(gaps.argmax()), np.delete(gaps, int(gaps.argmax()))
    if len(others) and gaps[widest] > max(10 * others.max(), 3 * others.sum()):
        few, many = values[widest + 1], values[widest]
        if (rating > many).mean() > 0.5:
            few, many = many, few
        raise DatasetError(
            f"{at(few)} lies far from most others, the next of which is {many:g}; {mend}."
        )
    if scale.high - scale.low > _WIDEST:
        raise DatasetError(
            f"{at(scale.high)} is {scale.high - scale.low:g} above the lowest; {mend}."
        )
    narrow = scale.high - scale.low > _MOST_STEPS * scale.step
    steps = np.zeros(1) if narrow else (values - scale.low) / scale.step
    if narrow or np.abs(steps - steps.round()).max() > 1e-6:
        if narrow and len(values) < _CONTINUOUS:
            raise DatasetError(
                f"{at(values[int(gaps.argmin()) + 1])} is only {scale.step:g} from another, "
                f"too narrow a step; {mend}."
            )
        warnings.warn(
            f"{source}: {len(values)} different ratings from {scale.low:g} to {scale.high:g}, "
            f"as little as {scale.step:.1g} apart, lie on no plain steps and are taken to be "
            "continuous; correct those between the steps, or declare scale = [low, high, step] "
            "in dataset.toml.",
            stacklevel=2,
        )
    return scale
