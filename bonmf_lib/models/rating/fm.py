"""Factorisation machine (Rendle, 2010, "Factorization Machines", ICDM) over ids and categorical
fields.

    r = mean + w0 + sum_j w_j x_j + sum_{j<k} <v_j, v_k> x_j x_k                        eq. 1
    sum_{j<k} <v_j, v_k> x_j x_k = 1/2 (||sum_j v_j x_j||^2 - sum_j ||v_j||^2 x_j^2)    lemma 3.1

x is the one-hot user id, the one-hot item id and all their fields side by side (a film's genres
share a weight of 1); the paper's w0 is split into the fixed training mean and a learned rest. With
s_u, s_i the sums of v_j x_j over the user's and the item's columns, and c_u, c_i the linear and
second-order terms inside one side,

    r = mean + w0 + c_u + c_i + <s_u, s_i>,
    c = sum_j w_j x_j + 1/2 (||s||^2 - sum_j ||v_j||^2 x_j^2).

The paper's L2 term is here

    lambda * mean over the batch of (||v_u||^2 + w_u^2 + ||v_i||^2 + w_i^2):

the id factors and id weights of each row; w0 and the fields' few parameters are left free.
"""

from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import nn

from ...config import config
from ..base import ModelInputs, RatingModel, register
from ..layers import gathered, rows_of


@config
class FMConfig:
    """The paper leaves all of these to the data; comments say whose the defaults are."""

    factors: int = Field(50, gt=0)  # k; ours, the embedding size of BoNMF
    use_fields: bool = (
        True  # the paper's x holds any side information; off, this is biased matrix factorisation
    )
    # lambda of the batch mean; ours, by validation error on ML-100K
    regularisation: float = Field(0.05, ge=0)
    embedding_std: float = Field(0.05, gt=0)  # of the initial factors; ours, as in BoNMF


