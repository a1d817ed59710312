"""SVD++ (Koren, 2008, eq. 15): biased SVD whose users are also what they rated, whatever the rating.

    r_ui = mu + b_u + b_i + q_i . (p_u + |N(u)|^-1/2 sum_{j in N(u)} y_j),   N(u): training items of u
    minimise  biased SVD's loss + lambda |N(u)|^-1 sum_{j in N(u)} |y_j|^2 per rating

The published code shrinks every y_j of a rating by lambda; divided by |N(u)| here, the penalty does not depend on how
much a user rates.
"""

import torch
from pydantic import Field
from torch.nn import functional as F

from ..config import config
from ..errors import ModelError
from .base import ModelInputs, register
from .biased_svd import BiasedSVD, BiasedSVDConfig
from .layers import SparseRows, gathered, id_embedding


@config
class SVDppConfig(BiasedSVDConfig):
    factors: int = Field(20, ge=1)  # scikit-surprise's


@register("svd++", SVDppConfig)
class SVDpp(BiasedSVD):
    """A batch with at least as many rows as there are users sums all histories at once, a smaller one only its own."""

    def __init__(self, config: SVDppConfig, inputs: ModelInputs):
        super().__init__(config, inputs)
        if inputs.interactions is None:
            raise ModelError("SVD++ reads the training ratings; pass them as interactions.")
        self.implicit_factors = id_embedding(inputs.n_items, config.factors, config.embedding_std)  # y, (I, k)
        users, items = torch.tensor(inputs.interactions.users), torch.tensor(inputs.interactions.items)
        order = torch.argsort(users, stable=True)
        counts = torch.bincount(users, minlength=inputs.n_users)
        self.register_buffer("history", items[order], persistent=False)  # (N,)
        self.register_buffer("counts", counts, persistent=False)  # (U,)
        self.register_buffer("starts", counts.cumsum(0) - counts, persistent=False)  # (U,)
        self.histories = SparseRows(users, items, torch.ones(len(users)), (inputs.n_users, inputs.n_items))

    def _sums(self, table: torch.Tensor, users: torch.Tensor | None) -> torch.Tensor:
        """Sum of the table's rows over each user's history: (I, k), (N,) -> (N, k); None = all users in order."""
        if users is None:
            return self.histories(table)
        present, where = torch.unique(users, return_inverse=True)
        counts = self.counts[present]
        offsets = counts.cumsum(0) - counts
        place = torch.arange(int(counts.sum()), device=users.device) - offsets.repeat_interleave(counts)
        items = self.history[self.starts[present].repeat_interleave(counts) + place]
        return F.embedding_bag(items, table, offsets, mode="sum")[where]

    def _counts(self, users: torch.Tensor | None) -> torch.Tensor:
        return (self.counts if users is None else self.counts[users]).clamp(min=1).unsqueeze(1)

    def _implicit(self, users: torch.Tensor | None) -> torch.Tensor:
        return self._sums(self.implicit_factors.weight, users) * self._counts(users).rsqrt()

    def _implicit_penalty(self, users: torch.Tensor | None) -> torch.Tensor:
        squares = self.implicit_factors.weight.square().sum(1, keepdim=True)  # (I, 1)
        return self._sums(squares, users) / self._counts(users)

    def user_vectors(self, users: torch.Tensor) -> torch.Tensor:
        return self.user_factors(users) + gathered(self._implicit, users, self.n_users)

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        mean = gathered(self._implicit_penalty, users, self.n_users).mean()
        return super().penalty(users, items) + self.regularisation * mean
