"""Figures about pictures: where attention looks, what spoiling does, text painted over."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from PIL import Image

from ...datasets import Dataset
from ...encoders.image import GRID, decode
from ..chips import text_on
from .style import PALETTE, finding_title, finished, grid, label, short_title, spread

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
    """Pictures in the first row; below, one row per map, drawn over the pictures in one scale.

    Args:
        maps: by name, (items, height, width) of any grid; where an item's is not known (NaN), its
            picture stands alone.
        notes: by map, a line per item below the picture.
    """
    figure, axes = grid(1 + len(maps), len(items), (1.35 * len(items) + 1, 2.3 * (1 + len(maps))))
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(visible=False)
    pixels = [_pixels(dataset, item) for item in items]
    for axis, item, picture in zip(axes[0], items, pixels, strict=True):
        axis.imshow(picture)
        axis.set_title(short_title(dataset.items["title"].iloc[item]), fontsize=8)
    for row, (name, values) in zip(axes[1:], maps.items(), strict=True):
        known = np.isfinite(values).all(axis=(1, 2))
        # a few patches would outshine all others
        low, high = np.percentile(values[known], [2, 98]) if known.any() else (0, 1)
        for place, axis in enumerate(row):
            axis.imshow(pixels[place].mean(2), cmap="gray")
            if known[place]:
                shown = axis.imshow(
                    _enlarged(values[place]), cmap="viridis", alpha=0.45, vmin=low, vmax=high
                )
            axis.set_xlabel(notes[name][place] if name in notes else "", fontsize=8)
        if known.any():
            bar = figure.colorbar(shown, ax=row, label=label(name, 30), extend="both")
            bar.solids.set_alpha(1)
    finding_title(figure, title)
    return finished(figure)


def _enlarged(values: np.ndarray) -> np.ndarray:
    """A map (height, width) as large as a picture."""
    return np.asarray(
        Image.fromarray(values.astype(np.float32)).resize(_SIZE, Image.Resampling.NEAREST)
    )


def before_after(
    dataset: Dataset, items: Sequence[int], changed: Sequence[np.ndarray], title: str
) -> Figure:
    """Pictures above, the same pictures after a change below."""
    figure, axes = grid(2, len(items), (1.35 * len(items), 4.6))
    for place, (item, after) in enumerate(zip(items, changed, strict=True)):
        axes[0, place].imshow(_pixels(dataset, item))
        axes[0, place].set_title(short_title(dataset.items["title"].iloc[item]), fontsize=8)
        axes[1, place].imshow(np.asarray(Image.fromarray(after).resize(_SIZE)))
    for axis in axes.flat:
        axis.axis("off")
    finding_title(figure, title)
    return finished(figure)


def region_heat(effects: dict[str, pd.DataFrame]) -> Figure:
    """Mean attention per region, and the change of predictions without it (in thousandths of the
    rating's unit), one column per kind of attention.

    Args:
        effects: tables of :func:`bonmf_lib.studies.pictures.region_effects` by name.
    """
    figure, axes = grid(2, len(effects), (max(8, 3.2 * len(effects) + 1), 6.2))
    kinds = (("weight", 100, "mean attention, %"), ("change", 1000, "change without it, 1/1000"))
    for line, (kind, scale, words) in zip(axes, kinds, strict=True):
        grids = [scale * table[kind].to_numpy().reshape(GRID, GRID) for table in effects.values()]
        scale_of_all = Normalize(min(map(np.min, grids)), max(map(np.max, grids)))
        for axis, name, values in zip(line, effects, grids, strict=True):
            picture = axis.imshow(values, cmap="cividis", norm=scale_of_all)
            for (row, place), value in np.ndenumerate(values):
                axis.text(
                    place, row, f"{value:.1f}", ha="center", va="center",
                    color=text_on(to_hex(picture.to_rgba(value))),
                )  # fmt: skip
            axis.set(xticks=[], yticks=[], title=label(name, 26))
            axis.grid(visible=False)
        figure.colorbar(picture, ax=line, label=words)
    weights, changes = (
        np.concatenate([table[kind] for table in effects.values()]) for kind in ("weight", "change")
    )
    finding_title(
        figure,
        f"Regions have {weights.min():.1%} to {weights.max():.1%} of the attention (evenly "
        f"{1 / GRID**2:.1%}); without one, predictions move by {changes.min():.4f} to "
        f"{changes.max():.4f}",
    )
    return finished(figure)


def spoiling_plot(table: pd.DataFrame) -> Figure:
    """Mean absolute change of predictions, and change of the MSE, when pictures are spoilt.

    Args:
        table: index: what was done; columns change, change_low, change_high (rating units), mse,
            mse_low, mse_high (percent).
    """
    figure, axes = grid(1, 2, (11.5, 0.38 * len(table) + 1.8), sharey=True)
    places = np.arange(len(table))[::-1]
    for axis, kind, words in zip(
        axes.flat,
        ("change", "mse"),
        ("mean change of a predicted rating", "change of the MSE, %"),
        strict=True,
    ):
        axis.errorbar(
            table[kind], places, xerr=spread(table, kind, f"{kind}_low", f"{kind}_high"), fmt="o",
            color=PALETTE[0], capsize=3,
        )  # fmt: skip
        axis.axvline(0, color="black", linewidth=1)
        axis.set(xlabel=f"{words}, 95 % intervals")
    axes[0, 0].set_yticks(places, [label(name) for name in table.index])
    axes[0, 0].set_ylim(-0.7, len(table) - 0.3)
    most, risen = table.loc[table["change"].idxmax()], (table["mse_low"] > 0).sum()
    finding_title(
        figure,
        f"Predictions change most ({most['change']:.2f}) with: {label(most.name)}; the MSE rises "
        f"with {risen} of {len(table)} ways to spoil pictures, each by its own interval",
    )
    return finished(figure)
