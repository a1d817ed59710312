"""Exact Shapley values and pairwise interactions of a few players from the values of all their
subsets.

Players are the parts of a model (text, picture, ...), a subset's value is the metric of the model
with these parts.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd

from ..errors import RecordError
from .significance import holm, mean_interval

Values = Mapping[frozenset[str], float]


def shapley_values(values: Values) -> dict[str, float]:
    """Each player's average marginal contribution over all orders of joining (Shapley, 1953).

    phi_i = sum over S without i of |S|! (n - |S| - 1)! / n! * (v(S + i) - v(S)); they sum to v(all)
    - v(none).

    Args:
        values: of all 2^n subsets of the players, the empty one included, in the metric's unit.

    Returns:
        value by player, in alphabetical order, in the metric's unit.

    Raises:
        RecordError: a subset is missing or its value is not finite.
    """
    players, v = _by_mask(values)
    n = len(players)
    weights = np.array(
        [factorial(size) * factorial(n - size - 1) / factorial(n) for size in range(n)]
    )
    masks = np.arange(1 << n)
    sizes = _sizes(n)
    out = {}
    for number, player in enumerate(players):
        without = masks[masks >> number & 1 == 0]
        gains = v[without | 1 << number] - v[without]
        out[player] = float(weights[sizes[without]] @ gains)
    return out


def shapley_interactions(values: Values) -> dict[tuple[str, str], float]:
    """How much two players add together beyond what they add apart (Grabisch & Roubens, 1999).

    I_ij = sum over S without i, j of |S|! (n - |S| - 2)! / (n - 1)! * (v(S + i + j) - v(S + i) -
    v(S + j) + v(S)); where larger values are better, > 0 = they complement each other, < 0 = one
    replaces the other. Arguments, unit and errors as :func:`shapley_values`; empty for a single
    player.
    """
    players, v = _by_mask(values)
    n = len(players)
    weights = np.array(
        [factorial(size) * factorial(n - size - 2) / factorial(n - 1) for size in range(n - 1)]
    )
    masks = np.arange(1 << n)
    sizes = _sizes(n)
    out = {}
    for one, other in combinations(range(n), 2):
        without = masks[(masks >> one & 1 == 0) & (masks >> other & 1 == 0)]
        i, j = 1 << one, 1 << other
        joint = v[without | i | j] - v[without | i] - v[without | j] + v[without]
        out[players[one], players[other]] = float(weights[sizes[without]] @ joint)
    return out


def shapley_table(per_seed: Sequence[Values], test_share: float) -> pd.DataFrame:
    """Shapley values and interactions over seeds, with the intervals of
    :func:`.significance.mean_interval`.

    Args:
        per_seed: values of all subsets, one mapping per seed, all of the same players.
        test_share: test ratings per rating, in [0, 1).

    Returns:
        index players (``text``; ``image × text`` for an interaction), columns kind (``value`` or
        ``interaction``), mean, low, high (95 %), p_value (two-sided, against 0), p_holm (adjusted
        over the values, and over the interactions), seeds; values first.

    Raises:
        RecordError: no seed, seeds with different players, or a subset missing.
    """
    if not per_seed:
        raise RecordError("A Shapley table needs the values of at least one seed.")
    values = [shapley_values(seed) for seed in per_seed]
    interactions = [
        {" × ".join(pair): v for pair, v in shapley_interactions(seed).items()} for seed in per_seed
    ]
    if any(row.keys() != values[0].keys() for row in values):
        raise RecordError(
            f"The seeds have different players: {sorted({', '.join(row) for row in values})}."
        )
    rows = {}
    for kind, found in (("value", values), ("interaction", interactions)):
        estimates = {
            name: mean_interval(np.array([row[name] for row in found]), test_share)
            for name in found[0]
        }
        adjusted = holm([estimate.p_value for estimate in estimates.values()])
        for (name, estimate), p_holm in zip(estimates.items(), adjusted, strict=True):
            rows[name] = {
                "kind": kind, "mean": estimate.mean, "low": estimate.low, "high": estimate.high,
                "p_value": estimate.p_value, "p_holm": p_holm, "seeds": estimate.n,
            }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("players")


def _by_mask(values: Values) -> tuple[list[str], np.ndarray]:
    """Players in alphabetical order, and the subsets' values (2^n,): bit i of the position = player
    i takes part."""
    players = sorted(frozenset().union(*values))
    if not players:
        raise RecordError("Shapley values need at least one player.")
    out = np.empty(1 << len(players))
    for mask in range(len(out)):
        subset = frozenset(player for number, player in enumerate(players) if mask >> number & 1)
        if subset not in values:
            raise RecordError(
                f"Shapley values need every subset of {players}; {_named(subset)} is missing."
            )
        if not np.isfinite(values[subset]):
            raise RecordError(
                f"The value of {_named(subset)} is {values[subset]}; "
                "Shapley values need finite ones."
            )
        out[mask] = values[subset]
    return players, out


def _named(subset: frozenset[str]) -> str:
    return f"{{{', '.join(sorted(subset))}}}"


def _sizes(n: int) -> np.ndarray:
    """Number of players in every subset, (2^n,)."""
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).sum(1)
