"""Other studies' numbers on their own splits: the splits are theirs, and so are the errors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import surprise
from surprise.model_selection import KFold as SurpriseFolds

from bonmf_lib.claims.judge import UNTESTABLE
from bonmf_lib.claims.ledger import ledger
from bonmf_lib.claims.reading import read_claims
from bonmf_lib.datasets import load_dataset
from bonmf_lib.errors import SourceError, SplitError
from bonmf_lib.experiments import anchors
from bonmf_lib.runs import run as run_module
from bonmf_lib.runs.records import COLUMNS
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training
from bonmf_lib.splits.rules import KFold, RowShuffle, resampling_share

on = Run.on


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))


def test_the_first_tenth_of_shuffled_rows_tests_as_in_glocal_k(planted):
    made = RowShuffle().split(planted, 1234, valid=0.1)
    np.random.seed(1234)  # noqa: NPY002 (as they do)
    rows = np.arange(len(planted.ratings))
    np.random.shuffle(rows)  # noqa: NPY002
    theirs = [row for place, row in enumerate(rows) if place < 0.1 * len(rows)]
    assert np.array_equal(made.test, np.sort(theirs))
    assert made.rule == "row-shuffle(test=0.1, valid=0.1)" and made.seed == 1234
    assert len(made.valid) == round(0.1 * (len(rows) - len(theirs)))
    share = resampling_share(made.rule, made.test_share)
    assert share / (1 - share) == pytest.approx(0.1 / 0.81)


def test_five_folds_are_scikit_surprises():
    """Of MovieLens-100K, the rows in the file's order."""
    data = load_dataset("ml-100k", "packaged")
    # the row's number
    table = data.ratings[["user", "item", "rating"]].assign(rating=np.arange(len(data.ratings)))
    theirs = surprise.Dataset.load_from_df(table, surprise.Reader(rating_scale=(0, len(table))))
    for fold, (_, test) in enumerate(SurpriseFolds(5, random_state=0).split(theirs)):
        made = KFold().split(data, fold)
        assert (
            np.array_equal(made.test, np.sort([int(row) for *_, row in test])) and made.seed == fold
        )
    assert np.array_equal(
        np.sort(np.concatenate([KFold().split(data, b).test for b in range(5)])),
        np.arange(len(table)),
    )


@pytest.mark.parametrize(
    ("rule", "seed", "valid"),
    [(KFold(1), 0, 0.0), (RowShuffle(0), 0, 0.0), (KFold(), 5, 0.0), (RowShuffle(), 0, 1.0)],
)
def test_blocks_that_cannot_be_are_refused(planted, rule, seed, valid):
    with pytest.raises(SplitError, match="at least 2 blocks"):
        rule.split(planted, seed, valid)


def test_rows_are_run_on_their_own_splits(run):
    fold, shuffled = anchors.fold_rows(run), anchors.shuffled_rows(run)
    assert {Training(run, row, 3).split.rule for row in fold} == {"k-fold(test=0.2, valid=0)"}
    assert {Training(run, row, 1234).split.rule for row in shuffled} == {
        "row-shuffle(test=0.1, valid=0)"
    }
    assert all(row.search is not None for row in shuffled)
    records = run_variants(run, "x", fold, (0, 1))
    assert records["split"].unique().tolist() == ["k-fold(test=0.2, valid=0)"]


