"""Parts that data came with: which ratings train, validate and test, and what the test items are
ranked among."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import DatasetError

TRAIN, VALID, TEST = range(3)


@dataclass(frozen=True, eq=False)
class GivenParts:
    """Who made a data set says how it is split.

    Attributes:
        part: int8 (N,), per rating 0 train, 1 valid, 2 test.
        source: what the parts are called.
        negatives: items that each test rating is ranked among, int64 (tests, n), in the order of
            ``test``; None where none were given.

    Raises:
        DatasetError: another part, no test rating, or not one row of negatives per test rating.
    """

    part: np.ndarray
    source: str
    negatives: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not np.isin(self.part, (TRAIN, VALID, TEST)).all() or not len(self.test):
            raise DatasetError(
                f"{self.source}: parts must be 0, 1 or 2, and at least one rating must test."
            )
        if self.negatives is not None and (
            self.negatives.ndim != 2 or len(self.negatives) != len(self.test)
        ):
            raise DatasetError(
                f"{self.source}: {len(self.test)} test ratings and negatives of shape "
                f"{self.negatives.shape} do not belong together."
            )

    @cached_property
    def test(self) -> np.ndarray:
        """Row numbers of the test ratings, int64, sorted."""
        return np.flatnonzero(self.part == TEST)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits over the parts and the negatives."""
        digest = hashlib.sha256(self.part.astype("<i1").tobytes())
        if self.negatives is not None:
            digest.update(f"{self.negatives.shape}".encode())
            digest.update(self.negatives.astype("<i8").tobytes())
        return digest.hexdigest()[:16]
