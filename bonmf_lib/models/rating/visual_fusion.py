"""BoNMF's inputs with the picture joined to the text in different ways (the paper's second open
question).

    t = W_t t_i,  v = W_v v_i                   text and picture, projected to k dimensions
    r_ui = MLP([p_u ; q_i ; m])                 128 -> 64 -> 1, with m by the kind of fusion:

    concatenation   m = [t ; v]
    sum             m = t + v                   which is also one projection of [t_i ; v_i],
                                                "early" fusion
    gated           m = z * tanh t + (1 - z) * tanh v,  z = sigmoid(W_z [t ; v])
                                                (Arevalo et al., 2017, sec. 3.1)
    bilinear        m = sum_r (A_r [t_i ; 1]) * (B_r [v_i ; 1])
                                                (Liu et al., 2018, eq. 6)
    attention       m = [t ; v] with  v = sum_j a_j V v_ij,  a = softmax_j(W_q s . K v_ij / sqrt k)
                                                over regions v_ij; the query s is t, q_i or p_u
    late            r_ui = (MLP_t([p_u ; q_i ; t]) + MLP_v([p_u ; q_i ; v])) / 2
    residual        r_ui = MLP_t([p_u ; q_i ; t]) + MLP_v([p_u ; q_i ; v]),
                                                the second starts at zero

    overlap-gated   m = [t ; g_i v],  g_i = sigmoid(a - b o_i)
                                                o_i: how well the text predicts the picture;
                                                a, b are learned
    shared-private  t = [s_t ; p_t],  v = [s_v ; p_v],  m = [(s_t + s_v) / 2 ; p_t ; p_v]
                                                minimise also  alpha (1 - mean_j corr(s_t, s_v)_j)

    minimise also   delta mean_j sum_l corr(t_j, v_l)^2
                                                over items, to decorrelate text and picture
                                                (Cheung et al., 2015, eq. 3, on correlations);
                                                of shared-private, p_t and p_v

A product sign is elementwise. Where a text or picture is missing, a learned vector stands in for
its projection.
"""

from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...encoders import Features
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ...errors import ConfigError, ModelError
from ..base import ModelInputs, RatingModel, register
from ..layers import (
    FeatureTable,
    ProjectedFeatures,
    embedding_penalty,
    gathered,
    id_embedding,
    mlp,
    rows_of,
    wanted_features,
)
from .fusions import FUSIONS

TWO_HEADS = ("late", "residual")
Fusion = Literal[
    "concatenation",
    "sum",
    "gated",
    "bilinear",
    "attention",
    "late",
    "residual",
    "overlap-gated",
    "shared-private",
]


@config
class VisualFusionConfig:
    """All sizes are ours but for the embeddings' and the MLP's, which are the paper's."""

    fusion: Fusion = "gated"
    query: Literal["text", "item", "user"] = "text"  # of attention
    embedding_dim: int = Field(50, ge=1)  # of ids
    feature_dim: int = Field(50, ge=1)  # k
    rank: int = Field(4, ge=1)  # of the bilinear form
    shared_dim: int = Field(25, ge=1)  # of s_t and s_v, out of k
    alignment: float = Field(1.0, ge=0)  # alpha
    decorrelation: float = Field(0.0, ge=0)  # delta
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = Field(0.0, ge=0, lt=1)
    regularisation: float = Field(0.0, ge=0)  # L2 on the ID embeddings, per rating
    embedding_std: float = Field(0.05, ge=0)  # of the initial embeddings
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"

    @property
    def use_overlap(self) -> bool:
        """Whether the model reads how much each item's modalities overlap."""
        return self.fusion == "overlap-gated"


