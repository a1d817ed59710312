"""What every model offers, what it may see, what it is trained by,
and the registry of all models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..encoders import Features
from ..errors import ConfigError, ModelError, unknown_name


@dataclass(frozen=True, eq=False)
class Interactions:
    """Training ratings, for models that read whole histories: users, items (int64), ratings
    (float32), each (N,)."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """All that a model may look at besides the ids it is asked about; no validation or test rating
    is in here.

    Attributes:
        mean_rating: mean of the training ratings, where predictions start; with implicit feedback a
        logit.
        text, image: features of all items, or None when the run has none.
        user_fields, item_fields: categorical side information by field name, float32 (n_users or
            n_items, levels); rows sum to 1, or to 0 where unknown.
        interactions: the training ratings.
        item_overlap: how much each item's text predicts its picture, (n_items,), NaN where it lacks
        one.
    """

    n_users: int
    n_items: int
    mean_rating: float
    text: Features | None = None
    image: Features | None = None
    user_fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    item_fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    interactions: Interactions | None = None
    item_overlap: np.ndarray | None = None

    @property
    def demographics(self) -> np.ndarray | None:
        """All user fields side by side, (n_users, levels), or None."""
        return np.concatenate(list(self.user_fields.values()), axis=1) if self.user_fields else None


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step trains on, on one device.

    Attributes:
        users, items: int64 (B,), rated pairs. ratings: float32 (B,).
        negatives: users and items that are no rated pairs, each int64 (B * n,), the n of a row next
            to each other, or as many as come up where batches are of examples; None where the
            training draws none.
    """

    users: torch.Tensor
    items: torch.Tensor
    ratings: torch.Tensor
    negatives: tuple[torch.Tensor, torch.Tensor] | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def examples(self) -> int:
        """Rated pairs and negatives."""
        return len(self) + (0 if self.negatives is None else len(self.negatives[0]))


class Recommender(nn.Module):
    """Scores pairs of users and items, and knows what it is trained by.

    Attributes:
        trained_by: names of the losses that it owns, of those that a training may ask for.
    """

    trained_by: ClassVar[tuple[str, ...]] = ()

    def __init__(self, inputs: ModelInputs):
        super().__init__()
        self.n_users = inputs.n_users
        self.n_items = inputs.n_items

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Users (B,), items (B,) -> scores (B,): ratings, or what items are ranked by."""
        raise TypeError(f"{type(self).__name__} defines no score.")

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        """Scores of every item for each user: (B,) -> (B, n_items)."""
        items = torch.arange(self.n_items, device=users.device)
        return torch.stack([self.score(user.expand(self.n_items), items) for user in users])

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The mean loss of a batch, which histories report, and what is added to it in training
        (None = nothing)."""
        raise TypeError(f"{type(self).__name__} defines no loss.")

    def start_from(self, models: Sequence["Recommender"]) -> None:
        """Take initial weights from trained models.

        Raises:
            ModelError: it starts from no others, or not from these.
        """
        raise ModelError(f"{type(self).__name__} starts from no other models.")

    def start_epoch(self, epoch: int) -> None:
        """Called before the first batch of every epoch (from 0), where random numbers come from
        (seed, epoch): a graph can be rebuilt or thinned here."""

    def after_step(self) -> None:
        """Called after every step of the optimiser: moving averages of weights can follow here."""

    def check_ids(self, users: torch.Tensor, items: torch.Tensor) -> None:
        """Raise ``ModelError`` when an id is not one the model was built for."""
        for kind, ids, limit in (("user", users, self.n_users), ("item", items, self.n_items)):
            if ids.numel() and (int(ids.min()) < 0 or int(ids.max()) >= limit):
                bad = ids[(ids < 0) | (ids >= limit)][0]
                raise ModelError(f"Unknown {kind} id {int(bad)}: the model knows 0 to {limit - 1}.")


class RatingModel(Recommender):
    """Maps user and item ids (B,), (B,) to predicted ratings (B,); where negatives are drawn, to
    logits of a pair being rated."""

    trained_by = ("mse", "bce")

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} defines no forward pass.")

    def score(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return self(users, items)

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        """Regularisation of one batch, (B,), (B,) -> scalar, added to its mean loss; None = the
        model has none."""
        return None

    def with_penalty(
        self, users: torch.Tensor, items: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Predictions (B,) and the penalty of one batch; a model whose two share work does that
        once."""
        return self(users, items), self.penalty(users, items)

    def loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Mean squared error of the ratings; with negatives the binary cross-entropy of outputs as
        logits, rated pairs 1 and drawn ones 0. The penalty is that of the rated pairs."""
        if batch.negatives is None:
            predicted, penalty = self.with_penalty(batch.users, batch.items)
            return F.mse_loss(predicted, batch.ratings), penalty
        return cross_entropy(self, batch), self.penalty(batch.users, batch.items)


def cross_entropy(
    logit: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], batch: Batch
) -> torch.Tensor:
    """Mean binary cross-entropy of a batch, rated pairs 1 and drawn ones 0; ``logit`` maps users
    and items, (N,) each, to (N,)."""
    pairs = zip((batch.users, batch.items), batch.negatives, strict=True)
    logits = logit(*(torch.cat(pair) for pair in pairs))
    target = torch.zeros_like(logits)
    target[: len(batch)] = 1
    return F.binary_cross_entropy_with_logits(logits, target)


class ClosedFormModel(Recommender):
    """A model solved directly from the training ratings instead of by gradient descent: it owns no
    loss, and nothing of a training's settings changes it."""

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        """Set the buffers from training triples, each (N,)."""
        raise TypeError(f"{type(self).__name__} defines no solution.")


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: its class and the class of its configuration."""

    model: type[Recommender]
    config: type[Any]


_MODELS: dict[str, ModelEntry] = {}


def register(name: str, config: type[Any]) -> Callable[[type[Recommender]], type[Recommender]]:
    """Class decorator: make a model known under ``name``."""

    def add(model: type[Recommender]) -> type[Recommender]:
        if name in _MODELS:
            raise ConfigError(f"Two models are called {name!r}.")
        _MODELS[name] = ModelEntry(model, config)
        return model

    return add


def list_models() -> list[str]:
    """Names of all registered models."""
    return sorted(_MODELS)


def get_model(name: str) -> ModelEntry:
    """The entry of that name; ``ConfigError`` when there is none."""
    if name not in _MODELS:
        raise ConfigError(unknown_name("model", name, _MODELS))
    return _MODELS[name]


def build_model(name: str, config: Any, inputs: ModelInputs, seed: int) -> Recommender:
    """Build a registered model with initial weights drawn from ``seed``; the global generator is
    left alone."""
    entry = get_model(name)
    if not isinstance(config, entry.config):
        raise ConfigError(f"{name} takes a {entry.config.__name__}, got a {type(config).__name__}.")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return entry.model(config, inputs)
