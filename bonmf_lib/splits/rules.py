"""Rules by which ratings are split: small frozen configurations, ``rule.split(dataset, seed, valid)
-> Split``.

Where a seed draws the test part anew, records of several seeds are of overlapping splits, and
intervals over them must allow for that (:func:`resampling_share`). Where the test part is fixed
(latest ratings), a seed is only another initialisation, and a difference is told from zero across
users.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ..datasets import Dataset
from ..errors import SplitError
from .split import PARTS, Split

SEEDED = "seeded"  # every seed draws another test part
FOLDS = "folds"  # every seed is another fold
FIXED = "fixed"  # all seeds test the same ratings


_RULES: dict[str, type["SplitRule"]] = {}  # by name


class SplitRule(ABC):
    """What decides a split besides the data and the seed."""

    name: ClassVar[str]  # how the rule of a Split begins
    test_part: ClassVar[str] = SEEDED
    tests_a_share_of_ratings: ClassVar[bool] = False  # and the rule of a Split says which
    by_time: ClassVar[bool] = False  # needs the time of every rating
    across_users: ClassVar[bool] = False  # and compares those of different users

    def __init_subclass__(cls) -> None:
        if name := cls.__dict__.get("name"):
            if name in _RULES:
                raise SplitError(f"Two rules of splitting are called {name!r}.")
            _RULES[name] = cls

    @abstractmethod
    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        """Split all ratings of a data set.

        The test part depends on the rule and the seed alone, so runs with and without validation
        share it.

        Args:
            valid: share of what does not test (ratings, items or users, as the rule says) that
            validates, in [0, 1).

        Raises:
            SplitError: the data or the shares do not allow it.
        """

    @abstractmethod
    def identity(self, valid: float) -> list:
        """Plain values for hashes: of the rule and of the share that validates."""

    def reads(self, dataset: Dataset, valid: float) -> list:
        """Plain values for hashes: of what it reads besides ratings, users and items."""
        return [dataset.times] if self.by_time else []


def check_shares(rule: object, valid: float, **shares: float) -> None:
    """``SplitError`` unless shares lie in (0, 1), or (0, 1] for ``keep``, and ``valid`` in
    [0, 1)."""
    fits = all(0 < share < 1 or (name == "keep" and share == 1) for name, share in shares.items())
    if not fits or not 0 <= valid < 1:
        given = ", ".join(f"{name}={share}" for name, share in (shares | {"valid": valid}).items())
        raise SplitError(
            f"{type(rule).__name__}: shares must lie in (0, 1), valid in [0, 1), got {given}."
        )


@dataclass(frozen=True)
class Ratio(SplitRule):
    """Random split of all ratings, the paper's 7:3 by default.

    Attributes:
        test: share of all ratings that test, in (0, 1).
        keep: share of the training part that is used, in (0, 1], to study sparser data.
    """

    test: float = 0.3
    keep: float = 1.0
    name: ClassVar[str] = "ratio"
    tests_a_share_of_ratings: ClassVar[bool] = True

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid, test=self.test, keep=self.keep)
        total = len(dataset.ratings)
        order = np.random.default_rng(seed).permutation(total)
        n_test = round(self.test * total)
        n_valid = round(valid * (total - n_test))
        n_train = round(self.keep * (total - n_test - n_valid))
        parts = np.split(order, np.cumsum([n_test, n_valid, n_train]))
        held_out, validation, train, unused = (np.sort(part) for part in parts)
        kept = f", keep={self.keep:g}" if self.keep < 1 else ""
        rule = f"{self.name}(test={self.test:g}, valid={valid:g}{kept})"
        return Split(train, validation, held_out, rule, seed, total, unused)

    def identity(self, valid: float) -> list:
        return [self.test, valid, self.keep]


@dataclass(frozen=True)
class ColdItems(SplitRule):
    """All ratings of randomly chosen items test: nothing but content tells of them.

    Attributes:
        test: share of the items that test, in (0, 1). Of the others, a share validates, so that a
            model is stopped for what it is tested on.
    """

    test: float = 0.2
    name: ClassVar[str] = "cold-items"
    stream: ClassVar[int] = 1  # of random numbers, another one than other rules have

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid, test=self.test)
        of_rating = dataset.ratings["item"].to_numpy()
        ids = np.random.default_rng([seed, self.stream]).permutation(np.unique(of_rating))
        n_test = round(self.test * len(ids))
        n_valid = round(valid * (len(ids) - n_test))
        parts = np.split(ids, [n_test, n_test + n_valid])
        held_out, validation, train = (np.flatnonzero(np.isin(of_rating, part)) for part in parts)
        rule = f"{self.name}(test={self.test:g}, valid={valid:g})"
        return Split(train, validation, held_out, rule, seed, len(of_rating))

    def identity(self, valid: float) -> list:
        return [self.test, valid, 1.0, "cold items"]


@dataclass(frozen=True)
class _Blocks(SplitRule):
    """Rows in file order shuffled by numpy's older generator and cut into blocks, one of which
    tests; the rows that follow it validate."""

    blocks: int

    def _cut(
        self, dataset: Dataset, shuffle_seed: int, block: int, seed: int, valid: float
    ) -> Split:
        if self.blocks < 2 or not 0 <= block < self.blocks or not 0 <= valid < 1:
            raise SplitError(
                f"{type(self).__name__}: at least 2 blocks, one of them, and valid in [0, 1) are "
                f"needed, got {self.blocks} blocks, block {block} and valid={valid}."
            )
        order = np.random.RandomState(shuffle_seed).permutation(len(dataset.ratings))
        blocks = np.array_split(order, self.blocks)
        rest = np.concatenate([*blocks[block + 1 :], *blocks[:block]])
        validation, train = np.split(rest, [round(valid * len(rest))])
        parts = (np.sort(part) for part in (train, validation, blocks[block]))
        return Split(
            *parts, f"{self.name}(test={1 / self.blocks:g}, valid={valid:g})", seed, len(order)
        )

    def identity(self, valid: float) -> list:
        return [1 / self.blocks, valid, 1.0, self.name]


@dataclass(frozen=True)
class RowShuffle(_Blocks):
    """The first of ten blocks of shuffled rows tests, as in GLocal-K and SparseFC; the seed is that
    of the shuffle."""

    blocks: int = 10
    name: ClassVar[str] = "row-shuffle"
    tests_a_share_of_ratings: ClassVar[bool] = True

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        return self._cut(dataset, seed, 0, seed, valid)


@dataclass(frozen=True)
class KFold(_Blocks):
    """Each of five blocks of shuffled rows tests in turn, as in scikit-surprise's ``KFold``; the
    seed is the fold."""

    blocks: int = 5
    shuffle_seed: int = 0
    name: ClassVar[str] = "k-fold"
    tests_a_share_of_ratings: ClassVar[bool] = True
    test_part: ClassVar[str] = FOLDS

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        return self._cut(dataset, self.shuffle_seed, seed, seed, valid)


@dataclass(frozen=True)
class PerUser(SplitRule):
    """Every user's ratings at random in three parts, 8:1:1 by default; ``valid`` above 0 asks for
    the middle one, else it trains.

    Attributes:
        train, validate, test: parts of each user's ratings.
        odd: what rounding leaves over. ``train``: both other parts are rounded down, the rest
            trains. ``test`` (code of BM3) or ``valid`` (code of LATTICE): they are rounded down
            together and then halved, or parted as they are to each other, and the odd rating goes
            there; at least one rating validates and one tests, of users with three or more.
    """

    train: int = 8
    validate: int = 1
    test: int = 1
    odd: Literal["train", "valid", "test"] = "train"
    name: ClassVar[str] = "per-user"

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        if min(self.train, self.validate, self.test) < 1 or self.odd not in PARTS:
            raise SplitError(
                f"{self}: all three parts must be positive, and odd one of {', '.join(PARTS)}."
            )
        users = dataset.ratings["user"].to_numpy()
        drawn = np.random.default_rng([seed, 3]).random(len(users))
        order = np.lexsort((drawn, users))
        place, count = places(users[order])
        n_valid, n_test = self._held_out(count)
        if not valid:
            n_valid = np.zeros_like(n_valid)
        parts = f"{self.train}:{self.validate}:{self.test}"
        said = f"{parts}, valid={valid:g}"
        if self.odd != "train":
            share = (n_test / count).mean()
            validates = (n_valid / count).mean() / (1 - share)
            said = f"test={share:.4g}, valid={validates:.4g}, {parts}, odd {self.odd}"
        return cut_by_user(self, order, place, count, n_valid, n_test, seed, said)

    def _held_out(self, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How many of so many ratings validate and test, each (N,)."""
        held = self.validate + self.test
        whole = self.train + held
        if self.odd == "train":
            return count * self.validate // whole, count * self.test // whole
        both = count * held // whole
        fewer = both * (self.validate if self.odd == "test" else self.test) // held
        fewer, more = (np.where(count < 3, 0, part.clip(1)) for part in (fewer, both - fewer))
        return (fewer, more) if self.odd == "test" else (more, fewer)

    def identity(self, valid: float) -> list:
        odd = [] if self.odd == "train" else [self.odd]
        return [self.name, self.train, self.validate, self.test, float(valid > 0), *odd]


