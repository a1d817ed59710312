"""Figures that compare models: paired differences, Shapley values, and the search for
hyperparameters."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogFormatter, MaxNLocator

from ...claims.judge import LEAST_SEEDS, LEVEL, better_sign
from ...experiments.names import is_control
from ..tables import told_apart
from .findings import against, listed, splits
from .style import (
    CONTROL,
    OPEN,
    PALETTE,
    PAPER_COLOUR,
    finding_title,
    finished,
    grid,
    label,
    legend_below,
    mark,
    metric_label,
    spread,
)

BETTER, WORSE = PALETTE[2], PALETTE[1]
_LOOKS = {
    "equivalent": (PALETTE[0], "o"),
    "better": (BETTER, "^"),
    "worse": (WORSE, "s"),
    "no clear difference": (OPEN, "D"),
    "undecided": (OPEN, "D"),
}


def forest_plot(
    table: pd.DataFrame,
    reference: str,
    metric: str,
    paper: dict[str, float] | None = None,
    unit: str = "",
) -> Figure:
    """Paired difference of each row to the reference with its 95 % interval; colour = the side of
    zero, if told apart; controls are hollow.

    Args:
        table: index: name; columns mean, low, high of (row - reference); seeds and p_holm, the
            adjusted p-value that decides the colour. With fewer than three seeds there is no
            interval and nothing is told apart.
        reference: name of the row that was subtracted.
        metric: decides which direction is better.
        paper: the paper's difference by name, drawn as crosses.
        unit: of the differences, where it is not the metric's own.
    """
    shared, names = _protocol_once(table.index)
    few = table["seeds"] < LEAST_SEEDS
    rows = table[["mean", "low", "high"]].astype(float)
    rows = rows.assign(low=rows["low"].mask(few), high=rows["high"].mask(few))
    sign = np.sign(rows["mean"]) * better_sign(metric)
    kinds = sign.map({1: "better", -1: "worse"}).where(told_apart(table), "no clear difference")
    figure, ((axis,),) = grid(1, 1, (8, 0.36 * len(table) + 2.1))
    handles = _forest(axis, rows.set_axis(names), kinds.set_axis(names))
    crosses = [
        (paper[name], place)
        for name, place in zip(table.index, reversed(range(len(table))), strict=True)
        if name in (paper or {})
    ]
    if crosses:
        style = {"marker": "x", "s": 60, "color": PAPER_COLOUR, "label": "paper", "zorder": 3}
        handles.append(axis.scatter(*zip(*crosses, strict=True), **style))
    seen = "no intervals" if few.all() else "95 % intervals"
    of = f"{metric_label(metric)}{unit and f', {unit}'}"
    axis.set_xlabel(_sides(metric, f"difference in test {of}, {seen}"))
    legend_below(figure, handles, title=f"colour: adjusted p < {LEVEL:g}")
    what = f"test {metric_label(metric)}" + f", {shared.strip(' ()')}" * bool(shared)
    said = against(
        label(reference.removesuffix(shared)),
        kinds.set_axis(names),
        _controls(names),
        {"better": "better", "worse": "worse"},
        what,
        table["seeds"].max(),
    )
    finding_title(figure, said)
    return finished(figure)


def equivalence_plot(table: pd.DataFrame, reference: str, metric: str, margin: float) -> Figure:
    """Relative differences with 90 % intervals against the band in which they count as none; colour
    = the verdict; controls are hollow.

    Args:
        table: of :func:`bonmf_lib.report.relative.equivalences`.
        reference: name of the row that the others are compared with.
        margin: half-width of the band, in percent.
    """
    names = pd.Index([label(name) for name in table.index])
    rows = table.rename(columns={"percent": "mean"})[["mean", "low", "high"]].set_axis(names)
    kinds = table["verdict"].set_axis(names)
    figure, ((axis,),) = grid(1, 1, (8, 0.36 * len(table) + 2.1))
    band = axis.axvspan(
        -margin, margin, color=PALETTE[0], alpha=0.15, linewidth=0, label=f"± {margin:g} %"
    )
    handles = [*_forest(axis, rows, kinds), band]
    what = metric_label(metric)
    axis.set_xlabel(_sides(metric, f"difference in test {what}, %, 90 % intervals"))
    legend_below(figure, handles, title="verdict by adjusted p-values")
    phrases = {"equivalent": f"within ± {margin:g} %", "better": "better", "worse": "worse"}
    seeds = table["seeds"].max()
    said = against(label(reference), kinds, _controls(names), phrases, f"test {what}", seeds)
    finding_title(figure, said)
    return finished(figure)


def _forest(axis: Axes, rows: pd.DataFrame, kinds: pd.Series) -> list[Line2D]:
    """Rows (columns mean, low, high) from top to bottom, coloured by kind; entries of their
    legend."""
    controls = _controls(rows.index)
    places = np.arange(len(rows))[::-1]
    handles = []
    for kind, (colour, marker) in _LOOKS.items():
        for hollow in (False, True):
            chosen = ((kinds == kind) & (controls == hollow)).to_numpy()
            if chosen.any():
                axis.errorbar(
                    rows["mean"][chosen], places[chosen], xerr=spread(rows[chosen]), fmt=marker,
                    color=colour, mfc="white" if hollow else colour, capsize=3,
                )  # fmt: skip
        if (kinds == kind).any():
            handles.append(mark(colour, marker, kind))
    if controls.any():
        handles.append(mark(OPEN, "o", CONTROL, hollow=True))
    axis.axvline(0, color="black", linewidth=1)
    axis.margins(x=0.08)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.set_yticks(places, rows.index)
    axis.set_ylim(-0.7, len(rows) - 0.3)
    return handles


def _controls(names: pd.Index) -> pd.Series:
    return pd.Series([is_control(name) for name in names], names, dtype=bool)


def _protocol_once(names: pd.Index) -> tuple[str, pd.Index]:
    """The protocol that all names end in, with its brackets, and the names without what they
    share."""
    protocols = names.str.extract(r" \(([^()]*)\)$", expand=False).dropna().unique()
    shared = f" ({protocols[0]})" if len(protocols) == 1 else ""
    short = [name.removesuffix(shared) for name in names]
    if len(protocols) > 1 and all(protocol.startswith("early stopped") for protocol in protocols):
        short = [name.partition(" (early stopped")[0] for name in short]
    return shared, pd.Index([label(name) for name in short])


def _sides(metric: str, what: str) -> str:
    left, right = ("better", "worse") if better_sign(metric) < 0 else ("worse", "better")
    return f"← {left}     {what}     {right} →"


def quality_per_cost(table: pd.DataFrame, metric: str) -> Figure:
    """What an encoder gains over no text against what it costs; the dot's area is its memory.

    Args:
        table: index: encoder; columns texts_per_second, memory_mib, percent, low, high (improvement
        over no text).
    """
    figure, ((axis,),) = grid(1, 1, (8, 4.8))
    order = table["texts_per_second"].rank(method="first").astype(int) - 1
    shown = table.assign(label=[label(name) for name in table.index])
    handles = []
    for (_, row), place in zip(shown.iterrows(), order, strict=True):
        colour, marker = PALETTE[place % len(PALETTE)], "osD^vPX*"[place % 8]
        axis.errorbar(
            row["texts_per_second"], row["percent"], yerr=spread(row.to_frame().T, "percent"),
            fmt="none", color=colour, capsize=4,
        )  # fmt: skip
        axis.scatter(
            row["texts_per_second"], row["percent"], s=20 + row["memory_mib"] / 2, color=colour,
            marker=marker, alpha=0.8, zorder=3,
        )  # fmt: skip
        handles.append(mark(colour, marker, f"{row['label']} ({row['memory_mib']:,.0f} MiB)"))
    axis.axhline(0, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter())
    axis.set(
        xlabel="texts encoded per second, one thread (area: memory)",
        ylabel="gain over no text, %, 95 % intervals",
    )
    legend_below(figure, handles)
    best, fastest = shown.loc[shown["percent"].idxmax()], shown.loc[order.idxmax()]
    said = (
        f"Gain in test {metric} over no text: most with {best['label']} ({best['percent']:+.1f} %)"
    )
    ratio = fastest["texts_per_second"] / best["texts_per_second"]
    if ratio >= 1.5:
        said += f"; {fastest['label']} ({fastest['percent']:+.1f} %) is {ratio:,.0f} times as fast"
    finding_title(figure, said)
    return finished(figure)


def shapley_bars(
    table: pd.DataFrame, metric: str = "value", control: pd.DataFrame | None = None
) -> Figure:
    """Shapley values, and pairwise interactions beside them, with 95 % intervals; colour by
    adjusted p-value; those of a control below each, hollow. With fewer than three seeds there
    is no interval and nothing is told from zero.

    Args:
        table: of :func:`bonmf_lib.evaluation.shapley.shapley_table`.
        metric: what the players' values are measured in.
        control: the same of inputs whose content tells nothing of its item.
    """
    found = {False: table} | ({} if control is None else {True: control})
    kinds = [kind for kind in ("value", "interaction") if (table["kind"] == kind).any()]
    most = table["kind"].value_counts().max() if len(table) else 0
    figure, axes = grid(
        1, len(kinds), (max(8, 5.5 * len(kinds)), (0.35 + 0.3 * len(found)) * most + 2)
    )
    titles = {"value": "owed to each part (Shapley value)", "interaction": "beyond the parts"}
    for axis, kind in zip(axes.flat, kinds, strict=True):
        players = table.index[table["kind"] == kind]
        for hollow, source in found.items():
            rows = source[source["kind"] == kind].reindex(players)
            rows[["low", "high"]] = rows[["low", "high"]].mask(rows["seeds"] < LEAST_SEEDS)
            shift = (0.2 if hollow else -0.2) * (control is not None)
            colours = [PALETTE[0] if told else OPEN for told in told_apart(rows)]
            axis.barh(
                np.arange(len(players)) + shift, rows["mean"], 0.8 / len(found), xerr=spread(rows),
                capsize=3, color="white" if hollow else colours, edgecolor=colours, linewidth=1.5,
            )  # fmt: skip
        axis.set_yticks(range(len(players)), players)
        axis.invert_yaxis()
        axis.axvline(0, color="black", linewidth=1)
        axis.grid(axis="y", visible=False)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.margins(x=0.08)
        axis.set(xlabel=f"change in {metric}, 95 % intervals", title=titles[kind])
    told = told_apart(pd.concat(found.values()))
    handles = []
    if told.any():
        handles.append(Patch(color=PALETTE[0], label=f"told from zero (adjusted p < {LEVEL:g})"))
    if not told.all():
        handles.append(Patch(color=OPEN, label="not told from zero"))
    if control is not None:
        words = f"hollow: other items' content (shuffled), {splits(control['seeds'].max())}"
        handles.append(Patch(fc="white", ec=OPEN, label=words))
    legend_below(figure, handles)
    finding_title(figure, _shares(table, metric, control))
    return finished(figure)


def _shares(table: pd.DataFrame, metric: str, control: pd.DataFrame | None) -> str:
    """Each part's Shapley value, beside that of its control where there is one."""
    parts = []
    for name, row in table[table["kind"] == "value"].iterrows():
        other = (
            f" (shuffled {control.loc[name, 'mean']:+.3f})"
            if control is not None and name in control.index and name != "ID"
            else ""
        )
        parts.append(f"{label(name)} {row['mean']:+.3f}{other}")
    return f"Change in {metric} owed to {listed(parts)} ({splits(table['seeds'].max())})"


