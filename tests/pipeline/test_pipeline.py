"""The whole pipeline on the smoke profile: report, manifest, resume after kill -9, nothing repeated
or left behind; and `make` with values that must not reach a shell."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT, end, processes_marked, wait_until

pytestmark = pytest.mark.timeout(3600)
LOCKS = ("requirements.lock", "requirements-source.lock")
MEASURED = ["experiment", "variant", "protocol", "config", "seed", "metric", "value"]


def snakemake(runs, *targets, config=("content=",), **surroundings) -> subprocess.Popen:
    command = [
        "snakemake",
        "--snakefile",
        "papermill_runs/Snakefile",
        "--cores",
        "1",
        "--rerun-incomplete",
    ]
    command += ["--nolock", "--quiet", "all", "--config", "profile=smoke", *config, *targets]
    environment = os.environ | {"BONMF_RUNS": str(runs), "PYTHONWARNINGS": "ignore"} | surroundings
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process) -> str:
    try:
        output, _ = process.communicate(timeout=3000)
    finally:
        if process.poll() is None:  # it took too long, and would go on behind the other tests
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
    return output


def measured(runs) -> pd.DataFrame:
    files = sorted((runs / "smoke" / "records").rglob("*.csv"))
    # the first line is a checksum; a hash of digits alone is no number
    tables = [pd.read_csv(file, skiprows=1, dtype={"config": "str"}) for file in files]
    return pd.concat(tables)[MEASURED].sort_values(MEASURED[:-1], ignore_index=True)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """In a folder whose name a shell, Snakemake and YAML would each read as something else."""
    runs = tmp_path_factory.mktemp("runs") / "my runs; touch x 'y' $HOME"
    return runs, finish(snakemake(runs))


@pytest.mark.case(
    "hostile",
    "run folders below a path with spaces, quotes, `;` and `$`",
    "taken as the name that it is",
)
def test_run_leaves_report_manifest_and_executed_notebooks(whole_run):
    runs, output = whole_run
    report = (runs / "smoke" / "report.html").read_text(encoding="utf-8")
    assert "what was claimed, what was measured" in report
    assert "User + item bias" in report
    assert "Traceback" not in report and "<script" not in report
    manifest = json.loads((runs / "smoke" / "manifest.json").read_text())
    executed = {path.stem for path in (runs / "smoke" / "notebooks").glob("*.ipynb")}
    assert (
        executed
        == set(manifest["notebook_seconds"])
        == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    )
    # without ", N components"
    encoders = {note["encoder"].partition(",")[0] for note in manifest["encoders"]}
    assert encoders == {
        "tfidf/mean",
        "pixels/mean",
        "colours/mean",
        "random-text/mean",
        "random-image/mean",
    }
    assert manifest["records"] == len(measured(runs))
    assert [path.name for path in runs.parent.iterdir()] == [runs.name]
    assert f"Report: {runs}/smoke/report.html" in output


def test_progress_names_notebook_and_epoch(whole_run):
    _, output = whole_run
    assert "03_model_training starts" in output
    assert "epoch: 0/" in output
    assert "to go" in output


def test_second_run_does_nothing(whole_run):
    runs, _ = whole_run
    before = (runs / "smoke" / "report.html").stat().st_mtime_ns
    assert "starts" not in finish(snakemake(runs))
    assert (runs / "smoke" / "report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("workers", "kill"),
    [
        pytest.param(
            "1",
            lambda pipeline: os.killpg(pipeline.pid, signal.SIGKILL),
            id="all-of-it",
            marks=pytest.mark.case(
                "processes",
                "kill -9 a run, and give the same command again",
                "it ends with the records of a run that was not killed, and repeats none",
            ),
        ),
        pytest.param(
            "2",
            lambda pipeline: pipeline.kill(),
            id="its-engine-only",
            marks=pytest.mark.case(
                "processes",
                "kill -9 only the engine of a run with two workers",
                (
                    "papermill, kernel, workers, fork server and tracker leave within seconds; "
                    "the records as above"
                ),
            ),
        ),
    ],
)
def test_killed_run_leaves_nothing_behind_goes_on_and_ends_with_the_same_records(
    whole_run, tmp_path, workers, kill
):
    target = f"{tmp_path}/smoke/notebooks/03_model_training.ipynb"
    process = snakemake(tmp_path, "--", target, BONMF_WORKERS=workers)
    records = tmp_path / "smoke" / "records"
    deadline = time.monotonic() + 300
    while len(list(records.rglob("*.csv"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.005)
    kill(process)
    process.wait()
    process.stdout.close()
    if Path("/proc").is_dir():
        left = f"BONMF_RUNS={tmp_path}"
        assert wait_until(lambda: not processes_marked(left), 60), end(processes_marked(left))
    else:
        time.sleep(3)  # the notebook's kernel notices its parent's death within a second
    survived = {path.name: path.stat().st_mtime_ns for path in records.rglob("*.csv")}
    finish(snakemake(tmp_path, "--", target, BONMF_WORKERS=workers))
    expected = (
        measured(whole_run[0]).query("experiment.str.startswith('03_')").reset_index(drop=True)
    )
    pd.testing.assert_frame_equal(measured(tmp_path), expected)
    assert 2 <= len(survived) < len(list(records.rglob("*.csv")))
    for name, written in survived.items():  # what was finished was not run again
        assert next(records.rglob(name)).stat().st_mtime_ns == written


@pytest.mark.case(
    "data",
    "make reproduce DATASET=folder:path, the path relative and with a space",
    "that folder is given to every notebook, as an absolute path and with full content",
)
def test_a_folder_of_ones_own_is_given_to_the_notebooks(tmp_path):
    (tmp_path / "my data").mkdir()
    relative = os.path.relpath(tmp_path / "my data", ROOT)
    arguments = (f"dataset=folder:{relative}", "--dry-run", "--printshellcmds", "--quiet", "host")
    shown = finish(snakemake(tmp_path, config=arguments))
    given = [line.strip() for line in shown.splitlines() if "--parameter dataset" in line]
    assert len(given) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    assert all(
        f"--parameter dataset 'folder:{tmp_path / 'my data'}' --parameter content full" in line
        for line in given
    )


def test_a_notebook_that_fails_is_named_with_the_end_of_its_log(tmp_path):
    command = [
        sys.executable,
        "papermill_runs/execute.py",
        str(ROOT / "notebooks/01_data_prep.ipynb"),
    ]
    command += [
        str(tmp_path / "out.ipynb"),
        "--place",
        "[2/10] 01",
        "--log",
        str(tmp_path / "01.log"),
    ]
    command += ["--parameter", "profile", "nope", "--parameter", "run_dir", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    first, second, *_, last = done.stderr.splitlines()
    assert done.returncode == 1 and not done.stdout
    assert (first, second) == (
        "[2/10] 01 starts",
        f"[2/10] 01 failed; the end of {tmp_path / '01.log'}:",
    )
    assert last == "ConfigError: Unknown profile 'nope'. Known: paper, quick, smoke, tiny."


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What `make` needs, in a folder with a space, on today's environment."""
    folder = tmp_path_factory.mktemp("checkout") / "my folder"
    for name in ("papermill_runs/profiles", ".venv"):
        (folder / name).mkdir(parents=True)
    for name in ("Makefile", "papermill_runs/Snakefile", "papermill_runs/execute.py", *LOCKS):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "papermill_runs/profiles", folder / "papermill_runs/profiles", dirs_exist_ok=True
    )
    (folder / "bonmf_lib").symlink_to(ROOT / "bonmf_lib")
    for name in ("bin", "lib", "pyvenv.cfg"):
        if (Path(sys.prefix) / name).exists():
            (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
    (folder / ".venv/ready").touch()
    return folder


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["reproduce", "CONTENT=';touch x'"],
            "error: Unknown content ';touch x'. Known: full, packaged.",
            marks=pytest.mark.case(
                "hostile",
                "make reproduce CONTENT=';touch x', or $(shell ...) or `...`",
                "one sentence, and nothing is run",
            ),
        ),
        (
            ["reproduce", "PROFILE=$(shell touch x)`touch x`"],
            "Unknown profile '$(shell touch x)`touch x`'.",
        ),
        (["reproduce", 'DATASET=folder:";touch x;"'], "is not a folder"),
        (["reproduce", "JOBS=1;touch x"], "must be integer or 'all'"),
        (["reproduce", "JOBS=0"], "must be a whole number from 1, got 0."),
        pytest.param(
            ["reproduce", "PROFILE=nope"],
            "error: Unknown profile 'nope'. Known: paper, quick, smoke, tiny.",
            marks=pytest.mark.case(
                "parameters", "make reproduce PROFILE=nope", "one sentence, where nothing was said"
            ),
        ),
        (["publish", "PROFILE=../../x"], "error: Unknown profile '../../x'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_make_says_one_sentence_and_runs_nothing_of_a_bad_value(checkout, arguments, message):
    # a make that runs these tests hands itself down
    outer = (
        "BONMF_RUNS",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
    )
    surroundings = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(
        ["make", "PYTHON=false", *arguments],
        cwd=checkout,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = [
        line for line in done.stderr.splitlines() if not line.startswith(("make", "Not finished"))
    ]
    assert done.returncode and message in done.stderr and len(said) == 1 and not done.stdout, (
        done.stdout,
        done.stderr,
    )
    assert not [
        path
        for path in checkout.rglob("x")
        if ".venv" not in path.parts and "bonmf_lib" not in path.parts
    ]
