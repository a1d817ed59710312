"""What choosing a training's epoch by the test ratings adds, as common code of rankers does: the
metric that is reported, after every epoch."""

from collections.abc import Sequence

import pandas as pd

from ..errors import ConfigError
from ..evaluation.rules import RankingRule
from ..models import Recommender, build_model
from ..parallel import in_parallel
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..training.loop import Validation, fit


def tested_by_epoch(
    run: Run, rows: Sequence[Variant], seed: int, metric: str = "hr@10"
) -> pd.DataFrame:
    """Every row trained once more, its evaluation measured on the test ratings after every epoch.
    Nothing is chosen by it.

    Args:
        rows: ranked by, trained for a fixed number of epochs from given settings and initial
            weights of their own.

    Returns:
        columns model, seed, epoch (from 1), loss, value of the metric.

    Raises:
        ConfigError: a row is not evaluated by a ranking.
    """
    tasks = [(run, row, seed, metric) for row in rows]
    return pd.concat(list(in_parallel(_of_row, tasks)), ignore_index=True)


def _of_row(run: Run, row: Variant, seed: int, metric: str) -> pd.DataFrame:
    training = Training(run, row, seed)
    model = build_model(row.model, row.model_config, training.inputs(), seed)
    dataset, split, device = training.dataset, training.split, training.device
    if not isinstance(row.evaluation, RankingRule):
        raise ConfigError(f"{row.name} is evaluated by {row.evaluation.name}, which is no ranking.")
    test = row.evaluation.tester(dataset, split, device)

    def measured(network: Recommender) -> float:
        return test(network).metrics[metric]

    tested = Validation(metric, measured, higher_is_better=True)
    history = fit(
        model, dataset, split, row.training, seed, device, validation=tested, label=training.label
    )
    columns = {"model": row.name, "seed": seed, "epoch": range(1, len(history.valid) + 1)}
    return pd.DataFrame(columns | {"loss": history.train_loss, "value": history.valid})


def gain_by_choice(table: pd.DataFrame) -> pd.DataFrame:
    """Of :func:`tested_by_epoch`, by model: the value after the last epoch, the highest, its epoch,
    and their difference."""
    by_model = table.groupby("model", sort=False)
    last = by_model["value"].last()
    best = table.loc[by_model["value"].idxmax()].set_index("model")
    return pd.DataFrame(
        {
            "last epoch": last,
            "best on test": best["value"],
            "its epoch": best["epoch"],
            "gained by the choice": best["value"] - last,
        }
    ).loc[last.index]
