"""Independent trainings side by side: as many worker processes as ``BONMF_WORKERS`` says, one
thread each.

Small networks gain more from a second process than from a second thread. On a GPU, work stays in
one process.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import Any

from .errors import ConfigError

# Workers are forked off one server that has loaded these, which takes seconds; PyTorch's first
# optimiser loads its compiler. This module itself loads nothing heavy, so that the server can start
# before everything else.
_LOADED_ONCE = ["bonmf_lib.studies.practices", "bonmf_lib.studies.overlap", "torch._dynamo"]
_MOST_WORKERS = 256  # each takes 0.5 to 0.9 GB


def wanted_workers() -> int:
    """What ``BONMF_WORKERS`` asks for; 1 where it is unset or empty. ``ConfigError`` for another
    value."""
    given = os.environ.get("BONMF_WORKERS") or "1"
    if not (
        given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= _MOST_WORKERS
    ):
        raise ConfigError(
            f"BONMF_WORKERS must be a whole number from 1 to {_MOST_WORKERS}, got {given!r}."
        )
    return int(given)


def workers() -> int:
    """How many processes to use; 1 = this one."""
    wanted = wanted_workers()
    from .device import pick_device

    return 1 if pick_device().type != "cpu" else wanted


def prepare_workers() -> None:
    """Let the workers, if more than one is asked for, load the library in the background. A
    notebook that trains calls this first, and loads the library meanwhile itself."""
    if wanted_workers() > 1:
        loaded_context()
        forkserver.ensure_running()


def loaded_context() -> BaseContext:
    """Processes forked off the server;
    whoever starts it first, all of them have loaded the same."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED_ONCE)
    return context


def in_parallel(function: Callable[..., Any], jobs: Sequence[tuple]) -> Iterator[Any]:
    """``function(*job)`` of every job, in order; in this process with one worker.

    With several, function and jobs are pickled, and a worker's error is raised here.
    """
    count = min(workers(), len(jobs))
    if count <= 1:
        yield from (function(*job) for job in jobs)
        return
    yield from _pooled(function, jobs, count)


def in_own_processes(function: Callable[..., Any], jobs: Sequence[tuple]) -> Iterator[Any]:
    """Like :func:`in_parallel`, every job in a new process, one after the other: what a job leaves
    in memory is not there for the next."""
    yield from _pooled(function, jobs, 1, max_tasks_per_child=1)


def _pooled(
    function: Callable[..., Any], jobs: Sequence[tuple], count: int, **given: int
) -> Iterator[Any]:
    settings = {name: value for name, value in os.environ.items() if name.startswith("BONMF_")}
    pool = ProcessPoolExecutor(count, loaded_context(), _set_up, (settings,), **given)
    try:
        yield from pool.map(_call, repeat(function), jobs)
    finally:  # after an error or an interruption, jobs that run are not waited for
        pool.shutdown(wait=False, cancel_futures=True)


def _set_up(settings: dict[str, str]) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)
    for name in [name for name in os.environ if name.startswith("BONMF_")]:
        del os.environ[name]
    os.environ.update(settings, BONMF_PROGRESS="off")  # the parent shows how far all of them are


def _leave_with_parent() -> None:
    """End this worker when the process that asked for it is gone, killed for instance. The server
    that workers are forked off, and its tracker, end by themselves once no worker holds the other
    end of their pipes."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _call(function: Callable[..., Any], job: tuple) -> Any:
    return function(*job)
