"""Figures of what a reader chose: verdicts before and after, values beside the paper's, predictions
for one item."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import PALETTE, PAPER_COLOUR, axis_legend, finding_title, finished, grid, label


def verdict_shift(counts: pd.DataFrame) -> Figure:
    """Number of claims by verdict (index), one bar for each column: by today's rules and by
    others."""
    figure, ((axis,),) = grid(1, 1, (8, 3.2))
    places, height = np.arange(len(counts))[::-1], 0.8 / counts.shape[1]
    for number, name in enumerate(counts):
        shift = height * ((counts.shape[1] - 1) / 2 - number)
        bars = axis.barh(
            places + shift, counts[name], height, color=PALETTE[(7, 0)[number]], label=name
        )
        axis.bar_label(bars, padding=3)
    axis.set_yticks(places, counts.index)
    axis.margins(x=0.1)
    axis.set(xlabel="claims, checks of ours included")
    axis.grid(axis="y", visible=False)
    axis_legend(figure, axis)
    before, after = (counts.iloc[:, place] for place in (0, -1))
    moved = [
        f"{word} {was} to {now}"
        for word, was, now in zip(counts.index, before, after, strict=True)
        if was != now
    ]
    finding_title(figure, f"Claims by verdict: {'; '.join(moved) or 'the rule moves no count'}")
    return finished(figure)


def beside_paper(tables: dict[str, pd.DataFrame]) -> Figure:
    """A paper's values as crosses beside ours as dots, one panel a metric.

    Args:
        tables: by metric; index model, columns paper and ours.
    """
    rows = max(map(len, tables.values()), default=0)
    figure, axes = grid(1, len(tables), (5.5 * len(tables), 0.4 * rows + 1.6), sharey=True)
    for axis, (metric, table) in zip(axes.flat, tables.items(), strict=True):
        places = np.arange(len(table))[::-1]
        axis.hlines(places, table["paper"], table["ours"], color=PALETTE[7], linewidth=1)
        axis.scatter(table["ours"], places, color=PALETTE[0], label="ours, so read", zorder=3)
        axis.scatter(
            table["paper"], places, marker="x", s=60, color=PAPER_COLOUR, label="paper", zorder=3
        )
        axis.set_yticks(places, [label(name) for name in table.index])
        axis.margins(x=0.08)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.set(xlabel=metric)
    axis_legend(figure, axes.flat[-1])
    gaps = "; ".join(
        f"{metric} {(table['ours'] - table['paper']).abs().max():.3f}"
        for metric, table in tables.items()
    )
    finding_title(figure, f"Ours beside the paper's, largest difference: {gaps}")
    return finished(figure)


_STATES = ("o", "s", "^", "D")


def item_predictions(table: pd.DataFrame, truth: float, title: str, unit: str) -> Figure:
    """Predicted ratings of one item by model, as it is and with parts of it masked.

    Args:
        table: index model, columns the states; the first is the item as it is, the others are NaN
            where a model does not read that part.
        truth: what it was rated, drawn as a line; NaN = unknown.
        unit: of ratings.
    """
    figure, ((axis,),) = grid(1, 1, (8, 0.36 * len(table) + 2.2))
    places = np.arange(len(table))[::-1]
    for number, (state, marker) in enumerate(zip(table, _STATES, strict=False)):
        axis.scatter(
            table[state], places, marker=marker, s=70 if number == 0 else 32, label=state,
            color=PALETTE[number], zorder=3 + number,
        )  # fmt: skip
    if np.isfinite(truth):
        axis.axvline(truth, color="black", linewidth=1, linestyle="--", label="as rated")
    axis.hlines(places, table.min(axis=1), table.max(axis=1), color=PALETTE[7], linewidth=1)
    axis.set_yticks(places, [label(name) for name in table.index])
    axis.margins(x=0.08)
    axis.set(xlabel=f"predicted rating, {unit}")
    axis_legend(figure, axis)
    finding_title(figure, title)
    return finished(figure)
