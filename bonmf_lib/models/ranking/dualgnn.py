"""DualGNN (Wang et al., 2021): messages in every modality, then between users of like taste.

    x = [P_m ; LReLU(f_m W1 + b1) W2 + b2] / norms      rows: users, items; in every modality m  (1)
    r_m = x + A x + A^2 x                               A: D^-1/2 A D^-1/2 of training pairs     (2)
    v_i = sum over m of r_m,i,  t_u = sum over m of w_um r_m,u                                   (3)
    v_u = t_u + sum of a_uk t_k                         k: 40 users with most items shared,      (4)
                                                        a: softmax of how many
    s_ui = v_u . v_i                                                                             (5)
    minimise BPR + lambda (sum over m of mean P_u^2 over a batch + mean w^2)                     (6)

Equations as in public code, their numbers ours. Three points are left out: public code adds one
modality's vectors into the other's in place, so that users read them twice; its logarithm is that
of base 2, which makes lambda weigh less; and it penalises weights of items, which nothing reads.
Users with fewer than 40 neighbours have some of them several times, drawn anew in every epoch;
there rankings are made of the last batch's vectors, draws and all, here each neighbour counts once.
"""

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ..base import Batch, ModelInputs, register
from ..layers import FeatureTable, SparseRows, rows_of
from .graph import EmbeddingRanker, normalised_edges, rated_edges, sum_of_layers
from .per_modality import each_modality, xavier
from .user_graph import NearestUsers

_HIDDEN = 4  # units of the hidden layer per factor


@config
class DualGNNConfig:
    factors: int = Field(64, ge=1)
    layers: int = Field(2, ge=0)  # powers of A
    neighbours: int = Field(40, ge=1)  # users that a user listens to
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"
    regularisation: float = Field(0.0, ge=0)  # lambda


@register("dualgnn", DualGNNConfig)
class DualGNN(EmbeddingRanker):
    """Reads at least one modality. Users weigh modalities about equally at the start (softmax of
    small numbers); after that the weights are free."""

    def __init__(self, config: DualGNNConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.regularisation, self.layers = config.regularisation, config.layers
        shape, edges = (inputs.n_users, inputs.n_items), rated_edges(inputs)
        self.graph = normalised_edges(*edges, shape)
        self.nearest = NearestUsers(*edges, shape, config.neighbours)
        self.channels = nn.ModuleDict()
        for name, features, preparation in each_modality(config, inputs, "DualGNN"):
            table = FeatureTable(features, config.factors, preparation)
            self.channels[name] = _Channel(table, inputs.n_users, config.factors)
        drawn = xavier(inputs.n_users, len(self.channels))
        self.modality_weights = nn.Parameter(drawn.detach().softmax(1))  # w

    def start_epoch(self, epoch: int) -> None:
        self.nearest.draw()

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [channel(self.graph, self.layers) for channel in self.channels.values()]
        of_users, of_items = zip(*parts, strict=True)
        weights = self.modality_weights.split(1, 1)  # of each modality (U, 1)
        taste = sum(weight * part for weight, part in zip(weights, of_users, strict=True))
        return taste + self.nearest(taste), sum(of_items)

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        if not self.regularisation:
            return None
        squares = self.modality_weights.square().mean()
        for channel in self.channels.values():
            squares = squares + rows_of(channel.preferences, batch.users).square().mean()
        return self.regularisation * squares


class _Channel(nn.Module):
    """Preferences and propagated vectors of one modality."""

    def __init__(self, table: FeatureTable, n_users: int, factors: int):
        super().__init__()
        self.table = table
        self.hidden = nn.Linear(table.size, _HIDDEN * factors)  # W1
        self.output = nn.Linear(_HIDDEN * factors, factors)  # W2
        self.preferences = xavier(n_users, factors)  # P

    def forward(self, graph: SparseRows, layers: int) -> tuple[torch.Tensor, torch.Tensor]:
        """r of users (U, D) and of items (I, D)."""
        projected = self.output(F.leaky_relu(self.hidden(self.table.rows(None))))
        items = F.normalize(self.table.filled(projected, None))
        return sum_of_layers(graph, F.normalize(self.preferences), items, layers)
