"""Splits: shares, disjointness, determinism, and refusal of impossible ones."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.datasets.dataset import UNRATED, Dataset
from bonmf_lib.errors import SplitError
from bonmf_lib.splits.by_time import GlobalTime, LeaveOneOut, UserTime
from bonmf_lib.splits.rules import (
    FIXED,
    ColdItems,
    KFold,
    PerUser,
    Ratio,
    RowShuffle,
    SplitRule,
    redraws_test,
    resampling_share,
)
from bonmf_lib.splits.split import PARTS, Split, part_summary


def test_ratio_split_has_the_asked_shares_and_covers_everything(planted):
    split = Ratio().split(planted, 5, valid=0.1)
    total = len(planted.ratings)
    assert (len(split.test), len(split.valid)) == (round(0.3 * total), round(0.1 * 0.7 * total))
    rows = np.concatenate([split.train, split.valid, split.test])
    assert np.array_equal(np.sort(rows), np.arange(total))
    assert split.test_share == pytest.approx(0.3, abs=1e-3)


def test_validation_does_not_move_the_test_part(planted):
    one, other = Ratio().split(planted, 1, valid=0.0), Ratio().split(planted, 1, valid=0.2)
    assert np.array_equal(one.test, other.test)
    assert set(other.train) < set(one.train)


def test_seeds_decide(planted):
    assert np.array_equal(Ratio().split(planted, 1).test, Ratio().split(planted, 1).test)
    assert not np.array_equal(Ratio().split(planted, 1).test, Ratio().split(planted, 2).test)


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
    whole = Ratio().split(planted, 4, valid=valid)
    sparse = Ratio(keep=keep).split(planted, 4, valid=valid)
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
    rule = Ratio(split["test"], split.get("keep", 1.0))
    made = rule.split(planted, valid=split.get("valid", 0.0))
    share = resampling_share(made.rule, made.test_share)
    assert share / (1 - share) == pytest.approx(ratio)
    if "keep" not in split:
        assert share / (1 - share) == pytest.approx(len(made.test) / len(made.train), rel=1e-3)


def test_intervals_of_splits_of_items_rest_on_their_ratings(planted):
    made = ColdItems(0.2).split(planted, valid=0.1)
    share = resampling_share(made.rule, made.test_share)
    assert share / (1 - share) == pytest.approx(len(made.test) / len(made.train), rel=0.1)
    assert resampling_share("by hand", 0.01) == 0.01
    assert resampling_share("leave-one-out(valid=0)", 0.01) == 0.0  # all seeds test the same


def test_sparser_training_parts_are_nested(planted):
    parts = [set(Ratio(keep=keep).split(planted, 4).train) for keep in (0.1, 0.3, 1.0)]
    assert parts[0] < parts[1] < parts[2]


def test_rule_names_the_kept_share_only_where_something_is_left_out(planted):
    whole, sparse = (Ratio(0.2, keep=keep).split(planted, valid=0.1) for keep in (1.0, 0.25))
    assert whole.rule == "ratio(test=0.2, valid=0.1)"
    assert sparse.rule == "ratio(test=0.2, valid=0.1, keep=0.25)"
    assert not len(whole.unused)


@pytest.mark.parametrize("keep", [0.0, -0.5, 1.1])
def test_bad_kept_shares_are_refused(planted, keep):
    with pytest.raises(SplitError, match=f"keep={keep}"):
        Ratio(keep=keep).split(planted)


def test_too_small_a_kept_share_is_refused(planted):
    with pytest.raises(SplitError, match="train or test is empty"):
        Ratio(keep=1e-6).split(planted)


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
        Ratio(test).split(planted, valid=valid)


def test_part_summary_counts_unseen_items(planted):
    items = planted.ratings["item"].to_numpy()
    cold = np.flatnonzero(items == 0)
    rest = np.flatnonzero(items != 0)
    table = part_summary(
        planted, Split(rest, np.array([], np.int64), cold, "one cold item", 0, len(items))
    )
    assert table.loc["test", "unseen items"] == 1
    assert table.loc["train", "unseen items"] == 0
    assert "valid" not in table.index


def test_cold_items_have_no_ratings_in_training_or_validation(planted):
    split = ColdItems(0.25).split(planted, 3, valid=0.1)
    items = planted.ratings["item"].to_numpy()
    parts = {part: set(items[getattr(split, part)]) for part in PARTS}
    assert (
        not parts["test"] & (parts["train"] | parts["valid"])
        and not parts["train"] & parts["valid"]
    )
    rated = len(set(items))
    assert (len(parts["test"]), len(parts["valid"])) == (
        round(0.25 * rated),
        round(0.1 * round(0.75 * rated)),
    )
    assert np.array_equal(split.test, ColdItems(0.25).split(planted, 3).test)
    assert not np.array_equal(split.test, ColdItems(0.25).split(planted, 4).test)


@pytest.mark.parametrize(("test", "valid"), [(0.0, 0.1), (1.0, 0.1), (0.2, 1.0), (0.2, -0.1)])
def test_bad_shares_of_items_are_refused(planted, test, valid):
    with pytest.raises(SplitError, match="must lie in"):
        ColdItems(test).split(planted, valid=valid)


# Rules that go by time and by user

EVERY = [
    Ratio(),
    ColdItems(),
    RowShuffle(),
    KFold(),
    LeaveOneOut(),
    UserTime(),
    GlobalTime(),
    PerUser(),
    PerUser(odd="test"),
    PerUser(odd="valid"),
]
BY_TIME = [LeaveOneOut(), UserTime(), GlobalTime()]


def timed(*times: list[int | None], users: int = 3):
    """Ratings of so many users, each of items 0, 1, 2, ... at the given times, the users' rows
    dealt in turn."""
    rows = [(u, i, time) for i, time in enumerate(*times) for u in range(users)]
    table = pd.DataFrame(rows, columns=["user", "item", "timestamp"]).astype({"timestamp": "Int64"})
    table["rating"] = np.float32(1)
    of_users, of_items = (
        pd.DataFrame({"raw_id": range(size)}) for size in (users, table["item"].max() + 1)
    )
    return Dataset("by hand", "packaged", table, of_users, of_items, UNRATED)


def items_of(data, rows: np.ndarray) -> dict[int, list[int]]:
    """Items of each user's chosen ratings."""
    return data.ratings.iloc[rows].groupby("user")["item"].apply(sorted).to_dict()


