"""Item means, shrunk to the mean of all (Koren, 2009, section 2.1, without users):

    r_ui = mu + b_i,    b_i = sum_u (r_ui - mu) / (n_i + lambda)

An item that nobody has rated is predicted the mean of all.
"""

import torch
from pydantic import Field

from ...config import config
from ..base import ClosedFormModel, ModelInputs, RatingModel, register


@config
class ItemMeanConfig:
    shrinkage: float = Field(5.0, ge=0)  # lambda, in ratings


@register("item-mean", ItemMeanConfig)
class ItemMean(ClosedFormModel, RatingModel):
    def __init__(self, config: ItemMeanConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating), dtype=torch.float64))
        self.register_buffer("item_bias", torch.zeros(inputs.n_items, dtype=torch.float64))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        self.mean.copy_(ratings.double().mean())
        sums = torch.bincount(items, ratings.double() - self.mean, minlength=self.n_items)
        counts = torch.bincount(items, minlength=self.n_items)
        # without shrinkage an unrated item has no mean
        self.item_bias.copy_(sums / (counts + self.config.shrinkage).clamp(min=1e-12))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return (self.mean + self.item_bias[items]).float()
