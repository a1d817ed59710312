"""What choosing a training's epoch by the test ratings adds, as common code of rankers does: the
metrics that are reported, after every epoch."""

import math
from collections.abc import Sequence
from itertools import chain, product

import pandas as pd
import torch

from ..errors import ConfigError, TrainingError
from ..evaluation.rules import RankingRule
from ..models import Recommender
from ..parallel import in_parallel
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..training.loop import Validation, fit

TESTED = "tested_by_epoch"  # the table that is kept of it
METRICS = ("hr@10", "ndcg@10")  # the first is what an epoch is chosen by

Weights = dict[str, torch.Tensor]


def tested_by_epoch(
    run: Run, rows: Sequence[Variant], seeds: Sequence[int], metrics: Sequence[str] = METRICS
) -> pd.DataFrame:
    """Every row trained once more on every seed, its evaluation measured on the test ratings after
    every epoch. A row that starts from others starts from their epochs with the best first metric
    on the test ratings, as that code keeps them, and is measured before its first epoch too, since
    that code may keep this; else nothing is chosen by it.

    Args:
        rows: ranked by, trained for a fixed number of epochs from given settings, and from initial
            weights of their own or from such rows.

    Returns:
        columns model, seed, epoch (from 1; 0 before the first one, without loss), loss, metric,
        value.

    Raises:
        ConfigError: a row is not evaluated by a ranking, or starts from a row that starts from
            others.
        TrainingError: a metric is NaN.
    """
    alone = dict.fromkeys(
        [row for row in rows if not row.starts_from]
        + list(chain.from_iterable(row.starts_from for row in rows))
    )
    if late := [row.name for row in alone if row.starts_from]:
        raise ConfigError(f"{late[0]} starts from other rows, so that no row can start from it.")
    first = list(product(alone, seeds))
    tasks = [(run, row, seed, metrics) for row, seed in first]
    found = dict(zip(first, in_parallel(_of_row, tasks), strict=True))
    second = list(product([row for row in rows if row.starts_from], seeds))
    tasks = [
        (run, row, seed, metrics, [found[start, seed][1] for start in row.starts_from])
        for row, seed in second
    ]
    found |= zip(second, in_parallel(_of_row, tasks), strict=True)
    return pd.concat([found[place][0] for place in product(rows, seeds)], ignore_index=True)


def _of_row(
    run: Run, row: Variant, seed: int, metrics: Sequence[str], starts: Sequence[Weights] = ()
) -> tuple[pd.DataFrame, Weights]:
    """Its table, and its weights after the epoch that is best on the test ratings."""
    training = Training(run, row, seed)
    if not isinstance(row.evaluation, RankingRule):
        raise ConfigError(f"{row.name} is evaluated by {row.evaluation.name}, which is no ranking.")
    model = training.untrained()
    if starts:
        parts = [Training(run, start, seed).untrained() for start in row.starts_from]
        for part, weights in zip(parts, starts, strict=True):
            part.load_state_dict(weights)
        model.start_from(parts)
    test = row.evaluation.tester(training.dataset, training.split, training.device)
    measured: list[dict[str, float]] = []
    best: Weights = {}

    def chosen_by(network: Recommender) -> float:
        found = test(network).metrics
        value = found[metrics[0]]
        if math.isnan(value):
            raise TrainingError(f"{training.label}: {metrics[0]} on the test ratings is NaN.")
        if value > max((one[metrics[0]] for one in measured), default=-math.inf):
            best.update({name: w.cpu().clone() for name, w in network.state_dict().items()})
        measured.append(found)
        return value

    if starts:
        chosen_by(model.to(training.device).eval())
    history = fit(
        model, training.dataset, training.split, row.training, seed, training.device,
        validation=Validation(metrics[0], chosen_by, higher_is_better=True), label=training.label,
    )  # fmt: skip
    columns = {
        "model": row.name,
        "seed": seed,
        "epoch": range(0 if starts else 1, len(history.train_loss) + 1),
        "loss": [math.nan] * bool(starts) + history.train_loss,
    }
    wide = pd.DataFrame(columns | {name: [one[name] for one in measured] for name in metrics})
    return wide.melt(list(columns), var_name="metric"), best


def gain_by_choice(table: pd.DataFrame, chosen_by: str = METRICS[0]) -> pd.DataFrame:
    """Of :func:`tested_by_epoch`, by model and metric, means over the seeds: the value after the
    last epoch, the number of epochs, the value after the epoch which is best on the test ratings by
    one metric, this epoch (0: as it starts), the difference of both values, and the number of
    seeds."""
    by_model = chosen_by_seed(table, chosen_by).groupby(["model", "metric"], sort=False)
    means = by_model.mean().drop(columns="seed")
    means["gained by the choice"] = means["best on test"] - means["last epoch"]
    return means.assign(seeds=by_model["seed"].nunique())


def chosen_by_seed(table: pd.DataFrame, chosen_by: str = METRICS[0]) -> pd.DataFrame:
    """The same of every seed: columns model, metric, seed, last epoch, epochs, best on test, its
    epoch."""
    rows = []
    for (model, seed), own in table.groupby(["model", "seed"], sort=False):
        values = own.pivot(index="epoch", columns="metric", values="value")  # noqa: PD010 (two values for one epoch must fail)
        epoch = values[chosen_by].idxmax()
        rows += [
            {"model": model, "metric": metric, "seed": seed, "last epoch": values[metric].iloc[-1],
             "epochs": values.index[-1], "best on test": values.loc[epoch, metric],
             "its epoch": epoch}
            for metric in own["metric"].unique()
        ]  # fmt: skip
    return pd.DataFrame(rows)
