"""Means and differences told across users, where all seeds test the same ratings.

A seed is then only another initialisation, and whom the numbers speak of is a sample of users:
they, and the seeds, are drawn anew (a bootstrap of both, as of the rows and columns of a table).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce

import numpy as np
import pandas as pd

from ..errors import RecordError
from .significance import Estimate, t_interval

DRAWS = 2000
_BLOCK = 200  # draws at once, which bounds the memory


@dataclass(frozen=True, eq=False)
class UserValues:
    """One metric of one row, by user and seed.

    Attributes:
        users: ids (U,), sorted. seeds: J of them.
        sums: float64 (U, J), over the lists of a user (one each where one item is left out).
        lists: int64 (U,), how many these are.
    """

    users: np.ndarray
    seeds: tuple[int, ...]
    sums: np.ndarray
    lists: np.ndarray

    @classmethod
    def of(cls, by_seed: Mapping[int, pd.DataFrame], metric: str) -> "UserValues":
        """Out of one table per seed with the columns ``user`` and the metric, one row per list.

        Raises:
            RecordError: two seeds test other users, or a value is missing.
        """
        groups = {seed: table.groupby("user")[metric] for seed, table in by_seed.items()}
        lists = {seed: group.size() for seed, group in groups.items()}
        first = next(iter(lists.values()))
        if not all(first.equals(other) for other in lists.values()):
            raise RecordError(f"{metric}: the seeds do not test the same users.")
        sums = np.stack([group.sum().to_numpy(np.float64) for group in groups.values()], axis=1)
        if any(table[metric].isna().any() for table in by_seed.values()):
            raise RecordError(f"{metric}: a user's value is missing.")
        return cls(first.index.to_numpy(), tuple(by_seed), sums, first.to_numpy(np.int64))

    def at(self, seeds: Sequence[int]) -> np.ndarray:
        """The sums of some seeds, float64 (U, seeds)."""
        return self.sums[:, [self.seeds.index(seed) for seed in seeds]]


@dataclass(frozen=True)
class AcrossUsers:
    """A number with its standard error across users and seeds.

    Attributes:
        mean: over users and seeds. error: NaN with one seed, which tells nothing of the others.
        freedom: degrees of freedom of the error (Satterthwaite): near the number of users where
            users decide, near the number of seeds less one where initialisations do.
        users: how many. seeds: over which.
    """

    mean: float
    error: float
    freedom: float
    users: int
    seeds: tuple[int, ...]

    def estimate(self, level: float = 0.95) -> Estimate:
        """With its interval and the two-sided p-value against 0; ``n`` is the number of seeds."""
        return t_interval(self.mean, self.error, self.freedom, len(self.seeds), level)

    def negated(self) -> "AcrossUsers":
        """Of the difference the other way round."""
        return replace(self, mean=-self.mean)

    def less(self, other: "AcrossUsers") -> "AcrossUsers":
        """This number less another one, as if nothing of their errors were shared: the error is too
        large where the same users move both alike, and too small where they move them apart."""
        variances = self.error**2, other.error**2
        error, sizes = sum(variances), (self.freedom, other.freedom)
        parts = sum(v**2 / freedom for v, freedom in zip(variances, sizes, strict=True) if v)
        freedom = error**2 / parts if parts else min(sizes)
        return replace(self, mean=self.mean - other.mean, error=error**0.5, freedom=freedom)


def mean_across_users(own: UserValues, draws: int = DRAWS, seed: int = 0) -> AcrossUsers:
    """A row's mean; see :func:`gain_across_users`."""
    return _across([own], lambda mean: mean, draws, seed)


def difference_across_users(
    ours: UserValues, theirs: UserValues, draws: int = DRAWS, seed: int = 0
) -> AcrossUsers:
    """Mean of ours - theirs, in the metric's unit; see :func:`gain_across_users`."""
    return _across([ours, theirs], lambda one, other: one - other, draws, seed)


