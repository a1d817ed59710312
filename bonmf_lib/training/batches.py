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
    """Items drawn beside rated ones, anew in every epoch, on the device of the ratings.

    Of ``unrated`` items each one that the user has not rated in training is as likely, exactly and
    without rejection: with r_0 < r_1 < ... the user's n_u rated items, r_j - j of the unrated ones
    stand before r_j; so the k-th unrated item (from 0) is k + c, where c counts the j with
    r_j - j <= k. Of ``trained`` items the same, items that nobody rated in training left out of
    account: drawn, they would only be pushed down. Of ``all`` items each one is as likely, rated or
    not (Rendle et al., 2020).
    """

    def __init__(
        self,
        model: Recommender,
        train: Triples,
        per_positive: int,
        over: Literal["unrated", "trained", "all"] = "unrated",
    ):
        """
        Args:
            per_positive: items drawn for each rating. over: what is drawn from.

        Raises:
            TrainingError: a user has no unrated item.
        """
        self.n_items, self.per_positive, self.over = model.n_items, per_positive, over
        self.trained = None
        if over == "all":
            return
        items = train.items
        if over == "trained":  # counted from 0 among themselves
            self.trained, items = torch.unique(items, return_inverse=True)
            self.n_items = len(self.trained)
        rated = torch.unique(train.users * self.n_items + items)  # sorted
        users = rated.div(self.n_items, rounding_mode="floor")
        counts = torch.bincount(users, minlength=model.n_users)
        self.unrated = self.n_items - counts
        if (self.unrated <= 0).any():
            user = int((self.unrated <= 0).nonzero()[0])
            kind = "item" if self.trained is None else "trained item"
            raise TrainingError(f"User {user} rated every {kind} in training: no negative to draw.")
        self.first = counts.cumsum(0) - counts  # where a user's rated items begin
        places = torch.arange(len(rated), device=rated.device) - self.first[users]
        self.before = rated - places  # user * n_items + r_j - j, still sorted

    def draw(self, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Users (B,) -> users and drawn items, both (B * per_positive,)."""
        shape, device = (len(users), self.per_positive), users.device
        if self.over == "all":
            items = torch.randint(self.n_items, shape, device=device)
        else:
            # neighbours in memory are searched one after another: three times as fast
            ordered, order = users.sort(stable=True)
            # 53 random bits: floors are uniform up to 1 in 10^12
            drawn = torch.rand(shape, dtype=torch.float64, device=device)
            among = (drawn * self.unrated[ordered].unsqueeze(1)).long()
            keys = among + (ordered * self.n_items).unsqueeze(1)
            passed = torch.searchsorted(self.before, keys, right=True)
            items = torch.empty_like(among)
            items[order] = among + passed - self.first[ordered].unsqueeze(1)
            items = items if self.trained is None else self.trained[items]
        return users.repeat_interleave(self.per_positive), items.flatten()


def batches(
    train: Triples,
    size: int,
    negatives: NegativeSampler | None,
    of: Literal["ratings", "examples"] = "ratings",
) -> Iterator[Batch]:
    """All training ratings once, in random order, a slice of a permutation at a time: ``size`` of
    them, each with its negatives; or so many examples, which are ratings and negatives alike.

    Raises:
        TrainingError: examples without negatives.
    """
    if of == "examples":
        if negatives is None:
            raise TrainingError("Batches of examples need negatives.")
        yield from _shuffled_examples(train, size, negatives)
        return
    # drawn on the CPU: the same on every device
    order = torch.randperm(len(train)).to(train.ratings.device)
    for start in range(0, len(train), size):
        rows = order[start : start + size]
        users = train.users[rows]
        drawn = None if negatives is None else negatives.draw(users)
        yield Batch(users, train.items[rows], train.ratings[rows], drawn)


def _shuffled_examples(train: Triples, size: int, negatives: NegativeSampler) -> Iterator[Batch]:
    drawn = negatives.draw(train.users)
    users, items = map(torch.cat, zip((train.users, train.items), drawn, strict=True))
    order = torch.randperm(len(users))  # on the CPU, where cutting it asks no other device
    for start in range(0, len(users), size):
        rows = order[start : start + size]
        rated = rows < len(train)
        own, other = (part.to(users.device) for part in (rows[rated], rows[~rated]))
        yield Batch(users[own], items[own], train.ratings[own], (users[other], items[other]))
