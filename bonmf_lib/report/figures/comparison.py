"""Figures that compare models: paired differences, Shapley values, and the search for
hyperparameters."""

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter, MaxNLocator

from ...claims.judge import LEAST_SEEDS, LEVEL, LOWER_IS_BETTER
from ..tables import told_apart
from .general import PALETTE, _finished, _grid, _label, _paper_crosses, _spread, plt

BETTER, WORSE, OPEN = PALETTE[2], PALETTE[1], (0.55, 0.55, 0.55)


def forest_plot(
    table: pd.DataFrame,
    reference: str,
    metric: str,
    paper: dict[str, float] | None = None,
    unit: str = "",
) -> Figure:
    """Paired difference of each row to the reference with its 95 % interval; colour = the side of
    zero, if told apart.

    Args:
        table: index: name; columns mean, low, high of (row - reference); seeds and p_holm, the
            adjusted p-value that decides the colour. With fewer than three seeds there is no
            interval and nothing is told apart.
        reference: name of the row that was subtracted.
        metric: decides which direction is better.
        paper: the paper's difference by name, drawn as crosses.
        unit: of the differences, where it is not the metric's own.
    """
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(table) + 1.9))
    places = np.arange(len(table))[::-1]
    mean, low, high = (table[name].to_numpy(float) for name in ("mean", "low", "high"))
    low, high = (np.where(table["seeds"] < LEAST_SEEDS, np.nan, bound) for bound in (low, high))
    told = told_apart(table)
    sign = np.where(told, np.sign(mean), 0)
    if metric in LOWER_IS_BETTER:
        sign = -sign
    spread = _spread(mean, low, high)
    kinds = {
        1: (BETTER, "o", "better"),
        -1: (WORSE, "s", "worse"),
        0: (OPEN, "D", "not told apart"),
    }
    for kind, (colour, marker, label) in kinds.items():
        rows = sign == kind
        if rows.any():
            axis.errorbar(
                mean[rows],
                places[rows],
                xerr=spread[:, rows],
                fmt=marker,
                color=colour,
                capsize=3,
                label=label,
            )
    _paper_crosses(axis, paper or {}, dict(zip(table.index, places, strict=True)))
    axis.axvline(0, color="black", linewidth=1)
    axis.margins(x=0.08)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    protocols = table.index.str.extract(r" \(([^()]*)\)$", expand=False).dropna().unique()
    shared = f" ({protocols[0]})" if len(protocols) == 1 else ""  # said once, in the title
    labels = [name.removesuffix(shared) for name in table.index]
    if len(protocols) > 1 and all(protocol.startswith("early stopped") for protocol in protocols):
        labels = [name.partition(" (early stopped")[0] for name in labels]
    axis.set_yticks(places, [_label(name) for name in labels])
    axis.set_ylim(-0.7, len(table) - 0.3)
    left, right = ("better", "worse") if metric in LOWER_IS_BETTER else ("worse", "better")
    second_line = "95 % intervals, colour by adjusted p" + (
        f"; {shared.strip(' ()')}" if shared else ""
    )
    axis.set(
        xlabel=f"← {left}     difference in test {metric}{unit and f', {unit}'}     {right} →",
        title=(
            f"Test {metric}: paired difference to {_label(reference.removesuffix(shared))}\n"
            f"{second_line}"
        ),
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def equivalence_plot(table: pd.DataFrame, reference: str, metric: str, margin: float) -> Figure:
    """Relative differences with 90 % intervals against the band in which they count as none; colour
    = the verdict.

    Args:
        table: of :func:`bonmf_lib.report.relative.equivalences`.
        reference: name of the row that the others are compared with.
        margin: half-width of the band, in percent.
    """
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(table) + 1.9))
    places = pd.Series(np.arange(len(table))[::-1], table.index)
    axis.axvspan(
        -margin, margin, color=PALETTE[0], alpha=0.15, linewidth=0, label=f"± {margin:g} %"
    )
    kinds = {
        "equivalent": (PALETTE[0], "o"),
        "better": (BETTER, "^"),
        "worse": (WORSE, "s"),
        "undecided": (OPEN, "D"),
    }
    for verdict, (colour, marker) in kinds.items():
        rows = table[table["verdict"] == verdict]
        if len(rows):
            spread = _spread(rows["percent"], rows["low"], rows["high"])
            style = {"fmt": marker, "color": colour, "capsize": 3, "label": verdict}
            axis.errorbar(rows["percent"], places[rows.index], xerr=spread, **style)
    axis.axvline(0, color="black", linewidth=1)
    axis.margins(x=0.08)
    axis.set_yticks(places, [_label(name) for name in table.index])
    axis.set_ylim(-0.7, len(table) - 0.3)
    left, right = ("better", "worse") if metric in LOWER_IS_BETTER else ("worse", "better")
    axis.set(
        xlabel=f"← {left}     difference in test {metric}, %     {right} →",
        title=(
            f"Test {metric}: difference to {_label(reference)}\n"
            "90 % intervals; verdict by adjusted p-values"
        ),
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def quality_per_cost(table: pd.DataFrame, metric: str) -> Figure:
    """What an encoder gains over no text against what it costs; the dot's area is its memory.

    Args:
        table: index: encoder; columns texts_per_second, memory_mib, percent, low, high (improvement
        over no text).
    """
    figure, axis = plt.subplots(figsize=(8, 4.2))
    spread = _spread(table["percent"], table["low"], table["high"])
    axis.errorbar(
        table["texts_per_second"], table["percent"], yerr=spread, fmt="none", color=OPEN, capsize=3
    )
    for colour, (name, row) in zip(cycle(PALETTE), table.iterrows()):
        label = f"{_label(name)} ({row['memory_mib']:,.0f} MiB)"
        axis.scatter(
            row["texts_per_second"], row["percent"], s=20 + row["memory_mib"] / 2, color=colour,
            alpha=0.8, label=label, zorder=3,
        )  # fmt: skip
    axis.axhline(0, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.xaxis.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter())
    axis.set(
        xlabel="texts encoded per second, one thread",
        ylabel=f"gain in {metric} over no text, %",
        title=(
            f"What a text encoder gains in test {metric}, and what it costs\n"
            "95 % intervals; area = memory"
        ),
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), labelspacing=1.2)
    return _finished(figure)