@pytest.mark.parametrize("rule", EVERY, ids=str)
def test_every_rule_splits_without_moving_the_test_part(rule):
    """With and without validation; what a rule says of itself is what its split is called."""
    data = timed(list(range(20)), users=30)
    one, other = rule.split(data, 1), rule.split(data, 1, valid=0.1)
    assert np.array_equal(one.test, other.test)
    assert not len(one.valid) and len(other.valid)
    assert np.array_equal(np.union1d(other.train, other.valid), one.train)
    assert one.rule.startswith(f"{rule.name}(") and one.rule != other.rule
    again = rule.split(data, 2)
    assert (
        np.array_equal(one.test, again.test)
        == (rule.test_part == "fixed")
        == (not redraws_test(one.rule))
    )
    share = resampling_share(other.rule, other.test_share)
    if rule.test_part == "fixed":
        assert share == 0
    else:
        assert share / (1 - share) == pytest.approx(len(other.test) / len(other.train), rel=0.05)
    assert rule.identity(0.0) != rule.identity(0.1)


def test_rules_have_identities_of_their_own():
    known = [
        *EVERY,
        Ratio(0.2),
        Ratio(keep=0.5),
        ColdItems(0.3),
        UserTime(0.1),
        GlobalTime(0.1),
        PerUser(7, 1, 2),
    ]
    assert len({str(rule.identity(0.1)) for rule in known}) == len(known)


def test_leave_one_out_takes_the_latest_and_the_one_before():
    data = timed([5, 9, 7, 9])  # items 1 and 3 at one time: the one further down is the later
    split = LeaveOneOut().split(data, valid=0.5)
    assert items_of(data, split.test) == {u: [3] for u in range(3)}
    assert items_of(data, split.valid) == {u: [1] for u in range(3)}
    assert items_of(data, split.train) == {u: [0, 2] for u in range(3)}


def test_users_with_two_ratings_only_train():
    data = timed([1, 2, 3])
    fits = (data.ratings["user"] > 0) | (data.ratings["item"] < 2)
    data = replace(data, ratings=data.ratings[fits].reset_index(drop=True))
    split = LeaveOneOut().split(data, valid=0.5)
    assert items_of(data, split.test) == {1: [2], 2: [2]}
    assert items_of(data, split.train) == {0: [0, 1], 1: [0], 2: [0]}


