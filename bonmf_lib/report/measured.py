"""What was measured on one data set: judged claims and other effects, for the answers that are
drawn from them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from ..claims.judge import LEAST_SEEDS, NOT_TOLD
from ..claims.ledger import qualified
from ..claims.reading import Claim, claims_by_id
from ..experiments.specifications import PICTURE_SHUFFLED
from .published import Published
from .relative import gains, percent_with_interval, row_of, short_names, signed, span
from .specification_curve import helps_by_content, summary
from .specification_effects import COMPARISONS, REAL, around, at, published_effects

Outcome = Literal["better", "worse", "unclear"]
RECIPE, STOPPED, TUNED = "by the paper's recipe", "stopped early", "tuned"
STANDARDISED = "stopped early, standardised"
WIDE = "searched widely"  # on fresh splits: features' scale and size of batches too
UNIT = "stopped early, unit length"  # the second centre on features of unit length
CENTRES = {RECIPE: "paper's recipe", STOPPED: "early stopped"}
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


DOUBT = "†"  # in tables; beside them stands what it means
_DOUBT_IN_WORDS = ", not certain among many tests"


def doubt(effect: Effect) -> str:
    """:func:`chance` as a sign, for tables."""
    return DOUBT if effect.perhaps else ""


def doubt_in_words(told: str) -> str:
    """A line of a table for where no legend stands beside it."""
    return told.replace(DOUBT, _DOUBT_IN_WORDS)


def chance(effect: Effect) -> str:
    """What is said of an effect beside zero that is not told from zero among many tests."""
    return _DOUBT_IN_WORDS if effect.perhaps else ""


def _told_by_itself(gain: float, low: float, high: float, splits: int) -> Effect | None:
    """An effect that is no claim, by its own interval; None where it has none, on one split."""
    if pd.isna(low):
        return None
    told = splits >= LEAST_SEEDS
    outcome = "better" if told and low > 0 else "worse" if told and high < 0 else "unclear"
    return Effect(gain, low, high, outcome, splits)


@dataclass(frozen=True)
class Tally:
    """In how many of all setups around both centres of the recipe it helps, and harms.

    Attributes:
        by_content: in how many it also beats every control; None of comparisons of two networks
            with content, whose controls are of both.
    """

    help: int
    by_content: int | None
    harm: int
    setups: int

    def __str__(self) -> str:
        by = "" if self.by_content is None else f", in {self.by_content} of them over every control"
        return f"helps in {self.help} of {self.setups} setups{by}, harms in {self.harm}"


@dataclass(frozen=True)
class Measured:
    """Judged claims and other effects on one data set.

    Attributes:
        claims: its rows of the ledger, by claim.
        readings: of the two centres of the paper's recipe and of ``UNIT``, rows of
            :func:`~bonmf_lib.report.specification_effects.at`; empty where they were not run.
        tallies: of all readings around them, by comparison, where others than the two were run.
    """

    published: Published
    claims: pd.DataFrame
    readings: dict[str, pd.DataFrame]
    tallies: Mapping[str, Tally]

    def effect(self, claim: str) -> Effect | None:
        """Of a comparison that is a claim; None where it was not run on several splits."""
        if claim not in self.claims.index or pd.isna(self.claims.loc[claim, "low"]):
            return None
        row = self.claims.loc[claim]
        told = row["verdict"] == "reproduced" or row["qualifier"] == "another size"
        outcome = "better" if told else "worse" if row["qualifier"] == "reversed" else "unclear"
        return Effect(row["ours"], row["low"], row["high"], outcome, int(row["seeds"]))

    def reading(self, comparison: str, label: str, content: str = REAL) -> Effect | None:
        """Of a comparison of ``COMPARISONS`` in one of ``readings``, told by its own interval; None
        where it was not run on several splits.

        Args:
            content: of ``CONTENTS``, or of ``OVER``.
        """
        readings = self.readings[label]
        if (comparison, content) not in readings.index:
            return None
        row = readings.loc[(comparison, content)]
        if label == UNIT and row["splits"] < LEAST_SEEDS:
            return None
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

    def shuffled(self, comparison: str, label: str) -> float | None:
        """Gain likewise of shuffled features; beside the text, of the picture's alone; in
        percent."""
        control = PICTURE_SHUFFLED if comparison == "(d)" else SHUFFLED
        readings, key = self.readings[label], (comparison, control)
        return float(readings.loc[key, "gain"]) if key in readings.index else None

    def control_of(self, claim: str) -> str:
        """The control that a claim on what content says gains least over, in a word."""
        return str(self.claims.loc[f"{claim}, content", "against"]).rpartition(", ")[2]

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
        for label, centre in CENTRES.items()
    }
    unit = replace(centres[CENTRES[STOPPED]], preparation="unit")
    readings[UNIT] = at(effects, unit) if len(effects) else nothing
    claims = own.drop_duplicates("claim").set_index("claim")
    return Measured(published, claims, readings, _tallies(around(effects)))


def _tallies(near: pd.DataFrame) -> dict[str, Tally]:
    counts, found = summary(near), {}
    for comparison, content in counts.index:
        row = counts.loc[(comparison, content)]
        if content == REAL and row["specifications"] > len(CENTRES):
            help_, harm, setups = (int(row[name]) for name in ("help", "harm", "specifications"))
            over_ids = COMPARISONS[comparison].theirs == "IDs"
            by_content = helps_by_content(near, comparison) if over_ids else None
            found[comparison] = Tally(help_, by_content, harm, setups)
    return found
