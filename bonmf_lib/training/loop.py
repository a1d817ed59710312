"""The one training loop: data on the device, batches are slices of a permutation, one host sync per
epoch."""

import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from ..datasets import Dataset
from ..errors import ConfigError, DamagedError, TrainingError
from ..integrity import read_sealed_bytes, sealed_bytes
from ..memory import freed_memory_kept
from ..models import Batch, ClosedFormModel, RatingModel, Recommender
from ..progress import announce, progress
from ..splits.split import Split
from ..storage import write_bytes
from .batches import NegativeSampler, Triples, batches
from .config import TrainingConfig

_PREDICT_BATCH = 65_536
_OPTIMISERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


@dataclass(frozen=True)
class Validation:
    """What a training watches after its first epoch, and then after every so many.

    Attributes:
        name: of the metric. of: its value for a model, in evaluation mode. higher_is_better: else
        lower is. every: epochs from one to the next; between them the last value stands.
    """

    name: str
    of: Callable[[Recommender], float]
    higher_is_better: bool
    every: int = 1


def validation_mse(valid: Triples) -> Validation:
    """The mean squared error on validation ratings."""
    return Validation("mse", lambda model: _mse(model, valid), higher_is_better=False)


@dataclass
class History:
    """One entry per epoch: mean training loss, the watched metric (the validation MSE where nothing
    else is said; NaN without validation), seconds."""

    train_loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    higher_is_better: bool = False  # of the watched metric

    @property
    def best_epoch(self) -> int:
        """1-based epoch with the best validation value; the last epoch without validation."""
        if not self.valid or all(math.isnan(value) for value in self.valid):
            return len(self.train_loss)
        best = np.nanargmax if self.higher_is_better else np.nanargmin
        return int(best(self.valid)) + 1


