"""What a split is: which ratings train, validate and test."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..datasets import Dataset
from ..errors import SplitError

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of ``dataset.ratings`` by part; disjoint and, together, every row (asserted
    here).

    Attributes:
        train, valid, test: sorted int64 row numbers; ``valid`` may be empty (then nothing can be
        tuned).
        unused: rows left out on purpose, to study sparser data; usually empty.
        rule: how it was made, for instance ``ratio(test=0.3, valid=0.1)``.
        seed: the seed that made it.
        n_ratings: rows of the data set that was split.
    """

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    rule: str
    seed: int
    n_ratings: int
    unused: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        rows = np.sort(np.concatenate([self.train, self.valid, self.test, self.unused]))
        if (rows[1:] == rows[:-1]).any():
            raise SplitError(f"{self.rule}: a rating stands in two parts.")
        if len(rows) != self.n_ratings or rows.min() < 0 or rows.max() >= self.n_ratings:
            raise SplitError(
                f"{self.rule}: the parts hold {len(rows)} ratings of {self.n_ratings}."
            )
        if not len(self.train) or not len(self.test):
            raise SplitError(
                f"{self.rule}: train or test is empty; use more ratings or another ratio."
            )

    @property
    def test_share(self) -> float:
        """Test ratings per rating that is used, in [0, 1]."""
        return len(self.test) / (self.n_ratings - len(self.unused))


def part_summary(dataset: Dataset, split: Split) -> pd.DataFrame:
    """Per part: ratings, share of all, mean rating (where there are ratings), and shares of ratings
    on users and items without training."""
    ratings = dataset.ratings
    seen = {
        side: np.isin(ratings[side], ratings[side].to_numpy()[split.train])
        for side in ("user", "item")
    }
    rows = {}
    for part in PARTS:
        chosen = getattr(split, part)
        if len(chosen):
            rows[part] = {
                "ratings": len(chosen),
                "share": len(chosen) / split.n_ratings,
                **_mean_rating(dataset, chosen),
                "unseen users": 1 - seen["user"][chosen].mean(),
                "unseen items": 1 - seen["item"][chosen].mean(),
            }
    return pd.DataFrame(rows).T.astype({"ratings": int}).rename_axis("part")


def _mean_rating(dataset: Dataset, rows: np.ndarray) -> dict[str, float]:
    if not dataset.scale.rates:
        return {}
    return {"mean rating": float(dataset.ratings["rating"].to_numpy()[rows].mean(dtype=np.float64))}
