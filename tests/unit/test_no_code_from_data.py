"""Data are never code: nothing is unpickled or evaluated, and what titles say is shown, not run."""

import ast

import pandas as pd
import pytest

from bonmf_lib.report import tables
from tests.conftest import ROOT
from tests.unit.made_records import record

SOURCES = [*(ROOT / "bonmf_lib").rglob("*.py"), *(ROOT / "papermill_runs").glob("*.py")]
RUN_DATA = {"eval", "exec", "compile", "__import__"}
UNPICKLE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def offences(source: str) -> list[str]:
    """Lines that could run what a file holds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
            found += [name for name in names if name.partition(".")[0] in UNPICKLE]
        if isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {word.arg: word.value for word in node.keywords}
            safe = ast.unparse(given.get("weights_only", ast.Constant(False))) == "True"
            found += [called] if called in RUN_DATA or (called == "torch.load" and not safe) else []
            found += (
                [called]
                if called in ("pd.read_pickle", "yaml.unsafe_load", "yaml.full_load")
                else []
            )
            found += [called] if "allow_pickle" in given else []
            if called == "yaml.load" and "SafeLoader" not in source:
                found.append(called)
    return found


@pytest.mark.case(
    "hostile",
    "pickled or executable content in any file that is read",
    "nothing is unpickled or run",
)
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_is_read_is_unpickled_or_run(path):
    assert not offences(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from joblib import load", "eval(x)", "torch.load(p)",
     "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)",
     "yaml.load(t, yaml.Loader)", "pd.read_pickle(p)"],
)  # fmt: skip
def test_what_could_run_data_is_noticed(source):
    assert offences(source)


@pytest.mark.case(
    "hostile",
    "titles and names that hold HTML or scripts",
    "shown as text in notebooks and the report",
)
def test_names_with_scripts_are_shown_as_text():
    name = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    rows = pd.DataFrame([vars(record(name, seed)) for seed in (0, 1)])
    shown = tables.metric_table(rows, {"mse": "MSE"})._repr_html_()
    assert "<script>" not in shown and "<img" not in shown and "&lt;script&gt;" in shown
