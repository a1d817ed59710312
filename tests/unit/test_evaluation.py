"""Metrics and intervals against scikit-learn, scipy, and small cases by hand."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error, ndcg_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from bonmf_lib.datasets import RatingScale
from bonmf_lib.errors import ConfigError
from bonmf_lib.evaluation import (
    TopKDefinition,
    equivalence,
    holm,
    mean_interval,
    paired_difference,
    rating_metrics,
    top_k,
)
from bonmf_lib.evaluation.names import metric_name
from bonmf_lib.evaluation.rating import COLD, cold_errors, definition_on, relevance_threshold


@pytest.fixture
def case():
    random = np.random.default_rng(0)
    users = random.integers(0, 30, 600)
    return (
        users,
        random.integers(1, 6, 600).astype(np.float32),
        random.normal(3.5, 1, 600).astype(np.float32),
    )


def test_errors_equal_scikit_learn(case):
    found = rating_metrics(*case)
    assert found["mse"] == pytest.approx(mean_squared_error(case[1], case[2]))
    assert found["rmse"] == pytest.approx(np.sqrt(mean_squared_error(case[1], case[2])))
    assert found["mae"] == pytest.approx(mean_absolute_error(case[1], case[2]))


@pytest.mark.parametrize("gain", ["exponential", "linear"])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_ndcg_equals_scikit_learn_per_user(case, gain, k):
    users, truth, predicted = case
    found = top_k(*case, TopKDefinition(k=k, gain=gain))
    for user, value in zip(found["user"], found["ndcg"], strict=True):
        mine = users == user
        gains = np.exp2(truth[mine]) - 1 if gain == "exponential" else truth[mine]
        assert value == pytest.approx(ndcg_score([gains], [predicted[mine]], k=k))


def test_precision_and_recall_by_hand():
    #           user 7: order b a c -> relevant 0, 1, 1;  user 9: one item, not relevant
    users = np.array([7, 7, 7, 9])
    truth = np.array([5.0, 2.0, 4.0, 3.0])
    predicted = np.array([3.0, 4.0, 1.0, 5.0])
    two = top_k(users, truth, predicted, TopKDefinition(k=2))
    assert two["user"].tolist() == [7, 9]
    assert two["precision"].tolist() == [0.5, 0.0]
    assert two["recall"][0] == 0.5
    assert np.isnan(two["recall"][1])
    strict = top_k(users, truth, predicted, TopKDefinition(k=2, threshold=5.0))
    assert strict["recall"][0] == 1.0


def test_ties_do_not_profit_from_the_order_of_the_rows():
    """A file sorted by rating must not make a constant predictor look like a perfect one."""
    users, truth = np.repeat(np.arange(50), 20), np.tile(np.linspace(5, 1, 20), 50)
    constant = top_k(users, truth, np.zeros(1000), TopKDefinition(k=5))["ndcg"].mean()
    perfect = top_k(users, truth, truth, TopKDefinition(k=5))["ndcg"].mean()
    assert perfect == 1
    assert constant < 0.6
    assert constant == top_k(users, truth, np.zeros(1000), TopKDefinition(k=5))["ndcg"].mean()


def test_other_scales_have_a_threshold_and_leave_undefined_metrics_out():
    assert relevance_threshold(1, 5) == 4
    users, truth = np.array([0, 0, 1, 1]), np.array([0.0, 0.0, 1.0, 0.0], np.float32)
    found = rating_metrics(users, truth, truth, definition_on(RatingScale(0, 1, 1)))
    # user 0 has nothing to find and is not counted
    assert found["recall@1"] == found["ndcg-linear@10"] == 1
    nothing = rating_metrics(
        users, np.zeros(4, np.float32), truth, definition_on(RatingScale(0, 1, 1))
    )
    assert "recall@1" not in nothing
    assert all(np.isfinite(value) for value in nothing.values())


@pytest.mark.case(
    "data",
    "a scale that goes below zero",
    "gains of NDCG count from its low end, so NDCG stays in [0, 1]",
)
def test_ndcg_stays_between_0_and_1_on_a_scale_below_zero():
    random = np.random.default_rng(0)
    users, truth = random.integers(0, 40, 400), random.integers(-10, 11, 400).astype(np.float32)
    definition = definition_on(RatingScale(-10, 10, 1))
    worst, best = (top_k(users, truth, sign * truth, definition)["ndcg"] for sign in (-1, 1))
    assert np.nanmin(worst) >= 0
    assert np.nanmax(best) == np.nanmin(best) == 1
    assert definition.threshold == 5
    assert definition_on(RatingScale(1, 5, 1)) == TopKDefinition()  # MovieLens' is the study's own


def test_cold_errors_by_hand():
    counts = np.array([COLD - 1, COLD, 100, 0])  # items 0 and 3 are cold
    items = np.array([0, 1, 2, 3, 0])
    truth = np.array([4.0, 5.0, 1.0, 2.0, 3.0], np.float32)
    predicted = np.array([3.0, 1.0, 5.0, 4.0, 3.0], np.float32)
    cold, warm = (1 + 4 + 0) / 3, (16 + 16) / 2
    found = cold_errors(items, truth, predicted, counts)
    assert found == {"mse-cold-items": pytest.approx(cold), "mse-warm-items": pytest.approx(warm)}


def test_no_cold_item_in_the_test_part_is_no_metric():
    items, ratings = np.array([1, 1]), np.array([4.0, 5.0], np.float32)
    counts = np.array([0, COLD])  # item 0 is cold but not tested
    assert list(cold_errors(items, ratings, ratings, counts)) == ["mse-warm-items"]


@pytest.mark.parametrize("values", [{"k": 0}, {"gain": "square"}])
def test_bad_definitions(values):
    with pytest.raises(ConfigError):
        TopKDefinition(**values)


def test_interval_without_overlap_is_the_t_interval():
    values = np.array([0.71, 0.74, 0.73, 0.72, 0.75])
    found = mean_interval(values, test_share=0.0)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_interval_of_random_splits_follows_nadeau_and_bengio():
    values = np.array([1.0, 2.0, 3.0, 4.0])
    found = mean_interval(values, test_share=0.3)
    half = stats.t.ppf(0.975, 3) * np.sqrt(values.var(ddof=1) * (1 / 4 + 0.3 / 0.7))
    assert found.high - found.mean == pytest.approx(half)


def test_corrected_interval_covers_where_the_naive_one_does_not():
    """Means over overlapping random splits of one sample: the corrected interval keeps its promise
    better."""
    random = np.random.default_rng(0)
    hits = {0.0: 0, 0.3: 0}
    for _ in range(300):
        sample = random.normal(size=60)
        means = np.array([random.permutation(sample)[:18].mean() for _ in range(5)])
        for share in hits:
            found = mean_interval(means, share)
            hits[share] += found.low <= 0 <= found.high
    assert hits[0.3] > hits[0.0]
    assert hits[0.3] / 300 > 0.9


def test_equivalence_is_two_one_sided_tests():
    random = np.random.default_rng(0)
    ours = random.normal(1, 0.1, 8)
    theirs = ours + random.normal(0.02, 0.05, 8)
    for margin in (0.01, 0.03, 0.06):
        found = equivalence(ours, theirs, margin, 0.0)
        assert found.p_value == pytest.approx(
            ttost_paired(ours, theirs, -margin, margin)[0], rel=1e-9
        )
        assert (found.p_value < 0.05) == (-margin < found.low and found.high < margin)
    assert (
        equivalence(ours, theirs, 0.06, 0.3).p_value > equivalence(ours, theirs, 0.06, 0.0).p_value
    )
    assert equivalence(ours, ours, 0.01, 0.3).p_value == 0
    assert np.isnan(equivalence(ours[:1], theirs[:1], 0.01, 0.3).p_value)


def test_paired_difference_uses_the_pairs():
    ours, theirs = np.array([1.0, 2.0, 3.0]), np.array([1.1, 2.1, 3.1])
    found = paired_difference(ours, theirs, 0.3)
    assert found.mean == pytest.approx(-0.1)
    assert found.excludes_zero


def test_single_seed_has_no_interval():
    assert np.isnan(mean_interval(np.array([0.7]), 0.3).low)


def test_holm_by_hand():
    assert holm([0.01, 0.04, float("nan"), 0.03])[:2] == pytest.approx([0.03, 0.06])
    assert np.isnan(holm([0.01, 0.04, float("nan"), 0.03])[2])
    assert holm([]) == []


@pytest.mark.parametrize("size", [1, 2, 7, 60])
def test_holm_is_that_of_statsmodels(size):
    random = np.random.default_rng(size)
    for p_values in (random.random(size), random.random(size).round(1), random.random(size) ** 4):
        expected = multipletests(p_values, method="holm")[1]
        assert holm(p_values.tolist()) == pytest.approx(expected, rel=1e-15, abs=0)


def test_metrics_are_called_as_readers_know_them():
    known = {"mse": "MSE", "ndcg@10": "NDCG@10", "recall@20": "Recall@20", "hr@10": "HR@10"}
    assert {metric: metric_name(metric) for metric in known} == known
    assert metric_name("mse-cold-items") == "MSE of items with fewer than 5 training ratings"
