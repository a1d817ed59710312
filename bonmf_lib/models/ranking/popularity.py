"""The most popular first, the same list for everybody:  s_ui = number of users who rated i."""

import torch

from ...config import config
from ..base import ClosedFormModel, ModelInputs, register
from .base import rated_pairs


@config
class PopularityConfig:
    """Nothing to set."""


@register("popularity", PopularityConfig)
class Popularity(ClosedFormModel):
    """The list that a personal one has to beat."""

    def __init__(self, config: PopularityConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.register_buffer("counts", torch.zeros(inputs.n_items))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        counts = rated_pairs(users, items, (self.n_users, self.n_items)).sum(0)
        self.counts.copy_(torch.from_numpy(counts).squeeze(0))

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self.counts[items]

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return self.counts.repeat(len(users), 1)
