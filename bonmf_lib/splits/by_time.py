"""Rules that go by time: they refuse data that lack the time of a rating."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..datasets import Dataset
from ..errors import SplitError
from .rules import FIXED, SplitRule, check_shares, cut_by_user, places
from .split import Split


@dataclass(frozen=True)
class LeaveOneOut(SplitRule):
    """The latest rating of every user with at least three tests, and with ``valid`` above 0 the one
    before validates (He et al., 2017). Of ratings at one time, the one further down in the file is
    the later."""

    name: ClassVar[str] = "leave-one-out"
    test_part: ClassVar[str] = FIXED
    by_time: ClassVar[bool] = True

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid)
        order, place, count = _by_time(dataset, self)
        fits = count >= 3
        test = order[fits & (place == count - 1)]
        validation = order[fits & (place == count - 2)] if valid else order[:0]
        train = np.setdiff1d(order, np.concatenate([test, validation]))
        return Split(
            train,
            np.sort(validation),
            np.sort(test),
            f"{self.name}(valid={valid:g})",
            seed,
            len(order),
        )

    def identity(self, valid: float) -> list:
        return [self.name, float(valid > 0)]


@dataclass(frozen=True)
class UserTime(SplitRule):
    """The latest ratings of every user test, as many as ``test`` says of each; those before them
    validate. At least one does of users with three or more.

    Attributes:
        test: share of a user's ratings, in (0, 1), rounded.
    """

    test: float = 0.2
    name: ClassVar[str] = "user-time"
    test_part: ClassVar[str] = FIXED
    by_time: ClassVar[bool] = True

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid, test=self.test)
        order, place, count = _by_time(dataset, self)
        least = count >= 3
        n_test = np.maximum(np.round(self.test * count), least)
        n_valid = np.maximum(np.round(valid * (count - n_test)), least & (valid > 0))
        return cut_by_user(
            self, order, place, count, n_valid, n_test, seed, f"test={self.test:g}, valid={valid:g}"
        )

    def identity(self, valid: float) -> list:
        return [self.name, self.test, valid]


@dataclass(frozen=True)
class GlobalTime(SplitRule):
    """The latest ratings of all test, those before them validate: as a service would meet them.

    Attributes:
        test: share of all ratings, in (0, 1).
    """

    test: float = 0.2
    name: ClassVar[str] = "global-time"
    test_part: ClassVar[str] = FIXED
    by_time: ClassVar[bool] = True
    across_users: ClassVar[bool] = True

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid, test=self.test)
        order = np.argsort(_times(dataset, self), kind="stable")
        n_test = round(self.test * len(order))
        n_valid = round(valid * (len(order) - n_test))
        parts = np.split(order, [len(order) - n_test - n_valid, len(order) - n_test])
        train, validation, test = (np.sort(part) for part in parts)
        rule = f"{self.name}(test={self.test:g}, valid={valid:g})"
        return Split(train, validation, test, rule, seed, len(order))

    def identity(self, valid: float) -> list:
        return [self.name, self.test, valid]


def _times(dataset: Dataset, rule: SplitRule) -> np.ndarray:
    if not dataset.timed(rule.across_users):
        known = ", only their order within users" if dataset.timed() else ""
        raise SplitError(
            f"{type(rule).__name__} needs the time of every rating, which {dataset.name} has "
            f"not{known}."
        )
    return dataset.ratings["timestamp"].to_numpy(np.int64)


def _by_time(dataset: Dataset, rule: SplitRule) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows by user and, of each, by time (ties as in the file); each row's place among its user's,
    and their number."""
    users = dataset.ratings["user"].to_numpy()
    order = np.lexsort((np.arange(len(users)), _times(dataset, rule), users))
    return order, *places(users[order])
