"""Figures about other domains: one forest per question, what texts gain as data get sparser, and
content towers on other domains' cold items."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ...evaluation.meta_analysis import LEAST_TO_PREDICT, Summary
from ...studies.transfer import OWN, USER_MEAN
from ..domain_transfer import CONTROL_OVER_IDS, transfers
from ..domains import (
    HELPS,
    OVER,
    OVER_IDS,
    OVER_PLAIN,
    OVER_SHUFFLED,
    Gain,
    Verdict,
)
from ..tables import LEAST_SEEDS
from .style import (
    OPEN,
    PALETTE,
    error_bar,
    finding_title,
    finished,
    grid,
    label,
    legend_below,
    mark,
    spread,
)

_LOOKS = {  # what a gain is over -> colour, marker
    OVER_IDS: (PALETTE[0], "o"),
    OVER_SHUFFLED: (OPEN, "s"),
    OVER_PLAIN: (PALETTE[1], "D"),
}
_ALL = "all data sets"
_BEYOND = 3.0  # axes show this many times the middle half's reach; what lies beyond is cut


def question_forest(
    gains: Sequence[Gain],
    pooled: Mapping[tuple[str, str, str], Summary],
    judged: Sequence[Verdict],
    question: str,
) -> Figure:
    """What one content gains in every domain over IDs, over its shuffled self (control, hollow) and
    the better plain model, with 95 % intervals; all domains together below, with the span in which
    another one is expected (thin line). A panel for each place."""
    own = [one for one in gains if one.question == question]
    places = list(dict.fromkeys(one.where for one in own))
    domains = list(dict.fromkeys(one.domain for one in own))
    rows = [*domains, *([_ALL] if any(key[0] == question for key in pooled) else [])]
    size = (5.2 * len(places) + 1, 0.5 * len(rows) + 1.9)
    figure, axes = grid(1, len(places), size, sharey=True)
    for axis, where in zip(axes.flat, places, strict=True):
        shown = [one for one in own if one.where == where]
        for shift, (over, (colour, marker)) in zip((-0.22, 0, 0.22), _LOOKS.items(), strict=True):
            face = "white" if over == OVER_SHUFFLED else colour
            for one in (one for one in shown if one.over == over):
                _point(axis, one.found, rows.index(one.domain) + shift, colour, marker, face)
            if (found := pooled.get((question, where, over))) is not None:
                place = len(domains) + shift
                axis.plot([found.low_new, found.high_new], [place] * 2, color=colour, lw=0.8)
                _point(axis, found.effect, place, colour, marker, face, width=3)
        axis.axvline(0, color="black", lw=1)
        if _ALL in rows:
            axis.axhline(len(domains) - 0.5, color="grey", lw=0.6)
        axis.set(title=where, xlabel="less test MSE, %, 95 % intervals", xlim=_limits(shown))
        axis.set_yticks(range(len(rows)), [label(name) for name in rows])
        axis.set_ylim(len(rows) - 0.5, -0.5)
    hollow = {over: over == OVER_SHUFFLED for over in OVER}
    words = {over: f"over {over}{' (control)' * hollow[over]}" for over in OVER}
    words[OVER_PLAIN] = "over the better plain model"
    handles = [mark(*_LOOKS[over], words[over], hollow[over]) for over in OVER]
    if any(key[0] == question and one.low_new == one.low_new for key, one in pooled.items()):
        handles.append(Line2D([], [], color=OPEN, lw=0.8, label="another data set, 95 %"))
    legend_below(figure, handles)
    finding_title(figure, _forest_finding(judged, question, places))
    return finished(figure)


def _point(axis: Axes, found, place: float, colour, marker: str, face, width: float = 1.2) -> None:
    span = error_bar(found.mean, found.low, found.high)
    axis.errorbar(
        found.mean, place, xerr=span, fmt=marker, color=colour, mfc=face, capsize=2, ms=5,
        elinewidth=width,
    )  # fmt: skip


def _limits(shown: Sequence[Gain]) -> tuple[float, float]:
    """Of an axis on which one wide interval does not flatten all others."""
    means = np.array([one.found.mean for one in shown])
    ends = np.array([(one.found.low, one.found.high) for one in shown])
    reach = np.nan_to_num(np.abs(ends - means[:, None]).max(axis=1))
    most = _BEYOND * max(float(np.quantile(reach, 0.75)), 0.5)
    low = min(0.0, float((means - np.minimum(reach, most)).min()))
    high = max(0.0, float((means + np.minimum(reach, most)).max()))
    edge = 0.05 * (high - low)
    return low - edge, high + edge


def _forest_finding(judged: Sequence[Verdict], question: str, places: Sequence[str]) -> str:
    content = f"the {question}" if question == "picture" else question
    own = [one for one in judged if one.question == question]
    seeds = max((one.gains[OVER_IDS].n for one in own), default=0)
    if seeds < LEAST_SEEDS:
        return f"With {content}: {seeds} seed{'s' * (seeds != 1)}, too few to tell what is gained"
    counts = []
    for where in places:
        words = [one.word for one in own if one.where == where]
        counts.append(f"on {where} in {words.count(HELPS)} of {len(words)} data sets")
    said = f"with {content}, the network beats IDs alone, shuffled content and plain models"
    few = len({one.domain for one in judged}) < LEAST_TO_PREDICT
    said = f"Demonstration: {said}" if few else said[0].upper() + said[1:]
    return f"{said} {' and '.join(counts)}"


def thinned_curves(table: pd.DataFrame) -> Figure:
    """What text gains over IDs by how many pairs are known, a panel per data set; other items'
    texts (control) hollow.

    Args:
        table: of :func:`~bonmf_lib.report.domain_transfer.thinned_gains`.
    """
    names = list(table["data"].unique())
    lines = -(-len(names) // 3)
    columns = -(-len(names) // max(lines, 1))
    figure, axes = grid(lines, columns, (3.6 * columns + 1, 2.9 * lines + 0.9))
    looks = {OVER_IDS: (PALETTE[0], "o", "-"), CONTROL_OVER_IDS: (OPEN, "s", "--")}
    for axis, name in zip(axes.flat, names, strict=False):
        for over, (colour, marker, style) in looks.items():
            own = table[(table["data"] == name) & (table["over"] == over)].sort_values("known")
            axis.errorbar(
                100 * own["known"], own["mean"], yerr=spread(own), color=colour, marker=marker,
                ls=style, capsize=3, mfc="white" if over == CONTROL_OVER_IDS else colour,
            )  # fmt: skip
        axis.axhline(0, color="black", lw=1)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter("")
        axis.set_xticks(sorted({float(f"{100 * k:.2g}") for k in own["known"]}))
        axis.set(title=label(name), xlabel="known pairs, %")
    for axis in axes.flat[len(names) :]:
        figure.delaxes(axis)
    figure.supylabel("gain over IDs alone, %, 95 % intervals, own scales", fontsize="medium")
    legend_below(
        figure,
        [mark(*looks[OVER_IDS][:2], "text"),
         mark(*looks[CONTROL_OVER_IDS][:2], "shuffled text (control)", hollow=True)],
    )  # fmt: skip
    finding_title(figure, _thinned_finding(table[table["over"] == OVER_IDS]))
    return finished(figure)


def _thinned_finding(table: pd.DataFrame) -> str:
    if table["seeds"].max() < LEAST_SEEDS:
        return f"What text gains on thinned data: {table['seeds'].max()} seeds, too few to tell"
    ends = [(own.iloc[0], own.iloc[-1]) for _, own in table.groupby("data", sort=False)]
    more = sum(thin["low"] > whole["high"] for thin, whole in ends)
    less = sum(thin["high"] < whole["low"] for thin, whole in ends)
    sets = f"{len(ends)} data set{'s' * (len(ends) != 1)}"
    return (
        f"Thinned to the fewest known pairs, text clearly gains more over IDs in {more} of {sets}, "
        f"clearly less in {less}"
    )


def tower_forest(gains: pd.DataFrame) -> Figure:
    """What content towers gain over the user's mean on cold items, a panel per target, a line per
    source; over themselves on shuffled texts hollow.

    Args:
        gains: of :func:`~bonmf_lib.report.domain_transfer.tower_gains`.
    """
    targets = list(gains["target"].unique())
    lines = -(-len(targets) // 2)
    most = gains.groupby("target")["source"].nunique().max()
    figure, axes = grid(
        lines, min(2, len(targets)), (11, (0.32 * most + 0.9) * lines + 1.2), sharex=False
    )
    looks = {USER_MEAN: (PALETTE[0], "o", -0.14), "shuffled": (OPEN, "s", 0.14)}
    for axis, target in zip(axes.flat, targets, strict=False):
        own = gains[gains["target"] == target]
        sources = list(own["source"].unique())
        for over, (colour, marker, shift) in looks.items():
            rows = own[own["over"] == over]
            places = np.array([sources.index(source) for source in rows["source"]]) + shift
            axis.errorbar(
                rows["mean"], places, xerr=spread(rows), fmt=marker, color=colour, capsize=2, ms=5,
                mfc="white" if over == "shuffled" else colour,
            )  # fmt: skip
        axis.axvline(0, color="black", lw=1)
        axis.set_yticks(range(len(sources)), [label(f"from {source}") for source in sources])
        axis.set_ylim(len(sources) - 0.5, -0.5)
        axis.set_title(f"cold items of {label(target)}", fontsize="medium")
        axis.set_xlabel("gain in test MSE, %, 95 % intervals", fontsize="small")
    for axis in axes.flat[len(targets) :]:
        figure.delaxes(axis)
    legend_below(
        figure,
        [mark(*looks[USER_MEAN][:2], f"over the {USER_MEAN}"),
         mark(*looks["shuffled"][:2], "over its shuffled texts (control)", hollow=True)],
    )  # fmt: skip
    finding_title(figure, _tower_finding(gains))
    return finished(figure)


def _tower_finding(gains: pd.DataFrame) -> str:
    if gains["seeds"].max() < LEAST_SEEDS:
        return f"Content towers on cold items: {gains['seeds'].max()} seeds, too few to tell"
    judged = transfers(gains).reset_index()
    home, helps = judged["tower from"] == OWN, judged["verdict"] == HELPS
    said = (
        f"Beyond the {USER_MEAN} and shuffled texts, {helps[home].sum()} of {home.sum()} towers "
        "help at home"
    )
    if home.all():
        return said
    return f"{said}, {helps[~home].sum()} of {(~home).sum()} on another domain"
