"""The model that an audit hands on: chosen on validation ratings, trained on nearly all of them,
kept as a folder that predicts without data or training."""

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ConfigError
from ..evaluation.rules import RATED_ITEMS
from ..experiments.names import is_control
from ..integrity import read_arrays, read_json, write_arrays, write_json
from ..models import get_model
from ..runs.records import code_version
from ..runs.table_files import csv_text, read_csv_text
from ..runs.training import Training
from ..runs.variant import Variant
from ..splits.rules import Ratio
from ..storage import write_text
from .measured import Measured
from .rows import MEAN
from .scores import Scores, has_scores, scores_of
from .situations import base_seed
from .units import Unit

FOLDER = "model"  # below the run folder
_CHECKED = 0.02  # share of the ratings that check what is handed on, and do not train it
_SCORES, _WEIGHTS, _SETTINGS = "scores.safetensors", "weights.safetensors", "model.json"
_USERS, _ITEMS = "users.csv", "items.csv"


def chosen_row(measured: Measured) -> str:
    """The row with the best validation value, of those that can be handed on; no control."""
    names = [
        name
        for name, row in measured.rows.items()
        if name != MEAN and not is_control(name) and has_scores(get_model(row.model).model)
    ]
    return measured.best_of(names)


def final_row(measured: Measured, name: str) -> Variant:
    """A row on nearly all ratings, for as many epochs as its folds trained best with."""
    row, run = measured.rows[name], measured.trained_on
    epochs = [Training(run, row, seed).history().best_epoch for seed in measured.situation.seeds]
    training = replace(row.training, patience=None, epochs=round(float(np.median(epochs))))
    share = max(_CHECKED, 1 / len(run.dataset.ratings))
    changes = {"split": Ratio(share), "training": training, "holds_out": False, "watched_by": None}
    return replace(row, protocol="handed on", **changes)


