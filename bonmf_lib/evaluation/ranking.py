"""Full-ranking metrics for implicit feedback: every item the user has not trained on is a
candidate.

Sampled candidates can order models otherwise than all candidates do (Krichene & Rendle, 2020), so
nothing is sampled.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from ..device import pick_device
from ..errors import ConfigError, ModelError
from ..memory import freed_memory_kept
from .ranked import NOTHING_RANKED, Ranked

KS = (5, 10, 20)
Score = Callable[[torch.Tensor], torch.Tensor]
Pairs = tuple[np.ndarray, np.ndarray]


class UnseenItems:
    """Of every user with test items, all items that he has not trained on, to be ranked by any
    number of scores: whatever does not depend on these is prepared once.

    Args:
        train, test: users and items, each (N,) int64; repeated pairs count once.

    Raises:
        ModelError: an id out of range.
    """

    def __init__(
        self,
        train: Pairs,
        test: Pairs,
        n_users: int,
        n_items: int,
        device: torch.device | str = "auto",
    ):
        self.n_items = n_items
        self.device = pick_device(device) if isinstance(device, str) else device
        seen, wanted = (_distinct(*pairs, n_users, n_items) for pairs in (train, test))
        self.users = _owners(wanted, n_items)
        self._asked, self._wanted = self._put(self.users), self._put(wanted)
        self._known, self._tested = (
            _PairsOf(pairs, self.users, n_items, self.device) for pairs in (seen, wanted)
        )
        # equal scores are ordered by these
        places = np.argsort(np.random.default_rng(0).permutation(n_items))
        self._place_of = self._put(places)
        self._popularity = {
            name: self._put(of_item) for name, of_item in _how_known(seen, n_items).items()
        }

    def _put(self, numbers: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self.device)

    @freed_memory_kept()
    @torch.inference_mode()
    def rank(self, score: Score, ks: Sequence[int] = KS, block: int = 256) -> Ranked:
        """Metrics of the K best unseen items of every user with test items.

        With r_j = 1 where the item at rank j is one of the user's n_u test items, and h = r_1 +
        ... + r_K: precision@K = h / K; recall@K = h / n_u; capped_recall@K = h / min(K, n_u);
        hr@K = 1 if h > 0 else 0; ndcg@K = (sum_j r_j / log2(j + 1)) / (sum over j <= min(K, n_u)
        of 1 / log2(j + 1)); mrr = 1 / (rank of the best test item among all candidates); all in
        [0, 1]. Training items of the user are no candidates; a pair in both parts counts in n_u
        but is never found. Equal scores are ordered at random (always the same way): the order of
        the ids may tell of popularity. Items scored -inf, and places left empty because fewer than
        K candidates remain, are misses.

        Of the listed items, whether they are hits or not: popularity@K = mean of their percentile
        among all items by training users, in (0, 1), equal items in the middle of their range;
        novelty@K = mean of -log2 of the share of training users who have the item, in bits, one
        who nobody has counting as one user's; both 0 where nothing is listed. coverage@K = share
        of all items that stand in any user's list.

        Args:
            score: users (B,) int64 on the device -> scores (B, n_items), higher = better; it is
            not changed in place.
            block: users scored at once.

        Returns:
            One list per user with test items; every metric above for every K, ``mrr`` once.

        Raises:
            ConfigError: a K or block below 1. ModelError: scores of another shape, or a
            candidate's score is NaN.
        """
        _check_sizes(ks, block)
        if not len(self.users):
            return NOTHING_RANKED
        found = _Lists.joined(self._lists(score, max(ks), block))
        values = _hit_values(found, ks) | _popularity_values(found, self._popularity, ks)
        columns = torch.stack(list(values.values()))
        means = dict(zip(values, columns.mean(1).tolist(), strict=True))
        per_list = dict(zip(values, columns.cpu().numpy(), strict=True))
        return Ranked(self.users, per_list, means | _coverage(found, self.n_items, ks))

    @freed_memory_kept()
    @torch.inference_mode()
    def hits_by_item(self, score: Score, k: int = 20, block: int = 256) -> np.ndarray:
        """How many of each item's test pairs stand among the K best unseen items of their users,
        int64 (n_items,); arguments and errors as of :meth:`rank`."""
        _check_sizes((k,), block)
        found = torch.zeros(self.n_items, dtype=torch.int64)
        for lists in self._lists(score, k, block):
            hit = lists.items[lists.hits].cpu()
            found += torch.bincount(hit, minlength=self.n_items)
        return found.numpy()

    def _lists(self, score: Score, longest: int, block: int) -> Iterator["_Lists"]:
        for start in range(0, len(self.users), block):
            asked = self._asked[start : start + block]
            scores = score(asked)
            if scores.shape != (len(asked), self.n_items):
                raise ModelError(
                    f"score gave {tuple(scores.shape)} for {len(asked)} users and "
                    f"{self.n_items} items."
                )
            scores = scores.clone()
            scores[self._known.between(start, start + block)] = -torch.inf
            values, best = _topk(scores, min(longest, self.n_items), self._place_of)
            if values[:, 0].isnan().any():  # NaN counts as the highest
                raise ModelError("score gave NaN for at least one item.")
            listed = values > -torch.inf
            pairs = asked.unsqueeze(1) * self.n_items + best
            near = torch.searchsorted(self._wanted, pairs).clamp(max=len(self._wanted) - 1)
            hits = (self._wanted[near] == pairs) & listed
            rows, items = self._tested.between(start, start + block)
            n_test = torch.bincount(rows, minlength=len(asked))
            reciprocal = _reciprocal_rank(scores, rows, items, self._place_of)
            yield _Lists(best, listed, hits, n_test, reciprocal)


def _check_sizes(ks: Sequence[int], block: int) -> None:
    if min(ks, default=0) < 1 or block < 1:
        raise ConfigError(f"ks and block must be at least 1, got {tuple(ks)} and {block}.")


@dataclass(frozen=True, eq=False)
class _Lists:
    """Of some users: the best items, whether each is listed (not scored -inf) and a hit, (B, most),
    best first; the number of test items and 1 / rank of the best one, (B,)."""

    items: torch.Tensor
    listed: torch.Tensor
    hits: torch.Tensor
    n_test: torch.Tensor
    reciprocal: torch.Tensor

    @classmethod
    def joined(cls, blocks: Iterable["_Lists"]) -> "_Lists":
        return cls(*map(torch.cat, zip(*(vars(one).values() for one in blocks), strict=True)))


class _PairsOf:
    """The pairs (as :func:`_distinct` gives them) of some users, on a device; cut at places among
    these users."""

    def __init__(self, pairs: np.ndarray, users: np.ndarray, n_items: int, device: torch.device):
        owners, items = np.divmod(pairs, n_items)
        place = np.full(max(owners.max(initial=0), users.max(initial=0)) + 1, -1)
        place[users] = np.arange(len(users))
        rows = place[owners]
        if (others := rows < 0).any():
            rows, items = rows[~others], items[~others]
        self._rows = rows
        self._on_device = [torch.from_numpy(part).to(device) for part in (rows, items)]

    def between(self, start: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the users from place ``start`` up to ``end``: the places, counted from ``start``, and
        the items, int64 (pairs,) each."""
        low, high = np.searchsorted(self._rows, (start, end))
        rows, items = (part[low:high] for part in self._on_device)
        return rows - start, items


