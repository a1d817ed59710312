"""Tensor-product fusion (Zadeh et al., 2017, Tensor Fusion Network, eq. 3), the paper's "Tensor
product-based" row.

    z_ui = [1 ; p_u] x [1 ; q_i] x [1 ; W_t t_i] x [1 ; W_v v_i]     outer product, flattened
    r_ui = MLP(z_ui)                                                128 -> 64 -> 1

The ones keep all lower-order products. The paper gives no sizes; the outer product forces small
ones.

The first layer is linear in z_ui, so it is applied to the item's share of the product first, once
for every item of a batch; z_ui itself is never made.
"""

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ..base import ModelInputs, RatingModel, register
from ..layers import (
    ProjectedFeatures,
    embedding_penalty,
    id_embedding,
    in_blocks,
    mlp,
    rows_of,
    wanted_features,
)


@config
class TensorFusionConfig:
    embedding_dim: int = Field(8, ge=1)  # of user and item ids; ours
    feature_dim: int = Field(4, ge=1)  # of projected text and picture; ours
    hidden: tuple[int, ...] = (128, 64)  # units of the MLP's hidden layers; the paper's
    dropout: float = Field(0.0, ge=0, lt=1)
    regularisation: float = Field(0.0, ge=0)  # L2 on the ID embeddings, per rating
    # of the initial embeddings; larger ones start from noise; ours
    embedding_std: float = Field(0.03, ge=0)
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"


@register("tensor-fusion", TensorFusionConfig)
class TensorFusion(RatingModel):
    def __init__(self, config: TensorFusionConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        self.user_embedding = id_embedding(
            inputs.n_users, config.embedding_dim, config.embedding_std
        )
        self.item_embedding = id_embedding(
            inputs.n_items, config.embedding_dim, config.embedding_std
        )
        self.modalities = nn.ModuleDict()
        for name, features, preparation in wanted_features(config, inputs, "Tensor fusion"):
            self.modalities[name] = ProjectedFeatures(features, config.feature_dim, preparation)
        user_size = config.embedding_dim + 1  # a
        item_size = user_size * (config.feature_dim + 1) ** len(self.modalities)  # b
        self.first = nn.Linear(user_size * item_size, config.hidden[0])
        self.dropout = nn.Dropout(config.dropout)
        self.rest = mlp(config.hidden, config.dropout, inputs.mean_rating)

    def item_tensor(self, items: torch.Tensor | None) -> torch.Tensor:
        """[1 ; q_i] x [1 ; t_i] x [1 ; v_i], flattened: (N,) -> (N, size)."""
        out = _with_one(rows_of(self.item_embedding.weight, items))
        for features in self.modalities.values():
            out = _outer(out, _with_one(features(items)))
        return out

    def item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        """First layer's weights times the item's share of the product: (N,) -> (N, a * H)."""
        tensor = self.item_tensor(items)  # (N, b)
        hidden = self.first.out_features
        weight = self.first.weight.view(hidden, -1, tensor.shape[1])  # (H, a, b)
        return tensor @ weight.permute(2, 1, 0).flatten(1)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        user = _with_one(self.user_embedding(users))  # (B, a)
        distinct, places = torch.unique(items, return_inverse=True)
        table = self.item_part(distinct).view(-1, self.first.out_features)  # (N * a, H)
        rows = places.unsqueeze(1) * user.shape[1] + torch.arange(
            user.shape[1], device=items.device
        )  # (B, a)
        hidden = (
            F.embedding_bag(rows, table, mode="sum", per_sample_weights=user) + self.first.bias
        )  # (B, H)
        return self.rest(self.dropout(hidden.relu())).squeeze(-1)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        shape = self.n_items, -1, self.first.out_features
        table = self.item_part(None).view(shape).transpose(0, 1).flatten(1)  # (a, N * H)

        def score(rows: torch.Tensor) -> torch.Tensor:
            hidden = (rows @ table).view(len(rows), *shape[::2]) + self.first.bias  # (B, N, H)
            return self.rest(self.dropout(hidden.relu())).squeeze(-1)

        return in_blocks(score, _with_one(self.user_embedding(users)))

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        return embedding_penalty(
            self.regularisation, self.user_embedding, self.item_embedding, users, items
        )


def _with_one(rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.ones_like(rows[:, :1]), rows], dim=1)


def _outer(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """(N, a), (N, b) -> (N, a * b)."""
    return (left.unsqueeze(2) * right.unsqueeze(1)).flatten(1)
