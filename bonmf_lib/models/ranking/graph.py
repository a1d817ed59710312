"""What rankers on the graph of training pairs share: its normalised edges, the mean over layers,
and vectors that are made once for all pairs."""

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ...errors import ModelError
from ..base import Batch, ModelInputs
from ..layers import SparseRows, rows_of
from .base import PairwiseRanker, bpr_of_rows


def rated_edges(inputs: ModelInputs) -> tuple[torch.Tensor, torch.Tensor]:
    """Users and items of the training pairs, int64 (E,) each, sorted, repeated pairs once.

    Raises:
        ModelError: the inputs hold no interactions.
    """
    if inputs.interactions is None:
        raise ModelError("A graph is made of training ratings; pass them as interactions.")
    known = inputs.interactions
    pairs = np.unique(known.users.astype(np.int64) * inputs.n_items + known.items)
    return tuple(torch.from_numpy(part) for part in np.divmod(pairs, inputs.n_items))


def normalised_edges(
    users: torch.Tensor, items: torch.Tensor, shape: tuple[int, int]
) -> SparseRows:
    """1 / sqrt(d_u d_i) at every edge, (n_users, n_items): the upper right block of
    D^-1/2 A D^-1/2, without loops. Users and items without edges have rows of zeros."""
    degrees = (
        torch.bincount(ids, minlength=count).to(torch.get_default_dtype())
        for ids, count in zip((users, items), shape, strict=True)
    )
    of_user, of_item = degrees
    return SparseRows(users, items, (of_user[users] * of_item[items]).rsqrt(), shape)


def sum_of_layers(
    graph: SparseRows, users: torch.Tensor, items: torch.Tensor, layers: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum of H^0 to H^L, H^(l+1) = graph H^l: (U, D), (I, D) -> the same shapes."""
    total_users, total_items = users, items
    for _ in range(layers):
        users, items = graph(items), graph.transposed(users)
        total_users, total_items = total_users + users, total_items + items
    return total_users, total_items


def mean_of_layers(
    graph: SparseRows, users: torch.Tensor, items: torch.Tensor, layers: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean of H^0 to H^L (He et al., 2020, equations 3, 4 and 8): (U, D), (I, D) -> the same
    shapes."""
    users, items = sum_of_layers(graph, users, items, layers)
    return users / (layers + 1), items / (layers + 1)


def rows_of_mean(
    graph: SparseRows,
    tables: tuple[torch.Tensor, torch.Tensor],
    layers: int,
    ids: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the loss of a batch reads of :func:`mean_of_layers`: users (U, D) and items (I, D), ids
    of users (B,) and of items (C,) -> rows of the means, (B, D) and (C, D), and of the tables
    themselves.

    The same numbers and gradients; besides its sparse products nothing is as large as the tables.
    """
    return _RowsOfMean.apply(*tables, graph, layers, *ids)


class _RowsOfMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx, users, items, graph: SparseRows, layers: int, user_ids, item_ids):
        ctx.graph, ctx.layers = graph, layers
        ctx.ids, ctx.sizes = (user_ids, item_ids), (len(users), len(items))
        own = rows_of(users, user_ids), rows_of(items, item_ids)
        of_users, of_items = (rows.clone() for rows in own)
        for _ in range(layers):
            users, items = graph(items), graph.transposed(users)
            of_users += rows_of(users, user_ids)
            of_items += rows_of(items, item_ids)
        return of_users.div_(layers + 1), of_items.div_(layers + 1), *own

    @staticmethod
    @once_differentiable
    def backward(ctx, of_users, of_items, of_own_users, of_own_items):
        """(G + Â (G + Â (G + ...))) / (L + 1), G being zero but for the rows: the graph is its own
        transpose."""
        parts = [part / (ctx.layers + 1) for part in (of_users, of_items)]
        last = [part + own for part, own in zip(parts, (of_own_users, of_own_items), strict=True)]
        totals = [
            part.new_zeros(size, part.shape[1]) for part, size in zip(parts, ctx.sizes, strict=True)
        ]
        for layer in range(ctx.layers + 1):
            if layer:
                users, items = totals
                totals = [ctx.graph(items), ctx.graph.transposed(users)]
            added = last if layer == ctx.layers else parts
            for total, ids, part in zip(totals, ctx.ids, added, strict=True):
                total.index_add_(0, ids, part)
        return *totals, None, None, None, None


class EmbeddingRanker(PairwiseRanker):
    """Scores by dot products of vectors of all users and items, which :meth:`embed` makes: the same
    for the loss and for rankings."""

    _made: tuple[list, tuple[torch.Tensor, torch.Tensor]] | None = None

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of users (U, D) and items (I, D)."""
        raise TypeError(f"{type(self).__name__} defines no vectors.")

    def train(self, mode: bool = True) -> "EmbeddingRanker":
        self._made = None  # versions do not count the steps of fused optimisers
        return super().train(mode)

    @torch.no_grad()
    def embedded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """:meth:`embed` without gradients; in evaluation mode made once, until a weight changes."""
        if self.training:
            return self.embed()
        state = [
            (id(part), part._version, part.device) for part in (*self.parameters(), *self.buffers())
        ]
        if self._made is None or self._made[0] != state:
            self._made = state, self.embed()
        return self._made[1]

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        of_users, of_items = self.embed() if torch.is_grad_enabled() else self.embedded()
        return dots(of_users, of_items, users, items)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        of_users, of_items = self.embedded()
        return of_users[users] @ of_items.T

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Bayesian personalised ranking of rated items above drawn ones."""
        return bpr_of_rows(*triple_rows(*self.embed(), batch)), self.penalty(batch)


def triple_rows(
    of_users: torch.Tensor, of_items: torch.Tensor, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows of a batch's users, rated and drawn items: (U, D), (I, D) -> (B, D), (B, D),
    (B * n, D)."""
    _, drawn = batch.negatives
    # looked up together, so that the backward pass makes one gradient of the table
    items = rows_of(of_items, torch.cat([batch.items, drawn]))
    return rows_of(of_users, batch.users), *items.split([len(batch), len(drawn)])


def dots(
    of_users: torch.Tensor, of_items: torch.Tensor, users: torch.Tensor, items: torch.Tensor
) -> torch.Tensor:
    """Dot products of the vectors of pairs: (U, D), (I, D), (B,), (B,) -> (B,)."""
    return (rows_of(of_users, users) * rows_of(of_items, items)).sum(1)
