"""How trained rows behave: their curves, predictions, failure signatures and run-to-run variance
(definitions of the signatures: ``evaluation/diagnostics.py``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..datasets import Dataset
from ..datasets.words import upper_first
from ..evaluation.diagnostics import diagnose, run_spread
from ..evaluation.names import metric_name
from ..evaluation.rating import COLD, definition_on
from ..experiments.names import row_name
from ..runs.records import comparable, values_by_seed
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..splits.split import Split
from ..training.loop import History


def histories(run: Run, rows: Sequence[Variant], seeds: Sequence[int]) -> dict[str, list[History]]:
    """The training curves of trained rows by name, one per seed."""
    return {
        row_name(row.name, row.protocol): [Training(run, row, seed).history() for seed in seeds]
        for row in rows
    }


def predictions(run: Run, rows: Sequence[Variant], seed: int) -> dict[str, pd.DataFrame]:
    """The test predictions of trained rows by name, of one seed."""
    return {
        row_name(row.name, row.protocol): Training(run, row, seed).predictions() for row in rows
    }


def best_epochs(records: pd.DataFrame) -> pd.DataFrame:
    """Smallest, median and largest best epoch over seeds, one row per model and protocol."""
    chosen = comparable(records[records["metric"] == "best_epoch"])
    best = chosen.groupby(["variant", "protocol"], sort=False)["value"]
    return best.agg(["min", "median", "max"]).round(1).rename_axis(["model", "protocol"])


def training_counts(dataset: Dataset, split: Split) -> dict[str, np.ndarray]:
    """Number of training ratings per id, by ``user`` (users,) and ``item`` (items,)."""
    train, sizes = (
        dataset.ratings.iloc[split.train],
        {"user": dataset.n_users, "item": dataset.n_items},
    )
    return {side: np.bincount(train[side], minlength=size) for side, size in sizes.items()}


def cold_sentence(run: Run, row: Variant, seeds: Sequence[int]) -> str:
    """On how much an error on items with fewer than ``COLD`` training ratings rests, over a row's
    splits."""
    ratings, items, everything = [], [], []
    for seed in seeds:
        split = Training(run, row, seed).split
        tested = run.dataset.ratings["item"].to_numpy()[split.test]
        cold = tested[training_counts(run.dataset, split)["item"][tested] < COLD]
        ratings.append(len(cold))
        items.append(len(np.unique(cold)))
        everything.append(len(tested))
    words, share = run.dataset.words, np.sum(ratings) / np.sum(everything)
    spans = [
        f"{min(n):,} to {max(n):,}" if min(n) < max(n) else f"{n[0]:,}" for n in (ratings, items)
    ]
    return (
        f"{upper_first(words.items)} with fewer than {COLD} training ratings have {spans[0]} "
        f"test ratings by split, {share:.2%} of all, on {spans[1]} {words.items}."
    )


def diagnose_rows(
    run: Run,
    rows: Sequence[Variant],
    seeds: Sequence[int],
    several: Mapping[str, Sequence[np.ndarray]],
) -> dict[str, pd.DataFrame]:
    """:func:`~bonmf_lib.evaluation.diagnostics.diagnose` of trained rows over their seeds, by name.

    Args:
        several: predictions from several initial weights on one split, by the names of rows that
        have them.
    """
    found, definition = {}, definition_on(run.dataset.scale)
    for row in rows:
        trainings = [Training(run, row, seed) for seed in seeds]
        tested, curves = (
            [one.predictions() for one in trainings],
            [one.history() for one in trainings],
        )
        found[row.name] = diagnose(tested, curves, several.get(row.name), definition)
    return found


def signatures(diagnoses: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model: the numbers that decide the signatures, which of them are present, and the
    thresholds as the column titles.

    Args:
        diagnoses: of :func:`~bonmf_lib.evaluation.diagnostics.diagnose`, by model.
    """
    table = _numbers(diagnoses, "condition")
    present = {
        model: found.loc[found["present"].astype(bool), "signature"]
        for model, found in diagnoses.items()
    }
    return table.assign(
        signatures=["; ".join(present[model].unique()) or "none" for model in table.index]
    )


def evidence(diagnoses: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model: the numbers and thresholds (column titles) of the causes that the
    signatures are read as. What no model has is left out: without validation ratings, overfitting
    cannot be judged."""
    return _numbers(diagnoses, "evidence").dropna(axis=1, how="all")


def _numbers(diagnoses: Mapping[str, pd.DataFrame], role: str) -> pd.DataFrame:
    rows = {}
    for model, found in diagnoses.items():
        asked = found[found["role"] == role]
        titles = [
            f"{row.quantity} ({row.comparison} {row.threshold:g})" for row in asked.itertuples()
        ]
        rows[model] = dict(zip(titles, asked["value"].astype(float).round(3), strict=True))
    return pd.DataFrame(rows).T.rename_axis(index="model", columns=None)


def in_one_table(diagnoses: Mapping[str, pd.DataFrame], seeds: int) -> pd.DataFrame:
    """All diagnoses below each other and over how many seeds they were made, to be kept with the
    records; :func:`by_model` takes them apart again."""
    return (
        pd.concat(diagnoses, names=["model"])
        .reset_index(level="model")
        .reset_index(drop=True)
        .assign(seeds=seeds)
    )


def by_model(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The diagnoses of :func:`in_one_table`."""
    return {
        model: rows.drop(columns=["model", "seeds"])
        for model, rows in table.groupby("model", sort=False)
    }


def run_spreads(records: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Standard deviation over seeds in percent of the mean, one row per model and protocol, one
    column per metric; each seed is another split and other initial weights."""
    columns = {}
    for metric in metrics:
        groups, _ = values_by_seed(records, metric)
        columns[f"sd of {metric_name(metric)}, %"] = {
            row_name(*key): 100 * run_spread(values) for key, values in groups.items()
        }
        seeds = {row_name(*key): len(values) for key, values in groups.items()}
    return pd.DataFrame(columns).assign(seeds=pd.Series(seeds)).rename_axis("model")
