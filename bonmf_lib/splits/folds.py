"""Folds in which every rating tests once: of ratings, and of items that then have no training
rating."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..datasets import Dataset
from ..errors import SplitError
from .rules import FOLDS, SplitRule, check_shares
from .split import Split


@dataclass(frozen=True)
class _Folds(SplitRule):
    """Ratings, or all ratings of an item, in blocks of about the same number; the seed says which
    block tests.

    Attributes:
        blocks: how many.
        shuffle: the seed of their order.
        keep: share of users, in (0, 1], whose ratings are used: all of theirs, so that a sample of
            large data is no sparser for a user.
    """

    blocks: int = 5
    shuffle: int = 0
    keep: float = 1.0
    test_part: ClassVar[str] = FOLDS
    stream: ClassVar[int]  # of random numbers, another one than other rules have

    @abstractmethod
    def _units(self, dataset: Dataset) -> np.ndarray:
        """What is dealt into blocks: an id for every rating, (N,)."""

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid, keep=self.keep)
        if self.blocks < 2 or not 0 <= seed < self.blocks:
            raise SplitError(
                f"{type(self).__name__}: at least 2 blocks and one of them are needed, "
                f"got {self.blocks} blocks and block {seed}."
            )
        used = self._used(dataset)
        units = self._units(dataset)
        generator = np.random.default_rng([self.shuffle, self.stream])
        order = generator.permutation(np.unique(units[used]))
        blocks = np.array_split(order, self.blocks)
        rest = np.concatenate([*blocks[seed + 1 :], *blocks[:seed]])
        validation, train = np.split(rest, [round(valid * len(rest))])
        parts = (
            np.flatnonzero(used & np.isin(units, part))
            for part in (train, validation, blocks[seed])
        )
        kept = f", keep={self.keep:.4g}" if self.keep < 1 else ""
        said = f"{self.name}(test={1 / self.blocks:g}, valid={valid:g}{kept})"
        return Split(*parts, said, seed, len(used), np.flatnonzero(~used))

    def _used(self, dataset: Dataset) -> np.ndarray:
        """Whether each rating is of a user who is kept, bool (N,)."""
        rated = dataset.ratings["user"].to_numpy()
        if self.keep == 1:
            return np.ones(len(rated), bool)
        users = np.random.default_rng([self.shuffle, self.stream, 1]).permutation(np.unique(rated))
        return np.isin(rated, users[: self.kept(len(users))])

    def kept(self, users: int) -> int:
        """How many of so many users with ratings are kept."""
        return max(1, round(self.keep * users))

    def identity(self, valid: float) -> list:
        return [self.name, self.blocks, self.shuffle, self.keep, valid]


@dataclass(frozen=True)
class RatingFolds(_Folds):
    """Blocks of ratings; of the others, a share validates."""

    name: ClassVar[str] = "rating-folds"
    tests_a_share_of_ratings: ClassVar[bool] = True
    stream: ClassVar[int] = 4

    def _units(self, dataset: Dataset) -> np.ndarray:
        return np.arange(len(dataset.ratings))


@dataclass(frozen=True)
class ItemFolds(_Folds):
    """Blocks of items, all of whose ratings test; of the others, a share validates, so that a model
    is stopped for what it is tested on."""

    name: ClassVar[str] = "item-folds"
    stream: ClassVar[int] = 5

    def _units(self, dataset: Dataset) -> np.ndarray:
        return dataset.ratings["item"].to_numpy()
