"""The specification curve (Simonsohn et al., 2020): sorted effects above, the choices behind each
below."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...experiments.specifications import CONTENTS, Specification
from ..specification_curve import COMPARISONS, REAL, at
from .general import PALETTE, _finished, _spread, plt

_READABLE = {
    "preparation": "features",
    "regularisation": "regularisation",
    "batch": "batch",
    "stopping": "stopped",
    "embedding_std": "initial embeddings",
    "text_encoder": "text encoder",
    "image_encoder": "picture encoder",
}
_CONTROLS = {"shuffled": (PALETTE[1], "v"), "noise": (PALETTE[3], "s")}


def specification_curve(effects: pd.DataFrame, comparison: str) -> Figure:
    """Gains in percent of one comparison, sorted, with 95 % intervals; controls of the same choices
    beside them.

    Args:
        effects: of :func:`bonmf_lib.report.specification_curve.specification_effects`.
        comparison: a name of ``COMPARISONS``.
    """
    own = effects[effects["comparison"] == comparison]
    real = own[own["content"] == REAL].sort_values("gain", kind="stable").reset_index(drop=True)
    choices = [name for name in _READABLE if len(real[name].unique()) > 1]
    levels = [(name, value) for name in choices for value in sorted(real[name].unique(), key=str)]
    heights = [5, max(1.0, 0.42 * len(levels))]
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(10, 0.9 * sum(heights)), sharex=True, gridspec_kw={"height_ratios": heights}
    )
    places = np.arange(len(real))
    spread = _spread(real["gain"], real["low"], real["high"])
    top.errorbar(
        places,
        real["gain"],
        yerr=spread,
        fmt="o",
        color=PALETTE[0],
        capsize=2,
        label="real",
        zorder=3,
    )
    keys = list(_READABLE)
    where = {tuple(row): place for place, row in enumerate(real[keys].itertuples(index=False))}
    for content, (colour, marker) in _CONTROLS.items():
        control = own[own["content"] == content]
        at = [where.get(tuple(row)) for row in control[keys].itertuples(index=False)]
        drawn = [
            (place, gain)
            for place, gain in zip(at, control["gain"], strict=True)
            if place is not None
        ]
        if drawn:
            top.scatter(
                *zip(*drawn, strict=True),
                color=colour,
                marker=marker,
                s=28,
                label=content,
                zorder=2,
            )
    top.axhline(0, color="black", linewidth=1)
    chosen = COMPARISONS[comparison]
    said = (
        "; 95 % intervals over splits" if real["low"].notna().any() else "; one split, no intervals"
    )
    top.set(
        ylabel=f"gain in {chosen.metric}, %",
        title=f"{comparison}: {chosen.question}\n{len(real)} specifications, sorted{said}",
    )
    top.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="features")
    for height, (name, value) in enumerate(reversed(levels)):
        on = (real[name] == value).to_numpy()
        bottom.scatter(places[on], np.full(on.sum(), height), marker="|", s=70, color=PALETTE[0])
    bottom.set_yticks(
        range(len(levels)), [f"{_READABLE[name]}: {value}" for name, value in reversed(levels)]
    )
    bottom.set_ylim(-0.7, len(levels) - 0.3)
    bottom.set(xlabel="specification", xticks=[])
    return _finished(figure)


def centre_gains(effects: pd.DataFrame, centres: dict[str, Specification]) -> Figure:
    """Gains in percent of every comparison in the centres, with 95 % intervals, and those of the
    controls below.

    Args:
        effects: of :func:`bonmf_lib.report.specification_curve.specification_effects`.
        centres: by name, one panel each.
    """
    names = [name for name in COMPARISONS if name in set(effects["comparison"])]
    size = 10, 1 + 0.75 * len(names)
    figure, axes = plt.subplots(
        1, len(centres), figsize=size, sharex=True, sharey=True, squeeze=False
    )
    looks = {REAL: (PALETTE[0], "o")} | _CONTROLS
    for axis, (title, centre) in zip(axes[0], centres.items(), strict=True):
        found = at(effects, centre)
        for place, content in enumerate(CONTENTS):
            shown = [name for name in names if (name, content) in found.index]
            if not shown:
                continue
            rows = found.loc[[(name, content) for name in shown]]
            spread = _spread(rows["gain"], rows["low"], rows["high"])
            heights = [names.index(name) + 0.22 * (place - 1) for name in shown]
            colour, marker = looks[content]
            axis.errorbar(
                rows["gain"],
                heights,
                xerr=spread,
                fmt=marker,
                color=colour,
                capsize=2,
                label=content,
            )
        axis.axvline(0, color="black", linewidth=1)
        splits = int(found["splits"].max()) if len(found) else 0
        axis.set(title=f"{title}, {splits} split{'s' * (splits != 1)}", xlabel="gain, %")
    labels = [f"{name}: {COMPARISONS[name].question}" for name in names]
    axes[0, 0].set_yticks(range(len(names)), labels)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5), title="features")
    return _finished(figure)