class Side(nn.Module):
    """The columns of x that belong to the user, or to the item: its id and its fields (none: the id
    alone).

    Every column has a weight, starting at 0, and an embedding, drawn from N(0, std^2).
    """

    def __init__(
        self, size: int, fields: Mapping[str, np.ndarray], id_dim: int, field_dim: int, std: float
    ):
        super().__init__()
        self.id_weights = nn.Parameter(torch.zeros(size, 1))
        self.id_factors = nn.Parameter(torch.randn(size, id_dim) * std)  # (N, D)
        self.widths = [rows.shape[1] for rows in fields.values()]
        self.levels = sum(self.widths)  # L
        self.dim = id_dim + field_dim * len(fields)  # of all embeddings side by side
        if fields:
            rows = np.concatenate(list(fields.values()), axis=1)
            self.register_buffer("x", torch.from_numpy(rows), persistent=False)  # (N, L)
            self.weights = nn.Parameter(torch.zeros(self.levels, 1))
            self.factors = nn.Parameter(torch.randn(self.levels, field_dim) * std)  # (L, E)

    def fields(self, ids: torch.Tensor | None) -> torch.Tensor:
        """x without the id: (B,) -> (B, L); here and below, None = all ids in order."""
        return rows_of(self.x, ids)

    def linear(self, ids: torch.Tensor | None) -> torch.Tensor:
        """sum_j w_j x_j: (B,) -> (B, 1)."""
        total = rows_of(self.id_weights, ids)
        return total + self.fields(ids) @ self.weights if self.levels else total

    def projected(self, ids: torch.Tensor | None, weight: torch.Tensor) -> torch.Tensor:
        """W [e_id ; e_1 ; ...], with e_f the sum of v_j x_j over the levels j of field f: (B,), (H,
        dim) -> (B, H).

        W acts on the few levels' embeddings first, which is far less work than on every row's.
        """
        id_dim = self.id_factors.shape[1]
        total = rows_of(self.id_factors, ids) @ weight[:, :id_dim].T
        if not self.levels:
            return total
        blocks = zip(
            self.factors.split(self.widths),
            weight[:, id_dim:].split(self.factors.shape[1], 1),
            strict=True,
        )
        levels = torch.cat([factors @ block.T for factors, block in blocks])  # (L, H)
        return total + self.fields(ids) @ levels

    def machine(self, ids: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """s and c of the factorisation machine: (B,) -> (B, D), (B, 1); needs D = E."""
        own, linear = rows_of(self.id_factors, ids), self.linear(ids)
        if not self.levels:
            return own, linear  # one column has no pair
        x = self.fields(ids)  # (B, L)
        fields = x @ self.factors  # (B, D)
        # lemma 3.1 with ||own||^2 cancelled by hand: the id meets the fields, the fields meet each
        # other
        pairs = (fields * (own + 0.5 * fields)).sum(1, keepdim=True)
        same = x.square() @ self.factors.square().sum(1, keepdim=True)
        return own + fields, linear + pairs - 0.5 * same

    def squares(self, ids: torch.Tensor | None) -> torch.Tensor:
        """Squared id weight and id factors, summed: (B,) -> (B, 1)."""
        return rows_of(self.id_weights, ids).square() + rows_of(self.id_factors, ids).square().sum(
            1, keepdim=True
        )


class FieldModel(RatingModel):
    """r = mean + <a_u, a_i>, where a_u and a_i gather all that is known of one side.

    A table of all a_u (or a_i) is computed and gathered when a batch has at least as many rows as
    there are ids; below that the rows' own a are cheaper. Both give the same numbers up to
    rounding.
    """

    def __init__(self, config, inputs: ModelInputs, id_dim: int, field_dim: int):
        super().__init__(inputs)
        self.regularisation = config.regularisation
        user_fields, item_fields = (
            (inputs.user_fields, inputs.item_fields) if config.use_fields else ({}, {})
        )
        self.user = Side(inputs.n_users, user_fields, id_dim, field_dim, config.embedding_std)
        self.item = Side(inputs.n_items, item_fields, id_dim, field_dim, config.embedding_std)
        self.register_buffer("mean", torch.tensor(float(inputs.mean_rating)))

    def user_row(self, users: torch.Tensor | None) -> torch.Tensor:
        """a_u: (B,) -> (B, A); None = all users in order."""
        raise TypeError(f"{type(self).__name__} defines no user row.")

    def item_row(self, items: torch.Tensor | None) -> torch.Tensor:
        """a_i: (B,) -> (B, A); None = all items in order."""
        raise TypeError(f"{type(self).__name__} defines no item row.")

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        user, item = (
            gathered(self.user_row, users, self.n_users),
            gathered(self.item_row, items, self.n_items),
        )
        return self.mean + (user * item).sum(1)  # (B, A) -> (B,)

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        if not self.regularisation:
            return None
        user = gathered(self.user.squares, users, self.n_users)
        return (
            self.regularisation * (user + gathered(self.item.squares, items, self.n_items)).mean()
        )

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return self.mean + self.user_row(users) @ self.item_row(None).T  # (B, A) (A, I)


def user_vector(vector: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
    """a_u = [s_u ; c_u ; 1]: (B, D), (B, 1) -> (B, D + 2)."""
    return torch.cat([vector, constant, torch.ones_like(constant)], dim=1)


def item_vector(vector: torch.Tensor, constant: torch.Tensor) -> torch.Tensor:
    """a_i = [s_i ; 1 ; c_i], so that <a_u, a_i> = <s_u, s_i> + c_u + c_i: (B, D), (B, 1) -> (B, D +
    2)."""
    return torch.cat([vector, torch.ones_like(constant), constant], dim=1)


@register("fm", FMConfig)
class FM(FieldModel):
    """Second-order factorisation machine in linear time."""

    def __init__(self, config: FMConfig, inputs: ModelInputs):
        super().__init__(config, inputs, config.factors, config.factors)
        self.bias = nn.Parameter(torch.zeros(()))  # w0

    def user_row(self, users: torch.Tensor | None) -> torch.Tensor:
        vector, constant = self.user.machine(users)
        return user_vector(vector, constant + self.bias)

    def item_row(self, items: torch.Tensor | None) -> torch.Tensor:
        return item_vector(*self.item.machine(items))
