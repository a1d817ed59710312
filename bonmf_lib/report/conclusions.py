"""The study's answers in plain words, each chosen by the verdicts on it: one source for README,
notebooks and report."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..claims.reading import claims_by_id
from . import multimodal_answers
from .html import with_list
from .measured import (
    CENTRES,
    RECIPE,
    SHUFFLED,
    STANDARDISED,
    STOPPED,
    TUNED,
    UNIT,
    WIDE,
    Effect,
    Measured,
    Tally,
    chance,
    doubt,
)
from .questions import (
    BESIDE_TEXT,
    BOTH,
    NEW_ITEMS,
    PICTURE,
    PICTURES_CONTENT,
    PLOTS,
    QUESTIONS,
    TEXT,
    UNRATED_TEXT,
    Question,
    noted,
)
from .relative import percent
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
from .specification_effects import OVER, OWN_SPREAD

_SVD_WIDE, _SVD_TUNED = "Wide-search (b), biased SVD", "BoNMF (b), biased SVD"  # checks


@dataclass(frozen=True)
class Card:
    """One question with its answer.

    Attributes:
        answer: a sentence, and the note on the check that it rests on. short: what it comes to.
        beside: the effect of every comparison that was run, by its label. shuffled: gain of other
            items' content likewise, in percent. tallies: in how many setups it helps and harms,
            by what labels begin with.
        verdict: on the paper's claim. judged: the effect that it rests on. standardised: the same
        on standardised features.
    """

    question: Question
    short: ShortAnswer
    answer: str
    beside: dict[str, Effect]
    shuffled: dict[str, float]
    tallies: dict[str, Tally]
    verdict: str
    judged: Effect | None
    standardised: Effect | None

    @property
    def measured(self) -> str:
        """All effects in one line, then the paper's claim where it compares something else, the
        claim on standardised features where it comes to something else there, and its note."""
        parts = [
            f"{_in_table(label)} {effect}{doubt(effect)}"
            + (f", {SHUFFLED} {percent(self.shuffled[label])}" if label in self.shuffled else "")
            for label, effect in self.beside.items()
        ]
        parts += [f"{start}{tally}" for start, tally in self.tallies.items()]
        label = f"{self.question.compares}{RECIPE}"
        if self.judged is not None and label not in self.beside:
            parts.append(f"{_in_table(label)} {self.judged}{doubt(self.judged)}")
        if self.standardised is not None and self._differs_standardised:
            own = f"{self.standardised}{doubt(self.standardised)}"
            parts.append(f"{self.question.compares}recipe, standardised {own}")
        if self.judged is not None:
            parts += filter(None, [noted(self.question.paper)])
        return "; ".join(parts) or "not run"

    @property
    def _differs_standardised(self) -> bool:
        return self.judged is None or self.standardised.outcome != self.judged.outcome


def _in_table(label: str) -> str:
    """A label as tables have it, whose legend explains it."""
    return label.replace(RECIPE, "recipe")


def card(question: Question, found: Measured) -> Card:
    """The answer to a question, chosen by the verdicts on it."""
    decides = found.effect(question.decides)
    content = found.effect(question.content)
    if content is None:
        (first, *_) = question.comparisons
        content = found.reading(first, STOPPED, OVER[SHUFFLED])
    beside, controls = {}, {}
    for comparison, start in question.comparisons.items():
        for label in (*CENTRES, UNIT):
            beside[start + label] = found.reading(comparison, label)
            controls[start + label] = found.shuffled(comparison, label)
        beside[start + STANDARDISED] = found.standardised(comparison)
        beside[start + TUNED] = found.searched(comparison)
    if decides is not None:
        beside[STOPPED] = decides
    for label, claim in (
        (BESIDE_TEXT + STOPPED, question.beside_text),
        (BESIDE_TEXT + TUNED, question.beside_text_tuned),
        (TUNED, question.tuned),
        (BESIDE_TEXT + WIDE, question.beside_text_wide),
        (WIDE, question.wide),
    ):
        if (checked := found.effect(claim)) is not None:
            beside[label] = checked
    for start in question.comparisons.values():
        widely = beside.get(start + WIDE)
        if widely is not None and widely.splits >= OWN_SPREAD:
            beside[start + TUNED] = None  # the narrower search
        native, unit = beside[start + STOPPED], beside[start + UNIT]
        if native is not None and unit is not None and native.outcome == unit.outcome:
            beside[start + UNIT] = None  # says the same
    compared = tuple(filter(None, (question.compares,)))  # first what the paper's claim compares
    in_order = sorted(beside, key=lambda label: not label.startswith(compared))
    run = {label: beside[label] for label in in_order if beside[label] is not None}
    (first, *_) = question.comparisons
    by_unit = found.reading(first, UNIT, OVER[SHUFFLED])
    short, answer = _answer(question, decides, content, run, by_unit)
    tallies = {start: found.tallies.get(name) for name, start in question.comparisons.items()}
    note = claims_by_id()[question.decides].note if decides is not None else ""
    return Card(
        question,
        short,
        f"{answer} {note}".rstrip(),
        run,
        {label: gain for label, gain in controls.items() if gain is not None},
        {start: tally for start, tally in tallies.items() if tally is not None},
        found.verdict(question.paper),
        found.effect(question.paper),
        found.effect(question.standardised),
    )


def _answer(
    question: Question,
    decides: Effect | None,
    content: Effect | None,
    beside: dict[str, Effect],
    by_unit: Effect | None,
) -> tuple[ShortAnswer, str]:
    """What it comes to, and the sentence. Better than nothing is not enough: where other items'
    content was tried, it must be better than that too, and in every other reading ``beside`` that
    was run. No clear gain on native features depends where those of unit length surely gain, by
    their content too (``by_unit``)."""
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
        unit = beside.get(UNIT)
        if unit is not None and by_unit is not None and unit.outcome == by_unit.outcome == "better":
            return DEPENDS, f"It depends: {said[0].lower()}{said[1:]}; at unit length {unit}."
        return NO_CLEAR_GAIN, f"{said}."
    gain = f"{subject} lower {error} by {decides.size}"
    if content is not None and content.outcome != "better":
        return (
            NOT_BY_CONTENT,
            f"Not shown to be by what they say: {gain}, other movies' perhaps as much.",
        )
    if harm:
        return DEPENDS, f"It depends: {gain}, but beside the text add {with_text.size} error."
    for label in (RECIPE, STANDARDISED, TUNED, WIDE):
        if label in beside and beside[label].outcome != "better":
            return DEPENDS, f"It depends: {gain} {STOPPED}; {label} they gain {beside[label]}."
    return HELPS, f"Yes: {gain}."


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
    answered = {one.question: one for one in found}
    parts = [_clause(answered[TEXT], "text"), _clause(answered[PICTURE], "the picture")]
    return f"For movie ratings, {'; '.join(parts)}."


def _clause(one: Card, subject: str) -> str:
    """What an answer comes to, with in how many setups it holds where it depends on them."""
    alone, beside_text = one.tallies.get(""), one.tallies.get(BESIDE_TEXT)
    if one.short is DEPENDS and alone is not None and alone.by_content is not None:
        count = f"{alone.by_content} of {alone.setups}"
        return f"{subject} helps by its content in {count} training setups"
    said = one.short.lead.format(subject)
    if one.short is HARMS_BESIDE_TEXT and beside_text is not None:
        return f"{said} in {beside_text.harm} of {beside_text.setups}"
    return said


def _whatever_it_shows(found: Measured, picture: Card) -> str:
    """That other movies' posters harm beside the text as the right ones do, where that is so."""
    content = found.effect(f"{PICTURES_CONTENT}, early stopped")
    alike = content is not None and content.outcome == "unclear"
    return ", whatever it shows" if alike and picture.short is HARMS_BESIDE_TEXT else ""


