"""Runs made to explain numbers: each must be what it says, checked against the study's ordinary runs."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from bonmf_lib import forensics
from bonmf_lib.comparisons import closed_form
from bonmf_lib.datasets import RatingScale
from bonmf_lib.experiments import Variant, read_predictions, run_variants
from bonmf_lib.models.biased_svd import BiasedSVDConfig
from bonmf_lib.models.svd import SVDConfig
from bonmf_lib.study.parameters import NotebookParameters, Run
from bonmf_lib.training import TrainingConfig

TRAINING = TrainingConfig(epochs=3, batch_size=256, learning_rate=0.02)
ROW = Variant("Biased SVD", "as published", "biased-svd", BiasedSVDConfig(factors=20, regularisation=0.0), TRAINING)


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))


def mse(run, row) -> float:
    records = run_variants(run, "e", [row], seeds=(0,))
    return records.set_index("metric")["value"]["mse"]


def test_honest_curve_is_the_ordinary_run_and_leaks_flatter(run):
    curves = forensics.leak_curves(run, "leaks", ROW, 0)
    assert list(curves) == list(forensics.LEAKS)
    assert len(curves) == 2 * TRAINING.epochs
    longer = replace(ROW, training=replace(TRAINING, epochs=len(curves)))
    assert curves["held out"].iloc[-1] == pytest.approx(mse(run, longer), abs=1e-9)
    assert curves["held out"][TRAINING.epochs] == pytest.approx(mse(run, ROW), abs=1e-9)
    last = curves.iloc[-1]
    assert last["test ratings in training"] < 0.9 * last["held out"]
    assert last["on its training ratings"] < 0.9 * last["held out"]


def test_leak_curves_are_kept(run, monkeypatch):
    first = forensics.leak_curves(run, "leaks", ROW, 0)
    monkeypatch.setattr(forensics, "fit", None)
    assert forensics.leak_curves(run, "leaks", ROW, 0).equals(first)


def test_readings_of_the_test_part_come_from_the_predictions_of_the_ordinary_run(run):
    values = forensics.definition_values(run, [ROW], 0)
    run_variants(run, "e", [ROW], seeds=(0,))
    table = read_predictions(run, ROW, 0)
    grid = forensics.definition_grid(("rated",))
    columns = (table[name].to_numpy() for name in ("user", "rating", "predicted"))
    expected = forensics.evaluate_definitions(*columns, grid)
    np.testing.assert_allclose(values["test"]["Biased SVD"], expected, atol=1e-12)
    assert not np.allclose(values["train"]["Biased SVD"], expected)


def test_svd_grid_holds_the_row_of_the_table(run):
    row = closed_form("SVD", "svd", SVDConfig(factors=10, centre="user"))
    grid = forensics.svd_variants(run, 0).set_index(["centre", "factors", "part", "clipped"])["mse"]
    assert grid["user", 10, "held out", True] == pytest.approx(mse(run, row), rel=1e-6)
    assert grid["user", 10, "in sample", True] < grid["user", 1, "in sample", True]


def test_svd_of_all_ratings_is_the_best_fit_to_the_zero_filled_matrix(run):
    """Against scikit-learn's SVD of the same matrix: fitted on all ratings, scored on all, nothing clipped."""
    grid = forensics.svd_variants(run, 0).set_index(["centre", "factors", "part", "clipped"])["mse"]
    ratings = run.dataset.ratings
    filled = np.zeros((run.dataset.n_users, run.dataset.n_items))
    filled[ratings["user"], ratings["item"]] = ratings["rating"]
    fit = TruncatedSVD(10, algorithm="arpack", random_state=0)
    fitted = fit.fit_transform(filled) @ fit.components_
    expected = np.mean((fitted[ratings["user"], ratings["item"]] - ratings["rating"]) ** 2)
    part = "fitted on all ratings, scored on all"
    assert grid["none", 10, part, False] == pytest.approx(expected, rel=1e-4)
    assert grid["none", 10, part, False] < grid["none", 10, "held out", False]


@pytest.mark.mirror
@pytest.mark.case("numbers", "the zero-filled SVD of all ratings of MovieLens-1M", "its known error, 5.006, comes out")
def test_svd_of_all_of_movielens_1m_has_its_known_error(tmp_path):
    run = Run(NotebookParameters(profile="quick", dataset="ml-1m", run_dir=str(tmp_path)))
    everything = np.arange(len(run.dataset.ratings))
    split = run.split(0.3, 0.0, 0)
    (errors,) = forensics._svd_errors(run, SVDConfig(factors=50), split, everything, (everything,))
    assert errors[False] == pytest.approx(5.006, abs=5e-4)


@pytest.mark.case("damage", "a damaged table of readings or of SVD variants", "it is made again")
def test_a_damaged_table_is_made_again(run):
    first = forensics.svd_variants(run, 0)
    (path,) = (run.run_dir / "forensics").iterdir()
    path.write_bytes(path.read_bytes().replace(b"held out", b"held in", 1))
    assert forensics.svd_variants(run, 0).equals(first)


def test_readings_on_another_scale_are_taken_on_one_of_1_to_5(run, monkeypatch):
    stars = forensics.definition_values(run, [ROW], 0)["test"]
    data = run.dataset
    monkeypatch.setattr(forensics, "_predicted", lambda *_: pytest.fail("kept readings are not made again"))
    assert forensics.definition_values(run, [ROW], 0)["test"].equals(stars)
    wide = replace(data, scale=RatingScale(1, 9, 2), ratings=data.ratings.assign(rating=2 * data.ratings["rating"] - 1))
    monkeypatch.setitem(run.__dict__, "dataset", wide)
    same = forensics._as_stars(run, wide.ratings["rating"].to_numpy())
    np.testing.assert_allclose(same, data.ratings["rating"])
    assert forensics._other_scale(run)


def test_leaks_are_told_apart_for_a_row_with_a_comma_in_its_name(run):
    curves = forensics.leak_curves(run, "leaks", replace(ROW, name="Biased SVD, no picture"), 0)
    assert list(curves) == list(forensics.LEAKS)
