"""Neural matrix factorisation (He et al., 2017, section 3.4): GMF and MLP side by side.

    logit_ui = h . [p^G_u * q^G_i ; z_L(p^M_u, q^M_i)] + b

Both parts have tables of their own. A network may start from a trained GMF and a trained MLP (their
section 3.4.1): tables and tower are theirs, and

    h = [alpha h_GMF ; (1 - alpha) h_MLP],   b = alpha b_GMF + (1 - alpha) b_MLP,

so that its logit is theirs, weighted. The paper then goes on with plain gradient descent.
"""

from collections.abc import Sequence

import torch
from pydantic import Field
from torch.nn import functional as F

from ...config import config
from ...errors import ModelError
from ..base import ModelInputs, Recommender, register
from ..layers import gathered, id_embedding, rows_of, score_all_pairs
from .base import PointwiseRanker
from .gmf import GMF, TABLE_STD, output_layer
from .mlp import MLP, Tower, tower_sizes


@config
class NeuMFConfig:
    factors: int = Field(8, ge=1)  # of each part
    hidden_layers: int = Field(3, ge=0, le=8)  # of the MLP
    # weight of GMF where trained networks are started from, else without effect
    alpha: float = Field(0.5, ge=0, le=1)


class FusedRanker(PointwiseRanker):
    """A product and a tower before one output layer. Subclasses set the tables ``gmf_user``,
    ``gmf_item``, ``mlp_user`` and ``mlp_item``, ``tower`` and ``output``."""

    scales = (1.0, 1.0)  # of the two parts

    def _user_part(self, users: torch.Tensor | None) -> torch.Tensor:
        return self.tower.of_user(rows_of(self.mlp_user.weight[: self.n_users], users))

    def _item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        return self.tower.of_item(rows_of(self.mlp_item.weight[: self.n_items], items))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        product = self.gmf_user(users) * self.gmf_item(items)
        first = gathered(self._user_part, users, self.n_users)
        first = first + gathered(self._item_part, items, self.n_items)
        parts = zip(self.scales, (product, self.tower.rest(first)), strict=True)
        return self.output(torch.cat([scale * part for scale, part in parts], dim=1)).squeeze(1)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        factors = self.gmf_user.embedding_dim
        of_product = self.scales[0] * self.output.weight[:, :factors]
        of_tower = self.scales[1] * self.output.weight[:, factors:]
        product = (self.gmf_user(users) * of_product) @ self.gmf_item.weight[: self.n_items].T
        tower = score_all_pairs(
            lambda first: F.linear(self.tower.rest(first), of_tower),
            self._user_part(users),
            self._item_part(None),
        )
        return product + tower + self.output.bias


@register("neumf", NeuMFConfig)
class NeuMF(FusedRanker):
    """From scratch, or from a trained GMF and a trained MLP (:meth:`start_from`)."""

    def __init__(self, config: NeuMFConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.alpha = config.alpha
        sizes = tower_sizes(config.factors, config.hidden_layers)
        self.gmf_user = id_embedding(inputs.n_users, config.factors, TABLE_STD)
        self.gmf_item = id_embedding(inputs.n_items, config.factors, TABLE_STD)
        self.mlp_user = id_embedding(inputs.n_users, sizes[0] // 2, TABLE_STD)
        self.mlp_item = id_embedding(inputs.n_items, sizes[0] // 2, TABLE_STD)
        self.tower = Tower(sizes)
        self.output = output_layer(2 * config.factors)

    @torch.no_grad()
    def start_from(self, models: Sequence[Recommender]) -> None:
        """Tables, tower and weighted output of a trained GMF and a trained MLP, in this order; the
        shares of the output's weights are ``alpha`` and the rest (He et al., section 3.4.1).

        Raises:
            ModelError: they are other models, or of other factors or layers.
        """
        if [type(model) for model in models] != [GMF, MLP]:
            given = ", ".join(type(model).__name__ for model in models)
            raise ModelError(f"NeuMF starts from a GMF and an MLP, in this order, got {given}.")
        gmf, mlp = models
        pairs = (
            (self.gmf_user, gmf.user_embedding), (self.gmf_item, gmf.item_embedding),
            (self.mlp_user, mlp.user_embedding), (self.mlp_item, mlp.item_embedding),
            (self.tower, mlp.tower),
        )  # fmt: skip
        try:
            for own, trained in pairs:
                own.load_state_dict(trained.state_dict())
        except RuntimeError as error:
            raise ModelError(
                f"NeuMF starts from networks with its own factors and layers: {error}"
            ) from error
        shares = self.alpha, 1 - self.alpha
        outputs = list(zip(shares, (gmf.output, mlp.output), strict=True))
        self.output.weight.copy_(torch.cat([share * o.weight for share, o in outputs], dim=1))
        self.output.bias.copy_(sum(share * o.bias for share, o in outputs))
