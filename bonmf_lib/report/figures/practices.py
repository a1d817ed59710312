"""Practices behind printed numbers: metric definitions at a glance and one by one, leaks by epoch,
variants of SVD."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

from ...errors import RecordError
from ..chips import text_on
from ..definition_fits import TOLERANCE
from .findings import listed, splits
from .style import (
    PALETTE,
    PAPER_COLOUR,
    axis_legend,
    finding_title,
    finished,
    grid,
    label,
    legend_below,
    mark,
)

_PRECISION = {"list": "hits / min(K, n)", "fixed": "hits / K", "recommended": "hits / recommended"}
_COLOURS = {
    name: PALETTE[place] for name, place in zip((*_PRECISION, "ndcg"), (0, 2, 1, 4), strict=True)
}
_K_MARKERS = {"K = 1 or 3": "v", "K = 5 or 10": "o", "K = 20": "s", "whole list": "*"}
_CONSTANT = -1.25  # height at which definitions without a rank correlation are drawn


def definition_map(fits: dict[str, pd.DataFrame], nearest: int = 3) -> Figure:
    """Every definition by distance to the paper's column and agreement with its order, one panel
    per metric.

    Filled: candidates are the user's own ratings; hollow: all items. Definitions with equal values
    are drawn once.

    Args:
        fits: tables of :func:`bonmf_lib.report.definition_fits.fit_to_paper` by the column's name.
        nearest: definitions that are numbered and spelled out under each panel.
    """
    figure, axes = grid(1, len(fits), (max(8, 6.4 * len(fits)), 6.6))
    kinds_shown: dict[str, None] = {}
    groups_shown: set[str] = set()
    nearness, any_hollow = [], False
    for axis, (name, table) in zip(axes.flat, fits.items(), strict=True):
        shown = table[table["distinct"] & table["rmse"].notna()]
        kinds = shown["variant"].where(shown["metric"] == "precision", "ndcg")
        conditions = [shown["k"].isna(), shown["k"] <= 3, shown["k"] <= 10]
        groups = pd.Series(
            np.select(conditions, ["whole list", "K = 1 or 3", "K = 5 or 10"], "K = 20"),
            shown.index,
        )
        heights = shown["spearman"].fillna(_CONSTANT)
        for (kind, group, pool), rows in shown.groupby(
            [kinds, groups, "candidates"]
        ).groups.items():
            axis.scatter(
                shown.loc[rows, "rmse"], heights[rows], s=90 if group == "whole list" else 40,
                alpha=0.8, marker=_K_MARKERS[group], edgecolors=_COLOURS[kind], linewidths=1.2,
                facecolors=_COLOURS[kind] if pool == "rated" else "none",
            )  # fmt: skip
        _number(axis, shown["rmse"].iloc[:nearest], heights.iloc[:nearest])
        axis.set_yticks(
            [_CONSTANT, -1, -0.5, 0, 0.5, 1], ["constant", "−1", "−0.5", "0", "0.5", "1"]
        )
        axis.set(xlim=(0, None), ylim=(_CONSTANT - 0.15, 1.4), title=label(name))
        labels = [f"{place}: {text}" for place, text in enumerate(shown.index[:nearest], start=1)]
        axis.set_xlabel("\n".join(["distance to the paper's column (rmse)", "", *labels]))
        kinds_shown |= dict.fromkeys(kind for kind in _COLOURS if (kinds == kind).any())
        groups_shown |= set(groups)
        any_hollow |= bool((shown["candidates"] == "all").any())
        nearness.append(f"{label(name)} {shown['rmse'].min():.3f} ({len(shown)} readings)")
    axes[0, 0].set_ylabel("rank correlation with the paper over the rows")
    handles = [mark(_COLOURS[kind], "o", (_PRECISION | {"ndcg": "NDCG"})[kind])
               for kind in kinds_shown]  # fmt: skip
    handles += [mark("grey", _K_MARKERS[group], group) for group in _K_MARKERS
                if group in groups_shown]  # fmt: skip
    handles += [mark("grey", "o", "hollow: all items are candidates", hollow=True)] * any_hollow
    legend_below(figure, handles)
    finding_title(
        figure,
        f"Distance of the nearest reading to the paper's column: {listed(nearness)}",
    )
    return finished(figure)


def _number(axis: Axes, x: pd.Series, y: pd.Series) -> None:
    """Numbers from 1, each with a line to its point: above the points, or above those that are
    constant."""
    for place, (left, height) in enumerate(zip(x, y, strict=True), start=1):
        axis.annotate(
            str(place), (left, height), (0.07 * place, 0.94 if height > _CONSTANT else 0.2),
            textcoords="axes fraction", ha="center", va="center", weight="bold",
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "black"}, zorder=5,
            arrowprops={"arrowstyle": "-", "color": "black", "linewidth": 0.8},
        )  # fmt: skip


def definition_heat(
    fits: pd.DataFrame,
    values: pd.Series,
    paper: float,
    name: str,
    candidates: str = "rated",
    averaging: str = "user",
) -> Figure:
    """One model's metric over K x threshold (or gain); colour = difference to the paper's value,
    near ones boxed.

    Args:
        fits: table of :func:`bonmf_lib.report.definition_fits.fit_to_paper`, for the definitions'
        choices.
        values: the model's value by definition label; the definitions of one metric.
        paper: the paper's value of that model.
        name: of model and metric, for the title.
    """
    table = fits[(fits["candidates"] == candidates) & (fits["averaging"] == averaging)]
    table = table.assign(
        value=values.reindex(table.index), choice=_choices(table), panel=_panels(table)
    )
    if not table["value"].notna().any():
        raise RecordError(f"There is no value of {name} for any definition of this table.")
    panels = [panel for panel in _PANEL_ORDER if (table["panel"] == panel).any()]
    figure, axes = grid(1, len(panels), (max(8, 1.6 + 3.9 * len(panels)), 4.3))
    span = max(float((table["value"] - paper).abs().max()), 1e-6)
    for axis, panel in zip(axes.flat, panels, strict=True):
        part = table[table["panel"] == panel]
        cells = part.assign(k=part["k"].fillna(np.inf)).pivot_table(
            values="value", index="choice", columns="k", sort=True, observed=True
        )
        picture = axis.imshow(cells - paper, cmap="PuOr", vmin=-span, vmax=span, aspect="auto")
        for (row, column), value in np.ndenumerate(cells.to_numpy()):
            axis.text(
                column, row, f"{value:.3f}", ha="center", va="center", fontsize=9,
                color=text_on(to_hex(picture.to_rgba(value - paper))),
            )  # fmt: skip
            if abs(value - paper) <= TOLERANCE * paper:
                corner = column - 0.46, row - 0.44
                axis.add_patch(plt.Rectangle(corner, 0.92, 0.88, fill=False, lw=2, ec="black"))
        axis.set_xticks(
            range(cells.shape[1]), ["all" if k == np.inf else f"{k:g}" for k in cells.columns]
        )
        axis.set_yticks(range(cells.shape[0]), cells.index)
        axis.set(xlabel="K", title=panel)
        axis.grid(visible=False)
    figure.colorbar(
        picture, ax=axes, label="difference to the paper", fraction=0.05 / len(panels) + 0.02
    )
    pool = "own ratings" if candidates == "rated" else "all items"
    mean = "user mean" if averaging == "user" else "pooled"
    near = ((table["value"] - paper).abs() <= TOLERANCE * paper).sum()
    finding_title(
        figure,
        f"{name}: {near} of {table['value'].notna().sum()} readings lie within {TOLERANCE:.0%} of "
        f"the paper's {paper:.4f} (boxed; {pool}, {mean})",
    )
    return finished(figure)


def leak_plot(curves: pd.DataFrame, paper: float, published_epochs: int) -> Figure:
    """MSE by epoch under each practice, the paper's value and its number of epochs marked.

    Args:
        curves: index epoch, one column per practice.
    """
    figure, ((axis,),) = grid(1, 1, (8, 5.2))
    markers = "osD^vPX*"
    for place, name in enumerate(curves.columns):
        axis.plot(
            curves.index, curves[name], marker=markers[place % 8], ms=4,
            color=PALETTE[place % len(PALETTE)], label=label(name),
        )  # fmt: skip
    axis.axhline(paper, linestyle="--", color=PAPER_COLOUR, label=f"paper: {paper:.4f}")
    near = paper * (1 - TOLERANCE), paper * (1 + TOLERANCE)
    axis.axhspan(
        *near, color="grey", alpha=0.15, linewidth=0, label=f"within {TOLERANCE:.0%} of it"
    )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.axvline(
        published_epochs,
        linestyle=":",
        color="grey",
        label=f"{published_epochs} epochs, as in the table",
    )
    axis.set(xlabel="epoch", ylabel="MSE (one split)")
    axis_legend(figure, axis)
    near_paper = {name: curves.index[curves[name] <= near[1]] for name in curves.columns}
    first = {label(name): epochs[0] for name, epochs in near_paper.items() if len(epochs)}
    inside = [name for name, epoch in first.items() if epoch <= published_epochs]
    later = [f"{name} (from epoch {epoch})" for name, epoch in first.items() if name not in inside]
    finding_title(
        figure,
        f"Within the paper's {published_epochs} epochs, at most {TOLERANCE:.0%} above its error: "
        f"{listed(inside, 2) or 'no practice'}; later: {listed(later, 2) or 'none'}",
    )
    return finished(figure)


def weights_plot(curves: pd.DataFrame, name: str, paper: float) -> Figure:
    """Test MSE by epoch from every initial weights, a colour per split; the paper's value marked.

    Args:
        curves: columns split, weights, epoch, mse.
    """
    figure, ((axis,),) = grid(1, 1, (8, 4.6))
    for place, (split, rows) in enumerate(curves.groupby("split")):
        wide = rows.pivot_table(index="epoch", columns="weights", values="mse")
        lines = axis.plot(
            wide.index, wide, color=PALETTE[place % len(PALETTE)], linewidth=1, alpha=0.7
        )
        lines[0].set_label(f"split {split}")
    axis.axhline(paper, linestyle="--", color=PAPER_COLOUR, label=f"paper: {paper:.4f}")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel="test MSE, one line for each initial weights")
    axis_legend(figure, axis)
    last = curves[curves["epoch"] == curves["epoch"].max()]
    inside = "inside" if last["mse"].min() <= paper <= last["mse"].max() else "outside"
    finding_title(
        figure,
        f"{label(name, 40)}: {splits(last['split'].nunique())} and "
        f"{last['weights'].nunique()} initial weights each end at a test MSE of "
        f"{last['mse'].min():.3f} to {last['mse'].max():.3f}, "
        f"the paper's {paper:.4f} {inside}",
    )
    return finished(figure)


def svd_plot(table: pd.DataFrame, paper: float, unit: str = "stars") -> Figure:
    """MSE of truncated SVD by number of factors, for every filling, part and clipping; the paper's
    value marked.

    Args:
        table: columns centre, factors, part, clipped, mse. unit: of the ratings.
    """
    parts = list(table["part"].unique())
    figure, axes = grid(1, len(parts), (max(8, 4.4 * len(parts)), 5), sharey=True)
    names = {
        "none": f"0 {unit}",
        "global": "mean of all",
        "user": "user's mean",
        "item": "item's mean",
    }
    for axis, part in zip(axes.flat, parts, strict=True):
        for place, centre in enumerate(table["centre"].unique()):
            for clipped, style in ((False, "-"), (True, "--")):
                chosen = (
                    (table["part"] == part)
                    & (table["centre"] == centre)
                    & (table["clipped"] == clipped)
                )
                rows = table[chosen].sort_values("factors")
                axis.plot(
                    rows["factors"],
                    rows["mse"],
                    style,
                    marker="osD^"[place % 4],
                    ms=4,
                    color=PALETTE[place],
                    label=names[centre] + (", clipped" if clipped else ""),
                )
        axis.axhline(paper, linestyle=":", color=PAPER_COLOUR, label=f"paper: {paper:g}")
        axis.set(xscale="log", yscale="log", xlabel="factors", title=label(part, 40))
        for side in (axis.xaxis, axis.yaxis):
            side.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter())
    axes[0, 0].set_ylabel("MSE")
    axis_legend(figure, axes.flat[-1], title="unknown ratings are")
    near = table.loc[(table["mse"] - paper).abs().idxmin()]
    filled = table.loc[table["centre"] != "none", "mse"]
    finding_title(
        figure,
        f"Truncated SVD comes nearest to the paper's {paper:g} with unknown ratings at "
        f"{names[near['centre']]} ({near['mse']:.2f}, {label(near['part'], 40)})"
        + (f"; filled with means it is at most {filled.max():.3f}" if len(filled) else ""),
    )
    return finished(figure)


_PANEL_ORDER = (
    *_PRECISION.values(),
    "hits / recommended, none = 0",
    "hits / recommended, none = 1",
    "NDCG by gain",
)


def _choices(table: pd.DataFrame) -> pd.Series:
    """Row names of the heat map, graded gains first, then relevance thresholds upwards."""
    names = [
        gain if np.isnan(threshold) else f"r ≥ {threshold:g}"
        for gain, threshold in zip(table["gain"], table["threshold"], strict=True)
    ]  # fmt: skip
    order = [
        "exponential",
        "linear",
        *(f"r ≥ {t:g}" for t in sorted(table["threshold"].dropna().unique())),
    ]
    return pd.Series(pd.Categorical(names, [name for name in order if name in names]), table.index)


def _panels(table: pd.DataFrame) -> pd.Series:
    """Title of the panel that each definition belongs to."""
    empty = table["empty"].map(lambda value: "" if np.isnan(value) else f", none = {value:g}")
    return (table["variant"].map(_PRECISION) + empty).where(
        table["metric"] == "precision", "NDCG by gain"
    )
