"""Baselines without features: the global mean, and user and item biases (Koren, 2009, section 2.1).

    r_ui = mu                      global mean
    r_ui = mu + b_u + b_i          user + item bias

The biases minimise  sum (r_ui - mu - b_u - b_i)^2 + lambda (sum b_u^2 + sum b_i^2)
over training ratings.
"""

import torch

from ...config import config
from ..base import ClosedFormModel, ModelInputs, RatingModel, register


@config
class GlobalMeanConfig:
    """Nothing to set."""


@register("global-mean", GlobalMeanConfig)
class GlobalMean(ClosedFormModel, RatingModel):
    """Predicts the mean training rating."""

    def __init__(self, config: GlobalMeanConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating)))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        self.mean.copy_(ratings.double().mean())

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self.mean.expand(len(users))


@config
class UserItemBiasConfig:
    regularisation: float = 5.0  # lambda, in ratings; the same for users and items
    sweeps: int = 50  # of alternating exact solutions; far past convergence


@register("user-item-bias", UserItemBiasConfig)
class UserItemBias(ClosedFormModel, RatingModel):
    """mu + b_u + b_i, solved by alternating exact minimisation (the problem is convex)."""

    def __init__(self, config: UserItemBiasConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating), dtype=torch.float64))
        self.register_buffer("user_bias", torch.zeros(inputs.n_users, dtype=torch.float64))
        self.register_buffer("item_bias", torch.zeros(inputs.n_items, dtype=torch.float64))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        rest = ratings.double()
        self.mean.copy_(rest.mean())
        rest = rest - self.mean
        user_weight = torch.bincount(users, minlength=self.n_users) + self.config.regularisation
        item_weight = torch.bincount(items, minlength=self.n_items) + self.config.regularisation
        for _ in range(self.config.sweeps):
            sums = torch.bincount(items, rest - self.user_bias[users], minlength=self.n_items)
            self.item_bias.copy_(sums / item_weight)
            sums = torch.bincount(users, rest - self.item_bias[items], minlength=self.n_users)
            self.user_bias.copy_(sums / user_weight)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return (self.mean + self.user_bias[users] + self.item_bias[items]).float()
