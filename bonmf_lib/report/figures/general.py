"""The study's figures: one function each, colour-blind-safe, titles that name the finding's
axis."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...datasets import Dataset
from ...datasets.summary import activity, top_share
from ...encoders.image import decode
from ...errors import RecordError
from ...training.loop import History

PALETTE = sns.color_palette("colorblind")
PAPER_COLOUR = "black"
Column = pd.Series | np.ndarray  # (N,)


def set_style() -> None:
    """Common look of all figures and tables; call once per notebook. No title or name is read as
    mathematics: that of a song may be ``A$$AP``."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind")
    plt.rcParams |= {
        "figure.dpi": 80,
        "savefig.bbox": "tight",
        "axes.titlesize": "medium",
        "figure.constrained_layout.use": True,
        "text.parse_math": False,
    }
    pd.set_option("display.html.use_mathjax", False)


def _finished(figure: Figure) -> Figure:
    """The figure, closed for pyplot: a notebook then shows it once, as the value of its cell.

    Raises:
        RecordError: a panel has nothing drawn in it but its frame and reference lines.
    """
    plt.close(figure)
    panels = [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]
    # of walls, of which the last may be left empty
    slots = [axis for axis in panels if not axis.axison]
    empty = [axis for axis in panels if axis.axison and not _has_data(axis)]
    if slots and not any(_has_data(axis) or axis.texts for axis in slots):
        empty += slots[:1]
    if empty or not panels:
        title = (
            next((axis.get_title() or axis.get_xlabel() for axis in empty), "")
            or figure.get_suptitle()
        )
        raise RecordError(
            f"The figure {title!r} has a panel without any data; "
            "check that what it was asked to show was measured."
        )
    return figure


_REFERENCE = "reference"  # marks what is drawn for comparison and is no data


def _has_data(axis: Axes) -> bool:
    """Whether anything finite is drawn in data coordinates; lines across the whole panel are
    not."""
    lines = [
        line.get_xydata() for line in axis.lines
        if line.get_transform() == axis.transData and line.get_gid() != _REFERENCE
    ]  # fmt: skip
    dots = [
        np.ma.filled(dots.get_offsets().astype(float), np.nan) for dots in axis.collections
        if isinstance(dots, PathCollection)
    ]  # fmt: skip
    bars = [
        bar.get_bbox().get_points() for bar in axis.patches
        if isinstance(bar, Rectangle) and bar.get_data_transform() == axis.transData
    ]  # fmt: skip
    pictures = [
        np.ma.filled(picture.get_array().astype(float), np.nan).reshape(-1, 1)
        for picture in axis.images
    ]
    return any(
        np.isfinite(points).all(axis=-1).any() for points in (*lines, *dots, *bars, *pictures)
    )


def _diagonal(axis: Axes, limits: tuple[float, float], label: str, colour: str = "grey") -> None:
    axis.plot(limits, limits, ":", color=colour, label=label, gid=_REFERENCE)


def _grid(rows: int, columns: int, size: tuple[float, float], **given) -> tuple[Figure, np.ndarray]:
    """A figure with (rows, columns) panels; ``RecordError`` when that is none."""
    if not rows * columns:
        raise RecordError(
            "This figure was given nothing to show; check that what it asks for was measured."
        )
    return plt.subplots(rows, columns, figsize=size, squeeze=False, **given)


def _spread(middle: Column, low: Column, high: Column) -> np.ndarray:
    """Lengths (2, N) of error bars from a middle to its bounds, none where there is no interval."""
    return np.nan_to_num(np.stack([middle - low, high - middle]).clip(0))


def _paper_crosses(
    axis: Axes, paper: Mapping[str, float], places: Mapping[str, float], label: str = "paper"
) -> None:
    """The paper's value by name as a cross in the line of that name; names without one get none."""
    crosses = [(paper[name], place) for name, place in places.items() if name in paper]
    if crosses:
        style = {"marker": "x", "s": 60, "color": PAPER_COLOUR, "zorder": 3}
        axis.scatter(*zip(*crosses, strict=True), label=label, **style)


def _label(text: str, most: int = 80) -> str:
    """A name out of the data as one line of at most ``most`` printable characters; legends pass
    over a leading ``_``, which is kept from being the first."""
    line = " ".join(
        "".join(letter if letter.isprintable() else " " for letter in str(text)).split()
    )
    line = line if len(line) <= most else line[: most - 3] + "..."
    return f" {line}" if line.startswith("_") else line


