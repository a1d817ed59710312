"""Ratings as implicit feedback: what counts, cores, and ids that stay in step with their rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.datasets.dataset import RatingScale, build_dataset, check_ratings
from bonmf_lib.datasets.given import GivenParts
from bonmf_lib.datasets.implicit import implicit_view
from bonmf_lib.errors import ConfigError, DatasetError

SCALE = RatingScale(1, 5, 1)


def data_of(rows: list[tuple[str, str, int]], more_items: tuple[str, ...] = ()):
    """A data set of (user, item, stars), whose titles and genders repeat the raw ids."""
    ratings = check_ratings(
        pd.DataFrame(rows, columns=["user", "item", "rating"]), SCALE, "by hand", 1
    )
    users = pd.DataFrame({"raw_id": sorted(ratings["user"].unique())})
    items = pd.DataFrame({"raw_id": sorted({*ratings["item"], *more_items})})
    users["gender"], items["title"] = users["raw_id"], items["raw_id"]
    return build_dataset("by hand", "packaged", ratings, users, items, SCALE, "by hand")


def raw(data) -> list[tuple[str, str, int]]:
    """Its ratings as the raw ids that the rows of its tables tell."""
    table = data.ratings
    users = data.users["gender"].iloc[table["user"]]
    items = data.items["title"].iloc[table["item"]]
    return list(zip(users, items, table["rating"].astype(int), strict=True))


ROWS = [("c", "z", 5), ("a", "x", 3), ("a", "y", 4), ("b", "x", 4), ("b", "y", 5), ("c", "x", 2)]


def test_where_nothing_is_left_out_the_data_are_the_same():
    data = data_of(ROWS)
    for how in ({}, {"at_least": 2.0}, {"core": 1}, {"at_least": 1, "core": 1}):
        assert implicit_view(data, **how) is data


def test_low_ratings_are_left_out_and_everybody_is_kept():
    data = data_of(ROWS, more_items=("never",))
    view = implicit_view(data, at_least=4)
    assert raw(view) == [row for row in ROWS if row[2] >= 4]
    assert (view.n_users, view.n_items) == (data.n_users, data.n_items)
    assert view.name == "by hand+from4" and view.words == data.words
    assert view.fingerprint != data.fingerprint


def test_a_core_is_taken_again_and_again():
    """z has one rating; without it c has one; without c everybody left has two."""
    data = data_of(ROWS)
    view = implicit_view(data, core=2)
    assert raw(view) == [row for row in ROWS if row[0] != "c"]
    assert (view.n_users, view.n_items) == (2, 2)
    assert view.items["raw_id"].tolist() == ["x", "y"]
    assert view.name == "by hand+core2" and view.fingerprint != data.fingerprint


def test_items_without_any_rating_are_no_core():
    data = data_of(ROWS, more_items=("w", "zz"))
    view = implicit_view(data, core=1)
    assert raw(view) == ROWS and view.n_items == 3 < data.n_items
    assert view.name == "by hand+core1" and view.order != data.order


def test_what_does_not_count_is_still_known_to_be_rated():
    """Of 4 and more, z has one rating and c one: without them two users of two items are left."""
    data = data_of(ROWS)
    assert data.left_out.shape == (2, 0)
    assert [*zip(*data.known_pairs.tolist(), strict=True)] == [
        (2, 2), (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip
    low = implicit_view(data, at_least=4)
    assert low.left_out.T.tolist() == [[0, 0], [2, 0]]  # a and c rated x low
    rows = [
        ("a", "x", 1),
        ("a", "y", 5),
        ("a", "z", 5),
        ("b", "y", 5),
        ("b", "z", 5),
        ("b", "w", 1),
    ]
    core = implicit_view(data_of(rows), at_least=2, core=2)
    assert core.items["raw_id"].tolist() == ["y", "z"] and not core.left_out.size
    rows = [*rows, ("c", "y", 1), ("c", "z", 5), ("c", "x", 5), ("d", "x", 5), ("d", "y", 5)]
    core = implicit_view(data_of(rows), at_least=2, core=2)
    assert core.items["raw_id"].tolist() == ["x", "y", "z"]
    named = core.users["raw_id"].to_numpy(), core.items["raw_id"].to_numpy()
    low = [side[ids].tolist() for side, ids in zip(named, core.left_out, strict=True)]
    assert [*zip(*low, strict=True)] == [("a", "x"), ("c", "y")]
    # a view of a view knows what either leaves out
    again = implicit_view(implicit_view(data, at_least=3), at_least=5)
    assert sorted(zip(*again.known_pairs.tolist(), strict=True)) == sorted(
        zip(*data.known_pairs.tolist(), strict=True)
    )


def test_a_core_of_many_against_sets(planted):
    """Against rows removed one at a time until nothing changes."""
    view = implicit_view(planted, at_least=4, core=6)
    table = planted.ratings[planted.ratings["rating"] >= 4][["user", "item"]]
    while True:
        few = [side for side in ("user", "item") if table.groupby(side).size().min() < 6]
        if not few:
            break
        counts = table.groupby(few[0])[few[0]].transform("size")
        table = table[counts >= 6]
    assert len(view.ratings) == len(table) > 0
    assert (view.n_users, view.n_items) == (table["user"].nunique(), table["item"].nunique())
    for side, ids in (("user", view.users), ("item", view.items)):
        assert view.ratings.groupby(side).size().min() >= 6
        own = ids["raw_id"].to_numpy()[view.ratings[side]]
        tables = planted.users if side == "user" else planted.items
        assert np.array_equal(own, tables["raw_id"].to_numpy()[table[side]])
    times = planted.ratings["timestamp"].loc[table.index]
    assert view.ratings["timestamp"].tolist() == times.tolist()


def test_given_parts_stay_with_whole_data_only():
    parts = GivenParts(np.array([0, 0, 2, 0, 0, 0], np.int8), "made up")
    data = replace(data_of(ROWS), given_parts=parts)
    assert implicit_view(data, core=1).given is parts
    assert implicit_view(data, core=2).given is None


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"at_least": 6}, DatasetError, "no rating of at least 6 is left; ask for less"),
        ({"core": 3}, DatasetError, "is left of which every user and item has at least 3; ask"),
        ({"core": -1}, ConfigError, "0 or more as core, got None and -1"),
        ({"at_least": float("nan")}, ConfigError, "takes a finite rating"),
    ],
)
def test_what_leaves_nothing_is_refused(how, error, message):
    with pytest.raises(error, match=message):
        implicit_view(data_of(ROWS), **how)
