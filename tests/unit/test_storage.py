"""Files and folders written in one step: races, crashes, full disks, permissions."""

import multiprocessing
import os
import stat
import subprocess
import sys
import time

import pytest

from bonmf_lib import storage
from bonmf_lib.errors import SourceError
from bonmf_lib.experiments.protocols import closed_form
from bonmf_lib.models.rating.bias import UserItemBiasConfig
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.storage import atomic_dir, atomic_path, is_whole, keep_text, write_bytes, write_text


def write_folders(target, rounds, start, failures):
    start.wait()
    for number in range(rounds):
        try:
            with atomic_dir(target / str(number)) as temporary:
                (temporary / "a.txt").write_text("a")
                (temporary / "b.txt").write_text("b")
        except Exception as error:
            failures.put(repr(error))


@pytest.mark.case(
    "processes",
    "four writers of one folder at once, whole or damaged before",
    "one wins, none fails",
)
@pytest.mark.parametrize("damaged", [False, True], ids=["new", "damaged before"])
def test_writers_of_one_folder_do_not_disturb_each_other(tmp_path, damaged):
    rounds = 100
    for number in range(rounds if damaged else 0):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "left.txt").write_text("half of it")
    context = multiprocessing.get_context("fork")
    start, failures = context.Event(), context.Queue()
    writers = [
        context.Process(target=write_folders, args=(tmp_path, rounds, start, failures))
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join()
    assert failures.empty(), failures.get()
    assert all(is_whole(tmp_path / str(number)) for number in range(rounds))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.case(
    "processes",
    "half-written files that a crash left",
    "removed at the next write once they are old",
)
def test_litter_of_crashes_is_swept(tmp_path):
    old, young = tmp_path / ".a.csv.0123.part", tmp_path / ".b.csv.0123.part"
    folder = tmp_path / ".c.0123.part"
    folder.mkdir()
    for path in (old, young, folder / "half.txt"):
        path.write_text("half")
    for path in (old, folder):
        os.utime(path, (time.time() - 2 * 3600,) * 2)
    write_text(tmp_path / "d.txt", "d")
    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name, "d.txt"]


@pytest.mark.case(
    "processes", "a power loss while a file is written", "its bytes are on the disk before its name"
)
def test_bytes_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    events, target = [], tmp_path / "a.txt"
    original = os.fsync

    def fsync(handle):
        events.append((stat.S_ISDIR(os.fstat(handle).st_mode), target.exists()))
        original(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(target, "a")
    assert events == [(False, False), (True, True)]  # the file, then (renamed) its folder


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_files_have_the_permissions_that_the_user_wants(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "a")
        with atomic_dir(tmp_path / "folder") as temporary:
            (temporary / "b.txt").write_text("b")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == (0o777 & ~umask)


def test_what_fails_inside_leaves_nothing(tmp_path):
    for make in (atomic_path, atomic_dir):
        with pytest.raises(ValueError, match="inside"), make(tmp_path / "a"):
            raise ValueError("inside")
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_place_of_a_folder_is_replaced(tmp_path):
    (tmp_path / "a").write_text("no folder")
    with atomic_dir(tmp_path / "a") as temporary:
        (temporary / "b.txt").write_text("b")
    assert is_whole(tmp_path / "a")


FILLED = """
import resource, sys
from bonmf_lib.experiments.protocols import fixed_epochs
from bonmf_lib.errors import BonmfError
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.runs.run import NotebookParameters, Run

run = Run(NotebookParameters(profile="smoke", run_dir=sys.argv[1]))
row = fixed_epochs(run, "BoNMF", "bonmf", BoNMFConfig())
row.features(run, "text"), row.features(run, "image")
# no file may grow beyond, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    run_variants(run, "one", [row], seeds=(0,))
except BonmfError as error:
    print(f"one sentence: {error}")
"""


@pytest.mark.case(
    "processes", "a disk that fills while a run trains", "one sentence, and the next run goes on"
)
def test_a_full_disk_gives_one_sentence(tmp_path):
    environment = os.environ | {"BONMF_WORKERS": "1"}
    command = [sys.executable, "-c", FILLED, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "one sentence: Writing" in done.stdout and "free some space" in done.stdout
    assert not list((tmp_path / "run").rglob("*.part"))


@pytest.mark.case(
    "processes",
    "a finished run in a folder that cannot be written",
    "its records can be read as ever",
)
def test_a_finished_run_is_read_where_nothing_can_be_written(tmp_path, monkeypatch):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))
    row = closed_form("User + item bias", "user-item-bias", UserItemBiasConfig())
    first = run_variants(run, "one", [row])

    def refused(target, durable=True):
        raise SourceError(f"Cannot write below {target.parent}: Read-only file system.")

    monkeypatch.setattr(storage, "atomic_path", refused)
    with pytest.raises(SourceError):
        write_bytes(tmp_path / "a", b"a")
    again = run_variants(run, "one", [row])
    assert again.equals(first)


def test_text_that_is_there_already_is_left_alone(tmp_path):
    keep_text(tmp_path / "a.txt", "a")
    before = (tmp_path / "a.txt").stat().st_ino
    keep_text(tmp_path / "a.txt", "a")
    assert (tmp_path / "a.txt").stat().st_ino == before
    keep_text(tmp_path / "a.txt", "b")
    assert (tmp_path / "a.txt").read_text() == "b"
