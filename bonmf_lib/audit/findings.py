"""What was found, and in which words: does a text or a picture help, on which items, how surely,
and how many ratings would tell."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ..claims.judge import LEVEL
from ..evaluation import Estimate, holm
from ..report.short_answers import DOES_NOT_HELP, HARMS, HELPS, TOO_FEW, ShortAnswer
from . import rows as rows_of
from .measured import Measured
from .situations import NEW

MARGIN = 1.0  # percent: the smallest gain that counts as help worth having


@dataclass(frozen=True)
class Finding:
    """One question on one kind of items.

    Attributes:
        what: ``text``, ``image`` or ``both``. situation: its name. items: how many that have it
            are tested. ratings: that test them (lists of users where items are ranked).
        strongest: the model to beat.
        gain: over that model, in percent of its error (or of what it finds). control: what other
            items' texts and pictures gain over it. over_control: over these. over_itself: over the
            same model without what is asked about.
        p_helps, p_harms: adjusted over all questions.
    """

    what: str
    situation: str
    items: int
    ratings: int
    strongest: str
    gain: Estimate
    control: Estimate
    over_control: Estimate
    over_itself: Estimate
    p_helps: float = 1.0
    p_harms: float = 1.0

    @property
    def answer(self) -> ShortAnswer:
        """Harms: worse than the same model without it, and no better than the strongest. Does not
        help: a gain of ``MARGIN`` over the strongest model without it, or over its control, is
        ruled out. Helps: better than both, beyond chance. Else too few ratings tell."""
        if self.p_harms < LEVEL:
            return HARMS
        if min(self.gain.high, self.over_control.high) < MARGIN:
            return DOES_NOT_HELP
        return HELPS if self.p_helps < LEVEL else TOO_FEW

    @property
    def least(self) -> Estimate:
        """The smaller of the gains over the strongest model and over the control: what is surely
        content's."""
        return min(self.gain, self.over_control, key=lambda gain: gain.mean)

    @property
    def tested(self) -> int:
        """How many decide: items where each of them counts alike, else ratings or lists."""
        return self.items if self.situation == NEW else self.ratings

    @property
    def needed(self) -> int | None:
        """About how many would tell of what was tested (:attr:`tested`), since intervals shrink
        with the root of their number; None where they tell already, or no interval is known."""
        if self.answer is not TOO_FEW:
            return None
        pair = (self.gain, self.over_control)
        if any(math.isnan(one.high) for one in pair):
            return None
        found = [_times(one) for one in pair if _is_open(one)]
        return math.ceil(self.tested * (max(found) if found else self._times_adjusted()))

    def _times_adjusted(self) -> float:
        """How many times as many lines where both intervals leave out no gain, but chance could
        explain one of so many answers: z grows with the root of their number."""
        p_value = max(self.gain.p_value, self.over_control.p_value)
        adjusted = LEVEL * p_value / self.p_helps  # what the p-value must come below
        return float(norm.isf(adjusted / 2) / norm.isf(p_value / 2)) ** 2


def _is_open(gain: Estimate) -> bool:
    """Whether an interval holds both no gain and one of ``MARGIN``."""
    return gain.low <= 0 and gain.high >= MARGIN


def _times(gain: Estimate) -> float:
    """How many times as many lines shrink an interval until it leaves out no gain or ``MARGIN``,
    whichever lies farther from its middle."""
    half = (gain.high - gain.low) / 2
    return (half / max(gain.mean, MARGIN - gain.mean)) ** 2


def find(measured: list[Measured]) -> list[Finding]:
    """The findings of all situations, their p-values adjusted together (Holm, 1979)."""
    found = [_finding(one, what) for one in measured for what in one.questions]
    helps = holm([_p_helps(one) for one in found])
    harms = holm([_p_harms(one) for one in found])
    return [
        Finding(**{**vars(one), "p_helps": better, "p_harms": worse})
        for one, better, worse in zip(found, helps, harms, strict=True)
    ]


def _finding(measured: Measured, what: str) -> Finding:
    run, values = measured.run, measured.tested
    present = rows_of.has(run, what)
    if measured.situation.ranking is None:
        chosen = present[values["item"].to_numpy()]
        items = values.loc[chosen, "item"].nunique()
    else:
        chosen = np.ones(len(values), bool)
        items = present[run.dataset.ratings["item"].unique()].sum()
    own, control = measured.row_name(what), measured.row_name(what, control=True)
    names = {
        "gain": (own, measured.strongest),
        "control": (control, measured.strongest),
        "over_control": (own, control),
        "over_itself": (own, measured.without(what)),
    }
    gains = {name: measured.gain(*pair, chosen) for name, pair in names.items()}
    return Finding(
        what, measured.situation.name, int(items), int(chosen.sum()),
        measured.strongest, **gains,
    )  # fmt: skip


def _p_helps(one: Finding) -> float:
    """Of both comparisons at once: the larger p-value."""
    if not (one.gain.mean > 0 and one.over_control.mean > 0):
        return 1.0
    return _known(max(one.gain.p_value, one.over_control.p_value))


def _p_harms(one: Finding) -> float:
    if not (one.over_itself.mean < 0 and one.gain.mean < 0):
        return 1.0
    return _known(one.over_itself.p_value)


def _known(p_value: float) -> float:
    return 1.0 if math.isnan(p_value) else p_value