class RegionAttention(FeatureTable):
    """sum_j a_j V v_ij over the regions of an item's picture, for a query per row."""

    def __init__(self, features: Features, query_dim: int, dim: int, preparation: Preparation):
        super().__init__(features, dim, preparation)
        if features.regions < 2:
            raise ModelError(
                f"Attention needs regions, {features.encoder} is one vector per picture; "
                "use pooling grid3."
            )
        self.dim, self.n_items = dim, len(features.matrix)
        self.left_out: int | None = (
            None  # a region that gets no attention, to see what its absence changes
        )
        size = self.size // self.regions
        self.query = nn.Linear(query_dim, dim, bias=False)
        self.key, self.value = nn.Linear(size, dim, bias=False), nn.Linear(size, dim, bias=False)

    def keys_and_values(self, items: torch.Tensor | None) -> torch.Tensor:
        """(N,) -> (N, 2 * R * k)."""
        rows = self.rows(items).unflatten(1, (self.regions, -1))  # (N, R, features)
        return torch.cat([self.key(rows).flatten(1), self.value(rows).flatten(1)], 1)

    def attend(
        self, query: torch.Tensor, items: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries (N, query_dim) of items (N,)
        -> summary (N, k) and the regions' weights (N, R)."""
        every = (
            self.keys_and_values(None)
            if items is None
            else gathered(self.keys_and_values, items, self.n_items)
        )
        keys, values = every.view(len(every), 2, self.regions, self.dim).unbind(1)  # (N, R, k)
        logits = (keys @ self.query(query).unsqueeze(2)).squeeze(2) / self.dim**0.5
        if self.left_out is not None:
            logits[:, self.left_out] = -torch.inf
        weights = torch.softmax(logits, 1)
        return self.filled((weights.unsqueeze(1) @ values).squeeze(1), items), weights


class Head(nn.Module):
    """An MLP over [p_u ; q_i ; m_i]; its first layer is split, so that a large batch runs the
    item's share once."""

    def __init__(self, config: VisualFusionConfig, size: int, mean_rating: float):
        super().__init__()
        first = config.hidden[0]
        self.user = nn.Linear(config.embedding_dim, first)
        self.item = nn.Linear(config.embedding_dim + size, first, bias=False)
        self.rest = nn.Sequential(
            nn.ReLU(), nn.Dropout(config.dropout), mlp(config.hidden, config.dropout, mean_rating)
        )

    def forward(self, user: torch.Tensor, item_part: torch.Tensor) -> torch.Tensor:
        return self.rest(self.user(user) + item_part).squeeze(-1)


@register("visual-fusion", VisualFusionConfig)
class VisualFusion(RatingModel):
    def __init__(self, config: VisualFusionConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        self._check(config)
        k, ids, kind = config.feature_dim, config.embedding_dim, FUSIONS[config.fusion]
        self.user_embedding = id_embedding(inputs.n_users, ids, config.embedding_std)
        self.item_embedding = id_embedding(inputs.n_items, ids, config.embedding_std)
        self.projected = nn.ModuleDict()
        for name, features, preparation in wanted_features(config, inputs, "Visual fusion"):
            if name == "image" and config.fusion == "attention":
                self.regions = RegionAttention(
                    features, k if config.query == "text" else ids, k, preparation
                )
            else:
                self.projected[name] = ProjectedFeatures(features, kind.width(config), preparation)
        self.join = kind(config, inputs)
        if config.decorrelation or config.fusion == "shared-private":
            both = np.flatnonzero(inputs.text.present & inputs.image.present)
            if len(both) < 2:
                raise ModelError(
                    f"{len(both)} items have text and picture; "
                    "their correlation needs at least two."
                )
            self.register_buffer("paired", torch.from_numpy(both), persistent=False)  # (P,)
        self.head = Head(config, self.join.size, inputs.mean_rating)
        if config.fusion in TWO_HEADS:
            self.image_head = Head(config, k, inputs.mean_rating)
        if config.fusion == "residual":
            last = self.image_head.rest[-1][-1]
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    @staticmethod
    def _check(config: VisualFusionConfig) -> None:
        parts = len(config.modalities)
        if not parts:
            raise ConfigError(
                "VisualFusionConfig switches text and picture off; leave at least one on."
            )
        if parts < 2 and config.fusion not in ("concatenation", "sum"):
            raise ConfigError(
                f"VisualFusionConfig.fusion {config.fusion!r} needs text and picture."
            )
        if config.decorrelation and (config.fusion in ("attention", "bilinear") or parts < 2):
            raise ConfigError(
                f"VisualFusionConfig.decorrelation is not made for fusion {config.fusion!r} "
                "or one input."
            )

    def attention(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Weights of the regions (N, R) for users and items (N,); rows sum to 1."""
        if self.config.fusion != "attention":
            raise ModelError(f"Fusion {self.config.fusion!r} has no attention.")
        return self.regions.attend(self._query(users, items), items)[1]

    def _query(self, users: torch.Tensor | None, items: torch.Tensor | None) -> torch.Tensor:
        source = {
            "text": lambda: self.projected["text"](items),
            "item": lambda: rows_of(self.item_embedding.weight, items),
            "user": lambda: rows_of(self.user_embedding.weight, users),
        }
        return source[self.config.query]()

    def joined(self, items: torch.Tensor | None, users: torch.Tensor | None = None) -> torch.Tensor:
        """m, or the text's share of it where each modality has its own head: (N,) -> (N, size)."""
        names = ("text",) if self.config.fusion in TWO_HEADS else self.projected
        parts = [self.projected[name](items) for name in names]
        if self.config.fusion == "attention":
            parts.append(self.regions.attend(self._query(users, items), items)[0])
        return self.join(parts, items)

    def item_part(
        self, items: torch.Tensor | None, users: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The item's share of the first hidden layer: (N,) -> (N, H)."""
        return self.head.item(
            torch.cat([rows_of(self.item_embedding.weight, items), self.joined(items, users)], 1)
        )

    def image_part(self, items: torch.Tensor | None) -> torch.Tensor:
        """Likewise of the picture's own head."""
        own = rows_of(self.item_embedding.weight, items)
        return self.image_head.item(torch.cat([own, self.projected["image"](items)], 1))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        user = self.user_embedding(users)
        of_pair = self.config.fusion == "attention" and self.config.query == "user"
        part = (
            self.item_part(items, users)
            if of_pair
            else gathered(self.item_part, items, self.n_items)
        )
        out = self.head(user, part)
        if self.config.fusion in TWO_HEADS:
            own = self.image_head(user, gathered(self.image_part, items, self.n_items))
            out = (out + own) / 2 if self.config.fusion == "late" else out + own
        return out

    def heard(self, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the MLP hears of text and picture apart, (N, size) each: of a gated picture what
        passes the gate, of shared and private columns the private ones."""
        return self.join.heard(*(project(items) for project in self.projected.values()), items)

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        config = self.config
        out = embedding_penalty(
            config.regularisation, self.user_embedding, self.item_embedding, users, items
        )
        if not (config.decorrelation or (config.fusion == "shared-private" and config.alignment)):
            return out
        text, image = (
            _standardised(project(self.paired)) for project in self.projected.values()
        )  # (P, k)
        total = text.new_zeros(()) if out is None else out
        if (apart := self.join.misalignment(text, image)) is not None:
            total = total + config.alignment * apart
        text, image = (
            self.join.heard(text, image, self.paired)
            if config.fusion == "shared-private"
            else (text, image)
        )
        correlations = text.T @ image / len(text)  # (k, k)
        return total + config.decorrelation * correlations.square().sum() / text.shape[1]


def _standardised(rows: torch.Tensor) -> torch.Tensor:
    """Columns of mean 0 and variance 1."""
    return (rows - rows.mean(0)) / (rows.std(0, correction=0) + 1e-6)
