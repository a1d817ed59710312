"""Studies of overlap on planted data whose truth is known, and on small tables by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from bonmf_lib.encoders import Features
from bonmf_lib.experiments.modality_overlap import overlap_rows
from bonmf_lib.experiments.names import FUSION_NO_PICTURE, OVERLAP_CONTROLS, SPLIT, SPLIT_SHUFFLED
from bonmf_lib.report.answers import resolution_sentence
from bonmf_lib.report.figures import overlap as overlap_figures
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training
from bonmf_lib.splits.rules import ColdItems
from bonmf_lib.studies import overlap as studies


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


@pytest.fixture(scope="module")
def recovered():
    return studies.planted_recovery(sizes=(300,), seeds=(0,))


def test_the_recommended_estimator_orders_planted_overlap(recovered):
    table = studies.recovery_table(recovered)
    name = studies.recommended_estimator(table)
    own = table.xs(name, level="estimator")
    assert (own["rank_correlation"] >= studies.RECOVERED).all()
    assert set(own.index.get_level_values("features")) == {"as encoded", "whitened"}
    assert f"Recommended, for its range: {name}." in studies.recovery_sentence(table)
    assert overlap_figures.recovery_curves(recovered).axes


def test_estimators_that_fail_are_named():
    rows = [
        {
            "estimator": name,
            "features": "as encoded",
            "items": 10,
            "seed": 0,
            "truth": truth,
            "found": found,
        }
        for name, values in {
            "good": (0.0, 0.2, 0.4),
            "flat": (0.0, 0.0, 0.0),
            "wrong": (0.9, 0.5, 0.1),
        }.items()
        for truth, found in zip((0.0, 0.5, 1.0), values, strict=True)
    ]
    table = studies.recovery_table(pd.DataFrame(rows))
    assert table["recovers"].tolist() == [True, False, False]
    assert table.loc[
        ("good", "as encoded", 10), ["bias", "at_none", "at_all"]
    ].tolist() == pytest.approx([-0.3, 0.0, 0.4])
    assert studies.recovery_sentence(table) == (
        "Rank correlation with the planted overlap of at least 0.95 in every condition: good; "
        "not in every one: flat, wrong. Recommended, for its range: good."
    )
    assert studies.recommended_estimator(table.drop(index="good", level="estimator")) is None


def test_co_information_finds_what_planted_modalities_share_of_the_ratings():
    found = studies.planted_information(seeds=(0,))
    assert found["co_information"].corr(found["truth"], method="spearman") > 0.95
    assert (found["co_information"] - found["truth"]).abs().max() < 0.2
    assert found["gain"].corr(found["truth"], method="spearman") < -0.95
    # the smaller gain is no overlap
    assert found.loc[found["truth"] == 0, "redundant"].iloc[0] > 0.3
    assert overlap_figures.information_curves(found).axes


def test_measured_overlap_stands_beside_chance():
    random = np.random.default_rng(0)
    present = np.arange(150) != 4
    one = Features(
        np.float32(random.normal(size=(150, 5)) * present[:, None]), present, "a", "1", "a"
    )
    noise = np.float32(random.normal(size=(150, 5)))
    other = Features(one.matrix + 0.3 * noise, np.ones(150, bool), "b", "1", "b")
    table = studies.measured_overlap({"a, b": (one, other)}, most=120)
    assert (
        (table["overlap"] > table["by_chance"] + 0.1).drop(index="SVCCA", level="estimator").all()
    )
    assert set(table["items"]) == {120}
    assert table.loc[("a, b", "HSIC alignment"), "p_value"] == pytest.approx(1 / 201)
    assert table["p_value"].count() == 1


def test_information_table_by_hand():
    def losses(text, picture, both):
        return {frozenset(): 1.0, frozenset({"text"}): text, frozenset({"picture"}): picture,
                frozenset({"text", "picture"}): both}  # fmt: skip

    table = studies.information_table(
        [losses(0.7, 0.8, 0.5), losses(0.6, 0.8, 0.5)], frozenset(), 0.3
    )
    expected = {"text alone": 0.35, "picture alone": 0.2, "redundant": 0.2, "unique text": 0.15,
                "unique picture": 0.0, "synergy": 0.15, "together": 0.5,
                "co-information": 0.05}  # fmt: skip
    assert table["mean"].to_dict() == pytest.approx(expected)
    assert (table["low"] <= table["mean"]).all()
    hurts = studies.information_table(
        [losses(0.9, 1.1, 0.8), losses(0.8, 1.2, 0.9)], frozenset(), 0.3
    )
    told = ["text alone", "picture alone", "together", "co-information"]
    assert hurts.index[hurts["mean"].notna()].tolist() == told
    assert overlap_figures.information_bars({"x": table, "y": hurts}).axes


def test_gains_per_item_and_genre(run):
    rows = overlap_rows(run)
    run_variants(run, "x", [rows[0], rows[-1]], (0, 1))
    gain = studies.item_gains(run, rows[-1], rows[0], (0, 1))
    same = studies.item_gains(run, rows[0], rows[0], (0,))
    assert (same == 0).all() and gain.abs().sum() > 0 and gain.index.is_unique
    overlap = np.where(np.arange(run.dataset.n_items) % 10 == 3, np.nan, 0.5)
    genres = studies.genre_table(run.dataset, overlap, gain, least=5)
    assert set(genres.index) == {"Bright", "Dark"} and (genres["overlap"] == 0.5).all()
    assert genres["items"].sum() == np.isfinite(overlap[gain.index]).sum()
    assert overlap_figures.overlap_gain_scatter(
        np.linspace(0, 1, run.dataset.n_items), gain, genres
    ).axes
    assert studies.genre_table(run.dataset, overlap, gain, least=1000).empty
    assert overlap_figures.overlap_gain_scatter(
        np.linspace(0, 1, run.dataset.n_items), gain, genres[:1]
    ).axes


def test_correlation_of_overlap_and_gain():
    random = np.random.default_rng(1)
    overlap = random.normal(size=200)
    overlap[5] = np.nan
    gain = pd.Series(random.normal(size=200) - 2 * np.nan_to_num(overlap))
    found = studies.overlap_gain_correlation(overlap, gain)
    assert found.low < found.value < found.high < 0 and found.items == 199
    assert studies.correlation_sentence(found).startswith(
        "The picture gains more where the text does not"
    )
    none = studies.overlap_gain_correlation(overlap, pd.Series(random.normal(size=200)))
    assert "not shown" in studies.correlation_sentence(none)


def test_every_way_of_taking_overlap_out_trains_and_the_penalty_works(run):
    rows = overlap_rows(run)
    found = run_variants(run, "08_resolve", rows, (0,))
    assert found["variant"].nunique() == len(rows) == 9
    left = {}
    for row in rows[:4]:
        training = Training(run, row, 0)
        left[row.name] = studies.learned_overlap(training.model(), training.inputs(), "ridge R2")[
            "overlap"
        ]
    assert left["Fusion, residual picture"] < left["Fusion, concatenation"]
    assert left["Fusion, decorrelated, 1"] < left["Fusion, concatenation"]


def test_ways_have_controls_where_pictures_can_be_shuffled():
    rows = overlap_rows(Run(NotebookParameters(profile="smoke", image_encoder="dinov2-s")))
    controls = {row.name: row for row in rows if row.image_encoder == "dinov2-s-shuffled"}
    assert tuple(controls) == OVERLAP_CONTROLS and rows[-1].name == FUSION_NO_PICTURE
    assert (
        controls[SPLIT_SHUFFLED].model_config
        == next(row for row in rows if row.name == SPLIT).model_config
    )


def test_what_is_heard_apart_is_what_passes_the_gate_and_the_private_columns(run):
    gated, shared = (
        next(row for row in overlap_rows(run) if row.name.endswith(end))
        for end in ("overlap", "private")
    )
    items = torch.arange(run.dataset.n_items)
    training = Training(run, gated, 0)
    model = training.model()
    text, image = model.heard(items)
    overlap = torch.from_numpy(training.inputs().item_overlap).float().unsqueeze(1)
    gate = torch.sigmoid(model.join.level - model.join.slope * overlap)
    torch.testing.assert_close(image, gate * model.projected["image"](items))
    assert text.shape == image.shape == (run.dataset.n_items, 50)
    model = Training(run, shared, 0).model()
    assert [part.shape[1] for part in model.heard(items)] == [25, 25]
    torch.testing.assert_close(model.heard(items)[0], model.projected["text"](items)[:, 25:])


def test_residual_pictures_are_learned_from_training_items_alone(run):
    row = overlap_rows(run)[1]
    (split, other) = (run.split(ColdItems(0.2), seed, 0.1) for seed in (0, 1))
    one, again = (Training(run, row, 0).inputs(part).image for part in (split, other))
    assert one.key != again.key and not np.array_equal(one.matrix, again.matrix)


def test_collaborative_features_miss_items_without_training_ratings(run):
    found = studies.collaborative_features(run, 0)
    assert found.dim == 100 and found.present.any()
    assert not found.matrix[~found.present].any()


def test_resolution_is_said_after_the_adjusted_tests():
    table = pd.DataFrame(
        {"p_holm": [0.01, 0.2], "favours": [True, False], "percent": [-1.5, 2.0], "seeds": 5},
        index=["residual", "gated"],
    )
    said = resolution_sentence(table, "MSE", "x, cold items")
    assert said == "MSE on x, cold items, against concatenation: residual is better (1.5 %)."
    assert "no way differs clearly" in resolution_sentence(table.assign(p_holm=0.5), "MSE", "x")
