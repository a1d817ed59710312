"""What training a ranker costs: seconds of an epoch and memory, side by side in one run; and how
the seconds of a step grow with the data."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..device import device_name
from ..encoders.features import Features
from ..memory import freed_memory_kept, peak_mib
from ..models import Interactions, ModelInputs, build_model
from ..parallel import in_own_processes
from ..runs.records import Record, add_records, code_version, mark_current, read_records
from ..runs.run import Run
from ..runs.runner import what_is_measured
from ..runs.training import Training
from ..runs.variant import Variant
from ..training.batches import NegativeSampler, Triples, batches
from ..training.config import TrainingConfig
from ..training.loop import fit, optimiser_of, step

SECONDS, MEMORY = "epoch-seconds", "peak-memory"  # metrics of records, of an epoch
GROWTH = "step_growth"  # the table that is kept of :func:`step_growth`
# Section 3.4 of BM3's paper, as far as it is at hand: the powers that a step's seconds grow with at
# most, by model. LATTICE's similarities take items squared, its normalisation items cubed.
STATED = {
    "BM3": {"pairs": 1.0, "features": 1.0, "items": 1.0},
    "LightGCN": {"pairs": 1.0},
    "LATTICE": {"features": 1.0, "items": 3.0},
}


# An epoch


def epoch_costs(run: Run, rows: Sequence[Variant], rounds: int, seed: int = 0) -> pd.DataFrame:
    """Seconds of an epoch of every row, in turns, so that all meet the same machine; the first
    round warms up and is not told. And the memory that building the model and an epoch take at
    most, each in a process of its own, in the first half of the rounds.

    Returns:
        columns variant, round (from 0), seconds and memory (MiB; NaN where it was not measured).
    """
    own = [Training(run, row, seed) for row in rows]
    models = [one.untrained() for one in own]
    found = []
    for turn in range(rounds + 1):
        for one, model in zip(own, models, strict=True):
            seconds = _epoch(one, model)
            if turn:
                found.append({"variant": one.variant.name, "round": turn - 1, "seconds": seconds})
    names, memory = [row.name for row in rows], {}
    for turn in range((rounds + 1) // 2):
        for name, taken in zip(names, peak_memory(run, rows, seed), strict=True):
            memory[name, turn] = taken
    table = pd.DataFrame(found)
    keys = zip(table["variant"], table["round"], strict=True)
    return table.assign(memory=[memory.get(key, math.nan) for key in keys])


def keep_costs(
    run: Run, experiment: str, rows: Sequence[Variant], costs: pd.DataFrame
) -> pd.DataFrame:
    """The costs as records, so that claims on them are judged and published like others; a round
    stands in the place of a seed.

    Args:
        costs: of :func:`epoch_costs`.
    """
    own = [Training(run, row, run.settings.seeds[0]) for row in rows]
    rounds = sorted(set(costs["round"]))
    mark_current(run.run_dir, experiment, run.dataset, [one.config for one in own], rounds)
    for one in own:
        common = what_is_measured(one, experiment) | {
            "device": device_name(one.device), "code": code_version(),
        }  # fmt: skip
        for found in costs[costs["variant"] == one.variant.name].itertuples():
            common |= {"seed": int(found.round), "seconds": found.seconds}
            values = {SECONDS: found.seconds, MEMORY: found.memory}
            known = {name: value for name, value in values.items() if not math.isnan(value)}
            records = [Record(metric=name, value=value, **common) for name, value in known.items()]
            add_records(run.run_dir, records)
    kept, data = read_records(run.run_dir, experiment), run.dataset
    return kept[(kept["dataset"] == data.name) & (kept["content"] == data.content)]


def costs_of(records: pd.DataFrame) -> pd.DataFrame:
    """The costs that :func:`keep_costs` kept, out of their records."""
    rounds = records.rename(columns={"seed": "round"}).pivot_table(
        "value", ["variant", "round"], "metric", sort=False
    )
    return rounds.rename(columns={SECONDS: "seconds", MEMORY: "memory"}).reset_index()


def _epoch(training: Training, model) -> float:
    once = replace(training.variant.training, epochs=1, patience=None)
    history = fit(model, training.dataset, training.split, once, training.seed, training.device)
    return history.seconds[0]


def peak_memory(run: Run, rows: Sequence[Variant], seed: int = 0) -> list[float]:
    """MiB that building the model and an epoch take at most, besides the data and the library."""
    for row in rows:  # encoded before any process is measured
        for modality in ("text", "image"):
            row.features(run, modality)
    return list(in_own_processes(_memory_of, [(run, row, seed) for row in rows]))


def _memory_of(run: Run, row: Variant, seed: int) -> float:
    training = Training(run, row, seed)
    training.inputs()  # loads data and features
    return _peak_of(lambda: _epoch(training, training.untrained()))


def _peak_of(action: Callable[[], Any]) -> float:
    """How far memory rises above what it was before, MiB."""
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5", encoding="ascii")  # forgets the peak so far
    before = peak_mib()
    action()
    return peak_mib() - before


def cost_table(costs: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Median seconds and memory by row, and both against those of ``reference``.

    Args:
        costs: of :func:`epoch_costs`.
    """
    by_row = costs.groupby("variant", sort=False)
    table = pd.DataFrame(
        {"s per epoch": by_row["seconds"].median(), "memory, MiB": by_row["memory"].median()}
    )
    for column in table.columns.tolist():
        table[f"{column}, over {reference}"] = table[column] / table.loc[reference, column]
    return table.rename_axis("model")