def _hit_values(found: _Lists, ks: Sequence[int]) -> dict[str, torch.Tensor]:
    """What the hits say, (B,) double by name."""
    hits = found.hits.double()
    places = torch.arange(2, max(ks) + 2, dtype=torch.float64, device=hits.device)
    discount = 1 / torch.log2(places)
    ideal = discount.cumsum(0)
    out = {}
    for k in ks:
        first = hits[:, :k]
        total, most = first.sum(1), found.n_test.clamp(max=k)
        out[f"precision@{k}"] = total / k
        out[f"recall@{k}"] = total / found.n_test
        out[f"ndcg@{k}"] = first @ discount[: first.shape[1]] / ideal[most - 1]
        out[f"hr@{k}"] = (total > 0).double()
        out[f"capped_recall@{k}"] = total / most
    names = ("precision", "recall", "ndcg", "hr", "capped_recall")
    return {f"{name}@{k}": out[f"{name}@{k}"] for name in names for k in ks} | {
        "mrr": found.reciprocal
    }


def _how_known(seen: np.ndarray, n_items: int) -> dict[str, np.ndarray]:
    """How known every item is by the pairs that trained, (n_items,) double by name."""
    counts, trained = np.bincount(seen % n_items, minlength=n_items), len(_owners(seen, n_items))
    return {
        "popularity": (stats.rankdata(counts) - 0.5) / n_items,
        "novelty": -np.log2(counts.clip(min=1) / max(1, trained)),  # in bits
    }


