"""GRCN (Wei et al., 2020): content says which edges of the graph of training pairs to trust.

    c_i = LReLU(f_i W + b) / norm,  p_u = P_u / norm             in every modality m          (1)
    p_u <- (p_u + sum of a_ui c_i) / norm                        3 times                      (2)
    a_ui = softmax of p_u . c_i over u's items,  a_iu = the same over i's users               (3)
    r_u = p_u + sum of a_ui c_i,  r_i = c_i + sum of a_iu p_u                                 (4)
    w = relu(max over m of a g_m)             of each direction; g: of the node it starts at  (5)
    x = E / norms,  x' = sum of w x,  x'' = sum of w x'                                       (6)
    s_ui = dot product of [x + x' + x'' ; r of every modality]                                (7)
    minimise BPR + lambda (mean E^2 + sum over m of mean P^2)    of a batch's rows            (8)

Equations as in public code, their numbers ours, with two differences. There edges run from users to
items while preferences are routed, so p_u stays P_u / norm (``routings=0``); and one publication
penalises the picture's P twice. A penalty of confidences, mean g^2, which public code computes and
adds to no loss, is absent here too.
"""

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ..base import Batch, ModelInputs, register
from ..layers import FeatureTable, rows_of
from .edges import LearnedEdges
from .graph import EmbeddingRanker, rated_edges
from .per_modality import each_modality, id_squares, xavier


@config
class GRCNConfig:
    factors: int = Field(64, ge=1)  # of E
    content_factors: int = Field(64, ge=1)  # of P and c, in every modality
    layers: int = Field(2, ge=1)  # of x
    # of preferences; 0 = they stay as they are, which is what public code comes to
    routings: int = Field(3, ge=0)
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"
    regularisation: float = Field(0.0, ge=0)  # lambda


@register("grcn", GRCNConfig)
class GRCN(EmbeddingRanker):
    """Reads at least one modality."""

    def __init__(self, config: GRCNConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation, self.layers = config.regularisation, config.layers
        self.edges = LearnedEdges(*rated_edges(inputs), (inputs.n_users, inputs.n_items))
        self.ids = xavier(inputs.n_users + inputs.n_items, config.factors)  # E, users first
        self.channels = nn.ModuleDict()
        for name, features, preparation in each_modality(config, inputs, "GRCN"):
            table = FeatureTable(features, config.content_factors, preparation)
            self.channels[name] = _Channel(table, inputs.n_users, config)
        self.confidences = xavier(inputs.n_users + inputs.n_items, len(self.channels))  # g

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [channel(self.edges) for channel in self.channels.values()]
        of_users, of_items, to_users, to_items = zip(*parts, strict=True)
        by_users, by_items = self.confidences.split([self.n_users, self.n_items])
        ids = self._propagated(
            _refined(to_users, rows_of(by_items, self.edges.items)),
            _refined(to_items, rows_of(by_users, self.edges.users)),
        )
        return torch.cat([ids[0], *of_users], 1), torch.cat([ids[1], *of_items], 1)

    def _propagated(
        self, to_users: torch.Tensor, to_items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """x + x' + ... of users and items, by the edges' weights (E,) in both directions."""
        users, items = F.normalize(self.ids).split([self.n_users, self.n_items])
        total_users, total_items = users, items
        for _ in range(self.layers):
            users, items = (
                self.edges.to_users(to_users, items),
                self.edges.to_items(to_items, users),
            )
            total_users, total_items = total_users + users, total_items + items
        return total_users, total_items

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        if not self.regularisation:
            return None
        squares = id_squares(self.ids, self.n_users, batch)
        for channel in self.channels.values():
            squares = squares + rows_of(channel.preferences, batch.users).square().mean()
        return self.regularisation * squares


def _refined(attention: tuple[torch.Tensor, ...], confidences: torch.Tensor) -> torch.Tensor:
    """w of edges in one direction: (E,) for every modality, (E, M) -> (E,)."""
    return (torch.stack(attention, 1) * confidences).amax(1).relu()


class _Channel(nn.Module):
    """Preferences and content of one modality."""

    def __init__(self, table: FeatureTable, n_users: int, config: GRCNConfig):
        super().__init__()
        self.routings, self.table = config.routings, table
        self.projection = nn.Linear(table.size, config.content_factors)
        nn.init.xavier_normal_(self.projection.weight)
        self.preferences = xavier(n_users, config.content_factors)  # P

    def forward(self, edges: LearnedEdges) -> tuple[torch.Tensor, ...]:
        """r of users (U, D) and items (I, D), attention of edges to users (E,) and to items
        (E,)."""
        projected = self.projection(self.table.rows(None))
        items = F.normalize(F.leaky_relu(self.table.filled(projected, None)))
        users = F.normalize(self.preferences)
        for _ in range(self.routings):
            attention = edges.softmax_of_users(edges.dots(users, items))
            users = F.normalize(users + edges.to_users(attention, items))
        similar = edges.dots(users, items)
        to_users, to_items = edges.softmax_of_users(similar), edges.softmax_of_items(similar)
        return (
            users + edges.to_users(to_users, items),
            items + edges.to_items(to_items, users),
            to_users,
            to_items,
        )