def _plots_lead(found: Measured) -> str:
    """How much texts help without their plots, stopped early and on unrated movies; "" where that
    was not run."""
    words = {"better": "less", "worse": "more", "unclear": "about as much"}
    told = [
        f"{where}{words[effect.outcome]}"
        for where, ending in (("", ", early stopped"), ("on unrated movies ", ", unrated"))
        if (effect := found.effect(f"{PLOTS}{ending}")) is not None
    ]
    return f" Without their plots, texts help {', '.join(told)}." if told else ""


def answer_text(found: Measured) -> str:
    """The answer with its effects and intervals, on ratings and on rankers: for each a sentence
    and a list in Markdown."""
    answered = {one.question: one for one in cards(found)}
    text, picture, both, new = (answered[asked] for asked in (TEXT, PICTURE, BOTH, NEW_ITEMS))
    splits = [effect.splits for one in answered.values() for effect in one.beside.values()]
    searched = WIDE if WIDE in text.beside else TUNED
    first = f"{lead(list(answered.values()))[:-1]}{_whatever_it_shows(found, picture)}."
    how = (
        "Cut in MSE against IDs alone, each at its best validation epoch; MovieLens-1M, "
        f"{_least_and_most(splits)} splits, 95 % intervals:"
    )
    lines = [
        f"Texts (title, genres, plot): {_gain(text, STOPPED)}, {SHUFFLED} "
        f"{_shuffled(text, STOPPED)}; {searched} "
        f"{_gain(text, searched)}",
        f"Posters: {_gain(picture, STOPPED)}; beside texts "
        f"{_gain(picture, BESIDE_TEXT + STOPPED)}, {SHUFFLED} "
        f"{_shuffled(picture, BESIDE_TEXT + STOPPED)}",
        f"Both: {_gain(both, STOPPED)}{_at_unit_length(both)}; {RECIPE} "
        f"{_gain(both, RECIPE)}, {SHUFFLED} {_shuffled(both, RECIPE)}",
        f"Below five ratings{_rare(found)}, texts: {_gain(new, STOPPED)}",
    ]
    unrated, content = (found.effect(f"{UNRATED_TEXT}{end}") for end in ("", ", content"))
    if unrated is not None and content is not None:
        lines.append(
            f"Unrated movies, texts: {unrated}{chance(unrated)}, over "
            f"{found.control_of(UNRATED_TEXT)} {content}{chance(content)}"
        )
        first = f"{first} {_unrated_lead(found)}"
    if simple := simple_sentence(found):
        lines.append(simple.removesuffix("."))
    of_ratings = with_list(f"**{first}{_plots_lead(found)}** {how}", lines)
    return "\n\n".join(filter(None, (of_ratings, multimodal_answers.front_text(found.published))))


def _at_unit_length(one: Card) -> str:
    return f", at unit length {one.beside[UNIT]}" if UNIT in one.beside else ""


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


def over_biased_svd(found: Measured) -> Effect | None:
    """What the paper's network gains over biased SVD: on texts and searched widely, or else as it
    was tuned; None where neither was run."""
    return found.effect(_SVD_WIDE) or found.effect(_SVD_TUNED)


def simple_sentence(found: Measured) -> str:
    """How the paper's network stands to biased SVD, by :func:`over_biased_svd`; "" without it."""
    if (effect := over_biased_svd(found)) is None:
        return ""
    network, how = "the paper's network", "both tuned, the network on standardised features"
    if found.effect(_SVD_WIDE) is not None:
        network, how = f"{network} on texts", f"both {WIDE}"
    said = {
        "worse": f"errs less: {network} {effect.size} more",
        "better": f"errs more: {network} {effect.size} less",
        "unclear": f"and {network} do not differ clearly ({effect})",
    }
    side = effect.outcome
    if effect.perhaps:
        side = "better" if effect.gain > 0 else "worse"
    return f"Biased SVD, on IDs, {said[side]}{chance(effect)}, {how}."
