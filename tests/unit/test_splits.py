"""Splits: shares, disjointness, determinism, and refusal of impossible ones."""

import numpy as np
import pytest

from bonmf_lib.errors import SplitError
from bonmf_lib.splits.rules import PARTS, Split, cold_item_split, part_summary, ratio_split, resampling_share


def test_ratio_split_has_the_asked_shares_and_covers_everything(planted):
    split = ratio_split(planted, test=0.3, valid=0.1, seed=5)
    total = len(planted.ratings)
    assert (len(split.test), len(split.valid)) == (round(0.3 * total), round(0.1 * 0.7 * total))
    rows = np.concatenate([split.train, split.valid, split.test])
    assert np.array_equal(np.sort(rows), np.arange(total))
    assert split.test_share == pytest.approx(0.3, abs=1e-3)


def test_validation_does_not_move_the_test_part(planted):
    one, other = ratio_split(planted, valid=0.0, seed=1), ratio_split(planted, valid=0.2, seed=1)
    assert np.array_equal(one.test, other.test)
    assert set(other.train) < set(one.train)


def test_seeds_decide(planted):
    assert np.array_equal(ratio_split(planted, seed=1).test, ratio_split(planted, seed=1).test)
    assert not np.array_equal(ratio_split(planted, seed=1).test, ratio_split(planted, seed=2).test)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([0, 1], [1], [2, 3]), "two parts"),
        (([0, 1], [], [3]), "hold 3 ratings of 4"),
        (([0, 1, 2, 3], [], []), "empty"),
    ],
)
def test_bad_parts_are_refused(parts, message):
    with pytest.raises(SplitError, match=message):
        Split(*(np.array(part, np.int64) for part in parts), "by hand", 0, 4)


@pytest.mark.parametrize("valid", [0.0, 0.1])
@pytest.mark.parametrize("keep", [0.5, 0.05])
def test_sparser_training_leaves_validation_and_test_as_they_are(planted, keep, valid):
    whole = ratio_split(planted, test=0.3, valid=valid, seed=4)
    sparse = ratio_split(planted, test=0.3, valid=valid, seed=4, keep=keep)
    assert np.array_equal(whole.test, sparse.test)
    assert np.array_equal(whole.valid, sparse.valid)
    assert set(sparse.train) < set(whole.train)
    assert len(sparse.train) == round(keep * len(whole.train))
    assert np.array_equal(np.union1d(sparse.train, sparse.unused), whole.train)
    assert not set(sparse.unused) & {*sparse.train, *sparse.valid, *sparse.test}
    used = len(sparse.train) + len(sparse.valid) + len(sparse.test)
    assert sparse.test_share == len(sparse.test) / used > whole.test_share


@pytest.mark.parametrize(
    ("split", "ratio"),
    [
        ({"test": 0.3}, 0.3 / 0.7),
        ({"test": 0.3, "valid": 0.1}, 0.3 / 0.63),  # what only stops a training does not train
        ({"test": 0.3, "keep": 0.1}, 0.3 / 0.7),  # as far as splits overlap, the whole data
        ({"test": 0.2, "valid": 0.1, "keep": 0.25}, 0.2 / 0.72),
    ],
)
def test_intervals_rest_on_test_ratings_per_training_rating(planted, split, ratio):
    made = ratio_split(planted, **split)
    share = resampling_share(made.rule, made.test_share)
    assert share / (1 - share) == pytest.approx(ratio)
    if "keep" not in split:
        assert share / (1 - share) == pytest.approx(len(made.test) / len(made.train), rel=1e-3)


def test_intervals_of_splits_of_items_rest_on_their_ratings(planted):
    made = cold_item_split(planted, test=0.2, valid=0.1)
    share = resampling_share(made.rule, made.test_share)
    assert share / (1 - share) == pytest.approx(len(made.test) / len(made.train), rel=0.1)
    assert resampling_share("leave-one-out", 0.01) == 0.01


def test_sparser_training_parts_are_nested(planted):
    parts = [set(ratio_split(planted, seed=4, keep=keep).train) for keep in (0.1, 0.3, 1.0)]
    assert parts[0] < parts[1] < parts[2]


def test_rule_names_the_kept_share_only_where_something_is_left_out(planted):
    whole, sparse = (ratio_split(planted, test=0.2, valid=0.1, keep=keep) for keep in (1.0, 0.25))
    assert whole.rule == "ratio(test=0.2, valid=0.1)"
    assert sparse.rule == "ratio(test=0.2, valid=0.1, keep=0.25)"
    assert not len(whole.unused)


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.1])
def test_bad_kept_shares_are_refused(planted, keep):
    with pytest.raises(SplitError, match=f"keep={keep}"):
        ratio_split(planted, keep=keep)


def test_too_small_a_kept_share_is_refused(planted):
    with pytest.raises(SplitError, match="train or test is empty"):
        ratio_split(planted, keep=1e-6)


def test_unused_ratings_count_as_a_part():
    rows = [np.array(part, np.int64) for part in ([0], [], [1], [2, 3])]
    train, valid, test, unused = rows
    assert Split(train, valid, test, "by hand", 0, 4, unused).unused is unused
    with pytest.raises(SplitError, match="two parts"):
        Split(train, valid, test, "by hand", 0, 4, np.array([0, 2, 3]))
    with pytest.raises(SplitError, match="hold 2 ratings of 4"):
        Split(train, valid, test, "by hand", 0, 4)


@pytest.mark.parametrize(("test", "valid"), [(0.0, 0.1), (1.0, 0.1), (0.3, 1.0), (0.3, -0.1)])
def test_bad_shares_are_refused(planted, test, valid):
    with pytest.raises(SplitError, match="must lie in"):
        ratio_split(planted, test=test, valid=valid)


def test_part_summary_counts_unseen_items(planted):
    items = planted.ratings["item"].to_numpy()
    cold = np.flatnonzero(items == 0)
    rest = np.flatnonzero(items != 0)
    table = part_summary(planted, Split(rest, np.array([], np.int64), cold, "one cold item", 0, len(items)))
    assert table.loc["test", "unseen items"] == 1
    assert table.loc["train", "unseen items"] == 0
    assert "valid" not in table.index


def test_cold_items_have_no_ratings_in_training_or_validation(planted):
    split = cold_item_split(planted, test=0.25, valid=0.1, seed=3)
    items = planted.ratings["item"].to_numpy()
    parts = {part: set(items[getattr(split, part)]) for part in PARTS}
    assert not parts["test"] & (parts["train"] | parts["valid"]) and not parts["train"] & parts["valid"]
    rated = len(set(items))
    assert (len(parts["test"]), len(parts["valid"])) == (round(0.25 * rated), round(0.1 * round(0.75 * rated)))
    assert np.array_equal(split.test, cold_item_split(planted, test=0.25, seed=3).test)
    assert not np.array_equal(split.test, cold_item_split(planted, test=0.25, seed=4).test)


@pytest.mark.parametrize(("test", "valid"), [(0.0, 0.1), (1.0, 0.1), (0.2, 1.0), (0.2, -0.1)])
def test_bad_shares_of_items_are_refused(planted, test, valid):
    with pytest.raises(SplitError, match="must lie in"):
        cold_item_split(planted, test=test, valid=valid)
