"""Rating metrics: errors, and top-K quality among the items that a user rated in the test part.

The paper gives neither K, nor the relevance threshold, nor the gain, nor the candidates of its
Precision@K and NDCG. Everything here is explicit instead; ``DEFINITION`` says what the study uses
throughout.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..config import config
from ..errors import ConfigError


@config
class TopKDefinition:
    """One way to score the top K of each user's own test items."""

    k: int = 10
    threshold: float = 4.0  # ratings from here on count as relevant
    gain: str = "exponential"  # of NDCG: exponential = 2^r - 1, linear = r
    # of a scale that goes below 0: there gains count from its low end, since none may be negative
    low: float = 0.0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"TopKDefinition.k must be at least 1, got {self.k}.")
        if self.gain not in ("exponential", "linear"):
            raise ConfigError(
                f"TopKDefinition.gain must be exponential or linear, got {self.gain!r}."
            )


DEFINITION = TopKDefinition()
KS = (1, 3, 5, 10)  # cut-offs that are recorded for every model


def rating_errors(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """MSE, RMSE and MAE of predictions (N,) against true ratings (N,),
    in (squared) rating units."""
    error = predicted.astype(np.float64) - truth.astype(np.float64)
    mse = float(np.mean(error**2))
    return {"mse": mse, "rmse": mse**0.5, "mae": float(np.mean(np.abs(error)))}


COLD = 5  # items with fewer training ratings are cold


def cold_errors(
    items: np.ndarray, truth: np.ndarray, predicted: np.ndarray, train_counts: np.ndarray
) -> dict[str, float]:
    """``mse-cold-items`` over the test rows (N,) of items with fewer than ``COLD`` training
    ratings, and ``mse-warm-items`` over the others; a metric without rows is left out.

    Args:
        train_counts: training ratings per item, (n_items,).
    """
    cold = train_counts[items] < COLD
    parts = {"mse-cold-items": cold, "mse-warm-items": ~cold}
    return {
        name: rating_errors(truth[rows], predicted[rows])["mse"]
        for name, rows in parts.items()
        if rows.any()
    }


def top_k(
    users: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    definition: TopKDefinition = DEFINITION,
) -> dict[str, np.ndarray]:
    """Precision, recall and NDCG per user, each list being the user's own test items (all arguments
    (N,)).

    precision: relevant items among the first min(K, n_u), divided by min(K, n_u); n_u = the user's
    test items.
    recall: relevant items among the first K, divided by all relevant ones; NaN for users with none.
    ndcg: DCG@K / ideal DCG@K with discount 1 / log2(rank + 1) (Järvelin & Kekäläinen, 2002); NaN
        for users whose items have no gain at all.

    Equal predictions are ordered at random (always the same way): the order of the rows may tell of
    the truth.

    Returns:
        arrays (users with at least one test item,), users in ascending order, under ``user``,
        ``precision``, ``recall`` and ``ndcg``.
    """
    return _top_k(_ranked(users, truth, predicted), truth, definition)


@dataclass(frozen=True)
class _Ranked:
    """Rows (N,) with their 0-based places in their user's list; users are numbered from 0 in
    ascending order."""

    ids: np.ndarray  # (U,)
    user: np.ndarray
    own: np.ndarray  # by prediction
    ideal: np.ndarray  # by truth


def _ranked(users: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> _Ranked:
    ids, user = np.unique(users, return_inverse=True)
    return _Ranked(ids, user, ranks(user, predicted), ranks(user, truth))


def ranks(user: np.ndarray, score: np.ndarray) -> np.ndarray:
    """0-based place (N,) of each row among its user's rows, highest score first; equals in one
    random order."""
    order = np.lexsort((np.random.default_rng(0).permutation(len(user)), -score, user))
    counts = np.bincount(user)
    rank = np.empty(len(order), np.int64)
    rank[order] = places_in_groups(counts)
    return rank


def places_in_groups(counts: np.ndarray) -> np.ndarray:
    """0-based place of each row in its group, where the groups, of so many rows each, follow on one
    another; int64 (sum of counts,)."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _top_k(ranked: _Ranked, truth: np.ndarray, definition: TopKDefinition) -> dict[str, np.ndarray]:
    user, n_users, counts = ranked.user, len(ranked.ids), np.bincount(ranked.user)
    gains = rating_gains(truth, definition)
    relevant = truth >= definition.threshold

    def dcg(rank: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(rank < definition.k)
        return np.bincount(user[rows], gains[rows] / np.log2(rank[rows] + 2), minlength=n_users)

    hits = np.bincount(user[relevant & (ranked.own < definition.k)], minlength=n_users)
    relevant_total = np.bincount(user, relevant, minlength=n_users).astype(np.float64)
    relevant_total[relevant_total == 0] = np.nan
    ideal = dcg(ranked.ideal)
    ideal[ideal == 0] = np.nan
    return {
        "user": ranked.ids,
        "precision": hits / np.minimum(counts, definition.k),
        "recall": hits / relevant_total,
        "ndcg": dcg(ranked.own) / ideal,
    }


def rating_gains(truth: np.ndarray, definition: TopKDefinition) -> np.ndarray:
    """What an item of each true rating (N,) is worth in NDCG."""
    height = truth.astype(np.float64) - definition.low
    return np.exp2(height) - 1 if definition.gain == "exponential" else height


def relevance_threshold(low: float, high: float) -> float:
    """Ratings from here on are relevant: three quarters up the scale, 4 on a scale of 1 to 5."""
    return low + 0.75 * (high - low)


def definition_on(scale) -> TopKDefinition:
    """``DEFINITION`` on a rating scale (``low`` and ``high``): its threshold, and its low end where
    that is below 0."""
    return TopKDefinition(
        threshold=relevance_threshold(scale.low, scale.high), low=min(scale.low, 0.0)
    )


def rating_metrics(
    users: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    definition: TopKDefinition = DEFINITION,
) -> dict[str, float]:
    """All recorded metrics by name, averaged over the users for whom they are defined.

    Names: mse, rmse, mae, precision@K, recall@K, ndcg@K for the K in ``KS`` (exponential gain) and
    ndcg-linear@10; the threshold and the low end of the scale are the definition's. A metric that
    is defined for no user (no rating reaches the threshold) is left out.
    """
    out, ranked = rating_errors(truth, predicted), _ranked(users, truth, predicted)
    for k in KS:
        per_user = _top_k(ranked, truth, replace(definition, k=k))
        out |= {
            f"{name}@{k}": defined_mean(per_user[name]) for name in ("precision", "recall", "ndcg")
        }
    linear = _top_k(ranked, truth, replace(definition, gain="linear"))
    out[f"ndcg-linear@{DEFINITION.k}"] = defined_mean(linear["ndcg"])
    return {name: value for name, value in out.items() if np.isfinite(value)}


def defined_mean(values: np.ndarray) -> float:
    """Mean of the values (N,) that are not NaN; NaN where all are."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
