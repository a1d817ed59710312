"""Search of hyper-parameters: Optuna, the same number of trials for every model, validation ratings
only."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, prod
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
)
from optuna.trial import FrozenTrial, TrialState

from ..datasets import Dataset
from ..errors import ConfigError, DamagedError, TrainingError
from ..integrity import read_json, write_json
from ..models import ModelInputs, build_model
from ..progress import announce, progress
from ..splits.split import Split
from .config import TrainingConfig
from .loop import History, Validation, fit

optuna.logging.set_verbosity(optuna.logging.WARNING)

STARTUP_TRIALS = (
    4  # drawn at random before the sampler models the results; the first one is the given settings
)
PRUNING_STARTS = (
    2  # epochs that every trial gets before it may be stopped for lagging behind the median
)


@dataclass(frozen=True)
class Search:
    """What may vary, and the budget.

    Attributes:
        space: pairs of ``model.<field>`` or ``training.<field>`` and its Optuna distribution.
        trials: trainings, the one with the given settings included.
        distinct: no settings are tried twice; a grid with fewer is tried whole.
        prune_after: epochs that every trial gets before it may be stopped for lagging behind the
        median.
    """

    space: tuple[tuple[str, BaseDistribution], ...]
    trials: int
    distinct: bool = False
    prune_after: int = PRUNING_STARTS

    def described(self) -> dict[str, Any]:
        """Plain values, for hashes and files."""
        told = {
            "trials": self.trials,
            "space": {name: json.loads(distribution_to_json(d)) for name, d in self.space},
        }
        if self.distinct:  # left out else, so that published rows keep their hashes
            told["distinct"] = True
        if self.prune_after != PRUNING_STARTS:
            told["prune_after"] = self.prune_after
        return told

    @property
    def count(self) -> int:
        """Trials, or the settings that there are where no two trials may have the same."""
        sizes = [_size(distribution) for _, distribution in self.space]
        return min(self.trials, prod(sizes)) if self.distinct else self.trials


def _size(distribution: BaseDistribution) -> float:
    """How many values it has."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if distribution.step is None:  # real numbers
        return 1 if distribution.single() else inf
    return 1 + round((distribution.high - distribution.low) / distribution.step)


@dataclass(frozen=True)
class Settings:
    """What a search chooses: the model's configuration and how it is trained."""

    model_config: Any
    training: TrainingConfig

    def changed(self, values: dict[str, Any]) -> "Settings":
        """With ``model.<field>`` and ``training.<field>`` set to new values."""
        parts: dict[str, dict[str, Any]] = {"model": {}, "training": {}}
        for name, value in values.items():
            part, field = self._place(name)
            parts[part][field] = tuple(value) if isinstance(value, list) else value
        return Settings(
            replace(self.model_config, **parts["model"]),
            replace(self.training, **parts["training"]),
        )

    def values(self, search: Search) -> dict[str, Any]:
        """Their values of the searched fields."""
        owners = {"model": self.model_config, "training": self.training}
        places = {name: self._place(name) for name, _ in search.space}
        return {name: getattr(owners[part], field) for name, (part, field) in places.items()}

    def _place(self, name: str) -> tuple[str, str]:
        """``model`` or ``training``, and the field, of a searched name."""
        part, _, field = name.partition(".")
        if not hasattr({"model": self.model_config, "training": self.training}.get(part), field):
            raise ConfigError(
                f"A search space names model.<field> or training.<field>, got {name!r}."
            )
        return part, field


