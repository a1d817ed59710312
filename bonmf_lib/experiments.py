"""Run model variants over seeds: split, train, evaluate once on test, record. Finished runs are not repeated."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import load_file, save_file

from .config import config_hash
from .device import pick_device
from .evaluation.rating import rating_metrics, relevance_threshold
from .models import ModelInputs, build_model, one_hot_demographics
from .progress import announce, progress
from .splits import Split, ratio_split
from .storage import atomic_path, write_text
from .study.parameters import Run
from .study.records import Record, add_records, code_version, fresh_wanted, is_recorded, mark_current, read_records
from .training import History, TrainingConfig, Triples, fit, predict

TEST_SHARE = 0.3  # the paper's 7:3
VALID_SHARE = 0.1  # of the training part, where a protocol needs validation


@dataclass(frozen=True)
class Variant:
    """One row of a table: a model, its settings and how it is trained.

    Attributes:
        name: the row's name; claims refer to it.
        protocol: ``as published`` (fixed epochs on the whole training part), ``early stopped`` or ``tuned``.
        model_config: may carry ``use_text``, ``use_image``, ``use_demographics``; what it does not use is
            neither computed nor hashed.
    """

    name: str
    protocol: str
    model: str
    model_config: Any
    training: TrainingConfig

    def uses(self, what: str) -> bool:
        return bool(getattr(self.model_config, f"use_{what}", False))


def run_variants(run: Run, experiment: str, variants: list[Variant]) -> pd.DataFrame:
    """Run every variant on every seed of the run; return this experiment's records in the variants' order."""
    jobs = [(variant, seed) for seed in run.settings.seeds for variant in variants]
    hashes = {variant: _hash(run, variant) for variant in variants}
    mark_current(run.run_dir, experiment, run.dataset, list(hashes.values()), run.settings.seeds)
    todo = [(v, seed) for v, seed in jobs if not is_recorded(run.run_dir, experiment, hashes[v], seed)]
    if len(todo) < len(jobs):
        announce(f"{experiment}: {len(jobs) - len(todo)} of {len(jobs)} trainings are recorded already")
    _note_encoders(run, experiment, variants)
    for variant, seed in progress(todo, f"{experiment}: trainings"):
        _run_one(run, experiment, variant, hashes[variant], seed)
    records = read_records(run.run_dir)
    place = records["config"].map({config: place for place, config in enumerate(hashes.values())})
    wanted = place.notna() & records["seed"].isin(run.settings.seeds) & (records["experiment"] == experiment)
    ordered = records[wanted].assign(place=place).sort_values(["place", "seed"], kind="stable", ignore_index=True)
    return ordered.drop(columns="place")


def _note_encoders(run: Run, experiment: str, variants: list[Variant]) -> None:
    """Keep which encoders a run folder's numbers rest on, for its manifest."""
    used = [run.features(m) for m in ("text", "image") if any(variant.uses(m) for variant in variants)]
    notes = [{"encoder": f.encoder, "version": f.version, "key": f.key, "items": int(f.present.sum())} for f in used]
    write_text(run.run_dir / "encoders" / f"{experiment}.json", json.dumps(notes, indent=2))


def _hash(run: Run, variant: Variant) -> str:
    features = [run.features(modality).key for modality in ("text", "image") if variant.uses(modality)]
    scale = run.dataset.scale
    data = [run.dataset.fingerprint, run.dataset.content, run.dataset.n_users, run.dataset.n_items, asdict(scale)]
    if variant.uses("demographics"):
        data.append(run.dataset.users.to_csv())
    split = [TEST_SHARE, VALID_SHARE if variant.training.patience is not None else 0.0]
    names = [variant.name, variant.protocol, variant.model]
    return config_hash(names, data, split, features, variant.model_config, variant.training)


def _run_one(run: Run, experiment: str, variant: Variant, config: str, seed: int) -> None:
    dataset, device = run.dataset, pick_device()
    split = split_of(run, variant, seed)
    model = build_model(variant.model, variant.model_config, _inputs(run, variant, split), seed)
    stem = f"{config}-{seed}"
    # Other code starts anew instead of going on from this code's half-trained weights.
    checkpoint = run.run_dir / "checkpoints" / f"{stem}-{code_version()}.pt"
    if fresh_wanted():
        checkpoint.unlink(missing_ok=True)
    label = f"{variant.name} ({variant.protocol}), seed {seed}"
    history = fit(model, dataset, split, variant.training, seed, device, checkpoint, label)
    test = Triples.of(dataset, split.test, device)
    predicted = predict(model, test.users, test.items).clamp(dataset.scale.low, dataset.scale.high).cpu().numpy()
    with atomic_path(_predictions(run, config, seed)) as temporary:
        save_file({"predicted": predicted}, temporary)
    write_text(_history(run, config, seed), json.dumps(vars(history)))
    threshold = relevance_threshold(dataset.scale.low, dataset.scale.high)
    metrics = rating_metrics(test.users.cpu().numpy(), test.ratings.cpu().numpy(), predicted, threshold)
    metrics["best_epoch"] = float(history.best_epoch)
    common = {
        "experiment": experiment,
        "variant": variant.name,
        "protocol": variant.protocol,
        "model": variant.model,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "content": dataset.content,
        "split": split.rule,
        "test_share": split.test_share,
        "config": config,
        "seed": seed,
        "seconds": sum(history.seconds),
        "device": device_name(device),
        "code": code_version(),
    }
    add_records(run.run_dir, [Record(metric=name, value=value, **common) for name, value in metrics.items()])
    checkpoint.unlink(missing_ok=True)


def split_of(run: Run, variant: Variant, seed: int) -> Split:
    """The split a variant was run on: with validation ratings only where its training uses them."""
    valid = VALID_SHARE if variant.training.patience is not None else 0.0
    return _split(run, valid, seed)


@lru_cache(maxsize=16)
def _split(run: Run, valid: float, seed: int) -> Split:
    return ratio_split(run.dataset, TEST_SHARE, valid, seed)


def _inputs(run: Run, variant: Variant, split: Split) -> ModelInputs:
    return ModelInputs(
        n_users=run.dataset.n_users,
        n_items=run.dataset.n_items,
        mean_rating=float(run.dataset.ratings["rating"].to_numpy()[split.train].mean(dtype=np.float64)),
        text=run.features("text") if variant.uses("text") else None,
        image=run.features("image") if variant.uses("image") else None,
        demographics=one_hot_demographics(run.dataset) if variant.uses("demographics") else None,
    )


def read_predictions(run: Run, variant: Variant, seed: int) -> pd.DataFrame:
    """Test ratings and predictions of a finished run: user, item, rating, predicted."""
    rows = split_of(run, variant, seed).test
    table = run.dataset.ratings.iloc[rows][["user", "item", "rating"]].reset_index(drop=True)
    return table.assign(predicted=load_file(_predictions(run, _hash(run, variant), seed))["predicted"])


def read_history(run: Run, variant: Variant, seed: int) -> History:
    """Learning curve of a finished run."""
    return History(**json.loads(_history(run, _hash(run, variant), seed).read_text(encoding="utf-8")))


def _predictions(run: Run, config: str, seed: int) -> Path:
    return run.run_dir / "predictions" / f"{config}-{seed}.safetensors"


def _history(run: Run, config: str, seed: int) -> Path:
    return run.run_dir / "history" / f"{config}-{seed}.json"


def device_name(device: torch.device) -> str:
    """``cpu`` or the GPU's product name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