def _popularity_values(
    found: _Lists, popularity: dict[str, torch.Tensor], ks: Sequence[int]
) -> dict[str, torch.Tensor]:
    """How known the listed items are, (B,) double by name."""
    out = {}
    for name, of_item in popularity.items():
        told = of_item[found.items] * found.listed
        for k in ks:
            shown = found.listed[:, :k].sum(1).clamp(min=1)
            out[f"{name}@{k}"] = told[:, :k].sum(1) / shown
    return out


def _coverage(found: _Lists, n_items: int, ks: Sequence[int]) -> dict[str, float]:
    listed = {k: found.items[:, :k][found.listed[:, :k]] for k in ks}
    times = {k: torch.bincount(items, minlength=n_items) for k, items in listed.items()}
    return {f"coverage@{k}": float((own > 0).double().mean()) for k, own in times.items()}


def _reciprocal_rank(
    scores: torch.Tensor, rows: torch.Tensor, items: torch.Tensor, place_of: torch.Tensor
) -> torch.Tensor:
    """1 / rank of the best of each row's test items, (B,) double; 0 where all are scored -inf.

    Args:
        scores: (B, n_items). rows, items: of every test item. place_of: (n_items,), of equal scores
        the one with the lower place ranks higher.
    """
    own = scores[rows, items]
    best = scores.new_full(scores.shape[:1], -torch.inf).scatter_reduce(0, rows, own, "amax")
    level, flags = best.unsqueeze(1), torch.empty_like(scores)
    # flags in the scores' own type: sums of bool copy them into int64 first
    ahead = torch.gt(scores, level, out=flags).sum(1).long()
    tied = torch.ge(scores, level, out=flags).sum(1).long() - ahead > 1
    if tied.any():
        last = scores.shape[1]
        place = torch.where(own == best[rows], place_of[items], last)
        first = rows.new_full(best.shape, last).scatter_reduce(0, rows, place, "amin")
        equal = scores[tied] == level[tied]
        ahead[tied] += (equal & (place_of < first[tied].unsqueeze(1))).sum(1)
    return torch.where(best > -torch.inf, 1 / (ahead + 1).double(), 0.0)


def _topk(
    scores: torch.Tensor, k: int, place_of: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and columns (B, k) of each row's k highest scores; of equal ones the one with the
    lower ``place_of`` its column comes first.

    ``topk`` promises no order among equal scores: rows with such at or before place k + 1 are
    sorted whole.
    """
    values, columns = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    tied = ((values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -torch.inf)).any(1)
    if tied.any():
        shuffled = place_of.argsort()
        again = scores[tied][:, shuffled].sort(dim=1, descending=True, stable=True)
        width = values.shape[1]
        values[tied], columns[tied] = again.values[:, :width], shuffled[again.indices[:, :width]]
    return values[:, :k], columns[:, :k]


def _distinct(users: np.ndarray, items: np.ndarray, n_users: int, n_items: int) -> np.ndarray:
    """Distinct pairs as user * n_items + item, sorted."""
    for kind, ids, limit in (("user", users, n_users), ("item", items, n_items)):
        if len(ids) and (ids.min() < 0 or ids.max() >= limit):
            raise ModelError(f"A {kind} id is outside 0 to {limit - 1}.")
    pairs = np.sort(np.asarray(users, np.int64) * n_items + np.asarray(items, np.int64))
    return _each_once(pairs)


def _owners(pairs: np.ndarray, n_items: int) -> np.ndarray:
    """The users of such pairs, each once, sorted."""
    return _each_once(pairs // n_items)


def _each_once(numbers: np.ndarray) -> np.ndarray:
    """Of sorted numbers; ``np.unique`` takes ten times as long."""
    first = np.ones(len(numbers), bool)
    np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
    return numbers[first]
