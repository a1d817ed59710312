"""Names of all encoders."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from ..errors import EncoderError, unknown_name


class Encoder(Protocol):
    """What every encoder offers; ``encode`` gives (n, dim) arrays by pooling name."""

    name: str
    version: str
    modality: str
    poolings: tuple[str, ...]
    default_pooling: str

    @property
    def preprocessing(self) -> dict: ...

    def encode(self, contents: Sequence, device: torch.device) -> dict[str, np.ndarray]: ...


_ENCODERS: dict[str, Encoder] = {}


def register_encoder(encoder: Encoder) -> None:
    """Make an encoder known under its name."""
    _ENCODERS[encoder.name] = encoder


def list_encoders(modality: str) -> list[str]:
    """Names of the encoders of ``text`` or ``image``."""
    return sorted(name for name, encoder in _ENCODERS.items() if encoder.modality == modality)


def get_encoder(name: str, modality: str) -> Encoder:
    """The encoder of that name; ``EncoderError`` when there is none for the modality."""
    known = list_encoders(modality)
    if name not in known:
        raise EncoderError(unknown_name(f"{modality} encoder", name, known))
    return _ENCODERS[name]
