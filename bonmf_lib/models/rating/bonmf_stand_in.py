"""BoNMF with a stand-in for the ID embeddings of items and users without training ratings.

In BoNMF such an embedding is the one it was drawn as: noise that nothing has trained. Here

    q_i  -> s   where i has no training rating, and, in training, for a share of ids drawn anew in
                every batch (dropout of whole embeddings, as in Volkovs et al., 2017, "DropoutNet",
                NIPS, where the stand-in is zero or a mean)

with s zero, the mean of the trained embeddings, or a fresh draw like the initial ones. Users
likewise.
"""

from typing import Literal

import torch
from pydantic import Field

from ...config import config
from ...errors import ConfigError, ModelError
from ..base import ModelInputs, register
from ..layers import rows_of
from .bonmf import BoNMF, BoNMFConfig

StandIn = Literal["random", "mean", "zero"]
STAND_INS: tuple[StandIn, ...] = ("random", "mean", "zero")


@config
class BoNMFStandInConfig(BoNMFConfig):
    stand_in: StandIn = "mean"  # random: as BoNMF has it, fresh draws where ids are dropped
    id_dropout: float = Field(0.1, ge=0, lt=1)  # share of ids replaced in training; 0 = none


@register("bonmf-stand-in", BoNMFStandInConfig)
class BoNMFStandIn(BoNMF):
    """The mean follows the embeddings, and trains none of them."""

    def __init__(self, config: BoNMFStandInConfig, inputs: ModelInputs):
        super().__init__(config, inputs)
        if not config.use_ids:
            raise ConfigError("BoNMFStandInConfig stands in for IDs, so use_ids must be on.")
        if inputs.interactions is None:
            raise ModelError("Stand-ins are for ids without training ratings; pass interactions.")
        self.config = config
        known = inputs.interactions
        for side, ids, total in (
            ("user", known.users, inputs.n_users),
            ("item", known.items, inputs.n_items),
        ):
            counts = torch.bincount(torch.tensor(ids), minlength=total)
            unseen = (counts == 0).float().unsqueeze(1)  # (N, 1)
            self.register_buffer(f"{side}_unseen", unseen, persistent=False)

    def id_rows(self, side: str, ids: torch.Tensor | None) -> torch.Tensor:
        rows = super().id_rows(side, ids)
        replaced = rows_of(getattr(self, f"{side}_unseen"), ids)
        if self.training:
            drawn = torch.rand(len(rows), 1, device=rows.device)
            replaced = torch.maximum(replaced, (drawn < self.config.id_dropout).float())
        elif self.config.stand_in == "random":  # as they were drawn
            return rows
        return rows * (1 - replaced) + replaced * self._stand_in(side, rows)

    def _stand_in(self, side: str, rows: torch.Tensor) -> torch.Tensor:
        if self.config.stand_in == "random":
            return torch.randn_like(rows) * self.config.embedding_std
        if self.config.stand_in == "zero":
            return rows.new_zeros(1, rows.shape[1])
        table = getattr(self, f"{side}_embedding").weight.detach()
        seen = 1 - getattr(self, f"{side}_unseen")
        return (table * seen).sum(0, keepdim=True) / seen.sum().clamp(min=1)
