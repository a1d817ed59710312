"""Parameters of notebooks, profiles, and the folder that a run goes to: what is taken, and what is
refused at once."""

import re
from pathlib import Path

import papermill
import papermill.cli
import pytest
import yaml

from bonmf_lib.__main__ import main
from bonmf_lib.errors import ConfigError
from bonmf_lib.runs import profiles
from bonmf_lib.runs.profiles import pipeline_run, read_profile, run_folder
from bonmf_lib.runs.run import NotebookParameters, Run, start_run
from tests.conftest import ROOT

SMOKE = yaml.safe_load((ROOT / "papermill_runs/profiles/smoke.yaml").read_text(encoding="utf-8"))


def changed(section: str, **values) -> str:
    """The profile with other values in one section; None = left out."""
    mixed = SMOKE[section] | values
    return yaml.safe_dump(
        SMOKE | {section: {key: value for key, value in mixed.items() if value is not None}}
    )


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("BONMF_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(
            [-1],
            marks=pytest.mark.case(
                "parameters",
                "seeds [-1] or [2**70]",
                "one sentence: which seed, and what it must be",
            ),
        ),
        [2**70],
        [2**32],
        [True],
        [1.0],
        [None],
        [],
        [[0]],
        "[-1]",
        "[010]",
        "[0,]",
        "0",
        "",
        "a",
        0,
        {"0": 1},
    ],
    ids=str,
)
def test_seeds_that_cannot_be_are_refused(seeds):
    with pytest.raises(ConfigError, match="seeds") as caught:
        start_run({"profile": "smoke", "seeds": seeds})
    assert "\n" not in str(caught.value)


def test_the_largest_seed_is_taken():
    run = start_run({"profile": "smoke", "seeds": [0, 2**32 - 1]})
    assert run.settings.seeds == (0, 2**32 - 1)
    assert run.fresh_seeds[:2] == (1, 2)  # what follows the largest, but those that are in use


@pytest.mark.case(
    "parameters",
    "papermill -p seeds '[0, 3]', which arrives as text",
    "it is read as the list that it spells",
)
def test_a_list_may_come_as_text(tmp_path):
    with pytest.raises(SystemExit) as caught:
        papermill.cli.papermill.main(
            [
                str(ROOT / "notebooks/00_start_here.ipynb"), str(tmp_path / "out.ipynb"),
                "--prepare-only", "--no-progress-bar",
                "-p", "seeds", "[0, 3]", "-p", "profile", "smoke",
            ]
        )  # fmt: skip
    assert not caught.value.code
    cells = [
        cell.source for cell in papermill.iorw.load_notebook_node(str(tmp_path / "out.ipynb")).cells
    ]
    injected = next(source for source in cells if source.startswith("# Parameters"))
    namespace: dict = {}
    exec(compile(injected, "injected", "exec"), namespace)
    assert start_run(namespace | {"In": [injected]}).settings.seeds == (0, 3)


def broken(text: str, tmp_path, monkeypatch) -> str:
    folder = tmp_path / "papermill_runs" / "profiles"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(profiles, "project_root", lambda: tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_profile("mine")
    assert str(caught.value).startswith("papermill_runs/profiles/mine.yaml") and "\n" not in str(
        caught.value
    )
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "dataset: [",
            "cannot be read as YAML",
            marks=pytest.mark.case(
                "parameters",
                (
                    "a profile file that is no YAML, no mapping, or has a key twice, missing, "
                    "unknown or of a wrong type"
                ),
                "one sentence that names the file and the key",
            ),
        ),
        ("a: !!python/object/apply:os.getcwd []", "cannot be read as YAML"),
        ("dataset: \xe9", "cannot be read as YAML"),
        ("- dataset", "one line `key: value`"),
        ("", "one line `key: value`"),
        ("dataset: planted", "lacks content, seeds, encoders"),
        (changed("tuning", epochs=None), "lacks tuning.epochs"),
        (yaml.safe_dump(SMOKE) + "\nseeds: [5]", "seeds stands twice"),
        (yaml.safe_dump(SMOKE | {"recipes": {}}), "Did you mean 'recipe'"),
        (yaml.safe_dump(SMOKE | {1: 4}), "key of Profile 1"),
        (yaml.safe_dump(SMOKE | {"recipe": 4}), "recipe"),
        (changed("recipe", epoks=4), "key of Profile.recipe.*Did you mean 'epochs'"),
        (changed("recipe", epochs="4"), "recipe.epochs"),
        (changed("recipe", epochs=4.5), "recipe.epochs"),
        (changed("recipe", epochs=True), "recipe.epochs"),
        (yaml.safe_dump(SMOKE | {"seeds": 3}), "seeds"),
        (yaml.safe_dump(SMOKE | {"seeds": [-1]}), "seeds"),
        (yaml.safe_dump(SMOKE | {"dataset": None}), "dataset"),
        (changed("recipe", learning_rate=float("inf")), "recipe.learning_rate.*finite"),
        (changed("tuning", learning_rate=float("nan")), "tuning.learning_rate.*"),
    ],
)
def test_a_broken_profile_is_named(text, message, tmp_path, monkeypatch):
    assert re.search(message, broken(text, tmp_path, monkeypatch))


