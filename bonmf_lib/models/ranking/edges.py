"""Edges of a graph of users and items whose weights are learned: attention over a user's items and
an item's users, in time and memory linear in edges."""

import warnings

import torch
from torch import nn
from torch.nn import functional as F

from ..layers import rows_of


def softmax_within(scores: torch.Tensor, groups: torch.Tensor, count: int) -> torch.Tensor:
    """exp(s_e) over the sum of its group's: scores (E,), groups int64 (E,) from 0 to count - 1 ->
    (E,); groups without a member do no harm."""
    most = scores.new_full((count,), -torch.inf)
    most.scatter_reduce_(0, groups, scores.detach(), "amax")  # against overflow, no part of it
    powers = (scores - rows_of(most, groups)).exp()
    sums = powers.new_zeros(count).index_add(0, groups, powers)
    return powers / rows_of(sums, groups)


class LearnedEdges(nn.Module):
    """Sums over users' items and items' users with a learned weight for every edge.

    A gradient with respect to weights is a dot product at every edge, one with respect to dot
    products is a weighted sum: both passes need these two alone, and neither keeps a vector for an
    edge.

    Attributes:
        users, items: int64 (E,), the ends of the edges, in the order of all weights.
    """

    def __init__(self, users: torch.Tensor, items: torch.Tensor, shape: tuple[int, int]):
        """Edges are different and sorted by user, as of
        :func:`~bonmf_lib.models.ranking.graph.rated_edges`; shape: (n_users, n_items)."""
        super().__init__()
        self.n_users, self.n_items = shape
        by_item = torch.argsort(items, stable=True)
        for name, tensor in (
            ("users", users),
            ("items", items),
            ("by_item", by_item),  # places of the edges, one item's after the other's
            ("users_by_item", users[by_item]),
            ("user_bounds", _bounds(users, shape[0])),  # (U + 1,)
            ("item_bounds", _bounds(items, shape[1])),  # (I + 1,)
        ):
            self.register_buffer(name, tensor, persistent=False)

    def dots(self, of_users: torch.Tensor, of_items: torch.Tensor) -> torch.Tensor:
        """Dot products of the ends: (U, D), (I, D) -> (E,)."""
        return _Dots.apply(self, of_users, of_items)

    def to_users(self, weights: torch.Tensor, of_items: torch.Tensor) -> torch.Tensor:
        """Weighted sums of each user's items: (E,), (I, D) -> (U, D), 0 without an item."""
        return _Sums.apply(self, True, weights, of_items)

    def to_items(self, weights: torch.Tensor, of_users: torch.Tensor) -> torch.Tensor:
        """Weighted sums of each item's users: (E,), (U, D) -> (I, D), 0 without a user."""
        return _Sums.apply(self, False, weights, of_users)

    def softmax_of_users(self, scores: torch.Tensor) -> torch.Tensor:
        """Weights (E,) that sum to 1 over each user's items, of scores (E,)."""
        return softmax_within(scores, self.users, self.n_users)

    def softmax_of_items(self, scores: torch.Tensor) -> torch.Tensor:
        """Weights (E,) that sum to 1 over each item's users, of scores (E,)."""
        return softmax_within(scores, self.items, self.n_items)

    def _sums(self, at_users: bool, weights: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        if at_users:
            members, bounds = self.items, self.user_bounds
        else:
            members, bounds, weights = (
                self.users_by_item,
                self.item_bounds,
                rows_of(weights, self.by_item),
            )
        return F.embedding_bag(
            members,
            table,
            bounds,
            mode="sum",
            per_sample_weights=weights.contiguous(),
            include_last_offset=True,
        )

    def _dots(self, of_users: torch.Tensor, of_items: torch.Tensor) -> torch.Tensor:
        """By a product that is made at the edges only: ten times as fast as one of gathered
        rows."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            edges = torch.sparse_csr_tensor(
                self.user_bounds,
                self.items,
                of_users.new_zeros(len(self.items)),
                (self.n_users, self.n_items),
                check_invariants=False,
            )
        return torch.sparse.sampled_addmm(edges, of_users, of_items.T).values()


def _bounds(ids: torch.Tensor, count: int) -> torch.Tensor:
    """Where each id's entries begin in a sorted list of ids (N,), and N: (count + 1,)."""
    return F.pad(torch.bincount(ids, minlength=count).cumsum(0), (1, 0))


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx, edges: LearnedEdges, of_users: torch.Tensor, of_items: torch.Tensor):
        ctx.edges = edges
        ctx.save_for_backward(of_users, of_items)
        return edges._dots(of_users, of_items)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        of_users, of_items = ctx.saved_tensors
        sums = ctx.edges._sums
        return None, sums(True, gradient, of_items), sums(False, gradient, of_users)


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, edges: LearnedEdges, at_users: bool, weights: torch.Tensor, table: torch.Tensor
    ):
        ctx.edges, ctx.at_users = edges, at_users
        ctx.save_for_backward(weights, table)
        return edges._sums(at_users, weights, table)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        weights, table = ctx.saved_tensors
        gradient = gradient.contiguous()
        ends = (gradient, table) if ctx.at_users else (table, gradient)
        of_table = ctx.edges._sums(not ctx.at_users, weights, gradient)
        return None, None, ctx.edges._dots(*ends), of_table