@torch.no_grad()
def predict(model: Recommender, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """Raw scores (N,) in evaluation mode; ``ModelError`` on ids the model does not know."""
    model.check_ids(users, items)
    model.eval()
    parts = [
        model.score(users[start : start + _PREDICT_BATCH], items[start : start + _PREDICT_BATCH])
        for start in range(0, len(users), _PREDICT_BATCH)
    ]
    return torch.cat(parts)


@freed_memory_kept()
def fit(
    model: Recommender,
    dataset: Dataset,
    split: Split,
    settings: TrainingConfig,
    seed: int,
    device: torch.device,
    checkpoint: Path | None = None,
    label: str = "training",
    stop: Callable[[History], bool] | None = None,
    validation: Validation | None = None,
) -> History:
    """Train in place on ``split.train``, or solve where the model has a closed form; ``split.test``
    is never looked at.

    ``validation`` is what is watched, by default the MSE on ``split.valid`` where ratings are
    predicted. ``stop`` is asked after each epoch and may end the training early. With ``patience``
    the weights of the best validation epoch are restored at the end. With ``checkpoint`` the state
    is kept there after each epoch, and a later call with the same arguments goes on from it and
    ends with the same weights, bit for bit on one machine's CPU.

    Raises:
        ConfigError: patience without anything to watch, or a loss that the model does not own.
        TrainingError: the loss is not finite.
    """
    model.to(device)
    train = Triples.of(dataset, split.train, device)
    rates = isinstance(model, RatingModel) and not settings.is_implicit
    if validation is None and len(split.valid) and rates:
        validation = validation_mse(Triples.of(dataset, split.valid, device))
    model.check_ids(train.users, train.items)
    if isinstance(model, ClosedFormModel):
        started = time.perf_counter()
        model.solve(train.users, train.items, train.ratings)
        loss = _mse(model, train) if rates else math.nan
        watched = _watched(model, validation)
        seconds = time.perf_counter() - started
        return History([loss], [watched], [seconds], _is_higher_better(validation))
    if settings.loss not in model.trained_by:
        raise ConfigError(
            f"{label}: {type(model).__name__} is trained by {' or '.join(model.trained_by)}, "
            f"not by {settings.loss}."
        )
    if settings.patience is not None and validation is None:
        raise ConfigError(
            "Early stopping needs something to watch: split with valid > 0 "
            "(where no ratings are predicted, also give a metric as validation) or set patience to "
            "None."
        )
    torch.backends.cuda.matmul.allow_tf32 = settings.tf32
    optimiser = optimiser_of(model, settings)
    negatives = None
    if settings.negatives:
        negatives = NegativeSampler(model, train, settings.negatives, over=settings.negatives_over)
    history, best = History(higher_is_better=_is_higher_better(validation)), None
    if checkpoint is not None and checkpoint.is_file():
        history, best = _restored(checkpoint, model, optimiser, device, label)
    for epoch in progress(range(len(history.train_loss), settings.epochs), f"{label}, epoch"):
        if _stopped(history, settings):
            break
        started = time.perf_counter()
        loss = _one_epoch(model, optimiser, train, settings, seed, epoch, negatives)
        if not math.isfinite(loss):
            raise TrainingError(
                f"{label}: the loss became {loss} in epoch {epoch + 1}; lower the learning rate "
                f"(now {settings.learning_rate:g}) or check the features."
            )
        history.train_loss.append(loss)
        due = validation is None or epoch % validation.every == 0
        history.valid.append(_watched(model, validation) if due else history.valid[-1])
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
    return (
        settings.patience is not None
        and len(history.train_loss) - history.best_epoch >= settings.patience
    )


def _one_epoch(
    model: Recommender,
    optimiser: torch.optim.Optimizer,
    train: Triples,
    settings: TrainingConfig,
    seed: int,
    epoch: int,
    negatives: NegativeSampler | None,
) -> float:
    """One pass; returns the mean loss without penalties. All randomness (order, dropout, negatives)
    comes from (seed, epoch)."""
    model.train()
    device = train.ratings.device
    total, examples = torch.zeros((), dtype=torch.float64, device=device), 0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        model.start_epoch(epoch)
        for batch in batches(train, settings.batch_size, negatives, settings.batches_of):
            total += step(model, optimiser, batch) * batch.examples
            examples += batch.examples
    return float(total) / examples


def optimiser_of(model: Recommender, settings: TrainingConfig) -> torch.optim.Optimizer:
    """What steps a model's parameters as the settings say."""
    return _OPTIMISERS[settings.optimiser](
        model.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )


def step(model: Recommender, optimiser: torch.optim.Optimizer, batch: Batch) -> torch.Tensor:
    """One step on a batch; returns its mean loss without penalties, which needs no gradient."""
    loss, penalty = model.loss(batch)
    optimiser.zero_grad(set_to_none=True)
    (loss if penalty is None else loss + penalty).backward()
    optimiser.step()
    model.after_step()
    return loss.detach()


def _is_higher_better(validation: Validation | None) -> bool:
    return validation is not None and validation.higher_is_better


def _watched(model: Recommender, validation: Validation | None) -> float:
    if validation is None:
        return math.nan
    model.eval()
    return validation.of(model)


def _mse(model: Recommender, part: Triples) -> float:
    return float(F.mse_loss(predict(model, part.users, part.items).double(), part.ratings.double()))


def _keep(path: Path, model, optimiser, history: History, best: dict | None) -> None:
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "best": best}
    buffer = io.BytesIO()  # PyTorch's own writing to a full disk ends in no plain error
    torch.save({**state, "history": vars(history)}, buffer)
    # after a power loss, an older start will do
    write_bytes(path, sealed_bytes(buffer.getvalue()), durable=False)


def _restored(
    path: Path, model, optimiser, device: torch.device, label: str
) -> tuple[History, dict | None]:
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
        raise TrainingError(
            f"The checkpoint {path} does not fit this run ({error}); delete it."
        ) from error
    return History(**state["history"]), state["best"]