# Growth


@dataclass(frozen=True)
class Sizes:
    """Of random pairs; ``features`` is the length of the vectors of text and picture."""

    users: int
    items: int
    pairs: int
    features: int


def sizes_of(pairs: int) -> Sizes:
    """Data of so many pairs, with about as many users and items to them as Amazon Baby has."""
    return Sizes(3 * pairs // 100, 3 * pairs // 200, pairs, max(16, pairs // 1500))


def grown(base: Sizes, factors: Sequence[int]) -> dict[str, list[Sizes]]:
    """Sizes of which one grows by the factors, by its name."""
    return {
        what: [replace(base, **{what: factor * getattr(base, what)}) for factor in factors]
        for what in ("pairs", "items", "features")
    }


def step_growth(
    models: Mapping[str, tuple[str, Any, str]],
    sizes: Mapping[str, Sequence[Sizes]],
    batch_size: int = 1024,
    rounds: int = 3,
) -> pd.DataFrame:
    """Seconds of a training step, with what happens at the start of an epoch, on random pairs and
    features.

    Args:
        models: name -> registered name, configuration and loss.

    Returns:
        columns model, grown, size, seconds (the median of the rounds).
    """
    rows = []
    for what, grows in sizes.items():
        for size in grows:
            inputs, train = random_pairs(size)
            for name, (model, config, loss) in models.items():
                seconds = _step_seconds(model, config, loss, inputs, train, batch_size, rounds)
                rows.append(
                    {"model": name, "grown": what, "size": getattr(size, what), "seconds": seconds}
                )
    return pd.DataFrame(rows)


def random_pairs(size: Sizes, seed: int = 0) -> tuple[ModelInputs, Triples]:
    """Random pairs, all different, and normal features; no user and no item is without a pair where
    there are enough."""
    draw = np.random.default_rng(seed)
    keys = np.unique(draw.integers(0, size.users * size.items, 2 * size.pairs))
    users, items = np.divmod(draw.permutation(keys)[: size.pairs], size.items)
    ratings = np.ones(len(users), np.float32)
    features = [
        Features(
            draw.normal(size=(size.items, size.features)).astype(np.float32),
            np.ones(size.items, bool), "random", "1", f"{size}-{modality}",
        )
        for modality in ("text", "image")
    ]  # fmt: skip
    inputs = ModelInputs(
        size.users, size.items, 0.0, *features, interactions=Interactions(users, items, ratings)
    )
    return inputs, Triples(*map(torch.from_numpy, (users, items, ratings)))


def _step_seconds(
    model: str,
    config: Any,
    loss: str,
    inputs: ModelInputs,
    train: Triples,
    batch_size: int,
    rounds: int,
) -> float:
    built = build_model(model, config, inputs, 0).train()
    optimiser = optimiser_of(built, TrainingConfig())
    negatives = NegativeSampler(built, train, 1) if loss == "bpr" else None
    batch, seconds = next(iter(batches(train, batch_size, negatives))), []
    with freed_memory_kept():
        for turn in range(rounds + 1):
            started = time.perf_counter()
            built.start_epoch(turn)
            step(built, optimiser, batch)
            seconds.append(time.perf_counter() - started)
    return median(seconds[1:])


def exponents(growth: pd.DataFrame) -> pd.DataFrame:
    """How a step's seconds grow, as powers of what grows (slope on log axes): index model, columns
    what was grown, and what is stated beside it where that is known.

    Args:
        growth: of :func:`step_growth`.
    """
    slopes = growth.groupby(["model", "grown"], sort=False).apply(_slope).rename("power")
    table = slopes.reset_index().pivot_table("power", "model", "grown", sort=False)
    for what in table.columns.tolist():
        stated = {model: powers.get(what) for model, powers in STATED.items()}
        if any(value is not None for value in stated.values()):
            table[f"{what}, stated at most"] = pd.Series(stated, dtype=float)
    return table.rename_axis(None, axis=1)


def _slope(own: pd.DataFrame) -> float:
    return float(np.polyfit(np.log(own["size"]), np.log(own["seconds"]), 1)[0])
