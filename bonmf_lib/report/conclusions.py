"""The study's answers in plain words, each chosen by the verdicts on it: one source for README,
notebooks and report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from ..claims.judge import LEAST_SEEDS, NOT_TOLD
from ..claims.ledger import qualified
from ..claims.reading import Claim, claims_by_id
from . import multimodal_parts
from .published import Published
from .questions import (
    BESIDE_TEXT,
    BOTH,
    NEW_ITEMS,
    PICTURE,
    QUESTIONS,
    TEXT,
    UNRATED_TEXT,
    Question,
    noted,
)
from .relative import (
    gains,
    percent,
    percent_with_interval,
    row_of,
    short_names,
    signed,
    span,
)
from .short_answers import (
    DEPENDS,
    HARMS,
    HARMS_BESIDE_TEXT,
    HELPS,
    NO_CLEAR_GAIN,
    NOT_BY_CONTENT,
    NOT_RUN,
    ShortAnswer,
)
from .specification_curve import summary
from .specification_effects import COMPARISONS, OVER, REAL, around, at, published_effects

Outcome = Literal["better", "worse", "unclear"]
RECIPE, STOPPED, TUNED = "by the paper's recipe", "stopped early", "tuned"
STANDARDISED = "stopped early, standardised"
_CENTRES = {RECIPE: "paper's recipe", STOPPED: "early stopped"}
SHUFFLED = "shuffled"
# what 04 calls networks of searched settings
_TUNED = {
    "IDs": "NMD (ID only)",
    "IDs + text": "BoNMF, no picture",
    "IDs + picture": "BoNMF, no text",
    "IDs + text + picture": "BoNMF",
}


@dataclass(frozen=True)
class Effect:
    """What a comparison of two rows on the same splits came to.

    Attributes:
        gain, low, high: improvement in percent, above 0 = better, with its 95 % interval.
        outcome: of claims and checks by the ledger's adjusted test at 5 %; of other readings by
            their own interval.
    """

    gain: float
    low: float
    high: float
    outcome: Outcome
    splits: int

    def __str__(self) -> str:
        return percent_with_interval(self.gain, self.low, self.high)

    @property
    def size(self) -> str:
        """Without its sign, for sentences whose verb says it."""
        low, high = sorted((abs(self.low), abs(self.high)))
        return f"{abs(self.gain):.1f} % ({low:.1f} to {high:.1f})"

    @property
    def perhaps(self) -> bool:
        """Beside zero by its own interval, but not among all the tests that were made."""
        return self.outcome == "unclear" and (self.low > 0 or self.high < 0)


def _told_by_itself(gain: float, low: float, high: float, splits: int) -> Effect | None:
    """An effect that is no claim, by its own interval; None where it has none, on one split."""
    if pd.isna(low):
        return None
    told = splits >= LEAST_SEEDS
    outcome = "better" if told and low > 0 else "worse" if told and high < 0 else "unclear"
    return Effect(gain, low, high, outcome, splits)


@dataclass(frozen=True)
class Measured:
    """Judged claims and other effects on one data set.

    Attributes:
        claims: its rows of the ledger, by claim.
        readings: of the two centres of the paper's recipe, rows of
            :func:`~bonmf_lib.report.specification_effects.at`; empty where they were not run.
        around: of all readings around them, rows of
            :func:`~bonmf_lib.report.specification_curve.summary`, likewise.
    """

    published: Published
    claims: pd.DataFrame
    readings: dict[str, pd.DataFrame]
    around: pd.DataFrame

    def effect(self, claim: str) -> Effect | None:
        """Of a comparison that is a claim; None where it was not run on several splits."""
        if claim not in self.claims.index or pd.isna(self.claims.loc[claim, "low"]):
            return None
        row = self.claims.loc[claim]
        told = row["verdict"] == "reproduced" or row["qualifier"] == "another size"
        outcome = "better" if told else "worse" if row["qualifier"] == "reversed" else "unclear"
        return Effect(row["ours"], row["low"], row["high"], outcome, int(row["seeds"]))

    def reading(self, comparison: str, label: str, content: str = REAL) -> Effect | None:
        """Of a comparison of ``COMPARISONS`` in one of the two centres, told by its own interval;
        None where it was not run on several splits.

        Args:
            content: of ``CONTENTS``, or of ``OVER``.
        """
        readings = self.readings[label]
        if (comparison, content) not in readings.index:
            return None
        row = readings.loc[(comparison, content)]
        return _told_by_itself(row["gain"], row["low"], row["high"], int(row["splits"]))

    def standardised(self, comparison: str) -> Effect | None:
        """Likewise of the same networks on standardised features in large batches (05)."""
        asked = COMPARISONS[comparison]
        ours, theirs = (
            f"BoNMF on {name.replace('IDs', 'ID')}" for name in (asked.ours, asked.theirs)
        )
        return self._between("05_modalities", ours, theirs, asked.metric)

    def searched(self, comparison: str) -> Effect | None:
        """Likewise of the same networks at searched settings (04)."""
        asked = COMPARISONS[comparison]
        return self._between("04_tuned", _TUNED[asked.ours], _TUNED[asked.theirs], asked.metric)

    def _between(self, experiment: str, ours: str, theirs: str, metric: str) -> Effect | None:
        rows = self.published.own
        rows = rows[rows["experiment"] == experiment]
        if not {ours, theirs} <= set(rows["variant"]) or metric not in set(rows["metric"]):
            return None
        pair = rows[rows["variant"].isin([ours, theirs])]
        table = short_names(gains(pair, metric, row_of(pair, theirs)), "")
        splits = pair.groupby("seed")["variant"].nunique().eq(2).sum()
        return _told_by_itself(*table.loc[ours, ["percent", "low", "high"]], int(splits))

    def counted(self, comparison: str) -> str:
        """In how many of all readings around both centres it helps and harms; "" where none but
        these were run."""
        if (comparison, REAL) not in self.around.index:
            return ""
        row = self.around.loc[(comparison, REAL)]
        if row["specifications"] <= len(self.readings):
            return ""
        return (
            f"helps in {row['help']:.0f} of {row['specifications']:.0f} readings, harms in "
            f"{row['harm']:.0f}"
        )

    def shuffled(self, comparison: str, label: str) -> float | None:
        """Gain of shuffled features likewise, in percent."""
        readings, key = self.readings[label], (comparison, SHUFFLED)
        return float(readings.loc[key, "gain"]) if key in readings.index else None

    def rare_share(self, claim: str) -> float | None:
        """The share of test ratings that are of items with few training ratings, mean over a
        claim's splits: by it, their error and that of all others make the whole one. None where
        these errors are not known."""
        asked, own = claims_by_id()[claim], self.published.own
        rows = own[(own["variant"] == asked.variant) & (own["protocol"] == asked.protocol)]
        errors = rows.pivot_table("value", "seed", "metric")
        if not {"mse", "mse-cold-items", "mse-warm-items"} <= set(errors):
            return None
        whole, rare, others = (errors[f"mse{part}"] for part in ("", "-cold-items", "-warm-items"))
        return float(((whole - others) / (rare - others)).mean())

    def verdict(self, claim: str) -> str:
        """The ledger's word, with its qualifier."""
        return qualified(self.claims.loc[claim]) if claim in self.claims.index else "not run"

    def verdict_lines(
        self, asked_of: Mapping[str, str], more: Callable[[Claim], str] = lambda _: ""
    ) -> list[str]:
        """Verdicts on claims, by the question that they answer, with what was measured; of those
        that were run.

        Args:
            more: what else is said of a claim.
        """
        return [
            f"**{asked}** {self._said(claim, effect)}: {self._told(claim, effect)}"
            f"{more(claims_by_id()[claim])}."
            for asked, claim in asked_of.items()
            if (effect := self.effect(claim)) is not None
        ]

    def _said(self, claim: str, effect: Effect) -> str:
        said = self.verdict(claim).capitalize()
        return said.replace(f": {NOT_TOLD}", chance(effect)) if effect.perhaps else said

    def _told(self, claim: str, effect: Effect) -> str:
        asked = claims_by_id()[claim]
        if asked.kind == "better" and asked.gains_over:
            own = f"{signed(effect.gain)} ({span(effect.low, effect.high)})"
            return f"{own} percentage points over {self.claims.loc[claim, 'against']}"
        return f"{effect}{self._decided_by(claim)}"

    def _decided_by(self, claim: str) -> str:
        """The competitor, or the pair, that decides where there are several."""
        against, asked = self.claims.loc[claim, "against"], claims_by_id()[claim]
        if not against:
            return ""
        if asked.kind == "better":
            return f" over {against}"
        return f" for {against} over {asked.around}" if asked.around else f" for {against}"


