"""BoNMF (Zheng et al., 2024, arXiv 2407.08942): ID embeddings, text and picture into one MLP.

    x_ui = [p_u ; q_i ; t_i ; v_i (; d_u)]           concatenation
    r_ui = w3 relu(W2 relu(W1 x_ui + b1) + b2) + b3   MLP 128 -> 64 -> 1

p_u, q_i are 50-d embeddings, t_i and v_i frozen features of the item's text and picture, d_u the
user's demographics. The paper gives no equation for missing pictures: here a missing t_i or v_i
adds a learned vector to the first hidden layer instead of its projection.
"""

import torch
from pydantic import Field
from torch import nn

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ...errors import ConfigError, ModelError
from ..base import ModelInputs, RatingModel, register
from ..layers import (
    FeatureTable,
    embedding_penalty,
    gathered,
    id_embedding,
    mlp,
    rows_of,
    score_all_pairs,
    wanted_features,
)


@config
class BoNMFConfig:
    """Defaults are the paper's where it gives a value, else a comment says whose they are."""

    embedding_dim: int = 50  # of user and item ids
    hidden: tuple[int, ...] = (128, 64)  # units of the MLP's hidden layers
    use_ids: bool = True
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"  # the plain reading of "concatenated"
    image_preparation: Preparation = "native"
    use_demographics: bool = (
        False  # the paper lists demographics among the data, not among the inputs
    )
    dropout: float = 0.0  # after each hidden layer; the paper's text gives no rate
    # L2 on the ID embeddings, per rating; the paper's text gives none
    regularisation: float = Field(0.0, ge=0)
    embedding_std: float = 0.05  # of the initial embeddings; ours, the paper gives none


@register("bonmf", BoNMFConfig)
class BoNMF(RatingModel):
    """BoNMF and, by switching inputs off, its ablations.

    W1 acts on frozen features, so W1 x_ui splits into a user part and an item part. When a batch
    has at least as many rows as there are items, the item parts of all items are computed once and
    gathered; below that the rows' own product is cheaper. Both give the same numbers up to
    rounding.
    """

    def __init__(self, config: BoNMFConfig, inputs: ModelInputs):
        super().__init__(inputs)
        if not config.hidden:
            raise ConfigError("BoNMFConfig.hidden needs at least one layer.")
        self.regularisation = config.regularisation
        sizes: dict[str, int] = {}
        if config.use_ids:
            self.user_embedding = id_embedding(
                inputs.n_users, config.embedding_dim, config.embedding_std
            )  # (U, 50)
            self.item_embedding = id_embedding(
                inputs.n_items, config.embedding_dim, config.embedding_std
            )  # (I, 50)
            sizes |= {"user_id": config.embedding_dim, "item_id": config.embedding_dim}
        self.modalities = nn.ModuleDict()
        for name, features, preparation in wanted_features(config, inputs, "BoNMF"):
            self.modalities[name] = FeatureTable(features, config.hidden[0], preparation)
            sizes[name] = self.modalities[name].size
        if config.use_demographics:
            if inputs.demographics is None:
                raise ModelError("BoNMF was asked to use demographics, but the data set has none.")
            self.register_buffer(
                "demographics", torch.from_numpy(inputs.demographics), persistent=False
            )
            sizes["demographics"] = inputs.demographics.shape[1]
        if not sizes:
            raise ConfigError("BoNMFConfig switches every input off; leave at least one on.")
        ends = torch.tensor(list(sizes.values())).cumsum(0).tolist()
        self.columns = {
            name: slice(end - size, end)
            for (name, size), end in zip(sizes.items(), ends, strict=True)
        }
        self.first = nn.Linear(ends[-1], config.hidden[0])
        rest = mlp(config.hidden, config.dropout, inputs.mean_rating)
        self.rest = nn.Sequential(nn.ReLU(), nn.Dropout(config.dropout), *rest)

    def _project(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        """Rows (N, dim) of one input through its columns of W1 -> (N, H)."""
        return rows @ self.first.weight[:, self.columns[name]].T

    def id_rows(self, side: str, ids: torch.Tensor | None) -> torch.Tensor:
        """p or q of some ids of a ``side``, user or item: (N,) -> (N, 50)."""
        return rows_of(getattr(self, f"{side}_embedding").weight, ids)

    def user_part(self, users: torch.Tensor | None) -> torch.Tensor:
        """Sum of all user inputs through W1, and b1: (N,) -> (N, H); None = all users in order."""
        part = self.first.bias.expand(self.n_users if users is None else len(users), -1)
        if "user_id" in self.columns:
            part = part + self._project("user_id", self.id_rows("user", users))
        if "demographics" in self.columns:
            part = part + self._project("demographics", rows_of(self.demographics, users))
        return part

    def item_part(self, items: torch.Tensor | None) -> torch.Tensor:
        """Sum of all item inputs through W1: (N,) -> (N, H); None = all items in order."""
        part = self.first.bias.new_zeros(
            self.n_items if items is None else len(items), self.first.out_features
        )
        if "item_id" in self.columns:
            part = part + self._project("item_id", self.id_rows("item", items))
        for name, table in self.modalities.items():
            part = table.filled(part + self._project(name, table.rows(items)), items)
        return part

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        hidden = gathered(self.user_part, users, self.n_users) + gathered(
            self.item_part, items, self.n_items
        )
        return self.rest(hidden).squeeze(-1)  # (B, H) -> (B,)

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        if "user_id" not in self.columns:
            return None
        return embedding_penalty(
            self.regularisation, self.user_embedding, self.item_embedding, users, items
        )

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return score_all_pairs(self.rest, self.user_part(users), self.item_part(None))
