"""Figures about rankers with text and pictures: what is lost when content is replaced, whom it
helps, and a grid of two settings."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ..knock_outs import KnockOut, sentence
from .style import (
    OPEN,
    PALETTE,
    axis_legend,
    error_bar,
    finding_title,
    finished,
    grid,
    label,
    legend_below,
    mark,
    metric_label,
)

# what is left of the content -> colour, marker, whether it is a control; the same colour where
# the text, or the picture, is what the whole content has more
_KINDS = {
    "shuffled": (OPEN, "o", True),
    "noise": (OPEN, "s", True),
    "constant": (OPEN, "^", True),
    "no modality": (OPEN, "x", False),
    "text only": (PALETTE[0], "D", False),
    "picture only": (PALETTE[1], "P", False),
    "text shuffled": (PALETTE[1], "o", True),
    "picture shuffled": (PALETTE[0], "o", True),
}


def knock_out_gains(found: Sequence[KnockOut], metric: str, where: str) -> Figure:
    """What every model's whole content gains over each knock-out of it, in percent with 95 %
    intervals; controls are hollow.

    Args:
        metric: of records, better when higher. where: the data's name.
    """
    models = list(dict.fromkeys(one.model for one in found))
    figure, ((axis,),) = grid(1, 1, (9, 0.9 * len(models) + 2))
    kinds = [kind for kind in _KINDS if any(one.left == kind for one in found)]
    for one in found:
        colour, marker, control = _KINDS[one.left]
        place = models.index(one.model) + 0.11 * (kinds.index(one.left) - (len(kinds) - 1) / 2)
        gain = one.gain
        span = error_bar(gain.mean, gain.low, gain.high)
        axis.errorbar(
            gain.mean, place, xerr=span, fmt=marker, color=colour, capsize=2, ms=5,
            mfc="white" if control else colour,
        )  # fmt: skip
    axis.axvline(0, color="grey", lw=1)
    axis.set_yticks(range(len(models)), [label(model) for model in models])
    axis.invert_yaxis()
    axis.set_xlabel(f"gain of the whole content in test {metric_label(metric)}, %, 95 % intervals")
    words = {kind: f"over {kind}" for kind in kinds}
    legend_below(figure, [mark(*_KINDS[kind][:2], words[kind], _KINDS[kind][2]) for kind in kinds])
    finding_title(figure, sentence(found, where))
    return finished(figure)


def setting_grid(table: pd.DataFrame, metric: str, where: str) -> Figure:
    """A metric by two settings, the brightest field the best.

    Args:
        table: index: values of one setting, columns: of the other, both named; NaN = not run.
    """
    figure, ((axis,),) = grid(1, 1, (1.1 * table.shape[1] + 3, 0.55 * table.shape[0] + 2))
    bar = {"label": f"mean test {metric_label(metric)}"}
    sns.heatmap(table, annot=True, fmt=".4f", cmap="viridis", cbar_kws=bar, ax=axis)
    values = table.to_numpy()
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    best, most = (table.index[row], table.columns[column]), np.nanmax(values)
    least = np.nanmin(values)
    finding_title(
        figure,
        f"{where}: best at {table.index.name} {best[0]:g} and {table.columns.name} {best[1]:g} "
        f"({most:.4f}); the worst setting has {100 * (1 - least / most):.1f} % less",
    )
    return finished(figure)


def recall_strata(table: pd.DataFrame, where: str, k: int = 20) -> Figure:
    """Recall by how many training pairs an item has, a line per model: mean over seeds.

    Args:
        table: of :func:`~bonmf_lib.studies.item_popularity.recall_by_popularity`.
    """
    figure, ((axis,),) = grid(1, 1, (8.5, 4.6))
    means = table.groupby(["variant", "stratum"], observed=True, sort=False)["recall"].mean()
    strata = [name for name in table["stratum"].cat.categories if name in set(table["stratum"])]
    places = {name: place for place, name in enumerate(strata)}
    best = {}
    for colour, (model, own) in zip(
        PALETTE * 3, means.groupby(level="variant", sort=False), strict=False
    ):
        own = own.droplevel("variant").reindex(strata).dropna()
        axis.plot([places[name] for name in own.index], own, marker="o", color=colour,
                  label=label(model))  # fmt: skip
        for name, value in own.items():
            if value > best.get(name, ("", -1.0))[1]:
                best[name] = model, value
    axis.set_xticks(list(places.values()), strata)
    axis.set(xlabel="training pairs of the item", ylabel=f"test Recall@{k} of its pairs")
    axis_legend(figure, axis)
    ends = [(name, *best[name]) for name in (strata[0], strata[-1])]
    said = [
        f"{model if value else 'none'} ({value:.3f}) with {name}" for name, model, value in ends
    ]
    finding_title(figure, f"{where}: best by training pairs of the item: {' and '.join(said)}")
    return finished(figure)
