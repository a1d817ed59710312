"""Rules that hold out whole items or users but for a few of their ratings, which are revealed to
training: what a model makes of the first ratings."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..datasets import Dataset
from ..errors import SplitError
from .rules import SplitRule, check_shares, places
from .split import Split


@dataclass(frozen=True)
class _Revealed(SplitRule):
    """Of randomly chosen items (users), ``revealed`` ratings train and all but ``reserve`` test.

    Which ratings test does not depend on ``revealed``: each seed puts ``reserve`` ratings of a
    held-out item aside, in a random order, and the first ``revealed`` of these train; the others of
    the reserve are not used. Fewer revealed ratings are therefore a part of more. Only items with
    more ratings than the reserve can be held out.

    Attributes:
        revealed: ratings of each held-out item that train, at most ``reserve``.
        reserve: ratings of each held-out item that never test.
        test: share of the items that can be held out which test, in (0, 1). Of the others, a share
            validates, with as many ratings revealed, so that a model is stopped for what it is
            tested on.
    """

    revealed: int = 0
    reserve: int = 5
    test: float = 0.2
    side: ClassVar[str]  # user or item
    stream: ClassVar[int]  # of random numbers, another one than other rules have

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid, test=self.test)
        if not 0 <= self.revealed <= self.reserve:
            raise SplitError(
                f"{type(self).__name__}: revealed must lie between 0 and the reserve, got "
                f"revealed={self.revealed}, reserve={self.reserve}."
            )
        of_rating = dataset.ratings[self.side].to_numpy()
        counts = np.bincount(of_rating)
        fits = np.flatnonzero(counts > self.reserve)
        generator = np.random.default_rng([seed, self.stream])
        ids = generator.permutation(fits)
        n_test = round(self.test * len(ids))
        n_valid = round(valid * (len(ids) - n_test))
        if not n_test or (valid and not n_valid):
            raise SplitError(
                f"{type(self).__name__}: only {len(ids)} {self.side}s of {dataset.name} have more "
                f"than {self.reserve} ratings, too few to hold out {self.test:g} of them."
            )
        part = np.zeros(len(counts), np.int8)  # by id: 0 trains, 1 tests, 2 validates
        part[ids[:n_test]], part[ids[n_test : n_test + n_valid]] = 1, 2
        order = np.lexsort((generator.random(len(of_rating)), of_rating))
        place, _ = places(of_rating[order])
        held, part = part[of_rating[order]] > 0, part[of_rating[order]]
        train = ~held | (place < self.revealed)
        kept = held & (place >= self.reserve)
        chosen = (train, kept & (part == 2), kept & (part == 1), held & ~train & ~kept)
        trains, validates, tests, unused = (np.sort(order[rows]) for rows in chosen)
        rule = (
            f"{self.name}(test={self.test:g}, valid={valid:g}, revealed={self.revealed} of "
            f"{self.reserve})"
        )
        return Split(trains, validates, tests, rule, seed, len(of_rating), unused)

    def identity(self, valid: float) -> list:
        return [self.name, self.test, valid, self.revealed, self.reserve]


@dataclass(frozen=True)
class RevealedItems(_Revealed):
    """New items: besides ``revealed`` ratings of each, only content tells of them."""

    name: ClassVar[str] = "revealed-items"
    side: ClassVar[str] = "item"
    stream: ClassVar[int] = 4


@dataclass(frozen=True)
class RevealedUsers(_Revealed):
    """New users: besides ``revealed`` ratings of each, only what they say of themselves tells of
    them."""

    name: ClassVar[str] = "revealed-users"
    side: ClassVar[str] = "user"
    stream: ClassVar[int] = 5
