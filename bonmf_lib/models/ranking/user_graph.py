"""Users who trained on the same items: each user's nearest by the number of shared items, found a
block of users at a time."""

import numpy as np
import torch
from torch import nn

from ..layers import SparseRows
from .base import rated_pairs
from .edges import softmax_within

_USERS_AT_ONCE = 512


def nearest_by_shared_items(
    users: torch.Tensor, items: torch.Tensor, shape: tuple[int, int], k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each user's k others with most shared items, of equal ones those with the lower id, at least
    one item shared: users, neighbours and counts, int64 (N,) each, sorted by user, then rank."""
    x = rated_pairs(users, items, shape).astype(np.int32)
    n_users, other_way, found = shape[0], x.T.tocsr(), []
    for first in range(0, n_users, _USERS_AT_ONCE):
        shared = (x[first : first + _USERS_AT_ONCE] @ other_way).tocoo()
        row, other, count = (part.astype(np.int64) for part in (*shared.coords, shared.data))
        different = other != row + first
        row, other, count = row[different], other[different], count[different]
        if not len(row):
            continue
        # one number for row, rank of the count and id: sorted much faster than by three keys
        most = count.max() + 1
        keys = np.sort((row * most + most - 1 - count) * n_users + other)
        ranked, other = np.divmod(keys, n_users)
        row, fewer = np.divmod(ranked, most)
        begins = np.searchsorted(row, np.arange(row[-1] + 1))
        kept = np.arange(len(row)) - begins[row] < k
        found.append((row[kept] + first, other[kept], most - 1 - fewer[kept]))
    if not found:
        return tuple(np.zeros(0, np.int64) for _ in range(3))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


class NearestUsers(nn.Module):
    """Sums of the nearest users' vectors, weighted by the softmax of how many items are shared.

    Users with fewer than k neighbours have some of them several times: k places are filled by each
    neighbour once, the rest by neighbours drawn again in every epoch (:meth:`draw`). Rankings do
    not depend on a draw: there, every neighbour counts once. Users without a neighbour get 0.
    """

    def __init__(self, users: torch.Tensor, items: torch.Tensor, shape: tuple[int, int], k: int):
        super().__init__()
        self.n_users, self.k = shape[0], k
        rows, neighbours, shared = map(
            torch.from_numpy, nearest_by_shared_items(users, items, shape, k)
        )
        for name, tensor in (
            ("rows", rows),
            ("neighbours", neighbours),
            ("shared", shared.to(torch.get_default_dtype())),
        ):
            self.register_buffer(name, tensor, persistent=False)  # (N,)
        self.each_once = self._weighted(torch.ones_like(self.rows))
        self.drawn = self.each_once

    def draw(self) -> None:
        """Fill the places of users with fewer than k neighbours, by torch's generator."""
        counts = torch.bincount(self.rows, minlength=self.n_users)
        short = ((counts > 0) & (counts < self.k)).nonzero().squeeze(1)
        places = torch.repeat_interleave(short, self.k - counts[short])
        within = (torch.rand(len(places), device=places.device) * counts[places]).long()
        # a random number just below 1 can be rounded up to it
        within = torch.minimum(within, counts[places] - 1)
        again = (counts.cumsum(0) - counts)[places] + within
        self.drawn = self._weighted(1 + torch.bincount(again, minlength=len(self.rows)))

    def _weighted(self, times: torch.Tensor) -> SparseRows:
        """``times`` int64 (N,): how many places a neighbour fills."""
        weights = softmax_within(self.shared + times.log(), self.rows, self.n_users)
        return SparseRows(self.rows, self.neighbours, weights, (self.n_users, self.n_users))

    def forward(self, of_users: torch.Tensor) -> torch.Tensor:
        """(U, D) -> (U, D)."""
        return (self.drawn if self.training else self.each_once)(of_users)
