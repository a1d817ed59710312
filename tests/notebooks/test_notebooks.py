"""The committed notebooks: well-formed, clean, and strict about their parameters. nbval re-executes
them."""

import ast
import json
import os
import re
import runpy
import subprocess
import sys

import nbformat
import papermill
import pytest

from bonmf_lib.runs.run import NotebookParameters
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def test_there_are_notebooks_in_order():
    names = [path.stem for path in NOTEBOOKS]
    assert names[0] == "00_start_here"
    assert names[-3:] == ["13_report", "14_explore", "15_your_catalogue"]


REPORTS = "13_report", "14_explore", "15_your_catalogue"  # pages of their own kind
WITHOUT_ANSWER = "01_data_prep", "02_embedding_extraction"  # no claim is decided there
STUDIES = [path for path in NOTEBOOKS if path.stem not in REPORTS]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_answer_stands_under_the_title(path):
    cells = nbformat.read(path, as_version=4).cells
    if path.stem in WITHOUT_ANSWER:
        assert "No claim of the paper is decided here" in cells[0].source
        return
    assert f'answer_so_far("{path.stem}"' in cells[1].source
    shown = [output["data"].get("text/markdown", "") for output in cells[1].outputs]
    assert shown[0].startswith("**Answer so far**")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_parameters_and_imports_are_folded(path):
    """So that the first screen in JupyterLab is title, question and answer."""
    cells = code_cells(nbformat.read(path, as_version=4))
    opening = [
        cell
        for cell in cells
        if "parameters" in cell.metadata.get("tags", [])
        or re.search(r"answer_so_far\(|prepare_workers\(|start_run\(", cell.source)
    ]
    assert len(opening) >= 2
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in opening)


@pytest.mark.case(
    "parameters",
    "a notebook with folded cells is executed and taken over into `notebooks/`",
    "folds and tags stay, papermill's own cells, tags and metadata go",
)
def test_folds_stay_when_executed_notebooks_are_taken_over(tmp_path):
    make = nbformat.v4
    cells = [
        make.new_code_cell("print('answer')", metadata={"jupyter": {"source_hidden": True}}),
        make.new_code_cell(
            "size = 1", metadata={"tags": ["parameters"], "jupyter": {"source_hidden": True}}
        ),
        make.new_code_cell("print(size)"),
    ]
    source, executed = tmp_path / "source.ipynb", tmp_path / "01_executed.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(make.new_notebook(cells=cells, metadata={"kernelspec": kernel}), source)
    papermill.execute_notebook(source, executed, {"size": 2}, progress_bar=False)
    program = runpy.run_path(str(ROOT / "papermill_runs" / "take_over.py"))
    kept = program["clean"](nbformat.read(executed, as_version=4)).cells
    assert [dict(cell.metadata) for cell in kept] == [dict(cell.metadata) for cell in cells]
    assert [output.text for cell in kept for output in cell.outputs] == ["answer\n", "2\n"]


def test_the_parameters_cell_has_every_parameter(notebook):
    """Before it stands at most the answer, which reads none."""
    first = next(c for c in code_cells(notebook) if "answer_so_far(" not in c.source)
    assert first.metadata.get("tags") == ["parameters"]
    names = re.findall(r"^(\w+) = ", first.source, re.MULTILINE)
    assert names == list(NotebookParameters.__dataclass_fields__)


def test_opens_with_a_title_and_was_executed_without_noise(notebook):
    assert notebook.cells[0].source.startswith("# ")
    assert any(cell.outputs for cell in code_cells(notebook))
    for cell in code_cells(notebook):
        assert cell.execution_count is not None
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


