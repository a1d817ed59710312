"""What rankers share: the losses they are trained by, and scores made from whole histories."""

from typing import Literal

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional as F

from ...errors import ModelError
from ..base import Batch, ClosedFormModel, ModelInputs, Recommender, cross_entropy

# of the rows of a batch's users, rated and drawn items, see :func:`triple_penalty`
Penalised = Literal["squared norms", "norms"]
_USERS_AT_ONCE = 256


class PointwiseRanker(Recommender):
    """Maps user and item ids (B,), (B,) to logits (B,) of a pair being rated."""

    trained_by = ("bce",)

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} defines no forward pass.")

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self(users, items)

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        """Regularisation of one batch, added to its mean loss; None = the model has none."""
        return None

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Binary cross-entropy, rated pairs 1 and drawn ones 0."""
        return cross_entropy(self, batch), self.penalty(batch)


class PairwiseRanker(Recommender):
    """Scores (B,) of which only the order within a user counts."""

    trained_by = ("bpr",)

    def penalty(self, batch: Batch) -> torch.Tensor | None:
        """Regularisation of one batch, added to its mean loss; None = the model has none."""
        return None

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Bayesian personalised ranking of rated items above drawn ones."""
        positive, negative = self.score(batch.users, batch.items), self.score(*batch.negatives)
        return bpr(positive, negative), self.penalty(batch)


def bpr(positive: torch.Tensor, negative: torch.Tensor) -> torch.Tensor:
    """Mean of -ln sigma(s_ui - s_uj) over rated items i and their n drawn items j (Rendle et al.,
    2009): scores (B,), (B * n,), the n of a row next to each other -> scalar."""
    return F.softplus(negative.view(len(positive), -1) - positive.unsqueeze(1)).mean()


def bpr_of_rows(users: torch.Tensor, rated: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """:func:`bpr` of dot products of a batch's users (B, D) with rated items (B, D) and drawn ones
    (B * n, D)."""
    beside = drawn.view(len(users), -1, users.shape[1])  # (B, n, D)
    return bpr((users * rated).sum(1), (users.unsqueeze(1) * beside).sum(2))


def triple_penalty(
    users: torch.Tensor, rated: torch.Tensor, drawn: torch.Tensor, penalised: Penalised
) -> torch.Tensor:
    """N of a batch's users (B, D), rated items (B, D) and drawn ones (B * n, D); a rated pair
    stands in as many of the T = B * n triples as it has drawn items.

    squared norms  1/2 mean (|p_u|^2 + |q_i|^2 + |q_j|^2)   of the triples
    norms          (|P|_F + |Q_i|_F + |Q_j|_F) / T          P, Q_i, Q_j hold their T rows
    """
    triples = len(drawn)
    repeated = triples // len(users)
    squares = (
        repeated * users.square().sum(), repeated * rated.square().sum(), drawn.square().sum()
    )  # fmt: skip
    if penalised == "norms":
        return sum(part.sqrt() for part in squares) / triples
    return 0.5 * sum(squares) / triples


def rated_pairs(users: torch.Tensor, items: torch.Tensor, shape: tuple[int, int]) -> csr_matrix:
    """X: 1 where a user rated an item, however often, float64 (n_users, n_items)."""
    rows, columns = users.cpu().numpy(), items.cpu().numpy()
    matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    matrix.data[:] = 1  # repeated pairs were summed
    return matrix


class HistoryRanker(ClosedFormModel):
    """Scores a user's items from the row x_u of the training ratings, 1 where the user rated an
    item."""

    def __init__(self, inputs: ModelInputs):
        super().__init__(inputs)
        if inputs.interactions is None:
            raise ModelError(
                f"{type(self).__name__} reads the training ratings; pass them as interactions."
            )
        order = np.argsort(inputs.interactions.users, kind="stable")
        counts = np.bincount(inputs.interactions.users, minlength=inputs.n_users)
        for name, values in (
            ("rated", inputs.interactions.items[order]),  # (N,), one user's after the other's
            ("counts", counts),  # (U,)
            ("firsts", np.cumsum(counts) - counts),  # (U,), where each user's begin
        ):
            self.register_buffer(name, torch.from_numpy(values), persistent=False)

    def histories(self, users: torch.Tensor) -> torch.Tensor:
        """x_u of each user, float32 (B,) -> (B, n_items)."""
        counts = self.counts[users]
        rows = torch.repeat_interleave(torch.arange(len(users), device=users.device), counts)
        before = counts.cumsum(0) - counts  # ratings of the users above
        places = torch.arange(len(rows), device=users.device)
        places += (self.firsts[users] - before)[rows]
        x = torch.zeros(len(users), self.n_items, device=users.device)
        x[rows, self.rated[places]] = 1
        return x

    def from_histories(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of all items, (B, n_items) -> (B, n_items)."""
        raise TypeError(f"{type(self).__name__} defines no scores.")

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return self.from_histories(self.histories(users))

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Every user's items are scored at once, so many pairs of few users cost little."""
        asked, place = users.unique(return_inverse=True)
        scores = torch.empty(len(users), device=users.device)
        for start in range(0, len(asked), _USERS_AT_ONCE):
            block = self.score_all_items(asked[start : start + _USERS_AT_ONCE])
            own = ((place >= start) & (place < start + len(block))).nonzero().squeeze(1)
            scores[own] = block[place[own] - start, items[own]]
        return scores
