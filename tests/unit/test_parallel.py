"""Worker processes: what reaches them, and in which order their results come back."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from threadpoolctl import threadpool_info

from bonmf_lib.errors import ConfigError
from bonmf_lib.parallel import _LOADED_ONCE, in_parallel, prepare_workers, workers
from tests.conftest import ROOT, end, processes_marked, wait_until


def late_if_first(place: int) -> int:
    time.sleep(0.2 if place == 0 else 0)
    return place


def surroundings(_: int) -> dict:
    pools = [pool["num_threads"] for pool in threadpool_info()] + [torch.get_num_threads()]
    return {"process": os.getpid(), "threads": max(pools)} | {
        k: v for k, v in os.environ.items() if "BONMF_" in k
    }


def loaded(_: int) -> set[str]:
    return set(sys.modules)


def only_even(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


@pytest.fixture(autouse=True)
def two_workers(monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "2")


def test_results_come_in_the_order_of_the_jobs():
    assert list(in_parallel(late_if_first, [(place,) for place in range(5)])) == list(range(5))


def test_workers_have_one_thread_and_todays_settings(monkeypatch):
    monkeypatch.setenv("BONMF_FRESH", "0")
    before = list(in_parallel(surroundings, [(0,), (1,)]))
    monkeypatch.delenv("BONMF_FRESH")
    # though the server that workers are forked off has started
    monkeypatch.setenv("BONMF_RUNS", "elsewhere")
    after = list(in_parallel(surroundings, [(0,), (1,)]))
    for found in before + after:
        assert (
            found["process"] != os.getpid()
            and found["threads"] == 1
            and found["BONMF_PROGRESS"] == "off"
        )
    assert {found["BONMF_FRESH"] for found in before} == {"0"}
    assert {found["BONMF_RUNS"] for found in after} == {"elsewhere"} and "BONMF_FRESH" not in after[
        0
    ]


def test_workers_have_loaded_what_takes_long():
    for modules in in_parallel(loaded, [(0,), (1,)]):
        # the server would pass over a name that does not exist
        assert modules.issuperset(_LOADED_ONCE)


def test_an_error_arrives_and_later_jobs_still_run():
    with pytest.raises(ValueError, match="1 is odd"):
        list(in_parallel(only_even, [(number,) for number in range(6)]))
    assert list(in_parallel(only_even, [(0,), (2,)])) == [0, 2]


def test_one_worker_is_this_process(monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "1")
    assert [found["process"] for found in in_parallel(surroundings, [(0,), (1,)])] == [
        os.getpid()
    ] * 2


@pytest.mark.parametrize("value", ["²", "0", "-1", " 2", "1.0", "two", "1000000", "9" * 40])
@pytest.mark.case(
    "parameters", "BONMF_WORKERS=² and the like", "one sentence that says which numbers it takes"
)
def test_a_number_of_workers_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("BONMF_WORKERS", value)
    for ask in (workers, prepare_workers):
        with pytest.raises(
            ConfigError, match="BONMF_WORKERS must be a whole number from 1 to 256, got"
        ):
            ask()


def test_an_empty_number_of_workers_is_none_given(monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "")
    assert workers() == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
@pytest.mark.case(
    "processes",
    "kill (-9 or TERM) the process whose workers are training",
    "workers, fork server and resource tracker leave within seconds",
)
def test_workers_leave_with_the_process_that_asked_for_them(tmp_path, how):
    marker = f"BONMF_MARK={tmp_path}"
    code = (
        "import time; from bonmf_lib import parallel; parallel._LOADED_ONCE.clear(); "
        "list(parallel.in_parallel(time.sleep, [(600,), (600,)]))"
    )
    surroundings = os.environ | dict([marker.split("=", 1)])
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=surroundings, stderr=subprocess.DEVNULL
    )
    try:  # it and two workers, their server and its tracker
        assert wait_until(lambda: len(processes_marked(marker)) == 5, 120)
    finally:
        parent.send_signal(how)
        parent.wait()
    assert wait_until(lambda: not processes_marked(marker), 30), end(processes_marked(marker))
