"""Neighbours in the space of content: an item is rated like those that are described alike.

    r_ui = mu + b_u + b'_i + sum_j s_ij (r_uj - mu - b_u - b_j) / (sum_j s_ij + gamma)

    b'_i = (sum_u (r_ui - mu - b_u) + lambda m_i) / (n_i + lambda)
    m_i = sum_j s_ij (b_j - b) / sum_j s_ij

The sums over j go over the k items nearest to i among those with training ratings, by the cosine
s_ij of their features where it is above 0; the first one over those that u rated, the last one over
all. b_u and b_i are the biases of Koren (2009), b the mean of all rated items', which lies below
that of ratings, mu, since popular items are liked. So a new item starts at its neighbours' bias,
and each user's own ratings of the neighbours are added (Bell & Koren's neighbourhood model, with
content in place of ratings for similarity).
"""

import torch
from pydantic import Field
from torch.nn import functional as F

from ...config import config
from ...encoders.features import Modalities
from ...encoders.preparation import Preparation, prepared
from ...errors import ConfigError
from ..base import ClosedFormModel, ModelInputs, RatingModel, register
from ..layers import wanted_features
from .bias import UserItemBias, UserItemBiasConfig

_BLOCK = 1024  # items whose similarities to all others are held at once


@config
class ContentNeighboursConfig:
    modalities: Modalities = ("text",)
    text_preparation: Preparation = "standardised"
    image_preparation: Preparation = "standardised"
    neighbours: int = Field(50, ge=1)  # k
    shrinkage: float = Field(5.0, gt=0)  # lambda, in ratings
    # gamma, in similarities; ours, by validation error on ML-100K
    damping: float = Field(4.0, gt=0)


@register("content-neighbours", ContentNeighboursConfig)
class ContentNeighbours(ClosedFormModel, RatingModel):
    def __init__(self, config: ContentNeighboursConfig, inputs: ModelInputs):
        super().__init__(inputs)
        if not config.modalities:
            raise ConfigError("ContentNeighboursConfig.modalities is empty; name at least one.")
        self.config = config
        parts = [
            F.normalize(torch.from_numpy(prepared(own, how)))
            for _, own, how in wanted_features(config, inputs, "Neighbours in content")
        ]
        # (I, D); unit rows, so that products are the mean cosine of the modalities
        content = torch.cat(parts, dim=1) / len(parts) ** 0.5
        self.register_buffer("content", content, persistent=False)
        self.biases = UserItemBias(UserItemBiasConfig(regularisation=config.shrinkage), inputs)
        n_ratings = 0 if inputs.interactions is None else len(inputs.interactions.users)
        shape, k = (inputs.n_items,), min(config.neighbours, inputs.n_items)
        self.register_buffer("start", torch.zeros(shape, dtype=torch.float64))  # b'
        self.register_buffer("near", torch.zeros((*shape, k), dtype=torch.int64))
        self.register_buffer("similarity", torch.zeros((*shape, k)))
        self.register_buffer("pairs", torch.zeros(n_ratings, dtype=torch.int64))  # sorted
        self.register_buffer("left", torch.zeros(n_ratings))  # r - mu - b_u - b_j of each pair

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        self.biases.solve(users, items, ratings)
        biases, counts = self.biases, torch.bincount(items, minlength=self.n_items)
        rest = ratings.double() - biases.mean - biases.user_bias[users]
        self._find_neighbours(counts > 0)
        weight = self.similarity.double()
        total = weight.sum(1)
        usual = biases.item_bias[counts > 0].mean()
        above = (biases.item_bias - usual)[self.near]  # (I, k)
        near = (weight * above).sum(1) / total.clamp(min=1e-12)
        sums, shrinkage = torch.bincount(items, rest, minlength=self.n_items), self.config.shrinkage
        self.start.copy_((sums + shrinkage * near) / (counts + shrinkage))
        self.pairs, order = torch.sort(users * self.n_items + items)
        self.left = (rest - biases.item_bias[items])[order].float()

    def _find_neighbours(self, rated: torch.Tensor) -> None:
        """The k nearest rated items of every item and their similarities, 0 where not alike."""
        for first in range(0, self.n_items, _BLOCK):
            block = slice(first, first + _BLOCK)
            cosines = self.content[block] @ self.content.T  # (block, I)
            cosines[:, ~rated] = 0.0
            own = torch.arange(len(cosines), device=cosines.device)
            cosines[own, own + first] = 0.0
            best = cosines.topk(self.near.shape[1], dim=1)
            self.near[block], self.similarity[block] = best.indices, best.values.clamp(min=0)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        out = self.biases.mean + self.biases.user_bias[users] + self.start[items]
        if not len(self.pairs):
            return out.float()
        near, weight = self.near[items], self.similarity[items]  # (B, k)
        asked = users.unsqueeze(1) * self.n_items + near
        place = torch.searchsorted(self.pairs, asked).clamp(max=len(self.pairs) - 1)
        weight = weight * (self.pairs[place] == asked)
        said = (weight * self.left[place]).sum(1) / (weight.sum(1) + self.config.damping)
        return (out + said).float()
