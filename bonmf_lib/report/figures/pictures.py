"""Figures about pictures: where attention looks, what spoiling does, text painted over."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from ...datasets import Dataset
from ...encoders.image import GRID, decode
from .general import PALETTE, _finished, _grid, _label, _short_title, plt

_SIZE = (120, 180)  # pixels of a picture on a wall


def _pixels(dataset: Dataset, item: int) -> np.ndarray:
    return decode(Path(dataset.items["image"].iloc[item]).read_bytes(), _SIZE)


def wall(
    dataset: Dataset,
    items: Sequence[int],
    maps: dict[str, np.ndarray],
    title: str,
    notes: dict[str, Sequence[str]],
) -> Figure:
    """Pictures in the first row; below, one row per map, drawn over the pictures (yellow = much).

    Args:
        maps: by name, (items, height, width) of any grid, each picture scaled to its own range;
            where an item's is not known (NaN), its picture stands alone.
        notes: by map, a line per item below the picture.
    """
    figure, axes = _grid(1 + len(maps), len(items), (1.35 * len(items), 2.25 * (1 + len(maps))))
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
    for place, item in enumerate(items):
        pixels = _pixels(dataset, item)
        axes[0, place].imshow(pixels)
        axes[0, place].set_title(_short_title(dataset.items["title"].iloc[item]), fontsize=8)
        for axis, (name, values) in zip(axes[1:, place], maps.items(), strict=True):
            axis.imshow(pixels.mean(2), cmap="gray")
            if np.isfinite(values[place]).all():
                axis.imshow(_scaled(values[place]), cmap="viridis", alpha=0.45)
            axis.set_xlabel(notes[name][place] if name in notes else "", fontsize=8)
    for axis, name in zip(axes[1:, 0], maps, strict=True):
        axis.set_ylabel(name, fontsize=9)
    figure.suptitle(title, fontsize="medium")
    return _finished(figure)


def _scaled(values: np.ndarray) -> np.ndarray:
    """A map (height, width) as large as a picture, from 0 to 255."""
    low, high = np.percentile(values, [2, 98])  # a few patches would outshine all others
    shares = ((values - low) / max(high - low, 1e-12)).clip(0, 1)
    return np.asarray(
        Image.fromarray((255 * shares).astype(np.uint8)).resize(_SIZE, Image.Resampling.NEAREST)
    )


def before_after(
    dataset: Dataset, items: Sequence[int], changed: Sequence[np.ndarray], title: str
) -> Figure:
    """Pictures above, the same pictures after a change below."""
    figure, axes = _grid(2, len(items), (1.35 * len(items), 4.6))
    for place, (item, after) in enumerate(zip(items, changed, strict=True)):
        axes[0, place].imshow(_pixels(dataset, item))
        axes[0, place].set_title(_short_title(dataset.items["title"].iloc[item]), fontsize=8)
        axes[1, place].imshow(np.asarray(Image.fromarray(after).resize(_SIZE)))
    for axis in axes.flat:
        axis.axis("off")
    figure.suptitle(title, fontsize="medium")
    return _finished(figure)


def region_heat(effects: dict[str, pd.DataFrame]) -> Figure:
    """Mean attention per region, and the change of predictions without it (in thousandths of the
    rating's unit), one column per kind of attention.

    Args:
        effects: tables of :func:`bonmf_lib.studies.pictures.region_effects` by name.
    """
    figure, axes = _grid(2, len(effects), (3.2 * len(effects), 5.6))
    for column, (name, table) in zip(axes.T, effects.items(), strict=True):
        shown = (
            ("weight", 100, "mean attention, %"),
            ("change", 1000, "change without it, thousandths"),
        )
        for axis, (kind, scale, words) in zip(column, shown, strict=True):
            grid = scale * table[kind].to_numpy().reshape(GRID, GRID)
            axis.imshow(grid, cmap="cividis")
            for (row, place), value in np.ndenumerate(grid):
                dark = value < (grid.min() + grid.max()) / 2
                axis.text(
                    place,
                    row,
                    f"{value:.1f}",
                    ha="center",
                    va="center",
                    color="white" if dark else "black",
                )
            axis.set(xticks=[], yticks=[], title=f"{_label(name)}\n{words}")
            axis.grid(visible=False)
    return _finished(figure)


def spoiling_plot(table: pd.DataFrame) -> Figure:
    """Mean absolute change of predictions, and change of the MSE, when pictures are spoilt.

    Args:
        table: index: what was done; columns change, change_low, change_high (rating units), mse,
            mse_low, mse_high (percent).
    """
    figure, axes = plt.subplots(1, 2, figsize=(10, 0.5 * len(table) + 1.6), sharey=True)
    places = np.arange(len(table))[::-1]
    for axis, kind, words in zip(
        axes,
        ("change", "mse"),
        ("mean change of a predicted rating", "change of the MSE, %"),
        strict=True,
    ):
        spread = [table[kind] - table[f"{kind}_low"], table[f"{kind}_high"] - table[kind]]
        axis.errorbar(
            table[kind], places, xerr=np.clip(spread, 0, None), fmt="o", color=PALETTE[0], capsize=3
        )
        axis.axvline(0, color="black", linewidth=1)
        axis.set(xlabel=words)
    axes[0].set_yticks(places, [_label(name) for name in table.index])
    axes[0].set_ylim(-0.7, len(table) - 0.3)
    figure.suptitle(
        "What spoilt pictures change, with 95 % intervals over items", fontsize="medium"
    )
    return _finished(figure)
