"""Figures about overlap: recovery of what was planted, shares of information, overlap against
gain."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...studies.overlap import overlap_gain_correlation
from .findings import listed
from .style import (
    OPEN,
    PALETTE,
    axis_legend,
    diagonal,
    finding_title,
    finished,
    grid,
    half_widths,
    label,
    spread,
)

_MARKERS = "os^Dvp"


def recovery_curves(recovered: pd.DataFrame) -> Figure:
    """Found against planted overlap, a line per estimator, a panel per number of items and kind of
    features.

    Args:
        recovered: of :func:`bonmf_lib.studies.overlap.planted_recovery`.
    """
    panels = list(recovered.groupby(["features", "items"], sort=False))
    figure, axes = grid(1, len(panels), (max(8, 3.2 * len(panels)), 4.4), sharey=True)
    for axis, ((kind, size), panel) in zip(axes.flat, panels, strict=True):
        diagonal(axis, (0, 1), "the truth", "black")
        groups = panel.groupby("estimator", sort=False)
        for (name, group), colour, marker in zip(groups, PALETTE, _MARKERS, strict=False):
            means = group.groupby("truth")["found"].mean()
            axis.plot(means.index, means, marker=marker, color=colour, label=label(name))
        axis.set(xlabel="planted overlap", title=label(f"{kind}, {size} items", 40))
    axes[0, 0].set_ylabel("estimate")
    axis_legend(figure, axes[0, -1])
    off = (recovered["found"] - recovered["truth"]).abs().groupby(recovered["estimator"]).mean()
    finding_title(
        figure,
        f"Mean distance from the planted overlap: least of {label(off.idxmin())} "
        f"({off.min():.2f}), most of {label(off.idxmax())} ({off.max():.2f})",
    )
    return finished(figure)


def information_curves(planted: pd.DataFrame) -> Figure:
    """Redundancy, co-information and the picture's gain against what both modalities truly share.

    Args:
        planted: of :func:`bonmf_lib.studies.overlap.planted_information`.
    """
    figure, ((axis,),) = grid(1, 1, (8, 4.8))
    diagonal(axis, (0, 1), "the truth", "black")
    names = {
        "redundant": "redundancy (MMI)",
        "co_information": "co-information",
        "gain": "gain of the picture",
    }
    for (column, name), colour, marker in zip(names.items(), PALETTE, _MARKERS, strict=False):
        group = planted.groupby("truth")[column]
        mean, deviation = group.mean(), group.std()
        axis.errorbar(
            mean.index, mean, yerr=deviation, marker=marker, color=colour, capsize=3, label=name
        )
    axis.set(
        xlabel="share that both modalities tell",
        ylabel="share of what both tell together\n(mean ± standard deviation over seeds)",
    )
    axis_legend(figure, axis)
    truth = planted["truth"]
    off = {column: (planted[column] - truth).abs().mean() for column in list(names)[:2]}
    finding_title(
        figure,
        "Mean distance from the planted share: "
        + listed([f"{names[column]} {value:.2f}" for column, value in off.items()]),
    )
    return finished(figure)


def information_bars(tables: dict[str, pd.DataFrame]) -> Figure:
    """Shares of information on ratings with their intervals, a panel per set of other inputs.

    Args:
        tables: of :func:`bonmf_lib.studies.overlap.information_table` by title.
    """
    figure, axes = grid(1, len(tables), (max(8, 5.2 * len(tables)), 4), sharey=True)
    together = []
    for axis, (title, table) in zip(axes.flat, tables.items(), strict=True):
        rows = table.iloc[::-1]
        axis.errorbar(
            rows["mean"], rows.index, xerr=spread(rows), fmt="o", color=PALETTE[0], capsize=3
        )
        for place in np.flatnonzero(rows["mean"].isna()):
            axis.annotate(
                "not defined", (0.5, place), xycoords=("axes fraction", "data"), ha="center",
                va="center", color=OPEN, fontsize="small",
            )  # fmt: skip
        axis.axvline(0, color="black", linewidth=1)
        axis.set(xlabel="reduction of the MSE, 95 % intervals", title=label(title))
        axis.margins(y=0.12)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        both = table.loc["together"]
        told = "" if both["low"] > 0 or both["high"] < 0 else ", not told from zero"
        together.append(f"{label(title)} {both['mean']:+.3f}{told}")
    finding_title(
        figure,
        f"Reduction of the MSE by text and picture together: {'; '.join(together)} (scales differ)",
    )
    return finished(figure)


def overlap_gain_scatter(
    overlap: np.ndarray, gain: pd.Series, genres: pd.DataFrame, bins: int = 10
) -> Figure:
    """Overlap against what the picture gains: means of tenths of the items, and of genres where
    there are any, with 95 % intervals; of many genres only those of least and of most overlap.

    Args:
        overlap: (items,), NaN where unknown. gain: by item.
        genres: of :func:`bonmf_lib.studies.overlap.genre_table`.
    """
    table = pd.DataFrame({"overlap": overlap[gain.index], "gain": gain.to_numpy()}).dropna()
    parts = table.groupby(pd.qcut(table["overlap"], bins, duplicates="drop"), observed=True)
    means, errors = parts.mean(), half_widths(parts["gain"])
    shown = genres.sort_values("overlap") if len(genres) else genres
    if len(shown) > _MOST_GENRES:
        shown = pd.concat([shown[: _MOST_GENRES // 2], shown[-_MOST_GENRES // 2 :]])
    panels = 2 if len(genres) else 1
    figure, axes = grid(1, panels, (max(8, 6 * panels), max(4.4, 1.4 + 0.27 * len(shown))))
    axes[0, 0].errorbar(
        means["overlap"], means["gain"], yerr=errors, fmt="o", color=PALETTE[0], capsize=3
    )
    axes[0, 0].axhline(0, color="black", linewidth=1)
    axes[0, 0].set(
        xlabel="overlap of an item's picture with its text",
        ylabel="gain of the picture (squared error)",
        title="Items, in tenths",
    )
    if len(shown):
        _genres(axes[0, 1], shown)
    found = overlap_gain_correlation(overlap, gain.dropna())
    finding_title(
        figure,
        "Gain of the picture against its overlap with the text, Spearman over "
        f"{found.items} items: {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]",
    )
    return finished(figure)


_MOST_GENRES = 24


def _genres(axis: Axes, genres: pd.DataFrame) -> None:
    """Genres from least overlap (top) to most, by their gain."""
    places = np.arange(len(genres))
    axis.errorbar(
        genres["gain"], places, xerr=spread(genres, "gain", "gain_low", "gain_high"), fmt="s",
        color=PALETTE[1], capsize=3,
    )  # fmt: skip
    axis.axvline(0, color="black", linewidth=1)
    names = zip(genres.index, genres["overlap"], strict=True)
    axis.set_yticks(places, [f"{label(genre, 30)} ({value:.2f})" for genre, value in names])
    axis.invert_yaxis()
    axis.set(xlabel="gain of the picture (squared error)", title="Genres (mean overlap)")
