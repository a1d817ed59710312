"""What a metric among few drawn items says of the ranking of all items (Krichene and Rendle, 2020):
its expectation at every rank, an example in which it turns the order of three rankers, and which
pairs of models it orders otherwise.

The rank of one test item among all is known; nothing is drawn or trained.
"""

import re
from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ..errors import ConfigError

# Their example: five users' ranks by each of three rankers, of 10,000 items; 99 are drawn.
EXAMPLE = {
    "A": (100, 100, 100, 100, 100),
    "B": (40, 40, 8437, 9266, 4482),
    "C": (212, 2, 743, 5342, 1548),
}
EXAMPLE_ITEMS, DRAWN = 10_000, 99
EXAMPLE_METRICS = ("recall@10", "ndcg")
SAME, TURNED, UNTOLD = "same order", "other order", "not told apart"

_METRIC = re.compile(r"(?P<name>hr|recall|ndcg|mrr)(@(?P<k>[1-9]\d*))?")


def values_at(metric: str, ranks: np.ndarray) -> np.ndarray:
    """A metric of one test item at ranks from 1 up (any shape).

    Args:
        metric: ``hr``, ``recall`` (the same of one item), ``ndcg`` or ``mrr``, cut at K by an
            ``@K``, which the first two need.

    Raises:
        ConfigError: it is none of these.
    """
    found = _METRIC.fullmatch(metric)
    if found is None or (found["k"] is None and found["name"] in ("hr", "recall")):
        raise ConfigError(f"{metric!r} is no metric of one rank; hr@10, ndcg, ndcg@10 or mrr are.")
    gains: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ndcg": lambda rank: 1 / np.log2(rank + 1),
        "mrr": lambda rank: 1 / rank,
    }
    ranks = np.asarray(ranks, np.float64)
    gain = gains.get(found["name"], np.ones_like)(ranks)
    return gain if found["k"] is None else np.where(ranks <= int(found["k"]), gain, 0.0)


def expected_values(
    metric: str, ranks: np.ndarray, n_items: int, drawn: int = DRAWN, again: bool = True
) -> np.ndarray:
    """Expectation of a metric among ``drawn`` others, at ranks among all items.

    Of the other n - 1 items r - 1 rank above, so that j of m drawn ones do with probability
    Bin(j; m, (r - 1) / (n - 1)): E[M] = sum over j = 0..m of Bin(j; m, (r - 1) / (n - 1)) M(j + 1).

    Args:
        ranks: int (N,), from 1 to ``n_items``. n_items: candidates, the test item included.
        again: whether an item can be drawn twice (the formula); else j is hypergeometric.

    Returns:
        float64 (N,).

    Raises:
        ConfigError: a rank or a number of items that cannot be.
    """
    ranks = np.asarray(ranks, np.int64)
    if n_items < 2 or drawn < 1 or (not again and drawn > n_items - 1):
        raise ConfigError(f"{drawn} items cannot be drawn of {n_items - 1}.")
    if len(ranks) and not 1 <= ranks.min() <= ranks.max() <= n_items:
        raise ConfigError(f"Ranks lie from 1 to {n_items}, got {ranks.min()} to {ranks.max()}.")
    above = np.arange(drawn + 1)
    better = ranks[:, None] - 1
    chances = (
        stats.binom.pmf(above, drawn, better / (n_items - 1))
        if again
        else stats.hypergeom.pmf(above, n_items - 1, better, drawn)
    )
    return chances @ values_at(metric, above + 1)


def example() -> pd.DataFrame:
    """Krichene and Rendle's example, one row per ranker and metric: index ranker; columns metric,
    full, sampled (expected)."""
    rows = [
        {
            "ranker": name,
            "metric": metric,
            "full": values_at(metric, np.array(ranks)).mean(),
            "sampled": expected_values(metric, np.array(ranks), EXAMPLE_ITEMS).mean(),
        }
        for metric in EXAMPLE_METRICS
        for name, ranks in EXAMPLE.items()
    ]
    return pd.DataFrame(rows).set_index("ranker")


def chance_curve(n_items: int, k: int = 10, drawn: int = DRAWN) -> pd.DataFrame:
    """Chance that an item of each full rank is among the first ``k`` of itself and ``drawn``
    others: index rank, columns sampled (the chance) and full (1 up to ``k``, then 0)."""
    ranks = np.arange(1, n_items + 1)
    columns = {
        "sampled": expected_values(f"hr@{k}", ranks, n_items, drawn),
        "full": values_at(f"hr@{k}", ranks),
    }
    return pd.DataFrame(columns, index=pd.Index(ranks, name="rank"))


def last_likely_rank(curve: pd.DataFrame) -> int:
    """The last rank of :func:`chance_curve` that still hits with at least even odds."""
    return int(curve.index[curve["sampled"] >= 0.5].max())


def pair_orders(
    values: pd.DataFrame, intervals: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Every pair of models by the sampled and the full metric, and whether they agree.

    Args:
        values: index model; columns sampled, full; higher = better.
        intervals: by ``sampled`` and ``full``, columns variant, other, low, high of a pair's
            difference, in either direction (``claims.across_users.intervals`` gives such). A pair
            is told apart where both intervals leave out zero; a pair that is not in them is not.
            None: where neither difference is zero.

    Returns:
        columns model, other, sampled, full (differences) and order: ``SAME``, ``TURNED`` or
        ``UNTOLD``.
    """
    clear = {name: _told_apart(table) for name, table in (intervals or {}).items()}
    rows = []
    for one, other in combinations(values.index, 2):
        difference = values.loc[one] - values.loc[other]
        told = (
            (difference != 0).all()
            if intervals is None
            else all(frozenset((one, other)) in pairs for pairs in clear.values())
        )
        same = np.sign(difference["sampled"]) == np.sign(difference["full"])
        order = UNTOLD if not told else SAME if same else TURNED
        rows.append({"model": one, "other": other, **difference, "order": order})
    return pd.DataFrame(rows, columns=["model", "other", "sampled", "full", "order"])


def _told_apart(intervals: pd.DataFrame) -> set[frozenset[str]]:
    clear = intervals[(intervals["low"] > 0) | (intervals["high"] < 0)]
    return {frozenset(pair) for pair in zip(clear["variant"], clear["other"], strict=True)}


def orders_sentence(pairs: pd.DataFrame, metric: str) -> str:
    """How many pairs of :func:`pair_orders` a metric, as tables call it, orders otherwise among few
    items, and how many are not told apart, each by its own intervals."""
    same, turned, untold = (
        int((pairs["order"] == order).sum()) for order in (SAME, TURNED, UNTOLD)
    )
    told = same + turned
    if not told:
        return f"{metric}: none of {len(pairs)} pairs of models is told apart by both evaluations."
    more = f"; {untold} more {'is' if untold == 1 else 'are'} not"
    return (
        f"{metric}: of {told} pair{'s' * (told != 1)} of models that both evaluations tell apart, "
        f"each by its own intervals, {turned} stand{'s' * (turned == 1)} the other way round among "
        f"few items{more if untold else ''}."
    )