@dataclass(frozen=True, eq=False)
class Handed:
    """A model that predicts: who and what it knows, and which items every user had rated.

    Attributes:
        settings: what it is and what it was trained on. users: raw ids (U,). items: raw ids and
            titles, one row each. rated: users and items (N,) of all known ratings, also of those
            that do not count.
    """

    settings: dict[str, Any]
    users: pd.Series
    items: pd.DataFrame
    scores: Scores
    rated: tuple[np.ndarray, np.ndarray]

    def scored(self, users: np.ndarray) -> np.ndarray:
        """Scores of all items for each user, (B, I), on the rating scale where there is one."""
        scale = self.settings["scale"]
        found = self.scores.of(users)
        return found if scale is None else found.clip(*scale)

    def best(self, users: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` items that each user has not rated and that score best, best first, and
        their scores; (B, count) each, -1 and NaN where fewer are left that have a score."""
        raw = self.scores.of(users)  # unclipped, so that few are equal
        items, starts = self._rated_by_user
        first, counts = starts[users], np.diff(starts)[users]
        lines = np.repeat(np.arange(len(users)), counts)
        before = np.cumsum(counts) - counts  # rated items of the users above
        raw[lines, items[np.arange(len(lines)) + np.repeat(first - before, counts)]] = -np.inf
        order = largest(raw, min(count, raw.shape[1]))
        found = np.take_along_axis(raw, order, axis=1).astype(np.float64)
        scale = self.settings["scale"]
        shown = found if scale is None else found.clip(*scale)
        left = np.isfinite(found)
        return np.where(left, order, -1), np.where(left, shown, np.nan)

    @cached_property
    def _rated_by_user(self) -> tuple[np.ndarray, np.ndarray]:
        """Rated items, user after user, and where each user's begin, then their end, (U + 1,)."""
        order = np.argsort(self.rated[0], kind="stable")
        starts = np.searchsorted(self.rated[0][order], np.arange(len(self.users) + 1))
        return self.rated[1][order], starts

    def user(self, raw_id: str) -> int:
        """The place of a user; ``ConfigError`` where it is not known."""
        return _place(self.users, raw_id, "user")

    def item(self, raw_id: str) -> int:
        """The place of an item; ``ConfigError`` where it is not known."""
        return _place(self.items["item"], raw_id, "item")


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Where the ``count`` largest of each row stand, largest first, of equal ones the first: (B, I)
    -> (B, count). NaN, as of a training that diverged, is -inf. Whole rows are not sorted."""
    values = np.where(np.isnan(values), -np.inf, values)
    last = -np.partition(-values, count - 1, axis=1)[:, count - 1 : count]  # the smallest of them
    chosen = values >= last
    for line in np.flatnonzero(chosen.sum(axis=1) > count):  # some that equal it have no room
        equal = np.flatnonzero(values[line] == last[line])
        chosen[line, equal[count - (values[line] > last[line]).sum() :]] = False
    places = np.nonzero(chosen)[1].reshape(len(values), count)
    order = np.argsort(-np.take_along_axis(values, places, axis=1), axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def _place(known: pd.Series, raw_id: str, kind: str) -> int:
    found = np.flatnonzero(known.to_numpy() == raw_id)
    if not len(found):
        shown = ", ".join(known.head(3))
        raise ConfigError(
            f"The model knows no {kind} {raw_id!r}; it knows {len(known):,}, such as {shown}."
        )
    return int(found[0])


def hand_on(measured: Measured) -> Handed:
    """Train the chosen row where it is not trained yet, and keep it below the run folder."""
    name = chosen_row(measured)
    run, row = measured.run, final_row(measured, name)
    training, unit = Training(measured.trained_on, row, base_seed(run)), measured.unit
    training.train(weights=True)
    model = training.model()
    dataset = run.dataset
    features = {
        modality: found.encoder
        for modality in ("text", "image")
        if (found := row.features(run, modality)) is not None
    }
    rates = dataset.scale.rates
    settings = {
        "dataset": dataset.name,
        "content": dataset.content,
        "fingerprint": dataset.fingerprint,
        "scale": [dataset.scale.low, dataset.scale.high] if rates else None,
        "words": asdict(dataset.words),
        "row": name,
        "model": row.model,
        "settings": asdict(row.model_config),
        "training": asdict(row.training),
        "features": features,
        "seed": training.seed,
        "code": code_version(),
        "unit": asdict(unit),  # of the weights; scores are on the data's own scale
        "check": _check(training, unit) if row.evaluation == RATED_ITEMS else {},
    }
    handed = Handed(
        settings,
        dataset.users["raw_id"].astype(str),
        pd.DataFrame(
            {
                "item": dataset.items["raw_id"].astype(str),
                "title": dataset.items["title"].fillna("").astype(str),
            }
        ),
        unit.scores(scores_of(model)),
        tuple(dataset.known_pairs),
    )
    weights = {name: part.cpu().numpy() for name, part in model.state_dict().items()}
    _keep(run.run_dir / FOLDER, handed, weights)
    return handed


def _check(training: Training, unit: Unit) -> dict[str, float]:
    """How well the ratings that did not train are predicted."""
    table = training.predictions()
    errors = (table["predicted"] - table["rating"]).astype(np.float64) ** 2
    return {"ratings": len(table), "mse": unit.factor("mse") * float(errors.mean())}


def _keep(folder: Path, handed: Handed, weights: dict[str, np.ndarray]) -> None:
    of = handed.settings["fingerprint"][:16]
    known = dict(zip(("rated_users", "rated_items"), handed.rated, strict=True))
    write_arrays(folder / _WEIGHTS, weights, of)
    write_arrays(folder / _SCORES, vars(handed.scores) | known, of)
    write_text(folder / _USERS, csv_text(handed.users.to_frame("user"), "%.6g"))
    write_text(folder / _ITEMS, csv_text(handed.items, "%.6g"))
    write_json(folder / _SETTINGS, json.loads(json.dumps(handed.settings)))


def load(run_dir: Path) -> Handed:
    """The model of an audit's folder; nothing is trained.

    Raises:
        ConfigError: the folder holds none. DamagedError: a file is not as it was written.
    """
    folder = run_dir / FOLDER
    if not (folder / _SETTINGS).is_file():
        raise ConfigError(
            f"{run_dir} holds no model; name the folder of an audit (make audit DATA=...)."
        )
    settings = read_json(folder / _SETTINGS)
    arrays = read_arrays(folder / _SCORES, settings["fingerprint"][:16])
    rated = arrays.pop("rated_users"), arrays.pop("rated_items")
    users, items = (
        read_csv_text((folder / name).read_text(encoding="utf-8")).fillna("")
        for name in (_USERS, _ITEMS)
    )
    return Handed(settings, users["user"], items, Scores(**arrays), rated)
