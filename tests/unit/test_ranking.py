"""Full-ranking metrics against a reference written user by user, with ties, masked items and short
lists."""

import math

import numpy as np
import pytest
import torch

from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.evaluation.ranking import ranking_metrics
from tests.conftest import CPU

USERS, ITEMS = 60, 45


def reference(scores, train, test, ks, ties):
    """The same from sets and sorted lists; ``ties`` orders equal scores."""
    rows = []
    for user in sorted(set(test[0].tolist())):
        wanted = set(test[1][test[0] == user].tolist())
        seen = set(train[1][train[0] == user].tolist())
        candidates = [item for item in range(scores.shape[1]) if item not in seen]
        ranked = sorted(candidates, key=lambda item: (-scores[user, item], ties[item]))
        row = {}
        for k in ks:
            hits = [item in wanted for item in ranked[:k]]
            dcg = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
            ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(wanted))))
            row |= {f"precision@{k}": sum(hits) / k, f"recall@{k}": sum(hits) / len(wanted)}
            row |= {f"ndcg@{k}": dcg / ideal, f"hr@{k}": float(any(hits))}
        rows.append(row)
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def pairs(random, count, users=USERS):
    return random.integers(0, users, count), random.integers(0, ITEMS, count)


@pytest.mark.parametrize("levels", [None, 4, 1])  # distinct scores, many ties, all equal
@pytest.mark.parametrize("block", [1, 7, 256])
def test_equals_the_reference(levels, block):
    random = np.random.default_rng(1)
    # pairs repeat and overlap; 20 users have no test
    train, test = (
        pairs(random, 900),
        pairs(random, 250, users=40),
    )
    scores = (
        random.normal(size=(USERS, ITEMS))
        if levels is None
        else random.integers(0, levels, (USERS, ITEMS)) * 1.0
    )
    table = torch.from_numpy(scores)
    ks = (1, 5, 10, 20, 100)  # 100: longer than the list of items
    found = ranking_metrics(lambda users: table[users], train, test, USERS, ITEMS, ks, CPU, block)
    ties = np.argsort(np.random.default_rng(0).permutation(ITEMS))
    expected = reference(scores, train, test, ks, ties)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected)
    torch.testing.assert_close(table, torch.from_numpy(scores))


def test_by_hand():
    """Items 0 to 4 in this order, 0 trained on: the list is 1 2 3 4, wanted are 2, 4 and the masked
    0."""
    table = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    zeros = np.zeros(3, np.int64)
    found = ranking_metrics(
        lambda users: table[users],
        (zeros[:1], np.array([0])),
        (zeros, np.array([2, 4, 0])),
        1,
        5,
        (1, 2),
        CPU,
    )
    assert found["precision@1"] == found["hr@1"] == found["ndcg@1"] == 0
    assert found["precision@2"] == 0.5
    assert found["recall@2"] == pytest.approx(1 / 3)
    assert found["hr@2"] == 1
    assert found["ndcg@2"] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


def test_perfect_scores_reach_the_ideal_and_unscored_items_are_misses():
    random = np.random.default_rng(2)
    test = pairs(random, 200)
    perfect = torch.zeros(USERS, ITEMS)
    perfect[test] = 1.0
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    found = ranking_metrics(lambda users: perfect[users], nobody, test, USERS, ITEMS, (3, 45), CPU)
    assert (
        found["ndcg@3"]
        == found["ndcg@45"]
        == found["recall@45"]
        == found["hr@3"]
        == pytest.approx(1)
    )
    nothing = torch.full((USERS, ITEMS), -torch.inf)
    assert set(
        ranking_metrics(
            lambda users: nothing[users], nobody, test, USERS, ITEMS, (3,), CPU
        ).values()
    ) == {0.0}


def test_equal_scores_do_not_profit_from_the_order_of_the_ids():
    """Ids sorted by popularity must not make a constant score look like a popularity model."""
    test = (np.repeat(np.arange(50), 5), np.tile(np.arange(5), 50))
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    found = ranking_metrics(
        lambda users: torch.zeros(len(users), 500), nobody, test, 50, 500, (5,), CPU
    )
    assert found["recall@5"] < 0.5


def test_no_test_item_gives_no_metric():
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    assert (
        ranking_metrics(lambda users: torch.zeros(len(users), 5), nobody, nobody, 3, 5, device=CPU)
        == {}
    )


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"ks": (0, 5)}, ConfigError, "at least 1"),
        ({"ks": ()}, ConfigError, "at least 1"),
        ({"block": 0}, ConfigError, "at least 1"),
        ({"test": (np.array([9]), np.array([0]))}, ModelError, "user id is outside 0 to 2"),
        ({"train": (np.array([0]), np.array([-1]))}, ModelError, "item id is outside 0 to 4"),
        ({"score": lambda users: torch.zeros(len(users), 4)}, ModelError, r"gave \(1, 4\)"),
        ({"score": lambda users: torch.full((len(users), 5), torch.nan)}, ModelError, "NaN"),
    ],
)
def test_bad_requests(changes, error, message):
    one = (np.array([0]), np.array([0]))
    arguments = {
        "score": lambda users: torch.zeros(len(users), 5),
        "train": one,
        "test": one,
        "n_users": 3,
    }
    with pytest.raises(error, match=message):
        ranking_metrics(**(arguments | {"n_items": 5, "device": CPU} | changes))
