"""Memory that a training asks for again and again, and the most that a process has taken."""

import ctypes
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# of glibc's mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_NEVER = -1
# what glibc's own thresholds rise to, and how many blocks it maps at most
_USUAL = {_MMAP_MAX: 65_536, _MMAP_THRESHOLD: 32 * 2**20, _TRIM_THRESHOLD: 64 * 2**20}
_depth = 0  # of blocks of code within one another that have it so


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Meanwhile this process keeps what it frees, large blocks too, and hands it out again.

    glibc returns a block above 32 MiB to the kernel as soon as it is freed, and gets the next one
    page by page, zeroed: most of a step's time where a batch's arrays are that large. No value
    changes. After the outermost of such blocks of code glibc's usual thresholds hold, whatever the
    environment had set. Without effect where the C library is another one.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    global _depth
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth:
            for name, value in _USUAL.items():
                libc.mallopt(name, value)
            libc.malloc_trim(0)


def peak_mib() -> float:
    """The most memory that this process has taken, MiB."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the process that this one was forked from
        text = status.read_text(encoding="ascii", errors="replace")
        if (found := re.search(r"VmHWM:\s+(\d+) kB", text)) is not None:
            return int(found[1]) / 1024
    import resource  # not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes there, KiB elsewhere
