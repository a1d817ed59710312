"""Independent trainings side by side: as many worker processes as ``BONMF_WORKERS`` says, one thread each.

Small networks gain more from a second process than from a second thread. On a GPU, work stays in one process.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config

from .device import pick_device
from .errors import ConfigError


def workers() -> int:
    """How many processes to use; 1 = this one."""
    given = os.environ.get("BONMF_WORKERS", "1")
    if not given.isdigit() or int(given) < 1:
        raise ConfigError(f"BONMF_WORKERS must be a whole number from 1, got {given!r}.")
    return 1 if pick_device().type != "cpu" else int(given)


def in_parallel(function: Callable[..., Any], jobs: Sequence[tuple]) -> Iterator[Any]:
    """``function(*job)`` of every job, in order; in this process with one worker.

    With several, function and jobs are pickled, and a worker's error is raised here.
    """
    count = min(workers(), len(jobs))
    if count <= 1:
        yield from (function(*job) for job in jobs)
        return
    with parallel_config("loky", n_jobs=count, inner_max_num_threads=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped")  # replaced when its memory has grown, nothing is lost
        yield from Parallel(return_as="generator")(delayed(_quietly)(function, job) for job in jobs)


def _quietly(function: Callable[..., Any], job: tuple) -> Any:
    os.environ["BONMF_PROGRESS"] = "off"  # the parent shows how far all of them are
    return function(*job)
