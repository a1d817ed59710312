"""What a text encoder costs: speed and memory, each encoder in a fresh process of its own."""

import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..errors import EncoderError
from .registry import get_encoder

_WARM_UP = 8  # texts that are encoded first: loading the weights is not encoding


@dataclass(frozen=True)
class EncodingCost:
    """Measured on this machine's processor.

    Attributes:
        texts_per_second: without the time to load the weights.
        loading_seconds: until the first ``_WARM_UP`` texts are encoded, imports and weights included.
        memory_mib: growth of the process's peak memory by imports, weights and encoding.
    """

    texts_per_second: float
    loading_seconds: float
    memory_mib: float


def encoding_cost(encoder: str, texts: Sequence[str], threads: int = 1) -> EncodingCost:
    """Encode the texts in a fresh process.

    Args:
        encoder: a registered name; its weights should have been fetched before, or fetching is measured too.
        texts: some hundred, so that loading does not hide encoding.
        threads: processor threads that PyTorch may use.

    Raises:
        EncoderError: too few texts.
    """
    if len(texts) < 2 * _WARM_UP:
        raise EncoderError(f"{len(texts)} texts are too few to measure {encoder} on; give at least {2 * _WARM_UP}.")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (encoder, list(texts), threads))


def _measure(name: str, texts: list[str], threads: int) -> EncodingCost:
    torch.set_num_threads(threads)
    encoder, device, before = get_encoder(name, "text"), torch.device("cpu"), _peak_mib()
    seconds = []
    for part in (texts[:_WARM_UP], texts[:_WARM_UP], texts):  # the second time, everything is imported
        start = time.perf_counter()
        encoder.encode(part, device)
        seconds.append(time.perf_counter() - start)
    encoding = max(seconds[2] - seconds[1], 1e-9)  # both load the weights
    return EncodingCost((len(texts) - _WARM_UP) / encoding, seconds[0], _peak_mib() - before)


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes there, KiB elsewhere
