"""BM3 (Zhou et al., 2023): rated pairs and features near dropped out vectors, no negatives.

    h = mean of layers 0 to L on the graph of training pairs, for items + E_I     (equations 2 to 4)
    h_m = W_m f_m + b_m                                    of the item's text and picture (1)
    t(h) = h with a share p of entries set to 0, the others times 1 / (1 - p), no gradient    (5)
    minimise the mean over rated pairs of
      - cos(P(h_u), t(h_i)) - cos(P(h_i), t(h_u))          reconstruction (7, 9)
      - cos(P(h_m), t(h_i))                                alignment, for every modality m (10)
      - cos(P(h_m), t(h_m))                                masking, for every modality m (11)
      + lambda (|h_u|^2 + |h_i|^2)                         (12)
    s_ui = P(h_u) . P(h_i)                                 without dropout (13)

P is one linear layer for all. The authors' code differs: (10) and (11) weigh 2, features are
trained, and the penalty is lambda (|H_U|_F + |H_I|_F) / |I| over all users and items, far weaker.
Cosines hold vectors at no length, so a strong penalty shrinks them until P's bias is what is left.
Equation 5 read literally keeps a share p; their code drops it. One mask per node and step serves
all terms, and pairs of a batch that share the node. What stands for missing features: METHODS.md.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from ...config import config
from ...encoders.features import MODALITIES, Modalities
from ...encoders.preparation import Preparation
from ...errors import ModelError
from ..base import Batch, ModelInputs, register
from ..layers import ProjectedFeatures, rows_of, wanted_features
from .graph import (
    EmbeddingRanker,
    mean_of_layers,
    normalised_edges,
    rated_edges,
    rows_of_mean,
)

_SHORTEST = 1e-12  # vectors have at least this length in cosines, as in F.normalize


@config
class BM3Config:
    """Defaults are the equations' and, where they leave a number open, the published choice on
    Amazon Baby."""

    factors: int = Field(64, ge=1)
    layers: int = Field(1, ge=0)  # L
    dropout: float = Field(0.5, ge=0, lt=1)  # p
    regularisation: float = Field(0.1, ge=0)  # lambda
    # of a batch's users and items, or of all (the authors' code)
    penalised: Literal["squared norms", "norms of all"] = "squared norms"
    modalities: Modalities = MODALITIES
    text_preparation: Preparation = "native"
    image_preparation: Preparation = "native"
    aligned: Modalities = MODALITIES  # those of them that term 10 has
    masked: Modalities = MODALITIES  # and term 11
    auxiliary_weight: float = Field(1.0, gt=0)  # of terms 10 and 11; 2 in the authors' code
    features: Literal["frozen", "trained"] = "frozen"  # trained in the authors' code


@register("bm3", BM3Config)
class BM3(EmbeddingRanker):
    """Without modalities the reconstruction is left."""

    trained_by = ("bootstrap",)

    def __init__(self, config: BM3Config, inputs: ModelInputs):
        """
        Raises:
            ModelError: a modality is read, but in no term; features or interactions are missing.
        """
        super().__init__(inputs)
        self.layers, self.dropout = config.layers, config.dropout
        self.regularisation, self.penalised = config.regularisation, config.penalised
        self.aligned, self.masked = config.aligned, config.masked
        self.auxiliary_weight = config.auxiliary_weight
        self.user_factors = nn.Embedding(inputs.n_users, config.factors)
        self.item_factors = nn.Embedding(inputs.n_items, config.factors)
        self.predictor = nn.Linear(config.factors, config.factors)
        self.modalities = nn.ModuleDict()
        for name, features, preparation in wanted_features(config, inputs, "BM3"):
            if name not in (*config.aligned, *config.masked):
                raise ModelError(f"BM3 reads the {name}, but neither aligns nor masks it.")
            trained = config.features == "trained"
            self.modalities[name] = ProjectedFeatures(
                features, config.factors, preparation, trained, bias=True
            )
        for table in (self.user_factors, self.item_factors):
            nn.init.xavier_uniform_(table.weight)
        projections = (table.linear for table in self.modalities.values())
        for linear in (self.predictor, *projections):
            nn.init.xavier_normal_(linear.weight)
        self.graph = normalised_edges(*rated_edges(inputs), (inputs.n_users, inputs.n_items))

    def propagated(self) -> tuple[torch.Tensor, torch.Tensor]:
        """h_u and h_i of all users (U, D) and items (I, D)."""
        tables = self.user_factors.weight, self.item_factors.weight
        users, items = mean_of_layers(self.graph, *tables, self.layers)
        return users, items + self.item_factors.weight

    def embed(self) -> tuple[torch.Tensor, torch.Tensor]:
        """P(h_u) and P(h_i)."""
        users, items = self.propagated()
        return self.predictor(users), self.predictor(items)

    def kept(self, node: str, ids: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """1 where a target's entry is kept and 0 where it is dropped, (N, D), drawn anew for each
        step; ``node`` is user, item, text or image."""
        return torch.rand(shape, device=ids.device) >= self.dropout

    def target(self, node: str, ids: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        """t of the vectors of different users or items, (N,), (N, D) -> (N, D)."""
        fixed = vectors.detach()
        if not self.dropout:
            return fixed
        return fixed * self.kept(node, ids, fixed.shape) / (1 - self.dropout)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The sum of the terms' means, the penalty aside: from -2 on, with every term of a modality
        1 less."""
        # each node of the batch once, and where its pairs are
        (users, user_of), (items, item_of) = (
            ids.unique(return_inverse=True) for ids in (batch.users, batch.items)
        )
        tables = self.user_factors.weight, self.item_factors.weight
        if self.penalised == "norms of all":
            every = self.propagated()
            h_users, h_items = map(rows_of, every, (users, items))
            size = sum(vectors.norm() for vectors in every) / self.n_items
        else:
            h_users, means, _, own = rows_of_mean(self.graph, tables, self.layers, (users, items))
            h_items = means + own
            squares = (vectors.square().sum(1) for vectors in (h_users, h_items))
            size = sum(
                torch.bincount(of).to(part.dtype) @ part
                for of, part in zip((user_of, item_of), squares, strict=True)
            ) / len(batch)
        made = {"user": h_users, "item": h_items}
        made |= {name: table(items) for name, table in self.modalities.items()}
        to = {
            node: F.normalize(self.target(node, users if node == "user" else items, vectors))
            for node, vectors in made.items()
        }
        near = self._nearness(made, to, user_of, item_of) / len(batch)
        return -near, self.regularisation * size if self.regularisation else None

    def _nearness(
        self,
        made: dict[str, torch.Tensor],
        to: dict[str, torch.Tensor],
        user_of: torch.Tensor,
        item_of: torch.Tensor,
    ) -> torch.Tensor:
        """Sum of all cosines over a batch's pairs: vectors and targets of length 1 by node, (N, D)
        each, and the places of the pairs' users and items, (B,)."""
        # what each prediction is multiplied with, summed over the pairs of its node: no pair is
        # looked up with a gradient
        wanted = {
            "user": torch.zeros_like(to["user"]).index_add_(0, user_of, to["item"][item_of]),
            "item": torch.zeros_like(to["item"]).index_add_(0, item_of, to["user"][user_of]),
        }
        weights = self.auxiliary_weight * torch.bincount(item_of).unsqueeze(1)
        for name in self.modalities:
            aims = (to["item"], name in self.aligned), (to[name], name in self.masked)
            wanted[name] = weights * sum(target for target, used in aims if used)
        predicted = self.predictor(torch.cat(list(made.values())))
        products = torch.linalg.vecdot(predicted, torch.cat([wanted[node] for node in made]))
        return (products / predicted.norm(dim=1).clamp(min=_SHORTEST)).sum()
