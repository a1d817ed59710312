"""Genre means, shrunk to the mean of all:

    r_ui = mu + sum_g f_ig b_g,    b_g = sum_ui f_ig (r_ui - mu) / (sum_ui f_ig + lambda)

f_ig is 1 over the number of the item's genres for each that it has. The least that content can tell
of a new item, and for free.
"""

import torch
from pydantic import Field

from ...config import config
from ...errors import ModelError
from ..base import ClosedFormModel, ModelInputs, RatingModel, register


@config
class GenreMeanConfig:
    shrinkage: float = Field(5.0, gt=0)  # lambda, in ratings
    use_fields: bool = True  # False: the mean of all


@register("genre-mean", GenreMeanConfig)
class GenreMean(ClosedFormModel, RatingModel):
    """Reads the item field ``genres``; items without one are predicted the mean of all."""

    def __init__(self, config: GenreMeanConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        genres = torch.zeros(inputs.n_items, 0, dtype=torch.float64)  # (I, genres)
        if config.use_fields:
            if "genres" not in inputs.item_fields:
                raise ModelError("The genre mean was asked for, but no item has a genre.")
            genres = torch.from_numpy(inputs.item_fields["genres"]).double()
        self.register_buffer("genres", genres, persistent=False)
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating), dtype=torch.float64))
        self.register_buffer("genre_bias", torch.zeros(genres.shape[1], dtype=torch.float64))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        self.mean.copy_(ratings.double().mean())
        sums = torch.bincount(items, ratings.double() - self.mean, minlength=self.n_items)
        counts = torch.bincount(items, minlength=self.n_items).double()
        weights = self.genres.T @ counts + self.config.shrinkage
        self.genre_bias.copy_(self.genres.T @ sums / weights)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return (self.mean + (self.genres @ self.genre_bias)[items]).float()