def places(users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of sorted users: each row's place among its user's rows, from 0, and the number of these."""
    _, starts, counts = np.unique(users, return_index=True, return_counts=True)
    return np.arange(len(users)) - np.repeat(starts, counts), np.repeat(counts, counts)


def cut_by_user(rule, order, place, count, n_valid, n_test, seed: int, said: str) -> Split:
    """The last rows of every user test, those before them validate."""
    test = place >= count - n_test
    validation = ~test & (place >= count - n_test - n_valid)
    parts = (np.sort(order[part]) for part in (~test & ~validation, validation, test))
    return Split(*parts, f"{rule.name}({said})", seed, len(order))


_SHARES = re.compile(r"(?P<name>[a-z-]+)\(test=(?P<test>[^,]+), valid=(?P<valid>[^,)]+)")
_PARTS = re.compile(r"per-user\((?P<train>\d+):(?P<validate>\d+):\d+, valid=(?P<valid>[^,)]+)")


def _rule_of(said: str) -> type[SplitRule] | None:
    """The rule that made a Split, by what the Split says of it."""
    return _RULES.get(said.partition("(")[0])


def redraws_test(rule: str) -> bool:
    """Whether another seed tests other ratings, by the ``rule`` of a
    :class:`~bonmf_lib.splits.split.Split`."""
    known = _rule_of(rule)
    return known is None or known.test_part != FIXED


def resampling_share(rule: str, test_share: float) -> float:
    """Test ratings per rating that tests or trains: what intervals over repeated splits rest on
    (:mod:`~bonmf_lib.evaluation.significance`); 0 where all seeds test the same ratings.

    Ratings that only stop a training do not train. Ratings left out to study sparser data count as
    training: how much splits overlap is a matter of the whole data.

    Args:
        rule: of a :class:`~bonmf_lib.splits.split.Split`. test_share: of the same; decides where
            the rule tells no share of ratings.
    """
    if not redraws_test(rule):
        return 0.0
    if found := _PARTS.match(rule):
        train, validate = (
            int(found["train"]),
            int(found["validate"]) if float(found["valid"]) else 0,
        )
        return test_share / (test_share + (1 - test_share) * train / (train + validate))
    found = _SHARES.match(rule)
    if found is None:
        return test_share
    known = _rule_of(rule)
    test = (
        float(found["test"]) if known is not None and known.tests_a_share_of_ratings else test_share
    )
    return test / (test + (1 - test) * (1 - float(found["valid"])))
