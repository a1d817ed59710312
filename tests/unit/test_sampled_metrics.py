"""Sampled metrics: their expectation against draws and printed numbers, and the pairs they turn."""

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.errors import ConfigError
from bonmf_lib.studies.sampled_metrics import (
    SAME,
    TURNED,
    UNTOLD,
    chance_curve,
    example,
    expected_values,
    last_likely_rank,
    orders_sentence,
    pair_orders,
    values_at,
)


def test_krichene_and_rendles_example_turns():
    table = example().reset_index().pivot(index="ranker", columns="metric")  # noqa: PD010 - no pooling
    recall, ndcg = (
        table.xs(name, axis=1, level="metric").round(3) for name in ("recall@10", "ndcg")
    )
    assert recall["full"].tolist() == [0, 0, 0.2]
    assert recall["sampled"].tolist() == [1, 0.4, 0.569]
    assert ndcg["full"].tolist() == [0.150, 0.122, 0.208]
    assert ndcg["sampled"].tolist() == [0.729, 0.447, 0.460]


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("metric", ["hr@10", "ndcg@10", "ndcg", "mrr"])
def test_expectations_are_means_over_draws(metric, again):
    random, n_items, drawn = np.random.default_rng(0), 60, 20
    for rank in (1, 7, 25, 60):
        others = np.delete(np.arange(1, n_items + 1), rank - 1)
        draws = [random.choice(others, drawn, replace=again) for _ in range(4000)]
        places = 1 + (np.array(draws) < rank).sum(1)
        found = expected_values(metric, np.array([rank]), n_items, drawn, again).item()
        assert found == pytest.approx(values_at(metric, places).mean(), abs=0.02)


def test_first_and_last_stay_first_and_last():
    found = expected_values("ndcg@10", np.array([1, 3541]), 3541)
    assert found.tolist() == [1.0, 0.0]
    whole = expected_values("ndcg", np.arange(1, 101), 100, 99, again=False)
    assert whole == pytest.approx(values_at("ndcg", np.arange(1, 101)))  # all items are drawn


def test_an_item_that_a_full_ranking_hides_still_hits_half_the_time():
    curve = chance_curve(3541)
    assert curve.loc[340, "sampled"] == pytest.approx(0.52, abs=0.005)
    assert last_likely_rank(curve) == 345
    assert curve["sampled"].diff().max() < 1e-12
    assert curve["full"].sum() == 10


@pytest.mark.parametrize("metric", ["hr", "auc", "hr@0", "hr@ten", "hr@10,"])
def test_unknown_metrics_are_refused(metric):
    with pytest.raises(ConfigError, match="no metric of one rank"):
        values_at(metric, np.array([1]))


@pytest.mark.parametrize(
    ("ranks", "n_items", "drawn", "again"),
    [([0], 10, 5, True), ([11], 10, 5, True), ([1], 1, 1, True), ([1], 10, 10, False)],
)
def test_what_cannot_be_is_refused(ranks, n_items, drawn, again):
    with pytest.raises(ConfigError):
        expected_values("hr@10", np.array(ranks), n_items, drawn, again)


VALUES = pd.DataFrame(
    {"sampled": [0.72, 0.69, 0.45], "full": [0.107, 0.111, 0.041]}, ["1320", "250", "popularity"]
)


def intervals(**told: tuple[float, float]) -> pd.DataFrame:
    rows = [(*pair.split("_"), *ends) for pair, ends in told.items()]
    return pd.DataFrame(rows, columns=["variant", "other", "low", "high"])


def test_pairs_that_stand_the_other_way_round():
    pairs = pair_orders(VALUES)
    assert pairs["order"].tolist() == [TURNED, SAME, SAME]
    assert orders_sentence(pairs, "HR@10") == (
        "HR@10: of 3 pairs of models that both evaluations tell apart, each by its own intervals, "
        "1 stands the other way round among few items."
    )
    assert pairs.iloc[0]["full"] == pytest.approx(-0.004)


def test_pairs_that_an_interval_does_not_tell_apart_are_not_counted():
    sampled = intervals(**{"1320_250": (0.01, 0.05), "popularity_250": (-0.3, -0.2)})
    told = {"sampled": sampled, "full": sampled.assign(low=[-0.01, -0.1])}
    pairs = pair_orders(VALUES, told)
    assert pairs["order"].tolist() == [UNTOLD, UNTOLD, SAME]  # one interval holds 0, one is lacking
    assert orders_sentence(pairs, "MRR").endswith(
        "0 stand the other way round among few items; 2 more are not."
    )
    equal = VALUES.assign(full=0.1)
    assert set(pair_orders(equal)["order"]) == {UNTOLD}
    assert orders_sentence(pair_orders(equal), "MRR").startswith("MRR: none of 3 pairs")
