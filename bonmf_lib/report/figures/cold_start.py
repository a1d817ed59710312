"""Figures about cold start: errors by training ratings, what content gains, what a text is worth in
ratings, and whom a new item is predicted to please."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...claims.judge import LEAST_SEEDS
from ...evaluation.by_support import BUCKETS, SIDES, metric_of
from ...experiments.names import is_control
from ..cold_start import (
    NONE,
    Gain,
    by_content,
    count_sentence,
    percent_gain,
)
from ..worth import Worth, worths_sentence
from .findings import listed
from .style import (
    CONTROL,
    OPEN,
    PALETTE,
    PAPER_COLOUR,
    axis_legend,
    error_bar,
    finding_title,
    finished,
    grid,
    label,
    legend_below,
    mark,
    metric_label,
    spread,
)

_MARKERS = "osD^vPX*"
_LINEAR = 10  # percent up to which axes of gains are linear, logarithmic beyond
_OVERS = {NONE: (PALETTE[0], "D"), "shuffled": (OPEN, "o"), "noise": (OPEN, "s")}


def bucket_gains(
    records: pd.DataFrame, names: Mapping[str, str], reference: str, metric: str, where: str
) -> Figure:
    """What models gain over a reference row by how many training ratings the item, or the user, of
    a test rating has; 95 % intervals, controls hollow.

    Args:
        names: what rows are called here, by their name. metric: ``mse``, ``precision@10`` or
        ``ndcg@10``.
    """
    table = _by_bucket(records, names, reference, metric)
    sides = [side for side in SIDES if (table["side"] == side).any()]
    figure, axes = grid(1, len(sides), (5.6 * max(len(sides), 1), 4.8), sharey=True)
    for axis, side in zip(axes[0], sides, strict=True):
        own = table[table["side"] == side]
        steps = [bucket for bucket in BUCKETS if bucket in set(own["bucket"])]
        for place, (name, rows) in enumerate(own.groupby("model", sort=False)):
            colour = PALETTE[place % len(PALETTE)]
            x = rows["bucket"].map(steps.index) + 0.07 * (place - len(names) / 2)
            axis.errorbar(
                x, rows["mean"], yerr=spread(rows), capsize=2, color=colour, label=label(name),
                marker=_MARKERS[place % len(_MARKERS)], ls=":" if is_control(name) else "-",
                mfc="white" if is_control(name) else colour,
            )  # fmt: skip
        axis.axhline(0, color="grey", lw=1)
        if table["mean"].abs().max() > _LINEAR:
            axis.set_yscale("symlog", linthresh=_LINEAR)
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_xticks(range(len(steps)), steps)
        axis.set_xlabel(f"training ratings of the {side}")
    axes[0, 0].set_ylabel(f"gain in test {metric_label(metric)} over\n{label(reference)}, %")
    axis_legend(figure, axes[0, 0])
    finding_title(figure, _bucket_finding(table, reference, metric, where))
    return finished(figure)


def _by_bucket(
    records: pd.DataFrame, names: Mapping[str, str], reference: str, metric: str
) -> pd.DataFrame:
    rows = []
    for side in SIDES:
        for bucket in BUCKETS:
            for name, called in names.items():
                pair = (records, name), (records, reference)
                gain = percent_gain(*pair, metric_of(metric, side, bucket))
                if gain is not None:
                    few = gain.n < LEAST_SEEDS
                    bounds = (np.nan, np.nan) if few else (gain.low, gain.high)
                    rows.append((side, bucket, called, gain.mean, *bounds))
    return pd.DataFrame(rows, columns=["side", "bucket", "model", "mean", "low", "high"])


def _bucket_finding(table: pd.DataFrame, reference: str, metric: str, where: str) -> str:
    items = table[(table["side"] == "item") & ~table["model"].map(is_control).astype(bool)]
    said = []
    for bucket in items["bucket"].unique()[[0, -1]] if len(items) else ():
        own = items[items["bucket"] == bucket]
        best = own.loc[own["mean"].idxmax()]
        said.append(f"{label(best['model'])} {best['mean']:+.1f} % on items with {bucket}")
    named = f"{metric_label(metric)} against {label(reference)}"
    return f"{where}: highest gain in {named}, by training ratings: {listed(said)}"


def content_gains(found: Sequence[Gain], metric: str, where: str) -> Figure:
    """What every content gains over none, and over the controls of it (hollow), in percent with
    95 % intervals.

    Args:
        found: of :func:`~bonmf_lib.report.cold_start.gains`, of one metric.
    """
    rows = by_content(found)
    figure, ((axis,),) = grid(1, 1, (8.5, 0.55 * len(rows) + 2.2))
    for place, own in enumerate(rows.values()):
        for one in own:
            colour, marker = _OVERS[one.over]
            gain, step = one.gain, 0.2 * (list(_OVERS).index(one.over) - 1)
            known = gain.n >= LEAST_SEEDS
            axis.errorbar(
                gain.mean, place + step, fmt=marker, color=colour, capsize=2, ms=5,
                xerr=error_bar(gain.mean, gain.low, gain.high) if known else None,
                mfc="white" if one.over != NONE else colour,
            )  # fmt: skip
    axis.axvline(0, color="grey", lw=1)
    axis.set_yticks(range(len(rows)), [label(f"{family}: {read}") for family, read in rows])
    axis.invert_yaxis()
    axis.set_xlabel(f"gain in test {metric_label(metric)}, % (right: better with content)")
    legend_below(
        figure,
        [mark(*_OVERS[over], f"over {over}", hollow=over != NONE) for over in _OVERS],
    )
    finding_title(figure, count_sentence(found, where))
    return finished(figure)


def learning_curves(
    tables: Mapping[str, pd.DataFrame], worths: Mapping[str, Worth | None], metric: str, item: str
) -> Figure:
    """A panel per family: a metric by revealed ratings, without content, with it, and with its
    controls (hollow); where the line without content meets what content starts from (dotted).

    Args:
        tables: of :func:`~bonmf_lib.report.worth.curve_table`, by family, the rows without and
            with content first. worths: by family. item: what one is called.
    """
    figure, axes = grid(1, len(tables), (4.4 * max(len(tables), 1), 4.6))
    steps = sorted({x for table in tables.values() for x in table["x"]})
    places = {x: np.log1p(x) for x in steps}
    for axis, (family, table) in zip(axes[0], tables.items(), strict=True):
        for place, (name, own) in enumerate(table.groupby("model", sort=False)):
            _curve(axis, own, places, place, _short(name, table["model"].iloc[0]))
        reading = table["model"].drop_duplicates().iloc[1]
        start = table[(table["model"] == reading) & (table["x"] == steps[0])]["mean"]
        if len(start):
            axis.axhline(start.iloc[0], color=PALETTE[1], ls=":", lw=1, gid="reference")
        axis.set_xticks(list(places.values()), [str(x) for x in steps])
        axis.set(xlabel="revealed training ratings", title=label(family))
    bars = any(table["low"].notna().any() for table in tables.values())
    axes[0, 0].set_ylabel(f"test {metric_label(metric)}{', 95 % intervals' * bars}")
    axis_legend(figure, axes[0, 0])
    known = [found for found in worths.values() if found is not None]
    finding_title(figure, worths_sentence(known, item))
    return finished(figure)


def _curve(axis: Axes, own: pd.DataFrame, places: Mapping[int, float], place: int, name: str):
    colour, control = PALETTE[place % len(PALETTE)], is_control(name)
    axis.errorbar(
        own["x"].map(places) + 0.02 * place, own["mean"], yerr=spread(own), capsize=2,
        color=OPEN if control else colour, marker=_MARKERS[place], ls=":" if control else "-",
        mfc="white" if control else colour, label=label(name),
    )  # fmt: skip


def _short(name: str, without: str) -> str:
    """What a row reads, where the family's name stands above."""
    rest = name.removeprefix(without)
    read, _, control = rest.partition(", ")
    read = f"with {read.removeprefix(' + ')}" if read else "no content"
    return f"{read}, {control}" if control else read