def test_time_splits_test_what_came_last():
    data = timed([3, 1, 2, 5, 4], users=2)
    own = UserTime(0.4).split(data, valid=0.34)
    assert items_of(data, own.test) == {0: [3, 4], 1: [3, 4]}
    assert items_of(data, own.valid) == {0: [0], 1: [0]}
    data.ratings["timestamp"] += 10 * data.ratings["user"]  # user 1 comes after user 0
    assert items_of(data, UserTime(0.4).split(data).test) == {0: [3, 4], 1: [3, 4]}
    everyone = GlobalTime(0.4).split(data, valid=0.2)
    assert items_of(data, everyone.test) == {1: [0, 2, 3, 4]}
    times = data.ratings["timestamp"].to_numpy(np.int64)
    before, between, after = (times[getattr(everyone, part)] for part in PARTS)
    assert before.max() < between.min() <= between.max() < after.min()


@pytest.mark.parametrize("rule", BY_TIME, ids=lambda rule: rule.name)
def test_data_without_times_are_refused(rule):
    with pytest.raises(SplitError, match="needs the time of every rating, which by hand has not"):
        rule.split(timed([1, None, 3]))


def test_orders_of_users_ratings_are_no_times_of_day():
    data = replace(timed([3, 1, 2, 5, 4], users=2), order_alone=True)
    assert items_of(data, UserTime(0.4).split(data).test) == {0: [3, 4], 1: [3, 4]}
    assert items_of(data, LeaveOneOut().split(data).test) == {0: [3], 1: [3]}
    with pytest.raises(SplitError, match="which by hand has not, only their order within users"):
        GlobalTime().split(data)


def test_eight_to_one_to_one_of_every_user():
    data = timed(list(range(25)), users=4)
    split = PerUser().split(data, 3, valid=0.1)
    sizes = {
        part: data.ratings.iloc[getattr(split, part)].groupby("user").size().tolist()
        for part in PARTS
    }
    assert sizes == {"train": [21] * 4, "valid": [2] * 4, "test": [2] * 4}
    assert items_of(data, split.test) != items_of(data, PerUser().split(data, 4).test)
    with pytest.raises(SplitError, match="must be positive"):
        PerUser(8, 0, 1).split(data)


@pytest.mark.parametrize("odd", ["test", "valid"])
def test_an_odd_rating_goes_where_it_is_told(odd):
    """Of n ratings below ten one validates and one tests; else h = int(0.2 n) are held out, the odd
    one where the rule says."""
    counts = [1, 2, 3, 5, 9, 10, 14, 15, 19, 20, 25, 35, 296]
    fewer = [0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 29]
    more = [0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 30]
    for n, one, other in zip(counts[5:], fewer[5:], more[5:], strict=True):
        held = int(0.2 * n)
        assert (one, other) == (held // 2, held - held // 2)
    users = np.repeat(np.arange(len(counts)), counts)
    data = SimpleNamespace(name="by hand", ratings=pd.DataFrame({"user": users}))
    split = PerUser(odd=odd).split(data, 3, valid=0.1)
    found = {
        part: np.bincount(users[getattr(split, part)], minlength=len(counts)).tolist()
        for part in PARTS
    }
    assert (found["valid"], found["test"]) == ((fewer, more) if odd == "test" else (more, fewer))
    bare = PerUser(odd=odd).split(data, 3)
    assert np.array_equal(bare.test, split.test) and not len(bare.valid)


def test_an_unknown_place_of_the_odd_rating_is_refused(planted):
    with pytest.raises(SplitError, match="odd one of train, valid, test"):
        PerUser(odd="tests").split(planted)


def test_what_nobody_rated_has_no_mean_rating(planted):
    split = Ratio().split(planted)
    assert "mean rating" in part_summary(planted, split)
    assert "mean rating" not in part_summary(replace(planted, scale=UNRATED), split)


def test_a_rule_of_its_own_says_how_intervals_follow(planted):
    """Nothing but its class is needed; a second rule of a name is refused."""

    class EveryThird(SplitRule):
        name, test_part = "every-third", FIXED

        def split(self, dataset, seed=0, valid=0.0):
            rows = np.arange(len(dataset.ratings))
            parts = rows[rows % 3 > 0], rows[:0], rows[rows % 3 == 0]
            return Split(*parts, f"{self.name}(valid={valid:g})", seed, len(rows))

        def identity(self, valid):
            return [self.name, valid]

    made = EveryThird().split(planted, 1)
    assert not redraws_test(made.rule) and resampling_share(made.rule, made.test_share) == 0
    with pytest.raises(SplitError, match="Two rules of splitting are called 'ratio'"):
        type("Other", (SplitRule,), {"name": "ratio"})