def gain_across_users(
    ours: UserValues, theirs: UserValues, draws: int = DRAWS, seed: int = 0
) -> AcrossUsers:
    """Mean of ours - theirs in percent of theirs, over the same users and the seeds that both have.

    Every draw takes as many users, as many seeds, or both, as there are, with replacement and for
    both rows alike, and computes the number anew. J seeds spread J / (J - 1) too little when they
    are drawn from themselves, which is made good. Draws of both count what is peculiar to a user
    with a seed three times (Owen, 2007), draws of one of them once each: the variance is twice the
    sum of the latter less the former, and at least that over users. It enters a t interval: shares
    of 2,000 draws could give no p-value that stays below 0.05 when many tests are adjusted
    together, and three seeds need longer tails than they show.

    Raises:
        RecordError: the rows test other users, or have no seed in common.
    """
    return _across([ours, theirs], _percent, draws, seed)


def _percent(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return 100 * (one - other) / np.abs(other)


def _across(
    rows: Sequence[UserValues], number: Callable[..., np.ndarray], draws: int, seed: int
) -> AcrossUsers:
    """A number of the rows' means, with what it spreads over draws of users and seeds."""
    first = rows[0]
    if not all(
        np.array_equal(first.users, row.users) and np.array_equal(first.lists, row.lists)
        for row in rows
    ):
        raise RecordError("Rows that test other users cannot be paired across them.")
    seeds = tuple(sorted(reduce(set.intersection, (set(row.seeds) for row in rows))))
    if not seeds:
        raise RecordError("Rows without a seed in common cannot be paired across users.")
    sums = np.stack([row.at(seeds) for row in rows], axis=1)  # (U, rows, J)
    by_seed = sums.sum(axis=0) / first.lists.sum()  # (rows, J)
    mean, users, n = float(number(*by_seed.mean(axis=1))), len(first.users), len(seeds)
    if n < 2:
        return AcrossUsers(mean, float("nan"), float("nan"), users, seeds)
    weights = _seed_weights(n, draws, seed)
    drawn = _drawn_means(sums.reshape(users, -1), first.lists, draws, seed)
    drawn = drawn.reshape(draws, len(rows), n)
    of_both = np.var(number(*np.einsum("drj,dj->rd", drawn, weights)), ddof=1)
    of_users = np.var(number(*drawn.mean(axis=2).T), ddof=1)
    of_seeds = np.var(number(*(by_seed @ weights.T)), ddof=1)
    total = float(max(2 * (of_users + of_seeds) - of_both, of_users))
    parts = of_seeds**2 / (n - 1) + of_users**2 / (users - 1)  # Satterthwaite
    freedom = float(max(total**2 / parts, n - 1)) if parts else n - 1.0
    return AcrossUsers(mean, total**0.5, freedom, users, seeds)


def _seed_weights(n: int, draws: int, seed: int) -> np.ndarray:
    """Weights of the seeds in each draw, float64 (draws, n), each row's sum 1: spread so that
    their mean varies as that of new seeds would."""
    drawn = np.random.default_rng([seed, n, 1]).multinomial(n, np.full(n, 1 / n), size=draws) / n
    return 1 / n + np.sqrt(n / (n - 1)) * (drawn - 1 / n)


@lru_cache(maxsize=1)
def _user_counts(users: int, draws: int, seed: int) -> np.ndarray:
    """How often each draw takes each user, uint8 (draws, users): the same for every pair of rows,
    as a comparison of several needs."""
    random, out = np.random.default_rng([seed, users, 0]), np.empty((draws, users), np.uint8)
    for start in range(0, draws, _BLOCK):
        block = out[start : start + _BLOCK]
        places = random.integers(users, size=block.shape) + users * np.arange(len(block))[:, None]
        block[:] = np.bincount(places.ravel(), minlength=block.size).reshape(block.shape)
    return out


def _drawn_means(sums: np.ndarray, lists: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Means over the lists of the users of each draw: (users, columns) -> (draws, columns)."""
    counts, out = _user_counts(len(sums), draws, seed), []
    for start in range(0, draws, _BLOCK):
        block = counts[start : start + _BLOCK].astype(np.float64)
        out.append(block @ sums / (block @ lists)[:, None])
    return np.concatenate(out)
