"""Matrix factorisation that ranks (Rendle et al., 2009, "BPR").

    s_ui = p_u . q_i                                                                             (1)
    minimise  mean of -ln sigma(s_ui - s_uj) + lambda N   over rated items i and drawn items j   (2)
    N = 1/2 mean (|p_u|^2 + |q_i|^2 + |q_j|^2)            squared norms (the paper's)            (3)
    N = (|P|_F + |Q_i|_F + |Q_j|_F) / B                   norms: P, Q_i, Q_j of a batch, B rows  (4)

(4) is what public code of multimodal rankers subtracts; the same lambda weighs otherwise. The
equations' numbers are ours.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ..base import Batch, ModelInputs, register
from .base import PairwiseRanker, Penalised, triple_penalty


@config
class BPRMFConfig:
    factors: int = Field(64, ge=1)
    regularisation: float = Field(0.0, ge=0)  # lambda
    penalised: Penalised = "squared norms"  # N


@register("bpr-mf", BPRMFConfig)
class BPRMF(PairwiseRanker):
    """Vectors start from Xavier's normal distribution; there are no biases."""

    def __init__(self, config: BPRMFConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation, self.penalised = config.regularisation, config.penalised
        self.user_factors = nn.Embedding(inputs.n_users, config.factors)
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            nn.init.xavier_normal_(table.weight)

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return (self.user_factors(users) * self.item_factors(items)).sum(1)

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        if not self.regularisation:
            return None
        _, drawn = batch.negatives
        items = self.item_factors(batch.items), self.item_factors(drawn)
        rows = self.user_factors(batch.users), *items
        return self.regularisation * triple_penalty(*rows, self.penalised)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return self.user_factors(users) @ self.item_factors.weight.T
