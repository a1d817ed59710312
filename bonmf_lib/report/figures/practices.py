"""Practices behind printed numbers: metric definitions at a glance and one by one, leaks by epoch,
variants of SVD."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter, MaxNLocator

from ...errors import RecordError
from ..practices import TOLERANCE
from .general import PALETTE, PAPER_COLOUR, _finished, _grid, _label

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
        fits: tables of :func:`bonmf_lib.report.practices.fit_to_paper` by the column's name.
        nearest: definitions that are numbered and spelled out under each panel.
    """
    figure, axes = _grid(1, len(fits), (6.4 * len(fits), 6.2), layout="constrained")
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
        axis.set(
            xlim=(0, None), ylim=(_CONSTANT - 0.15, 1.15),
            ylabel="rank correlation with the paper over the rows",
            title=f"{name}: how near each definition comes to the paper",
        )  # fmt: skip
        labels = [f"{place}: {label}" for place, label in enumerate(shown.index[:nearest], start=1)]
        axis.set_xlabel("\n".join(["distance to the paper's column (rmse)", "", *labels]))
        handles = [_handle("o", _COLOURS[kind], (_PRECISION | {"ndcg": "NDCG"})[kind])
                   for kind in _COLOURS if (kinds == kind).any()]  # fmt: skip
        handles += [
            _handle(_K_MARKERS[group], "grey", group)
            for group in _K_MARKERS
            if (groups == group).any()
        ]
        handles += [_handle("o", "grey", "all items", hollow=True)] * bool(
            (shown["candidates"] == "all").any()
        )
        axis.legend(handles=handles, fontsize="small", ncols=2, loc="best")
    return _finished(figure)


def _number(axis: Axes, x: pd.Series, y: pd.Series) -> None:
    """Numbers from 1 beside the points, fanned out upwards and downwards so that near ones stay
    apart."""
    for place, (left, height) in enumerate(zip(x, y, strict=True), start=1):
        axis.annotate(
            str(place), (left, height), (4 + 20 * (place - 1), -36 if height > 0.6 else 36),
            textcoords="offset points", ha="center", va="center", weight="bold",
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "black"}, zorder=5,
            arrowprops={"arrowstyle": "-", "color": "black"},
        )  # fmt: skip


def _handle(marker: str, colour, label: str, hollow: bool = False) -> Line2D:
    face = "none" if hollow else colour
    return Line2D(
        [], [], marker=marker, ls="", markeredgecolor=colour, markerfacecolor=face, label=label
    )


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
        fits: table of :func:`bonmf_lib.report.practices.fit_to_paper`, for the definitions'
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
    figure, axes = _grid(1, len(panels), (1.6 + 3.9 * len(panels), 4.1), layout="constrained")
    span = max(float((table["value"] - paper).abs().max()), 1e-6)
    for axis, panel in zip(axes.flat, panels, strict=True):
        part = table[table["panel"] == panel]
        grid = part.assign(k=part["k"].fillna(np.inf)).pivot_table(
            values="value", index="choice", columns="k", sort=True, observed=True
        )
        picture = axis.imshow(grid - paper, cmap="PuOr", vmin=-span, vmax=span, aspect="auto")
        for (row, column), value in np.ndenumerate(grid.to_numpy()):
            dark = abs(value - paper) > 0.5 * span
            axis.text(column, row, f"{value:.3f}", ha="center", va="center", fontsize=9,
                      color="white" if dark else "black")  # fmt: skip
            if abs(value - paper) <= TOLERANCE * paper:
                corner = column - 0.46, row - 0.44
                axis.add_patch(plt.Rectangle(corner, 0.92, 0.88, fill=False, lw=2, ec="black"))
        axis.set_xticks(
            range(grid.shape[1]), ["all" if k == np.inf else f"{k:g}" for k in grid.columns]
        )
        axis.set_yticks(range(grid.shape[0]), grid.index)
        axis.set(xlabel="K", title=panel)
        axis.grid(visible=False)
    figure.colorbar(
        picture, ax=axes, label="difference to the paper", fraction=0.05 / len(panels) + 0.02
    )
    pool = "own ratings" if candidates == "rated" else "all items"
    mean = "user mean" if averaging == "user" else "pooled"
    figure.suptitle(
        f"{name} by K and relevance, {pool}, {mean}\n"
        f"boxed: within {TOLERANCE:.0%} of the paper's {paper:.4f}"
    )
    return _finished(figure)


def leak_plot(curves: pd.DataFrame, paper: float, published_epochs: int) -> Figure:
    """MSE by epoch under each practice, the paper's value and its number of epochs marked.

    Args:
        curves: index epoch, one column per practice.
    """
    figure, axis = plt.subplots(figsize=(8, 4.2))
    for place, name in enumerate(curves.columns):
        axis.plot(curves.index, curves[name], marker=".", color=PALETTE[place], label=_label(name))
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
    axis.set(
        xlabel="epoch", ylabel="MSE", title="Under which practice does the paper's error appear?"
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def weights_plot(curves: pd.DataFrame, name: str, paper: float) -> Figure:
    """Test MSE by epoch from every initial weights, a colour per split; the paper's value marked.

    Args:
        curves: columns split, weights, epoch, mse.
    """
    figure, axis = plt.subplots(figsize=(8, 4.2))
    for place, (split, rows) in enumerate(curves.groupby("split")):
        wide = rows.pivot_table(index="epoch", columns="weights", values="mse")
        lines = axis.plot(
            wide.index, wide, color=PALETTE[place % len(PALETTE)], linewidth=1, alpha=0.7
        )
        lines[0].set_label(f"split {split}")
    axis.axhline(paper, linestyle="--", color=PAPER_COLOUR, label=f"paper: {paper:.4f}")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel="test MSE", title=f"{name}: one line for each initial weights")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def svd_plot(table: pd.DataFrame, paper: float, unit: str = "stars") -> Figure:
    """MSE of truncated SVD by number of factors, for every filling, part and clipping; the paper's
    value marked.

    Args:
        table: columns centre, factors, part, clipped, mse. unit: of the ratings.
    """
    parts = list(table["part"].unique())
    figure, axes = _grid(1, len(parts), (5.2 * len(parts), 4), sharey=True)
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
                label = names[centre] + (", clipped" if clipped else "")
                axis.plot(
                    rows["factors"],
                    rows["mse"],
                    style,
                    marker=".",
                    color=PALETTE[place],
                    label=label,
                )
        axis.axhline(paper, linestyle=":", color=PAPER_COLOUR, label=f"paper: {paper:g}")
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="factors",
            ylabel="MSE",
            title=f"Truncated SVD, {_label(part)}",
        )
        for side in (axis.xaxis, axis.yaxis):
            side.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter())
    axes.flat[-1].legend(title="unknown ratings are", loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


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
