"""What every rating model offers, what it may see, and the registry of all models."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..datasets import Dataset
from ..encoders import Features
from ..errors import ConfigError, ModelError, unknown_name


@dataclass(frozen=True, eq=False)
class ModelInputs:
    """All that a model may look at besides the ids it is asked about; no test rating is in here.

    Attributes:
        mean_rating: mean of the training ratings.
        text, image: features of all items, or None when the run has none.
        demographics: one-hot gender, age group and occupation, float32 (n_users, fields), or None.
    """

    n_users: int
    n_items: int
    mean_rating: float
    text: Features | None = None
    image: Features | None = None
    demographics: np.ndarray | None = None


class RatingModel(nn.Module):
    """Maps user and item ids (B,), (B,) to predicted ratings (B,)."""

    def __init__(self, inputs: ModelInputs):
        super().__init__()
        self.n_users = inputs.n_users
        self.n_items = inputs.n_items

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} defines no forward pass.")

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


def one_hot_demographics(dataset: Dataset) -> np.ndarray | None:
    """Gender, age (in decades) and occupation as one-hot columns, (n_users, fields); None if nothing is known."""
    columns = []
    for name in ("gender", "age", "occupation"):
        values = dataset.users[name]
        if values.isna().all():
            continue
        if name == "age":
            values = (values.astype("Float64") // 10).clip(1, 6)
        levels = sorted(values.dropna().unique())
        columns += [(values == level).fillna(False).to_numpy(np.float32) for level in levels]
    return np.stack(columns, axis=1) if columns else None
