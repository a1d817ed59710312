"""Claims on fixed test parts are told across users, by what was kept with the records; else they
say that they are not."""

import dataclasses
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.claims import across_users as told_module
from bonmf_lib.claims.across_users import (
    COLUMNS,
    across_users,
    intervals,
    keep_across_users,
    kept_across_users,
    published_across_users,
)
from bonmf_lib.claims.judge import SEEDS_ONLY, USERS, judge, qualifier
from bonmf_lib.claims.ledger import ledger, qualified
from bonmf_lib.claims.reading import BetterClaim, EquivalentClaim, ValueClaim
from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation.rules import RATED_ITEMS, SampledRanking
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.report.tables import interpret
from bonmf_lib.runs import publication
from bonmf_lib.runs.publication import publish
from bonmf_lib.runs.records import add_records, read_published
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.variant import Variant, variant_hash
from bonmf_lib.splits.by_time import LeaveOneOut
from bonmf_lib.splits.rules import redraws_test
from bonmf_lib.training.config import TrainingConfig
from tests.unit.made_records import record

SEEDS, USERS_TESTED = (0, 1, 2), 400
RULE = SampledRanking(negatives=20)
TRAINING = TrainingConfig(epochs=1, loss="bce", negatives=1)
COMMON = {
    "source": "ncf", "statement": "", "paper": "", "datasets": ("planted",), "metric": "hr@10",
    "evaluation": "sampled ranking", "split": "leave-one-out",
}  # fmt: skip
BETTER = BetterClaim(**COMMON, id="better", kind="better", variant="A", than=("B",))
ALIKE = EquivalentClaim(**COMMON, id="alike", kind="equivalent", variants=("A", "B"), margin=20)
VALUE = ValueClaim(**COMMON, id="value", kind="value", variant="A", value=0.6, tolerance=0.02)
CHANCES = {"A": 0.6, "B": 0.5, "C": 0.597}
ROWS = [
    Variant(
        name, "as published", "biased-svd", BiasedSVDConfig(factors=place + 1), TRAINING,
        split=LeaveOneOut(), evaluation=RULE,
    )
    for place, name in enumerate(CHANCES)
]  # fmt: skip


def values(name: str, seed: int) -> pd.DataFrame:
    """Whether each user's item was hit; what a user likes is the same for all rows and seeds."""
    tastes = np.random.default_rng(0).random(USERS_TESTED)
    noise = np.random.default_rng([len(name) + ord(name[0]), seed]).normal(0, 0.02, USERS_TESTED)
    hits = (tastes + noise < CHANCES[name]).astype(float)
    return pd.DataFrame({"user": np.arange(USERS_TESTED), "hr@10": hits, "ndcg@10": hits / 2})


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.delenv("BONMF_WORKERS", raising=False)
    monkeypatch.setattr(told_module, "read_claims", lambda: (BETTER, ALIKE, VALUE))
    monkeypatch.setattr(
        told_module, "_values", lambda training, _: values(training.variant.name, training.seed)
    )
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))


def records(run: Run, rows=ROWS, seeds=SEEDS) -> pd.DataFrame:
    found = [
        record(
            row.name, seed, values(row.name, seed)["hr@10"].mean(), metric="hr@10",
            dataset=run.dataset.name, content=run.dataset.content, evaluation=RULE.name,
            split="leave-one-out(valid=0)", config=variant_hash(run, row),
        )
        for row in rows
        for seed in seeds
    ]  # fmt: skip
    return pd.DataFrame([dataclasses.asdict(one) for one in found])


def test_what_is_told_is_asked_for_by_claims_or_by_name(run):
    table = across_users(run, ROWS, SEEDS, also=[(ROWS[0], ROWS[2])])
    assert list(table.columns) == COLUMNS
    pairs = {(row.variant, row.other, row.metric) for row in table.itertuples()}
    own = {(name, "", metric) for name in "ABC" for metric in told_module.METRICS}
    named = {("A", "C", metric) for metric in told_module.METRICS}
    assert pairs == own | named | {("A", "B", "hr@10")}
    assert set(table["seeds"]) == {"0 1 2"}
    elsewhere = [replace(row, split=type(row).split) for row in ROWS]
    assert across_users(run, elsewhere, SEEDS).empty  # their seeds test other ratings


def test_a_difference_is_judged_across_users(run):
    """Over seeds alone, three that agree would tell C's loss from zero."""
    claim = BETTER.model_copy(update={"than": ("C",)})
    found, own = records(run), across_users(run, ROWS, SEEDS, also=[(ROWS[0], ROWS[2])])
    (by_seeds,), (by_users,) = judge((claim,), found), judge((claim,), found, across=own)
    assert (by_seeds.across, by_users.across) == (SEEDS_ONLY, USERS)
    assert by_users.ours.mean == pytest.approx(by_seeds.ours.mean, rel=0.01)
    expected = intervals(own).set_index(["variant", "other", "metric"]).loc["A", "C", "hr@10"]
    assert (by_users.ours.low, by_users.ours.p_value) == (expected["low"], expected["p_value"])
    (clear,) = judge((BETTER,), found, across=own)
    assert (clear.verdict, clear.across, qualifier(clear)) == ("reproduced", USERS, "")
    (alike,) = judge((ALIKE,), found, across=own)
    assert alike.across == USERS
    assert alike.ours.low == pytest.approx(intervals(own, 0.90).set_index("other").loc["B", "low"])


