"""Vectors of items that data came with, in place of their texts or pictures."""

import hashlib
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import DatasetError

GIVEN = "given-vectors"  # as their makers gave them
REBUILT = "rebuilt-features"  # made from what was published of others: stand-ins, not the originals


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Each item's nearest neighbours by the cosine of their vectors.

    Attributes:
        items: int64 (items, k), nearest first. An item is among its own neighbours, unless k others
            have the same vector.
        cosines: float32 (items, k), of the same.

    Raises:
        DatasetError: the two disagree, or a neighbour is no item.
    """

    items: np.ndarray
    cosines: np.ndarray

    def __post_init__(self) -> None:
        if (
            self.items.ndim != 2
            or self.items.shape != self.cosines.shape
            or not ((self.items >= 0) & (self.items < len(self.items))).all()
            or not np.isfinite(self.cosines).all()
        ):
            raise DatasetError(
                f"neighbours {self.items.shape} and cosines {self.cosines.shape} do not belong "
                "together, or name items that are not there."
            )

    def dealt(self, sources: np.ndarray) -> "Neighbours":
        """The neighbours where item i has the vector that item ``sources[i]`` had: int64 (items,),
        every item once."""
        holders = np.empty_like(sources)
        holders[sources] = np.arange(len(sources))
        return Neighbours(holders[self.items[sources]], self.cosines[sources])


@dataclass(frozen=True, eq=False)
class GivenVectors:
    """A vector of one modality per item.

    Attributes:
        kind: ``GIVEN`` or ``REBUILT``: the name under which encoders have them.
        matrix: float32 (items, dim), finite; a row of zeros stands for a missing vector.
        neighbours: of the original vectors, exact also where the matrix is rebuilt; None where none
            were published.
    """

    kind: str
    matrix: np.ndarray
    neighbours: Neighbours | None = None

    @property
    def present(self) -> np.ndarray:
        """Which items have a vector, bool (items,)."""
        return self.matrix.any(axis=1)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the matrix and the neighbours."""
        digest = hashlib.sha256(f"{self.matrix.shape}".encode())
        digest.update(np.ascontiguousarray(self.matrix, "<f4").data.cast("B"))
        if self.neighbours is not None:
            digest.update(self.neighbours.items.astype("<i8").tobytes())
            digest.update(self.neighbours.cosines.astype("<f4").tobytes())
        return digest.hexdigest()

    def of(self, items: np.ndarray) -> "GivenVectors":
        """Those of some items, int64 (N,), in that order, without neighbours: which items come next
        where one is left out was not published."""
        return replace(self, matrix=self.matrix[items], neighbours=None)


def read_vectors(path: Path) -> np.ndarray:
    """A ``.npy`` file of a vector per row, float32 (rows, dim).

    Raises:
        DatasetError: no such file of numbers (a pickle is never read), another shape, or a row with
            NaN or infinity.
    """
    found = _numbers(path)
    if found is None or found.ndim != 2 or not found.shape[1]:
        raise DatasetError(f"{path}: holds no table of numbers; save one row of them per item.")
    with np.errstate(over="ignore"):
        matrix = found.astype(np.float32)
    finite = np.isfinite(matrix).all(axis=1)
    if not finite.all():
        raise DatasetError(
            f"{path}: row {int(finite.argmin())}, counted from 0, holds NaN, infinity or a number "
            "too large for float32; correct it, or give zeros where the vector is missing."
        )
    return matrix


def read_vector(path: Path) -> np.ndarray:
    """A ``.npy`` file of one vector, as a row or a line of numbers, float32 (dim,).

    Raises:
        DatasetError: no such file of numbers (a pickle is never read), another shape, or NaN or
            infinity.
    """
    found = _numbers(path)
    if found is None or not found.size or found.shape not in ((found.size,), (1, found.size)):
        raise DatasetError(f"{path}: holds no single vector of numbers; save one per file.")
    with np.errstate(over="ignore"):
        vector = found.astype(np.float32).reshape(-1)
    if not np.isfinite(vector).all():
        raise DatasetError(
            f"{path}: holds NaN, infinity or a number too large for float32; correct it, or "
            "leave the file out where the vector is missing."
        )
    return vector


def _numbers(path: Path) -> np.ndarray | None:
    """An array of numbers; None where the file holds something else."""
    with _readable(path):
        found = np.load(path, mmap_mode="r")  # so that a false size in the header reserves nothing
    return found if isinstance(found, np.ndarray) and found.dtype.kind in "fiu" else None


def read_neighbours(path: Path) -> Neighbours:
    """An ``.npz`` file with ``idx`` (items, k) and ``cos``, their cosines.

    Raises:
        DatasetError: no such file, or arrays that do not belong together.
    """
    with _readable(path), np.load(path) as file:
        items, cosines = file["idx"].astype(np.int64), file["cos"].astype(np.float32)
    return Neighbours(items, cosines)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # what NumPy raises on damaged headers is of many unrelated types
        why = textwrap.shorten(str(error), 120, placeholder="...")
        raise DatasetError(
            f"{path}: cannot be read as arrays of numbers ({why}); replace it."
        ) from None
