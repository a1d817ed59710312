"""FREEDOM (Zhou & Shen, 2023, "A Tale of Two Graphs"): a frozen graph of items and a thinned graph
of ratings.

    S_m,ij = 1 if j is among the k items most similar to i in modality m, i itself included      (1)
    S = sum over m of alpha_m D^-1/2 S_m D^-1/2             D: row sums, so every weight is 1/k  (2)
    H^0 = [E_U ; E_I]    H^(l+1) = D^-1/2 A D^-1/2 H^l      without loops                        (3)
    h_u = mean of H_U^0..H_U^L    h_i = mean of H_I^0..H_I^L + S^M E_I                           (4)
    s_ui = h_u . h_i                                                                             (5)
    minimise  BPR(h_u . h_i) + lambda sum over m of BPR(h_u . W_m f_mi)                          (6)
    chance of an edge of A to be drawn for an epoch: in proportion to 1 / sqrt(d_u d_i)          (7)

alpha is .1 of the picture and .9 of the text; one modality alone has 1. Every epoch trains on
int((1 - p) |R|) of the edges of A, drawn without replacement, D made of these; rankings are made on
all. Equations as in public code, their numbers ours. Without modalities S is 0: LightGCN on thinned
graphs.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ...errors import ModelError
from ..base import Batch, ModelInputs, register
from ..layers import ProjectedFeatures, SparseRows, gathered, wanted_features
from .base import bpr_of_rows
from .graph import EmbeddingRanker, mean_of_layers, normalised_edges, rated_edges, triple_rows
from .neighbours import fixed, item_edges, mixed, normalised


@config
class FREEDOMConfig:
    factors: int = Field(64, ge=1)
    layers: int = Field(2, ge=0)  # L, on the graph of ratings
    item_layers: int = Field(1, ge=0)  # M, on the graph of items
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"  # what W_m reads; S_m is of the encoder's own vectors
    image_preparation: Preparation = "native"
    neighbours: int = Field(10, ge=1)  # k
    image_share: float = Field(0.1, ge=0, le=1)  # alpha of the picture beside the text
    pruned: float = Field(0.8, ge=0, lt=1)  # p; 0 = every epoch trains on all edges
    content_weight: float = Field(1e-3, ge=0)  # lambda; there is no L2
    features: Literal["frozen", "trained"] = "frozen"  # f; trained in public code


@register("freedom", FREEDOMConfig)
class FREEDOM(EmbeddingRanker):
    """Vectors start from Xavier's uniform distribution."""

    def __init__(self, config: FREEDOMConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.config = config
        users, items = rated_edges(inputs)
        self.graph = normalised_edges(users, items, (inputs.n_users, inputs.n_items))
        self.thinned: SparseRows | None = None  # what an epoch trains on
        self.kept = int((1 - config.pruned) * len(users))
        if not self.kept:
            raise ModelError(f"FREEDOM prunes all {len(users)} training pairs; lower pruned.")
        chances = (users.bincount()[users] * items.bincount()[items]).float().rsqrt()
        for name, part in (("users", users), ("items", items), ("chances", chances)):
            self.register_buffer(f"edge_{name}", part, persistent=False)  # (E,)
        self.user_factors = nn.Embedding(inputs.n_users, config.factors)
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        for table in (self.user_factors, self.item_factors):
            nn.init.xavier_uniform_(table.weight)
        self.projections, structures = nn.ModuleDict(), {}
        for name, features, preparation in wanted_features(config, inputs, "FREEDOM"):
            edges = item_edges(features, config.neighbours)
            binary = edges._replace(weights=torch.ones_like(edges.weights))
            structures[name] = normalised(binary, inputs.n_items)
            if config.content_weight:
                self.projections[name] = ProjectedFeatures(
                    features, config.factors, preparation, config.features == "trained"
                )
        shares = {"text": 1 - config.image_share, "image": config.image_share}
        if len(structures) == 1:
            shares = dict.fromkeys(structures, 1.0)
        self.item_graph = None
        if structures:
            parts = mixed((shares[name], edges) for name, edges in structures.items())
            self.item_graph = fixed(parts, inputs.n_items)

    def start_epoch(self, epoch: int) -> None:
        if not self.config.pruned:
            return
        drawn = torch.multinomial(self.edge_chances, self.kept)
        edges = self.edge_users[drawn], self.edge_items[drawn]
        self.thinned = normalised_edges(*edges, (self.n_users, self.n_items))

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        graph = self.thinned if self.training and self.thinned is not None else self.graph
        of_users, of_items = mean_of_layers(
            graph, self.user_factors.weight, self.item_factors.weight, self.config.layers
        )
        if self.item_graph is None:
            return of_users, of_items
        alike = self.item_factors.weight
        for _ in range(self.config.item_layers):
            alike = self.item_graph(alike)
        return of_users, of_items + alike

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        of_users, rated, drawn = triple_rows(*self.embed(), batch)
        return bpr_of_rows(of_users, rated, drawn), self._content_loss(of_users, batch)

    def _content_loss(self, of_users: torch.Tensor, batch: Batch) -> torch.Tensor | None:
        """lambda sum over m of BPR(h_u . W_m f_mi), of the batch's users (B, D); None = nothing."""
        if not len(self.projections):
            return None
        _, drawn = batch.negatives
        items, total = torch.cat([batch.items, drawn]), 0.0
        for features in self.projections.values():
            made = gathered(features, items, self.n_items).split([len(batch), len(drawn)])
            total = total + bpr_of_rows(of_users, *made)
        return self.config.content_weight * total
