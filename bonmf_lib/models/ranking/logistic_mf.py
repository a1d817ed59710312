"""The dot product with care (Rendle et al., 2020, "Neural collaborative filtering vs. matrix
factorization revisited").

    s_ui = b + b_u + b_i + p_u . q_i
    minimise  mean of the cross-entropy of s as logit
              + lambda/2 mean (b^2 + b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2)

both over rated and drawn pairs alike, so that a vector shrinks whenever it is touched. The authors
draw 8 negatives from all items and take a step of size eta for each pair; with batches of B ratings
that is plain gradient descent with the step 9 B eta, but for pairs of one batch not seeing each
other's steps.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ..base import Batch, ModelInputs, register
from ..layers import gathered, id_embedding, rows_of
from .base import PointwiseRanker


@config
class LogisticMFConfig:
    factors: int = Field(64, ge=2)  # d; one of them stands for the biases
    regularisation: float = Field(0.005, ge=0)  # lambda
    embedding_std: float = Field(0.1, ge=0)  # of the initial vectors


@register("logistic-mf", LogisticMFConfig)
class LogisticMF(PointwiseRanker):
    """Vectors have d - 1 entries; biases start at 0."""

    def __init__(self, config: LogisticMFConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        size, std = config.factors - 1, config.embedding_std
        self.user_factors = id_embedding(inputs.n_users, size, std)
        self.item_factors = id_embedding(inputs.n_items, size, std)
        self.user_bias = nn.Parameter(torch.zeros(inputs.n_users))
        self.item_bias = nn.Parameter(torch.zeros(inputs.n_items))
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        product = (self.user_factors(users) * self.item_factors(items)).sum(1)
        biases = rows_of(self.user_bias, users) + rows_of(self.item_bias, items)
        return product + biases + self.bias

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        """That of the users of rated pairs, and of all items. In batches of ratings, a user stands
        in as many pairs as every other, so one each is enough."""
        if not self.regularisation:
            return None
        users = gathered(self._user_squares, batch.users, self.n_users)
        items = torch.cat([batch.items, batch.negatives[1]])
        items = gathered(self._item_squares, items, self.n_items)
        return 0.5 * self.regularisation * (users.mean() + items.mean() + self.bias.square())

    def _user_squares(self, users: torch.Tensor | None) -> torch.Tensor:
        return _squares(self.user_factors, self.user_bias, users)

    def _item_squares(self, items: torch.Tensor | None) -> torch.Tensor:
        return _squares(self.item_factors, self.item_bias, items)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        product = self.user_factors(users) @ self.item_factors.weight.T
        return product + self.user_bias[users].unsqueeze(1) + self.item_bias + self.bias


def _squares(table: nn.Embedding, bias: torch.Tensor, ids: torch.Tensor | None) -> torch.Tensor:
    """Squared vector and bias of ids, (N,) -> (N, 1); None = all in order."""
    vectors = rows_of(table.weight, ids).square().sum(1, keepdim=True)
    return vectors + rows_of(bias, ids).square().unsqueeze(1)