def measured(published: Published, judged: pd.DataFrame | None = None) -> Measured:
    """What the published records of one data set say.

    Args:
        judged: the ledger of the published records, where it is at hand.
    """
    table = published.judged() if judged is None else judged
    own = table[table["dataset"].isin([published.dataset, ""]) | (table["verdict"] == "not run")]
    effects, centres = published_effects(published.own, published.run)
    nothing = pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=["comparison", "content"]))
    readings = {
        label: at(effects, centres[centre]) if len(effects) else nothing
        for label, centre in _CENTRES.items()
    }
    counts = summary(around(effects)) if len(effects) else nothing
    return Measured(published, own.drop_duplicates("claim").set_index("claim"), readings, counts)


@dataclass(frozen=True)
class Card:
    """One question with its answer.

    Attributes:
        answer: a sentence, and the note on the check that it rests on. short: what it comes to.
        beside: the effect of every comparison that was run, by its label. shuffled: gain of other
            items' content likewise, in percent. counted: in how many readings it helps and harms,
            by what labels begin with.
        verdict: on the paper's claim. judged: the effect that it rests on. standardised: the same
        on standardised features.
    """

    question: Question
    short: ShortAnswer
    answer: str
    beside: dict[str, Effect]
    shuffled: dict[str, float]
    counted: dict[str, str]
    verdict: str
    judged: Effect | None
    standardised: Effect | None

    @property
    def measured(self) -> str:
        """All effects in one line, then the paper's claim where it compares something else, the
        claim on standardised features, and its note."""
        parts = [
            f"{label} {effect}"
            + (f", {SHUFFLED} {percent(self.shuffled[label])}" if label in self.shuffled else "")
            for label, effect in self.beside.items()
        ]
        parts += [f"{start}{counted}" for start, counted in self.counted.items() if counted]
        label = f"{self.question.compares}{RECIPE}"
        if self.judged is not None and label not in self.beside:
            parts.append(f"{label} {self.judged}")
        if self.standardised is not None:
            parts.append(f"{self.question.compares}recipe, standardised {self.standardised}")
        if self.judged is not None:
            parts += filter(None, [noted(self.question.paper)])
        return "; ".join(parts) or "not run"


