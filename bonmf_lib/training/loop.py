"""The one training loop: data on the device, batches are slices of a permutation, one host sync per epoch."""

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch.nn import functional as F

from ..config import config
from ..datasets import Dataset
from ..errors import ConfigError, DamagedError, TrainingError
from ..integrity import read_sealed_bytes, sealed_bytes
from ..models import ClosedFormModel, RatingModel
from ..progress import announce, progress
from ..splits.split import Split
from ..storage import write_bytes

_PREDICT_BATCH = 65_536


@config
class TrainingConfig:
    """How a model is trained; defaults are two readings of the paper: 10 epochs and MSE; Adam and batch 256."""

    epochs: int = Field(10, gt=0)  # at most this many passes over the training ratings
    batch_size: int = Field(256, gt=0)
    learning_rate: float = Field(1e-3, gt=0)  # Adam's usual default; the paper gives none
    weight_decay: float = Field(0.0, ge=0)  # L2 on all parameters, Adam's own
    patience: int | None = Field(
        None, gt=0
    )  # stop after this many epochs without a better validation MSE; None = never
    loss: Literal["mse", "bce"] = "mse"  # bce: every training rating is a positive, whatever its stars
    negatives: int = Field(0, ge=0)  # unrated items drawn per positive; bce only
    tf32: bool = False  # allow TF32 matrix products on an NVIDIA GPU

    def __post_init__(self) -> None:
        if (self.loss == "bce") != (self.negatives > 0):
            raise ConfigError("TrainingConfig.negatives must be positive with loss 'bce' and 0 with 'mse'.")
        if self.loss == "bce" and self.patience is not None:
            raise ConfigError("TrainingConfig.patience watches the validation MSE, which loss 'bce' does not have.")


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


@dataclass
class History:
    """One entry per epoch: mean training loss, validation MSE (NaN without validation), seconds."""

    train_loss: list[float] = field(default_factory=list)
    valid_mse: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """1-based epoch with the lowest validation MSE; the last epoch without validation."""
        if not self.valid_mse or all(math.isnan(value) for value in self.valid_mse):
            return len(self.train_loss)
        return int(np.nanargmin(self.valid_mse)) + 1


