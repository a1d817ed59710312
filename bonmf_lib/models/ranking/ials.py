"""Alternating least squares on all pairs (Hu, Koren & Volinsky, 2008; settings that make it strong:
Rendle et al., 2022, "Revisiting the performance of iALS on item recommendation benchmarks").

    s_ui = x_u . y_i,   r_ui = 1 where u rated i, else 0,   c_ui = 1 + alpha r_ui
    minimise  sum over all pairs of c_ui (r_ui - s_ui)^2
              + lambda (sum_u f_u |x_u|^2 + sum_i f_i |y_i|^2)
    f_u = (sum_i c_ui)^nu,   f_i = (sum_u c_ui)^nu
    (Y^T Y + alpha Y_u^T Y_u + lambda f_u I) x_u = (1 + alpha) Y_u^T 1,   Y_u: rows that u rated

nu = 0 is Hu et al.'s penalty; with nu = 1 one that, like the loss, grows with the ratings. Rendle
et al. weigh all pairs by 1 / alpha instead, which is the same up to the scale of the scores and of
lambda, by alpha / (1 + alpha).
"""

from collections.abc import Iterator

import torch
from pydantic import Field

from ...config import config
from ..base import ClosedFormModel, ModelInputs, register

_PADDED_ROWS = 2**17  # of one block of normal equations
INITIAL_NORM = 0.1  # of an item's vector, about (Rendle et al.)


@config
class IALSConfig:
    factors: int = Field(64, ge=1)
    regularisation: float = Field(0.003, gt=0)  # lambda; Rendle et al.'s for nu = 1
    confidence: float = Field(10.0, gt=0)  # alpha
    frequency_scaling: float = Field(1.0, ge=0, le=1)  # nu
    iterations: int = Field(16, ge=1)  # each solves all users, then all items


@register("ials", IALSConfig)
class IALS(ClosedFormModel):
    """No step size: each half of an iteration is the exact minimum over one side."""

    def __init__(self, config: IALSConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        start = torch.randn(inputs.n_items, config.factors) * (INITIAL_NORM / config.factors**0.5)
        self.register_buffer("user_factors", torch.zeros(inputs.n_users, config.factors))
        self.register_buffer("item_factors", start)

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        pairs = torch.unique(users * self.n_items + items)
        users, items = pairs // self.n_items, pairs % self.n_items
        for _ in range(self.config.iterations):
            self.user_factors.copy_(self._side(self.item_factors, users, items, self.n_users))
            self.item_factors.copy_(self._side(self.user_factors, items, users, self.n_items))

    def _side(
        self, other: torch.Tensor, owners: torch.Tensor, rated: torch.Tensor, count: int
    ) -> torch.Tensor:
        """The minimum over one side: of the other side's vectors (M, d) and pairs of an id of this
        side and one of the other, (N,) each -> (count, d)."""
        alpha, lam, nu = (
            self.config.confidence, self.config.regularisation, self.config.frequency_scaling,
        )  # fmt: skip
        counts = torch.bincount(owners, minlength=count)
        scale = lam * (len(other) + alpha * counts).to(other.dtype) ** nu  # (count,)
        everything, identity = other.T @ other, torch.eye(other.shape[1], device=other.device)
        solved = torch.zeros(count, other.shape[1], device=other.device)
        for ids, members, real in _padded(owners, rated, counts):
            rows = other[members] * real.unsqueeze(2)  # (B, L, d)
            normal = everything + alpha * rows.transpose(1, 2) @ rows
            normal = normal + scale[ids, None, None] * identity
            wanted = (1 + alpha) * rows.sum(1, keepdim=True).transpose(1, 2)
            solved[ids] = torch.cholesky_solve(wanted, torch.linalg.cholesky(normal)).squeeze(2)
        return solved

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return (self.user_factors[users] * self.item_factors[items]).sum(1)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return self.user_factors[users] @ self.item_factors.T


def _padded(
    owners: torch.Tensor, rated: torch.Tensor, counts: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Blocks of ids that have about as many pairs: the ids (B,), what they are paired with, padded
    (B, L), and which of that is real. Ids without pairs are left out."""
    rated = rated[torch.argsort(owners, stable=True)]
    firsts = counts.cumsum(0) - counts
    order = torch.argsort(counts, descending=True, stable=True)
    lengths = counts[order].tolist()
    start = 0
    while start < len(lengths) and lengths[start]:
        ids = order[start : start + max(1, _PADDED_ROWS // lengths[start])]
        ids = ids[counts[ids] > 0]
        place = torch.arange(lengths[start], device=owners.device)
        real = place < counts[ids].unsqueeze(1)
        yield ids, rated[(firsts[ids].unsqueeze(1) + place).clamp(max=len(rated) - 1)], real
        start += len(ids)
