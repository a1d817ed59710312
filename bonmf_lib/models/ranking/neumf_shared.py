"""NeuMF as a published tutorial's listing builds it, with one table instead of four.

    logit_ui = h . [alpha t_u * t_i ; (1 - alpha) z_2([t_u ; t_i])] + b

The listing makes four tables and then looks all four inputs up in the first, that of GMF's users:
an item is read as if it were the user of the same number, the two parts share their vectors, and
the MLP's vectors have as few entries as GMF's. The three other tables are never used. Kept to
measure what the slip costs: with ``tables`` "four" the network is the one that the listing
declares, MLP vectors four times as long as GMF's. Two hidden layers, alpha before the output layer,
and initial weights (embeddings uniform in +-0.05, layers Glorot's) are the listing's and its
library's.

The listing's table has a row for every user, so it fails on data with more items than users; here
it has as many rows as there are users or items, whichever are more. Where users are more, as in
MovieLens-1M, that is the listing's.
"""

from typing import Literal

from pydantic import Field
from torch import nn

from ...config import config
from ..base import ModelInputs, register
from .mlp import Tower
from .neumf import FusedRanker


@config
class NeuMFSharedConfig:
    factors: int = Field(8, ge=1)
    alpha: float = Field(0.5, ge=0, le=1)  # weight of the product, and of the tower what is left
    tables: Literal["one", "four"] = "one"


@register("neumf-shared", NeuMFSharedConfig)
class NeuMFShared(FusedRanker):
    """A documented mistake, not a recommendation."""

    def __init__(self, config: NeuMFSharedConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.scales = config.alpha, 1 - config.alpha
        factors, n_users, n_items = config.factors, inputs.n_users, inputs.n_items
        if config.tables == "one":
            table = _table(max(n_users, n_items), factors)
            self.gmf_user = self.gmf_item = self.mlp_user = self.mlp_item = table
        else:
            self.gmf_user, self.gmf_item = _table(n_users, factors), _table(n_items, factors)
            self.mlp_user, self.mlp_item = (
                _table(n_users, 4 * factors), _table(n_items, 4 * factors),
            )  # fmt: skip
        self.tower = Tower([2 * self.mlp_user.embedding_dim, 2 * factors, factors])
        self.output = nn.Linear(2 * factors, 1)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)


def _table(rows: int, size: int) -> nn.Embedding:
    table = nn.Embedding(rows, size)
    nn.init.uniform_(table.weight, -0.05, 0.05)
    return table
