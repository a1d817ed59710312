"""Parts that data came with: their checks, the split by them, and ranking among given negatives."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from bonmf_lib.datasets import official_ncf
from bonmf_lib.datasets.given import GivenParts
from bonmf_lib.datasets.official_ncf import flaws, mapped_parts, official_parts
from bonmf_lib.errors import ConfigError, DatasetError, SourceError, SplitError
from bonmf_lib.evaluation.rules import GivenNegatives, SampledRanking
from bonmf_lib.splits.given import Given
from bonmf_lib.splits.rules import Ratio, redraws_test, resampling_share
from tests.conftest import CPU


def parts_of(planted, **changes) -> GivenParts:
    """The first rating of every user tests, among five items that the user has not rated."""
    users, items = planted.ratings["user"].to_numpy(), planted.ratings["item"].to_numpy()
    first = np.unique(users, return_index=True)[1]
    part = np.zeros(len(users), np.int8)
    part[first] = 2
    rivals = [np.setdiff1d(np.arange(100), items[users == users[row]])[:5] for row in sorted(first)]
    return GivenParts(
        **({"part": part, "source": "made up", "negatives": np.array(rivals)} | changes)
    )


@pytest.fixture(scope="module")
def given(planted):
    return replace(planted, given_parts=parts_of(planted))


# Parts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"part": np.array([0, 3, 2], np.int8)}, "parts must be 0, 1 or 2"),
        ({"part": np.zeros(3, np.int8)}, "at least one rating must test"),
        ({"negatives": np.zeros((3, 2), np.int64)}, "1 test ratings and negatives of shape"),
    ],
)
def test_bad_parts_are_refused(changes, message):
    values = {"part": np.array([0, 1, 2], np.int8), "source": "made up"}
    with pytest.raises(DatasetError, match=message):
        GivenParts(**(values | changes))


def test_parts_of_other_data_are_refused(planted):
    parts = parts_of(planted)
    short = replace(planted, ratings=planted.ratings.iloc[:-1], given_parts=parts)
    few = replace(planted, items=planted.items.iloc[:3], given_parts=parts)
    for data in (short, few):
        with pytest.raises(DatasetError, match="made up: the parts are not those of"):
            _ = data.given


def test_parts_are_read_when_they_are_asked_for_and_once(planted):
    read, parts = [], parts_of(planted)
    data = replace(planted, given_parts=lambda asking: read.append(asking) or parts)
    assert not read and data.fingerprint == planted.fingerprint
    assert data.given is data.given is parts
    assert read == [data]
    assert planted.given is None


def test_every_part_and_negative_tells_in_the_fingerprint(planted):
    parts = parts_of(planted)
    validated, another = parts.part.copy(), parts.negatives.copy()
    validated[np.flatnonzero(parts.part == 0)[0]] = 1
    another[0] = another[0, ::-1]
    others = [
        parts,
        replace(parts, part=validated),
        replace(parts, negatives=another),
        replace(parts, negatives=None),
    ]
    assert len({other.fingerprint for other in others}) == 4
    assert replace(parts, source="same").fingerprint == parts.fingerprint


# The split


def test_given_ratings_test_and_the_latest_others_validate(given):
    rule = Given()
    one, other = rule.split(given, 1), rule.split(given, 2, valid=0.1)
    assert np.array_equal(one.test, given.given.test) and np.array_equal(one.test, other.test)
    assert not len(one.valid) and len(one.train) == len(given.ratings) - given.n_users
    assert np.array_equal(np.union1d(other.train, other.valid), one.train)
    times = given.ratings["timestamp"].to_numpy(np.int64)
    latest = given.ratings.iloc[one.train].groupby("user")["timestamp"].max()
    assert times[other.valid].tolist() == latest.tolist()
    assert one.rule == "given(made up, valid=0)" != other.rule
    assert not redraws_test(one.rule) and resampling_share(one.rule, 0.1) == 0
    assert rule.identity(0.0) != rule.identity(0.1)
    parts = given.given.fingerprint
    assert rule.reads(given, valid=0.0) == [parts] and Ratio().reads(given, valid=0.1) == []
    assert rule.reads(given, valid=0.1) == [parts, given.times]


def test_only_users_with_all_times_validate(given):
    """User 0 lacks a time, user 1 has one rating besides the test one: neither validates."""
    users = given.ratings["user"].to_numpy()
    table, parts = given.ratings.copy(), given.given
    table.loc[np.flatnonzero(users == 0)[-1], "timestamp"] = pd.NA
    kept = np.sort(np.concatenate([np.flatnonzero(users != 1), np.flatnonzero(users == 1)[:2]]))
    table = table.iloc[kept].reset_index(drop=True)
    data = replace(given, ratings=table, given_parts=replace(parts, part=parts.part[kept]))
    split = Given().split(data, valid=0.1)
    assert np.array_equal(table["user"].iloc[split.valid].unique(), np.arange(2, data.n_users))
    table["timestamp"] = pd.array([pd.NA] * len(table), dtype="Int64")
    with pytest.raises(SplitError, match="Given finds no validation rating"):
        Given().split(data, valid=0.1)
    assert not len(Given().split(data).valid)


def test_given_validation_always_validates(planted):
    part = np.zeros(len(planted.ratings), np.int8)
    part[::10], part[5::10] = 1, 2
    data = replace(planted, given_parts=GivenParts(part, "made up"))
    for valid in (0.0, 0.1):
        split = Given().split(data, valid=valid)
        assert np.array_equal(split.valid, np.flatnonzero(part == 1))
        assert np.array_equal(split.train, np.flatnonzero(part == 0))


def test_data_without_parts_are_refused(planted):
    for ask in (Given().split, Given().reads):
        with pytest.raises(SplitError, match="but planted came without such parts"):
            ask(planted, valid=0.1)


# Ranking among given negatives


class Scored:
    """A finished training whose scores are given."""

    device = CPU

    def __init__(self, dataset, split, table):
        self.dataset, self.split, self.table = dataset, split, torch.as_tensor(table)

    def model(self):
        return self

    def score(self, users, items):
        return self.table[users, items]

    def score_all_items(self, users):
        return self.table[users]


def test_test_items_are_ranked_among_their_own_negatives(given):
    split = Given().split(given, valid=0.1)
    table = np.random.default_rng(0).random((given.n_users, given.n_items))
    found = GivenNegatives().per_user(Scored(given, split, table))
    users, items = (given.ratings[side].to_numpy()[split.test] for side in ("user", "item"))
    assert found["user"].tolist() == users.tolist()
    for row, (user, item) in enumerate(zip(users, items, strict=True)):
        rank = 1 + (table[user, given.given.negatives[row]] > table[user, item]).sum()
        assert found["mrr"][row] == pytest.approx(1 / rank, abs=1e-12)
        assert found["hr@5"][row] == (rank <= 5)
    means = GivenNegatives().of(Scored(given, split, table))
    assert found.drop(columns="user").mean().to_dict() == pytest.approx(means, abs=1e-12)


def test_an_own_test_item_among_the_negatives_counts_only_where_that_is_asked(planted):
    parts = parts_of(planted)
    negatives = parts.negatives.copy()
    negatives[0, 0] = planted.ratings["item"].to_numpy()[parts.test[0]]
    data = replace(planted, given_parts=replace(parts, negatives=negatives))
    table = np.zeros((data.n_users, data.n_items))
    table[data.ratings["user"].iloc[parts.test], data.ratings["item"].iloc[parts.test]] = 1
    trained = Scored(data, Given().split(data), table)
    total = data.n_users
    assert GivenNegatives().of(trained)["hr@1"] == 1
    assert GivenNegatives(ties="lost").of(trained)["hr@1"] == 1
    naive = [GivenNegatives(True, ties).of(trained)["hr@1"] for ties in ("mean", "lost", "won")]
    assert naive == pytest.approx([1 - 0.5 / total, 1 - 1 / total, 1])


def test_constant_scores_hit_as_often_as_chance(given):
    trained = Scored(given, Given().split(given), np.zeros((given.n_users, given.n_items)))
    found = {ties: GivenNegatives(ties=ties).of(trained) for ties in ("mean", "lost", "won")}
    assert found["mean"]["hr@1"] == pytest.approx(1 / 6)
    assert found["lost"]["hr@5"] == 0 and found["won"]["hr@1"] == 1


def test_validation_ratings_get_drawn_negatives(given):
    split = Given().split(given, valid=0.1)
    watched = GivenNegatives().watched(given, split, CPU)
    drawn = SampledRanking(5).watched(given, split, CPU)
    table = np.random.default_rng(0).random((given.n_users, given.n_items))
    model = Scored(given, split, table)
    assert watched.higher_is_better and watched.name == drawn.name == "ndcg@10"
    assert watched.of(model) == drawn.of(model)


def test_lists_of_other_test_ratings_are_refused(planted, given):
    table = np.zeros((planted.n_users, planted.n_items))
    with pytest.raises(ConfigError, match="planted came without lists of negatives"):
        GivenNegatives().of(Scored(planted, Ratio().split(planted), table))
    with pytest.raises(ConfigError, match="made up are of its own test ratings; split by the rule"):
        GivenNegatives().of(Scored(given, Ratio().split(given), table))
    with pytest.raises(ConfigError, match=r"Unknown ties 'loses'\. Did you mean 'lost'"):
        GivenNegatives(ties="loses")


def test_names_tell_the_rules_apart():
    rules = [GivenNegatives(naive, ties) for naive in (0, 1) for ties in ("mean", "lost", "won")]
    assert len({rule.name for rule in rules}) == 6
    assert all(rule.name.startswith("given negatives") for rule in rules)


# The official test set


def small_ml_1m():
    """Raw user ids 1 to 3; movies 30, 10, 20 in the order in which the ratings name them."""
    rows = [(1, 30, 5), (1, 10, 3), (2, 10, 4), (2, 20, 1), (3, 30, 2), (3, 20, 5)]
    table = pd.DataFrame(rows, columns=["user", "item", "rating"])
    items = pd.Index([10, 20, 30])
    return SimpleNamespace(
        name="small",
        users=pd.DataFrame({"raw_id": [1, 2, 3]}),
        n_items=3,
        ratings=table.assign(user=table["user"] - 1, item=items.get_indexer(table["item"])),
    )


TESTS = pd.DataFrame({"user": [2, 0, 1], "item": [2, 1, 2], "rating": [5, 3, 1]})
LISTS = pd.DataFrame([["(2,2)", 1, 1], ["(0,1)", 2, 0], ["(1,2)", 0, 2]])


def test_published_ids_are_mapped_to_the_data_sets_own():
    """Published items 0, 1, 2 are the movies 30, 10, 20, whose own ids are 2, 0, 1."""
    found = mapped_parts(small_ml_1m(), TESTS, LISTS)
    assert found.part.tolist() == [0, 2, 0, 2, 0, 2]
    assert found.negatives.tolist() == [[1, 2], [2, 1], [0, 0]]  # in the order of the ratings


@pytest.mark.parametrize(
    ("tests", "lists", "message"),
    [
        (TESTS.assign(rating=[5, 3, 2]), LISTS, "its ratings are not those of small"),
        (TESTS.assign(user=[2, 0, 3]), LISTS, "negatives are of other test ratings"),
        (TESTS, LISTS.replace("(0,1)", "(0,2)"), "the negatives are of other test ratings"),
        (TESTS, LISTS.replace({1: {1: 3}}), "names users or items that small has not"),
    ],
)
def test_files_of_other_ratings_are_refused(tests, lists, message):
    with pytest.raises(DatasetError, match=message):
        mapped_parts(small_ml_1m(), tests, lists)


def test_data_load_without_the_official_files_and_say_so(monkeypatch):
    said = []

    def nowhere(artifact):
        raise SourceError(f"no {artifact.name}")

    monkeypatch.setattr(official_ncf, "fetch", nowhere)
    monkeypatch.setattr(official_ncf, "announce", said.append)
    assert official_parts(small_ml_1m()) is None
    assert said == ["small comes without the official NCF test set: no ml-1m-ncf-rating"]


def test_flaws_are_counted(planted):
    parts, items = parts_of(planted), planted.ratings["item"].to_numpy()
    assert flaws(replace(planted, given_parts=parts)).tolist() == [0, 0, 0, 0]
    negatives = parts.negatives.copy()
    negatives[0, :2] = items[parts.test[0]]  # its own test item, twice
    negatives[1, 0] = items[parts.test[1] + 1]  # another rating of that user, which trains
    found = flaws(replace(planted, given_parts=replace(parts, negatives=negatives)))
    assert found.tolist() == [1, 0, 1, 1]
    with pytest.raises(DatasetError, match="planted came without lists of negatives"):
        flaws(planted)


def test_test_items_that_nobody_trains_on_are_counted(planted):
    parts = parts_of(planted)
    item = planted.ratings["item"].to_numpy()[parts.test[0]]
    train = (planted.ratings["item"] == item) & (parts.part == 0)
    data = replace(planted, ratings=planted.ratings[~train].reset_index(drop=True))
    kept = replace(parts, part=parts.part[~train])
    tested = planted.ratings["item"].to_numpy()[parts.test]
    found = flaws(replace(data, given_parts=kept))
    assert found["test items never trained on"] == (tested == item).sum()
