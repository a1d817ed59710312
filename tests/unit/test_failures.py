"""Failure signatures and spreads over runs as tables."""

import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.claims.reading import read_claims
from bonmf_lib.evaluation.diagnostics import diagnose
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.variant import Variant
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.studies import failures
from bonmf_lib.training.config import TrainingConfig
from tests.unit.made_records import table as records_of
from tests.unit.test_diagnostics import good, table


@pytest.fixture
def found() -> dict[str, pd.DataFrame]:
    swapped = table(lambda rating, random: np.select([rating == 4, rating == 5], [5.0, 4.0], 2.0))
    return {
        "good": diagnose([table(good, seed) for seed in (0, 1)]),
        "shifted": diagnose(table(good, 0)),
        "swapped": diagnose(swapped),
    }


def test_signatures_stand_beside_the_numbers_that_decide_them(found):
    shown = failures.signatures(found)
    assert list(shown.index) == ["good", "shifted", "swapped"]
    for model, row in shown.iterrows():
        present = found[model].loc[found[model]["present"], "signature"].unique()
        assert row["signatures"] == ("; ".join(present) or "none")
        asked = found[model][found[model]["role"] == "condition"]
        titles = (
            asked["quantity"]
            + " ("
            + asked["comparison"]
            + " "
            + asked["threshold"].map("{:g}".format)
            + ")"
        )
        assert list(row.index) == [*titles, "signatures"]
        numbers = row.drop("signatures").astype(float).to_numpy()
        assert numbers == pytest.approx(asked["value"].round(3).to_numpy(), nan_ok=True)


def test_evidence_leaves_out_what_was_measured_nowhere(found):
    shown = failures.evidence(found)
    assert "|bias| / sd of the ratings (> 0.1)" in shown
    assert not any(title.startswith("validation") for title in shown)  # no histories
    assert shown.loc["shifted"].isna().any()  # one run has no spread


def test_kept_diagnoses_come_back_as_they_were(found):
    kept = pd.read_csv(io.StringIO(failures.in_one_table(found, 2).to_csv(index=False)))
    assert set(kept["seeds"]) == {2}
    again = failures.by_model(kept)
    assert list(again) == list(found)
    pd.testing.assert_frame_equal(failures.signatures(again), failures.signatures(found))
    pd.testing.assert_frame_equal(failures.evidence(again), failures.evidence(found))


def test_spread_over_runs_is_in_percent_of_the_mean():
    values = np.array([0.7, 0.8, 0.9])
    spread = failures.run_spreads(records_of(A=values, B=values[:1]), ["mse"])
    assert spread.loc["A (as published)", "sd of MSE, %"] == pytest.approx(
        100 * values.std(ddof=1) / 0.8
    )
    assert np.isnan(spread.loc["B (as published)", "sd of MSE, %"])
    assert spread["seeds"].to_dict() == {"A (as published)": 3, "B (as published)": 1}


def test_trained_rows_are_read_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "1")
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))
    training = TrainingConfig(epochs=2, batch_size=256, learning_rate=0.005)
    rows = [
        Variant(name, "as published", "biased-svd", BiasedSVDConfig(factors=2), training)
        for name in "AB"
    ]
    rows[1] = replace(rows[1], model_config=BiasedSVDConfig(factors=3))
    records = run_variants(run, "rows", rows, (0, 1))
    names = ["A (as published)", "B (as published)"]
    curves = failures.histories(run, rows, (0, 1))
    assert list(curves) == names
    assert [len(curve.train_loss) for curve in curves[names[1]]] == [2, 2]
    tested = failures.predictions(run, rows, 0)
    pd.testing.assert_frame_equal(tested[names[1]], Training(run, rows[1], 0).predictions())
    best = failures.best_epochs(records)
    assert best.index.tolist() == [("A", "as published"), ("B", "as published")]
    assert best.loc[("A", "as published"), "max"] == 2
    found = failures.diagnose_rows(run, rows, (0, 1), {})
    alone = diagnose(
        [Training(run, rows[0], seed).predictions() for seed in (0, 1)], curves[names[0]], None
    )
    assert list(found) == ["A", "B"]
    pd.testing.assert_frame_equal(found["A"], alone)


def test_how_much_an_error_on_cold_items_rests_on(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    sparse = Ratio(keep=0.15)
    row = Variant(
        "Biased SVD",
        "as published",
        "biased-svd",
        BiasedSVDConfig(),
        TrainingConfig(),
        split=sparse,
    )
    split = run.split(sparse, 0)
    ratings = run.dataset.ratings
    few = (
        ratings["item"]
        .iloc[split.train]
        .value_counts()
        .reindex(range(run.dataset.n_items), fill_value=0)
        < 5
    )
    tested = ratings["item"].iloc[split.test]
    cold = tested[tested.map(few)]
    assert 0 < len(cold) < len(tested)
    assert failures.cold_sentence(run, row, (0,)) == (
        f"Items with fewer than 5 training ratings have {len(cold):,} test ratings by split, "
        f"{len(cold) / len(tested):.2%} of all, on {cold.nunique():,} items."
    )
    assert " to " in failures.cold_sentence(run, row, (0, 1))


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("claims", "patience", "splits", "ratings", "percent", "movies"),
    [
        (("BoNMF (e)", "BoNMF (e), native, content"), None, 10, 380, "0.13", 215),
        (("BoNMF (e), standardised", "BoNMF (e), tuned"), None, 5, 370, "0.12", 210),
        (("BoNMF (e), native, early stopped",), 3, 10, 440, "0.15", 235),
        (("BoNMF (e), early stopped",), 3, 5, 440, "0.15", 235),
    ],
)  # fmt: skip
def test_notes_on_cold_start_say_on_how_much_it_rests(
    tmp_path, claims, patience, splits, ratings, percent, movies
):
    run = Run(NotebookParameters(profile="quick", dataset="ml-1m", run_dir=str(tmp_path)))
    row = Variant(
        "NMD (ID only)", "as published", "biased-svd", BiasedSVDConfig(),
        TrainingConfig(patience=patience),
    )  # fmt: skip
    said = failures.cold_sentence(run, row, range(splits))
    found = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,.]*", said)]
    _, fewest, most, share, items, most_items = found
    assert fewest <= ratings <= most and items <= movies <= most_items and share == float(percent)
    words = f"about {ratings} test ratings a split, {percent} % of all, of about {movies} movies"
    notes = {claim.id: claim.note for claim in read_claims()}
    for claim in claims:
        assert words in notes[claim]


def test_training_counts_leave_the_test_part_out(planted, split):
    counts = failures.training_counts(planted, split)
    assert {side: len(found) for side, found in counts.items()} == {
        "user": planted.n_users,
        "item": planted.n_items,
    }
    assert counts["user"].sum() == counts["item"].sum() == len(split.train)
    assert counts["item"][3] == (planted.ratings["item"].iloc[split.train] == 3).sum()
