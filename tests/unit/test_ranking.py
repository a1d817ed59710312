"""Full-ranking metrics against a reference written user by user, with ties, masked items and short
lists."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import ndcg_score

from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.evaluation.ranking import KS, UnseenItems
from tests.conftest import CPU

USERS, ITEMS = 60, 45


def reference(scores, train, test, ks, ties):
    """The same of every user from sets and sorted lists; ``ties`` orders equal scores."""
    n_items = scores.shape[1]
    users_of = {item: set(train[0][train[1] == item].tolist()) for item in range(n_items)}
    counts = [len(users_of[item]) for item in range(n_items)]
    below = [sum(c < own for c in counts) + sum(c == own for c in counts) / 2 for own in counts]
    trained = len(set(train[0].tolist()))
    rows = {}
    for user in sorted(set(test[0].tolist())):
        wanted = set(test[1][test[0] == user].tolist())
        seen = set(train[1][train[0] == user].tolist())
        candidates = [item for item in range(n_items) if item not in seen]
        ranked = sorted(candidates, key=lambda item: (-scores[user, item], ties[item]))
        found = [place for place, item in enumerate(ranked, 1) if item in wanted]
        row = {"mrr": 1 / found[0] if found else 0.0}
        for k in ks:
            hits = [item in wanted for item in ranked[:k]]
            dcg = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
            ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(wanted))))
            row |= {f"precision@{k}": sum(hits) / k, f"recall@{k}": sum(hits) / len(wanted)}
            row |= {f"ndcg@{k}": dcg / ideal, f"hr@{k}": float(any(hits))}
            row[f"capped_recall@{k}"] = sum(hits) / min(k, len(wanted))
            row[f"popularity@{k}"] = np.mean([below[item] / n_items for item in ranked[:k]])
            bits = [-math.log2(max(counts[item], 1) / trained) for item in ranked[:k]]
            row[f"novelty@{k}"] = np.mean(bits)
        rows[user] = row | {f"list {k}": ranked[:k] for k in ks}
    return rows


def means_of(rows, ks) -> dict[str, float]:
    """Means over users; and the share of items in any list."""
    names = [name for name in next(iter(rows.values())) if not name.startswith("list")]
    found = {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
    for k in ks:
        listed = {item for row in rows.values() for item in row[f"list {k}"]}
        found[f"coverage@{k}"] = len(listed) / ITEMS
    return found


def pairs(random, count, users=USERS):
    return random.integers(0, users, count), random.integers(0, ITEMS, count)


def ranked(score, train, test, n_users, n_items, ks=KS, block=256):
    return UnseenItems(train, test, n_users, n_items, CPU).rank(score, ks, block)


def metrics(*arguments, **named):
    return ranked(*arguments, **named).metrics


def test_one_preparation_ranks_by_any_number_of_scores():
    random = np.random.default_rng(5)
    parts = pairs(random, 900), pairs(random, 250, users=40)
    tables = [torch.from_numpy(random.normal(size=(USERS, ITEMS))) for _ in range(2)]
    unseen = UnseenItems(*parts, USERS, ITEMS, CPU)
    found = [unseen.rank(lambda users, own=table: own[users]).metrics for table in tables * 2]
    anew = [metrics(lambda users, own=table: own[users], *parts, USERS, ITEMS) for table in tables]
    assert found == anew * 2 and anew[0] != anew[1]


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
    found = metrics(lambda users: table[users], train, test, USERS, ITEMS, ks, block)
    ties = np.argsort(np.random.default_rng(0).permutation(ITEMS))
    rows = reference(scores, train, test, ks, ties)
    expected = means_of(rows, ks)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)
    torch.testing.assert_close(table, torch.from_numpy(scores), rtol=0, atol=0)
    each = ranked(lambda users: table[users], train, test, USERS, ITEMS, ks, block).per_user()
    assert each["user"].tolist() == list(rows)
    assert set(each.columns) == {"user"} | {name for name in found if "coverage" not in name}
    for name in each.columns[1:]:
        own = [row[name] for row in rows.values()]
        np.testing.assert_allclose(each[name], own, rtol=1e-12, atol=1e-12, err_msg=name)


# As measured before there were values of single users: published records rest on these.
BEFORE = {
    None: {
        "precision@5": 0.08052708638360176, "precision@10": 0.07569546120058565,
        "precision@20": 0.07393850658857981, "recall@5": 0.11510783425131889,
        "recall@10": 0.21514269446187453, "recall@20": 0.42129784563898764,
        "ndcg@5": 0.10318448638093132, "ndcg@10": 0.14712604894751558,
        "ndcg@20": 0.22198835139261588, "hr@5": 0.3601756954612006,
        "hr@10": 0.5592972181551976, "hr@20": 0.8008784773060029,
    },
    6: {
        "precision@5": 0.07496339677891654, "precision@10": 0.0698389458272328,
        "precision@20": 0.06969253294289898, "recall@5": 0.10782321225220198,
        "recall@10": 0.1979984429105952, "recall@20": 0.39588998117548624,
        "ndcg@5": 0.10045900374846611, "ndcg@10": 0.14031919154815584,
        "ndcg@20": 0.21257410372614813, "hr@5": 0.33528550512445093,
        "hr@10": 0.5241581259150805, "hr@20": 0.7862371888726208,
    },
}  # fmt: skip


@pytest.mark.parametrize("levels", [None, 6])
def test_values_are_those_of_before(levels):
    """Three blocks of users, with distinct and with equal scores. To the last bits, which another
    processor may add up in another order."""
    random = np.random.default_rng(7)
    train, test = ((random.integers(0, 700, n), random.integers(0, 50, n)) for n in (9000, 2500))
    table = random.normal(size=(700, 50))
    if levels:
        table = random.integers(0, levels, (700, 50)) * 1.0
    found = metrics(lambda users: torch.from_numpy(table)[users], train, test, 700, 50)
    for name, value in BEFORE[levels].items():
        assert found[name] == pytest.approx(value, rel=1e-15, abs=0)


def test_ndcg_is_that_of_scikit_learn_without_ties():
    """Its candidates are all items, so nothing is trained on; scores differ."""
    random = np.random.default_rng(3)
    scores = random.permutation(USERS * ITEMS).reshape(USERS, ITEMS).astype(np.float64)
    test = tuple(np.unique(np.stack(pairs(random, 300)), axis=1))
    relevant = np.zeros((USERS, ITEMS))
    relevant[test] = 1
    nobody = np.zeros(0, np.int64)
    known = nobody, nobody
    found = ranked(lambda u: torch.from_numpy(scores)[u], known, test, USERS, ITEMS)
    for k in (5, 10, 20):
        expected = [ndcg_score(relevant[[u]], scores[[u]], k=k) for u in found.users]
        assert found.per_user()[f"ndcg@{k}"].tolist() == pytest.approx(expected, abs=1e-12)


def test_worked_example():
    """Three users' lists 012, 012, 210 with the relevant items {1, 2}, {0}, {0, 1, 2}. The ideal is
    that of all relevant items, not of the hits."""
    table = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    test = np.array([0, 0, 1, 2, 2, 2]), np.array([1, 2, 0, 0, 1, 2])
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    found = ranked(lambda users: table[users], nobody, test, 3, 3, (2,)).per_user()
    expected = {
        "ndcg@2": [0.386853, 1, 1],
        "recall@2": [0.5, 1, 0.666667],
        "capped_recall@2": [0.5, 1, 1],
        "mrr": [0.5, 1, 1],
    }
    for name, values in expected.items():
        assert found[name].tolist() == pytest.approx(values, abs=1e-6)


def test_by_hand():
    """Items 0 to 4 in this order, 0 trained on: the list is 1 2 3 4, wanted are 2, 4 and the masked
    0."""
    table = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    zeros = np.zeros(3, np.int64)
    found = metrics(
        lambda users: table[users],
        (zeros[:1], np.array([0])),
        (zeros, np.array([2, 4, 0])),
        1,
        5,
        (1, 2),
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
    found = metrics(lambda users: perfect[users], nobody, test, USERS, ITEMS, (3, 45))
    assert (
        found["ndcg@3"]
        == found["ndcg@45"]
        == found["recall@45"]
        == found["hr@3"]
        == pytest.approx(1)
    )
    nothing = torch.full((USERS, ITEMS), -torch.inf)
    assert set(
        metrics(lambda users: nothing[users], nobody, test, USERS, ITEMS, (3,)).values()
    ) == {0.0}


def test_equal_scores_do_not_profit_from_the_order_of_the_ids():
    """Ids sorted by popularity must not make a constant score look like a popularity model."""
    test = (np.repeat(np.arange(50), 5), np.tile(np.arange(5), 50))
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    found = metrics(lambda users: torch.zeros(len(users), 500), nobody, test, 50, 500, (5,))
    assert found["recall@5"] < 0.5


@pytest.mark.parametrize("scores", [0.0, 1.0])
def test_constant_scores_hit_as_seldom_as_chance(scores):
    """Not always, as where the test item is counted before its equals."""
    test = np.arange(400), np.random.default_rng(0).integers(0, 1000, 400)
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    found = metrics(
        lambda users: torch.full((len(users), 1000), scores), nobody, test, 400, 1000, (10,)
    )
    assert found["hr@10"] < 0.04 and found["mrr"] < 0.04
    assert found["coverage@10"] == 10 / 1000


def test_how_known_and_how_new_lists_are():
    """Item 0 has four training users, 1 and 2 have two, 3 has none; everybody's list is 0 3."""
    train = np.array([0, 1, 2, 3, 0, 1, 2, 3]), np.array([0, 0, 0, 0, 1, 1, 2, 2])
    table = torch.tensor([9.0, 1.0, 2.0, 8.0]).expand(6, 4)
    test = np.array([4, 5]), np.array([1, 1])
    found = metrics(lambda users: table[users], train, test, 6, 4, (1, 2))
    assert found["popularity@1"] == pytest.approx(3.5 / 4)
    assert found["popularity@2"] == pytest.approx((3.5 + 0.5) / 2 / 4)
    assert found["novelty@1"] == 0  # everybody who trains has it
    assert found["novelty@2"] == pytest.approx(2 / 2)  # nobody has 3, which counts as one of four
    assert found["coverage@1"] == 1 / 4 and found["coverage@2"] == 2 / 4


def test_no_test_item_gives_no_metric():
    nobody = (np.empty(0, np.int64), np.empty(0, np.int64))
    assert metrics(lambda users: torch.zeros(len(users), 5), nobody, nobody, 3, 5) == {}


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
        metrics(**(arguments | {"n_items": 5} | changes))
