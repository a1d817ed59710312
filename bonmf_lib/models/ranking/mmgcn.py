"""MMGCN (Wei et al., 2019): messages in a graph of users and items, in every modality by itself.

    x = [P_m ; f_m] / norms              rows: users' preferences, then items' features       (1)
    h = LReLU(mean of x W1 over a node's neighbours)                                          (2)
    y = LReLU(x W2 + b2) + e             e: the node's ID vector, the same in all modalities  (3)
    x' = LReLU([h ; y] W3 + b3)          or LReLU(h W3 + b3 + y); three such layers           (4)
    s_ui = x_u . x_i                     x: mean of the last layers over modalities           (5)
    minimise BPR + lambda (mean e^2 over a batch + mean P_v^2)    v: pictures                 (6)

Equations as in public code, their numbers ours. There P and e never learn, layers are three and h
and y side by side whatever is asked for, text enters at its own width and pictures projected to
256; P of other modalities than pictures is not penalised.
"""

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ..base import Batch, ModelInputs, register
from ..layers import FeatureTable, SparseRows
from .graph import EmbeddingRanker, rated_edges
from .per_modality import each_modality, id_squares, xavier


@config
class MMGCNConfig:
    factors: int = Field(64, ge=1)  # of all layers' outputs
    layers: int = Field(3, ge=1)
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"
    # features enter the graph projected to so many dimensions; None = as they are
    text_projection: int | None = Field(None, ge=1)
    image_projection: int | None = Field(256, ge=1)
    concat: bool = True  # h and y side by side, or added
    # P and e keep the values they start from, as in public code
    frozen_preferences: bool = False
    regularisation: float = Field(0.0, ge=0)  # lambda


@register("mmgcn", MMGCNConfig)
class MMGCN(EmbeddingRanker):
    """Reads at least one modality."""

    def __init__(self, config: MMGCNConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        self.neighbours = means_of_neighbours(*rated_edges(inputs), inputs.n_users, inputs.n_items)
        self.ids = xavier(inputs.n_users + inputs.n_items, config.factors)
        self.channels = nn.ModuleDict()
        for name, features, preparation in each_modality(config, inputs, "MMGCN"):
            projection = getattr(config, f"{name}_projection")
            table = FeatureTable(features, projection or features.dim, preparation)
            self.channels[name] = _Channel(table, projection, inputs.n_users, config)
        if config.frozen_preferences:
            for table in (self.ids, *(channel.preferences for channel in self.channels.values())):
                table.requires_grad_(False)

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        outputs = [channel(self.neighbours, self.ids) for channel in self.channels.values()]
        return (sum(outputs) / len(outputs)).split([self.n_users, self.n_items])

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        if not self.regularisation:
            return None
        squares = id_squares(self.ids, self.n_users, batch)
        if "image" in self.channels:
            squares = squares + self.channels["image"].preferences.square().mean()
        return self.regularisation * squares


def means_of_neighbours(
    users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int
) -> SparseRows:
    """1 / degree at both directions of every edge, nodes users first (U + I, U + I); nodes without
    edges have rows of zeros."""
    ends, nodes = torch.cat([users, items + n_users]), n_users + n_items
    degrees = torch.bincount(ends, minlength=nodes).to(torch.get_default_dtype())
    others = torch.cat([items + n_users, users])
    return SparseRows(ends, others, degrees[ends].reciprocal(), (nodes, nodes))


class _Channel(nn.Module):
    """All layers of one modality."""

    def __init__(
        self, table: FeatureTable, projection: int | None, n_users: int, config: MMGCNConfig
    ):
        super().__init__()
        self.table = table
        self.projection = nn.Linear(table.size, projection) if projection else None
        size = projection or table.size
        if table.missing is not None:
            # 0 would have no direction to be normalised to, and gradients beyond all bounds
            table.missing = xavier(1, size)
        self.preferences = xavier(n_users, size)
        sizes = [size] + [config.factors] * (config.layers - 1)
        self.layers = nn.ModuleList(_Layer(n, config.factors, config.concat) for n in sizes)

    def forward(self, neighbours: SparseRows, ids: torch.Tensor) -> torch.Tensor:
        """Graph, (U + I, D) -> (U + I, D)."""
        rows = self.table.rows(None)
        items = self.table.filled(self.projection(rows) if self.projection else rows, None)
        nodes = F.normalize(torch.cat([self.preferences, items]))
        for layer in self.layers:
            nodes = layer(neighbours, nodes, ids)
        return nodes


class _Layer(nn.Module):
    """x -> x' of the module's docstring, (U + I, size) -> (U + I, factors)."""

    def __init__(self, size: int, factors: int, concat: bool):
        super().__init__()
        self.concat = concat
        self.of_neighbours = nn.Linear(size, size, bias=False)  # W1
        self.own = nn.Linear(size, factors)  # W2
        self.combined = nn.Linear(size + factors if concat else size, factors)  # W3
        for linear in (self.of_neighbours, self.own, self.combined):
            nn.init.xavier_normal_(linear.weight)

    def forward(self, neighbours: SparseRows, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        h = F.leaky_relu(neighbours(self.of_neighbours(x)))
        y = F.leaky_relu(self.own(x)) + ids
        if self.concat:
            return F.leaky_relu(self.combined(torch.cat([h, y], 1)))
        return F.leaky_relu(self.combined(h) + y)
