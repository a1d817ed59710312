"""Parts that several models share: projected item features with missing ones, and tables of all
ids."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from ..encoders import Features
from ..encoders.features import MODALITIES
from ..encoders.preparation import Preparation, prepared
from ..errors import ModelError
from .base import ModelInputs


def rows_of(table: torch.Tensor, ids: torch.Tensor | None) -> torch.Tensor:
    """Rows (N, dim) or entries (N,) of a table; None = all of them in order.

    The gradient of ``table[ids]`` is summed by several threads in no fixed order, this one always
    in the same.
    """
    if ids is None:
        return table
    return F.embedding(ids, table) if table.dim() == 2 else table.index_select(0, ids)


def gathered(
    part: Callable[[torch.Tensor | None], torch.Tensor], ids: torch.Tensor, total: int
) -> torch.Tensor:
    """``part(ids)`` (B, H), through a table of all ``total`` ids when that is less work."""
    return part(ids) if len(ids) < total else F.embedding(ids, part(None))


def id_embedding(count: int, dim: int, std: float) -> nn.Embedding:
    """Embeddings (count, dim) drawn from N(0, std)."""
    table = nn.Embedding(count, dim)
    nn.init.normal_(table.weight, std=std)
    return table


def embedding_penalty(
    regularisation: float, user_embedding: nn.Embedding, item_embedding: nn.Embedding, users, items
) -> torch.Tensor | None:
    """lambda * mean over the batch of |p_u|^2 + |q_i|^2; None when lambda is 0."""
    if not regularisation:
        return None
    squares = user_embedding(users).square().sum(1) + item_embedding(items).square().sum(1)
    return regularisation * squares.mean()


def score_all_pairs(
    rest: Callable[[torch.Tensor], torch.Tensor], user_rows: torch.Tensor, item_table: torch.Tensor
) -> torch.Tensor:
    """``rest(u + i)`` for all pairs, (B, H), (I, H) -> (B, I), a block of users at a time."""
    return in_blocks(
        lambda rows: rest(rows.unsqueeze(1) + item_table.unsqueeze(0)).squeeze(-1), user_rows
    )


def in_blocks(
    score: Callable[[torch.Tensor], torch.Tensor], user_rows: torch.Tensor
) -> torch.Tensor:
    """``score`` of all rows, (B, H) -> (B, I), so many users at once that the hidden layer fits the
    cache."""
    return torch.cat(
        [score(rows) for rows in user_rows.split(8 if user_rows.device.type == "cpu" else 256)]
    )


def mlp(sizes: Sequence[int], dropout: float = 0.0, bias: float = 0.0) -> nn.Sequential:
    """Linear layers of the given sizes, each followed by ReLU and dropout, then one output that
    starts at ``bias``."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    layers.append(nn.Linear(sizes[-1], 1))
    nn.init.constant_(layers[-1].bias, bias)
    return nn.Sequential(*layers)


def required(features: Features | None, modality: str, model: str) -> Features:
    """The features; ``ModelError`` when the run has none."""
    if features is None:
        raise ModelError(
            f"{model} was asked to use the {modality}, but got no {modality} features."
        )
    return features


def wanted_features(
    config, inputs: ModelInputs, model: str
) -> Iterator[tuple[str, Features, Preparation]]:
    """Name (``text``, ``image``), features and preparation of what a configuration with
    ``modalities`` and a preparation for each asks for."""
    for name in MODALITIES:
        if name in config.modalities:
            yield (
                name,
                required(getattr(inputs, name), name, model),
                getattr(config, f"{name}_preparation"),
            )


