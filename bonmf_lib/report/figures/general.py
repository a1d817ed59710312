"""Figures of data, features, training and predictions, and of verdicts."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...datasets import Dataset
from ...datasets.summary import activity, top_share
from ...encoders.image import decode
from ...experiments.names import is_control, row_name
from ...training.loop import History
from ..chips import CHIPS
from ..row_sentences import MEMBERS
from .findings import listed, splits
from .style import (
    PALETTE,
    PAPER_COLOUR,
    axis_legend,
    describe_figures,
    diagonal,
    finding_title,
    finished,
    grid,
    half_widths,
    label,
    short_title,
    spread,
)


def set_style() -> None:
    """Common look of all figures and tables; call once per notebook. Every figure keeps its finding
    as alternative text. No title or name is read as mathematics: that of a song may be
    ``A$$AP``."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams |= {
        "figure.dpi": 80,
        "savefig.bbox": "tight",
        "axes.titlesize": "medium",
        "figure.constrained_layout.use": True,
        "text.parse_math": False,
    }
    pd.set_option("display.html.use_mathjax", False)
    pd.set_option("display.max_colwidth", None)  # no text of a cell is cut
    describe_figures()


def rating_distribution(dataset: Dataset) -> Figure:
    """Share of each rating, and the long tail of items."""
    figure, ((left, right),) = grid(1, 2, (11, 4.2))
    shares = dataset.ratings["rating"].value_counts(normalize=True).sort_index()
    if len(shares) > 20:
        left.hist(dataset.ratings["rating"], bins=20, color=PALETTE[0])
        left.set(ylabel="ratings")
    else:
        left.bar([f"{value:g}" for value in shares.index], shares.to_numpy(), color=PALETTE[0])
        left.yaxis.set_major_formatter("{x:.0%}")
        left.set(ylabel="share of ratings")
    left.set(xlabel="rating", title="How often each rating is given")
    held = {}
    for side, colour in (("item", PALETTE[0]), ("user", PALETTE[1])):
        counts = np.sort(activity(dataset, side).to_numpy())[::-1]
        held[side] = top_share(pd.Series(counts), 0.1)
        right.plot(
            np.arange(1, len(counts) + 1) / len(counts), np.cumsum(counts) / counts.sum(),
            color=colour, label=f"{side}s",
        )  # fmt: skip
    diagonal(right, (0, 1), "all equally active")
    right.xaxis.set_major_formatter("{x:.0%}")
    right.yaxis.set_major_formatter("{x:.0%}")
    right.set(
        xlabel="most active share",
        ylabel="share of ratings",
        title="Ratings held by the most active",
    )
    right.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    finding_title(
        figure,
        f"The tenth of the items with most ratings holds {held['item']:.0%} of them, "
        f"the tenth of the users {held['user']:.0%}",
    )
    return finished(figure)


