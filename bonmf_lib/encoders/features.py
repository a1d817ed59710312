"""Features: what an encoder made of every item, cached under the content it was made from."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

import numpy as np
from pydantic import AfterValidator
from sklearn.decomposition import PCA

from ..datasets.vectors import Neighbours
from ..errors import DamagedError, EncoderError
from ..integrity import read_arrays, write_arrays
from ..storage import cache_dir, json_sha256

Modality = Literal["text", "image"]  # of an item, that encoders make features of
MODALITIES: tuple[Modality, ...] = get_args(Modality)


def _in_order(given: tuple[Modality, ...]) -> tuple[Modality, ...]:
    """One tuple for every set, so that equal configurations have equal hashes."""
    if given != tuple(name for name in MODALITIES if name in given):
        raise ValueError(f"modalities come once each, in the order {', '.join(MODALITIES)}")
    return given


Modalities = Annotated[tuple[Modality, ...], AfterValidator(_in_order)]  # that a model reads


@dataclass(frozen=True, eq=False)
class Features:
    """A vector per item.

    Attributes:
        matrix: float32 (items, dim); rows of missing items are zero and must be masked by
        ``present``.
        present: bool (items,); False where the item has no text or picture.
        encoder: name, pooling and settings, for instance ``minilm-l6/mean``.
        version: version of the encoder's weights.
        key: sha256 of encoder, version, preprocessing and the content of all texts or pictures.
        regions: number of region vectors that ``matrix`` lays side by side (1 = one global vector).
        neighbours: of the items by the cosine of the original vectors, where the data came with
            them; a graph of neighbours made of ``matrix`` is no better than ``matrix``.
    """

    matrix: np.ndarray
    present: np.ndarray
    encoder: str
    version: str
    key: str
    regions: int = 1
    neighbours: Neighbours | None = None

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or self.present.shape != self.matrix.shape[:1]:
            raise EncoderError(
                f"{self.encoder}: matrix {self.matrix.shape} and mask {self.present.shape} "
                "disagree."
            )
        if self.neighbours is not None and len(self.neighbours.items) != len(self.matrix):
            raise EncoderError(
                f"{self.encoder}: neighbours of {len(self.neighbours.items)} items and "
                f"{len(self.matrix)} vectors disagree."
            )
        if not np.isfinite(self.matrix).all():
            raise EncoderError(
                f"{self.encoder}: the features hold NaN or infinity; re-encode the items."
            )

    @property
    def dim(self) -> int:
        return self.matrix.shape[1]

    @property
    def mean_norm(self) -> float:
        """Mean Euclidean length of the present vectors: their scale, as the encoder gives it."""
        return float(np.linalg.norm(self.matrix[self.present].astype(np.float64), axis=1).mean())

    def standardized(self) -> np.ndarray:
        """Matrix with each column at mean 0 and variance 1 over the present items; missing rows
        stay 0."""
        out = self.standardize(self.matrix)
        out[~self.present] = 0.0
        return out

    def standardize(self, rows: np.ndarray) -> np.ndarray:
        """Other rows (N, dim), shifted and scaled as the present items' are."""
        seen = self.matrix[self.present].astype(np.float64)
        scale = seen.std(axis=0)
        scale[scale < 1e-8] = 1.0
        return ((rows - seen.mean(axis=0)) / scale).astype(np.float32)

    def principal(self, dim: int, standardised: bool = True) -> "Features":
        """The first ``dim`` principal components of the present rows, standardised first or at
        their own scale; of regions those that they share (``dim`` for each region); as they are, if
        not more, and at most as many as there are rows. Components come without neighbours."""
        size = self.dim // self.regions
        rows = self.standardized() if standardised else self.matrix
        seen = rows[self.present].astype(np.float64).reshape(-1, size)  # one row per region
        dim = min(dim, len(seen))
        if dim >= size:
            return self
        matrix = np.zeros((len(self.matrix), self.regions * dim), np.float32)
        with np.errstate(invalid="ignore"):  # of equal rows, whose components are zeros
            components = PCA(dim, svd_solver="full").fit_transform(seen)
        matrix[self.present] = components.reshape(-1, self.regions * dim)
        name = f"{self.encoder}, {dim} components"
        key = self.components_key(dim, standardised)
        return replace(self, matrix=matrix, encoder=name, key=key, neighbours=None)

    def of(self, items: np.ndarray) -> "Features":
        """Those of some items (N,), in the order given; without neighbours."""
        key = json_sha256([self.key, hashlib.sha256(items.astype("<i8").tobytes()).hexdigest()])
        matrix, present = self.matrix[items], self.present[items]
        return replace(self, matrix=matrix, present=present, key=key, neighbours=None)

    def components_key(self, dim: int, standardised: bool) -> str:
        """The key of its principal components."""
        return json_sha256([self.key, dim] if standardised else [self.key, dim, "native"])


def cached_poolings(
    description: dict,
    contents: Sequence[bytes | None],
    encode: Callable[[list[int]], dict[str, np.ndarray]],
) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    """Return every pooling of the encoder's output over all items, from the cache if it is there.

    Args:
        description: encoder name, version and preprocessing: all that decides the output besides
        the content.
        contents: what is encoded, per item; None = missing. Gone through once.
        encode: maps the positions of the present items to arrays (positions, dim) by pooling name;
            may return fewer positions' worth under the key ``present`` (bool) when an item proves
            unreadable.

    Returns:
        arrays (items, dim) by pooling, the mask (items,), the cache key.
    """
    digests = _digests(contents)
    key = _key(description, digests)
    path = cache_dir("features", description["encoder"]) / f"{key}.safetensors"
    arrays = None
    with suppress(DamagedError):  # nothing is cached, or it is not as it was written
        arrays = read_arrays(path, key)
    if arrays is None:
        there = np.array([digest is not None for digest in digests], bool)
        arrays = _encoded(description["encoder"], there, encode)
        write_arrays(path, arrays, key)
    present = arrays.pop("present")
    return arrays, present, key


def content_key(description: dict, contents: Iterable[bytes | None]) -> str:
    """The cache key of what :func:`cached_poolings` would encode."""
    return _key(description, _digests(contents))


def _key(description: dict, digests: list[bytes | None]) -> str:
    digest = hashlib.sha256()
    for content in digests:
        digest.update(b"\0" if content is None else b"\1" + content)
    return json_sha256([description, len(digests), digest.hexdigest()])


def _digests(contents: Iterable[bytes | None]) -> list[bytes | None]:
    """sha256 of each content, which is held no longer than that takes."""
    return [None if content is None else hashlib.sha256(content).digest() for content in contents]


def _encoded(
    encoder: str, there: np.ndarray, encode: Callable[[list[int]], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays (items, dim) by pooling, rows of missing items 0, and the mask ``present`` (items,).

    Args:
        there: which items have anything to encode, bool (items,).
    """
    present = there.copy()
    positions = np.flatnonzero(present)
    if not len(positions):
        raise EncoderError(f"{encoder}: no item has anything to encode; choose other content.")
    found = encode(positions.tolist())
    readable = found.pop("present", np.ones(len(positions), bool))
    present[positions[~readable]] = False
    arrays = {"present": present}
    for pooling, rows in found.items():
        arrays[pooling] = np.zeros((len(there), rows.shape[1]), np.float32)
        arrays[pooling][positions[readable]] = rows[readable]
    return arrays
