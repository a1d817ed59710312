"""What a text encoder costs: speed and memory, each encoder in a fresh process of its own."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..errors import EncoderError
from ..memory import peak_mib
from ..parallel import loaded_context
from .registry import get_encoder

_WARM_UP = 8  # texts that are encoded first: loading the weights is not encoding
_LEAST_SECONDS = 0.5  # of encoding, else the texts are encoded again and again


@dataclass(frozen=True)
class EncodingCost:
    """Measured on this machine's processor.

    Attributes:
        texts_per_second: without the time to load the weights.
        loading_seconds: until the first ``_WARM_UP`` texts are encoded, weights and what reads them
        included.
        memory_mib: growth of the process's peak memory by the same and by encoding.
    """

    texts_per_second: float
    loading_seconds: float
    memory_mib: float


def encoding_cost(encoder: str, texts: Sequence[str], threads: int = 1) -> EncodingCost:
    """Encode the texts in a fresh process.

    Args:
        encoder: a registered name; its weights should have been fetched before, or fetching is
        measured too.
        texts: some hundred, so that loading does not hide encoding.
        threads: processor threads that PyTorch may use.

    Raises:
        EncoderError: too few texts.
    """
    if len(texts) < 2 * _WARM_UP:
        raise EncoderError(
            f"{len(texts)} texts are too few to measure {encoder} on; give at least {2 * _WARM_UP}."
        )
    with loaded_context().Pool(1) as pool:  # it has imported PyTorch and encoded nothing
        return pool.apply(_measure, (encoder, list(texts), threads))


def _measure(name: str, texts: list[str], threads: int) -> EncodingCost:
    torch.set_num_threads(threads)
    encoder, before = get_encoder(name, "text"), peak_mib()
    # from all over: the first ones may be all alike
    some = texts[:: len(texts) // _WARM_UP][:_WARM_UP]
    first = _seconds(encoder, some)
    loading = _seconds(encoder, some)  # again, now that everything is imported
    repeats = 1
    while (
        encoding := _seconds(encoder, texts * repeats) - loading
    ) < _LEAST_SECONDS and repeats < 1024:
        repeats *= 4
    rate = (repeats * len(texts) - _WARM_UP) / max(encoding, 1e-9)
    return EncodingCost(rate, first, peak_mib() - before)


def _seconds(encoder, texts: list[str]) -> float:
    start = time.perf_counter()
    encoder.encode(texts, torch.device("cpu"))
    return time.perf_counter() - start
