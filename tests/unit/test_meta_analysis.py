"""Effects on several data sets: against statsmodels' own numbers, a hand-computed case, and
simulated coverage."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.meta_analysis import combine_effects

from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation import mean_interval
from bonmf_lib.evaluation.meta_analysis import random_effects
from bonmf_lib.evaluation.significance import Estimate, standard_error


def estimate(mean: float, error: float, seeds: int = 5) -> Estimate:
    half = error * stats.t.ppf(0.975, seeds - 1)
    return Estimate(mean, mean - half, mean + half, seeds)


def test_the_standard_error_is_that_of_the_interval():
    values = np.array([1.0, 2.0, 4.0, 3.0])
    expected = values.std(ddof=1) * np.sqrt(1 / 4 + 0.3 / 0.7)
    assert standard_error(mean_interval(values, 0.3)) == pytest.approx(expected)
    assert np.isnan(standard_error(mean_interval(values[:1], 0.3)))


def test_equal_errors_give_the_plain_t_interval_of_the_effects():
    means = np.array([1.0, 5.0, 9.0])
    found = random_effects([estimate(mean, 1.0) for mean in means])
    low, high = stats.t.interval(0.95, 2, means.mean(), means.std(ddof=1) / np.sqrt(3))
    assert (found.effect.mean, found.effect.n) == (5.0, 3)
    assert (found.effect.low, found.effect.high) == pytest.approx((low, high))
    assert found.tau**2 == pytest.approx(16 - 1)  # spread of the means less that within
    assert found.i2 == pytest.approx(1 - 2 / 32)  # Q = 32 with 2 degrees of freedom
    assert found.heterogeneity == pytest.approx(np.exp(-16))  # chi2 with 2: exp(-Q / 2)
    assert found.effect.p_value == pytest.approx(stats.ttest_1samp(means, 0).pvalue)
    reach = stats.t.ppf(0.975, 1) * np.sqrt(15 + 16 / 3)
    assert (found.low_new, found.high_new) == pytest.approx((5 - reach, 5 + reach))


def test_unequal_errors_agree_with_statsmodels():
    means, errors = np.array([0.1, 0.9, 2.2, 1.0, 3.5]), np.array([0.2, 0.5, 0.4, 0.3, 0.9])
    found = random_effects([estimate(*pair) for pair in zip(means, errors, strict=True)])
    other = combine_effects(means, errors**2, use_t=True)
    assert other.scale_hksj_re > 0.99  # so that the correction narrows nothing
    assert (found.effect.low, found.effect.high) == pytest.approx(other.conf_int()[3], rel=1e-4)
    assert found.i2 == pytest.approx(other.i2)


def test_effects_that_agree_too_well_do_not_narrow_the_interval():
    found = random_effects([estimate(mean, 1.0) for mean in (2.0, 2.0, 2.001)])
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)
    assert found.effect.high - found.effect.mean == pytest.approx(half, rel=1e-3)
    assert (found.tau, found.i2) == (0, 0) and found.heterogeneity > 0.99


def test_two_data_sets_predict_no_third_and_one_has_no_summary():
    found = random_effects([estimate(1.0, 0.1), estimate(2.0, 0.1)])
    assert np.isnan([found.low_new, found.high_new]).all()
    assert found.effect.low < 0 < found.effect.high  # t with one degree of freedom
    assert random_effects([estimate(1.0, 0.1)]) is None


@pytest.mark.parametrize("bad", [mean_interval(np.ones(1), 0.3), mean_interval(np.ones(3), 0.3)])
def test_an_effect_without_uncertainty_is_refused(bad):
    with pytest.raises(RecordError, match="at least two seeds"):
        random_effects([estimate(1.0, 0.1), bad])


def test_intervals_cover_and_predictions_predict():
    random, covered, predicted = np.random.default_rng(0), [], []
    for _ in range(400):
        errors = random.uniform(0.5, 2, 8)
        own = 3 + 2 * random.standard_normal(9)
        measured = own[:8] + errors * random.standard_normal(8)
        found = random_effects([estimate(*p) for p in zip(measured, errors, strict=True)])
        covered.append(found.effect.low <= 3 <= found.effect.high)
        predicted.append(found.low_new <= own[8] <= found.high_new)
    assert 0.92 <= np.mean(covered) <= 0.99
    assert 0.89 <= np.mean(predicted) <= 0.98  # tau is estimated too, so a little less
