"""Full-ranking metrics for implicit feedback: every item the user has not trained on is a
candidate.

Sampled candidates can order models otherwise than all candidates do (Krichene & Rendle, 2020), so
nothing is sampled.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..device import pick_device
from ..errors import ConfigError, ModelError

KS = (5, 10, 20)


@torch.inference_mode()
def ranking_metrics(
    score: Callable[[torch.Tensor], torch.Tensor],
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    n_users: int,
    n_items: int,
    ks: Sequence[int] = KS,
    device: torch.device | str = "auto",
    block: int = 256,
) -> dict[str, float]:
    """Precision, recall, NDCG and hit rate of the K best unseen items, averaged over the users with
    test items.

    With r_j = 1 where the item at rank j is one of the user's n_u test items, and h = r_1 + ... +
    r_K: precision@K = h / K; recall@K = h / n_u; hr@K = 1 if h > 0 else 0; ndcg@K = (sum_j r_j /
    log2(j + 1)) / (sum over j <= min(K, n_u) of 1 / log2(j + 1)); all in [0, 1]. Training items of
    the user are no candidates; a pair in both parts counts in n_u but is never found. Equal scores
    are ordered at random (always the same way): the order of the ids may tell of popularity. Items
    scored -inf, and places left empty because fewer than K candidates remain, are misses.

    Args:
        score: users (B,) int64 on ``device`` -> scores (B, n_items), higher = better; it is not
        changed in place.
        train, test: users and items, each (N,) int64; repeated pairs count once.
        block: users scored at once.

    Returns:
        ``precision@K``, ``recall@K``, ``ndcg@K``, ``hr@K`` for every K; empty when there is no test
        item.

    Raises:
        ConfigError: a K or block below 1. ModelError: an id out of range, scores of another shape,
        or NaN scores.
    """
    if min(ks, default=0) < 1 or block < 1:
        raise ConfigError(f"ks and block must be at least 1, got {tuple(ks)} and {block}.")
    device = pick_device(device) if isinstance(device, str) else device
    seen = _by_user(*train, n_users, n_items)
    wanted = _by_user(*test, n_users, n_items)
    users = np.flatnonzero(np.diff(wanted[0]))
    if not len(users):
        return {}
    most = min(max(ks), n_items)
    # orders equal scores
    shuffled = torch.from_numpy(np.random.default_rng(0).permutation(n_items)).to(device)
    discount = 1 / torch.log2(torch.arange(2, max(ks) + 2, dtype=torch.float64, device=device))
    ideal = discount.cumsum(0)
    sums = torch.zeros(4, len(ks), dtype=torch.float64, device=device)
    for start in range(0, len(users), block):
        chosen = users[start : start + block]
        scores = score(torch.from_numpy(chosen).to(device))
        if scores.shape != (len(chosen), n_items):
            raise ModelError(
                f"score gave {tuple(scores.shape)} for {len(chosen)} users and {n_items} items."
            )
        if scores.isnan().any():
            raise ModelError("score gave NaN for at least one item.")
        relevant = torch.zeros(len(chosen), n_items, dtype=torch.bool, device=device)
        masked = torch.zeros_like(relevant)
        for target, pairs in ((relevant, wanted), (masked, seen)):
            rows, items = _rows_of(pairs, chosen)
            target[torch.from_numpy(rows).to(device), torch.from_numpy(items).to(device)] = True
        n_test = relevant.sum(1)
        scores = scores.masked_fill(masked, -torch.inf).index_select(1, shuffled)
        values, places = _stable_topk(scores, most)
        hits = relevant.gather(1, shuffled[places]) & (values > -torch.inf)
        hits = hits.double()  # (B, most), best first
        for column, k in enumerate(ks):
            first = hits[:, :k]
            found = first.sum(1)
            gain = first @ discount[: first.shape[1]]
            best = ideal[n_test.clamp(max=k) - 1]
            per_user = torch.stack([found / k, found / n_test, gain / best, (found > 0).double()])
            sums[:, column] += per_user.sum(1)
    means = (sums / len(users)).tolist()
    return {
        f"{name}@{k}": value
        for name, row in zip(("precision", "recall", "ndcg", "hr"), means, strict=True)
        for k, value in zip(ks, row, strict=True)
    }


def _stable_topk(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and columns (B, k) of each row's k highest scores; of equal ones the earlier column
    comes first.

    ``topk`` promises no order among equal scores: rows with such at or before place k + 1 are
    sorted whole.
    """
    values, places = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    tied = ((values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -torch.inf)).any(1)
    if tied.any():
        again = scores[tied].sort(dim=1, descending=True, stable=True)
        values[tied], places[tied] = (
            again.values[:, : values.shape[1]],
            again.indices[:, : values.shape[1]],
        )
    return values[:, :k], places[:, :k]


def _by_user(
    users: np.ndarray, items: np.ndarray, n_users: int, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs as offsets (n_users + 1,) and items sorted by user."""
    for kind, ids, limit in (("user", users, n_users), ("item", items, n_items)):
        if len(ids) and (ids.min() < 0 or ids.max() >= limit):
            raise ModelError(f"A {kind} id is outside 0 to {limit - 1}.")
    pairs = np.unique(np.asarray(users, np.int64) * n_items + np.asarray(items, np.int64))
    counts = np.bincount(pairs // n_items, minlength=n_users)
    return np.concatenate([[0], np.cumsum(counts)]), pairs % n_items


def _rows_of(
    pairs: tuple[np.ndarray, np.ndarray], chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions within ``chosen`` and items of all pairs of the chosen users."""
    offsets, items = pairs
    counts = offsets[chosen + 1] - offsets[chosen]
    ends = np.cumsum(counts)
    places = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    return np.repeat(np.arange(len(chosen)), counts), items[
        np.repeat(offsets[chosen], counts) + places
    ]
