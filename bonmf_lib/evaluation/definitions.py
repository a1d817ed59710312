"""Every common reading of "Precision@K" and "NDCG" for rating prediction, and their values on one
table at once.

A paper that prints these names alone leaves K, the relevance threshold, the gain, the candidates
and the averaging open. :class:`MetricDefinition` spells one reading out, :func:`definition_grid`
lists the readings that are in use. Which ratings are evaluated (test or training part) is a
property of the table, not of a definition.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import numpy as np

from ..config import config
from ..errors import ConfigError
from .rating import ranks

_CHOICES = {
    "metric": ("precision", "ndcg"),
    "candidates": ("rated", "all"),
    "averaging": ("user", "pooled"),
    "variant": ("list", "fixed", "recommended", None),
    "gain": ("exponential", "linear", "binary", None),
    "empty": (0.0, 1.0, None),
}
_DIVISORS = {"list": "/ min(K, n)", "fixed": "/ K", "recommended": "/ recommended"}
KS = (1, 3, 5, 10, 20, None)
THRESHOLDS = (3.0, 3.5, 4.0, 4.5)  # on whole stars 4.5 is 5, but a prediction may reach 4.5


@config
class MetricDefinition:
    """One reading of precision or NDCG; combinations that mean nothing are refused.

    Discount of NDCG: 1 / log2(rank + 1) (Järvelin & Kekäläinen, 2002), divided by the ideal
    order's.
    """

    metric: str  # precision | ndcg
    k: int | None = 10  # first K of a list; None = the whole list
    # ratings from here on are relevant: precision, and NDCG with binary gain
    threshold: float | None = None
    # rated = the user's own evaluated ratings; all = every item not rated in training, where an
    # unrated one counts as irrelevant, with no gain
    candidates: str = "rated"
    # user = mean over users; pooled = hits over places of all lists (NDCG: one global list)
    averaging: str = "user"
    # of precision, divisor: list = min(K, n); fixed = K; recommended = those of the first K that
    # are predicted at or above the threshold, which alone count as hits then (FAQ of
    # scikit-surprise)
    variant: str | None = None
    empty: float | None = None  # precision of a user for whom nothing is recommended: 0 or 1
    # of NDCG: exponential = 2^r - 1; linear = r; binary = 1 from the threshold on
    gain: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"MetricDefinition.{name} must be one of {allowed}, "
                    f"got {getattr(self, name)!r}."
                )
        if self.k is not None and self.k < 1:
            raise ConfigError(f"MetricDefinition.k must be at least 1, got {self.k}.")
        precision = self.metric == "precision"
        per_user_share = self.variant == "recommended" and self.averaging == "user"
        for wrong, why in (
            (precision != (self.variant is not None),
             "variant belongs to precision, which needs one"),
            (precision == (self.gain is not None), "gain belongs to NDCG, which needs one"),
            ((precision or self.gain == "binary") != (self.threshold is not None),
             "threshold belongs to precision and binary gain, which need one"),
            (per_user_share != (self.empty is not None),
             "empty belongs to the user mean of variant 'recommended', which needs it"),
            (self.variant == "fixed" and self.k is None, "variant 'fixed' needs k"),
            (not precision and self.candidates == "all" and self.averaging == "pooled",
             "one global NDCG list over all pairs of users and items is not available"),
        ):  # fmt: skip
            if wrong:
                raise ConfigError(f"MetricDefinition: {why}.")

    @property
    def label(self) -> str:
        """Unique short text, e.g. ``Precision@10, r >= 4, own ratings, user mean, / min(K, n)``."""
        k = "all" if self.k is None else self.k
        words = [f"Precision@{k}" if self.metric == "precision" else f"NDCG@{k}"]
        words += [f"{self.gain} gain"] if self.gain else []
        words += [f"r >= {self.threshold:g}"] if self.threshold is not None else []
        words += [{"rated": "own ratings", "all": "all items"}[self.candidates]]
        words += [{"user": "user mean", "pooled": "pooled"}[self.averaging]]
        words += [_DIVISORS[self.variant]] if self.variant else []
        words += [f"none = {self.empty:g}"] if self.empty is not None else []
        return ", ".join(words)


def definition_grid(candidates: Sequence[str] = ("rated", "all")) -> list[MetricDefinition]:
    """K in ``KS`` x relevance from ``THRESHOLDS`` x the variants, gains and averagings that make
    sense.

    Left out: ``fixed`` over all items (every list has K), ``list`` over the whole list of all items
    (no model changes it), one global NDCG list over all items. 232 readings over own ratings, 148
    over all items.
    Kept, although no model changes it: ``list`` over the whole list of own ratings, the share of
    relevant ratings.
    """
    out = []
    for pool, k in product(candidates, KS):
        for averaging, threshold in product(("user", "pooled"), THRESHOLDS):
            base = {
                "metric": "precision",
                "k": k,
                "threshold": threshold,
                "candidates": pool,
                "averaging": averaging,
            }
            if pool == "rated" or k is not None:
                out.append(MetricDefinition(**base, variant="list"))
            if pool == "rated" and k is not None:
                out.append(MetricDefinition(**base, variant="fixed"))
            for empty in (0.0, 1.0) if averaging == "user" else (None,):
                out.append(MetricDefinition(**base, variant="recommended", empty=empty))
        for averaging in ("user", "pooled") if pool == "rated" else ("user",):
            base = {"metric": "ndcg", "k": k, "candidates": pool, "averaging": averaging}
            out += [MetricDefinition(**base, gain=gain) for gain in ("exponential", "linear")]
            out += [
                MetricDefinition(**base, gain="binary", threshold=threshold)
                for threshold in THRESHOLDS
            ]
    return out


def evaluate_definitions(
    users: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    definitions: Sequence[MetricDefinition],
) -> np.ndarray:
    """Value of each definition (all with candidates ``rated``) on one table of evaluated ratings.

    Equal predictions are ordered at random, always the same way, as in
    :func:`bonmf_lib.evaluation.top_k`. User means of NDCG leave out users whose ratings have no
    gain at all.

    Args:
        users, truth, predicted: (N,) each.

    Returns:
        (definitions,) float64 in [0, 1]; NaN where nothing is defined (no user with gain, nothing
        recommended).
    """
    _only(definitions, "rated")
    user = np.unique(users, return_inverse=True)[1]
    lists = _Lists(
        user,
        ranks(user, predicted),
        truth,
        predicted,
        np.bincount(user),
        _recommended(user, predicted),
    )
    values = np.full(len(definitions), np.nan)
    one_list = np.array([d.metric == "ndcg" and d.averaging == "pooled" for d in definitions], bool)
    values[~one_list] = _evaluate(
        lists, [d for d, one in zip(definitions, one_list, strict=True) if not one]
    )
    if one_list.any():
        same = np.zeros(len(user), np.int64)
        pooled = replace(
            lists, user=same, rank=ranks(same, predicted), candidates=np.array([len(user)])
        )
        values[one_list] = _evaluate(
            pooled, [d for d, one in zip(definitions, one_list, strict=True) if one]
        )
    return values


def evaluate_all_items(
    scores: np.ndarray,
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray, np.ndarray],
    definitions: Sequence[MetricDefinition],
    block: int = 256,
) -> np.ndarray:
    """Value of each definition (all with candidates ``all``), each list being all items not rated
    in training.

    Users without test ratings have no list. Equal scores follow one fixed random order of the
    items.

    Args:
        scores: (U, I) predicted ratings of every item, an array or a memory map; ``block`` users
        are read at a time.
        train: users, items of the training ratings; no pair may also be in ``test``.
        test: users, items, ratings > 0; all (N,).

    Returns:
        (definitions,) float64 in [0, 1]; NaN where nothing is defined.
    """
    _only(definitions, "all")
    ids, user = np.unique(test[0], return_inverse=True)
    by_user = np.argsort(user, kind="stable")
    row_bounds = np.searchsorted(user[by_user], np.arange(len(ids) + 1))
    known_order = np.argsort(train[0], kind="stable")
    known_users, known_items = np.asarray(train[0])[known_order], np.asarray(train[1])[known_order]
    column = np.random.default_rng(0).permutation(scores.shape[1])  # item -> place among equals
    thresholds = sorted({d.threshold for d in definitions if d.threshold is not None})
    rank, predicted = np.empty(len(user), np.int64), np.empty(len(user), np.float32)
    candidates, recommended = (
        np.empty(len(ids), np.int64),
        np.empty((len(thresholds), len(ids)), np.int64),
    )
    for first in range(0, len(ids), block):
        here = ids[first : first + block]
        shuffled = np.empty((len(here), scores.shape[1]), np.float32)
        shuffled[:, column] = scores[here]
        known = slice(*np.searchsorted(known_users, [here[0], here[-1] + 1]))
        inside = np.isin(known_users[known], here)
        shuffled[
            np.searchsorted(here, known_users[known][inside]), column[known_items[known][inside]]
        ] = -np.inf
        places = np.empty(shuffled.shape, np.int32)
        order = np.argsort(-shuffled, axis=1, kind="stable")
        np.put_along_axis(places, order, np.arange(scores.shape[1], dtype=np.int32)[None], axis=1)
        rows = by_user[row_bounds[first] : row_bounds[first + len(here)]]
        where = user[rows] - first, column[test[1][rows]]
        rank[rows], predicted[rows] = places[where], shuffled[where]
        candidates[first : first + block] = (shuffled > -np.inf).sum(axis=1)
        for place, threshold in enumerate(thresholds):
            recommended[place, first : first + block] = (shuffled >= threshold).sum(axis=1)
    counts = dict(zip(thresholds, recommended, strict=True))
    return _evaluate(
        _Lists(user, rank, test[2], predicted, candidates, counts.__getitem__), definitions
    )


@dataclass(frozen=True)
class _Lists:
    """Evaluated ratings (N,) with their places in their users' lists; users are numbered from 0 to
    U - 1."""

    user: np.ndarray
    rank: np.ndarray  # 0-based, among the user's candidates
    truth: np.ndarray
    predicted: np.ndarray
    candidates: np.ndarray  # (U,) length of the list
    # threshold -> (U,) candidates predicted at or above it, which come first in the list
    recommended: object


def _evaluate(lists: _Lists, definitions: Sequence[MetricDefinition]) -> np.ndarray:
    """The definitions' values; whatever several of them need is computed once."""
    user, truth, n_users = lists.user, lists.truth, len(lists.candidates)
    places = {"own": lists.rank}

    @cache
    def first(k: int | None, order: str = "own") -> np.ndarray:
        if order not in places:
            places[order] = ranks(user, truth)
        return np.flatnonzero(places[order] < (k or np.inf))

    @cache
    def gains(gain: str, threshold: float | None) -> np.ndarray:
        rating = truth.astype(np.float64)
        return {"exponential": lambda: np.exp2(rating) - 1, "linear": lambda: rating}.get(
            gain, lambda: (truth >= threshold).astype(np.float64)
        )()

    @cache
    def dcg(k: int | None, gain: str, threshold: float | None, order: str) -> np.ndarray:
        rows = first(k, order)
        return np.bincount(
            user[rows],
            gains(gain, threshold)[rows] / np.log2(places[order][rows] + 2),
            minlength=n_users,
        )

    @cache
    def hits(k: int | None, threshold: float, only_recommended: bool) -> np.ndarray:
        rows = first(k)
        rows = rows[truth[rows] >= threshold]
        rows = rows[lists.predicted[rows] >= threshold] if only_recommended else rows
        return np.bincount(user[rows], minlength=n_users)

    recommended = cache(lists.recommended)

    def value(d: MetricDefinition) -> float:
        if d.metric == "ndcg":
            ideal = dcg(d.k, d.gain, d.threshold, "ideal")
            defined = ideal > 0
            return _mean(dcg(d.k, d.gain, d.threshold, "own")[defined] / ideal[defined])
        found = hits(d.k, d.threshold, d.variant == "recommended")
        shown = recommended(d.threshold) if d.variant == "recommended" else lists.candidates
        shown = np.minimum(shown, d.k or np.inf) if d.variant != "fixed" else np.full(n_users, d.k)
        if d.averaging == "pooled":
            return float(found.sum() / shown.sum()) if shown.sum() else float("nan")
        return _mean(np.where(shown > 0, found / np.maximum(shown, 1), d.empty or 0.0))

    return np.array([value(definition) for definition in definitions], np.float64)


def _recommended(user: np.ndarray, predicted: np.ndarray):
    """threshold -> (U,) rows of each user predicted at or above it."""
    return lambda threshold: np.bincount(
        user[predicted >= threshold], minlength=user.max(initial=-1) + 1
    )


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _only(definitions: Sequence[MetricDefinition], candidates: str) -> None:
    if other := next((d for d in definitions if d.candidates != candidates), None):
        raise ConfigError(
            f"Only definitions with candidates {candidates!r} can be evaluated here, "
            f"got: {other.label}."
        )
