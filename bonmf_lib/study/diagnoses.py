"""Failure signatures and run-to-run variance, as tables (their definitions: ``evaluation/diagnostics.py``)."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ..evaluation.diagnostics import run_spread
from .tables import row_name, values_by_seed


def signatures(diagnoses: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model: the numbers that decide the signatures, which of them are present, and the thresholds as the
    column titles.

    Args:
        diagnoses: of :func:`~bonmf_lib.evaluation.diagnostics.diagnose`, by model.
    """
    table = _numbers(diagnoses, "condition")
    present = {model: found.loc[found["present"].astype(bool), "signature"] for model, found in diagnoses.items()}
    return table.assign(signatures=["; ".join(present[model].unique()) or "none" for model in table.index])


def evidence(diagnoses: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per model: the numbers and thresholds (column titles) of the causes that the signatures are read as.
    What no model has is left out: without validation ratings, overfitting cannot be judged."""
    return _numbers(diagnoses, "evidence").dropna(axis=1, how="all")


def _numbers(diagnoses: Mapping[str, pd.DataFrame], role: str) -> pd.DataFrame:
    rows = {}
    for model, found in diagnoses.items():
        asked = found[found["role"] == role]
        titles = [f"{row.quantity} ({row.comparison} {row.threshold:g})" for row in asked.itertuples()]
        rows[model] = dict(zip(titles, asked["value"].astype(float).round(3), strict=True))
    return pd.DataFrame(rows).T.rename_axis(index="model", columns=None)


def in_one_table(diagnoses: Mapping[str, pd.DataFrame], seeds: int) -> pd.DataFrame:
    """All diagnoses below each other and over how many seeds they were made, to be kept with the records;
    :func:`by_model` takes them apart again."""
    return pd.concat(diagnoses, names=["model"]).reset_index(level="model").reset_index(drop=True).assign(seeds=seeds)


def by_model(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The diagnoses of :func:`in_one_table`."""
    return {model: rows.drop(columns=["model", "seeds"]) for model, rows in table.groupby("model", sort=False)}


def run_spreads(records: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Standard deviation over seeds in percent of the mean, one row per model and protocol, one column per metric;
    each seed is another split and other initial weights."""
    columns = {}
    for metric in metrics:
        groups, _ = values_by_seed(records, metric)
        columns[f"sd of {metric}, %"] = {row_name(*key): 100 * run_spread(values) for key, values in groups.items()}
        seeds = {row_name(*key): len(values) for key, values in groups.items()}
    return pd.DataFrame(columns).assign(seeds=pd.Series(seeds)).rename_axis("model")
