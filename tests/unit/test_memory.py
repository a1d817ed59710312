"""Freed memory that stays with the process: values stay, and pages are asked for once."""

import platform
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from bonmf_lib.memory import freed_memory_kept

BLOCK = 96 * 2**20  # bytes, above what glibc ever keeps by itself
PAGES = BLOCK // resource.getpagesize()
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")


def new_pages() -> int:
    """How many pages the kernel hands out for a block."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(BLOCK // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@glibc
def test_freed_memory_is_handed_out_again_inside_and_returned_after():
    before = _resident()
    with freed_memory_kept():
        # an aligned block needs a little more than its size: only a few freed ones together fit it
        asked = [new_pages() for _ in range(40)]
        assert sum(asked[-10:]) < PAGES / 10
        assert _resident() - before > BLOCK * 0.9
    assert _resident() - before < BLOCK / 10


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


@glibc
def test_it_lasts_until_the_outermost_ends():
    before = _resident()
    with freed_memory_kept():
        with freed_memory_kept():
            torch.ones(BLOCK // 4)
        assert _resident() - before > BLOCK * 0.9
    assert _resident() - before < BLOCK / 10


@glibc
def test_an_error_inside_ends_it():
    before = _resident()
    with pytest.raises(ZeroDivisionError), freed_memory_kept():
        torch.ones(BLOCK // 4)
        1 / 0  # noqa: B018
    assert _resident() - before < BLOCK / 10


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("loaded"))
    with freed_memory_kept():
        assert torch.ones(3).sum() == 3


def gradient(rows: int = BLOCK // 256) -> np.ndarray:
    """Of a table as large as a block, through arrays as large."""
    table = torch.randn(rows, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (table * table.roll(1, 0)).sum(1).square().mean().backward()
    return table.grad.numpy()


def test_values_do_not_depend_on_it():
    expected = gradient()
    with freed_memory_kept():
        for _ in range(3):
            np.testing.assert_array_equal(gradient(), expected)
