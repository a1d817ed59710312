"""Dataset -> Split: which ratings train, validate and test."""

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from ..datasets import Dataset
from ..errors import SplitError

Blocks = Literal["row-shuffle", "5-fold"]  # names of the rules of block_split
PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of ``dataset.ratings`` by part; disjoint and, together, every row (asserted here).

    Attributes:
        train, valid, test: sorted int64 row numbers; ``valid`` may be empty (then nothing can be tuned).
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
        rows = np.concatenate([self.train, self.valid, self.test, self.unused])
        if len(np.unique(rows)) != len(rows):
            raise SplitError(f"{self.rule}: a rating stands in two parts.")
        if len(rows) != self.n_ratings or rows.min() < 0 or rows.max() >= self.n_ratings:
            raise SplitError(f"{self.rule}: the parts hold {len(rows)} ratings of {self.n_ratings}.")
        if not len(self.train) or not len(self.test):
            raise SplitError(f"{self.rule}: train or test is empty; use more ratings or another ratio.")

    @property
    def test_share(self) -> float:
        """Test ratings per rating that is used, in [0, 1]."""
        return len(self.test) / (self.n_ratings - len(self.unused))


def ratio_split(dataset: Dataset, test: float = 0.3, valid: float = 0.0, seed: int = 0, keep: float = 1.0) -> Split:
    """Random split of all ratings, the paper's 7:3 by default.

    The test part depends on ``test`` and ``seed`` alone, so runs with and without validation share it.

    Args:
        test: share of all ratings that test, in (0, 1).
        valid: share of the remaining ratings that validate, in [0, 1).
        keep: share of the training part that is used, in (0, 1].
    """
    if not 0 < test < 1 or not 0 <= valid < 1 or not 0 < keep <= 1:
        raise SplitError(
            f"test must lie in (0, 1), valid in [0, 1) and keep in (0, 1], got test={test}, valid={valid}, keep={keep}."
        )
    total = len(dataset.ratings)
    order = np.random.default_rng(seed).permutation(total)
    n_test = round(test * total)
    n_valid = round(valid * (total - n_test))
    n_train = round(keep * (total - n_test - n_valid))
    parts = np.split(order, np.cumsum([n_test, n_valid, n_train]))
    held_out, validation, train, unused = (np.sort(part) for part in parts)
    kept = f", keep={keep:g}" if keep < 1 else ""
    return Split(train, validation, held_out, f"ratio(test={test:g}, valid={valid:g}{kept})", seed, total, unused)


def block_split(
    dataset: Dataset,
    test: float,
    valid: float = 0.0,
    shuffle_seed: int = 0,
    block: int = 0,
    name: Blocks = "row-shuffle",
) -> Split:
    """Rows in file order shuffled by numpy's older generator, one block of them tests: how GLocal-K and SparseFC split
    (the first of ten blocks), and scikit-surprise's ``KFold`` (each of five in turn).

    Args:
        test: one over the number of blocks. valid: share of the other rows that validate, in [0, 1): those that follow
            the block.
        shuffle_seed: of ``numpy.random.RandomState``. block: from 0. name: of the rule.
    """
    count = round(1 / test) if 0 < test <= 0.5 else 0
    if count < 2 or abs(count * test - 1) > 1e-9 or not 0 <= valid < 1 or not 0 <= block < count:
        raise SplitError(f"test must be one over a number of blocks, got test={test}, valid={valid}, block={block}.")
    order = np.random.RandomState(shuffle_seed).permutation(len(dataset.ratings))
    blocks = np.array_split(order, count)
    rest = np.concatenate([*blocks[block + 1 :], *blocks[:block]])
    validation, train = np.split(rest, [round(valid * len(rest))])
    parts = (np.sort(part) for part in (train, validation, blocks[block]))
    seed = block if name == "5-fold" else shuffle_seed
    return Split(*parts, f"{name}(test={test:g}, valid={valid:g})", seed, len(order))


def cold_item_split(dataset: Dataset, test: float = 0.2, valid: float = 0.0, seed: int = 0) -> Split:
    """All ratings of randomly chosen items test: nothing but content tells of them.

    The test items depend on ``test`` and ``seed`` alone.

    Args:
        test: share of all rated items that test, in (0, 1).
        valid: share of the remaining items that validate, so that a model is stopped for what it is tested on, in
            [0, 1).
    """
    if not 0 < test < 1 or not 0 <= valid < 1:
        raise SplitError(f"test must lie in (0, 1) and valid in [0, 1), got test={test}, valid={valid}.")
    of_rating = dataset.ratings["item"].to_numpy()
    items = np.random.default_rng([seed, 1]).permutation(np.unique(of_rating))  # not the order of ratio_split
    n_test = round(test * len(items))
    n_valid = round(valid * (len(items) - n_test))
    parts = np.split(items, [n_test, n_test + n_valid])
    held_out, validation, train = (np.flatnonzero(np.isin(of_rating, part)) for part in parts)
    rule = f"cold-items(test={test:g}, valid={valid:g})"
    return Split(train, validation, held_out, rule, seed, len(of_rating))


_RULE = re.compile(r"(?P<kind>ratio|row-shuffle|5-fold|cold-items)\(test=(?P<test>[^,]+), valid=(?P<valid>[^,)]+)")


def resampling_share(rule: str, test_share: float) -> float:
    """Test ratings per rating that tests or trains: what intervals over repeated splits rest on
    (:mod:`~bonmf_lib.evaluation.significance`).

    Ratings that only stop a training do not train. Ratings left out to study sparser data count as training: how much
    splits overlap is a matter of the whole data.

    Args:
        rule: of a :class:`Split`. test_share: of the same; decides where the rule tells no share of ratings.
    """
    found = _RULE.match(rule)
    if found is None:
        return test_share
    test = test_share if found["kind"] == "cold-items" else float(found["test"])
    return test / (test + (1 - test) * (1 - float(found["valid"])))


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
