"""Figures about overlap: recovery of what was planted, shares of information, overlap against
gain."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .general import PALETTE, _diagonal, _finished, _grid, _label, _spread, plt

_MARKERS = "os^Dvp"


def recovery_curves(recovered: pd.DataFrame) -> Figure:
    """Found against planted overlap, a line per estimator, a panel per number of items and kind of
    features.

    Args:
        recovered: of :func:`bonmf_lib.studies.overlap.planted_recovery`.
    """
    panels = list(recovered.groupby(["features", "items"], sort=False))
    figure, axes = _grid(1, len(panels), (3.6 * len(panels) + 1.5, 3.8), sharey=True)
    for axis, ((kind, size), panel) in zip(axes.flat, panels, strict=True):
        _diagonal(axis, (0, 1), "the truth", "black")
        groups = panel.groupby("estimator", sort=False)
        for (name, group), colour, marker in zip(groups, PALETTE, _MARKERS, strict=False):
            means = group.groupby("truth")["found"].mean()
            axis.plot(means.index, means, marker=marker, color=colour, label=_label(name))
        axis.set(xlabel="planted overlap", title=f"{kind}, {size} items")
    axes[0, 0].set_ylabel("estimate")
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle("Do estimators find the overlap that was planted?", fontsize="medium")
    return _finished(figure)


def information_curves(planted: pd.DataFrame) -> Figure:
    """Redundancy, co-information and the picture's gain against what both modalities truly share.

    Args:
        planted: of :func:`bonmf_lib.studies.overlap.planted_information`.
    """
    figure, axis = plt.subplots(figsize=(6.5, 4))
    _diagonal(axis, (0, 1), "the truth", "black")
    names = {
        "redundant": "redundancy (MMI)",
        "co_information": "co-information",
        "gain": "gain of the picture",
    }
    for (column, name), colour, marker in zip(names.items(), PALETTE, _MARKERS, strict=False):
        group = planted.groupby("truth")[column]
        mean, spread = group.mean(), group.std()
        axis.errorbar(
            mean.index, mean, yerr=spread, marker=marker, color=colour, capsize=3, label=name
        )
    axis.set(
        xlabel="share that both modalities tell",
        ylabel="share of what both tell together",
        title=(
            "What is shared of planted information on ratings\nmean ± standard deviation over seeds"
        ),
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def information_bars(tables: dict[str, pd.DataFrame]) -> Figure:
    """Shares of information on ratings with their intervals, a panel per set of other inputs.

    Args:
        tables: of :func:`bonmf_lib.studies.overlap.information_table` by title.
    """
    figure, axes = _grid(1, len(tables), (5.2 * len(tables), 3.2), sharey=True)
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=True):
        rows = table.iloc[::-1]
        spread = _spread(rows["mean"], rows["low"], rows["high"])
        axis.errorbar(rows["mean"], rows.index, xerr=spread, fmt="o", color=PALETTE[0], capsize=3)
        axis.axvline(0, color="black", linewidth=1)
        axis.set(xlabel="reduction of the MSE", title=title)
        axis.margins(y=0.12)
        axis.xaxis.set_major_locator(MaxNLocator(5))
    return _finished(figure)


def overlap_gain_scatter(
    overlap: np.ndarray, gain: pd.Series, genres: pd.DataFrame, bins: int = 10
) -> Figure:
    """Overlap against what the picture gains: means of tenths of the items, and of genres where
    there are any, with 95 % intervals; of many genres only the outermost are named.

    Args:
        overlap: (items,), NaN where unknown. gain: by item.
        genres: of :func:`bonmf_lib.studies.overlap.genre_table`.
    """
    table = pd.DataFrame({"overlap": overlap[gain.index], "gain": gain.to_numpy()}).dropna()
    parts = table.groupby(pd.qcut(table["overlap"], bins, duplicates="drop"), observed=True)
    means, errors = parts.mean(), 1.96 * parts["gain"].sem()
    panels = 2 if len(genres) else 1
    figure, axes = _grid(1, panels, (6 * panels, 4.2))
    axes[0, 0].errorbar(
        means["overlap"], means["gain"], yerr=errors, fmt="o", color=PALETTE[0], capsize=3
    )
    axes[0, 0].set(
        xlabel="overlap of an item's picture with its text",
        ylabel="gain of the picture (squared error)",
    )
    axes[0, 0].set_title("Items, in tenths")
    if len(genres):
        _genres(axes[0, 1], genres)
    for axis in axes.flat:
        axis.axhline(0, color="black", linewidth=1)
    figure.suptitle("Does the picture gain more where it says something else?", fontsize="medium")
    return _finished(figure)


def _genres(axis: Axes, genres: pd.DataFrame) -> None:
    spread = [genres["gain"] - genres["gain_low"], genres["gain_high"] - genres["gain"]]
    axis.errorbar(
        genres["overlap"], genres["gain"], yerr=spread, fmt="s", color=PALETTE[1], capsize=3
    )
    named = genres
    if len(genres) > 8:
        ends = [
            place
            for name in ("overlap", "gain")
            for place in genres[name].argsort().iloc[[0, 1, -2, -1]]
        ]
        named = genres.iloc[sorted(set(ends))]
    for genre, row in named.iterrows():
        place, style = (row["overlap"], row["gain"]), {"textcoords": "offset points", "fontsize": 7}
        axis.annotate(_label(genre, 30), place, xytext=(4, 3), **style)
    axis.set(xlabel="mean overlap of a genre", title="Genres")