def card(question: Question, found: Measured) -> Card:
    """The answer to a question, chosen by the verdicts on it."""
    decides = found.effect(question.decides)
    content = found.effect(question.content)
    if content is None:
        (first, *_) = question.comparisons
        content = found.reading(first, STOPPED, OVER[SHUFFLED])
    beside, controls = {}, {}
    for comparison, start in question.comparisons.items():
        for label in _CENTRES:
            beside[start + label] = found.reading(comparison, label)
            controls[start + label] = found.shuffled(comparison, label)
        beside[start + STANDARDISED] = found.standardised(comparison)
        beside[start + TUNED] = found.searched(comparison)
    if decides is not None:
        beside[STOPPED] = decides
    if (beside_text := found.effect(question.beside_text)) is not None:
        beside[BESIDE_TEXT + STOPPED] = beside_text
    if (tuned := found.effect(question.tuned)) is not None:
        beside[TUNED] = tuned
    run = {label: effect for label, effect in beside.items() if effect is not None}
    short, answer = _answer(question, decides, content, run)
    note = claims_by_id()[question.decides].note if decides is not None else ""
    return Card(
        question,
        short,
        f"{answer} {note}".rstrip(),
        run,
        {label: gain for label, gain in controls.items() if gain is not None},
        {start: found.counted(name) for name, start in question.comparisons.items()},
        found.verdict(question.paper),
        found.effect(question.paper),
        found.effect(question.standardised),
    )


def _answer(
    question: Question,
    decides: Effect | None,
    content: Effect | None,
    beside: dict[str, Effect],
) -> tuple[ShortAnswer, str]:
    """What it comes to, and the sentence. Better than nothing is not enough: where other items'
    content was tried, it must be better than that too, and in every other reading ``beside`` that
    was run."""
    subject, error = question.subject, f"the error of {question.base}"
    if decides is None:
        return NOT_RUN, "This was not run on this data yet."
    if decides.outcome == "worse":
        return HARMS, f"No: {subject} raise {error} by {decides.size}."
    with_text = beside.get(BESIDE_TEXT + STOPPED)
    harm = with_text is not None and with_text.outcome == "worse"
    if decides.outcome == "unclear":
        said = f"No clear gain: {subject} {decides} against {question.base}{chance(decides)}"
        if harm:
            return HARMS_BESIDE_TEXT, f"{said}; beside the text they add {with_text.size} error."
        return NO_CLEAR_GAIN, f"{said}."
    gain = f"{subject} lower {error} by {decides.size}"
    if content is not None and content.outcome != "better":
        return (
            NOT_BY_CONTENT,
            f"Not shown to be by what they say: {gain}, other movies' perhaps as much.",
        )
    if harm:
        return DEPENDS, f"It depends: {gain}, but beside the text add {with_text.size} error."
    for label in (RECIPE, STANDARDISED, TUNED):
        if label in beside and beside[label].outcome != "better":
            return DEPENDS, f"It depends: {gain} {STOPPED}; {label} they gain {beside[label]}."
    return HELPS, f"Yes: {gain}."


