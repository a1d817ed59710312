"""Dataset -> Split: which ratings train, validate and test."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .datasets import Dataset
from .errors import SplitError

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of ``dataset.ratings`` by part; disjoint and, together, every row (asserted here).

    Attributes:
        train, valid, test: sorted int64 row numbers; ``valid`` may be empty (then nothing can be tuned).
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

    def __post_init__(self) -> None:
        rows = np.concatenate([self.train, self.valid, self.test])
        if len(np.unique(rows)) != len(rows):
            raise SplitError(f"{self.rule}: a rating stands in two parts.")
        if len(rows) != self.n_ratings or rows.min() < 0 or rows.max() >= self.n_ratings:
            raise SplitError(f"{self.rule}: the parts hold {len(rows)} ratings of {self.n_ratings}.")
        if not len(self.train) or not len(self.test):
            raise SplitError(f"{self.rule}: train or test is empty; use more ratings or another ratio.")

    @property
    def test_share(self) -> float:
        """Test ratings per rating in [0, 1]."""
        return len(self.test) / self.n_ratings


def ratio_split(dataset: Dataset, test: float = 0.3, valid: float = 0.0, seed: int = 0) -> Split:
    """Random split of all ratings, the paper's 7:3 by default.

    The test part depends on ``test`` and ``seed`` alone, so runs with and without validation share it.

    Args:
        test: share of all ratings that test, in (0, 1).
        valid: share of the remaining ratings that validate, in [0, 1).
    """
    if not 0 < test < 1 or not 0 <= valid < 1:
        raise SplitError(f"test must lie in (0, 1) and valid in [0, 1), got test={test}, valid={valid}.")
    total = len(dataset.ratings)
    order = np.random.default_rng(seed).permutation(total)
    n_test = round(test * total)
    n_valid = round(valid * (total - n_test))
    parts = np.split(order, [n_test, n_test + n_valid])
    held_out, validation, train = (np.sort(part) for part in parts)
    return Split(train, validation, held_out, f"ratio(test={test:g}, valid={valid:g})", seed, total)


def part_summary(dataset: Dataset, split: Split) -> pd.DataFrame:
    """Per part: ratings, share of all, mean rating, and shares of ratings on users and items without training."""
    ratings = dataset.ratings
    seen = {side: np.isin(ratings[side], ratings[side].to_numpy()[split.train]) for side in ("user", "item")}
    rows = {}
    for part in PARTS:
        chosen = getattr(split, part)
        if len(chosen):
            rows[part] = {
                "ratings": len(chosen),
                "share": len(chosen) / split.n_ratings,
                "mean rating": float(ratings["rating"].to_numpy()[chosen].mean(dtype=np.float64)),
                "unseen users": 1 - seen["user"][chosen].mean(),
                "unseen items": 1 - seen["item"][chosen].mean(),
            }
    return pd.DataFrame(rows).T.astype({"ratings": int}).rename_axis("part")
