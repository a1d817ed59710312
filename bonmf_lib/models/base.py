"""What every rating model offers, what it may see, and the registry of all models."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ..encoders import Features
from ..errors import ConfigError, ModelError, unknown_name


@dataclass(frozen=True, eq=False)
class Interactions:
    """Training ratings, for models that read whole histories: users, items (int64), ratings (float32), each (N,)."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """All that a model may look at besides the ids it is asked about; no validation or test rating is in here.

    Attributes:
        mean_rating: mean of the training ratings, where predictions start; with implicit feedback a logit.
        text, image: features of all items, or None when the run has none.
        user_fields, item_fields: categorical side information by field name, float32 (n_users or n_items, levels);
            rows sum to 1, or to 0 where unknown.
        interactions: the training ratings.
        item_overlap: how much each item's text predicts its picture, (n_items,), NaN where it lacks one.
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


class RatingModel(nn.Module):
    """Maps user and item ids (B,), (B,) to predicted ratings (B,)."""

    def __init__(self, inputs: ModelInputs):
        super().__init__()
        self.n_users = inputs.n_users
        self.n_items = inputs.n_items

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} defines no forward pass.")

    def penalty(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor | None:
        """Regularisation of one batch, (B,), (B,) -> scalar, added to its mean loss; None = the model has none."""
        return None

    def with_penalty(self, users: torch.Tensor, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Predictions (B,) and the penalty of one batch; a model whose two share work does that once."""
        return self(users, items), self.penalty(users, items)

    def check_ids(self, users: torch.Tensor, items: torch.Tensor) -> None:
        """Raise ``ModelError`` when an id is not one the model was built for."""
        for kind, ids, limit in (("user", users, self.n_users), ("item", items, self.n_items)):
            if ids.numel() and (int(ids.min()) < 0 or int(ids.max()) >= limit):
                bad = ids[(ids < 0) | (ids >= limit)][0]
                raise ModelError(f"Unknown {kind} id {int(bad)}: the model knows 0 to {limit - 1}.")

    @torch.no_grad()
    def score_all_items(self, users: torch.Tensor) -> torch.Tensor:
        """Predicted ratings of every item for each user: (B,) -> (B, n_items)."""
        items = torch.arange(self.n_items, device=users.device)
        return torch.stack([self(user.expand(self.n_items), items) for user in users])


class ClosedFormModel(RatingModel):
    """A model solved directly from the training ratings instead of by gradient descent."""

    def solve(self, users: torch.Tensor, items: torch.Tensor, ratings: torch.Tensor) -> None:
        """Set the buffers from training triples, each (N,)."""
        raise TypeError(f"{type(self).__name__} defines no solution.")


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: its class and the class of its configuration."""

    model: type[RatingModel]
    config: type[Any]


_MODELS: dict[str, ModelEntry] = {}


def register(name: str, config: type[Any]) -> Callable[[type[RatingModel]], type[RatingModel]]:
    """Class decorator: make a model known under ``name``."""

    def add(model: type[RatingModel]) -> type[RatingModel]:
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


def build_model(name: str, config: Any, inputs: ModelInputs, seed: int) -> RatingModel:
    """Build a registered model with initial weights drawn from ``seed``; the global generator is left alone."""
    entry = get_model(name)
    if not isinstance(config, entry.config):
        raise ConfigError(f"{name} takes a {entry.config.__name__}, got a {type(config).__name__}.")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        return entry.model(config, inputs)
