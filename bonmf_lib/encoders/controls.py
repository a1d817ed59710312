"""Encoders that must not help: what a gain is compared with before it is called understanding."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from ..datasets.vectors import Neighbours
from ..storage import json_sha256
from .features import Features
from .registry import get_encoder, register_control, register_encoder


@dataclass(frozen=True)
class RandomVectors:
    """Normal vectors unrelated to what a text or picture shows;
    equal contents have equal vectors."""

    modality: str
    dim: int = 384
    version: str = "1"
    image_size: int = 224  # as every image encoder has it; without effect
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean",)

    @property
    def name(self) -> str:
        return f"random-{self.modality}"

    @property
    def preprocessing(self) -> dict:
        return {"dim": self.dim}

    def encode(
        self, contents: Sequence[str | bytes], device: torch.device
    ) -> dict[str, np.ndarray]:
        """Vectors (contents, dim) drawn from a hash of each content."""
        raw = (content.encode() if isinstance(content, str) else content for content in contents)
        seeds = [int.from_bytes(hashlib.sha256(content).digest()[:8], "big") for content in raw]
        return {
            "mean": np.stack(
                [np.random.default_rng(s).standard_normal(self.dim, np.float32) for s in seeds]
            )
        }


@dataclass(frozen=True)
class FeatureControl(ABC):
    """What :func:`~bonmf_lib.encoders.encode_items` deals out instead of another encoder's
    features, whose shape it has; it encodes nothing itself."""

    base: str
    modality: str
    version: str = "1"
    image_size: int = 224
    ending: ClassVar[str]

    @property
    def name(self) -> str:
        return f"{self.base}-{self.ending}"

    @property
    def poolings(self) -> tuple[str, ...]:
        return get_encoder(self.base, self.modality).poolings

    @property
    def default_pooling(self) -> str:
        return get_encoder(self.base, self.modality).default_pooling

    def dealt(self, features: Features) -> Features:
        """The control's features of the same items; missing items stay missing."""
        matrix = features.matrix.copy()
        matrix[features.present] = self.rows(features.matrix[features.present])
        return replace(
            features,
            matrix=matrix,
            encoder=f"{features.encoder}, {self.ending}",
            key=json_sha256([features.key, self.name, self.version]),
            neighbours=self.neighbours(features),
        )

    @abstractmethod
    def rows(self, rows: np.ndarray) -> np.ndarray:
        """What stands in for the present items' rows (N, dim)."""

    def neighbours(self, features: Features) -> Neighbours | None:
        """What stands in for the given neighbours of the items; None where they go with the
        content."""
        return None


class Shuffled(FeatureControl):
    """The vectors of another encoder, each given to some other item: the right distribution, the
    wrong item."""

    ending = "shuffled"

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Rotated by one place in a random order: no item keeps its own."""
        return rows[self._sources(len(rows))]

    def neighbours(self, features: Features) -> Neighbours | None:
        """The same graph with its items in the places of the others."""
        if features.neighbours is None:
            return None
        sources, present = np.arange(len(features.matrix)), np.flatnonzero(features.present)
        sources[present] = present[self._sources(len(present))]
        return features.neighbours.dealt(sources)

    @staticmethod
    def _sources(count: int) -> np.ndarray:
        """Whose row each of so many rows gets."""
        order = np.random.default_rng(0).permutation(count)
        sources = np.empty_like(order)
        sources[order] = np.roll(order, 1)
        return sources


class Noise(FeatureControl):
    """Normal vectors with the mean and the covariance of another encoder's vectors: the right
    spectrum, no content.

    Unlike :class:`RandomVectors`, it has the encoder's own scale and as many directions that
    matter.
    """

    ending = "noise"

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """A draw for every item (N, dim), anew for each base and modality."""
        seed = int.from_bytes(
            hashlib.sha256(f"{self.modality} {self.base}".encode()).digest()[:8], "big"
        )
        mean = rows.mean(axis=0, dtype=np.float64)
        _, scales, axes = np.linalg.svd(rows - mean, full_matrices=False)
        draws = np.random.default_rng(seed).standard_normal((len(rows), len(scales)))
        return (mean + draws @ (scales[:, None] * axes) / np.sqrt(max(len(rows) - 1, 1))).astype(
            np.float32
        )


class Constant(FeatureControl):
    """The mean of another encoder's vectors for every item: the right size of the input, nothing
    that tells items apart. Standardised, it is zero."""

    ending = "constant"

    def rows(self, rows: np.ndarray) -> np.ndarray:
        """Equal rows (N, dim)."""
        return np.broadcast_to(rows.mean(axis=0, dtype=np.float64), rows.shape).astype(np.float32)


register_encoder(RandomVectors("text"))
register_encoder(RandomVectors("image"))
register_control(Shuffled.ending, Shuffled)
register_control(Noise.ending, Noise)
register_control(Constant.ending, Constant)
for _base, _modality in (  # those that lists show
    ("minilm-l6", "text"),
    ("mpnet-base", "text"),
    ("tfidf", "text"),
    ("dinov2-s", "image"),
    ("efficientnet-lite0", "image"),
    ("pixels", "image"),
):
    register_encoder(Shuffled(_base, _modality))
    register_encoder(Noise(_base, _modality))
