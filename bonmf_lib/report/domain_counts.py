"""In how many data sets content helps, and what it gains over IDs alone, from the lowest to the
highest of the readings: for the first screens."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..evaluation.meta_analysis import Summary
from ..experiments.domains import ASKED, PICTURE, TEXT, Question
from .domains import (
    COLD,
    FEW,
    HARMS,
    HELPS,
    NETWORK_ONLY,
    OVER_IDS,
    RARE,
    WARM,
    Gain,
    Verdict,
    summaries,
    verdicts,
)
from .relative import signed

ALL_MEANS = "all: IDs, shuffled content, plain models"
Read = Sequence[tuple[Sequence[Verdict], Mapping[tuple[str, str, str], Summary]]]


@dataclass(frozen=True)
class _Place:
    """What all readings of a place say to one question: how many there are; data sets, and of them
    those of each word, mean gains over IDs alone, each from the lowest to the highest reading."""

    readings: int
    sets: str
    counts: Mapping[str, str]
    means: str

    @classmethod
    def of(cls, read: Read, question: str, place: str) -> "_Place | None":
        counts: dict[str, list[int]] = {"": [], HELPS: [], NETWORK_ONLY: [], HARMS: []}
        means = []
        for judged, pooled in read:
            asked = [one for one in judged if one.question == question and one.word != FEW]
            for where in dict.fromkeys(one.where for one in asked if one.where.startswith(place)):
                words = [one.word for one in asked if one.where == where]
                counts[""].append(len(words))
                for word in (HELPS, NETWORK_ONLY, HARMS):
                    counts[word].append(words.count(word))
                if (summary := pooled.get((question, where, OVER_IDS))) is not None:
                    means.append(summary.effect.mean)
        if not counts[""]:
            return None
        shown = {word: _range(many, "{}".format) for word, many in counts.items() if any(many)}
        mean = f"{_range(means, signed)} %" if means else ""
        return cls(len(counts[""]), shown.pop(""), shown, mean)

    @property
    def long(self) -> str:
        told = [f"{HELPS} in {self.counts.get(HELPS, 0)} of {self.sets} data sets"]
        told += [f"{word} in {many}" for word, many in self.counts.items() if word != HELPS]
        told += [f"mean gain over IDs alone {self.means}"] if self.means else []
        return f"{self.readings} reading{'s' * (self.readings > 1)}, {', '.join(told)}"

    @property
    def short(self) -> str:
        harm = f", {HARMS} in {self.counts[HARMS]}" if HARMS in self.counts else ""
        gain = f", mean over IDs {self.means}" if self.means else ""
        return f"beats all in {self.counts.get(HELPS, 0)} of {self.sets}{harm}{gain}"


def in_short(found: Iterable[Sequence[Gain]]) -> list[str]:
    """One line a question: in how many data sets content helps or harms, on random splits, there on
    items with few ratings, and on cold items, and the mean gain over IDs alone; from the lowest to
    the highest of the readings.

    Args:
        found: the gains of each reading.
    """
    lines = []
    for question, places in _by_question(found, (WARM, RARE, COLD)).items():
        said = "; ".join(f"on {place}, {one.long}" for place, one in places.items())
        lines.append(f"**{question.asked.capitalize()}** {said}.")
    return lines


def in_few_words(found: Iterable[Sequence[Gain]]) -> list[str]:
    """The same of text and picture, on random splits and on cold items, without the readings'
    number and other verdicts than that it helps."""
    return [
        f"{question.asked}, {place}: {one.short}"
        for question, places in _by_question(found, (WARM, COLD)).items()
        for place, one in places.items()
        if question in (TEXT, PICTURE)
    ]


def _by_question(
    found: Iterable[Sequence[Gain]], places: Sequence[str]
) -> dict[Question, dict[str, _Place]]:
    read = [(verdicts(gained), summaries(gained)) for gained in found]
    out = {}
    for question in ASKED:
        told = {place: _Place.of(read, question.asked, place) for place in places}
        if known := {place: one for place, one in told.items() if one is not None}:
            out[question] = known
    return out


def _range(values: Sequence[float], shown: Callable[[float], str]) -> str:
    low, high = shown(min(values)), shown(max(values))
    return low if low == high else f"{low} to {high}"
