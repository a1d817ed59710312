"""EASE^R, a linear autoencoder without hidden layer (Steck, 2019, "Embarrassingly shallow
autoencoders for sparse data").

    minimise  |X - X B|^2 + lambda |B|^2   with diag(B) = 0;   X: 1 where a user rated an item  (1)
    P = (X^T X + lambda I)^-1,   B_ij = -P_ij / P_jj for i != j                                 (2)
    s_u = x_u B                                                                                 (3)

The equations' numbers are ours.
"""

import torch
from pydantic import Field

from ...config import config
from ..base import ModelInputs, register
from .base import HistoryRanker, rated_pairs


@config
class EASEConfig:
    regularisation: float = Field(250.0, gt=0)  # lambda, in users


@register("ease", EASEConfig)
class EASE(HistoryRanker):
    """Solved in float64: n_items^3 steps, and n_items^2 weights, which are kept in float32."""

    def __init__(self, config: EASEConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        self.register_buffer("weights", torch.zeros(inputs.n_items, inputs.n_items))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        x = rated_pairs(users, items, (self.n_users, self.n_items))
        gram = torch.from_numpy((x.T @ x).toarray()).to(self.weights.device)
        self.weights.copy_(ease_weights(gram, self.regularisation))

    def from_histories(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights


def ease_weights(gram: torch.Tensor, regularisation: float) -> torch.Tensor:
    """B of X^T X, float64 (I, I) -> (I, I)."""
    regularised = gram + regularisation * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(regularised))
    weights = -inverse / inverse.diagonal()
    return weights.fill_diagonal_(0)
