"""Wide & Deep (Cheng et al., 2016, "Wide & Deep Learning for Recommender Systems", DLRS, section
3).

    phi_kl(x) = x_k x_l,  k a column of the user's fields, l one of the item's           eq. 1
    a^(0) = [e_1 ; ... ; e_m],    a^(t+1) = relu(W^(t) a^(t) + b^(t))                     eq. 2
    r = mean + w_wide . [x ; phi(x)] + w_deep . a^(last) + b                              eq. 3

x is the one-hot ids and the fields, e_f the embedding of the f-th id or field. Ratings and the
squared error stand here for the paper's app installs and logistic loss, so eq. 3 has no sigmoid; b
is split into the fixed training mean and the MLP's last bias. All cross-products together are one
bilinear form over the fields' columns, w_phi . phi(x) = x_u^T C x_i. Both parts are trained
jointly, by one optimiser instead of the paper's FTRL and AdaGrad. The L2 term is the factorisation
machine's (fm.py): id weights and id embeddings of each row.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...errors import ConfigError
from ..base import ModelInputs, register
from ..layers import gathered, mlp, score_all_pairs
from .fm import FieldModel, item_vector, user_vector


@config
class WideDeepConfig:
    """The paper's app-store model is far larger; the sizes are ours, comments say after whom."""

    embedding_dim: int = Field(50, gt=0)  # of user and item ids; as in BoNMF (the paper: 32)
    field_dim: int = Field(16, gt=0)  # of every field; ours, fields have few levels
    hidden: tuple[int, ...] = (128, 64)  # as in BoNMF (the paper: 1024, 512, 256)
    dropout: float = Field(0.0, ge=0, lt=1)  # after each hidden layer; the paper names none
    use_fields: bool = True  # off, there are no cross-products and the wide part is the biases
    # lambda, as in the FM; ours, up to 0.1 changes little on ML-100K
    regularisation: float = Field(0.0, ge=0)
    embedding_std: float = Field(0.05, gt=0)  # of the initial embeddings; ours, as in BoNMF


class DeepFieldModel(FieldModel):
    """r = mean + <a_u, a_i> + MLP([e_u ; e_i])."""

    def __init__(self, config, inputs: ModelInputs, id_dim: int, field_dim: int):
        super().__init__(config, inputs, id_dim, field_dim)
        if not config.hidden:
            raise ConfigError(f"{type(config).__name__}.hidden needs at least one layer.")
        # the first layer acts on the two sides apart, W [e_u ; e_i] = W_u e_u + W_i e_i: each can
        # come from a table
        self.first = nn.Linear(self.user.dim + self.item.dim, config.hidden[0])
        self.rest = nn.Sequential(
            nn.ReLU(), nn.Dropout(config.dropout), mlp(config.hidden, config.dropout)
        )

    def user_part(self, users: torch.Tensor | None) -> torch.Tensor:
        """W_u e_u and the first layer's bias: (B,) -> (B, H); None = all users in order."""
        return self.user.projected(users, self.first.weight[:, : self.user.dim]) + self.first.bias

    def item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        """W_i e_i: (B,) -> (B, H); None = all items in order."""
        return self.item.projected(items, self.first.weight[:, self.user.dim :])

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        user, item = (
            gathered(self.user_part, users, self.n_users),
            gathered(self.item_part, items, self.n_items),
        )
        return super().forward(users, items) + self.rest(user + item).squeeze(-1)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        deep = score_all_pairs(self.rest, self.user_part(users), self.item_part(None))
        return super().score_all_items(users) + deep


@register("wide-deep", WideDeepConfig)
class WideDeep(DeepFieldModel):
    """Linear weights and field crosses beside an MLP over embeddings."""

    def __init__(self, config: WideDeepConfig, inputs: ModelInputs):
        super().__init__(config, inputs, config.embedding_dim, config.field_dim)
        self.crossed = bool(self.user.levels and self.item.levels)
        if self.crossed:
            self.cross_weights = nn.Parameter(torch.zeros(self.user.levels, self.item.levels))  # C

    # <x_u^T C, x_i> + the linear part of each side
    def user_row(self, users: torch.Tensor | None) -> torch.Tensor:
        linear = self.user.linear(users)
        return user_vector(
            self.user.fields(users) @ self.cross_weights if self.crossed else linear[:, :0], linear
        )

    def item_row(self, items: torch.Tensor | None) -> torch.Tensor:
        linear = self.item.linear(items)
        return item_vector(self.item.fields(items) if self.crossed else linear[:, :0], linear)
