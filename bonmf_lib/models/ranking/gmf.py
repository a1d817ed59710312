"""Generalised matrix factorisation (He et al., 2017, "Neural collaborative filtering", section
3.2): the dot product with a learned weight for each factor.

    logit_ui = h . (p_u * q_i) + b                    * entry by entry
    minimise  mean of the cross-entropy + lambda mean (|p_u|^2 + |q_i|^2)   over a batch's ratings

A penalty on p and q, but not on h, has no least value above that of the loss alone: with p and q
halved and h four times as large, all logits stay and the penalty falls to a quarter.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ..base import Batch, ModelInputs, register
from ..layers import embedding_penalty, id_embedding
from .base import PointwiseRanker

TABLE_STD = 0.01  # of initial embeddings, in all networks of the paper


def output_layer(width: int) -> nn.Linear:
    """The last layer of the paper's networks: h from LeCun's uniform distribution, b = 0."""
    layer = nn.Linear(width, 1)
    nn.init.uniform_(layer.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)
    nn.init.zeros_(layer.bias)
    return layer


@config
class GMFConfig:
    factors: int = Field(8, ge=1)
    regularisation: float = Field(0.0, ge=0)  # lambda; the paper uses none


@register("gmf", GMFConfig)
class GMF(PointwiseRanker):
    """One of the two networks that NeuMF can start from."""

    def __init__(self, config: GMFConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        self.user_embedding = id_embedding(inputs.n_users, config.factors, TABLE_STD)
        self.item_embedding = id_embedding(inputs.n_items, config.factors, TABLE_STD)
        self.output = output_layer(config.factors)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self.output(self.user_embedding(users) * self.item_embedding(items)).squeeze(1)

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        tables = self.user_embedding, self.item_embedding
        return embedding_penalty(self.regularisation, *tables, batch.users, batch.items)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        weighted = self.user_embedding(users) * self.output.weight
        return weighted @ self.item_embedding.weight.T + self.output.bias
