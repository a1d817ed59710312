"""The figure that stands for the study: what text and pictures gain, beside what was claimed."""

from collections.abc import Sequence
from itertools import accumulate

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..conclusions import Card, lead
from ..measured import RECIPE, STANDARDISED, STOPPED, TUNED, UNIT, WIDE
from .style import PALETTE, PAPER_COLOUR, finding_title, finished, grid

_COLOURS = {
    RECIPE: PALETTE[1],
    STOPPED: PALETTE[0],
    STANDARDISED: PALETTE[4],
    UNIT: PALETTE[9],
    TUNED: PALETTE[2],
    WIDE: PALETTE[6],
}
_HOLLOW = 8  # points: a ring around a dot that is in the same place
_STEP = 0.14  # between the marks of one question
_MARGIN = 0.3  # above the first of them and below the last


def answer_forest(found: Sequence[Card]) -> Figure:
    """Gain in percent of every question's comparisons with 95 % intervals, other movies' content
    hollow, the paper's number as a diamond."""
    bands = [2 * _MARGIN + _STEP * (_marks(one) - 1) for one in found]
    ends = list(accumulate(bands, initial=0.0))
    figure, ((axis,),) = grid(1, 1, (9, 1.2 + 1.3 * ends[-1]))
    for begins, one in zip(ends, found, strict=False):
        heights = iter(begins + _MARGIN + _STEP * step for step in range(_marks(one)))
        if one.question.claimed is not None:
            axis.plot(one.question.claimed, next(heights), "D", color=PAPER_COLOUR)
        for label, effect in one.beside.items():
            height, colour = next(heights), _colour(label)
            marker = "o" if label in _COLOURS else "s"
            span = [[effect.gain - effect.low], [effect.high - effect.gain]]
            axis.errorbar(effect.gain, height, xerr=span, fmt=marker, capsize=3, color=colour)
            if label in one.shuffled:
                hollow = {"markersize": _HOLLOW, "markerfacecolor": "none"}
                axis.plot(one.shuffled[label], height, marker, color=colour, **hollow)
    axis.axvline(0, color="black", linewidth=1)
    axis.set(
        xlabel="cut in rating error (MSE), %, right of 0 = better",
        yticks=[begins + band / 2 for begins, band in zip(ends, bands, strict=False)],
        ylim=(ends[-1], 0.0),
    )
    axis.set_yticklabels([f"{one.question.asked}\n{one.short.word}" for one in found])
    axis.grid(False, axis="y")
    for end in ends[1:-1]:
        axis.axhline(end, color="lightgrey", linewidth=1)
    figure.legend(handles=_legend(found), loc="outside lower center", ncols=3, frameon=False)
    finding_title(figure, lead(found).removesuffix("."))
    return finished(figure)


def _marks(one: Card) -> int:
    return len(one.beside) + (one.question.claimed is not None)


def _colour(label: str) -> tuple[float, float, float]:
    return next(colour for end, colour in _COLOURS.items() if label.endswith(end))


def _legend(found: Sequence[Card]) -> list[Line2D]:
    drawn = {label for one in found for label in one.beside}

    def mark(label: str, **look) -> Line2D:
        return Line2D(
            [], [], label=label, **({"marker": "o", "linestyle": "", "color": "grey"} | look)
        )

    return [
        *(
            mark(label, color=colour, linestyle="-")
            for label, colour in _COLOURS.items()
            if any(name.endswith(label) for name in drawn)
        ),
        mark("the paper's number", marker="D", color=PAPER_COLOUR),
        mark("other movies' content", markerfacecolor="white"),
        mark("picture beside the text, against text alone", marker="s"),
    ]
