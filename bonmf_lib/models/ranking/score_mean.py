"""The mean of trained rankers' scores: an ensemble, for comparison with a model that joins the same
content in one network.

    s_ui = mean over rankers m of s_ui^(m) / std(s^(m))      std: of all users' scores of all items

So no ranker decides by its scale. Rankers score by dot products, so the mean is one too, of their
vectors side by side. The variance follows from the vectors' second moments, no pair is scored:
mean(s^2) = sum over a, b of mean(x_a x_b) mean(y_a y_b), x of users and y of items.
"""

from collections.abc import Sequence

import torch
from pydantic import Field

from ...config import config
from ...errors import ModelError
from ..base import ClosedFormModel, ModelInputs, Recommender, register
from .graph import EmbeddingRanker, dots


@config
class ScoreMeanConfig:
    factors: int = Field(128, ge=2)  # of all rankers' vectors together


@register("score-mean", ScoreMeanConfig)
class ScoreMean(ClosedFormModel):
    """Starts from trained rankers (:meth:`start_from`), and has nothing to train."""

    def __init__(self, config: ScoreMeanConfig, inputs: ModelInputs):
        super().__init__(inputs)
        self.register_buffer("of_users", torch.zeros(inputs.n_users, config.factors))
        self.register_buffer("of_items", torch.zeros(inputs.n_items, config.factors))

    @torch.no_grad()
    def start_from(self, models: Sequence[Recommender]) -> None:
        """The vectors of at least two rankers that score by dot products."""
        if len(models) < 2 or not all(isinstance(model, EmbeddingRanker) for model in models):
            given = ", ".join(type(model).__name__ for model in models)
            raise ModelError(
                f"A mean of scores is of rankers that score by dot products, got {given}."
            )
        parts = [_standardised(*model.eval().embedded()) for model in models]
        of_users, of_items = (torch.cat(side, 1) for side in zip(*parts, strict=True))
        if of_users.shape != self.of_users.shape or of_items.shape != self.of_items.shape:
            raise ModelError(
                f"A mean of scores is built for vectors of {self.of_users.shape[1]} numbers "
                f"together, got {of_users.shape[1]}."
            )
        self.of_users.copy_(of_users / len(models))
        self.of_items.copy_(of_items)

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        """Nothing is left to solve."""
        if not self.of_users.any():
            raise ModelError("A mean of scores starts from trained rankers.")

    @torch.no_grad()
    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return dots(self.of_users, self.of_items, users, items)

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        return self.of_users[users] @ self.of_items.T


def _standardised(
    of_users: torch.Tensor, of_items: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors (U, D) and (I, D) whose dot products have a standard deviation of 1 over all pairs;
    unchanged where all are the same."""
    users, items = of_users.double(), of_items.double()
    squares = ((users.T @ users / len(users)) * (items.T @ items / len(items))).sum()
    spread = (squares - (users.mean(0) @ items.mean(0)).square()).clamp(min=0).sqrt()
    return (of_users / spread if spread > 0 else of_users).to(of_users.dtype), of_items
