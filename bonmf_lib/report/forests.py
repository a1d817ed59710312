"""Differences of rows as a figure, or one sentence where nothing tells how certain they are."""

from collections.abc import Iterator

import pandas as pd

from ..claims.judge import LEAST_SEEDS
from .figures.comparison import forest_plot
from .published import Part, show


def forest(differences: pd.DataFrame, reference: str, metric: str) -> Iterator[Part]:
    """The forest plot of :func:`bonmf_lib.report.tables.differences`. Where no row has an interval
    a sentence takes its place, since dots alone would pass for evidence.

    Args:
        reference: name of the row that was subtracted. metric: decides which direction is better.
    """
    if (differences["seeds"] < LEAST_SEEDS).all():
        yield (
            f"Differences to {reference} are not drawn: "
            f"intervals need at least {LEAST_SEEDS} splits."
        )
        return
    yield forest_plot(differences.rename(columns={"difference": "mean"}), reference, metric)


def show_forest(differences: pd.DataFrame, reference: str, metric: str) -> None:
    """Display :func:`forest`."""
    show(forest(differences, reference, metric))
