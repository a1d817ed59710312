"""``make audit``: one notebook on one catalogue, then its report; and predictions from its
folder."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from ..datasets import _NAMES, CONTENTS, load_dataset, split_view
from ..errors import BonmfError, ConfigError, unknown_name
from ..report.html import escaped_markdown
from ..runs.manifest import write_manifest
from ..runs.profiles import check_folder, check_for_notebooks, read_profile, run_folder
from ..storage import project_root, write_text
from . import remarks
from .hand_on import load
from .words import called

NOTEBOOK, PROFILE = "15_your_catalogue", "tiny"
STUDY, PUBLISHED = "13_report", "published.html"  # the page of the published records
ONLY_IN_THE_NOTEBOOK = "notebook-only"  # tag of cells that a report leaves out


@dataclass(frozen=True)
class Asked:
    """What is audited, and where to: a data set by name (``folder:<absolute path>`` for one's own),
    what its items carry, the seed that deals its folds or draws, and the run folder."""

    dataset: str
    content: str
    seed: int
    folder: Path


def asked(data: str, out: str | None = None, content: str | None = None, seed: int = 0) -> Asked:
    """Check what ``make audit`` was asked for.

    Args:
        data: path of a folder, or a known name; ``+core5`` and ``+from4`` may stand behind both.
        out: the run folder; by default one beside those of the pipeline, for each seed its own.

    Raises:
        ConfigError: neither a folder nor a known name, another content, no seed, or a run folder
            that cannot be written to or has a brace or a line break.
    """
    if not data.strip():
        raise ConfigError("make audit needs DATA=<folder>, for instance DATA=my_data.")
    content = content or "full"
    if content not in CONTENTS:
        raise ConfigError(unknown_name("content", content, CONTENTS))
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed must be a whole number from 0 below 2^32, got {seed}.")
    dataset = _data_set(data)
    folder = Path(out) if out else _folder(dataset, content, seed)
    folder = check_folder(folder.absolute(), f"OUT ({folder})")
    check_for_notebooks(folder, "an audit cannot; name another folder as OUT")
    return Asked(dataset, content, seed, folder)


def _folder(dataset: str, content: str, seed: int) -> Path:
    folder = run_folder("audit", read_profile(PROFILE), dataset, content)
    return folder.with_name(f"{folder.name}-seed{seed}") if seed else folder


def _data_set(data: str) -> str:
    whole, *_ = split_view(data)
    view = data.removeprefix(whole)
    path = whole.removeprefix("folder:")
    if path == whole and whole in _NAMES:
        return data
    if "\0" in path or not os.path.isdir(path):  # noqa: PTH112 - False, too, for a long name
        known = ", ".join(name for name in _NAMES if not name.startswith("folder:"))
        raise ConfigError(
            f"{data!r} is neither a folder nor a known data set; give the path of a folder with "
            f"ratings.csv and items.csv, or one of {known}."
        )
    return f"folder:{Path(path).resolve()}{view}"


def audit(wanted: Asked) -> Path:
    """Execute the notebook on the data and write the report; what was trained before is not trained
    again. The report's path.

    Raises:
        BonmfError: the data cannot be loaded (before anything is trained), or the notebook or the
            report failed.
    """
    with remarks.kept() as said:
        dataset = load_dataset(wanted.dataset, wanted.content)
    for one in [*remarks.made_of(dataset), *said]:
        print(f"note: {one}", file=sys.stderr)
    root, folder, name = project_root(), wanted.folder, called(dataset)
    executed, logs = folder / "notebooks" / f"{NOTEBOOK}.ipynb", folder / "logs"
    for place in (executed.parent, logs):
        place.mkdir(parents=True, exist_ok=True)
    given = {
        "profile": PROFILE,
        "dataset": wanted.dataset,
        "content": wanted.content,
        "seeds": f"[{wanted.seed}]",
        "run_dir": str(folder),
    }
    command = [sys.executable, "papermill_runs/execute.py"]  # from the root, whatever its name
    command += [f"notebooks/{NOTEBOOK}.ipynb", executed]
    command += ["--place", f"Audit of {name}", "--log", logs / f"{NOTEBOOK}.log"]
    for parameter in given.items():
        command += ["--parameter", *parameter]
    _run(command, root, f"The audit of {name} is not finished; the same command goes on.")
    _entitle(executed, f"{name}: what are its texts and pictures worth?")
    study = (root / "notebooks" / f"{STUDY}.ipynb").read_text(encoding="utf-8")
    _page(root, study, folder / PUBLISHED, logs)
    report = _page(root, _for_a_report(executed), folder / "report.html", logs)
    write_manifest(folder)
    return report


def _run(command: list, root: Path, failed: str) -> None:
    cores = str(os.cpu_count() or 1)
    defaults = {"OMP_NUM_THREADS": cores, "BONMF_WORKERS": cores, "PYTHONPATH": str(root)}
    if subprocess.run([*map(str, command)], cwd=root, env=defaults | os.environ).returncode:
        raise BonmfError(failed)


def _entitle(executed: Path, title: str) -> None:
    """Let the notebook's title name the data, whatever characters its name has."""
    notebook = nbformat.read(executed, as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    _, _, rest = first.source.partition("\n")
    first.source = f"# {escaped_markdown(title)}\n{rest}"
    write_text(executed, nbformat.writes(notebook) + "\n")


def _for_a_report(executed: Path) -> str:
    """The notebook, and at its end a link to the page of the published records."""
    notebook = nbformat.read(executed, as_version=4)
    link = "The same questions, asked of published data in long runs, are answered in "
    link += f"[{PUBLISHED}]({PUBLISHED})."
    notebook.cells.append(nbformat.v4.new_markdown_cell(f"## Published data\n\n{link}"))
    return nbformat.writes(notebook)


def _page(root: Path, notebook: str, page: Path, logs: Path) -> Path:
    """Write a notebook's text as a page."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--no-input", "--stdin"]
    command += ["--template", root / "papermill_runs/template"]
    command += ["--TagRemovePreprocessor.enabled=True"]
    command += [f"--TagRemovePreprocessor.remove_cell_tags={ONLY_IN_THE_NOTEBOOK}"]
    command += ["--output-dir", page.parent, "--output", page.name]
    log = logs / f"{page.stem}.log"
    with log.open("w", encoding="utf-8") as said:
        done = subprocess.run(
            [*map(str, command)], input=notebook.encode(), cwd=root, stdout=said, stderr=said
        )
    if done.returncode:
        raise BonmfError(f"{page.name} could not be written; {log} says why.")
    return page


def predicted(run_dir: Path, user: str, items: list[str] | None, top: int) -> pd.DataFrame:
    """What the model of an audit says of a user: scores of the items, in the order given, or the
    ``top`` that the user has not rated; nothing is trained. Columns item, title, score.

    Raises:
        ConfigError: no audit's folder, an unknown user or item, or a bad ``top``.
    """
    if top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}.")
    handed = load(run_dir)
    place = np.array([handed.user(user)])
    if items:
        chosen = np.array([handed.item(item) for item in items])
        scores = handed.scored(place)[0, chosen]
    else:
        best, found = handed.best(place, top)
        chosen, scores = best[0][best[0] >= 0], found[0][best[0] >= 0]
    return handed.items.iloc[chosen].assign(score=scores).reset_index(drop=True)
