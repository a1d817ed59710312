"""Gains told from single predictions: against another library, hand-made cases, and draws in which
nothing is gained."""

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from bonmf_lib.evaluation.clustered import Clusters, clustered_mean, relative_gain

ALONE = {"folds": 1, "test_share": 1e-12}  # no other fold to overlap with


def drawn(seed: int, users: int = 60, items: int = 40, count: int = 900):
    """Values in which users and items differ; none of them is gained."""
    random = np.random.default_rng(seed)
    of_user, of_item = random.integers(users, size=count), random.integers(items, size=count)
    values = random.normal(size=users)[of_user] + random.normal(size=items)[of_item]
    return values + random.normal(size=count), of_user, of_item


def test_the_error_is_the_two_way_clustered_one():
    random = np.random.default_rng(0)
    pairs = random.permutation(60 * 40)[:900]  # no pair twice
    of_user, of_item = np.divmod(pairs, 40)
    values = random.normal(size=60)[of_user] + random.normal(size=40)[of_item]
    found = clustered_mean(values, Clusters(of_user, of_item, **ALONE))
    fitted = sm.OLS(values, np.ones(900)).fit()
    both = float(cov_cluster_2groups(fitted, of_user, of_item)[0][0, 0])
    half = (found.high - found.low) / 2
    assert half == pytest.approx(2.0227 * both**0.5, rel=1e-3)  # t with 39 degrees of freedom
    assert found.mean == pytest.approx(values.mean())


def test_a_gain_is_that_of_the_means_in_percent():
    users, items = np.arange(10) % 5, np.arange(10) // 2
    theirs = np.linspace(1, 3, 10)
    found = relative_gain(0.9 * theirs, theirs, Clusters(users, items, **ALONE))
    assert (found.mean, found.low, found.high) == pytest.approx((10, 10, 10))
    found = relative_gain(theirs[::-1], theirs, Clusters(users, items, **ALONE))
    assert found.mean == pytest.approx(0) and found.low < 0 < found.high


def test_overlapping_folds_widen_as_repeated_splits_do():
    values, users, items = drawn(1)
    alone = clustered_mean(values, Clusters(users, items, **ALONE))
    folds = clustered_mean(values, Clusters(users, items, 5, 0.2))
    ratio = (folds.high - folds.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(((1 / 5 + 0.2 / 0.8) / (1 / 5)) ** 0.5)


def test_where_nothing_is_gained_the_interval_holds_zero_nineteen_times_in_twenty():
    held = 0
    for seed in range(200):
        values, users, items = drawn(seed)
        found = clustered_mean(values, Clusters(users, items, **ALONE))
        held += found.low <= 0 <= found.high
    assert 180 <= held <= 198


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_users_tell_nothing(count):
    users = np.arange(count)
    found = relative_gain(np.ones(count), 2 * np.ones(count), Clusters(users, users, 5, 0.2))
    assert np.isnan(found.low) and np.isnan(found.p_value)
    assert np.isnan(found.mean) == (count == 0)


def test_whole_users_are_one_way():
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(50), 3)
    values = random.normal(size=50)[users]
    found = clustered_mean(values, Clusters(users, None, **ALONE))
    plain = random.normal(size=0)  # the fifty means are the sample
    means = values.reshape(50, 3)[:, 0]
    error = means.std(ddof=1) / 50**0.5
    assert len(plain) == 0
    assert (found.high - found.low) / 2 == pytest.approx(2.0096 * error, rel=1e-3)
