"""Run rows over seeds: train, evaluate once on test, record; or train a share of them. Nothing is
done twice."""

from collections.abc import Sequence

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
    tasks = [(experiment, group) for group in _sharing(todo)]
    # the longest, last, would run alone
    tasks.sort(key=lambda task: -sum(one.variant.members for one in task[1]))
    for _ in progress(in_parallel(_run_group, tasks), f"{experiment}: trainings", len(tasks)):
        pass
    records = read_records(run.run_dir)
    place = records["config"].map({config: place for place, config in enumerate(configs)})
    wanted = place.notna() & records["seed"].isin(seeds) & (records["experiment"] == experiment)
    ordered = (
        records[wanted]
        .assign(place=place)
        .sort_values(["place", "seed"], kind="stable", ignore_index=True)
    )
    return ordered.drop(columns="place")


def train_share(
    run: Run, variants: list[Variant], seeds: tuple[int, ...], part: int = 1, parts: int = 1
) -> int:
    """Train the ``part``-th of so many equal shares of all rows and seeds, and record nothing:
    :func:`run_variants` finds them trained. What shares a training or a search stays in one share.

    Returns:
        how many trainings the share has, those that were there already included.

    Raises:
        ConfigError: there is no such share.
    """
    if not 1 <= part <= parts:
        raise ConfigError(
            f"A share is one of so many parts, such as 1/4 or 4/4, got {part}/{parts}."
        )
    groups = _sharing([Training(run, variant, seed) for seed in seeds for variant in variants])
    tasks = [(group,) for group in groups[part - 1 :: parts]]
    for _ in progress(
        in_parallel(_train_group, tasks), f"share {part} of {parts}: trainings", len(tasks)
    ):
        pass
    return len(tasks)


def _sharing(trainings: Sequence[Training]) -> list[list[Training]]:
    """Trainings grouped by what they share, a training or a search,
    which runs one after the other."""
    groups: dict[str, list[Training]] = {}
    for training in trainings:
        groups.setdefault(training.search_key, []).append(training)
    return list(groups.values())


def _train_group(group: list[Training]) -> None:
    """Train what the group shares, each once; weights are kept where one of its rows asks."""
    if fresh_wanted():
        group[0].trials_path.unlink(missing_ok=True)
    rows: dict[str, list[Training]] = {}
    for training in group:
        rows.setdefault(training.key, []).append(training)
    for same in rows.values():
        asking = [one for one in same if one.variant.evaluation.reads_model]
        explained = [one for one in same if one.variant.explained]
        (asking or explained or same)[0].train()


def _run_group(experiment: str, group: list[Training]) -> None:
    _train_group(group)
    for training in group:
        add_records(training.run.run_dir, _measured(training, experiment))


def _measured(training: Training, experiment: str) -> list[Record]:
    variant, dataset, split, noted = (
        training.variant,
        training.dataset,
        training.split,
        training.noted(),
    )
    metrics = variant.evaluation.of(training) | {"best_epoch": float(noted["best_epoch"])}
    now = code_version()
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
        "evaluation": variant.evaluation.name,
        "config": training.config,
        "seed": training.seed,
        "seconds": sum(noted["seconds"]),
        "device": noted["device"],
        "code": now if noted["code"] == now else f"trained by {noted['code']}, evaluated by {now}",
    }
    return [Record(metric=name, value=value, **common) for name, value in metrics.items()]


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
