"""The whole pipeline on the smoke profile: report, manifest, resume after kill -9, nothing repeated."""

import json
import os
import signal
import subprocess
import time

import pandas as pd
import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(1800)
MEASURED = ["experiment", "variant", "protocol", "config", "seed", "metric", "value"]


def snakemake(runs, *targets) -> subprocess.Popen:
    command = ["snakemake", "--snakefile", "papermill_runs/Snakefile", "--cores", "1", "--rerun-incomplete"]
    command += ["--nolock", "--quiet", "all", "--config", "profile=smoke", "content=", *targets]
    environment = os.environ | {"BONMF_RUNS": str(runs), "PYTHONWARNINGS": "ignore"}
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
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    return output


def measured(runs) -> pd.DataFrame:
    files = sorted((runs / "smoke" / "records").rglob("*.csv"))
    return pd.concat(map(pd.read_csv, files))[MEASURED].sort_values(MEASURED[:-1], ignore_index=True)


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return runs, finish(snakemake(runs))


def test_run_leaves_report_manifest_and_executed_notebooks(whole_run):
    runs, _ = whole_run
    report = (runs / "smoke" / "report.html").read_text(encoding="utf-8")
    assert "what was claimed, what was measured" in report
    assert "User + item bias" in report
    assert "Traceback" not in report
    manifest = json.loads((runs / "smoke" / "manifest.json").read_text())
    executed = {path.stem for path in (runs / "smoke" / "notebooks").glob("*.ipynb")}
    assert executed == set(manifest["notebook_seconds"]) == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    encoders = {note["encoder"].partition(",")[0] for note in manifest["encoders"]}  # without ", N components"
    assert encoders == {"tfidf/mean", "pixels/mean", "colours/mean", "random-text/mean", "random-image/mean"}
    assert manifest["records"] == len(measured(runs))


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


def test_killed_run_goes_on_and_ends_with_the_same_records(whole_run, tmp_path):
    target = f"{tmp_path}/smoke/notebooks/03_model_training.ipynb"
    process = snakemake(tmp_path, "--", target)
    records = tmp_path / "smoke" / "records"
    deadline = time.monotonic() + 300
    while len(list(records.rglob("*.csv"))) < 2 and time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    time.sleep(3)  # the notebook's kernel notices its parent's death within a second
    survived = {path.name: path.stat().st_mtime_ns for path in records.rglob("*.csv")}
    finish(snakemake(tmp_path, "--", target))
    expected = measured(whole_run[0]).query("experiment == '03_model_training'").reset_index(drop=True)
    pd.testing.assert_frame_equal(measured(tmp_path), expected)
    assert 2 <= len(survived) < len(list(records.rglob("*.csv")))
    for name, written in survived.items():  # what was finished was not run again
        assert next(records.rglob(name)).stat().st_mtime_ns == written
