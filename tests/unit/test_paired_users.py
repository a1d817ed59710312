"""Differences told across users: against formulas, under resampled truths, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation.paired_users import (
    AcrossUsers,
    UserValues,
    difference_across_users,
    gain_across_users,
    mean_across_users,
)


def row(values: np.ndarray, seeds=None, users=None) -> UserValues:
    """Of values (users, seeds), one list per user."""
    seeds = range(values.shape[1]) if seeds is None else seeds
    users = np.arange(len(values)) if users is None else users
    tables = {
        seed: pd.DataFrame({"user": users, "hr@10": column})
        for seed, column in zip(seeds, values.T, strict=True)
    }
    return UserValues.of(tables, "hr@10")


def crossed(random, n_users: int, n_seeds: int, of_users=1.0, of_seeds=0.0, of_both=0.0):
    return (
        of_users * random.normal(size=(n_users, 1))
        + of_seeds * random.normal(size=(1, n_seeds))
        + of_both * random.normal(size=(n_users, n_seeds))
    )


def test_rows_that_no_seed_changes_have_the_paired_t_tests_error():
    random = np.random.default_rng(0)
    ours, theirs = random.normal(0.5, 1, 400), random.normal(0.3, 1, 400)
    found = difference_across_users(*(row(np.tile(x[:, None], 3)) for x in (ours, theirs)))
    difference = ours - theirs
    assert found.mean == pytest.approx(difference.mean(), abs=1e-12)
    assert found.error == pytest.approx(stats.sem(difference), rel=0.06)
    assert found.freedom == pytest.approx(399)
    known = stats.ttest_rel(ours, theirs)
    assert np.log(found.estimate().p_value) == pytest.approx(np.log(known.pvalue), rel=0.2)


@pytest.mark.parametrize(
    ("of_users", "of_seeds", "of_both"), [(1, 0, 0), (1, 0, 2), (0.2, 0.3, 0.5), (0, 1, 0)]
)
def test_the_error_is_that_of_other_users_and_other_seeds(of_users, of_seeds, of_both):
    """Mean squared errors over many tables are the variance of their means."""
    random, n_users, n_seeds = np.random.default_rng(1), 60, 4
    errors, freedom = [], []
    for _ in range(60):
        values = crossed(random, n_users, n_seeds, of_users, of_seeds, of_both)
        found = mean_across_users(row(values), draws=400)
        errors.append(found.error**2)
        freedom.append(found.freedom)
    true = of_users**2 / n_users + of_seeds**2 / n_seeds + of_both**2 / (n_users * n_seeds)
    assert np.mean(errors) == pytest.approx(true, rel=0.3)
    assert (np.median(freedom) < 5) == (of_seeds > 0)


def test_a_gain_is_in_percent_of_theirs_and_the_same_whatever_the_unit():
    random = np.random.default_rng(2)
    theirs = 1 + crossed(random, 200, 3, 0.3, 0.0, 0.1)
    ours = 1.1 * theirs
    gain = gain_across_users(row(ours), row(theirs))
    assert gain.mean == pytest.approx(10)
    assert gain.error == pytest.approx(0, abs=1e-9)
    other = 1 + crossed(random, 200, 3, 0.3, 0.0, 0.1)
    one, thousand = (gain_across_users(row(k * ours), row(k * other)) for k in (1, 1000))
    assert (one.mean, one.error) == pytest.approx((thousand.mean, thousand.error))
    back = one.negated().estimate()
    assert (back.mean, back.low, back.high) == pytest.approx(
        (-one.mean, -one.estimate().high, -one.estimate().low)
    )
    assert back.p_value == one.estimate().p_value


def test_the_same_tables_give_the_same_interval_and_wider_ones_at_higher_levels():
    values = crossed(np.random.default_rng(3), 50, 3, 1, 0.1, 1)
    first, again = mean_across_users(row(values)), mean_across_users(row(values))
    assert first == again
    narrow, wide = first.estimate(0.90), first.estimate(0.95)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high
    assert mean_across_users(row(values), seed=1).error != first.error


def test_one_seed_gives_a_mean_without_an_interval():
    found = mean_across_users(row(np.array([[0.0], [1.0]]))).estimate()
    assert found.mean == 0.5
    assert found.n == 1
    assert np.isnan([found.low, found.high, found.p_value]).all()


def test_equal_rows_do_not_differ():
    values = crossed(np.random.default_rng(4), 50, 3, 1, 0.1, 1)
    assert difference_across_users(row(values), row(values)).estimate().p_value == 1


def test_only_seeds_that_both_have_are_paired():
    random = np.random.default_rng(5)
    ours, theirs = crossed(random, 30, 3), crossed(random, 30, 3)
    found = difference_across_users(row(ours, (0, 1, 2)), row(theirs, (2, 1, 7)))
    assert found.seeds == (1, 2)
    assert found.mean == pytest.approx(ours[:, [1, 2]].mean() - theirs[:, [1, 0]].mean())


def test_lists_count_alike_whoever_they_are_of():
    table = pd.DataFrame({"user": [0, 0, 0, 1], "hr@10": [1.0, 1.0, 1.0, 0.0]})
    own = UserValues.of({0: table, 1: table}, "hr@10")
    assert mean_across_users(own).mean == 0.75
    assert own.lists.tolist() == [3, 1]


def test_what_cannot_be_paired_is_refused():
    values = crossed(np.random.default_rng(6), 5, 2)
    with pytest.raises(RecordError, match="other users"):
        difference_across_users(row(values), row(values, users=np.arange(1, 6)))
    with pytest.raises(RecordError, match="seed in common"):
        difference_across_users(row(values, (0, 1)), row(values, (2, 3)))
    tables = {seed: pd.DataFrame({"user": [seed], "hr@10": [1.0]}) for seed in (0, 1)}
    with pytest.raises(RecordError, match="same users"):
        UserValues.of(tables, "hr@10")
    with pytest.raises(RecordError, match="missing"):
        UserValues.of({0: pd.DataFrame({"user": [0], "hr@10": [np.nan]})}, "hr@10")


def test_differences_of_numbers_add_their_variances():
    """Freedom by Satterthwaite: (9 + 16)^2 / (9^2 / 10 + 16^2 / 4)."""
    one = AcrossUsers(5.0, 3.0, 10.0, 100, (0, 1))
    other = AcrossUsers(2.0, 4.0, 4.0, 100, (0, 1))
    found = one.less(other)
    assert (found.mean, found.error) == (3.0, 5.0)
    assert found.freedom == pytest.approx(625 / (81 / 10 + 256 / 4))
    assert one.less(replace(other, error=0.0)) == replace(one, mean=3.0)
    certain = replace(one, error=0.0)
    assert certain.less(replace(other, error=0.0)).freedom == 4.0
    assert np.isnan(one.less(replace(other, error=np.nan)).estimate().low)
