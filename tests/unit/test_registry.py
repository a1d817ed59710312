"""Lists of rows by name: the notebooks' own, and shares of them that are trained before."""

import json
import re
from dataclasses import replace

import pytest

from bonmf_lib.__main__ import main
from bonmf_lib.errors import ConfigError
from bonmf_lib.experiments import (
    ablations,
    anchors,
    cold_start,
    multimodal_ranking,
    specifications,
    table1,
)
from bonmf_lib.experiments.registry import (
    CONTROLS_OF,
    EXPERIMENTS,
    GRIDS,
    asked,
    asked_together,
    train,
)
from bonmf_lib.runs import training
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants, train_share
from tests.conftest import ROOT

CALL = re.compile(r'(?:run_variants|run_experiment|run_on_each|asked)\(\w+, (f?)"([^"]+)"')
WRITTEN = {  # names that notebooks put together
    "06_{question}": {"06_pooling", "06_content", "06_size"},
    "06_{question}_cold": {"06_pooling_cold", "06_content_cold", "06_size_cold"},
    "09_{question}": {f"09_{question}" for question in cold_start.QUESTIONS},
    "11_{name}": {"11_factors", "11_layers", "11_negatives"},
    "12_{question}": {f"12_{question}" for question in multimodal_ranking.QUESTIONS},
}
PUT_TOGETHER = {f"05_{question.replace(' ', '_')}" for question in GRIDS} | {
    *specifications.EXPERIMENTS,
    "08_resolve_random",
    "08_resolve_cold",
}


# this profile varies nothing, asks no hub, and its data came without lists
def test_rows_of_experiments_are_asked_together_unless_a_name_means_two_rows(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    names = [f"12_{question}" for question in multimodal_ranking.QUESTIONS]
    groups = asked_together(run, names)
    asked_for = [
        (row, seeds) for name in names for rows, seeds in [asked(run, name)] for row in rows
    ]
    assert {(row, seeds) for rows, seeds in groups for row in rows} == set(asked_for)
    (tuned,) = (rows for rows, _ in groups if {row.protocol for row in rows} == {"tuned"})
    fixed = next(rows for rows, _ in groups if rows is not tuned)
    assert {"BPR", "BM3", "BM3, text only"} <= {row.name for row in fixed}
    for rows, _ in groups:
        assert len({row.name for row in rows}) == len(rows)


EMPTY = {"05_more_splits", "05_specifications", "05_language_models", "06_claims", "11_naive"}
LATER = {"05_more_splits"}  # on seeds beyond those of other readings, where a profile has such
OUTSIDE = {"04_folds", "04_shuffled_rows"}  # asked for by anchors.outside_records


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))


def test_every_experiment_of_the_notebooks_has_its_list():
    found = set()
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for formatted, name in CALL.findall(code):
            found |= WRITTEN[name] if formatted else {name}
    assert found | PUT_TOGETHER == set(EXPERIMENTS) - OUTSIDE


def test_every_list_has_rows_with_names_of_their_own_and_seeds(run):
    assert set(ablations.ablation_rows(run)) == set(GRIDS)
    for name, experiment in EXPERIMENTS.items():
        rows = experiment.rows(run)
        assert rows or name in EMPTY, name
        assert len({(row.name, row.protocol, row.evaluation) for row in rows}) == len(rows), name
        assert experiment.seeds(run) or name in LATER, name


@pytest.mark.parametrize("name", CONTROLS_OF)
def test_controls_are_of_the_rows_that_read_content(run, name):
    rows, seeds = asked(run, name)
    controls, fewer = asked(run, CONTROLS_OF[name])
    assert set(fewer) <= set(seeds) and controls
    known = {(row.name, row.protocol): row for row in rows}
    read = {key for key, row in known.items() if row.uses("text") or row.uses("image")}
    met = set()
    for row in controls:
        real_name, _, ending = row.name.rpartition(", ")
        real = known[real_name, row.protocol]
        met.add((real_name, row.protocol))
        assert ending in ("shuffled", "noise")
        for modality in ("text", "image"):
            encoder = getattr(row, f"{modality}_encoder")
            if real.uses(modality):
                usual = getattr(real, f"{modality}_encoder") or run.encoder(modality)
                assert encoder == f"{usual}-{ending}"
        same = replace(real, name=row.name, explained=row.explained)
        encoders = {"text_encoder": row.text_encoder, "image_encoder": row.image_encoder}
        assert row == replace(same, **encoders)
    assert met == read


