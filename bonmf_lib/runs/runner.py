"""Run rows over seeds: train, evaluate once on test, record; or train a share of them. Nothing is
done twice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

import pandas as pd

from ..encoders.features import MODALITIES
from ..errors import ConfigError
from ..integrity import json_text
from ..parallel import in_parallel
from ..progress import announce, progress
from ..storage import keep_text
from .records import (
    Record,
    add_records,
    code_version,
    fresh_wanted,
    is_recorded,
    mark_current,
    notes_name,
    read_records,
)
from .run import Run
from .training import Training
from .variant import Variant, variant_hash

T = TypeVar("T")


def run_variants(
    run: Run, experiment: str, variants: list[Variant], seeds: tuple[int, ...] | None = None
) -> pd.DataFrame:
    """Run every variant on every seed (by default the run's); return this experiment's records in
    the variants' order.

    What the same run folder holds already, trained with the same settings for another row or
    experiment, is evaluated, not trained again.
    """
    for variant in variants:
        if lacking := variant.lacks(run.dataset):
            raise ConfigError(
                f"{variant.name} reads {lacking[0]}, which {run.dataset.name} has not; "
                "leave such rows out with absent.leave_out."
            )
    seeds = run.settings.seeds if seeds is None else seeds
    configs = [variant_hash(run, variant) for variant in variants]
    mark_current(run.run_dir, experiment, run.dataset, configs, seeds)
    trainings = [Training(run, variant, seed) for seed in seeds for variant in variants]
    todo = [
        one
        for one in trainings
        if not is_recorded(run.run_dir, experiment, one.config, one.seed) or one.has_damage()
    ]
    if len(todo) < len(trainings):
        announce(
            f"{experiment}: {len(trainings) - len(todo)} of {len(trainings)} trainings "
            "are recorded already"
        )
    _note_encoders(run, experiment, variants)
    waves = _waves(todo)
    for wave in waves:  # the longest, last, would run alone
        wave.sort(key=lambda group: -sum(row.variant.members for row in group.rows))
    tasks = [[(experiment, group) for group in wave] for wave in waves]
    _run_waves(_run_group, tasks, f"{experiment}: trainings")
    records = read_records(run.run_dir, experiment)
    place = records["config"].map({config: place for place, config in enumerate(configs)})
    wanted = place.notna() & records["seed"].isin(seeds)
    ordered = (
        records[wanted]
        .assign(place=place[wanted])
        .sort_values(["place", "seed"], kind="stable", ignore_index=True)
    )
    return ordered.drop(columns="place")


def train_share(
    run: Run, variants: list[Variant], seeds: tuple[int, ...], part: int = 1, parts: int = 1
) -> int:
    """Train the ``part``-th of so many equal shares of all rows and seeds, and record nothing:
    :func:`run_variants` finds them trained. What shares a training or a search, or starts from
    another row, stays in one share with it.

    Returns:
        how many trainings the share has, those that were there already included.

    Raises:
        ConfigError: there is no such share.
    """
    connected = _connected([Training(run, variant, seed) for seed in seeds for variant in variants])
    waves = _waves(list(chain.from_iterable(share(connected, part, parts))))
    tasks = [[(group,) for group in wave] for wave in waves]
    return _run_waves(_train_group, tasks, f"share {part} of {parts}: trainings")


def share(whole: Sequence[T], part: int, parts: int) -> Sequence[T]:
    """The ``part``-th of so many equal shares.

    Raises:
        ConfigError: there is no such share.
    """
    if not 1 <= part <= parts:
        raise ConfigError(
            f"A share is one of so many parts, such as 1/4 or 4/4, got {part}/{parts}."
        )
    return whole[part - 1 :: parts]


@dataclass(frozen=True)
class _Group:
    """Trainings that share a training or a search, and run one after the other.

    Attributes:
        rows: what was asked for. starts: what rows of other groups start from.
    """

    rows: list[Training] = field(default_factory=list)
    starts: list[Training] = field(default_factory=list)


def _waves(trainings: Sequence[Training]) -> list[list[_Group]]:
    """The trainings and all that they start from, in groups that may run side by side within a
    wave; what a group starts from is in an earlier wave."""
    waves: dict[int, dict[str, _Group]] = {}

    def group_of(training: Training) -> _Group:
        wave = waves.setdefault(_generation(training), {})
        return wave.setdefault(training.searched.key, _Group())

    for training in trainings:
        group_of(training).rows.append(training)
        for start in _all_starts(training):
            group_of(start).starts.append(start)
    return [list(waves[generation].values()) for generation in sorted(waves)]


def _generation(training: Training) -> int:
    """How many trainings come one after the other before it."""
    return max((1 + _generation(start) for start in training.starts), default=0)


def _all_starts(training: Training) -> Iterator[Training]:
    for start in training.starts:
        yield from _all_starts(start)
        yield start


def _connected(trainings: Sequence[Training]) -> list[list[Training]]:
    """Trainings in parts of which none shares a training, a search or a start with another."""
    parts: list[tuple[set[str], list[Training]]] = []
    for training in trainings:
        keys = {one.searched.key for one in (training, *_all_starts(training))}
        touched = [part for part in parts if part[0] & keys]
        apart = [part for part in parts if not part[0] & keys]
        members = [one for _, earlier in touched for one in earlier]
        whole = keys.union(*(own for own, _ in touched)), [*members, training]
        place = parts.index(touched[0]) if touched else len(parts)
        parts = [*apart[:place], whole, *apart[place:]]
    return [members for _, members in parts]


def _run_waves(function: Callable[..., None], waves: list[list[tuple]], label: str) -> int:
    """``function(*task)`` of all tasks, those of a wave side by side; how many there are."""
    total = sum(len(wave) for wave in waves)
    done = chain.from_iterable(in_parallel(function, wave) for wave in waves)
    for _ in progress(done, label, total):
        pass
    return total


def _train_group(group: _Group) -> None:
    """Train what the group shares, each once; weights are kept where one of its rows asks, or
    another row starts from them."""
    trainings = [*group.rows, *group.starts]
    if fresh_wanted():
        trainings[0].trials_path.unlink(missing_ok=True)
    started = {start.key for start in group.starts}
    shared: dict[str, list[Training]] = {}
    for training in trainings:
        shared.setdefault(training.key, []).append(training)
    for key, same in shared.items():
        asking = [one for one in same if one.variant.evaluation.reads_model]
        explained = [one for one in same if one.variant.explained]
        (asking or explained or same)[0].train(weights=True if key in started else None)


def _run_group(experiment: str, group: _Group) -> None:
    _train_group(group)
    for training in group.rows:
        add_records(training.run.run_dir, _measured(training, experiment))


def _measured(training: Training, experiment: str) -> list[Record]:
    noted, now = training.noted(), code_version()
    metrics = training.metrics() | {"best_epoch": float(noted["best_epoch"])}
    common = what_is_measured(training, experiment) | {
        "seed": training.seed,
        "seconds": sum(noted["seconds"]),
        "device": noted["device"],
        "code": now if noted["code"] == now else f"trained by {noted['code']}, evaluated by {now}",
    }
    return [Record(metric=name, value=value, **common) for name, value in metrics.items()]


def what_is_measured(training: Training, experiment: str) -> dict[str, Any]:
    """Fields of a :class:`Record` that tell a row and its data, whatever is measured of it."""
    variant, dataset, split = training.variant, training.dataset, training.split
    return {
        "experiment": experiment,
        "variant": variant.name,
        "protocol": variant.protocol,
        "model": variant.model,
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "content": dataset.content,
        "split": split.rule,
        "test_share": split.test_share,
        "evaluation": variant.evaluation.name,
        "config": training.config,
    }


def _note_encoders(run: Run, experiment: str, variants: list[Variant]) -> None:
    """Keep which encoders a run folder's numbers rest on, for its manifest."""
    used = {f.key: f for v in variants for m in MODALITIES if (f := v.features(run, m)) is not None}
    notes = [
        {"encoder": f.encoder, "version": f.version, "key": f.key, "items": int(f.present.sum())}
        for f in used.values()
    ]
    keep_text(
        run.run_dir / "encoders" / notes_name(experiment, run.dataset),
        json_text({"encoders": notes}),
    )
