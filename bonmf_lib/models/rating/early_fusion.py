"""Text early fusion, the paper's row of that name: text and item ID become one vector before they
meet the user.

    e_i  = W_e [q_i ; t_i] + b_e                  as wide as the item embedding
    r_ui = MLP([p_u ; e_i ; v_i])                 128 -> 64 -> 1

The paper gives no equation; this is the textbook's early fusion (features joined at the input),
against BoNMF, in which the text enters beside the ID embeddings at full width.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ..base import ModelInputs, RatingModel, register
from ..layers import (
    ProjectedFeatures,
    embedding_penalty,
    gathered,
    id_embedding,
    mlp,
    required,
    rows_of,
    score_all_pairs,
)


@config
class EarlyFusionConfig:
    embedding_dim: int = Field(50, ge=1)  # of ids and of the fused item vector; the paper's
    hidden: tuple[int, ...] = (128, 64)  # the paper's
    dropout: float = Field(0.0, ge=0, lt=1)
    regularisation: float = Field(0.0, ge=0)  # L2 on the ID embeddings, per rating
    embedding_std: float = Field(0.05, ge=0)  # of the initial embeddings; ours
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"


@register("early-fusion", EarlyFusionConfig)
class EarlyFusion(RatingModel):
    """W_e acts on a concatenation, so it is one projection of the embedding plus one of the text;
    likewise the MLP's first layer on e_i and v_i."""

    def __init__(self, config: EarlyFusionConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        dim, first = config.embedding_dim, config.hidden[0]
        self.user_embedding = id_embedding(inputs.n_users, dim, config.embedding_std)
        self.item_embedding = id_embedding(inputs.n_items, dim, config.embedding_std)
        self.fuse_id = nn.Linear(dim, dim)
        self.fuse_text = None
        if "text" in config.modalities:
            text = required(inputs.text, "text", "Early fusion")
            self.fuse_text = ProjectedFeatures(text, dim, config.text_preparation)
        self.first_user, self.first_item = nn.Linear(dim, first), nn.Linear(dim, first, bias=False)
        self.first_image = None
        if "image" in config.modalities:
            image = required(inputs.image, "image", "Early fusion")
            self.first_image = ProjectedFeatures(image, first, config.image_preparation)
        self.dropout = nn.Dropout(config.dropout)
        self.rest = mlp(config.hidden, config.dropout, inputs.mean_rating)

    def item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        """What the item adds to the first hidden layer: (N,) -> (N, H)."""
        fused = self.fuse_id(rows_of(self.item_embedding.weight, items))  # e_i, (N, 50)
        if self.fuse_text is not None:
            fused = fused + self.fuse_text(items)
        out = self.first_item(fused)
        return out if self.first_image is None else out + self.first_image(items)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        hidden = self.first_user(self.user_embedding(users)) + gathered(
            self.item_part, items, self.n_items
        )
        return self._upper(hidden).squeeze(-1)

    def _upper(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.rest(self.dropout(hidden.relu()))

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return score_all_pairs(
            self._upper, self.first_user(self.user_embedding(users)), self.item_part(None)
        )

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        return embedding_penalty(
            self.regularisation, self.user_embedding, self.item_embedding, users, items
        )
