"""Notebooks on data that are ratings and titles only: those in which most is left out."""

import json

import papermill
import pytest

from tests.conftest import ROOT
from tests.unit.test_absent import folder_of

pytestmark = pytest.mark.timeout(2400)
NOTEBOOKS = (
    "02_embedding_extraction",
    "04_table1",
    "04_table1_forensics",
    "04_table1_second_reading",
    "05_ablations",
    "07_visual_fusion",
    "09_cold_start",
    "14_explore",
)


def printed(path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join(
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for output in outputs
    )


@pytest.mark.case(
    "data",
    "notebooks on ratings and titles only",
    "they end without error and say what is left out",
)
def test_notebooks_run_and_say_what_they_leave_out(tmp_path, monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "1")
    given = {
        "profile": "smoke",
        "dataset": folder_of(tmp_path, frozenset()),
        "run_dir": str(tmp_path / "run"),
    }
    said = {}
    for name in NOTEBOOKS:
        out = tmp_path / f"{name}.ipynb"
        source = ROOT / "notebooks" / f"{name}.ipynb"
        papermill.execute_notebook(
            source, out, given | {"seeds": [0]}, kernel_name="python3", progress_bar=False
        )
        said[name] = printed(out)
    for name in ("02_embedding_extraction", "04_table1", "05_ablations"):
        assert "o toy of toys has a photo" in said[name], name
    assert "no toy has a photo: what follows in this notebook" in said["07_visual_fusion"]
    assert "nothing is known of the users of toys" in said["05_ablations"]
    assert "0 points" in said["04_table1_forensics"]
    explored = said.pop("14_explore")
    assert "nearest toys by text." in explored
    assert "Without text, " in explored and "Without picture" not in explored
    own = "".join(
        text for name, text in said.items() if "table1" not in name
    )  # those quote the paper
    assert not [word for word in ("movie", "poster", "film", "stars") if word in own]