@pytest.mark.case(
    "parameters",
    "BONMF_RUNS or run_dir is a file, empty, or cannot be a path",
    "one sentence before any work",
)
@pytest.mark.parametrize(
    "run_dir", ["file", "file/below", "", "a\0b", "n" * 300, 5], ids=lambda value: str(value)[:10]
)
def test_a_run_folder_that_cannot_be_is_refused(tmp_path, monkeypatch, run_dir):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="run_dir"):
        start_run({"profile": "smoke", "run_dir": run_dir})
    if run_dir and isinstance(run_dir, str) and "\0" not in run_dir:
        monkeypatch.setenv("BONMF_RUNS", run_dir)
        with pytest.raises(ConfigError, match="BONMF_RUNS"):
            start_run({"profile": "smoke"})


def test_a_run_folder_below_what_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles.os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be written to"):
        start_run({"profile": "smoke", "run_dir": str(tmp_path / "new")})
    # its records can be read
    assert start_run({"profile": "smoke", "run_dir": str(tmp_path)}).run_dir == tmp_path


def test_a_run_is_named_after_its_profile_and_what_differs(runs):
    assert pipeline_run(None).folder == runs / "quick"
    assert pipeline_run("smoke", "", "").folder == runs / "smoke"
    assert pipeline_run("smoke", "planted", "packaged").folder == runs / "smoke"
    assert pipeline_run("quick", None, "full").folder == runs / "quick-full"
    assert pipeline_run("smoke", "ml-1m").folder == runs / "smoke-ml-1m-packaged"


@pytest.mark.case(
    "data",
    "make reproduce DATASET=folder:... of two folders that have the same name",
    (
        "each has a run folder of its own, named with a digest of its path, "
        "and full content unless asked otherwise"
    ),
)
def test_folders_of_the_same_name_do_not_share_a_run(runs, tmp_path, monkeypatch, capsys):
    for name in ("one/my data", "two/my data"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    first, second = (pipeline_run("smoke", f"folder:{name}/my data") for name in ("one", "two"))
    assert (
        first.dataset == f"folder:{(tmp_path / 'one' / 'my data').resolve()}"
        and first.content == "full"
    )
    assert first.folder.name != second.folder.name
    for run in (first, second):
        assert run.folder.parent == runs
        assert run.folder.name.startswith("smoke-folder-my_data-") and run.folder.name.endswith(
            "-full"
        )
    # a single notebook
    assert start_run({"profile": "smoke", "dataset": "folder:one/my data"}).run_dir == first.folder
    assert pipeline_run("smoke", "folder:one/my data/../my data", "packaged").content == "packaged"
    assert main(["folder", "--profile", "smoke", "--dataset", "folder:one/my data"]) == 0
    assert capsys.readouterr().out == f"{first.folder}\n"


@pytest.mark.parametrize(
    ("profile", "dataset", "content", "message"),
    [
        ("../../x", None, None, "Unknown profile '../../x'"),
        (5, None, None, "profile must be a name, got 5"),
        ("smoke", "ml-10m", None, "Did you mean 'ml-1m'"),
        ("smoke", {"folder": "x"}, None, "dataset must be a name"),
        ("smoke", False, None, "dataset must be a name, got False"),
        ("smoke", "folder:", None, "is not a folder"),
        ("smoke", "folder:nowhere", None, "'nowhere' is not a folder"),
        ("smoke", "folder:" + 300 * "n", None, "is not a folder"),
        ("smoke", "folder:a\0b", None, "is not a folder"),
        ("smoke", None, ";touch x", "Unknown content ';touch x'"),
    ],
)
def test_what_a_pipeline_cannot_be_asked_for(profile, dataset, content, message):
    with pytest.raises(ConfigError, match=message):
        pipeline_run(profile, dataset, content)


def test_braces_which_snakemake_takes_for_wildcards_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BONMF_RUNS", str(tmp_path / "{x}"))
    with pytest.raises(ConfigError, match="holds a brace"):
        pipeline_run("smoke")


def test_a_profiles_own_data_need_no_second_name(runs):
    chosen = read_profile("paper")
    assert run_folder("paper", chosen, "ml-1m", "full") == runs / "paper"
    assert run_folder("paper", chosen, "ml-1m", "packaged") == runs / "paper-packaged"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"profile": "quik"}, "Did you mean 'quick'"),
        ({"profile": "smoke", "dataset": 5}, r"dataset: .*string"),
        ({"profile": "smoke", "content": "ful"}, "Did you mean 'full'"),
        ({"profile": "smoke", "seeds": [1, 1]}, "different whole numbers"),
        ({"profile": "smoke", "seeds": [0.5]}, "seeds"),
    ],
)
def test_bad_notebook_parameters(values, message):
    with pytest.raises(ConfigError, match=message):
        start_run(values)


def test_parameters_complete_the_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("BONMF_RUNS", str(tmp_path))
    run = start_run({"profile": "smoke", "seeds": [4], "unrelated": 1})
    assert (run.settings.seeds, run.settings.dataset) == ((4,), "planted")
    assert run.run_dir == tmp_path / "smoke"
    assert (
        Run(NotebookParameters(profile="smoke", dataset="ml-1m")).run_dir
        == tmp_path / "smoke-ml-1m-packaged"
    )


def test_a_parameter_papermill_injected_by_mistake_is_named():
    namespace = {
        "In": ["", "# Parameters\ndatset = 'ml-1m'\n"],
        "profile": "smoke",
        "datset": "ml-1m",
    }
    with pytest.raises(ConfigError, match="Did you mean 'dataset'"):
        start_run(namespace)
