"""LATTICE (Zhang et al., 2021, arXiv 2104.09036): latent graphs of items, in part learned.

    S_m: cosines of raw features of the k items most similar to i, i itself included; else 0  (1)
    L_m: the same of projected features, W_m f_mi + b_m                                       (2)
    w = softmax(a)    one weight per modality    N(X) = D^-1/2 X D^-1/2    D: row sums of X   (3)
    S = mu sum over m of w_m N(S_m) + (1 - mu) N(sum over m of w_m L_m)                       (4)
    H^0 = [E_U ; E_I]    H^(l+1) = D^-1 (A + 1) H^l         D: row sums of A + 1              (5)
    h_u = mean of H_U^0..H_U^L    h_i = mean of H_I^0..H_I^L + x_i / |x_i|, x = S^M E_I       (6)
    s_ui = h_u . h_i                                                                          (7)
    minimise  BPR + lambda/2 mean over triples of |h_u|^2 + |h_i|^2 + |h_j|^2                 (8)

Equations as in public code, their numbers ours. W_m, b_m and a learn through L_m alone and w.
Public code, which the published values come from, makes S in each epoch's first batch and holds it
until the next: they take one step an epoch. Rankings are made on S of the weights at that time.
There the learning rate falls, times .96^(epoch / 50); here it stays.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...encoders import Features
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ...errors import ModelError
from ..base import Batch, ModelInputs, register
from ..layers import FeatureTable, SparseRows, wanted_features
from .base import bpr_of_rows, triple_penalty
from .graph import EmbeddingRanker, rated_edges, triple_rows
from .neighbours import (
    Edges,
    edges_among,
    fixed,
    item_edges,
    mixed,
    nearest,
    normalised,
    product,
    whole,
    with_direction,
)


@config
class LATTICEConfig:
    factors: int = Field(64, ge=1)
    layers: int = Field(2, ge=0)  # L, on the graph of ratings
    item_layers: int = Field(1, ge=1)  # M, on the graph of items
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"  # what W_m reads; S_m is of the encoder's own vectors
    image_preparation: Preparation = "native"
    projected: int = Field(64, ge=1)  # size of W_m f
    neighbours: int = Field(10, ge=1)  # k
    frozen_share: float = Field(0.9, ge=0, lt=1)  # mu
    regularisation: float = Field(1e-4, ge=0)  # lambda
    features: Literal["frozen", "trained"] = "frozen"  # f of L_m; trained in public code
    # when S is made of the current weights; held until then, it has no gradient
    built: Literal["once an epoch", "every step"] = "once an epoch"
    dense: bool = False  # S is multiplied as a whole matrix, as in public code: the same, slower


class Structure(nn.Module):
    """The graphs of one modality: S_m normalised, and L_m."""

    def __init__(self, features: Features, preparation: Preparation, config: LATTICEConfig):
        super().__init__()
        self.n_items, self.neighbours = len(features.matrix), config.neighbours
        items = with_direction(features)
        self.table = FeatureTable(
            _of(items, features), config.projected, preparation, config.features == "trained"
        )
        self.linear = nn.Linear(self.table.size, config.projected)
        self.register_buffer("items", torch.from_numpy(items), persistent=False)  # (N,)
        frozen = normalised(item_edges(features, config.neighbours), self.n_items)
        for name, part in frozen._asdict().items():
            self.register_buffer(f"frozen_{name}", part, persistent=False)  # (E,)

    def frozen(self) -> Edges:
        return Edges(self.frozen_rows, self.frozen_columns, self.frozen_weights)

    def learned(self) -> Edges:
        """Which cosines are kept has no gradient, the kept ones have."""
        units = F.normalize(self.linear(self.table.rows(None)), dim=1)
        places, _ = nearest(units.detach(), self.neighbours)
        cosines = (units.unsqueeze(1) * F.embedding(places, units)).sum(2)
        return edges_among(self.items, places, cosines, self.n_items)


def _of(items: np.ndarray, features: Features) -> Features:
    """The features of some items, all of which have them."""
    present, about = np.ones(len(items), bool), (features.encoder, features.version, features.key)
    return Features(features.matrix[items], present, *about, features.regions)


@register("lattice", LATTICEConfig)
class LATTICE(EmbeddingRanker):
    """Vectors start from Xavier's uniform distribution."""

    def __init__(self, config: LATTICEConfig, inputs: ModelInputs):
        super().__init__(inputs)
        if not config.modalities:
            raise ModelError("LATTICE makes its graph of features; give it at least one modality.")
        self.config = config
        users, items = rated_edges(inputs)
        shape = inputs.n_users, inputs.n_items
        self.rated = SparseRows(users, items, torch.ones(len(users)), shape)
        for name, ids, count in zip(("user", "item"), (users, items), shape, strict=True):
            shares = 1 / (1 + ids.bincount(minlength=count).float()).unsqueeze(1)
            self.register_buffer(f"{name}_shares", shares, persistent=False)  # (U, 1), (I, 1)
        self.user_factors = nn.Embedding(inputs.n_users, config.factors)
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            nn.init.xavier_uniform_(table.weight)
        # the product with S, from an epoch's first batch on
        self.held: Callable[[torch.Tensor], torch.Tensor] | None = None
        self.structures = nn.ModuleDict()
        for name, features, preparation in wanted_features(config, inputs, "LATTICE"):
            self.structures[name] = Structure(features, preparation, config)
        self.weights = None  # a
        if len(self.structures) > 1:
            self.weights = nn.Parameter(torch.zeros(len(self.structures)))

    def start_epoch(self, epoch: int) -> None:
        self.held = None

    def item_edges(self) -> Edges:
        """S of the current weights, with gradients."""
        structures, mu = self.structures.values(), self.config.frozen_share
        shares = [1.0] if self.weights is None else self.weights.softmax(0)
        learned = mixed(
            (share, part.learned()) for share, part in zip(shares, structures, strict=True)
        )
        frozen = mixed(
            (share, part.frozen()) for share, part in zip(shares, structures, strict=True)
        )
        return mixed([(mu, frozen), (1 - mu, normalised(learned, self.n_items))])

    def item_graph(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The product with S: in training the held one, where there is one."""
        if self.training and self.held is not None:
            return self.held
        edges = self.item_edges()
        matrix = whole(edges, self.n_items) if self.config.dense else None
        if self.training and torch.is_grad_enabled() and self.config.built == "once an epoch":
            self.held = fixed(edges, self.n_items) if matrix is None else matrix.detach().matmul
        return partial(product, edges) if matrix is None else matrix.matmul

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        users, items = self.user_factors.weight, self.item_factors.weight
        graph, alike = self.item_graph(), items
        for _ in range(self.config.item_layers):
            alike = graph(alike)
        total_users, total_items = users, items
        for _ in range(self.config.layers):
            users, items = (
                (users + self.rated(items)) * self.user_shares,
                (items + self.rated.transposed(users)) * self.item_shares,
            )
            total_users, total_items = total_users + users, total_items + items
        count = self.config.layers + 1
        return total_users / count, total_items / count + F.normalize(alike, dim=1)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        rows = triple_rows(*self.embed(), batch)
        regularisation, loss = self.config.regularisation, bpr_of_rows(*rows)
        if not regularisation:
            return loss, None
        return loss, regularisation * triple_penalty(*rows, "squared norms")
