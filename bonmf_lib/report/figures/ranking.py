"""Figures about rankers: two evaluations side by side, curves over one setting, learning curves,
what a sampled metric hides, and what inner products hold."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

from ...experiments.names import is_control
from ...studies.inner_products import EVERYTHING, Fit, limits_sentence
from ...studies.sampled_metrics import last_likely_rank
from .findings import listed
from .style import (
    CONTROL,
    OPEN,
    PALETTE,
    PAPER_COLOUR,
    axis_legend,
    finding_title,
    finished,
    grid,
    label,
    legend_below,
    mark,
    metric_label,
    spread,
)

_SIDES = {"sampled": "among few items", "full": "among all items"}
_MARKERS = "osD^vPX*"
_NAME = 46  # characters of a row, at most
_NOT_PERSONAL = "Popularity"  # the same list for everyone


def two_evaluations(table: pd.DataFrame, metric: str) -> Figure:
    """Models by a metric among few given items and among all, each side from best to worst with
    95 % intervals; lines link a model's two places. Controls are hollow.

    Args:
        table: index: model; columns sampled, full, and both with ``_low`` and ``_high``.
        metric: of records, better when higher.
    """
    figure, axes = grid(
        1, 3, (12, 0.36 * len(table) + 2.2), gridspec_kw={"width_ratios": [4, 2, 4]}
    )
    places = {side: table[side].rank(ascending=False, method="first") for side in _SIDES}
    best = {side: places[side].idxmin() for side in _SIDES}
    leaders = dict(zip(dict.fromkeys(best.values()), PALETTE, strict=False))
    for axis, side in zip((axes[0, 0], axes[0, 2]), _SIDES, strict=True):
        for name, row in table.iterrows():
            colour = leaders.get(name, OPEN)
            _interval(axis, row, side, places[side][name], colour, _control(name))
        order = places[side].sort_values()
        axis.set_yticks(order, [label(name, _NAME) for name in order.index])
        axis.set(xlabel=f"test {metric_label(metric)}, 95 % intervals", title=_SIDES[side])
        axis.xaxis.set_major_locator(MaxNLocator(4))
    axes[0, 2].yaxis.tick_right()
    middle = axes[0, 1]
    for name in table.index:
        ends = [places[side][name] for side in _SIDES]
        chosen = name in leaders
        middle.plot([0, 1], ends, color=leaders.get(name, OPEN), linewidth=2.5 if chosen else 1)
    middle.set(xticks=[], yticks=[], title="places")
    for axis in axes[0]:
        axis.set_ylim(len(table) + 0.5, 0.5)
    handles = [mark(colour, "o", label(name, _NAME)) for name, colour in leaders.items()]
    if any(_control(name) for name in table.index):
        handles.append(mark(OPEN, "o", CONTROL, hollow=True))
    legend_below(figure, handles, title="first in one of the two")
    finding_title(figure, _winners(table, metric, best))
    return finished(figure)


def _interval(axis: Axes, row: pd.Series, side: str, place: float, colour, hollow: bool) -> None:
    ends = row.to_frame().T
    axis.errorbar(
        row[side], place, xerr=spread(ends, side, f"{side}_low", f"{side}_high"), fmt="o",
        color=colour, mfc="white" if hollow else colour, capsize=3,
    )  # fmt: skip


def _winners(table: pd.DataFrame, metric: str, best: Mapping[str, str]) -> str:
    said = {
        side: f"{_SIDES[side]} ({metric_label(metric)} {table.loc[best[side], side]:.3f})"
        for side in _SIDES
    }
    if best["sampled"] == best["full"]:
        return f"One winner: {label(best['full'])}, {said['sampled']} and {said['full']}"
    parts = [f"{label(best[side])} {said[side]}" for side in _SIDES]
    return f"Two evaluations, two winners: {', '.join(parts)}"


def _control(name: str) -> bool:
    return is_control(name) or name == _NOT_PERSONAL


def setting_curves(
    table: pd.DataFrame, over: str, metric: str, paper: pd.DataFrame | None = None
) -> Figure:
    """A metric by the values of one setting, such as factors, layers or negatives, a line per model
    with 95 % intervals; the paper's numbers as crosses of the same colour.

    Args:
        table: columns model, x (numbers), mean, low, high. over: what x is.
        metric: of records, better when higher. paper: columns model, x, value.
    """
    figure, ((axis,),) = grid(1, 1, (8.5, 4.8))
    given = [] if paper is None else list(paper["x"])
    steps = {x: place for place, x in enumerate(sorted({*table["x"], *given}))}
    models, found = list(table["model"].unique()), []
    for place, model in enumerate(models):
        own = table[table["model"] == model].sort_values("x")
        colour = PALETTE[place % len(PALETTE)]
        shift = 0.06 * (place - (len(models) - 1) / 2)
        axis.errorbar(
            own["x"].map(steps) + shift, own["mean"], yerr=spread(own), capsize=3, color=colour,
            marker=_MARKERS[place % len(_MARKERS)], mfc="white" if _control(model) else colour,
            label=label(model),
        )  # fmt: skip
        if paper is not None:
            printed = paper[paper["model"] == model]
            axis.scatter(
                printed["x"].map(steps) + shift, printed["value"], marker="x", s=60, color=colour
            )
        best = own.loc[own["mean"].idxmax()]
        found.append(f"{label(model)} at {best['x']:g} ({best['mean']:.3f})")
    axis.set_xticks(list(steps.values()), [f"{x:g}" for x in steps])
    seen = ", 95 % intervals" if table["low"].notna().any() else ", one seed"
    axis.set(xlabel=over, ylabel=f"test {metric_label(metric)}{seen}")
    handles, words = axis.get_legend_handles_labels()
    if given:
        handles.append(mark(PAPER_COLOUR, "x", "the paper"))
    legend_below(figure, handles, [*words, *(["the paper"] if given else [])])
    low, high = min(steps), max(steps)
    finding_title(
        figure,
        f"Highest mean {metric_label(metric)} of {low:g} to {high:g} {over}: {listed(found, 4)}",
    )
    return finished(figure)


def watched_curves(table: pd.DataFrame, metric: str, measured_on: str = "validation") -> Figure:
    """Training loss and a metric by epoch, a line per model: mean over seeds up to the first one's
    stop, band = range.

    Args:
        table: columns model, seed, epoch (from 1, or 0 before the first, without loss), loss, value
        of the metric, better when higher.
        measured_on: the part of the data that the metric is of.
    """
    figure, axes = grid(1, 2, (11, 4.6))
    best, seeds = [], table.groupby("model")["seed"].nunique().max()
    for place, (model, own) in enumerate(table.groupby("model", sort=False)):
        colour = PALETTE[place % len(PALETTE)]
        common = own["epoch"] <= own.groupby("seed")["epoch"].max().min()
        epochs = own[common].groupby("epoch")[["loss", "value"]]
        mean, low, high = epochs.mean(), epochs.min(), epochs.max()
        for axis, column in zip(axes[0], ("loss", "value"), strict=True):
            axis.plot(mean.index, mean[column], color=colour, marker=".", label=label(model))
            axis.fill_between(mean.index, low[column], high[column], color=colour, alpha=0.2)
        best.append(f"{label(model)} {mean['value'].idxmax()} ({mean['value'].max():.3f})")
    for axis, title in zip(
        axes[0], ("training loss", f"{measured_on} {metric_label(metric)}"), strict=True
    ):
        axis.set(xlabel="epoch", ylabel=title)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axis_legend(figure, axes[0, 0])
    over = f"; bands: range over {seeds} seeds" if seeds > 1 else ", one seed"
    said = f"Epoch of the best mean {metric_label(metric)} ({measured_on})"
    finding_title(figure, f"{said}: {listed(best)}{over}")
    return finished(figure)


def sampled_chances(curve: pd.DataFrame, example: pd.DataFrame) -> Figure:
    """Chance of a hit among drawn items by the rank among all, and three rankers of an example by
    the full metric and by what the sampled one is expected to be.

    Args:
        curve: of :func:`bonmf_lib.studies.sampled_metrics.chance_curve`.
        example: of :func:`bonmf_lib.studies.sampled_metrics.example`.
    """
    metrics = list(example["metric"].unique())
    figure, axes = grid(1, 1 + len(metrics), (4.4 + 3.2 * len(metrics), 4.2))
    first = axes[0, 0]
    for place, (column, words) in enumerate(
        {"full": "all items", "sampled": "drawn items"}.items()
    ):
        first.plot(curve.index, curve[column], color=PALETTE[place], label=words)
    half = last_likely_rank(curve)
    first.set_xscale("log")
    first.xaxis.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter())
    first.set(xlabel="rank among all items", ylabel="chance of a hit")
    said = []
    for axis, metric in zip(axes[0, 1:], metrics, strict=True):
        own = example[example["metric"] == metric]
        for place, (name, row) in enumerate(own.iterrows()):
            axis.plot(
                [0, 1], [row["full"], row["sampled"]], marker=_MARKERS[place],
                color=PALETTE[place + 2], label=label(f"ranker {name}"),
            )  # fmt: skip
        axis.set_xticks([0, 1], ["all items", "drawn items"])
        axis.set(xlim=(-0.3, 1.3), title=metric_label(metric))
        ranked = [own[side].idxmax() for side in ("full", "sampled")]
        said.append(
            f"{metric_label(metric)} prefers {ranked[0]} among all, {ranked[1]} among drawn"
        )
    handles, words = first.get_legend_handles_labels()
    more = axes[0, -1].get_legend_handles_labels()
    legend_below(figure, [*handles, *more[0]], [*words, *more[1]])
    finding_title(
        figure,
        f"An item at rank {half:,} of {len(curve):,} still hits in half of the draws; "
        + "; ".join(said),
    )
    return finished(figure)


def inner_product_limits(
    similarities: pd.Series, planes: Mapping[str, Fit], table: pd.DataFrame
) -> Figure:
    """Four users' similarities, vectors in a plane that hold their order as far as was found, and
    the orders left violated by the number of dimensions.

    Args:
        similarities: of :func:`bonmf_lib.studies.inner_products.jaccard`.
        planes: fits in two dimensions by the name of their space.
        table: of :func:`bonmf_lib.studies.inner_products.order_table`.
    """
    figure, axes = grid(1, 2 + len(planes), (3.2 * (2 + len(planes)), 4.4))
    bars, *middle, last = axes[0]
    shown = similarities[::-1]
    drawn = bars.barh([f"users {label(name)}" for name in shown.index], shown, color=OPEN)
    bars.bar_label(drawn, fmt="%.2f", padding=2)
    bars.set(xlabel="Jaccard similarity", title="asked for", xlim=(0, 1.2 * shown.max()))
    handles = []
    for axis, (name, fit) in zip(middle, planes.items(), strict=True):
        for user, (x, y) in enumerate(fit.vectors / np.linalg.norm(fit.vectors, axis=1).max()):
            # smaller from user to user, so that none hides another
            axis.plot(
                [0, x], [0, y], color=PALETTE[user], marker=_MARKERS[user], markevery=[1],
                markersize=13 - 2.5 * user,
            )  # fmt: skip
        broken = listed(fit.violated(EVERYTHING), 2)
        said = f"not held: {broken}" if broken else "all held"
        axis.set(title=f"{label(name, 34)}\n{said}", aspect="equal")
        axis.margins(0.15)
        axis.locator_params(nbins=4)
    users = max((len(fit.vectors) for fit in planes.values()), default=0)
    handles += [mark(PALETTE[user], _MARKERS[user], f"user {user + 1}") for user in range(users)]
    everything = table[table["what"] == EVERYTHING]
    for place, (space, own) in enumerate(everything.groupby("space", sort=False)):
        shift, colour = 0.05 * place, PALETTE[(place + 4) % len(PALETTE)]
        look = {"color": colour, "marker": _MARKERS[-1 - place % 4], "label": label(space)}
        handles += last.plot(own["dimensions"] + shift, own["violations"] + shift, **look)
    last.set(
        xlabel="dimensions",
        title=f"of {everything['asked'].max()} orders, violated",
        ylim=(-0.5, None),
    )
    last.xaxis.set_major_locator(MaxNLocator(integer=True))
    last.yaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(figure, handles)
    finding_title(figure, limits_sentence(table).removesuffix("."))
    return finished(figure)