def rating_distribution(dataset: Dataset) -> Figure:
    """Share of each rating, and the long tail of items."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
    shares = dataset.ratings["rating"].value_counts(normalize=True).sort_index()
    if len(shares) > 20:
        left.hist(dataset.ratings["rating"], bins=20, color=PALETTE[0])
        left.set(ylabel="ratings")
    else:
        left.bar([f"{value:g}" for value in shares.index], shares.to_numpy(), color=PALETTE[0])
        left.yaxis.set_major_formatter("{x:.0%}")
        left.set(ylabel="share of ratings")
    left.set(xlabel="rating", title="How often each rating is given")
    for side, colour in (("item", PALETTE[0]), ("user", PALETTE[1])):
        counts = np.sort(activity(dataset, side).to_numpy())[::-1]
        right.plot(
            np.arange(1, len(counts) + 1) / len(counts), np.cumsum(counts) / counts.sum(),
            color=colour, label=f"{side}s (top 10 %: {top_share(pd.Series(counts), 0.1):.0%})",
        )  # fmt: skip
    _diagonal(right, (0, 1), "all equally active")
    right.xaxis.set_major_formatter("{x:.0%}")
    right.yaxis.set_major_formatter("{x:.0%}")
    right.set(
        xlabel="most active share",
        ylabel="share of ratings",
        title="Long tail: ratings held by the most active",
    )
    right.legend()
    return _finished(figure)


def picture_wall(
    dataset: Dataset,
    items: Sequence[int],
    columns: int = 8,
    notes: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """Pictures of the given items with their titles and, where given, a note each."""
    rows = -(-len(items) // columns)
    figure, axes = _grid(rows, columns, (1.5 * columns, 2.6 * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, item, note in zip(axes.flat, items, notes or [""] * len(items), strict=False):
        _show_picture(axis, dataset, item, note)
    if title:
        figure.suptitle(title, fontsize="medium")
    return _finished(figure)


def _show_picture(axis: Axes, dataset: Dataset, item: int, note: str = "") -> None:
    axis.axis("off")
    row = dataset.items.iloc[item]
    axis.set_title("\n".join(filter(None, [_short_title(row["title"]), note])), fontsize=8)
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


def _short_title(title: str) -> str:
    return _label(title, 18)


def neighbour_wall(dataset: Dataset, neighbours: dict[str, dict[int, pd.DataFrame]]) -> Figure:
    """Per encoder and query item, one row: the query, then its nearest neighbours with their
    similarity."""
    lines = [
        (name, query, table) for name, found in neighbours.items() for query, table in found.items()
    ]
    width = 1 + max((len(table) for _, _, table in lines), default=0)
    figure, axes = _grid(len(lines), width, (1.7 * width, 2.7 * len(lines)))
    for axis in axes.flat:
        axis.axis("off")
    for row, (name, query, table) in zip(axes, lines, strict=True):
        _show_picture(row[0], dataset, query, f"query, {_label(name)}")
        for axis, found in zip(row[1:], table.itertuples(), strict=False):
            _show_picture(axis, dataset, found.item, f"{found.similarity:.2f}")
    return _finished(figure)


def feature_map(
    points: dict[str, np.ndarray], genres: dict[str, pd.Series], most: int = 6
) -> Figure:
    """2-D maps (items, 2) by name, coloured by genre: each item by the rarest it has of the most
    frequent genres."""
    counts = pd.concat(genres.values()).explode().value_counts()
    shown = list(counts.index[:most])
    order = [*shown, "other"]
    colours = dict(zip(order, [*PALETTE[: len(shown)], (0.8, 0.8, 0.8)], strict=True))
    figure, axes = _grid(1, len(points), (6 * len(points), 5))
    for axis, (name, xy) in zip(axes.flat, points.items(), strict=True):
        label = np.array(
            [
                next((genre for genre in reversed(shown) if genre in row), "other")
                for row in genres[name]
            ]
        )
        for genre in reversed(order):
            axis.scatter(
                *xy[label == genre].T, s=6, color=colours[genre], label=_label(genre), linewidths=0
            )
        title = f"{_label(name).capitalize()}: items{' by genre' if shown else ''}"
        axis.set(title=title, xlabel="t-SNE 1", ylabel="t-SNE 2", xticks=[], yticks=[])
    if shown:
        axes.flat[-1].legend(markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def probe_bars(probe: pd.DataFrame) -> Figure:
    """Average precision per genre and encoder, chance marked."""
    order = probe.drop_duplicates("genre").sort_values("share", ascending=False)["genre"].tolist()
    figure, axis = plt.subplots(figsize=(11, 4))
    sns.barplot(probe, x="genre", y="average_precision", hue="features", order=order, ax=axis)
    chance = probe.drop_duplicates("genre").set_index("genre")["share"][order]
    axis.scatter(
        range(len(order)), chance, marker="_", s=300, color="black", label="chance", zorder=3
    )
    axis.set(
        xlabel="",
        ylabel="average precision",
        title="Which genres a linear probe reads from the features",
    )
    axis.set_xticks(range(len(order)), [_label(genre) for genre in order])
    axis.tick_params(axis="x", rotation=40)
    axis.legend(title="", loc="center left", bbox_to_anchor=(1, 0.5))
    return _finished(figure)


def learning_curves(histories: dict[str, list[History]]) -> Figure:
    """Training and validation MSE per epoch by name: mean over seeds up to the first one's stop,
    band = range."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    for place, (name, runs) in enumerate(histories.items()):
        for axis, curves in zip(
            axes, ([r.train_loss for r in runs], [r.valid for r in runs]), strict=True
        ):
            shortest = min(map(len, curves))
            stack = np.array([curve[:shortest] for curve in curves])
            epochs = np.arange(1, shortest + 1)
            axis.plot(
                epochs, stack.mean(axis=0), color=PALETTE[place], label=_label(name), marker="."
            )
            axis.fill_between(
                epochs, stack.min(axis=0), stack.max(axis=0), color=PALETTE[place], alpha=0.2
            )
    for axis, title in zip(axes, ("training", "validation"), strict=True):
        axis.set(xlabel="epoch", ylabel="MSE", title=f"{title.capitalize()} error by epoch")
    axes[1].legend()
    return _finished(figure)