def audience(table: pd.DataFrame, title: str, unit: str) -> Figure:
    """Predicted ratings of one new item by group of users, a mark per model, and what the groups
    rated it (crosses; larger with more raters); controls hollow.

    Args:
        table: of :func:`~bonmf_lib.studies.cold_item.predicted_audience`. title: of the item.
    """
    models = [name for name in table if name not in ("rated", "raters", "users")]
    figure, ((axis,),) = grid(1, 1, (8.5, 0.5 * len(table) + 2.4))
    for place, name in enumerate(models):
        colour = PALETTE[place % len(PALETTE)]
        axis.scatter(
            table[name], np.arange(len(table)) + 0.1 * (place - len(models) / 2),
            marker=_MARKERS[place % len(_MARKERS)], edgecolors=colour, label=label(name),
            facecolors="white" if is_control(name) else colour,
        )  # fmt: skip
    rated = table["rated"].notna().to_numpy()
    axis.scatter(
        table["rated"][rated], np.flatnonzero(rated), marker="x", color=PAPER_COLOUR,
        s=20 + 4 * np.minimum(table["raters"][rated], 40), label="held-out ratings, mean",
    )  # fmt: skip
    axis.set_yticks(range(len(table)), [label(group, 40) for group in table.index])
    axis.invert_yaxis()
    axis.set_xlabel(f"{unit}, mean over the users of a group")
    handles, words = axis.get_legend_handles_labels()
    if any(is_control(name) for name in models):
        handles, words = [*handles, mark(OPEN, "o", CONTROL, hollow=True)], [*words, CONTROL]
    legend_below(figure, handles, words)
    finding_title(figure, audience_sentence(table, title))
    return finished(figure)


def audience_sentence(table: pd.DataFrame, title: str) -> str:
    """Which group each model predicts to like the item most, and which rated it best."""
    models = [name for name in table if name not in ("rated", "raters", "users")]
    told = [name for name in models if np.ptp(table[name]) > 1e-3]
    first = pd.Series([label(table[name].idxmax(), 30) for name in told], dtype=object)
    said = [f"{group} ({n} of {len(models)} models)" for group, n in first.value_counts().items()]
    best = table["rated"].idxmax() if table["rated"].notna().any() else None
    truth = f"; rated best by {label(best, 30)}" if best is not None else ""
    liked = listed(said, 4) if said else "no group differs for any model"
    return f"{label(title, 40)}, predicted to please most: {liked}{truth}"