def choose(
    model: str,
    start: Settings,
    search: Search,
    dataset: Dataset,
    split: Split,
    inputs: ModelInputs,
    seed: int,
    device: torch.device,
    path: Path,
    label: str,
    validation: Validation | None = None,
) -> Settings:
    """The settings of the trial with the best validation value (of ``validation``, else the MSE),
    its ``epochs`` the best epoch, without patience.

    Trial 0 has the settings given as ``start``; the others are drawn by a tree-structured Parzen
    estimator, and stopped early when their best validation value lags behind the median trial's.
    Trials are kept in ``path`` (JSON) after each, checked by their sum; a later call goes on from
    there and chooses the same, or starts over where they were damaged. ``split.test`` is never
    looked at.

    Raises:
        ConfigError: the search space leaves out a value of ``start``. TrainingError: no trial
        finished.
    """
    try:  # Optuna would only say so in the middle of the first trial
        _frozen_trial(search, TrialState.COMPLETE, start.values(search), value=0.0)
    except ValueError as error:
        raise ConfigError(
            f"{label}: the search space leaves out the settings it starts from ({error})."
        ) from None
    better = max if validation is not None and validation.higher_is_better else min
    failures: list[str] = []

    def trained(settings: Settings, stop: Callable[[History], bool]) -> History:
        built, own = build_model(model, settings.model_config, inputs, seed), settings.training
        try:
            return fit(built, dataset, split, own, seed, device, stop=stop, validation=validation)
        except TrainingError as error:
            failures.append(str(error))
            raise

    trials = _earlier_trials(path, label)
    for number in progress(range(len(trials), search.count), f"{label}, trial"):
        trials.append(_one_trial(trained, start, search, seed, trials, number, better))
        write_json(path, {"search": search.described(), "trials": trials}, path.stem)
    finished = [trial for trial in trials if trial["state"] == TrialState.COMPLETE.name]
    if not finished:
        why = f" The last one said: {failures[-1]}" if failures else ""
        raise TrainingError(
            f"{label}: no trial of the search finished; widen the search space.{why}"
        )
    best = better(finished, key=lambda trial: trial["value"])
    chosen = start.changed(best["params"])
    return replace(
        chosen, training=replace(chosen.training, epochs=best["best_epoch"], patience=None)
    )


def _earlier_trials(path: Path, label: str) -> list[dict]:
    """The trials of a search that was stopped; none, and the search starts over, where the file was
    damaged since."""
    if not path.is_file():
        return []
    try:
        return read_json(path, path.stem)["trials"]
    except DamagedError as error:
        announce(f"{label}: the search starts over, since {error}")
        return []


def _one_trial(
    trained: Callable[[Settings, Callable[[History], bool]], History],
    start: Settings,
    search: Search,
    seed: int,
    earlier: list[dict],
    number: int,
    better: Callable,
) -> dict:
    """What is kept of one trial; ``better`` is ``min`` or ``max``, whichever finds the best
    value."""
    study = _study(search, earlier, seed, number, better is max)
    if number == 0:
        study.enqueue_trial(
            {name: _as_choice(value) for name, value in start.values(search).items()}
        )
    trial = study.ask(dict(search.space))
    tried = [_plain(one["params"]) for one in earlier]
    while search.distinct and _plain(trial.params) in tried:
        study.tell(trial, state=TrialState.FAIL)
        trial = study.ask(dict(search.space))
    settings = start.changed(trial.params)
    pruned = False

    def lags_behind(history: History) -> bool:
        nonlocal pruned
        trial.report(history.valid[-1], len(history.valid))
        pruned = trial.should_prune()
        return pruned

    result = {"number": number, "params": trial.params}
    try:
        history = trained(settings, lags_behind)
    except TrainingError:
        history = History()
    if (
        not history.valid or not np.isfinite(history.valid).all()
    ):  # diverged, perhaps in its very last batch
        return result | {
            "state": TrialState.FAIL.name,
            "value": None,
            "best_epoch": 0,
            "curve": [],
            "seconds": 0.0,
        }
    return result | {
        "state": (TrialState.PRUNED if pruned else TrialState.COMPLETE).name,
        "value": better(history.valid),
        "best_epoch": history.best_epoch,
        "curve": history.valid,
        "seconds": round(sum(history.seconds), 2),
    }


def _study(
    search: Search, earlier: list[dict], seed: int, number: int, higher_is_better: bool
) -> optuna.Study:
    """The study after the earlier trials. Its generator starts from (seed, number), so that a
    search that was stopped draws on as if it had not been."""
    state = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    study = optuna.create_study(
        direction="maximize" if higher_is_better else "minimize",
        sampler=optuna.samplers.TPESampler(seed=state, n_startup_trials=STARTUP_TRIALS),
        pruner=optuna.pruners.MedianPruner(
            n_startup_trials=STARTUP_TRIALS, n_warmup_steps=search.prune_after
        ),
    )
    for trial in earlier:
        curve = dict(enumerate(trial["curve"], start=1))
        state = TrialState[trial["state"]]
        study.add_trial(
            _frozen_trial(
                search, state, trial["params"], value=trial["value"], intermediate_values=curve
            )
        )
    return study


def _frozen_trial(
    search: Search, state: TrialState, params: dict[str, Any], **others: Any
) -> FrozenTrial:
    params = {name: _as_choice(value) for name, value in params.items()}
    return optuna.create_trial(
        state=state, params=params, distributions=dict(search.space), **others
    )


def _plain(params: dict[str, Any]) -> dict[str, Any]:
    """As they are read from a file."""
    return json.loads(json.dumps(params))


def _as_choice(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
