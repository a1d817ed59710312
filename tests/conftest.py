"""Shared fixtures: small planted data with its features, quiet progress, the mirror marker."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

from bonmf_lib.datasets import Dataset, load_planted
from bonmf_lib.encoders import encode_items
from bonmf_lib.models import Interactions, ModelInputs, item_fields, user_fields
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.splits.split import Split

os.environ.setdefault("BONMF_PROGRESS", "off")
ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device("cpu")


# begun first, so that no worker ends long after the others
_LONG = (
    ROOT / "notebooks",
    ROOT / "tests/pipeline",
)


class ByFile(LoadScopeScheduling):
    """Each file is one worker's work; all notebooks are, since later ones read what earlier ones
    recorded."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "notebooks" if file.endswith(".ipynb") else file


def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    items.sort(
        key=lambda item: next(
            (place for place, folder in enumerate(_LONG) if folder in item.path.parents), 9
        )
    )
    if os.environ.get("BONMF_MIRROR"):
        return
    skip = pytest.mark.skip(reason="needs real posters and plots (BONMF_MIRROR)")
    for item in items:
        if "mirror" in item.keywords:
            item.add_marker(skip)


def other_library(name: str) -> ModuleType:
    """A library that only tests compare with: the test is skipped without it, but under ``make
    oracles``, where it must be there."""
    return import_module(name) if os.environ.get("ORACLES") else pytest.importorskip(name)


@pytest.fixture
def several_threads() -> Iterator[None]:
    """At least two threads for PyTorch; afterwards as many as before, whatever happens."""
    usual = torch.get_num_threads()
    torch.set_num_threads(max(2, usual))
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="session")
def planted() -> Dataset:
    return load_planted(n_users=200, n_items=100, ratings_per_user=40)[0]


@pytest.fixture(scope="session")
def split(planted) -> Split:
    return Ratio().split(planted, 0, valid=0.1)


def model_inputs(
    dataset: Dataset, split: Split, text_encoder: str, image_encoder: str
) -> ModelInputs:
    """Everything a model may look at, from the training ratings only."""
    train = dataset.ratings.iloc[split.train]
    return ModelInputs(
        dataset.n_users,
        dataset.n_items,
        mean_rating=float(train["rating"].mean()),
        text=encode_items(dataset, "text", text_encoder),
        image=encode_items(dataset, "image", image_encoder),
        user_fields=user_fields(dataset),
        item_fields=item_fields(dataset),
        interactions=Interactions(*(train[name].to_numpy() for name in ("user", "item", "rating"))),
    )


@pytest.fixture(scope="session")
def inputs(planted, split) -> ModelInputs:
    return model_inputs(planted, split, "tfidf", "pixels")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own for one test."""
    monkeypatch.setenv("BONMF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def processes_marked(marker: str) -> dict[int, str]:
    """Living processes (number -> command line) whose environment has the given ``NAME=value``,
    this one aside."""
    if not Path("/proc/self/environ").is_file():
        pytest.skip("needs /proc to look for processes that were left behind")
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (
                    (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
                )
        except OSError:  # another user's, or gone meanwhile
            continue
    found.pop(os.getpid(), None)
    return found


def end(processes: dict[int, str]) -> dict[int, str]:
    """Kill what a failing test found left behind, and hand it on for the message."""
    for number in processes:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return processes


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds, at most so long; whether it did."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
