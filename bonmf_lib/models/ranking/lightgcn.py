"""LightGCN (He et al., 2020): vectors smoothed over the graph of training pairs, nothing else.

    H^0 = [E_U ; E_I],  H^(l+1) = D^-1/2 A D^-1/2 H^l     A without loops     (equations 3 and 8)
    h = mean of H^0 to H^L,  s_ui = h_u . h_i                                  (4 and 5)
    minimise  mean of -ln sigma(s_ui - s_uj) + lambda N   over rated items i and drawn items j
    N = 1/2 mean (|e_u|^2 + |e_i|^2 + |e_j|^2)            squared norms: of H^0, as the authors do
    N = (|E_u|_F + |E_i|_F + |E_j|_F) / B                 norms: over a batch's B triples
    N = 1/2 mean (|h_u|^2 + |h_i|^2 + |h_j|^2)            propagated squared norms

The second N is what public code of multimodal rankers subtracts; the third is said to cost
accuracy. A batch is a part of the training pairs here, each once in an epoch; the authors draw as
many triples per epoch, but users uniformly and then one of their items.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ..base import Batch, ModelInputs, register
from .base import Penalised, bpr_of_rows, triple_penalty
from .graph import (
    EmbeddingRanker,
    mean_of_layers,
    normalised_edges,
    rated_edges,
    rows_of_mean,
)


@config
class LightGCNConfig:
    """Defaults are the authors'."""

    factors: int = Field(64, ge=1)
    layers: int = Field(3, ge=0)  # L; 0 = matrix factorisation
    regularisation: float = Field(1e-4, ge=0)  # lambda
    penalised: Penalised | Literal["propagated squared norms"] = "squared norms"  # N
    # E_U and E_I: N(0, 0.1^2), or Xavier's uniform distribution, as multimodal rankers start
    initial: Literal["normal", "xavier"] = "normal"


@register("lightgcn", LightGCNConfig)
class LightGCN(EmbeddingRanker):
    def __init__(self, config: LightGCNConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.layers, self.regularisation = config.layers, config.regularisation
        self.propagates_penalty = config.penalised == "propagated squared norms"
        self.norms = "squared norms" if self.propagates_penalty else config.penalised
        self.user_factors = nn.Embedding(inputs.n_users, config.factors)
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            if config.initial == "normal":
                nn.init.normal_(table.weight, std=0.1)
            else:
                nn.init.xavier_uniform_(table.weight)
        self.graph = normalised_edges(*rated_edges(inputs), (inputs.n_users, inputs.n_items))

    @property
    def _tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.user_factors.weight, self.item_factors.weight

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        return mean_of_layers(self.graph, *self._tables, self.layers)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Bayesian personalised ranking of rated items above drawn ones."""
        _, drawn = batch.negatives
        ids, sizes = torch.cat([batch.items, drawn]), [len(batch), len(drawn)]
        users, items, own_users, own_items = rows_of_mean(
            self.graph, self._tables, self.layers, (batch.users, ids)
        )
        loss = bpr_of_rows(users, *items.split(sizes))
        if not self.regularisation:
            return loss, None
        if not self.propagates_penalty:
            users, items = own_users, own_items
        penalty = triple_penalty(users, *items.split(sizes), self.norms)
        return loss, self.regularisation * penalty
