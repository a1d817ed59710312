"""Folds of ratings and of items: every rating tests once, samples keep whole users."""

import numpy as np
import pytest

from bonmf_lib.errors import SplitError
from bonmf_lib.splits.folds import ItemFolds, RatingFolds
from bonmf_lib.splits.rules import redraws_test, resampling_share


@pytest.mark.parametrize("rule", [RatingFolds(4), ItemFolds(4)], ids=lambda rule: rule.name)
def test_every_rating_tests_once(planted, rule):
    splits = [rule.split(planted, seed, valid=0.1) for seed in range(4)]
    tested = np.concatenate([split.test for split in splits])
    assert np.array_equal(np.sort(tested), np.arange(len(planted.ratings)))
    assert all(len(split.valid) and not len(split.unused) for split in splits)
    without = rule.split(planted, 2)
    assert np.array_equal(without.test, splits[2].test) and not len(without.valid)
    assert redraws_test(splits[0].rule)
    assert 0.2 < resampling_share(splits[0].rule, splits[0].test_share) < 0.3


def test_tested_items_have_no_other_rating(planted):
    split = ItemFolds().split(planted, 1, valid=0.1)
    items = planted.ratings["item"].to_numpy()
    parts = [set(items[part]) for part in (split.train, split.valid, split.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert sum(map(len, parts)) == len(set(items))


@pytest.mark.parametrize("kind", [RatingFolds, ItemFolds])
def test_a_sample_keeps_whole_users(planted, kind):
    users = planted.ratings["user"].to_numpy()
    splits = [kind(keep=0.25).split(planted, seed) for seed in range(5)]
    for split in splits:
        used = np.concatenate([split.train, split.test])
        assert len(set(users[used])) == 50
        assert not set(users[used]) & set(users[split.unused])
    assert len({tuple(split.unused) for split in splits}) == 1  # the same users in every fold


def test_another_shuffle_deals_anew_and_another_rule_has_another_hash(planted):
    first, other = RatingFolds().split(planted, 0), RatingFolds(shuffle=1).split(planted, 0)
    assert not np.array_equal(first.test, other.test)
    rules = (
        RatingFolds(),
        RatingFolds(4),
        RatingFolds(shuffle=1),
        RatingFolds(keep=0.5),
        ItemFolds(),
    )
    assert len({str(rule.identity(0.1)) for rule in rules}) == 5


@pytest.mark.parametrize(("blocks", "seed"), [(1, 0), (5, 5), (5, -1)])
def test_blocks_that_are_not_there(planted, blocks, seed):
    with pytest.raises(SplitError, match="at least 2 blocks and one of them"):
        RatingFolds(blocks).split(planted, seed)