class FeatureTable(nn.Module):
    """Features of all items, prepared (:mod:`~bonmf_lib.encoders.preparation`), and a learned
    vector of size ``dim`` that stands in for what is made of them where they are missing (see
    METHODS.md). They are frozen, or where training starts from (``trained``)."""

    def __init__(
        self, features: Features, dim: int, preparation: Preparation, trained: bool = False
    ):
        super().__init__()
        matrix = torch.from_numpy(prepared(features, preparation))  # (I, features)
        if trained:
            self.matrix = nn.Parameter(matrix)
        else:
            self.register_buffer("matrix", matrix, persistent=False)
        self.size, self.regions = matrix.shape[1], features.regions
        self.norm = nn.LayerNorm(self.size // self.regions) if preparation == "layer norm" else None
        self.missing = None
        if not features.present.all():
            absent = torch.from_numpy(~features.present).float().unsqueeze(1)  # (I, 1)
            self.register_buffer("absent", absent, persistent=False)
            self.missing = nn.Parameter(torch.zeros(1, dim))

    def rows(self, items: torch.Tensor | None) -> torch.Tensor:
        """What a model reads of the items, zero where they are missing: (N,) -> (N, features)."""
        rows = rows_of(self.matrix, items)
        if self.norm is not None:
            rows = self.norm(rows.unflatten(1, (self.regions, -1))).flatten(1)
        elif not self.matrix.requires_grad:  # zero as they were prepared
            return rows
        return rows if self.missing is None else rows * (1 - rows_of(self.absent, items))

    def filled(self, made: torch.Tensor, items: torch.Tensor | None) -> torch.Tensor:
        """``made`` of the items (N, dim), which is zero where they are missing, with the learned
        vector there."""
        return made if self.missing is None else made + rows_of(self.absent, items) * self.missing


class ProjectedFeatures(FeatureTable):
    """W x_i, with ``bias`` W x_i + b, or a learned vector in the place of W x_i where x_i is
    missing: (N,) -> (N, dim)."""

    def __init__(
        self,
        features: Features,
        dim: int,
        preparation: Preparation,
        trained: bool = False,
        bias: bool = False,
    ):
        super().__init__(features, dim, preparation, trained)
        self.linear = nn.Linear(self.size, dim, bias)

    def forward(self, items: torch.Tensor | None) -> torch.Tensor:
        return self.filled(self.linear(self.rows(items)), items)


class SparseRows(nn.Module):
    """A fixed sparse matrix (R, C) whose product with a dense table has a gradient: rows of users'
    or items' histories.

    As weighted sums of the table's rows, which a CPU makes about twice as fast as PyTorch's product
    of a CSR matrix (``make bench``); the transpose that the backward pass needs is kept, and has a
    product of its own.
    """

    def __init__(
        self,
        rows: torch.Tensor,
        columns: torch.Tensor,
        values: torch.Tensor,
        shape: tuple[int, int],
    ):
        super().__init__()
        for name, bags, members, total in (
            ("forth", rows, columns, shape[0]),
            ("back", columns, rows, shape[1]),
        ):
            order = torch.argsort(bags, stable=True)
            counts = torch.bincount(bags, minlength=total)
            for part, tensor in (
                ("members", members[order]),  # (N,)
                ("starts", counts.cumsum(0) - counts),  # (bags,)
                ("weights", values[order]),  # (N,)
            ):
                self.register_buffer(f"{name}_{part}", tensor, persistent=False)

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        """(C, dim) -> (R, dim)."""
        return _Product.apply(table, *self._both_ways())

    def transposed(self, table: torch.Tensor) -> torch.Tensor:
        """The transpose's product, (R, dim) -> (C, dim): with :meth:`forward` one layer of a
        bipartite graph."""
        return _Product.apply(table, *self._both_ways()[::-1])

    def thinned(self, share: float) -> "SparseRows":
        """Each entry left out with probability ``share`` below 1, drawn anew, and the others times
        1 / (1 - share)."""
        weights, columns = self.forth_weights, self.forth_members
        counts = self.forth_starts.diff(append=self.forth_starts.new_tensor([len(columns)]))
        rows = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
        kept = torch.rand(len(columns), device=columns.device) >= share
        shape = len(self.forth_starts), len(self.back_starts)
        return SparseRows(rows[kept], columns[kept], weights[kept] / (1 - share), shape)

    def _both_ways(self) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        forth = self.forth_members, self.forth_starts, self.forth_weights
        return forth, (self.back_members, self.back_starts, self.back_weights)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, table: torch.Tensor, forth: tuple[torch.Tensor, ...], back: tuple[torch.Tensor, ...]
    ):
        ctx.back = back
        return _weighted_sums(table, *forth)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _weighted_sums(gradient.contiguous(), *ctx.back), None, None


def _weighted_sums(
    table: torch.Tensor, members: torch.Tensor, starts: torch.Tensor, weights: torch.Tensor
):
    return F.embedding_bag(members, table, starts, mode="sum", per_sample_weights=weights)
