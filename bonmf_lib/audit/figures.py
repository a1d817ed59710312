"""The figure of an audit: what texts and pictures gain, beside other items' ones."""

import numpy as np
from matplotlib.figure import Figure

from ..report.figures.style import (
    CONTROL,
    OPEN,
    PALETTE,
    finding_title,
    finished,
    grid,
    legend_below,
    mark,
)
from ..report.short_answers import DOES_NOT_HELP, HARMS, HELPS, TOO_FEW
from ..runs.run import Run
from .findings import MARGIN, Finding
from .words import asked, called, where

_LOOKS = {
    HELPS.word: (PALETTE[2], "^"),
    HARMS.word: (PALETTE[1], "s"),
    DOES_NOT_HELP.word: (PALETTE[0], "o"),
    TOO_FEW.word: (OPEN, "D"),
}
_APART = 0.16  # between a gain and its control's


def gains(found: list[Finding], run: Run) -> Figure:
    """Gain of every question over the strongest model without content, with 95 % intervals; other
    items' content hollow; the band in which a gain is too small to count."""
    words = run.dataset.words
    figure, ((axis,),) = grid(1, 1, (8, 0.62 * len(found) + 1.9))
    band = axis.axvspan(
        0, MARGIN, color=PALETTE[7], alpha=0.2, linewidth=0, label=f"gain below {MARGIN:g} %"
    )
    for place, one in enumerate(found):
        colour, marker = _LOOKS[one.answer.word]
        for gain, shift, face in ((one.gain, -_APART, colour), (one.control, _APART, "white")):
            ends = np.nan_to_num([[gain.mean - gain.low], [gain.high - gain.mean]])
            axis.errorbar(
                gain.mean, place + shift, xerr=ends, fmt=marker, color=colour, mfc=face, capsize=3
            )
    axis.axvline(0, color="black", linewidth=1)
    axis.set_yticks(
        range(len(found)),
        [f"{asked(one.what, words)},\n{where(one.situation, words)}" for one in found],
    )
    axis.set_ylim(len(found) - 0.5, -0.5)
    metric = "rating error (MSE)" if run.dataset.scale.rates else "items found (Recall@20)"
    axis.set_xlabel(f"← worse     gain in {metric}, %, 95 % intervals     better →")
    shown = dict.fromkeys(one.answer.word for one in found)
    handles = [mark(*_LOOKS[word], word) for word in shown]
    legend_below(figure, [*handles, mark(OPEN, "o", CONTROL, hollow=True), band])
    finding_title(figure, _title(found, run))
    return finished(figure)


def _title(found: list[Finding], run: Run) -> str:
    words, name = run.dataset.words, called(run.dataset)
    helping = [one for one in found if one.answer is HELPS]
    if not helping:
        return f"{name}: of {len(found)} questions none is answered with help"
    best = max(helping, key=lambda one: one.least.mean)
    return (
        f"{name}: {asked(best.what, words)} helps most {where(best.situation, words)} "
        f"({best.gain.mean:+.1f} %); {len(helping)} of {len(found)} answers say help"
    )
