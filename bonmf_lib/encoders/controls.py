"""Encoders that must not help: what a gain is compared with before it is called understanding."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..storage import json_sha256
from .features import Features
from .registry import get_encoder, register_encoder


@dataclass(frozen=True)
class RandomVectors:
    """Normal vectors unrelated to what a text or picture shows; equal contents have equal vectors."""

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

    def encode(self, contents: Sequence[str | bytes], device: torch.device) -> dict[str, np.ndarray]:
        """Vectors (contents, dim) drawn from a hash of each content."""
        raw = (content.encode() if isinstance(content, str) else content for content in contents)
        seeds = [int.from_bytes(hashlib.sha256(content).digest()[:8], "big") for content in raw]
        return {"mean": np.stack([np.random.default_rng(s).standard_normal(self.dim, np.float32) for s in seeds])}


@dataclass(frozen=True)
class Shuffled:
    """The vectors of another encoder, each given to some other item: the right distribution, the wrong item.

    It encodes nothing itself; :func:`~bonmf_lib.encoders.encode_items` deals out the other encoder's features.
    """

    base: str
    modality: str
    version: str = "1"
    image_size: int = 224

    @property
    def name(self) -> str:
        return f"{self.base}-shuffled"

    @property
    def poolings(self) -> tuple[str, ...]:
        return get_encoder(self.base, self.modality).poolings

    @property
    def default_pooling(self) -> str:
        return get_encoder(self.base, self.modality).default_pooling

    def dealt(self, features: Features) -> Features:
        """The present rows, rotated by one place in a random order: no item keeps its own."""
        order = np.random.default_rng(0).permutation(np.flatnonzero(features.present))
        matrix = features.matrix.copy()
        matrix[order] = features.matrix[np.roll(order, 1)]
        key = json_sha256([features.key, self.name, self.version])
        return replace(features, matrix=matrix, encoder=f"{features.encoder}, shuffled", key=key)


register_encoder(RandomVectors("text"))
register_encoder(RandomVectors("image"))
register_encoder(Shuffled("minilm-l6", "text"))
register_encoder(Shuffled("dinov2-s", "image"))
register_encoder(Shuffled("tfidf", "text"))