def test_scikit_surprises_rows_are_its_own_cross_validation(run, monkeypatch):
    records = anchors.surprise_rows(run, "x", ["Biased SVD", "User + item bias"], anchors.FOLDS)
    ratings = run.dataset.ratings[["user", "item", "rating"]]
    scale = surprise.Reader(rating_scale=(run.dataset.scale.low, run.dataset.scale.high))
    data = surprise.Dataset.load_from_df(ratings, scale)
    found = records[records["metric"] == "rmse"].set_index(["variant", "seed"])["value"]
    for fold, (train, test) in enumerate(SurpriseFolds(5, random_state=0).split(data)):
        theirs = surprise.accuracy.rmse(
            surprise.BaselineOnly(verbose=False).fit(train).test(test), verbose=False
        )
        # the order of rows differs
        assert found["User + item bias", fold] == pytest.approx(theirs, rel=1e-3)
    assert records["protocol"].unique().tolist() == [anchors.SURPRISE]
    monkeypatch.setattr(anchors, "ALGORITHMS", {})
    again = anchors.surprise_rows(run, "x", ["Biased SVD", "User + item bias"], anchors.FOLDS)
    pd.testing.assert_frame_equal(again, records)  # recorded, not run again


def test_anchors_are_run_on_the_other_movielens_set_that_a_profile_has(run, monkeypatch, capsys):
    """Stand-ins: the planted data for one set, the better ratings of them for the other."""
    assert anchors.outside_records(run).empty  # no MovieLens
    monkeypatch.setattr(anchors, "MOVIELENS", ("planted", "planted+from4"))
    domains = replace(run.settings.domains, also_on=("planted+from4", "xwines"))
    monkeypatch.setattr(anchors, "ALGORITHMS", {"User + item bias": surprise.BaselineOnly})
    run.settings = replace(run.settings, domains=domains)
    monkeypatch.setattr(Run, "on", lambda self, name, content: on(self, name, "packaged"))
    records = anchors.outside_records(run)
    rows = records.groupby("dataset")["experiment"].unique().map(sorted)
    both = ["04_folds", "04_surprise"]
    assert rows.to_dict() == {"planted": both, "planted+from4": both}

    def cannot(name, content):
        raise SourceError("no place had it.")

    monkeypatch.setattr(run_module, "load_dataset", cannot)
    assert set(anchors.outside_records(run)["dataset"]) == {"planted"}
    assert "Without planted+from4: no place had it." in capsys.readouterr().out


def test_claims_find_the_rows(run):
    names = {(row.name, "as published") for row in anchors.fold_rows(run)}
    names |= {(row.name, row.protocol) for row in anchors.shuffled_rows(run)}
    names |= {(name, anchors.SURPRISE) for name in anchors.ALGORITHMS}
    asked = [
        claim
        for claim in read_claims()
        if claim.source == "surprise" or claim.id.startswith("Anchor")
    ]
    assert len(asked) == 15
    for claim in asked:
        assert (claim.variant, claim.protocol) in names, claim.id


def test_models_that_are_not_built_here_say_where_their_numbers_are_met():
    claims = [one for one in read_claims() if one.source in ("gc-mc", "glocal-k", "sparse-fc")]
    verdicts = ledger(pd.DataFrame(columns=COLUMNS), growing=True).set_index("claim")["verdict"]
    assert {verdicts[one.id] for one in claims} == {UNTESTABLE}
    larger = {one.variant: one for one in claims if "ml-1m" in one.datasets}
    anchored = {
        one.id.rpartition(", ")[2]: one.value
        for one in read_claims()
        if one.id.startswith("Anchor: BoNMF+, 90/10")
    }
    assert {name: one.value for name, one in larger.items()} == anchored
    assert all("'Anchor: BoNMF+, 90/10'" in one.untestable for one in larger.values())


@pytest.mark.case(
    "numbers", "the RMSE that scikit-surprise prints for MovieLens-100K", "made again within 1 %"
)
def test_scikit_surprises_numbers_come_out(tmp_path):
    run = Run(NotebookParameters(profile="quick", run_dir=str(tmp_path)))
    records = anchors.surprise_rows(
        run, "x", ["Biased SVD", "NMF", "User + item bias"], anchors.FOLDS
    )
    judged = ledger(records).set_index("claim")["verdict"]
    for name in ("Biased SVD", "NMF", "User + item bias"):
        assert judged[f"Published RMSE, ML-100K: {name}, RMSE"] == "reproduced"
