"""Ranking among given or drawn candidates, against lists written out."""

import math

import numpy as np
import pytest
import torch

from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.evaluation.candidates import (
    Candidates,
    drawn_candidates,
    rank_candidates,
)
from bonmf_lib.evaluation.ranking import UnseenItems
from tests.conftest import CPU


def scored(table):
    """A score function of a table (users, items)."""
    values = torch.tensor(table, dtype=torch.float64)
    return lambda users, items: values[users, items]


def lists(positives: list[int], negatives: list[list[int]]) -> Candidates:
    return Candidates(np.arange(len(positives)), np.array(positives), np.array(negatives))


def metrics(score, candidates: Candidates, **how) -> dict[str, float]:
    return rank_candidates(score, candidates, CPU, **how).metrics


def test_metrics_by_hand():
    """Three lists: rank 1, rank 3, rank 2."""
    table = [[9, 1, 2, 3], [1, 2, 3, 0], [5, 1, 1, 6]]
    found = metrics(scored(table), lists([0, 0, 0], [[1, 2, 3]] * 3), ks=(1, 2, 3))
    assert found["hr@1"] == pytest.approx(1 / 3)
    assert found["hr@2"] == pytest.approx(2 / 3)
    assert found["hr@3"] == 1
    assert found["ndcg@2"] == pytest.approx((1 + 1 / math.log2(3)) / 3)
    assert found["ndcg@3"] == pytest.approx((1 + 0.5 + 1 / math.log2(3)) / 3)
    assert found["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 2) / 3)


def test_equal_scores_count_as_every_order_of_them_on_average():
    """A constant score: every rank of four is as likely, whatever the order of the ids."""
    for positive in range(4):
        others = [item for item in range(4) if item != positive]
        found = metrics(scored([[0.5] * 4]), lists([positive], [others]), ks=(1, 2))
        assert found["hr@1"] == pytest.approx(1 / 4)
        assert found["hr@2"] == pytest.approx(2 / 4)
        assert found["ndcg@2"] == pytest.approx((1 + 1 / math.log2(3)) / 4)
        assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_ties_below_and_above_the_cut():
    table = [[3, 9, 3, 3, 1]]  # one better, two equal: ranks 2, 3 and 4
    found = metrics(scored(table), lists([0], [[1, 2, 3, 4]]), ks=(1, 2, 3, 4))
    assert [found[f"hr@{k}"] for k in (1, 2, 3, 4)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


@pytest.mark.parametrize(
    ("ties", "hits", "reciprocal"),
    [("lost", [0, 0, 0, 1], 1 / 4), ("won", [0, 1, 1, 1], 1 / 2)],
)
def test_ties_lost_or_won(ties, hits, reciprocal):
    """One better, two equal: rank 4 where the test item is last of its equals, 2 where first."""
    table = [[3, 9, 3, 3, 1]]
    how = {"ks": (1, 2, 3, 4), "ties": ties}
    found = metrics(scored(table), lists([0], [[1, 2, 3, 4]]), **how)
    assert [found[f"hr@{k}"] for k in (1, 2, 3, 4)] == hits
    assert found["mrr"] == pytest.approx(reciprocal)
    distinct = [[3, 9, 4, 2, 1]]
    one, other = (
        metrics(scored(distinct), lists([0], [[1, 2, 3, 4]]), ties=t) for t in ("mean", ties)
    )
    assert one == other


def test_an_own_test_item_rivals_itself_where_lists_are_counted_naively():
    one, table = lists([0], [[0, 1]]), [[2, 1]]
    ranks = {
        (naive, ties): 1 / metrics(scored(table), one, naive=naive, ties=ties)["mrr"]
        for naive in (False, True)
        for ties in ("mean", "lost", "won")
    }
    assert [ranks[False, ties] for ties in ("mean", "lost", "won")] == [1, 1, 1]
    assert [ranks[True, ties] for ties in ("lost", "won")] == [2, 1]
    assert ranks[True, "mean"] == pytest.approx(1 / 0.75)


def test_metrics_are_means_of_the_values_of_lists():
    """Also where a user has several."""
    draw = np.random.default_rng(0)
    users, negatives = np.array([0, 0, 1, 1, 1]), draw.integers(1, 9, (5, 6))
    made = Candidates(users, np.zeros(5, np.int64), negatives)
    ranked = rank_candidates(scored(draw.random((2, 9))), made, CPU, ks=(1, 3))
    table = ranked.per_user()
    assert table["user"].tolist() == users.tolist()
    assert table.drop(columns="user").mean().to_dict() == pytest.approx(ranked.metrics, abs=1e-15)


# As measured before there were values of single lists: published records rest on these.
BEFORE = {
    None: {
        "hr@1": 0.054, "hr@5": 0.2496, "hr@10": 0.496, "hr@20": 0.9564, "ndcg@1": 0.054,
        "ndcg@5": 0.149990209322759, "ndcg@10": 0.22866779302251744,
        "ndcg@20": 0.3432734745892664, "mrr": 0.18209162710526486,
    },
    6: {
        "hr@1": 0.04856666666666666, "hr@5": 0.23979126984126983, "hr@10": 0.4728206349206349,
        "hr@20": 0.952054126984127, "ndcg@1": 0.04856666666666666,
        "ndcg@5": 0.1421019277305913, "ndcg@10": 0.2164256875951946,
        "ndcg@20": 0.33610413755628976, "mrr": 0.17481549278035755,
    },
}  # fmt: skip


@pytest.mark.parametrize("levels", [None, 6])
def test_values_are_those_of_before(levels):
    """To the last bits, which another processor may add up in another order."""
    random = np.random.default_rng(7)
    train, test = ((random.integers(0, 700, n), random.integers(0, 50, n)) for n in (9000, 2500))
    table = random.normal(size=(700, 50))
    if levels:
        table = random.integers(0, levels, (700, 50)) * 1.0
    both = tuple(np.concatenate(side) for side in zip(train, test, strict=True))
    made = drawn_candidates(test, both, 50, 20, 0)
    found = metrics(scored(table), made)
    assert found.keys() == BEFORE[levels].keys()
    for name, value in BEFORE[levels].items():
        assert found[name] == pytest.approx(value, rel=1e-15, abs=0)


def test_a_test_item_among_its_own_negatives_does_not_rival_itself():
    one = lists([0, 0], [[1, 0, 2], [1, 2, 3]])
    table = [[2, 1, 1, 9], [2, 1, 1, 1]]
    assert metrics(scored(table), one, ks=(1,))["hr@1"] == 1


def test_missing_negatives_are_none():
    short = lists([0], [[1, -1, -1]])
    found = metrics(scored([[1, 1, 5]]), short, ks=(1,))
    assert found["hr@1"] == pytest.approx(1 / 2)  # one equal rival


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_blocks_change_nothing_and_all_items_agree_with_the_full_ranking(block):
    """One test item a user, all unrated items as negatives: hit rate and NDCG are those of the full
    ranking."""
    draw = np.random.default_rng(0)
    users, items, table = np.arange(30), draw.integers(0, 20, 30), draw.standard_normal((30, 20))
    others = np.array([np.delete(np.arange(20), item) for item in items])
    found = metrics(scored(table), Candidates(users, items, others), ks=(5, 10), block=block)
    nothing = (np.array([], np.int64),) * 2
    unseen = UnseenItems(nothing, (users, items), 30, 20, CPU)
    full = unseen.rank(lambda u: torch.tensor(table)[u], ks=(5, 10)).metrics
    for name in ("hr@5", "hr@10", "ndcg@5", "ndcg@10"):
        assert found[name] == pytest.approx(full[name])


def test_drawn_negatives_are_different_unrated_items_and_all_of_them_come_up():
    rated = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 2, 3, 4])
    positives = np.array([0] * 200 + [1] * 200), np.array([0] * 200 + [2] * 200)
    made = drawn_candidates(positives, rated, n_items=8, n=3, seed=0)
    for row, user in enumerate(made.users):
        assert len(set(made.negatives[row])) == 3
        assert not set(made.negatives[row]) & set(rated[1][rated[0] == user])
    counts = np.bincount(made.negatives[made.users == 0].ravel(), minlength=8)
    assert counts[:2].sum() == 0
    np.testing.assert_allclose(counts[2:] / counts.sum(), 1 / 6, atol=0.03)
    assert np.array_equal(
        made.negatives, drawn_candidates(positives, rated, 8, 3, seed=0).negatives
    )
    assert not np.array_equal(
        made.negatives, drawn_candidates(positives, rated, 8, 3, seed=1).negatives
    )


def test_what_cannot_be_is_refused():
    rated = np.array([0, 0]), np.array([0, 1])
    with pytest.raises(ConfigError, match="User 0 has 1 unrated items, 2 are to be drawn"):
        drawn_candidates((np.array([0]), np.array([0])), rated, n_items=3, n=2, seed=0)
    with pytest.raises(ModelError, match="do not belong together"):
        Candidates(np.arange(2), np.arange(2), np.zeros((3, 4), np.int64))
    with pytest.raises(ConfigError, match="at least 1"):
        metrics(scored([[1.0, 2.0]]), lists([0], [[1]]), ks=(0,))
    with pytest.raises(ConfigError, match="Unknown ties 'first'"):
        metrics(scored([[1.0, 2.0]]), lists([0], [[1]]), ties="first")
    with pytest.raises(ModelError, match="NaN"):
        metrics(scored([[float("nan"), 2.0]]), lists([0], [[1]]))
    nobody = Candidates(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.int64))
    assert metrics(scored([[1.0]]), nobody) == {}
