"""Ranking among few candidates: a test item against items that the user has not rated, drawn or
given.

He et al. (2017) rank one test item among 100. Such a metric can order models otherwise than all
items do (Krichene and Rendle, 2020); it is here to compare with numbers that were printed that way,
beside the ranking of all items.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from ..errors import ConfigError, ModelError, unknown_name
from .ranked import NOTHING_RANKED, Ranked

KS = (1, 5, 10, 20)
Score = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Ties = Literal["mean", "lost", "won"]


@dataclass(frozen=True, eq=False)
class Candidates:
    """One list per test rating.

    Attributes:
        users: int64 (N,). positives: int64 (N,), the test item of each list. negatives: int64 (N,
            n), what it is ranked among; ``-1`` = none.
    """

    users: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    def __post_init__(self) -> None:
        if self.negatives.ndim != 2 or not len(self.users) == len(self.positives) == len(
            self.negatives
        ):
            raise ModelError(
                f"Candidates: {len(self.users)} users, {len(self.positives)} test items and "
                f"negatives of shape {self.negatives.shape} do not belong together."
            )


def drawn_candidates(
    positives: tuple[np.ndarray, np.ndarray],
    rated: tuple[np.ndarray, np.ndarray],
    n_items: int,
    n: int,
    seed: int,
) -> Candidates:
    """``n`` different items for every test rating, uniformly among those that the user has not
    rated anywhere. Drawn once for a split, user by user: published records rest on these lists.

    Args:
        positives: users and items of the test ratings, int64 (N,) each. rated: of all ratings, test
        ratings included.

    Raises:
        ConfigError: a user has fewer than ``n`` unrated items.
    """
    users, items = positives
    draw, out = np.random.default_rng(seed), np.empty((len(users), n), np.int64)
    order = np.argsort(rated[0], kind="stable")
    by_user = np.split(
        rated[1][order], np.cumsum(np.bincount(rated[0], minlength=int(users.max()) + 1))[:-1]
    )
    for row, user in enumerate(users):
        free = np.setdiff1d(np.arange(n_items), by_user[user])
        if len(free) < n:
            raise ConfigError(
                f"User {user} has {len(free)} unrated items, {n} are to be drawn; draw fewer."
            )
        out[row] = draw.choice(free, n, replace=False)
    return Candidates(users, items, out)


@torch.inference_mode()
def rank_candidates(
    score: Score,
    candidates: Candidates,
    device: torch.device,
    ks: Sequence[int] = KS,
    block: int = 4096,
    ties: Ties = "mean",
    naive: bool = False,
) -> Ranked:
    """Hit rate, NDCG and MRR of the test item in its list.

    With g better negatives and t equal ones, the test item's rank is g + 1 to g + t + 1, all as
    likely: every metric is its mean over these, so that no order of equal scores decides. hr@K =
    [rank <= K]; ndcg@K = [rank <= K] / log2(rank + 1); mrr = 1 / rank. A negative that is the test
    item itself is no rival and is left out.

    Args:
        score: users and items, int64 (B,) each on ``device`` -> scores (B,), higher = better.
        ties: ``mean``; or the rank is always g + t + 1 (``lost``) or g + 1 (``won``), as code does
        that puts the test item last or first before it sorts.
        naive: a negative that is the test item itself counts as a rival with an equal score.

    Returns:
        One list per test rating: ``hr@K`` and ``ndcg@K`` for every K, and ``mrr``.

    Raises:
        ConfigError: a K below 1, or unknown ties. ModelError: NaN scores.
    """
    if min(ks, default=0) < 1:
        raise ConfigError(f"ks must be at least 1, got {tuple(ks)}.")
    check_ties(ties)
    if not len(candidates.users):
        return NOTHING_RANKED
    width = candidates.negatives.shape[1]
    ranks = np.arange(1, width + 2)
    gains = {f"hr@{k}": (ranks <= k).astype(np.float64) for k in ks}
    gains |= {f"ndcg@{k}": np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0) for k in ks}
    gains["mrr"] = 1 / ranks
    better, equal = _rivals(score, candidates, device, max(1, block // (width + 1)), naive)
    low = better + equal if ties == "lost" else better  # places before the first possible one
    high = better if ties == "won" else better + equal
    values = {}
    for name, gain in gains.items():
        sums = np.concatenate([[0.0], np.cumsum(gain)])  # of the first so many ranks
        values[name] = (sums[high + 1] - sums[low]) / (high - low + 1)
    metrics = {name: float(value.mean()) for name, value in values.items()}
    return Ranked(candidates.users, values, metrics)


def check_ties(ties: str) -> None:
    """``ConfigError`` unless equal scores can be ranked so."""
    if ties not in get_args(Ties):
        raise ConfigError(unknown_name("ties", ties, get_args(Ties)))


def _rivals(
    score: Score, candidates: Candidates, device: torch.device, block: int, naive: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Per list, how many negatives score higher than the test item, and how many the same, int64
    (N,)."""
    better, equal = [], []
    for start in range(0, len(candidates.users), block):
        rows = slice(start, start + block)
        negatives, positives = candidates.negatives[rows], candidates.positives[rows]
        rivals = (negatives >= 0) & (naive | (negatives != positives[:, None]))
        real = torch.from_numpy(rivals).to(device)
        items = np.concatenate(
            [positives[:, None], np.where(negatives < 0, positives[:, None], negatives)], axis=1
        )
        users = np.repeat(candidates.users[rows], items.shape[1])
        scores = score(
            torch.from_numpy(users).to(device), torch.from_numpy(items.ravel()).to(device)
        )
        if scores.isnan().any():
            raise ModelError("score gave NaN for at least one candidate.")
        scores = scores.view(items.shape)
        own, others = scores[:, :1], scores[:, 1:]
        better.append(((others > own) & real).sum(1).cpu().numpy())
        equal.append(((others == own) & real).sum(1).cpu().numpy())
    return np.concatenate(better), np.concatenate(equal)