def picture_wall(
    dataset: Dataset,
    items: Sequence[int],
    columns: int = 8,
    notes: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Pictures of the given items with their titles and, where given, a note each."""
    rows = -(-len(items) // columns)
    figure, axes = grid(rows, columns, (1.5 * columns, 2.6 * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, item, note in zip(axes.flat, items, notes or [""] * len(items), strict=False):
        _show_picture(axis, dataset, item, note)
    words = dataset.words
    finding_title(figure, title or f"{len(items)} {words.items}, each by its {words.picture}")
    return finished(figure)


def _show_picture(axis: Axes, dataset: Dataset, item: int, note: str = "") -> None:
    axis.axis("off")
    row = dataset.items.iloc[item]
    axis.set_title("\n".join(filter(None, [short_title(row["title"]), note])), fontsize=8)
    pixels = (
        decode(Path(row["image"]).read_bytes(), (100, 150))
        if isinstance(row["image"], str)
        else None
    )
    if pixels is not None:
        axis.imshow(pixels)
    else:
        style = {"ha": "center", "va": "center", "fontsize": 8, "color": "grey"}
        axis.text(0.5, 0.5, "no picture", transform=axis.transAxes, **style)


def neighbour_wall(dataset: Dataset, neighbours: dict[str, dict[int, pd.DataFrame]]) -> Figure:
    """Per encoder and query item, one row: the query, then its nearest neighbours with their
    similarity."""
    lines = [
        (name, query, table) for name, found in neighbours.items() for query, table in found.items()
    ]
    width = 1 + max((len(table) for _, _, table in lines), default=0)
    figure, axes = grid(len(lines), width, (1.7 * width, 2.7 * len(lines)))
    for axis in axes.flat:
        axis.axis("off")
    for row, (name, query, table) in zip(axes, lines, strict=True):
        _show_picture(row[0], dataset, query, f"query, {label(name)}")
        for axis, found in zip(row[1:], table.itertuples(), strict=False):
            _show_picture(axis, dataset, found.item, f"{found.similarity:.2f}")
    queries = len({query for _, query, _ in lines})
    finding_title(
        figure,
        f"Nearest neighbours of {queries} {dataset.words.items} by "
        f"{listed([label(name) for name in neighbours])}; numbers: cosine similarity",
    )
    return finished(figure)


def feature_map(
    points: dict[str, np.ndarray], genres: dict[str, pd.Series], most: int = 6
) -> Figure:
    """2-D maps (items, 2) by name, coloured by genre: each item by the rarest it has of the most
    frequent genres."""
    counts = pd.concat(genres.values()).explode().value_counts()
    shown = list(counts.index[:most])
    order = [*shown, "other"]
    colours = dict(zip(order, [*PALETTE[: len(shown)], (0.8, 0.8, 0.8)], strict=True))
    figure, axes = grid(1, len(points), (5.5 * len(points), 5.6))
    for axis, (name, xy) in zip(axes.flat, points.items(), strict=True):
        own = np.array(
            [
                next((genre for genre in reversed(shown) if genre in row), "other")
                for row in genres[name]
            ]
        )
        for genre in reversed(order):
            axis.scatter(
                *xy[own == genre].T, s=6, color=colours[genre], label=label(genre, 30), linewidths=0
            )
        axis.set(title=label(name), xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[])
    if shown:
        axis_legend(figure, axes.flat[-1], markerscale=3)
    finding_title(
        figure,
        f"Items near each other have similar features (t-SNE){'; colour: genre' if shown else ''}",
    )
    return finished(figure)


def probe_bars(probe: pd.DataFrame) -> Figure:
    """Average precision per genre and encoder, controls hollow, chance marked."""
    order = probe.drop_duplicates("genre").sort_values("share", ascending=False)["genre"].tolist()
    figure, ((axis,),) = grid(1, 1, (11, 4.6))
    names = list(probe["features"].unique())
    width = 0.8 / len(names)
    for place, (name, colour) in enumerate(zip(names, PALETTE, strict=False)):
        values = probe[probe["features"] == name].set_index("genre")["average_precision"][order]
        axis.bar(
            np.arange(len(order)) + width * (place - (len(names) - 1) / 2), values, width,
            facecolor="white" if is_control(name) else colour, edgecolor=colour,
            label=label(name),
        )  # fmt: skip
    chance = probe.drop_duplicates("genre").set_index("genre")["share"][order]
    ends = np.arange(len(order)) - 0.45, np.arange(len(order)) + 0.45
    axis.hlines(chance, *ends, color="black", linewidth=2, label="chance")
    axis.set(xlabel="", ylabel="average precision", xlim=(-0.6, len(order) - 0.4))
    axis.set_xticks(
        range(len(order)), [label(genre, 20) for genre in order],
        rotation=40, ha="right", rotation_mode="anchor",
    )  # fmt: skip
    axis.grid(axis="x", visible=False)
    axis_legend(figure, axis)
    means = probe.groupby("features", sort=False)["average_precision"].mean()
    said = ", ".join(f"{label(name)} {value:.2f}" for name, value in means.items())
    finding_title(
        figure,
        f"Genres that a linear probe reads, mean average precision: {said}; "
        f"chance {chance.mean():.2f}",
    )
    return finished(figure)


def learning_curves(histories: dict[str, list[History]]) -> Figure:
    """Training and validation MSE per epoch by name: mean over seeds up to the first one's stop,
    band = range."""
    figure, axes = grid(1, 2, (11, 4.6), sharey=True)
    best = []
    for place, (name, runs) in enumerate(histories.items()):
        for axis, curves in zip(
            axes[0], ([r.train_loss for r in runs], [r.valid for r in runs]), strict=True
        ):
            shortest = min(map(len, curves))
            stack = np.array([curve[:shortest] for curve in curves], dtype=float)
            if np.isnan(stack).all():
                continue  # trained without validation ratings
            epochs = np.arange(1, shortest + 1)
            axis.plot(
                epochs, stack.mean(axis=0), color=PALETTE[place], label=label(name), marker="."
            )
            axis.fill_between(
                epochs, stack.min(axis=0), stack.max(axis=0), color=PALETTE[place], alpha=0.2
            )
            if axis is axes[0, 1]:
                best.append(f"{label(name)} {1 + stack.mean(axis=0).argmin()}")
    for axis, title in zip(axes[0], ("training", "validation"), strict=True):
        axis.set(xlabel="epoch", title=f"{title.capitalize()} ratings")
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("MSE")
    axis_legend(figure, axes[0, 0])
    finding_title(
        figure,
        f"Epoch of the lowest mean validation MSE: {listed(best) or 'not measured'}; "
        f"bands: range over {splits(max(map(len, histories.values())))}",
    )
    return finished(figure)


def calibration(predictions: dict[str, pd.DataFrame], bins: int = 15) -> Figure:
    """Mean true less mean predicted rating within equally filled bins of predicted rating, by name,
    with 95 % intervals over ratings."""
    figure, ((axis,),) = grid(1, 1, (8, 4.6))
    largest = {}
    for place, (name, table) in enumerate(predictions.items()):
        table = table.assign(gap=table["rating"] - table["predicted"])
        groups = table.groupby(pd.qcut(table["predicted"], bins, duplicates="drop"), observed=True)
        means, errors = groups[["predicted", "gap"]].mean(), half_widths(groups["gap"])
        colour = PALETTE[place % len(PALETTE)]
        axis.errorbar(
            means["predicted"], means["gap"], yerr=errors, marker="o", ms=4, capsize=2,
            linewidth=1, color=colour, label=label(name),
        )  # fmt: skip
        largest[label(name)] = means["gap"].abs().max()
    axis.axhline(0, linestyle=":", color="black", label="perfectly calibrated")
    axis.set(xlabel="predicted rating", ylabel="mean true − predicted rating")
    axis_legend(figure, axis)
    most, least = (choose(largest, key=largest.get) for choose in (max, min))
    finding_title(
        figure,
        f"Largest mean gap between true and predicted test ratings: {largest[most]:.2f} for {most}"
        + f", {largest[least]:.2f} for {least}" * (len(largest) > 1),
    )
    return finished(figure)


def error_by_activity(
    predictions: dict[str, pd.DataFrame], counts: dict[str, np.ndarray]
) -> Figure:
    """Test MSE by the number of training ratings of the user and of the item, by name, with 95 %
    intervals over ratings.

    Args:
        counts: training ratings per id under ``user`` and ``item``.
    """
    figure, axes = grid(1, 2, (11, 4.6), sharey=True)
    edges = [-1, 4, 9, 19, 49, 99, 199, np.inf]
    labels = ["0-4", "5-9", "10-19", "20-49", "50-99", "100-199", "200+"]
    ends = []
    for axis, side in zip(axes.flat, ("user", "item"), strict=True):
        means = {}
        for place, (name, table) in enumerate(predictions.items()):
            bucket = pd.cut(counts[side][table[side]], edges, labels=labels)
            groups = ((table["predicted"] - table["rating"]) ** 2).groupby(bucket, observed=False)
            means[name] = groups.mean()
            shift = 0.08 * (place - (len(predictions) - 1) / 2)
            axis.errorbar(
                np.arange(len(labels)) + shift, means[name], yerr=half_widths(groups),
                marker="o", ms=4, capsize=2, linewidth=1, label=label(name),
                color=PALETTE[place % len(PALETTE)],
            )  # fmt: skip
        axis.set_xticks(range(len(labels)), labels)
        axis.set(xlabel=f"training ratings of the {side}", title=f"By {side}")
        known = pd.DataFrame(means).dropna(how="all").mean(axis=1)
        ends.append(
            f"{known.iloc[0]:.2f} for {side}s with {known.index[0]}, "
            f"{known.iloc[-1]:.2f} with {known.index[-1]}"
        )
    axes[0, 0].set_ylabel("test MSE")
    axis_legend(figure, axes[0, 0])
    finding_title(
        figure,
        f"Mean test MSE by number of training ratings: {'; '.join(ends)} (95 % intervals)",
    )
    return finished(figure)


def model_comparison(table: pd.DataFrame, metric: str, paper: dict[str, float]) -> Figure:
    """Mean and 95 % interval of every row, the protocols of a variant on one line, the best variant
    on top; the paper's values as crosses.

    Args:
        table: columns variant, protocol, mean, low, high, seeds, of a metric that is better when
            lower.
        paper: the paper's value by variant name; variants without one get no cross.
    """
    variants = table.groupby("variant")["mean"].min().sort_values().index
    places = pd.Series(np.arange(len(variants))[::-1], index=variants)
    protocols = list(table["protocol"].unique())
    figure, ((axis,),) = grid(1, 1, (8, 0.45 * len(variants) + 2.2))
    own = table.groupby("variant")["protocol"]
    shifts = 0.2 * (own.cumcount() - (own.transform("size") - 1) / 2)
    heights = table["variant"].map(places) - shifts
    for place, protocol in enumerate(protocols):
        rows = table[table["protocol"] == protocol]
        axis.errorbar(
            rows["mean"], heights[rows.index], xerr=spread(rows), fmt="o", capsize=3,
            color=PALETTE[place % len(PALETTE)], label=label(protocol),
        )  # fmt: skip
    crosses = [(paper[name], place) for name, place in places.items() if name in paper]
    if crosses:
        axis.scatter(
            *zip(*crosses, strict=True),
            marker="x",
            s=60,
            color=PAPER_COLOUR,
            label="paper (MovieLens-1M)",
            zorder=3,
        )
    axis.set_yticks(places, [label(name) for name in places.index])
    axis.set(xlabel=f"test {metric}, mean and 95 % interval")
    axis_legend(figure, axis)
    single = table[~table["variant"].str.contains(MEMBERS)]  # a mean of networks is no one model
    lowest = single.loc[single["mean"].idxmin()]
    of_single = "" if len(single) == len(table) else "Of single models "
    finding_title(
        figure,
        f"{of_single}{label(row_name(lowest['variant'], lowest['protocol']))} has the lowest mean "
        f"test {metric}, {lowest['mean']:.3f} ({splits(lowest['seeds'])})",
    )
    return finished(figure)


def verdict_bars(counts: pd.Series) -> Figure:
    """Number of claims by verdict, in the colours of :data:`~bonmf_lib.report.chips.CHIPS`."""
    figure, ((axis,),) = grid(1, 1, (8, 2.8))
    shown = counts[::-1]
    bars = axis.barh(
        shown.index, shown.to_numpy(), color=[CHIPS[verdict].fill for verdict in shown.index],
        edgecolor="black", linewidth=0.8,
    )  # fmt: skip
    axis.bar_label(bars, padding=3)
    axis.set(xlabel="claims")
    axis.margins(x=0.08)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(axis="y", visible=False)
    judged = counts.drop(["not testable on this data", "not run"], errors="ignore")
    found = listed([f"{number} {verdict}" for verdict, number in judged.items()])
    finding_title(figure, f"Of {counts.sum()} claims, {judged.sum()} are judged: {found}")
    return finished(figure)
