"""BoNMF+: what we would build instead, a factorisation in which BoNMF's text and picture stand in
for missing ratings.

    p_u' = p_u + |N(u)|^-1/2 sum_{j in N(u)} y_j              the user is also what they rated
                                                              (Koren, 2008, eq. 15)
    q_i' = q_i + |N(i)|^-1/2 sum_{v in N(i)} z_v + g_i c_i    the item also who rated it,
                                                              and its content
    c_i  = W_t t_i + W_v v_i + W_f f_i                        text, picture, side fields
    g_i  = sigmoid(a - b log(1 + |N(i)|))                     a gate: the fewer ratings,
                                                              the more content counts
    r_ui = mu + b_u + b_i + g_i w . c_i + p_u' . q_i'  (+ MLP([p_u' ; q_i']))

    minimise  sum (r_ui - r^_ui)^2
              + lambda (b_u^2 + b_i^2 + |p_u|^2 + |q_i|^2 + |y_i|^2 + |z_u|^2 + |c_i|^2)

N are training ratings, whatever the stars. Cold-item dropout treats random items as unrated during
training (no q_i, no b_i, no raters, gate as for zero ratings), so that content learns to stand
alone.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ...errors import ConfigError, ModelError
from ..base import ModelInputs, RatingModel, register
from ..layers import ProjectedFeatures, SparseRows, id_embedding, mlp, rows_of, wanted_features


@config
class BoNMFPlusConfig:
    """Defaults are ours, chosen on validation ratings."""

    factors: int = Field(128, ge=1)
    regularisation: float = Field(0.06, ge=0)  # lambda, per rating
    embedding_std: float = Field(0.02, gt=0)  # of all initial factors
    use_user_history: bool = True  # y
    use_item_history: bool = True  # z
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"
    use_fields: bool = True  # genres and decade of items
    gate: bool = True  # False: g_i = 1
    # share of items treated as unrated, anew for every batch
    cold_dropout: float = Field(0.0, ge=0, lt=1)
    hidden: tuple[int, ...] = ()  # units of the MLP's hidden layers; () = no MLP


@register("bonmf+", BoNMFPlusConfig)
class BoNMFPlus(RatingModel):
    """Both towers are made as tables of all users and items: meant for batches of thousands."""

    def __init__(self, config: BoNMFPlusConfig, inputs: ModelInputs):
        super().__init__(inputs)
        if inputs.interactions is None:
            raise ModelError("BoNMF+ reads the training ratings; pass them as interactions.")
        self.config = config
        users, items = (
            torch.tensor(inputs.interactions.users),
            torch.tensor(inputs.interactions.items),
        )
        shape, dim, std = (inputs.n_users, inputs.n_items), config.factors, config.embedding_std
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating)))
        self.user_factors = id_embedding(inputs.n_users, dim, std)  # p, (U, k)
        self.item_factors = id_embedding(inputs.n_items, dim, std)  # q, (I, k)
        self.user_bias = nn.Parameter(torch.zeros(inputs.n_users))
        self.item_bias = nn.Parameter(torch.zeros(inputs.n_items))
        counts = torch.bincount(items, minlength=inputs.n_items).float()
        if config.use_user_history:
            self.rated_factors = id_embedding(inputs.n_items, dim, std)  # y, (I, k)
            self.user_history = SparseRows(
                users, items, _inverse_root(users, inputs.n_users), shape
            )
        if config.use_item_history:
            self.rater_factors = id_embedding(inputs.n_users, dim, std)  # z, (U, k)
            self.item_history = SparseRows(
                items, users, _inverse_root(items, inputs.n_items), shape[::-1]
            )
        self.content = nn.ModuleDict()
        for name, features, preparation in wanted_features(config, inputs, "BoNMF+"):
            table = ProjectedFeatures(features, dim, preparation)
            nn.init.normal_(table.linear.weight, std=std / table.size**0.5)
            self.content[name] = table
        self.fields = nn.ParameterDict()
        for name, rows in inputs.item_fields.items() if config.use_fields else ():
            self.register_buffer(
                f"field_{name}", torch.from_numpy(rows), persistent=False
            )  # (I, levels)
            self.fields[name] = nn.Parameter(torch.randn(rows.shape[1], dim) * std)
        self.has_content = bool(len(self.content) or len(self.fields))
        if self.has_content:
            self.content_bias = nn.Linear(dim, 1, bias=False)  # w
        if config.gate and self.has_content:
            self.register_buffer(
                "log_counts", (1 + counts).log().unsqueeze(1), persistent=False
            )  # (I, 1)
            self.gate_level, self.gate_slope = (
                nn.Parameter(torch.zeros(1)),
                nn.Parameter(torch.full((1,), 0.3)),
            )
        elif config.cold_dropout:
            raise ConfigError("BoNMFPlusConfig.cold_dropout needs content and the gate.")
        self.mlp = mlp([2 * dim, *config.hidden]) if config.hidden else None

    def user_table(self) -> torch.Tensor:
        """p': (U, k)."""
        table = self.user_factors.weight
        return (
            table + self.user_history(self.rated_factors.weight)
            if self.config.use_user_history
            else table
        )

    def content_table(self) -> torch.Tensor | None:
        """c: (I, k), or None without content."""
        if not self.has_content:
            return None
        parts = [features(None) for features in self.content.values()]
        parts += [getattr(self, f"field_{name}") @ weight for name, weight in self.fields.items()]
        return torch.stack(parts).sum(0)

    def item_tables(self, content: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """From c: q', (I, k), and what the item adds to every prediction, (I,)."""
        table, bias = self.item_factors.weight, self.item_bias
        if self.config.use_item_history:
            table = table + self.item_history(self.rater_factors.weight)
        if content is None:
            return table, bias
        weight = torch.ones_like(bias).unsqueeze(1)
        if self.config.gate:
            logs = self.log_counts
            if self.training and self.config.cold_dropout:
                kept = (torch.rand_like(logs) >= self.config.cold_dropout).float()  # (I, 1)
                table, bias, logs = kept * table, kept.squeeze(1) * bias, kept * logs
            weight = torch.sigmoid(self.gate_level - self.gate_slope * logs)
        gated = weight * content
        return table + gated, bias + self.content_bias(gated).squeeze(1)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self._predictions(users, items, self.content_table())

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self._penalty(users, items, self.content_table())

    def with_penalty(
        self, users: torch.Tensor, items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        content = self.content_table()
        return self._predictions(users, items, content), self._penalty(users, items, content)

    def _predictions(
        self, users: torch.Tensor, items: torch.Tensor, content: torch.Tensor | None
    ) -> torch.Tensor:
        item_table, item_bias = self.item_tables(content)
        user, item = rows_of(self.user_table(), users), rows_of(item_table, items)  # (B, k)
        out = (
            self.mean
            + rows_of(self.user_bias, users)
            + rows_of(item_bias, items)
            + (user * item).sum(1)
        )
        return out if self.mlp is None else out + self.mlp(torch.cat([user, item], 1)).squeeze(1)

    def _penalty(
        self, users: torch.Tensor, items: torch.Tensor, content: torch.Tensor | None
    ) -> torch.Tensor:
        user_side = self.user_bias**2 + self.user_factors.weight.square().sum(1)  # (U,)
        item_side = self.item_bias**2 + self.item_factors.weight.square().sum(1)  # (I,)
        if self.config.use_item_history:
            user_side = user_side + self.rater_factors.weight.square().sum(1)
        if self.config.use_user_history:
            item_side = item_side + self.rated_factors.weight.square().sum(1)
        if content is not None:
            item_side = item_side + content.square().sum(1)
        return (
            self.config.regularisation
            * (rows_of(user_side, users) + rows_of(item_side, items)).mean()
        )

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        if self.mlp is not None:
            return super().score_all_items(users)
        item_table, item_bias = self.item_tables(self.content_table())
        interaction = self.user_table()[users] @ item_table.T
        return self.mean + self.user_bias[users].unsqueeze(1) + item_bias + interaction


def _inverse_root(ids: torch.Tensor, total: int) -> torch.Tensor:
    """|N|^-1/2 of the id on each row, (N,)."""
    return torch.bincount(ids, minlength=total).clamp(min=1).float().rsqrt()[ids]
