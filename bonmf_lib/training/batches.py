"""Training ratings on the device, cut into batches; and items that were not rated, drawn beside
them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..datasets import Dataset
from ..errors import TrainingError
from ..models import Batch, Recommender


@dataclass(frozen=True)
class Triples:
    """Users, items (int64) and ratings (float32), each (N,), on one device."""

    users: torch.Tensor
    items: torch.Tensor
    ratings: torch.Tensor

    def __len__(self) -> int:
        return len(self.ratings)

    @classmethod
    def of(cls, dataset: Dataset, rows: np.ndarray, device: torch.device) -> "Triples":
        """The chosen rows of a data set's ratings."""
        table = dataset.ratings
        parts = [table["user"].to_numpy()[rows], table["item"].to_numpy()[rows]]
        parts.append(table["rating"].to_numpy()[rows])
        return cls(*(torch.from_numpy(part).to(device) for part in parts))


class NegativeSampler:
    """Items that a user has not rated in training, uniformly (rejection until none is left that was
    rated); or, ``over`` all, any items."""

    def __init__(
        self,
        model: Recommender,
        train: Triples,
        per_positive: int,
        over: Literal["unrated", "all"] = "unrated",
    ):
        self.n_items, self.per_positive, self.over = model.n_items, per_positive, over
        self.rated = torch.sort(
            train.users * model.n_items + train.items
        ).values  # one key per training rating
        full = torch.bincount(train.users, minlength=model.n_users) >= model.n_items
        if over == "unrated" and full.any():
            raise TrainingError(
                f"User {int(full.nonzero()[0])} rated every item in training: no negative to draw."
            )

    def draw(self, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Users (B,) -> users and items, both (B * per_positive,)."""
        users = users.repeat_interleave(self.per_positive)
        # drawn on the CPU: the same on every device
        items = torch.randint(self.n_items, users.shape).to(users.device)
        while self.over == "unrated":
            again = self._is_rated(users, items).nonzero().squeeze(1)
            if not len(again):
                return users, items
            items[again] = torch.randint(self.n_items, again.shape).to(users.device)
        return users, items

    def _is_rated(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        keys = users * self.n_items + items
        place = torch.searchsorted(self.rated, keys).clamp(max=len(self.rated) - 1)
        return self.rated[place] == keys


def batches(train: Triples, size: int, negatives: NegativeSampler | None) -> Iterator[Batch]:
    """All training ratings once, in random order, a slice of a permutation at a time, each with its
    negatives."""
    # drawn on the CPU: the same on every device
    order = torch.randperm(len(train)).to(train.ratings.device)
    for start in range(0, len(train), size):
        rows = order[start : start + size]
        users = train.users[rows]
        drawn = None if negatives is None else negatives.draw(users)
        yield Batch(users, train.items[rows], train.ratings[rows], drawn)
