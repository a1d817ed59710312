"""Truncated singular value decomposition of the rating matrix, unknown ratings filled in.

    R - C = U S V^T,  keep the k largest singular values:  r_ui = c_ui + (U_k S_k V_k^T)_ui

C centres the known ratings (none, or the mean of all, of the user, or of the item); every unknown
entry of R - C is zero. Without centring, unknown ratings count as 0 stars: the textbook's SVD, and
the likeliest reading of a rating error of 5. By Eckart & Young (1936) this is the best rank-k fit
to the filled matrix, not to the ratings.
"""

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from ...config import config
from ..base import ClosedFormModel, ModelInputs, RatingModel, register


@config
class SVDConfig:
    """The paper says no more than "SVD"; defaults are the textbook's."""

    factors: int = Field(50, ge=1)  # k; as many as BoNMF's embeddings have
    centre: Literal["none", "global", "user", "item"] = (
        "none"  # what is subtracted before unknown entries become 0
    )


@register("svd", SVDConfig)
class SVD(ClosedFormModel, RatingModel):
    """Solved by ARPACK on the sparse matrix, from a fixed starting vector."""

    def __init__(self, config: SVDConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        self.factors = min(config.factors, inputs.n_users - 1, inputs.n_items - 1)
        self.register_buffer("user_centre", torch.zeros(inputs.n_users))
        self.register_buffer("item_centre", torch.zeros(inputs.n_items))
        self.register_buffer("user_factors", torch.zeros(inputs.n_users, self.factors))
        self.register_buffer("item_factors", torch.zeros(inputs.n_items, self.factors))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        rating = ratings.cpu().numpy().astype(np.float64)
        rows, columns = users.cpu().numpy(), items.cpu().numpy()
        user_centre, item_centre = np.zeros(self.n_users), np.zeros(self.n_items)
        if self.config.centre in ("global", "user"):
            user_centre[:] = rating.mean()
        if self.config.centre == "user":
            user_centre = _means(rating, rows, user_centre)
        if self.config.centre == "item":
            item_centre = _means(rating, columns, np.full(self.n_items, rating.mean()))
        rest = rating - user_centre[rows] - item_centre[columns]
        matrix = csr_matrix((rest, (rows, columns)), shape=(self.n_users, self.n_items))
        left, values, right = svds(matrix, k=self.factors, v0=np.ones(min(matrix.shape)))
        for buffer, found in (
            (self.user_centre, user_centre),
            (self.item_centre, item_centre),
            (self.user_factors, left * values),
            (self.item_factors, right.T),
        ):
            buffer.copy_(torch.from_numpy(found.copy()))  # a copy has no negative strides

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        fitted = (self.user_factors[users] * self.item_factors[items]).sum(1)
        return self.user_centre[users] + self.item_centre[items] + fitted


def _means(rating: np.ndarray, ids: np.ndarray, default: np.ndarray) -> np.ndarray:
    """Mean rating per id; ids without ratings keep the default."""
    count = np.bincount(ids, minlength=len(default))
    total = np.bincount(ids, rating, minlength=len(default))
    return np.where(count > 0, total / np.maximum(count, 1), default)
