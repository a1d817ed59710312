"""Rows in percent of a reference row: gains over it, and tests whether they are as good as it."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from ..claims.judge import LEAST_SEEDS, LEVEL, LOWER_IS_BETTER
from ..errors import RecordError
from ..evaluation import equivalence, holm, mean_interval, percent_better
from ..experiments.names import row_name
from ..runs.records import values_by_seed
from .tables import differences

VERDICTS = ("equivalent", "better", "worse", "undecided")


def signed(value: float) -> str:
    """With a sign, but zero without one; one decimal."""
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def percent(value: float) -> str:
    """:func:`signed` with its unit."""
    return f"{signed(value)} %"


def span(low: float, high: float) -> str:
    """The ends of an interval, each :func:`signed`."""
    return f"{signed(low)} to {signed(high)}"


def percent_with_interval(mean: float, low: float, high: float) -> str:
    """A mean in percent and its interval, which is left out where its bounds are NaN."""
    return percent(mean) if np.isnan(low) else f"{percent(mean)} ({span(low, high)})"


def gains(records: pd.DataFrame, metric: str, reference: tuple[str, str]) -> pd.DataFrame:
    """Improvement of every row over the reference row (variant, protocol) over the same seeds.

    Returns:
        index model; columns percent (above 0 = better), low, high (95 %).
    """
    values, share = values_by_seed(records, metric)
    rows = {}
    for key, own in values.items():
        if key != reference:
            ours, theirs = own.align(values[reference], join="inner")
            found = mean_interval(percent_better(ours, theirs, metric in LOWER_IS_BETTER), share)
            rows[row_name(*key)] = {"percent": found.mean, "low": found.low, "high": found.high}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def row_of(records: pd.DataFrame, variant: str) -> tuple[str, str]:
    """The variant and its protocol, as a reference row; ``RecordError`` when the records lack
    it."""
    found = records.loc[records["variant"] == variant, "protocol"].unique()
    if len(found) != 1:
        raise RecordError(
            f"The reference row {variant!r} has {len(found)} protocols among these records, "
            "expected 1."
        )
    return variant, str(found[0])


def short_names(table: pd.DataFrame, prefix: str = "BoNMF, ") -> pd.DataFrame:
    """The table with its rows named without their protocol and without a prefix that all share."""
    names = table.index.str.replace(r" \([^()]*\)$", "", regex=True).str.removeprefix(prefix)
    return table.set_axis(names)


def equivalences(
    records: pd.DataFrame,
    metric: str,
    reference: tuple[str, str],
    margin: float,
    controls: Collection[str] = (),
) -> pd.DataFrame:
    """Relative difference of every row to the reference row (variant, protocol) over the same
    seeds, in percent.

    Args:
        margin: in percent; differences inside it count as none.
        controls: short names of rows that answer another question than the others (does the input
            matter at all?) and so are a family of tests of their own.

    Returns:
        index model; columns percent (above 0 = the row's metric is higher), low, high (90 %),
        p_equivalence (two one-sided tests) and p_difference (both adjusted after Holm, over each
        family of rows), seeds, and verdict: *equivalent* when p_equivalence < 0.05, else *better*
        or *worse* when p_difference < 0.05, else, and with fewer than three seeds, *undecided*.
    """
    difference = differences(records, metric, reference)
    values, share = values_by_seed(records, metric)
    rows = {}
    for key in values:
        if key == reference:
            continue
        ours, theirs = values[key].align(values[reference], join="inner")
        relative = 100 * (ours / theirs).to_numpy()
        found = equivalence(relative, np.full_like(relative, 100.0), margin, share)
        rows[row_name(*key)] = {
            "percent": found.mean,
            "low": found.low,
            "high": found.high,
            "p_equivalence": found.p_value,
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    table["p_difference"], table["seeds"] = difference["p_value"], difference["seeds"]
    is_control = short_names(table).index.isin(list(controls))
    for family in (is_control, ~is_control):
        for kind in ("p_equivalence", "p_difference"):
            table.loc[family, kind] = holm(table.loc[family, kind].tolist())
    sides = difference["favours"].map({True: "better", False: "worse"})
    table["verdict"] = sides.where(table["p_difference"] < LEVEL, "undecided")
    table.loc[table["p_equivalence"] < LEVEL, "verdict"] = "equivalent"
    table.loc[table["seeds"] < LEAST_SEEDS, "verdict"] = "undecided"
    return table


def equivalence_sentence(table: pd.DataFrame, metric: str, reference: str, margin: float) -> str:
    """Which rows are as good as the reference, in one line."""
    words = dict(
        zip(VERDICTS, (f"within {margin:g} %", "better", "worse", "undecided"), strict=True)
    )
    parts = []
    for verdict, said in words.items():
        names = table.index[table["verdict"] == verdict]
        if len(names):
            parts.append(f"{said}: {', '.join(names)}")
    return f"{metric}, against {reference}: " + "; ".join(parts) + "."
