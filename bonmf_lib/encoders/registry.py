"""Names of all encoders."""

from collections.abc import Callable, Sequence
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
_GIVEN: dict[tuple[str, str], Encoder] = {}  # by name and modality
_CONTROLS: dict[
    str, Callable[[str, str], Encoder]
] = {}  # ending of a name -> control of that base and modality


def register_encoder(encoder: Encoder) -> None:
    """Make an encoder known under its name."""
    _ENCODERS[encoder.name] = encoder


def register_given(encoder: Encoder) -> None:
    """Make vectors that data came with known under a name, which no list shows."""
    _GIVEN[encoder.name, encoder.modality] = encoder


def register_control(ending: str, make: Callable[[str, str], Encoder]) -> None:
    """Let ``<encoder>-<ending>`` name a control of every encoder, listed or not."""
    _CONTROLS[ending] = make


def list_encoders(modality: str) -> list[str]:
    """Names of the encoders of ``text`` or ``image``."""
    return sorted(name for name, encoder in _ENCODERS.items() if encoder.modality == modality)


def get_encoder(name: str, modality: str) -> Encoder:
    """The encoder of that name, or the control of one; ``EncoderError`` when there is none for the
    modality."""
    known = {name: _ENCODERS[name] for name in list_encoders(modality)}
    known |= {given: encoder for (given, of), encoder in _GIVEN.items() if of == modality}
    base, _, ending = name.rpartition("-")
    if name not in known and base in known and ending in _CONTROLS:
        return _CONTROLS[ending](base, modality)
    if name not in known:
        raise EncoderError(unknown_name(f"{modality} encoder", name, known))
    return known[name]
