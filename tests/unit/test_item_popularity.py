"""Hits by item are those of full rankings, and strata hold every item once."""

import numpy as np
import pytest
import torch

from bonmf_lib.evaluation.ranking import UnseenItems
from bonmf_lib.experiments import multimodal_ranking as rows_of
from bonmf_lib.report import multimodal
from bonmf_lib.report.figures import multimodal as figures
from bonmf_lib.runs.records import kept_table, table_name
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.studies import item_popularity

USERS, ITEMS = 30, 40


@pytest.fixture
def parts():
    draw = np.random.default_rng(0)
    users, items = np.divmod(draw.permutation(USERS * ITEMS)[:300], ITEMS)
    return (users[:200], items[:200]), (users[200:], items[200:])


def test_hits_by_item_add_up_to_recall(parts):
    train, test = parts
    table = torch.randn(USERS, ITEMS, generator=torch.Generator().manual_seed(0))
    unseen = UnseenItems(train, test, USERS, ITEMS, "cpu")
    found = unseen.hits_by_item(lambda users: table[users], 5, block=7)
    ranked = unseen.rank(lambda users: table[users], (5,))
    tested = np.bincount(test[0], minlength=USERS)[ranked.users]
    assert found.sum() == pytest.approx((ranked.per_list["recall@5"] * tested).sum())
    scores = table.numpy().copy()
    scores[train] = -np.inf
    best = np.argsort(-scores, axis=1)[:, :5]
    expected = np.zeros(ITEMS, int)
    for user, item in zip(*test, strict=True):
        expected[item] += item in best[user]
    np.testing.assert_array_equal(found, expected)


def test_nothing_to_test_has_no_hits(parts):
    none = np.zeros(0, int), np.zeros(0, int)
    unseen = UnseenItems(parts[0], none, USERS, ITEMS)
    found = unseen.hits_by_item(lambda users: torch.zeros(len(users), ITEMS))
    assert not found.any()


def test_strata_are_in_order_and_hold_every_count():
    counts = np.array([0, 1, 4, 5, 9, 10, 49, 50, 1000])
    found = item_popularity.strata(counts)
    assert list(found) == [
        "0", "1 to 4", "1 to 4", "5 to 9", "5 to 9", "10 to 19", "20 to 49", "50 or more",
        "50 or more",
    ]  # fmt: skip
    assert found.ordered


def test_recall_by_popularity_adds_up_to_all_test_pairs(tmp_path):
    whole = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    (run,) = rows_of.data_sets(whole)
    rows = [row for row in rows_of.compared_rows(run) if row.name in ("Popularity", "BPR")]
    table = item_popularity.keep_recall(run, "12_models", rows, (0, 1))
    kept = kept_table(run.run_dir, table_name(item_popularity.KEPT, "12_models", run.dataset))
    assert kept["recall"].tolist() == pytest.approx(table["recall"].tolist(), rel=1e-5)
    shown = multimodal.strata_table(kept)
    assert list(shown.index) == [*dict.fromkeys(row.name for row in rows), "test pairs"]
    assert list(shown) == [name for name in table["stratum"].cat.categories if name in shown]
    for row in rows:
        for seed in (0, 1):
            own = table[(table["variant"] == row.name) & (table["seed"] == seed)]
            assert own["pairs"].sum() == len(Training(run, row, seed).split.test)
    assert table["recall"].between(0, 1).all()
    assert "by training pairs" in figures.recall_strata(table, "planted").get_label()
