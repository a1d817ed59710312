"""A multi-layer perceptron instead of the dot product (He et al., 2017, section 3.3).

    z_0 = [p_u ; q_i],   z_l = relu(W_l z_{l-1} + c_l),   logit_ui = h . z_L + b

Each layer has half the units of the one before, the last one as many as there are factors: with 8
factors and L = 3 hidden layers 64 -> 32, 16, 8, as in the authors' code, with p_u and q_i of 32
entries each. (The paper's text has half of that.) Without hidden layer p_u and q_i only add up, and
all users get the same order.
"""

from itertools import pairwise

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...errors import ConfigError
from ..base import ModelInputs, register
from ..layers import gathered, id_embedding, rows_of, score_all_pairs
from .base import PointwiseRanker
from .gmf import TABLE_STD, output_layer


class Tower(nn.Module):
    """From [p_u ; q_i] to the last hidden layer.

    W_1 splits into a user part and an item part, so that what all users, or all items, add to the
    first layer is computed once where many pairs are asked for. Layers start from Glorot's uniform
    distribution, their biases at 0.

    Args:
        sizes: of the input, which is even, and of every hidden layer.
    """

    def __init__(self, sizes: list[int]):
        super().__init__()
        self.half = sizes[0] // 2
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def of_user(self, rows: torch.Tensor) -> torch.Tensor:
        """What p_u adds to the first layer before its relu, (N, half) -> (N, H)."""
        if not self.layers:
            return F.pad(rows, (0, self.half))
        return F.linear(rows, self.layers[0].weight[:, : self.half], self.layers[0].bias)

    def of_item(self, rows: torch.Tensor) -> torch.Tensor:
        """What q_i adds, (N, half) -> (N, H)."""
        if not self.layers:
            return F.pad(rows, (self.half, 0))
        return F.linear(rows, self.layers[0].weight[:, self.half :])

    def rest(self, first: torch.Tensor) -> torch.Tensor:
        """Sums of the two, (..., H), through the rest of the tower."""
        if not self.layers:
            return first
        for layer in self.layers[1:]:
            first = layer(first.relu())
        return first.relu()


def tower_sizes(factors: int, hidden_layers: int) -> list[int]:
    """Of the input and of every hidden layer; ``ConfigError`` where the input cannot be halved."""
    sizes = [factors * 2**layer for layer in range(hidden_layers, -1, -1)]
    if sizes[0] % 2:
        raise ConfigError(
            f"Without hidden layer, factors are halved between user and item, got {factors}."
        )
    return sizes


@config
class MLPConfig:
    factors: int = Field(8, ge=1)  # units of the last hidden layer
    hidden_layers: int = Field(3, ge=0, le=8)  # L; the paper tries 0 to 4


@register("mlp", MLPConfig)
class MLP(PointwiseRanker):
    """The other network that NeuMF can start from."""

    def __init__(self, config: MLPConfig, inputs: ModelInputs):
        super().__init__(inputs)
        sizes = tower_sizes(config.factors, config.hidden_layers)
        self.user_embedding = id_embedding(inputs.n_users, sizes[0] // 2, TABLE_STD)
        self.item_embedding = id_embedding(inputs.n_items, sizes[0] // 2, TABLE_STD)
        self.tower = Tower(sizes)
        self.output = output_layer(config.factors)

    def _user_part(self, users: torch.Tensor | None) -> torch.Tensor:
        return self.tower.of_user(rows_of(self.user_embedding.weight, users))

    def _item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        return self.tower.of_item(rows_of(self.item_embedding.weight, items))

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        first = gathered(self._user_part, users, self.n_users)
        first = first + gathered(self._item_part, items, self.n_items)
        return self.output(self.tower.rest(first)).squeeze(1)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return score_all_pairs(
            lambda first: self.output(self.tower.rest(first)),
            self._user_part(users),
            self._item_part(None),
        )
