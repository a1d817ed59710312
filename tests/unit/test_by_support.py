"""Errors and lists by training ratings, by hand and as parts of a whole."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.claims.judge import LOWER_IS_BETTER
from bonmf_lib.evaluation import TopKDefinition, rating_metrics
from bonmf_lib.evaluation.by_support import (
    BUCKETS,
    BY_SUPPORT,
    COLD_PARTS,
    SIDES,
    HeldOut,
    buckets,
    metric_of,
    support_metrics,
)
from bonmf_lib.report.figures.style import metric_label
from bonmf_lib.splits.rules import ColdItems, Ratio

DEFINITION = TopKDefinition()


def test_buckets_begin_where_they_say():
    counts = np.array([0, 1, 4, 5, 9, 10, 19, 20, 999])
    assert [BUCKETS[place] for place in buckets(counts)] == [
        "0", "1-4", "1-4", "5-9", "5-9", "10-19", "10-19", "20+", "20+",
    ]  # fmt: skip


def test_a_tiny_table_by_hand():
    tested = HeldOut(
        users=np.array([0, 0, 0, 1]),
        truth=np.array([5.0, 1.0, 3.0, 4.0]),
        predicted=np.array([1.0, 2.0, 3.0, 2.0]),
        support={"item": np.array([0, 0, 7, 0]), "user": np.array([3, 3, 3, 50])},
    )
    found = support_metrics(tested, DEFINITION)
    assert found["tested-items-0"] == 3
    assert found["mse-items-0"] == pytest.approx((16 + 1 + 4) / 3)
    assert found["mse-items-5-9"] == 0
    # user 0's two unrated items alone make a list: the worse one stands first
    wrong, right = 1 + 31 / np.log2(3), 31 + 1 / np.log2(3)
    assert found["ndcg@10-items-0"] == pytest.approx(wrong / right)
    assert found["precision@10-items-0"] == pytest.approx(0.5)
    assert "ndcg@10-items-5-9" not in found  # one rating is always in order
    assert found["mse-users-1-4"] == pytest.approx((16 + 1 + 0) / 3)
    assert found["mse-cold-items"] == pytest.approx((16 + 1 + 4) / 3)
    assert found["mse-cold-both"] == pytest.approx((16 + 1) / 2)
    assert found["tested-cold-both"] == 2
    assert "mse-items-20+" not in found


def trained(dataset, split):
    draw = np.random.default_rng(0)
    table = dataset.ratings.iloc[split.test][["user", "item", "rating"]].reset_index(drop=True)
    noise = draw.normal(0, 1, len(table))
    predicted = (table["rating"] + noise).clip(1, 5)
    table = table.assign(predicted=predicted)
    return SimpleNamespace(dataset=dataset, split=split, predictions=lambda: table), table


@pytest.mark.parametrize("rule", [Ratio(keep=0.1), ColdItems()])
def test_buckets_are_parts_of_the_whole(planted, rule):
    stub, table = trained(planted, rule.split(planted, 0))
    found = BY_SUPPORT.of(stub)
    for side in SIDES:
        counts = pd.Series({b: found.get(metric_of("tested", side, b), 0) for b in BUCKETS})
        errors = pd.Series({b: found.get(metric_of("mse", side, b), 0.0) for b in BUCKETS})
        assert counts.sum() == len(table)
        assert (counts * errors).sum() / counts.sum() == pytest.approx(found["mse"])
    usual = rating_metrics(*(table[c].to_numpy() for c in ("user", "rating", "predicted")))
    assert {name: found[name] for name in usual} == usual
    if rule == ColdItems():
        assert found["mse-items-0"] == found["mse"] == found["mse-cold-items"]


def test_all_errors_are_better_when_lower_and_have_names_to_read():
    for side in SIDES:
        for bucket in BUCKETS:
            assert metric_of("mse", side, bucket) in LOWER_IS_BETTER
            assert metric_of("ndcg@10", side, bucket) not in LOWER_IS_BETTER
    assert set(COLD_PARTS) < set(LOWER_IS_BETTER)
    assert metric_label("mse-items-1-4") == "MSE, items with 1-4 training ratings"
    assert metric_label("precision@10-users-20+") == "Precision@10, users with 20+ training ratings"
    assert metric_label("mse-cold-items") == "MSE on items with < 5 ratings"
    assert metric_label("ndcg@10") == "NDCG@10"