def shapley_bars(table: pd.DataFrame, metric: str = "value") -> Figure:
    """Shapley values, and pairwise interactions beside them, with 95 % intervals; colour by
    adjusted p-value.

    Args:
        table: of :func:`bonmf_lib.evaluation.shapley.shapley_table`.
        metric: what the players' values are measured in.
    """
    kinds = [kind for kind in ("value", "interaction") if (table["kind"] == kind).any()]
    most = table["kind"].value_counts().max() if len(table) else 0
    figure, axes = _grid(1, len(kinds), (5.5 * len(kinds), 0.45 * most + 1.6))
    titles = {
        "value": f"Shapley value: change in {metric} owed to each part",
        "interaction": f"Interaction: change in {metric} beyond the parts",
    }
    for axis, kind in zip(axes.flat, kinds, strict=True):
        rows = table[table["kind"] == kind].iloc[::-1]
        spread = _spread(rows["mean"], rows["low"], rows["high"])
        known = rows["p_holm"] < LEVEL
        axis.barh(
            rows.index,
            rows["mean"],
            xerr=spread,
            capsize=3,
            color=[PALETTE[0] if row else OPEN for row in known],
        )
        axis.axvline(0, color="black", linewidth=1)
        axis.grid(axis="y", visible=False)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.margins(x=0.08)
        axis.set(xlabel=f"change in {metric}", title=titles[kind])
    handles = [
        Line2D([], [], marker="s", linestyle="", color=colour) for colour in (PALETTE[0], OPEN)
    ]
    figure.legend(
        handles,
        [f"told from zero (Holm-adjusted p < {LEVEL:g})", "not told from zero"],
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    return _finished(figure)


def search_progress(trials: pd.DataFrame) -> Figure:
    """How far the best trial so far lies above the best of all, per model: what a smaller budget
    would have cost.

    Args:
        trials: columns model, trial (from 0), value (NaN = failed), best (lowest value so far).
    """
    figure, axis = plt.subplots(figsize=(8, 4.5))
    styles = [style for style in ("-", "--", ":") for _ in PALETTE]
    excess = []
    for (name, rows), (colour, style) in zip(
        trials.groupby("model", sort=False),
        zip(cycle(PALETTE), cycle(styles), strict=False),
        strict=False,
    ):
        rows = rows.sort_values("trial").astype({"best": float})
        lowest = rows["best"].iloc[-1]
        excess.append(100 * (rows["best"] / lowest - 1))
        label = f"{_label(name)} (best {lowest:.4f})"
        axis.step(
            rows["trial"] + 1, excess[-1], where="post", color=colour, linestyle=style, label=label
        )
    above = np.concatenate(excess)
    # one bad start must not flatten all the others
    top = max(5.0, float(np.nanquantile(above, 0.9)))
    axis.set_ylim(-0.03 * top, 1.05 * top)
    cut = " (some start above)" if np.nanmax(above) > 1.05 * top else ""
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(
        xlabel="trials",
        ylabel=f"validation MSE above the row's best, %{cut}",
        title="What each trial gained",
    )
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return _finished(figure)