def test_shares_are_trained_once_and_then_only_recorded(run, monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "1")  # others would not note what they train
    rows, seeds = asked(run, "05_modalities")
    trained = []
    real = training.fit

    def noted(*args, **kwargs):
        trained.append(kwargs["label"])
        return real(*args, **kwargs)

    monkeypatch.setattr(training, "fit", noted)
    counts = [train_share(run, rows, seeds, part, 3) for part in (1, 2, 3)]
    assert sum(counts) == len(trained) == len(set(trained)) == len(rows) * len(seeds)
    assert max(counts) - min(counts) <= 1
    assert not (run.run_dir / "records").exists()
    assert train_share(run, rows, seeds) == len(trained)  # nothing is trained again
    assert sum(counts) == len(trained)
    monkeypatch.setattr(training, "fit", None)
    records = run_variants(run, "05_modalities", rows, seeds)
    assert records["variant"].nunique() == len(rows)


def test_a_search_and_the_mean_of_its_networks_stay_in_one_share(run):
    rows = table1.best_rows(run)
    assert [train_share(run, rows, (0,), part, 2) for part in (1, 2)] == [1, 0]


@pytest.mark.parametrize(("part", "parts"), [(0, 2), (3, 2), (1, 0)])
def test_shares_that_cannot_be_are_refused(run, part, parts):
    with pytest.raises(ConfigError, match=f"got {part}/{parts}"):
        train_share(run, [], (), part, parts)
    with pytest.raises(ConfigError, match=f"got {part}/{parts}"):
        train(run, "04_surprise", None, part, parts)


def test_models_of_another_library_are_fitted_in_shares_and_then_found(run, monkeypatch):
    fitted = []
    real = anchors._surprise_row
    monkeypatch.setenv("BONMF_WORKERS", "1")

    def noted(run, experiment, name, config, fold):
        fitted.append((name, fold))
        real(run, experiment, name, config, fold)

    monkeypatch.setattr(anchors, "_surprise_row", noted)
    counts = [train(run, "04_surprise", None, part, 3) for part in (1, 2, 3)]
    every = [(name, fold) for name in anchors.ALGORITHMS for fold in anchors.folds(run)]
    assert sum(counts) == len(fitted) == len(every) and set(fitted) == set(every)
    assert train(run, "04_surprise") == len(every) == len(fitted)  # nothing is fitted again
    names = list(anchors.ALGORITHMS)
    records = anchors.surprise_rows(run, anchors.SURPRISE_FOLDS, names, anchors.folds(run))
    assert len(fitted) == len(every)
    assert len(records.groupby(["variant", "seed"])) == len(every)


def test_the_command_trains_a_share_where_the_pipeline_looks_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BONMF_RUNS", str(tmp_path))
    given = ["train", "05_bonmf_plus", "--profile", "smoke", "--seeds", "0"]
    assert main([*given, "--share", "2/9"]) == 0
    assert (
        capsys.readouterr().out.strip().endswith(f"share 2/9, 1 trainings, in {tmp_path / 'smoke'}")
    )
    assert len(list((tmp_path / "smoke" / "predictions").iterdir())) == 1
    for share in ("2", "a/b", "10/9"):
        assert main([*given, "--share", share]) == 2
    for seed in ("4294967296", "0 0"):  # no seed, and one twice
        assert main([*given[:-1], *seed.split()]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert main(["train", "05_bonmf", "--profile", "smoke"]) == 2
    assert "Did you mean '05_bonmf_plus'?" in capsys.readouterr().err
