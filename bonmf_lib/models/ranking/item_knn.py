"""Neighbours of items (Sarwar et al., 2001; Deshpande & Karypis, 2004), on who rated what.

    w_ij = |U_i and U_j| / (sqrt(|U_i| |U_j|) + shrinkage)     w_ii = 0; U_i: users who rated i  (1)
    s_ui = sum of w_ij over the items j that u rated and that are among the k most similar to i  (2)

The equations' numbers are ours.
"""

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional as F

from ...config import config
from ..base import ModelInputs, register
from .base import HistoryRanker, rated_pairs


@config
class ItemKNNConfig:
    neighbours: int = Field(100, ge=1)  # k
    # in users: pairs of items that few rated weigh less; 0 = the cosine
    shrinkage: float = Field(0.0, ge=0)


@register("item-knn", ItemKNNConfig)
class ItemKNN(HistoryRanker):
    """Keeps k neighbours of each item; of equally similar ones those with the lower id."""

    def __init__(self, config: ItemKNNConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.shrinkage = config.shrinkage
        shape = inputs.n_items, min(config.neighbours, inputs.n_items - 1)
        # where an item has fewer neighbours, others follow with similarity 0
        self.register_buffer("neighbours", torch.zeros(shape, dtype=torch.long))
        self.register_buffer("similarities", torch.zeros(shape))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        x = rated_pairs(users, items, (self.n_users, self.n_items))
        together = (x.T @ x).tocsr()
        together.sort_indices()
        root = np.sqrt(together.diagonal())
        neighbours = np.zeros(self.neighbours.shape, np.int64)
        similarities = np.zeros(self.similarities.shape)
        for item in range(self.n_items):
            row = slice(together.indptr[item], together.indptr[item + 1])
            others, common = together.indices[row], together.data[row]
            others, common = others[others != item], common[others != item]
            similar = common / (root[item] * root[others] + self.shrinkage)
            best = np.argsort(-similar, kind="stable")[: neighbours.shape[1]]
            neighbours[item, : len(best)] = others[best]
            similarities[item, : len(best)] = similar[best]
        self.neighbours.copy_(torch.from_numpy(neighbours))
        self.similarities.copy_(torch.from_numpy(similarities))

    def from_histories(self, x: torch.Tensor) -> torch.Tensor:
        """Weighted sums of the neighbours' columns of x."""
        columns = x.T.contiguous()  # (I, B)
        return F.embedding_bag(
            self.neighbours, columns, mode="sum", per_sample_weights=self.similarities
        ).T