def chance(effect: Effect) -> str:
    """What is said of an effect beside zero that is not told from zero among so many tests."""
    return ", not certain among so many tests" if effect.perhaps else ""


def cards(found: Measured) -> list[Card]:
    """Every question of the study with its answer."""
    return [card(question, found) for question in QUESTIONS]


def _unrated_lead(found: Measured) -> str:
    """Whether text helps with items that nobody has rated: by what it says, and in every setup of
    the network that was tried."""
    setups = "", ", content", ", standardised", ", small batches", ", mean stand-in"
    effects = [found.effect(f"{UNRATED_TEXT}{setup}") for setup in setups]
    told = [effect.outcome == "better" for effect in effects if effect is not None]
    said = (HELPS if all(told[:2]) else NO_CLEAR_GAIN).lead.format("text")
    sure = "" if all(told) or not all(told[:2]) else ", not certainly in every setup"
    return f"On unrated movies {said}{sure}."


def lead(found: Sequence[Card]) -> str:
    """The answer to the study's title in a few words."""
    shorts = {one.question: one.short for one in found}
    parts = [shorts[TEXT].lead.format("text"), shorts[PICTURE].lead.format("the picture")]
    return f"For movie ratings, {'; '.join(parts)}."


def answer_text(found: Measured) -> str:
    """The answer with its effects and intervals, one paragraph on ratings and one on rankers."""
    answered = {one.question: one for one in cards(found)}
    text, picture, both, new = (answered[asked] for asked in (TEXT, PICTURE, BOTH, NEW_ITEMS))
    splits = [effect.splits for one in answered.values() for effect in one.beside.values()]
    sentences = [
        f"**{lead(list(answered.values()))}**",
        "Cut in rating error (MSE) against the same network on IDs alone, stopped at its "
        f"best validation epoch; MovieLens-1M, {_least_and_most(splits)} splits, "
        "95 % intervals.",
        f"Plots: {_gain(text, STOPPED)}, {SHUFFLED} among movies {_shuffled(text, STOPPED)}; "
        f"standardised, in large batches {_gain(text, STANDARDISED)}.",
        f"Posters: {_gain(picture, STOPPED)}; beside plots, against plots alone "
        f"{_gain(picture, BESIDE_TEXT + STOPPED)}.",
        f"Both: {_gain(both, STOPPED)}; {RECIPE} {_gain(both, RECIPE)}, {SHUFFLED} "
        f"{_shuffled(both, RECIPE)}; {TUNED} {_gain(both, TUNED)}.",
        f"Movies with fewer than five ratings{_rare(found)}, plots: {_gain(new, STOPPED)}.",
    ]
    unrated, content = (found.effect(f"{UNRATED_TEXT}{end}") for end in ("", ", content"))
    if unrated is not None and content is not None:
        sentences.append(
            f"Unrated movies ({unrated.splits} draws), plots: {unrated}"
            f"{chance(unrated)}, over their hardest control {content}{chance(content)}."
        )
        sentences[0] = f"{sentences[0].removesuffix('**')} {_unrated_lead(found)}**"
    if (simple := found.effect("BoNMF (b), biased SVD")) is not None:
        sentences.append(simple_sentence(simple))
    of_rankers = multimodal_parts.front_sentence(found.published)
    return "\n\n".join(filter(None, (" ".join(sentences), of_rankers)))


def _least_and_most(numbers: Sequence[int]) -> str:
    least, most = min(numbers, default=0), max(numbers, default=0)
    return f"{most}" if least == most else f"{least} to {most}"


def _rare(found: Measured) -> str:
    """How much of the test ratings the check on items with few ratings rests on, in brackets."""
    share = found.rare_share(NEW_ITEMS.decides)
    return "" if share is None else f" ({100 * share:.2f} % of test ratings)"


def _gain(one: Card, label: str) -> str:
    effect = one.beside.get(label)
    return "not run" if effect is None else f"{effect}{chance(effect)}"


def _shuffled(one: Card, label: str) -> str:
    return percent(one.shuffled[label]) if label in one.shuffled else "not run"


def simple_sentence(effect: Effect) -> str:
    """How BoNMF stands to biased SVD, both tuned.

    Args:
        effect: of BoNMF over it.
    """
    said = {
        "worse": f"errs less; the paper's network errs {effect.size} more, both tuned",
        "better": f"errs more; the paper's network errs {effect.size} less, both tuned",
        "unclear": f"and the paper's network, both tuned, do not differ clearly ({effect})",
    }
    return f"Biased SVD, on IDs, {said[effect.outcome]}."
