"""VBPR (He and McAuley, 2016): matrix factorisation that ranks, beside a product with features.

    s_ui = b_i + p_u . q_i + theta_u . E f_i + b' . f_i     with biases (the paper's)          (1)
    s_ui = p_u . q_i + theta_u . (E f_i + c)                without, as public code of         (2)
                                                            multimodal rankers has it
    minimise  mean of -ln sigma(s_ui - s_uj) + lambda N     over rated items i, drawn items j  (3)

f_i are the frozen features of all modalities, concatenated. N is of the vectors [p_u ; theta_u] and
[q_i ; b_i], without biases of [q_i ; E f_i + c] (see :func:`~.base.triple_penalty`); E, b' and c
are not penalised. The paper's terms that are the same for all items change no order and are left
out. The equations' numbers are ours.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ..base import Batch, ModelInputs, register
from ..layers import ProjectedFeatures, gathered, rows_of, wanted_features
from .base import Penalised, bpr_of_rows, triple_penalty
from .graph import EmbeddingRanker


@config
class VBPRConfig:
    factors: int = Field(64, ge=1)  # of p and q, and as many of theta
    regularisation: float = Field(0.0, ge=0)  # lambda
    penalised: Penalised = "squared norms"  # N
    form: Literal["with biases", "without biases"] = "with biases"
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"


@register("vbpr", VBPRConfig)
class VBPR(EmbeddingRanker):
    """Without modalities BPR matrix factorisation, with biases of items or without."""

    def __init__(self, config: VBPRConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.factors, self.has_biases = config.factors, config.form == "with biases"
        self.regularisation, self.penalised = config.regularisation, config.penalised
        self.modalities = nn.ModuleDict()
        # E of the concatenation, a part for each modality; b' is its last row
        size = config.factors + self.has_biases
        for name, features, preparation in wanted_features(config, inputs, "VBPR"):
            first = not self.modalities and not self.has_biases  # c is there once
            self.modalities[name] = ProjectedFeatures(features, size, preparation, bias=first)
        width = config.factors * (2 if self.modalities else 1)
        self.user_factors = nn.Embedding(inputs.n_users, width)  # [p_u ; theta_u]
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            nn.init.xavier_normal_(table.weight)
        if self.has_biases:
            self.item_bias = nn.Embedding(inputs.n_items, 1)
            nn.init.zeros_(self.item_bias.weight)

    def user_part(self, users: torch.Tensor | None) -> torch.Tensor:
        """[p_u ; theta_u (; 1)]: (N,) -> (N, D); None = all users in order."""
        rows = rows_of(self.user_factors.weight, users)
        return torch.cat([rows, torch.ones_like(rows[:, :1])], 1) if self.has_biases else rows

    def item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        """[q_i ; E f_i (; b_i + b' . f_i)]: (N,) -> (N, D); None = all items in order."""
        parts = [rows_of(self.item_factors.weight, items)]
        seen = sum(table(items) for table in self.modalities.values())
        if self.modalities:
            parts.append(seen[:, : self.factors])
        if self.has_biases:
            bias = rows_of(self.item_bias.weight, items)
            parts.append(bias + seen[:, self.factors :] if self.modalities else bias)
        return torch.cat(parts, dim=1)

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.user_part(None), self.item_part(None)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Bayesian personalised ranking of rated items above drawn ones; vectors are made of the
        batch's items only, where those are fewer than all."""
        _, drawn = batch.negatives
        ids, sizes = torch.cat([batch.items, drawn]), [len(batch), len(drawn)]
        users, items = self.user_part(batch.users), gathered(self.item_part, ids, self.n_items)
        loss = bpr_of_rows(users, *items.split(sizes))
        if not self.regularisation:
            return loss, None
        if self.has_biases:
            users = users[:, :-1]
            tables = self.item_factors.weight, self.item_bias.weight
            items = torch.cat([rows_of(table, ids) for table in tables], dim=1)
        penalty = triple_penalty(users, *items.split(sizes), self.penalised)
        return loss, self.regularisation * penalty