def test_sentences_of_its_prose_have_at_most_25_words(notebook):
    """Formulas and addresses of links count as a word; rows of tables are no sentences."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            prose = re.sub(r"\$[^$]*\$", "x", re.sub(r"\]\([^)]*\)", "]", cell.source))
            lines = (line for line in prose.splitlines() if not line.startswith("|"))
            parts = (part for line in lines for part in re.split(r"(?<=[.:;!?])\s", line))
            assert not [part for part in parts if len(part.split()) > 25]


def test_is_small_and_tells_nothing_of_the_machine(notebook):
    text = json.dumps(notebook)
    assert len(text) < 1_500_000
    shown = [
        output.get("text", output.get("data", {}).get("text/html", ""))
        for output in outputs(notebook)
    ]
    assert not re.search(r"/(home|root|Users|tmp|work)/", json.dumps(shown))
    assert "papermill" not in notebook.metadata


TRAINS = [path for path in STUDIES if path.stem[:2] not in ("00", "01", "02")]


@pytest.mark.parametrize("path", TRAINS, ids=lambda path: path.stem)
def test_numbers_of_trainings_may_differ_on_another_machine(path):
    """Sums are rounded otherwise there, and trainings drift apart."""
    for cell in code_cells(nbformat.read(path, as_version=4)):
        told = any("image/png" in one.get("data", {}) for one in cell.outputs) or re.search(
            r"\d\.\d\d", "".join(one.get("data", {}).get("text/plain", "") for one in cell.outputs)
        )
        same_anywhere = "paper_values(" in cell.source or "published" in cell.source
        if told and not same_anywhere and "answer_so_far(" not in cell.source:
            assert "nbval-ignore-output" in cell.metadata.get("tags", []), cell.source


def test_holds_no_widget_that_is_dead_without_its_kernel(notebook):
    """What its menus start with stands beside each as an ordinary output; a code host would show a
    line about a widget instead."""
    assert "widgets" not in notebook.metadata
    kinds = [set(output.get("data", {"text": ""})) for output in outputs(notebook)]
    assert not any("widget" in kind for found in kinds for kind in found)
    assert all(kinds)


def test_figures_are_drawn_by_the_library_in_its_style(notebook):
    code = "\n".join(cell.source for cell in code_cells(notebook))
    assert not re.search(r"\b(matplotlib|seaborn|pyplot)\b", code)
    if re.search(r"figures\b|report\.", code):
        assert "figures.set_style()" in code


def test_code_cells_are_short(notebook):
    assert max(len(cell.source.splitlines()) for cell in code_cells(notebook)) <= 25


def test_no_imported_name_or_parameter_is_bound_again(notebook):
    """So that every cell can be run again in the same kernel."""
    first = [cell for cell in code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])]
    others = [cell for cell in code_cells(notebook) if cell not in first]
    nodes = [node for cell in others for node in ast.walk(ast.parse(cell.source))]
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {name.asname or name.name for node in imports for name in node.names}
    bound = {
        node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    given = {
        target.id
        for cell in first
        for node in ast.parse(cell.source).body
        for target in node.targets
    }
    assert not (imported | given) & bound


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"datset": "ml-1m"}, "Did you mean 'dataset'"),
        ({"seeds": "five"}, "seeds"),
        ({"profile": "fast"}, "profile"),
        ({"dataset": "nope"}, "Unknown dataset 'nope'"),
    ],
)
@pytest.mark.parametrize("path", [NOTEBOOKS[0], NOTEBOOKS[-1]], ids=lambda path: path.stem)
def test_a_bad_parameter_stops_at_once(tmp_path, path, parameters, message):
    with pytest.raises(papermill.PapermillExecutionError, match=message) as caught:
        papermill.execute_notebook(
            path, tmp_path / "out.ipynb", parameters, kernel_name="python3", progress_bar=False
        )
    assert caught.value.cell_index <= 5  # the first that reads them
    (line,) = caught.value.traceback
    assert line == f"ConfigError: {caught.value.evalue}" and len(line.splitlines()) == 1


def test_papermill_fails_with_the_sentence_of_an_error_that_the_library_raises(tmp_path):
    cell = "from bonmf_lib.errors import SplitError\ndef inner():\n    raise SplitError('No item.')"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (cell, "inner()", "1 / 0")]
    )
    nbformat.write(notebook, tmp_path / "in.ipynb")
    done = subprocess.run(
        [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-k", "python3"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert done.stderr.rstrip().endswith('Exception encountered at "In [2]":\nSplitError: No item.')
    assert "inner" not in done.stderr
    failed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    (shown,) = (output for output in outputs(failed) if output.output_type == "error")
    assert (shown.ename, shown.evalue) == ("SplitError", "No item.")
    assert shown.traceback == ["SplitError: No item."]  # all that JupyterLab shows
