"""What a run was made of: code, lock, data, encoders, device and time per notebook."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import torch

from ..errors import RecordError
from ..integrity import read_json, write_json
from ..storage import file_sha256, project_root, write_text
from .records import (
    MANIFEST,
    RECORDS,
    code_version,
    file_note,
    gathered,
    read_records,
    unfinished_runs,
)

_PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
)


def write_manifest(run_dir: Path) -> None:
    """Write ``manifest.json`` and the gathered ``records.csv`` into a run folder.

    Raises:
        RecordError: the run has no records.
    """
    records = read_records(run_dir)
    if records.empty:
        raise RecordError(f"{run_dir} holds no records; run the notebooks first.")
    text = gathered(records)
    write_text(run_dir / RECORDS, text)
    save_manifest(
        run_dir, manifest(run_dir, records) | {"files": {RECORDS: file_note(text.encode())}}
    )


def save_manifest(folder: Path, noted: dict) -> None:
    """Write a manifest, keys in alphabetical order."""
    write_json(folder / MANIFEST, json.loads(json.dumps(noted, sort_keys=True)))


def manifest(run_dir: Path, records: pd.DataFrame) -> dict:
    """The manifest as plain values."""
    root = project_root()
    data = records[["dataset", "content", "fingerprint"]].drop_duplicates()
    return {
        "code": {
            "written_at_commit": _git(root),
            "written_by_library": code_version(),
            "libraries_behind_records": sorted(records["code"].unique()),
        },
        "lock_sha256": file_sha256(root / "requirements.lock"),
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "device": sorted(records["device"].unique()),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "data": data.to_dict(orient="records"),
        "encoders": _encoders(run_dir, set(records["experiment"])),
        "records": len(records),
        "unfinished_runs": unfinished_runs(run_dir).to_dict(),
        "training_seconds": round(
            float(records.drop_duplicates(["config", "seed"])["seconds"].sum()), 1
        ),
        "notebook_seconds": _notebook_seconds(run_dir),
    }


def _git(root: Path) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else "not a git checkout"


def _encoders(run_dir: Path, experiments: set[str]) -> list[dict]:
    """The encoders that the experiments noted, each once."""
    paths = sorted(
        path
        for path in (run_dir / "encoders").glob("*.json")
        if path.stem.split("--")[0] in experiments
    )
    notes = [note for path in paths for note in read_json(path)["encoders"]]
    return list({note["key"]: note for note in notes}.values())


def _notebook_seconds(run_dir: Path) -> dict[str, float]:
    """Wall time per executed notebook, as papermill noted it."""
    out = {}
    for path in sorted((run_dir / "notebooks").glob("*.ipynb")):
        try:
            noted = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("papermill", {})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{path} is no whole notebook; delete it and run again.") from error
        if noted.get("duration") is not None:
            out[path.stem] = round(noted["duration"], 1)
    return out
