"""Shapley values: the axioms, games solved by hand, the definition over all orders, and intervals
over seeds."""

from itertools import combinations, permutations

import numpy as np
import pytest

from bonmf_lib.errors import RecordError
from bonmf_lib.evaluation import mean_interval
from bonmf_lib.evaluation.shapley import shapley_interactions, shapley_table, shapley_values

FOUR = ("a", "b", "c", "d")


def game(value, players=FOUR):
    """``value`` of every subset of the players."""
    return {
        frozenset(s): float(value(frozenset(s)))
        for n in range(len(players) + 1)
        for s in combinations(players, n)
    }


def random_game(seed, players=FOUR):
    random = np.random.default_rng(seed)
    return game(lambda subset: random.normal(), players)


def test_glove_game_by_hand():
    """One left glove, two right ones, a pair is worth 1: the left one gets 2/3, each right one
    1/6."""
    found = shapley_values(
        game(lambda s: "left" in s and len(s) > 1, ("left", "right", "right too"))
    )
    assert found == pytest.approx({"left": 2 / 3, "right": 1 / 6, "right too": 1 / 6})
    pairs = shapley_interactions(
        game(lambda s: "left" in s and len(s) > 1, ("left", "right", "right too"))
    )
    assert pairs == pytest.approx(
        {("left", "right"): 0.5, ("left", "right too"): 0.5, ("right", "right too"): -0.5}
    )


def test_equals_the_mean_over_all_orders():
    values = random_game(0)
    total = dict.fromkeys(FOUR, 0.0)
    for order in permutations(FOUR):
        for place, player in enumerate(order):
            total[player] += (
                values[frozenset(order[: place + 1])] - values[frozenset(order[:place])]
            )
    assert shapley_values(values) == pytest.approx(
        {player: value / 24 for player, value in total.items()}
    )


@pytest.mark.parametrize("players", [("a",), ("a", "b"), FOUR])
def test_efficiency(players):
    values = random_game(1, players)
    assert sum(shapley_values(values).values()) == pytest.approx(
        values[frozenset(players)] - values[frozenset()]
    )


def test_symmetry():
    found = shapley_values(
        game(lambda s: len(s & {"a", "b"}) ** 2 + 3 * ("c" in s) * ("a" in s or "b" in s))
    )
    assert found["a"] == pytest.approx(found["b"])
    assert found["c"] != pytest.approx(found["a"])


def test_dummy_gets_only_what_it_brings_alone():
    base = random_game(2, ("a", "b", "c"))
    found = game(lambda s: base[s - {"d"}] + 0.25 * ("d" in s))
    assert shapley_values(found)["d"] == pytest.approx(0.25)
    assert all(
        v == pytest.approx(0) for pair, v in shapley_interactions(found).items() if "d" in pair
    )


def test_additivity():
    one, other = random_game(3), random_game(4)
    both = {subset: one[subset] + other[subset] for subset in one}
    for index in (shapley_values, shapley_interactions):
        first, second = index(one), index(other)
        assert index(both) == pytest.approx({key: first[key] + second[key] for key in first})


def test_interaction_of_two_players_is_the_second_difference():
    values = {frozenset(): 1.0, frozenset("a"): 2.0, frozenset("b"): 4.0, frozenset("ab"): 9.0}
    assert shapley_interactions(values) == {("a", "b"): 4.0}
    assert shapley_interactions({frozenset(): 0.0, frozenset("a"): 1.0}) == {}


def test_table_over_seeds():
    seeds = [random_game(seed, ("text", "image")) for seed in range(5)]
    table = shapley_table(seeds, 0.3)
    assert table.index.tolist() == ["image", "text", "image × text"]
    assert table["kind"].tolist() == ["value", "value", "interaction"]
    expected = mean_interval(np.array([shapley_values(seed)["text"] for seed in seeds]), 0.3)
    assert tuple(table.loc["text", ["mean", "low", "high", "p_value", "seeds"]]) == pytest.approx(
        (expected.mean, expected.low, expected.high, expected.p_value, 5)
    )
    assert np.isnan(shapley_table(seeds[:1], 0.3).loc["text", "low"])


def test_bad_values():
    values = random_game(5)
    missing = {subset: value for subset, value in values.items() if subset != frozenset("bd")}
    for index in (shapley_values, shapley_interactions):
        with pytest.raises(RecordError, match=r"\{b, d\} is missing"):
            index(missing)
    with pytest.raises(RecordError, match=r"\{\} is missing"):
        shapley_values({frozenset("a"): 1.0})
    with pytest.raises(RecordError, match="is nan"):
        shapley_values(values | {frozenset("a"): float("nan")})
    with pytest.raises(RecordError, match="at least one player"):
        shapley_values({frozenset(): 1.0})
    with pytest.raises(RecordError, match="at least one player"):
        shapley_values({})
    with pytest.raises(RecordError, match="different players"):
        shapley_table([values, random_game(0, ("a", "b"))], 0.3)
    with pytest.raises(RecordError, match="at least one seed"):
        shapley_table([], 0.3)
