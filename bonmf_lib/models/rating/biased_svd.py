"""Matrix factorisation with biases, known as SVD from the Netflix prize (Koren, Bell & Volinsky,
2009, eq. 4 and 5).

r_ui = mu + b_u + b_i + q_i . p_u
minimise  sum (r_ui - r^_ui)^2 + lambda (b_u^2 + b_i^2 + |q_i|^2 + |p_u|^2)   over training ratings
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ..base import ModelInputs, RatingModel, register
from ..layers import id_embedding, rows_of


@config
class BiasedSVDConfig:
    factors: int = Field(100, ge=1)  # scikit-surprise's
    # lambda, per rating; ours (scikit-surprise's 0.02 is for slow SGD)
    regularisation: float = Field(0.06, ge=0)
    embedding_std: float = Field(0.03, ge=0)  # of the initial factors; ours


@register("biased-svd", BiasedSVDConfig)
class BiasedSVD(RatingModel):
    """mu is the training mean and stays fixed, as in scikit-surprise."""

    def __init__(self, config: BiasedSVDConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating)))
        self.user_factors = id_embedding(
            inputs.n_users, config.factors, config.embedding_std
        )  # (U, k)
        self.item_factors = id_embedding(
            inputs.n_items, config.factors, config.embedding_std
        )  # (I, k)
        self.user_bias = nn.Parameter(torch.zeros(inputs.n_users))
        self.item_bias = nn.Parameter(torch.zeros(inputs.n_items))

    def user_vectors(self, users: torch.Tensor) -> torch.Tensor:
        """p_u: (B,) -> (B, k)."""
        return self.user_factors(users)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        interaction = (self.user_vectors(users) * self.item_factors(items)).sum(1)
        return (
            self.mean
            + rows_of(self.user_bias, users)
            + rows_of(self.item_bias, items)
            + interaction
        )

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        factors = self.user_factors(users).square().sum(1) + self.item_factors(items).square().sum(
            1
        )
        biases = rows_of(self.user_bias, users).square() + rows_of(self.item_bias, items).square()
        return self.regularisation * (factors + biases).mean()

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        interaction = self.user_vectors(users) @ self.item_factors.weight.T
        return self.mean + self.user_bias[users].unsqueeze(1) + self.item_bias + interaction
