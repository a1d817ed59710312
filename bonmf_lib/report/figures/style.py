"""What all figures share: colours, titles that tell the finding and stand for the picture where it
cannot be seen, legends off the data, and the check that nothing is shown empty."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython import get_ipython
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ...errors import RecordError
from ...evaluation.by_support import spoken
from ...evaluation.names import metric_name

PALETTE = sns.color_palette("colorblind")
PAPER_COLOUR = "black"
OPEN = (0.45, 0.45, 0.45)  # neither better nor worse
CONTROL = "hollow: control"
_LETTER = 0.56  # mean width of a letter, in its font's size
_REFERENCE = "reference"  # marks what is drawn for comparison and is no data
_METRICS = {
    "mse-cold-items": "MSE on items with < 5 ratings",
    "mse-warm-items": "MSE on other items",
    "mse-cold-users": "MSE on users with < 5 ratings",
    "mse-cold-both": "MSE on both with < 5 ratings",
    "peak-memory": "peak memory",
    "epoch-seconds": "seconds of an epoch",
}


def metric_label(metric: str) -> str:
    """A metric of the records as figures call it, which have room for few words."""
    return spoken(metric) or _METRICS.get(metric) or metric_name(metric)


def label(text: object, most: int = 80) -> str:
    """A name out of the data as one line of at most ``most`` printable characters; legends pass
    over a leading ``_``, which is kept from being the first."""
    line = " ".join(
        "".join(letter if letter.isprintable() else " " for letter in str(text)).split()
    )
    line = line if len(line) <= most else line[: most - 3] + "..."
    return f" {line}" if line.startswith("_") else line


def short_title(title: str) -> str:
    """An item's title, as short as walls of pictures have room for."""
    return label(title, 18)


def grid(rows: int, columns: int, size: tuple[float, float], **given) -> tuple[Figure, np.ndarray]:
    """A figure with (rows, columns) panels, ``size`` in inches; ``RecordError`` when that is
    none."""
    if not rows * columns:
        raise RecordError(
            "This figure was given nothing to show; check that what it asks for was measured."
        )
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **given)


def finding_title(figure: Figure, finding: str) -> None:
    """Let the figure's title tell a finding, in at most two lines of the figure's width; the whole
    sentence is its alternative text."""
    said = label(finding, 1000)
    figure.set_label(said)
    title = figure.suptitle("", fontsize="medium")
    letters = int(72 * figure.get_figwidth() / (_LETTER * title.get_fontsize()))
    lines = wrap(said, letters, max_lines=2, placeholder=" …")
    if len(lines) == 2:  # of about the same length, where nothing is left out
        widths = range(len(said) // 2, letters)
        lines = next((even for width in widths if len(even := wrap(said, width)) == 2), lines)
    title.set_text("\n".join(lines))


def legend_below(
    figure: Figure, handles: Sequence[Artist], labels: Sequence[str] | None = None, **given: Any
) -> None:
    """One legend below all panels, as many columns as the figure is wide enough for."""
    words = [handle.get_label() for handle in handles] if labels is None else list(labels)
    letters = 72 * figure.get_figwidth() / (_LETTER * plt.rcParams["font.size"])
    columns = max(1, min(len(words), int(letters / (max(map(len, words)) + 7))))
    figure.legend(handles, words, loc="outside lower center", ncols=columns, frameon=False, **given)


def axis_legend(figure: Figure, axis: Axes, **given: Any) -> None:
    """:func:`legend_below` of what a panel's legend would hold."""
    legend_below(figure, *axis.get_legend_handles_labels(), **given)


def mark(colour, marker: str, words: str, hollow: bool = False) -> Line2D:
    """A legend's entry for points; those of controls are hollow."""
    face = "white" if hollow else colour
    return Line2D([], [], marker=marker, ls="", mec=colour, mfc=face, label=words)


def spread(table, mean: str = "mean", low: str = "low", high: str = "high") -> np.ndarray:
    """Lengths of a table's error bars (2, rows); NaN, which draws none, where a bound is not
    known."""
    ends = np.stack([table[mean] - table[low], table[high] - table[mean]]).astype(float)
    return ends.clip(0)


def half_widths(groups) -> pd.Series:
    """Half the normal 95 % interval of the mean of each group of many values; 0 where it is not
    known."""
    return (1.96 * groups.sem()).fillna(0)


def error_bar(mean: float, low: float, high: float) -> list[list[float]] | None:
    """Lengths of one point's error bar (2, 1); None, which draws none, where its bounds are not
    known."""
    return None if np.isnan(low) else [[mean - low], [high - mean]]


def diagonal(axis: Axes, limits: tuple[float, float], words: str, colour: str = "grey") -> None:
    """The line of equal values, which is no data."""
    axis.plot(limits, limits, ":", color=colour, label=words, gid=_REFERENCE)


def finished(figure: Figure) -> Figure:
    """The figure, closed for pyplot: a notebook then shows it once, as the value of its cell.
    Without a :func:`finding_title`, its alternative text is made of the panels' titles.

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
    if not figure.get_label():
        titles = (label(axis.get_title()) for axis in panels)
        figure.set_label("; ".join(dict.fromkeys(filter(None, titles))))
    return figure


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
    meshes = [mesh for mesh in axis.collections if isinstance(mesh, QuadMesh)]
    pictures = [
        np.ma.filled(picture.get_array().astype(float), np.nan).reshape(-1, 1)
        for picture in (*axis.images, *meshes)
    ]
    return any(
        np.isfinite(points).all(axis=-1).any() for points in (*lines, *dots, *bars, *pictures)
    )


def describe_figures() -> None:
    """Let notebooks keep each figure's alternative text beside its picture, where exporters to HTML
    look for it; nothing outside of a notebook."""
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.mimebundle_formatter.for_type(Figure, _alternative)


def _alternative(figure: Figure) -> tuple[dict, dict]:
    """No picture, which the notebook's own backend draws, but what is kept beside it."""
    return {}, {"image/png": {"alt": figure.get_label()}}
