"""The rule that splits as the makers of the data did."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..datasets import Dataset
from ..datasets.given import TRAIN, VALID, GivenParts
from ..errors import SplitError
from .rules import FIXED, SplitRule, check_shares, places
from .split import Split


@dataclass(frozen=True)
class Given(SplitRule):
    """The parts that the data came with.

    Validation ratings that came with them always validate. Where there are none, ``valid`` above 0
    asks for the latest remaining rating of every user who has at least two and the time of each;
    of ratings at one time, the one further down in the file is the later.
    """

    name: ClassVar[str] = "given"
    test_part: ClassVar[str] = FIXED

    def split(self, dataset: Dataset, seed: int = 0, valid: float = 0.0) -> Split:
        check_shares(self, valid)
        parts = _parts(dataset)
        trains, validation = parts.part == TRAIN, np.flatnonzero(parts.part == VALID)
        if valid and not len(validation):
            validation = _latest(dataset, np.flatnonzero(trains))
            trains[validation] = False
        train = np.flatnonzero(trains)
        rule = f"{self.name}({parts.source}, valid={valid:g})"
        return Split(train, validation, parts.test, rule, seed, len(parts.part))

    def identity(self, valid: float) -> list:
        return [self.name, float(valid > 0)]

    def reads(self, dataset: Dataset, valid: float) -> list:
        parts = _parts(dataset)
        goes_by_time = valid and not (parts.part == VALID).any()
        return [parts.fingerprint, dataset.times] if goes_by_time else [parts.fingerprint]


def _parts(dataset: Dataset) -> GivenParts:
    if dataset.given is None:
        raise SplitError(
            f"Given splits data as their makers did, but {dataset.name} came without such parts."
        )
    return dataset.given


def _latest(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """The latest of each user's given rows, sorted; of users with one row or without all times,
    none."""
    users, times = (dataset.ratings[name].iloc[rows] for name in ("user", "timestamp"))
    fits = times.notna().groupby(users).transform("all").to_numpy()
    users, times, rows = users.to_numpy()[fits], times[fits].to_numpy(np.int64), rows[fits]
    order = np.lexsort((rows, times, users))
    place, count = places(users[order])
    latest = order[(count > 1) & (place == count - 1)]
    if not len(latest):
        raise SplitError(
            f"Given finds no validation rating: no user of {dataset.name} has two ratings besides "
            "the test ratings and the time of each."
        )
    return np.sort(rows[latest])