def search_progress(trials: pd.DataFrame) -> Figure:
    """How far the best trial so far lies above the best of all, a panel per model: what a smaller
    budget would have cost.

    Args:
        trials: columns model, trial (from 0), value (NaN = failed), best (lowest value so far).
    """
    excess: dict[str, pd.Series] = {}
    for name, rows in trials.groupby("model", sort=False):
        best = rows.set_index("trial")["best"].sort_index().astype(float)
        excess[name] = 100 * (best / best.iloc[-1] - 1)
    lines = -(-len(excess) // 5)
    columns = -(-len(excess) // max(lines, 1))
    figure, axes = grid(lines, columns, (11, 1.7 * lines + 1), sharex=True, sharey=True)
    above = np.concatenate(list(excess.values()))
    # one bad start must not flatten all the others
    top = max(5.0, float(np.nanquantile(above, 0.9)))
    axes[0, 0].set_ylim(-0.05 * top, 1.05 * top)
    for axis, (name, own) in zip(axes.flat, excess.items(), strict=False):
        axis.step(own.index + 1, own, where="post", color=PALETTE[0])
        axis.plot(own.index + 1, own, ".", color=PALETTE[0])
        axis.set_title(label(name, 26), fontsize="small")
        axis.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        if own.max() > 1.05 * top:
            axis.annotate(
                f"from {own.max():.0f} %", (0.97, 0.9), xycoords="axes fraction", ha="right",
                va="top", fontsize="small",
            )  # fmt: skip
    for axis in axes.flat[len(excess) :]:
        figure.delaxes(axis)
    for axis in axes.flat[len(excess) - columns : len(excess)]:
        axis.tick_params(labelbottom=True)
    figure.supxlabel("trials", fontsize="medium")
    figure.supylabel("validation MSE above the best, %", fontsize="medium")
    half = -(-int(trials["trial"].max() + 1) // 2)
    near = sum(own[own.index < half].min() < _NEAR for own in excess.values())
    finding_title(
        figure,
        f"After half of the trials ({half}), {near} of {len(excess)} rows are within {_NEAR:g} % "
        "of the lowest validation MSE that they found",
    )
    return finished(figure)


_NEAR = 0.5  # percent
