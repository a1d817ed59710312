"""Held-out items and users with some ratings revealed: the same test ratings for every number."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from bonmf_lib.errors import SplitError
from bonmf_lib.splits.revealed import RevealedItems, RevealedUsers
from bonmf_lib.splits.rules import resampling_share

RULES = (RevealedItems, RevealedUsers)


@pytest.fixture(params=RULES, ids=lambda rule: rule.name)
def rule(request):
    return request.param


@pytest.mark.parametrize("valid", [0.0, 0.1])
def test_every_number_of_revealed_ratings_has_the_same_test_ratings(planted, rule, valid):
    splits = [rule(n, 5).split(planted, 3, valid) for n in (0, 1, 2, 5)]
    for less, more in itertools.pairwise(splits):
        assert np.array_equal(less.test, more.test)
        assert np.array_equal(less.valid, more.valid)
        assert set(less.train) < set(more.train)
    assert len(splits[0].unused) == len(splits[3].train) - len(splits[0].train)
    assert not len(splits[3].unused)


@pytest.mark.parametrize("count", [0, 2, 5])
def test_so_many_ratings_of_each_held_out_id_train_and_none_other(planted, rule, count):
    split, ids = rule(count, 5).split(planted, 0, 0.1), planted.ratings[rule.side].to_numpy()
    trained = np.bincount(ids[split.train], minlength=ids.max() + 1)
    for part in (split.test, split.valid):
        held = np.unique(ids[part])
        assert (trained[held] == count).all()
    assert not set(ids[split.test]) & set(ids[split.valid])
    unused = np.bincount(ids[split.unused], minlength=ids.max() + 1)
    tested = np.bincount(ids[split.test], minlength=ids.max() + 1)
    held = np.unique(ids[split.test])
    everything = np.bincount(ids)[held]
    assert (unused[held] + tested[held] + count == everything).all()


def test_validation_does_not_move_the_test_part_and_seeds_do(planted, rule):
    one, other = (rule(1, 5).split(planted, 1, valid) for valid in (0.0, 0.2))
    assert np.array_equal(one.test, other.test)
    assert not len(one.valid) and len(other.valid)
    assert not np.array_equal(one.test, rule(1, 5).split(planted, 2).test)


def test_a_fifth_of_the_items_that_have_more_ratings_than_the_reserve_test(planted):
    counts = np.bincount(planted.ratings["item"])
    reserve = int(np.median(counts))
    split = RevealedItems(0, reserve).split(planted)
    held = planted.ratings["item"].iloc[split.test].unique()
    assert (counts[held] > reserve).all()
    assert len(held) == round(0.2 * (counts > reserve).sum())


def test_what_cannot_be_is_refused(planted, rule):
    for bad in (rule(-1, 5), rule(6, 5)):
        with pytest.raises(SplitError, match="revealed must lie between 0 and the reserve"):
            bad.split(planted)
    with pytest.raises(SplitError, match="too few to hold out"):
        rule(0, 10_000).split(planted)
    with pytest.raises(SplitError, match="test=1"):
        rule(0, 5, 1.0).split(planted)


def test_intervals_rest_on_test_ratings_per_rating_that_trains_or_tests(planted, rule):
    split = rule(5, 5).split(planted, valid=0.1)
    share = resampling_share(split.rule, split.test_share)
    assert share / (1 - share) == pytest.approx(len(split.test) / len(split.train), rel=0.15)
    assert split.rule == f"{rule.name}(test=0.2, valid=0.1, revealed=5 of 5)"


def test_hashes_tell_rules_apart(rule):
    others = [replace(rule(1, 5), **change) for change in ({"revealed": 2}, {"reserve": 6})]
    rules = [rule(1, 5), *others, rule(1, 5, 0.3)]
    assert len({tuple(map(str, one.identity(0.1))) for one in rules}) == len(rules)
    assert RevealedItems(1, 5).identity(0.1) != RevealedUsers(1, 5).identity(0.1)