def calibration(predictions: dict[str, pd.DataFrame], bins: int = 15) -> Figure:
    """Mean true rating within equally filled bins of predicted rating, by name."""
    figure, axis = plt.subplots(figsize=(5.2, 4.6))
    for place, (name, table) in enumerate(predictions.items()):
        groups = table.groupby(pd.qcut(table["predicted"], bins, duplicates="drop"), observed=True)
        means = groups[["predicted", "rating"]].mean()
        axis.plot(
            means["predicted"],
            means["rating"],
            marker="o",
            ms=4,
            color=PALETTE[place],
            label=_label(name),
        )
    limits = axis.get_xlim()
    _diagonal(axis, limits, "perfectly calibrated")
    axis.set(
        xlabel="predicted rating", ylabel="mean true rating", title="Calibration on test ratings"
    )
    axis.legend()
    return _finished(figure)


def error_by_activity(
    predictions: dict[str, pd.DataFrame], counts: dict[str, np.ndarray]
) -> Figure:
    """Test MSE by the number of training ratings of the user and of the item, by name.

    Args:
        counts: training ratings per id under ``user`` and ``item``.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    edges = [-1, 4, 9, 19, 49, 99, 199, np.inf]
    labels = ["0-4", "5-9", "10-19", "20-49", "50-99", "100-199", "200+"]
    for axis, side in zip(axes, ("user", "item"), strict=True):
        for place, (name, table) in enumerate(predictions.items()):
            bucket = pd.cut(counts[side][table[side]], edges, labels=labels)
            errors = (
                ((table["predicted"] - table["rating"]) ** 2).groupby(bucket, observed=False).mean()
            )
            axis.plot(labels, errors, marker="o", ms=4, color=PALETTE[place], label=_label(name))
        axis.set(
            xlabel=f"training ratings of the {side}",
            ylabel="test MSE",
            title=f"Error by {side} activity",
        )
        axis.tick_params(axis="x", rotation=20)
    axes[1].legend()
    return _finished(figure)


def model_comparison(table: pd.DataFrame, metric: str, paper: dict[str, float]) -> Figure:
    """Mean and 95 % interval of every row, the protocols of a variant on one line, the best variant
    on top; the paper's values as crosses.

    Args:
        table: columns variant, protocol, mean, low, high, of a metric that is better when lower.
        paper: the paper's value by variant name; variants without one get no cross.
    """
    variants = table.groupby("variant")["mean"].min().sort_values().index
    places = pd.Series(np.arange(len(variants))[::-1], index=variants)
    protocols = list(table["protocol"].unique())
    figure, axis = plt.subplots(figsize=(8, 0.42 * len(variants) + 1.8))
    for protocol, shift in zip(
        protocols, 0.14 * (np.arange(len(protocols)) - (len(protocols) - 1) / 2), strict=True
    ):
        rows = table[table["protocol"] == protocol]
        spread = _spread(rows["mean"], rows["low"], rows["high"])
        axis.errorbar(
            rows["mean"], places[rows["variant"]] - shift, xerr=spread, fmt="o",
            capsize=3, color=PALETTE[protocols.index(protocol) % len(PALETTE)], label=protocol,
        )  # fmt: skip
    _paper_crosses(axis, paper, places, "paper (MovieLens-1M)")
    axis.set_yticks(places, [_label(name) for name in places.index])
    axis.set(xlabel=f"test {metric}, mean and 95 % interval", title=f"Test {metric} by model")
    axis.legend(loc="best")
    return _finished(figure)


def verdict_bars(counts: pd.Series) -> Figure:
    """Number of claims by verdict."""
    figure, axis = plt.subplots(figsize=(8, 2.4))
    judged = {
        "reproduced": PALETTE[2],
        "direction only": PALETTE[8],
        "inconclusive": PALETTE[1],
        "not reproduced": PALETTE[3],
    }
    colours = [judged.get(verdict, (0.85, 0.85, 0.85)) for verdict in counts.index]
    bars = axis.barh(counts.index[::-1], counts.to_numpy()[::-1], color=colours[::-1])
    axis.bar_label(bars, padding=3)
    axis.set(xlabel="claims", title="Claims by verdict")
    axis.grid(axis="y", visible=False)
    return _finished(figure)