@torch.no_grad()
def predict(model: RatingModel, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Raw predictions (N,) in evaluation mode; ``ModelError`` on ids the model does not know."""
    model.check_ids(users, items)
    model.eval()
    parts = [
        model(users[start : start + _PREDICT_BATCH], items[start : start + _PREDICT_BATCH])
        for start in range(0, len(users), _PREDICT_BATCH)
    ]
    return torch.cat(parts)


def fit(
    model: RatingModel,
    dataset: Dataset,
    split: Split,
    settings: TrainingConfig,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    label: str = "training",
    stop: Callable[[History], bool] | None = None,
) -> History:
    """Train in place on ``split.train``; ``split.test`` is never looked at.

    ``stop`` is asked after each epoch and may end the training early. With ``patience`` the weights of the best
    validation epoch are restored at the end. With ``checkpoint`` the state is kept there after each epoch, and a
    later call with the same arguments goes on from it and ends with the same weights, bit for bit on one machine's
    CPU.

    Raises:
        ConfigError: patience without validation ratings. TrainingError: the loss is not finite.
    """
    model.to(device)
    train = Triples.of(dataset, split.train, device)
    valid = Triples.of(dataset, split.valid, device) if len(split.valid) else None
    model.check_ids(train.users, train.items)
    if isinstance(model, ClosedFormModel):
        started = time.perf_counter()
        model.solve(train.users, train.items, train.ratings)
        return History([_mse(model, train)], [_mse(model, valid)], [time.perf_counter() - started])
    if settings.patience is not None and valid is None:
        raise ConfigError("Early stopping needs validation ratings; split with valid > 0 or set patience to None.")
    torch.backends.cuda.matmul.allow_tf32 = settings.tf32
    optimiser = torch.optim.Adam(
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    negatives = NegativeSampler(model, train, settings.negatives) if settings.loss == "bce" else None
    history, best = History(), None
    if checkpoint is not None and checkpoint.is_file():
        history, best = _restored(checkpoint, model, optimiser, device, label)
    for epoch in progress(range(len(history.train_loss), settings.epochs), f"{label}, epoch"):
        if _stopped(history, settings):
            break
        started = time.perf_counter()
        loss = _one_epoch(model, optimiser, train, settings.batch_size, seed, epoch, negatives)
        if not math.isfinite(loss):
            raise TrainingError(
                f"{label}: the loss became {loss} in epoch {epoch + 1}; lower the learning rate "
                f"(now {settings.learning_rate:g}) or check the features."
            )
        history.train_loss.append(loss)
        history.valid_mse.append(_mse(model, valid))
        history.seconds.append(time.perf_counter() - started)
        if settings.patience is not None and history.best_epoch == len(history.train_loss):
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        if checkpoint is not None:
            _keep(checkpoint, model, optimiser, history, best)
        if stop is not None and stop(history):
            break
    if best is not None:
        model.load_state_dict(best)
    return history


def _stopped(history: History, settings: TrainingConfig) -> bool:
    return settings.patience is not None and len(history.train_loss) - history.best_epoch >= settings.patience


class NegativeSampler:
    """Items that a user has not rated in training, uniformly (rejection until none is left that was rated)."""

    def __init__(self, model: RatingModel, train: Triples, per_positive: int):
        self.n_items, self.per_positive = model.n_items, per_positive
        self.rated = torch.sort(train.users * model.n_items + train.items).values  # one key per training rating
        full = torch.bincount(train.users, minlength=model.n_users) >= model.n_items
        if full.any():
            raise TrainingError(f"User {int(full.nonzero()[0])} rated every item in training: no negative to draw.")

    def draw(self, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Users (B,) -> users and unrated items, both (B * per_positive,)."""
        users = users.repeat_interleave(self.per_positive)
        items = torch.randint(self.n_items, users.shape).to(users.device)  # drawn on the CPU: the same on every device
        while True:
            again = self._is_rated(users, items).nonzero().squeeze(1)
            if not len(again):
                return users, items
            items[again] = torch.randint(self.n_items, again.shape).to(users.device)

    def _is_rated(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        keys = users * self.n_items + items
        place = torch.searchsorted(self.rated, keys).clamp(max=len(self.rated) - 1)
        return self.rated[place] == keys


def _one_epoch(
    model: RatingModel,
    optimiser: torch.optim.Optimizer,
    train: Triples,
    batch_size: int,
    seed: int,
    epoch: int,
    negatives: NegativeSampler | None,
) -> float:
    """One pass; returns the mean loss without penalties. All randomness (order, dropout, negatives) comes from
    (seed, epoch)."""
    model.train()
    device = train.ratings.device
    total = torch.zeros((), dtype=torch.float64, device=device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        order = torch.randperm(len(train)).to(device)  # drawn on the CPU: the same on every device
        for start in range(0, len(train), batch_size):
            rows = order[start : start + batch_size]
            users, items = train.users[rows], train.items[rows]
            if negatives is None:
                predicted, penalty = model.with_penalty(users, items)
                loss = F.mse_loss(predicted, train.ratings[rows])
            else:
                loss, penalty = _implicit_loss(model, users, items, negatives), model.penalty(users, items)
            optimiser.zero_grad(set_to_none=True)
            (loss if penalty is None else loss + penalty).backward()
            optimiser.step()
            total += loss.detach() * len(rows)
    return float(total) / len(train)


def _implicit_loss(
    model: RatingModel, users: torch.Tensor, items: torch.Tensor, negatives: NegativeSampler
) -> torch.Tensor:
    """Binary cross-entropy of the model's outputs as logits: batch rows are 1, drawn negatives 0."""
    other_users, other_items = negatives.draw(users)
    logits = model(torch.cat([users, other_users]), torch.cat([items, other_items]))
    target = torch.zeros_like(logits)
    target[: len(users)] = 1
    return F.binary_cross_entropy_with_logits(logits, target)


def _mse(model: RatingModel, part: Triples | None) -> float:
    if part is None:
        return math.nan
    return float(F.mse_loss(predict(model, part.users, part.items).double(), part.ratings.double()))


def _keep(path: Path, model, optimiser, history: History, best: dict | None) -> None:
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "best": best}
    buffer = io.BytesIO()  # PyTorch's own writing to a full disk ends in no plain error
    torch.save({**state, "history": vars(history)}, buffer)
    write_bytes(path, sealed_bytes(buffer.getvalue()), durable=False)  # after a power loss, an older start will do


def _restored(path: Path, model, optimiser, device: torch.device, label: str) -> tuple[History, dict | None]:
    """What :func:`_keep` kept; a new start where the file was damaged since."""
    try:
        state = torch.load(read_sealed_bytes(path), map_location=device, weights_only=True)
    except DamagedError as error:
        announce(f"{label} starts over, since {error}")
        return History(), None
    try:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise TrainingError(f"The checkpoint {path} does not fit this run ({error}); delete it.") from error
    return History(**state["history"]), state["best"]
