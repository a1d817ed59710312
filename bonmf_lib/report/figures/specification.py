"""The specification curve (Simonsohn et al., 2020): sorted effects above, the choices behind each
below."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...experiments.protocols import WITHOUT_PLOTS
from ...experiments.specifications import CONTENTS, PICTURE_SHUFFLED, Specification
from ..specification_curve import Count, counts, shown_to_help
from ..specification_effects import COMPARISONS, REAL, Comparison, at
from .findings import listed, splits
from .style import (
    PALETTE,
    axis_legend,
    finding_title,
    finished,
    grid,
    legend_below,
    mark,
    metric_label,
    spread,
)

_READABLE = {
    "preparation": "features",
    "regularisation": "regularisation",
    "batch": "batch",
    "stopping": "stopped",
    "embedding_std": "initial embeddings",
    "text_encoder": "text encoder",
    "image_encoder": "picture encoder",
}
_LOOKS = {
    REAL: (PALETTE[0], "o"),
    "shuffled": (PALETTE[1], "v"),
    "noise": (PALETTE[3], "s"),
    PICTURE_SHUFFLED: (PALETTE[2], "D"),  # one input's alone, where the other one is real
    WITHOUT_PLOTS: (PALETTE[4], "P"),
}
_SHIFTS = dict(zip((*CONTENTS, PICTURE_SHUFFLED, WITHOUT_PLOTS), (0, -1, 1, -2, 2), strict=True))
_COMBINATION, _DRAWN = "random combination", PALETTE[7]


def specification_curve(effects: pd.DataFrame, comparison: str) -> Figure:
    """Gains in percent of one comparison, sorted, with intervals; controls of the same choices
    beside them, hollow, in the centres those of one input too; random
    combinations of choices on grey squares; a margin shaded.

    Args:
        effects: of :func:`bonmf_lib.report.specification_effects.specification_effects`.
        comparison: a name of ``COMPARISONS``.
    """
    own = effects[effects["comparison"] == comparison]
    real = own[own["content"] == REAL].sort_values("gain", kind="stable").reset_index(drop=True)
    choices = [name for name in _READABLE if len(real[name].unique()) > 1]
    levels = [(name, value) for name in choices for value in sorted(real[name].unique(), key=str)]
    heights = [5, max(1.0, 0.42 * len(levels))]
    figure, axes = grid(
        2, 1, (9, 0.8 * sum(heights) + 0.6), sharex=True, gridspec_kw={"height_ratios": heights}
    )
    top, bottom = axes[:, 0]
    keys = list(_READABLE)
    where = {tuple(row): place for place, row in enumerate(real[keys].itertuples(index=False))}
    for content, (colour, marker) in _LOOKS.items():
        shown = own[own["content"] == content]
        shown = shown[[tuple(row) in where for row in shown[keys].itertuples(index=False)]]
        if shown.empty:
            continue
        places = np.array([where[tuple(row)] for row in shown[keys].itertuples(index=False)])
        top.errorbar(
            places + 0.15 * _SHIFTS[content],
            shown["gain"],
            yerr=spread(shown, "gain"),
            fmt=marker,
            color=colour,
            mfc=colour if content == REAL else "white",
            capsize=2,
            elinewidth=1.5 if content == REAL else 0.7,
            label=content,
            zorder=3 if content == REAL else 2,
        )
    drawn = real[real["combination"]]
    if len(drawn):
        top.scatter(
            drawn.index,
            drawn["gain"],
            marker="s",
            s=110,
            color=_DRAWN,
            label=_COMBINATION,
            zorder=1,
        )
    top.axhline(0, color="black", linewidth=1)
    chosen = COMPARISONS[comparison]
    if (margin := chosen.margin) is not None:
        top.axhspan(-margin, margin, color=_DRAWN, alpha=0.25, label=f"±{margin:g} %", zorder=0)
    seen = f"{chosen.intervals}s" if real["low"].notna().any() else "no intervals"
    top.set_ylabel(f"gain in {metric_label(chosen.metric)}, %\n{seen}")
    for height, (name, value) in enumerate(reversed(levels)):
        on = real[real[name] == value]
        bottom.scatter(
            on.index,
            np.full(len(on), height),
            marker="|",
            s=70,
            c=[_DRAWN if drawn else PALETTE[0] for drawn in on["combination"]],
        )
    bottom.set_yticks(
        range(len(levels)), [f"{_READABLE[name]}: {value}" for name, value in reversed(levels)]
    )
    bottom.set_ylim(-0.7, len(levels) - 0.3)
    bottom.set(xlabel="specification, sorted by the gain of real content", xticks=[])
    axis_legend(figure, top, title="content; hollow: control")
    finding_title(figure, f"{chosen.question} {_found(chosen, *counts(effects, comparison))}")
    return finished(figure)


def _found(asked: Comparison, near: Count, apart: Count) -> str:
    """In how many specifications around the centres it helps and harms, or stays inside a margin
    and outside, and beats its controls; and in how many random combinations."""
    number = f"of {near.specifications} specification{'s' * (near.specifications != 1)}"
    number += " around the centres"
    inside = f"inside ±{asked.margin} %"
    if near.told:
        said = f"It helps in {near.agrees} {number} and harms in {near.opposes}"
        if asked.margin is not None:
            said = f"{inside.capitalize()} in {near.agrees} {number}, outside in {near.opposes}"
        drawn = f"{apart.agrees} and {apart.opposes}"
    else:
        better = "better" if asked.margin is None else inside
        said = f"On one split, {better} in {near.likely} {number}, clear in none"
        drawn = f"in {apart.likely}"
    if near.told and near.compared:
        said += f"; better than every control in {near.beaten} of {near.compared}"
    number = f"apart, of {apart.specifications} {_COMBINATION}s"
    return f"{said}; {number}, {drawn}" if apart.specifications else said


def centre_gains(effects: pd.DataFrame, centres: dict[str, Specification]) -> Figure:
    """Gains in percent of every comparison in the centres but those with a margin, with 95 %
    intervals, and those of the controls around them, hollow.

    Args:
        effects: of :func:`bonmf_lib.report.specification_effects.specification_effects`.
        centres: by name, one panel each.
    """
    gains = [name for name, asked in COMPARISONS.items() if asked.margin is None]
    names = [name for name in gains if name in set(effects["comparison"])]
    figure, axes = grid(1, len(centres), (11, 1.8 + 0.62 * len(names)), sharex=True, sharey=True)
    helping: dict[str, list[str]] = {}
    for axis, (title, centre) in zip(axes.flat, centres.items(), strict=True):
        found = at(effects, centre)
        for content, (colour, marker) in _LOOKS.items():
            shown = [name for name in names if (name, content) in found.index]
            if not shown:
                continue
            rows = found.loc[[(name, content) for name in shown]]
            heights = [names.index(name) + 0.15 * _SHIFTS[content] for name in shown]
            axis.errorbar(
                rows["gain"],
                heights,
                xerr=spread(rows, "gain"),
                fmt=marker,
                color=colour,
                mfc=colour if content == REAL else "white",
                capsize=2,
                label=content,
            )
        axis.axvline(0, color="black", linewidth=1)
        axis.set(
            title=f"{title}, {splits(found['splits'].max() if len(found) else 0)}",
            xlabel="gain, %, 95 % intervals",
        )
        helps, others = shown_to_help(found)
        if helps + others:
            helping.setdefault(listed(helps) or "nothing", []).append(title)
    axes[0, 0].set_yticks(range(len(names)), [COMPARISONS[name].question for name in names])
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    drawn = set(effects["content"])
    handles = [
        mark(*_LOOKS[content], content, hollow=content != REAL)
        for content in _LOOKS
        if content in drawn
    ]
    legend_below(figure, handles, title="content; hollow: control")
    said = "; ".join(f"{what} ({listed(where)})" for what, where in helping.items())
    finding_title(
        figure,
        f"Better than IDs alone and than other items' content: {said or 'too few splits to tell'}",
    )
    return finished(figure)
