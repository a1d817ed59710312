"""SLIM, sparse linear methods (Ning & Karypis, 2011, "SLIM: Sparse linear methods for top-N
recommender systems", equations 1 to 3).

    minimise  1/2 |X - X W|^2 + beta/2 |W|^2 + lambda |W|_1   with W >= 0 and diag(W) = 0
    X: 1 where a user rated an item;   s_u = x_u W

Every column of W is an elastic net of its own on the columns of X, which reads no more of them than
X^T X.
"""

import warnings

import numpy as np
import torch
from pydantic import Field
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from ...config import config
from ...errors import TrainingError
from ..base import ModelInputs, register
from .base import HistoryRanker, rated_pairs

_MOST_SWEEPS = 10_000
_TOLERANCE = 1e-4  # duality gap left, as a share of an item's users


@config
class SLIMConfig:
    l1: float = Field(5.0, gt=0)  # lambda, in users: the larger, the fewer weights
    l2: float = Field(100.0, gt=0)  # beta, in users


@register("slim", SLIMConfig)
class SLIM(HistoryRanker):
    """Solved in float64, a column at a time, with the whole of X in memory (n_users x n_items);
    keeps n_items^2 weights, in float32."""

    def __init__(self, config: SLIMConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.l1, self.l2 = config.l1, config.l2
        self.register_buffer("weights", torch.zeros(inputs.n_items, inputs.n_items))

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        x = rated_pairs(users, items, (self.n_users, self.n_items))
        self.weights.copy_(torch.from_numpy(slim_weights(x, self.l1, self.l2)))

    def from_histories(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weights


def slim_weights(x: csr_matrix, l1: float, l2: float) -> np.ndarray:
    """W of X, float64 (U, I) -> (I, I).

    Raises:
        TrainingError: a column does not converge.
    """
    together, dense = (x.T @ x).toarray(order="C"), x.toarray(order="F")
    # scikit-learn's terms are per user
    terms = {"l1_ratio": l1 / (l1 + l2), "alphas": [(l1 + l2) / len(dense)]}
    weights = np.zeros_like(together)
    for item in np.flatnonzero(together.diagonal()):  # those that anybody rated
        of_item = together[:, item].copy()
        of_item[item] = 0  # no item explains itself: its weight meets the bound 0
        try:
            with warnings.catch_warnings(action="error", category=ConvergenceWarning):
                _, found, _ = enet_path(
                    dense, dense[:, item], **terms, precompute=together, Xy=of_item, positive=True,
                    tol=_TOLERANCE, max_iter=_MOST_SWEEPS, check_input=False,
                )  # fmt: skip
        except ConvergenceWarning as error:
            raise TrainingError(
                f"SLIM: the weights of item {item} do not converge; raise l2."
            ) from error
        weights[:, item] = found[:, 0]
    return weights