def test_gains_are_compared_across_users(run, monkeypatch):
    """A gains 20 % over B, C 19.4 %: no difference, though all users were told of both."""
    claim = BETTER.model_copy(
        update={"than": ("C",), "gains_over": {"A": "B", "C": "B"}, "id": "more"}
    )
    monkeypatch.setattr(told_module, "read_claims", lambda: (claim,))
    own = across_users(run, ROWS, SEEDS)
    assert {("A", "B"), ("C", "B")} <= set(own[["variant", "other"]].itertuples(index=False))
    (found,) = judge((claim,), records(run), across=own)
    gains = intervals(own).query("metric == 'hr@10' and other == 'B'").set_index("variant")
    assert found.across == USERS
    assert found.ours.mean == pytest.approx(gains.loc["A", "mean"] - gains.loc["C", "mean"])
    halves = (gains["high"] - gains["low"]) / 2
    half = (found.ours.high - found.ours.low) / 2
    assert half == pytest.approx(np.hypot(*halves), rel=0.02)
    assert found.verdict == "direction only" and qualifier(found) == "not told from zero"
    (alone,) = judge((claim,), records(run), across=own[own["variant"] != "C"])
    assert alone.across == SEEDS_ONLY


def test_numbers_are_told_over_seeds_since_the_papers_users_are_the_same(run):
    own = across_users(run, ROWS, SEEDS)
    (found,) = judge((VALUE,), records(run), across=own)
    (wide,) = intervals(own).query("variant == 'A' and metric == 'hr@10' and other == ''")["high"]
    assert found.across == ""
    assert found.ours.high < wide


@pytest.mark.parametrize("other", ["seeds", "settings"])
def test_what_was_told_of_other_records_is_not_used(run, other):
    own = across_users(run, ROWS, SEEDS[:2] if other == "seeds" else SEEDS)
    longer = [replace(row, training=replace(row.training, epochs=2)) for row in ROWS]
    (found,) = judge((BETTER,), records(run, ROWS if other == "seeds" else longer), across=own)
    assert found.across == SEEDS_ONLY


def test_what_was_told_before_a_row_was_measured_again_is_not_used(run):
    own, found = across_users(run, ROWS, SEEDS), records(run)
    again = found.assign(value=found["value"] + (found["variant"] == "B") / 400)
    (before,), (after,) = (judge((BETTER,), table, across=own) for table in (found, again))
    assert (before.across, after.across) == (USERS, SEEDS_ONLY)


def test_rows_that_no_seed_changes_are_not_told_apart_by_seeds(run, monkeypatch):
    monkeypatch.setattr(
        told_module, "_values", lambda training, _: values(training.variant.name, 0)
    )
    same = records(run)
    same["value"] = same["variant"].map({name: values(name, 0)["hr@10"].mean() for name in CHANCES})
    (found,) = judge((BETTER,), same)
    assert found.verdict == "direction only"
    assert qualifier(found) == "not told from zero"
    own = across_users(run, ROWS, SEEDS)
    (found,) = judge((BETTER,), same, across=own)
    assert found.verdict == "reproduced"


def test_a_verdict_says_that_it_is_over_seeds_only(run, monkeypatch):
    monkeypatch.setattr("bonmf_lib.claims.ledger.read_claims", lambda: (BETTER,))
    monkeypatch.setattr("bonmf_lib.report.tables.claims_by_id", lambda: {BETTER.id: BETTER})
    own, found = across_users(run, ROWS, SEEDS), records(run)
    (row,) = ledger(found).itertuples()
    assert qualified(row) == "reproduced (seeds only)"
    assert interpret(ledger(found), "better").endswith("not across users.")
    (row,) = ledger(found, own).itertuples()
    assert qualified(row) == "reproduced"
    assert interpret(ledger(found, own), "better").endswith("content packaged.")


def test_tables_are_kept_published_and_found_again(run, tmp_path, monkeypatch):
    for module in (publication, told_module):
        monkeypatch.setattr(module, "published_dir", lambda: tmp_path / "published")
    monkeypatch.setattr("bonmf_lib.runs.records.published_dir", lambda: tmp_path / "published")
    assert kept_across_users(run.run_dir).empty
    assert published_across_users().empty
    own = across_users(run, ROWS, SEEDS)
    keep_across_users(run, "11_neural_cf", own)
    keep_across_users(run, "12_other", own.iloc[:1])
    kept = kept_across_users(run.run_dir)
    assert len(kept) == len(own) + 1
    for one in records(run).itertuples(index=False):
        add_records(run.run_dir, [record(**one._asdict())])
    publish(run.run_dir, "paper")
    pd.testing.assert_frame_equal(published_across_users(), kept)
    (before,), (after,) = (
        judge((BETTER,), records(run), across=table) for table in (own, published_across_users())
    )
    assert after.ours.low == pytest.approx(before.ours.low, rel=1e-4)
    path = next((tmp_path / "published" / "paper" / "tables").glob("across_users--11*.csv"))
    path.write_text(path.read_text().replace("hr@10", "hr@20", 1), encoding="utf-8")
    with pytest.raises(RecordError, match="not what was published"):
        published_across_users()


def test_published_rankings_of_fixed_test_parts_have_their_table():
    published = read_published()
    fixed = ~published["split"].map(redraws_test) & (published["evaluation"] != RATED_ITEMS.name)
    fixed &= published["metric"].str.contains("@")  # costs are no lists: nothing differs by user
    assert set(published.loc[fixed, "config"]) <= set(published_across_users()["config"])
