"""Ratings of any scale as stars, 1 to 5, while models train.

On another scale the same steps of a training and the same penalties of its vectors are others: a
factorisation would learn less of the very same ratings out of 100 than out of 5, while averages
would not, so that the answer hung on the unit. What is said of errors and predictions is on the
data's own scale.
"""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from ..datasets import RatingScale
from ..runs.run import Run
from .scores import Scores

STARS = RatingScale(1, 5, 1)


@dataclass(frozen=True)
class Unit:
    """A rating is ``low + size * (stars - 1)``."""

    low: float = STARS.low
    size: float = 1.0

    def told(self, stars: np.ndarray) -> np.ndarray:
        """Ratings on the data's own scale."""
        return stars if self == OWN else self.low + self.size * (stars - STARS.low)

    def factor(self, metric: str) -> float:
        """What a metric of stars is multiplied by on the data's own scale."""
        power = {"mse": 2, "mae": 1, "rmse": 1}
        return self.size ** power.get(metric, 0)

    def scores(self, stars: Scores) -> Scores:
        """Scores on the data's own scale."""
        if self == OWN:
            return stars
        parts = {name: getattr(stars, name) for name in ("user_bias", "item_bias", "user_vectors")}
        larger = {name: np.float32(self.size) * part for name, part in parts.items()}
        return replace(stars, mean=self.told(stars.mean).astype(np.float32), **larger)


OWN = Unit()  # of data rated in stars, and of pairs


def unit_of(scale: RatingScale) -> Unit:
    """The unit in which a scale is read."""
    if not scale.rates:
        return OWN
    return Unit(float(scale.low), (scale.high - scale.low) / (STARS.high - STARS.low))


def in_stars(run: Run) -> Run:
    """The run on the same ratings as stars; itself where they are."""
    dataset = run.dataset
    unit = unit_of(dataset.scale)
    if unit == OWN:
        return run
    rating = dataset.ratings["rating"].to_numpy(np.float64)
    stars = STARS.low + (rating - unit.low) / unit.size
    scale = replace(STARS, step=dataset.scale.step / unit.size)
    other = copy(run)
    ratings = dataset.ratings.assign(rating=stars.astype(np.float32))
    other.__dict__["dataset"] = replace(dataset, ratings=ratings, scale=scale)
    other._splits = {}
    return other
