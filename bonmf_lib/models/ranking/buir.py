"""BUIR (Lee et al., 2021): users and items drawn to each other's slower vectors, without negatives.

    o = mean of layers 0 to L of the online tables on LightGCN's graph, t = of the target's  (1)
    minimise  mean over rated pairs of  2 - 2 cos(P(o_u), t_i) + 2 - 2 cos(P(o_i), t_u)      (2)
    target = m target + (1 - m) online     after every step; no gradient reaches the target  (3)
    s_ui = P(o_u) . o_i + o_u . P(o_i)     online vectors only                               (4)

P is one linear layer. Both tables start equal. With no layers this is the authors' BUIR_id, with
layers BUIR_nb. The authors train with factors 250 and Adam's weight decay 1e-4. The equations'
numbers are ours.
"""

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ..base import Batch, ModelInputs, register
from ..layers import SparseRows
from .graph import (
    EmbeddingRanker,
    mean_of_layers,
    normalised_edges,
    rated_edges,
    rows_of_mean,
)


@config
class BUIRConfig:
    factors: int = Field(64, ge=1)
    layers: int = Field(3, ge=0)  # L
    momentum: float = Field(0.995, ge=0, lt=1)  # m
    # In every step each encoder leaves out a share of edges, drawn anew between 0 and this; what is
    # left is scaled up. The authors' code has 0.2, switched off; a later repeat 1, always on.
    edge_dropout: float = Field(0.0, ge=0, le=1)


@register("buir", BUIRConfig)
class BUIR(EmbeddingRanker):
    """The target tables are buffers, so that they are kept with the weights, but no optimiser sees
    them."""

    trained_by = ("bootstrap",)

    def __init__(self, config: BUIRConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.layers, self.momentum = config.layers, config.momentum
        self.edge_dropout = config.edge_dropout
        self.user_factors = nn.Embedding(inputs.n_users, config.factors)
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            nn.init.xavier_uniform_(table.weight)
        self.register_buffer("target_users", self.user_factors.weight.detach().clone())
        self.register_buffer("target_items", self.item_factors.weight.detach().clone())
        self.predictor = nn.Linear(config.factors, config.factors)
        self.graph = normalised_edges(*rated_edges(inputs), (inputs.n_users, inputs.n_items))

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        """[P(o_u) ; o_u] (U, 2 D) and [o_i ; P(o_i)] (I, 2 D), whose dot product is the score."""
        tables = self.user_factors.weight, self.item_factors.weight
        users, items = mean_of_layers(self.graph, *tables, self.layers)
        return (
            torch.cat([self.predictor(users), users], dim=1),
            torch.cat([items, self.predictor(items)], dim=1),
        )

    def loss(self, batch: Batch) -> tuple[torch.Tensor, None]:
        """The two distances, 0 to 8."""
        ids = batch.users, batch.items
        tables = self.user_factors.weight, self.item_factors.weight
        of_users, of_items, *_ = rows_of_mean(self._thinned(), tables, self.layers, ids)
        targets = self.target_users, self.target_items
        to_users, to_items, *_ = rows_of_mean(self._thinned(), targets, self.layers, ids)
        near = F.cosine_similarity(self.predictor(of_users), to_items)
        near = near + F.cosine_similarity(self.predictor(of_items), to_users)
        return 4 - 2 * near.mean(), None

    @torch.no_grad()
    def after_step(self) -> None:
        for target, table in (
            (self.target_users, self.user_factors), (self.target_items, self.item_factors)
        ):  # fmt: skip
            target.mul_(self.momentum).add_(table.weight, alpha=1 - self.momentum)

    def _thinned(self) -> SparseRows:
        """The graph that one encoder reads in one step."""
        if not self.edge_dropout:
            return self.graph
        return self.graph.thinned(self.edge_dropout * float(torch.rand(())))
