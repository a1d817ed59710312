"""Diagnostics against scipy and scikit-learn, and the signatures on cases built to show or not to
show them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mean_squared_error

from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation import TopKDefinition, top_k
from bonmf_lib.evaluation.diagnostics import (
    SIGNATURES,
    calibration_numbers,
    diagnose,
    initialisation_variance,
    ordering_numbers,
    overfitting_numbers,
    rank_correlation,
    run_spread,
    sampling_spread,
)
from bonmf_lib.training.loop import History

BIASED, DISORDERED, UNSTABLE = SIGNATURES


def table(predict, seed=0, users=80, per_user=30):
    """Random ratings 1 to 5 with ``predict(rating, generator)`` for their predictions."""
    random = np.random.default_rng(seed)
    rating = random.integers(1, 6, users * per_user).astype(np.float64)
    user, item = np.divmod(np.arange(users * per_user), per_user)
    return pd.DataFrame(
        {"user": user, "item": item, "rating": rating, "predicted": predict(rating, random)}
    )


def good(rating, random):
    """The mean rating given what is seen of it through noise: calibrated by construction."""
    seen, levels = rating + random.normal(0, 1, len(rating)), np.arange(1, 6)
    weights = np.exp(-((seen[:, None] - levels) ** 2) / 2)
    return weights @ levels / weights.sum(1)


def present(found):
    return set(found.loc[found["present"], "signature"])


def evidence(found, quantity):
    row = found[found["quantity"].str.contains(quantity, regex=False)]
    assert len(row) == 1
    return row.iloc[0]


def test_regression_of_truth_on_prediction_equals_scipy():
    rows = table(good)
    found = calibration_numbers(rows["rating"].to_numpy(), rows["predicted"].to_numpy())
    line = stats.linregress(rows["predicted"], rows["rating"])
    assert (found["slope"], found["intercept"]) == pytest.approx((line.slope, line.intercept))
    assert found["bias"] == pytest.approx((rows["predicted"] - rows["rating"]).mean())


def test_calibration_error_by_hand():
    truth, predicted = np.array([1.0, 2.0, 4.0, 4.0]), np.array([2.0, 2.0, 3.0, 3.0])
    assert calibration_numbers(truth, predicted, bins=2)["ece"] == pytest.approx(
        (2 * 0.5 + 2 * 1.0) / 4
    )
    constant = calibration_numbers(truth, np.full(4, 3.0))
    assert np.isnan(constant["slope"])
    assert constant["ece"] == pytest.approx(0.25)


def test_calibration_error_of_distinct_predictions_equals_quantile_bins():
    rows = table(lambda rating, random: random.normal(3, 1, len(rating)))
    groups = rows.groupby(pd.qcut(rows["predicted"], 15))
    expected = (
        (groups["rating"].mean() - groups["predicted"].mean()).abs() * groups.size() / len(rows)
    )
    found = calibration_numbers(rows["rating"].to_numpy(), rows["predicted"].to_numpy())
    assert found["ece"] == pytest.approx(expected.sum(), abs=0.01)  # bins closed on the other side


def test_rank_correlation_equals_scipy_per_user():
    rows = table(lambda rating, random: np.round(good(rating, random)), users=20, per_user=12)
    rows.loc[rows["user"] == 3, "rating"] = 4.0  # left out
    rows.loc[rows["user"] == 4, "predicted"] = 4.0  # 0
    expected = [
        0.0 if user == 4 else stats.spearmanr(group["rating"], group["predicted"]).statistic
        for user, group in rows.groupby("user")
        if user != 3
    ]
    arrays = [rows[name].to_numpy() for name in ("user", "rating", "predicted")]
    assert rank_correlation(*arrays) == pytest.approx(np.mean(expected))
    assert np.isnan(rank_correlation(np.array([0, 0]), np.ones(2), np.arange(2.0)))


@pytest.mark.parametrize("gain", ["exponential", "linear"])
def test_gain_is_1_for_a_perfect_order_and_0_for_random_ones(gain):
    definition = TopKDefinition(k=5, gain=gain)
    rows = table(lambda rating, random: rating, per_user=12)
    users, truth = rows["user"].to_numpy(), rows["rating"].to_numpy()
    perfect = ordering_numbers(users, truth, truth, definition)
    assert (
        perfect["precision gain"] == perfect["ndcg gain"] == perfect["spearman"] == pytest.approx(1)
    )
    random = np.random.default_rng(1)
    draws = [
        ordering_numbers(users, truth, random.normal(size=len(truth)), definition)
        for _ in range(60)
    ]
    for name in ("precision gain", "ndcg gain", "spearman"):
        assert np.mean([draw[name] for draw in draws]) == pytest.approx(0, abs=0.02)
    found = top_k(users, truth, truth[::-1], definition)
    assert ordering_numbers(users, truth, truth[::-1], definition)["ndcg"] == pytest.approx(
        np.nanmean(found["ndcg"])
    )


def test_spreads_equal_their_definitions():
    random = np.random.default_rng(0)
    mse = [0.7, 0.72, 0.75]
    assert run_spread(mse) == pytest.approx(np.std(mse, ddof=1) / np.mean(mse))
    assert np.isnan(run_spread([0.7]))
    truth, predictions = random.normal(size=500), random.normal(size=(4, 500))
    single = np.mean([mean_squared_error(truth, row) for row in predictions])
    together = mean_squared_error(truth, predictions.mean(0))
    assert single == pytest.approx(together + initialisation_variance(predictions) * 3 / 4)


def test_runs_that_differ_in_their_test_ratings_only_spread_as_sampling_says():
    tables = [table(good, seed, users=20) for seed in range(300)]
    mse = [mean_squared_error(rows["rating"], rows["predicted"]) for rows in tables]
    expected = np.mean(
        [
            sampling_spread(rows["rating"].to_numpy(), rows["predicted"].to_numpy())
            for rows in tables
        ]
    )
    assert run_spread(mse) == pytest.approx(expected, rel=0.1)


def test_overfitting_by_hand():
    found = overfitting_numbers(History([1.0, 0.6, 0.3], [0.9, 0.8, 1.0], [1.0] * 3))
    assert found == pytest.approx({"gap": 0.7, "rise": 0.25})
    assert np.isnan(overfitting_numbers(History([1.0], [float("nan")], [1.0]))["gap"])


def test_a_good_model_shows_no_signature():
    found = diagnose(
        [table(good, seed, users=600) for seed in range(5)], [History([0.5], [0.5], [1.0])] * 5
    )
    assert present(found) == set()
    assert not found.loc[found["role"] == "evidence", "holds"].any()
    # no predictions over initialisations were given
    assert found["value"].notna().sum() == len(found) - 1


def test_noise_has_a_high_error_and_low_precision():
    found = diagnose(table(lambda rating, random: random.normal(3, 1.5, len(rating))))
    assert present(found) == {BIASED}
    assert evidence(found, "slope")["holds"]
    assert not evidence(found, "|bias|")["holds"]


def test_a_constant_off_the_mean_is_biased():
    found = diagnose(table(lambda rating, random: np.full(len(rating), 4.0)))
    assert present(found) == {BIASED}
    assert evidence(found, "|bias|")["holds"]
    assert evidence(found, "calibration error")["holds"]


def test_a_constant_bias_keeps_the_order_and_shows_in_the_evidence_only():
    found = diagnose(table(lambda rating, random: good(rating, random) + 2))
    assert present(found) == set()
    assert evidence(found, "MSE / variance of the ratings")["holds"]
    assert evidence(found, "|bias|")["holds"]
    assert not evidence(found, "slope")["holds"]


def test_fours_above_fives_are_the_wrong_order():
    found = diagnose(
        table(lambda rating, random: np.select([rating == 4, rating == 5], [5.0, 4.0], 2.0)),
        definition=TopKDefinition(k=5),
    )
    assert present(found) == {DISORDERED}
    reverse = diagnose(table(lambda rating, random: 6 - rating))
    assert DISORDERED not in present(reverse)  # precision is low too
    assert evidence(reverse, "rank correlation")["holds"]


def test_runs_of_unequal_error_are_unstable():
    noisy = [
        table(lambda rating, random, s=seed: good(rating, random) + s / 4, seed)
        for seed in range(4)
    ]
    histories = [History([0.9, 0.1], [0.8, 1.0], [1.0, 1.0])]
    spread = np.random.default_rng(0).normal(3, 1, (3, len(noisy[0])))
    found = diagnose(noisy, histories, spread)
    assert present(found) == {UNSTABLE}
    for quantity in ("drawing the test", "initialisations", "training loss", "rise"):
        assert evidence(found, quantity)["holds"]
    assert UNSTABLE not in present(diagnose(noisy[:1], histories))  # one run has no spread


def test_every_row_names_number_threshold_and_answer():
    found = diagnose(table(good))
    assert list(found.columns) == [
        "signature", "reading", "role", "quantity", "value", "comparison", "threshold", "holds",
        "present",
    ]  # fmt: skip
    assert list(found["signature"].unique()) == list(SIGNATURES)
    assert found["threshold"].notna().all()
    assert found["holds"].dtype == found["present"].dtype == bool


def test_bad_tables():
    rows = table(good)
    with pytest.raises(RecordError, match="columns user, item, rating, predicted"):
        diagnose(rows.drop(columns="rating"))
    with pytest.raises(RecordError, match="not finite"):
        diagnose(rows.assign(predicted=np.nan))
    with pytest.raises(RecordError, match="do not fit"):
        diagnose(rows, initialisations=np.zeros((2, 3)))
    with pytest.raises(RecordError, match="R >= 2"):
        diagnose(rows, initialisations=np.zeros((1, len(rows))))
    with pytest.raises(RecordError, match="at least one"):
        diagnose([])
