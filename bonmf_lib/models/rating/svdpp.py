"""SVD++ (Koren, 2008, eq. 15): biased SVD whose users are also what they rated, whatever the
rating.

    r_ui = mu + b_u + b_i + q_i . (p_u + |N(u)|^-1/2 sum_{j in N(u)} y_j),
           N(u): training items of u
    minimise  biased SVD's loss + lambda |N(u)|^-1 sum_{j in N(u)} |y_j|^2 per rating

The published code shrinks every y_j of a rating by lambda; divided by |N(u)| here, the penalty does
not depend on how much a user rates.
"""

import torch
from pydantic import Field
from torch.nn import functional as F

from ...config import config
from ...errors import ModelError
from ..base import ModelInputs, register
from ..layers import SparseRows, id_embedding
from .biased_svd import BiasedSVD, BiasedSVDConfig


@config
class SVDppConfig(BiasedSVDConfig):
    factors: int = Field(20, ge=1)  # scikit-surprise's


@register("svd++", SVDppConfig)
class SVDpp(BiasedSVD):
    """The histories of all users are summed for every batch: cheaper than to find and sum those of
    the batch's users, even in the paper's batches of 256, since most ratings come from users with
    long histories."""

    def __init__(self, config: SVDppConfig, inputs: ModelInputs):
        super().__init__(config, inputs)
        if inputs.interactions is None:
            raise ModelError("SVD++ reads the training ratings; pass them as interactions.")
        # y, (I, k)
        self.implicit_factors = id_embedding(inputs.n_items, config.factors, config.embedding_std)
        users, items = (
            torch.tensor(inputs.interactions.users),
            torch.tensor(inputs.interactions.items),
        )
        counts = torch.bincount(users, minlength=inputs.n_users).clamp(min=1).unsqueeze(1)
        self.register_buffer("counts", counts, persistent=False)  # |N(u)|, (U, 1)
        self.histories = SparseRows(
            users, items, torch.ones(len(users)), (inputs.n_users, inputs.n_items)
        )

    def user_vectors(self, users: torch.Tensor) -> torch.Tensor:
        implicit = self.histories(self.implicit_factors.weight) * self.counts.rsqrt()  # (U, k)
        return self.user_factors(users) + F.embedding(users, implicit)

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        squares = self.implicit_factors.weight.square().sum(1, keepdim=True)  # (I, 1)
        implicit = self.histories(squares) / self.counts  # (U, 1)
        return (
            super().penalty(users, items)
            + self.regularisation * F.embedding(users, implicit).mean()
        )
