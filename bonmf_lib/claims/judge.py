"""What the papers claim, and the verdict on each claim, computed from records by fixed rules.

Rules (also in METHODS.md):

* value: *reproduced* when our whole 95 % interval lies within the claim's tolerance (2 % unless it
  says otherwise) of the paper's value, *not reproduced* when it lies wholly outside, else
  *inconclusive*; with fewer than three seeds always *inconclusive*.
* better: *reproduced* when the paired difference to the hardest competitor has the claimed sign
  with a Holm-adjusted p < 0.05 (and, where the claim states a size, the relative difference's
  interval reaches it); *direction only* when only the sign is right (or only the size is wrong);
  else *not reproduced*, and *reversed* when that same adjusted test tells the opposite sign from
  zero (:func:`qualifier`).
* equivalent: *reproduced* when every pairwise relative difference's 90 % interval lies inside the
  claimed margin (two one-sided tests at 5 %; the lower one alone where the others may be better),
  *direction only* when only every pair's mean does, else *not reproduced*.
* Where all seeds test the same ratings, comparisons and equivalences are told across users and
  seeds (:mod:`~bonmf_lib.claims.across_users`), else they say *seeds only*; numbers are told over
  seeds, since the paper's is of the same users.
* *not testable on this data*: the claim says why nothing at hand can test it, or the records are of
  another data set, or of packaged content where the claim is about plots or posters, or a
  difference would be a percentage of zero. *not run*: no records of its rows on its split, or no
  seed in common; of records that others may still join, also no records of its data
  (:func:`awaited`).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from ..datasets.multimodal import APART_FROM_PRINT
from ..errors import ConfigError
from ..evaluation import Estimate, holm, mean_interval
from ..evaluation.by_support import BUCKET_ERRORS, COLD_PARTS
from ..evaluation.paired_users import AcrossUsers
from ..runs.records import interval_share
from ..splits.rules import redraws_test
from .across_users import CLOSED_FORM, Told, pairs_of
from .reading import OWN_SOURCE, BetterClaim, Claim, EquivalentClaim

VERDICTS = (
    "reproduced",
    "direction only",
    "inconclusive",
    "not reproduced",
    "not testable on this data",
    "not run",
)
UNTESTABLE, NOT_RUN = UNJUDGED = VERDICTS[-2:]  # verdicts that the records do not give
LEAST_SEEDS = 3  # to judge a number
NOT_TOLD = "not told from zero"  # a comparison, by its adjusted test
USERS, SEEDS_ONLY = "users", "seeds only"  # what differences on a fixed test part are told across
ASKED_OF_ALL_DATA = ("Domains",)  # claims that are one question to every data set
LEVEL = 0.05  # below it, an adjusted p-value tells a difference from zero
COSTS = "epoch-seconds", "peak-memory"  # measured in rounds, not tested on ratings
LOWER_IS_BETTER = (
    "mse",
    "mse-warm-items",
    *COLD_PARTS,
    *BUCKET_ERRORS,
    "rmse",
    "mae",
    *COSTS,
)


def better_sign(metric: str) -> int:
    """Of a difference that is an improvement: -1 where lower is better, else 1."""
    return -1 if metric in LOWER_IS_BETTER else 1


@dataclass(frozen=True)
class Judgement:
    """A claim on one data set: our number (a difference for comparisons), its interval and the
    verdict.

    Attributes:
        against: the competitor, or the pair of an equivalence, that ``ours`` is about, where there
        are several.
        farthest_mean: of an equivalence, the largest relative difference of a pair's means that
        speaks against it, in percent.
        p_holm: of a comparison, the adjusted p-value that decides; NaN of other claims and with one
        seed.
        across: of a difference on a fixed test part, ``users`` or ``seeds only``; "" of all others,
        where every seed tests other ratings.
    """

    claim: Claim
    dataset: str
    content: str
    ours: Estimate | None
    verdict: str
    against: str = ""
    farthest_mean: float = float("nan")
    p_holm: float = float("nan")
    across: str = ""


Families = Literal["apart", "together", "unadjusted"]
Competitor = Literal["hardest", "easiest"]


@dataclass(frozen=True)
class Rules:
    """What of the rules above is a choice of ours.

    Attributes:
        tolerance: of values, relative; None = each claim's own.
        families: which p-values are adjusted together (Holm) on one data set and content: the
            claims of each paper, and our own checks of them, apart, so that neither what we add nor
            another paper moves a verdict on a paper; all of them; or none with another. Apart,
            those of ``ASKED_OF_ALL_DATA`` are adjusted over all data sets, each metric by itself.
        competitor: where a claim names several, the one that decides: the one with the least
            evidence for the claim, or with the most.
    """

    tolerance: float | None = None
    families: Families = "apart"
    competitor: Competitor = "hardest"


def judge(
    claims: tuple[Claim, ...],
    records: pd.DataFrame,
    rules: Rules | None = None,
    across: pd.DataFrame | None = None,
) -> list[Judgement]:
    """Judge every claim on every data set and content of the records; claims without records are
    *not run*.

    Two claims that rest on the same test (a difference, and its size) count once where p-values are
    adjusted.

    Args:
        across: differences across users (:func:`~bonmf_lib.claims.across_users.across_users`).
    """
    rules = rules or Rules()
    return judge_measured(measure(claims, records, rules.competitor, across), rules)


def measure(
    claims: tuple[Claim, ...],
    records: pd.DataFrame,
    competitor: Competitor,
    across: pd.DataFrame | None = None,
) -> list[list[Judgement]]:
    """Our number for every claim, one list for each data set and content of the records: what
    :func:`judge_measured` gives verdicts on, which takes far less time."""
    groups = list(records.groupby(["dataset", "content"])) or [(("-", "-"), records)]
    told, out = Told({}) if across is None else Told.of(across), []
    for (dataset, content), group in groups:
        by_variant = {str(variant): rows for variant, rows in group.groupby("variant")}
        out.append(
            [_measure(claim, dataset, content, by_variant, competitor, told) for claim in claims]
        )
    return out


def judge_measured(measured: list[list[Judgement]], rules: Rules) -> list[Judgement]:
    """The verdicts on what :func:`measure` found, by other rules if wanted; ``rules.competitor`` is
    the one it was given."""
    found = [judgement for group in measured for judgement in group]
    adjusted = zip(found, _adjusted(found, rules), strict=True)
    told = [replace(judgement, p_holm=p) for judgement, p in adjusted]
    return [replace(judgement, verdict=_verdict(judgement, rules)) for judgement in told]


def awaited(judgement: Judgement) -> Judgement:
    """A judgement on records that others may still join: a claim that these do not decide is
    untestable only for the reason that it gives, or where its own data cannot tell; else it is *not
    run*, whatever other data have rows of its names. Its data set is then the first of its own."""
    claim, where = judgement.claim, (judgement.dataset, judgement.content)
    if judgement.verdict not in UNJUDGED:
        return judgement
    if judgement.verdict == UNTESTABLE and _is_about(claim, *where):
        return judgement
    verdict = UNTESTABLE if claim.untestable else NOT_RUN
    return replace(judgement, dataset=claim.datasets[0], verdict=verdict)


def _adjusted(judgements: list[Judgement], rules: Rules) -> list[float]:
    """Each judgement's p-value, adjusted in its family; NaN of what is no comparison."""
    tests: dict[tuple, dict[tuple, float]] = {}  # by family, then by what is compared
    places = []
    for judgement in judgements:
        claim = judgement.claim
        if claim.kind != "better":
            places.append(None)
            continue
        on = (judgement.dataset, judgement.content)
        test = (
            on,
            # a claim and its reverse are one test, the first one's
            frozenset((claim.variant, *claim.than)) if len(claim.than) == 1 else claim.variant,
            claim.than if len(claim.than) > 1 else (),
            claim.metric,
            claim.protocol,
            claim.split,
            claim.evaluation,
            *getattr(claim, "gains_over", {}).items(),
        )
        apart = (claim.about, claim.source == OWN_SOURCE)
        apart = (*apart, claim.metric if claim.about in ASKED_OF_ALL_DATA else on)
        family = {"apart": apart, "together": on, "unadjusted": test}[rules.families]
        p = judgement.ours.p_value if judgement.ours is not None else float("nan")
        tests.setdefault(family, {}).setdefault(test, p)
        places.append((family, test))
    adjusted = {
        family: dict(zip(own, holm(list(own.values())), strict=True))
        for family, own in tests.items()
    }
    return [float("nan") if place is None else adjusted[place[0]][place[1]] for place in places]


def _measure(
    claim: Claim,
    dataset: str,
    content: str,
    by_variant: dict[str, pd.DataFrame],
    competitor: Competitor,
    told: Told,
) -> Judgement:
    needed = {"value": lambda: [claim.variant], "better": lambda: [claim.variant, *claim.than]}
    names = needed.get(claim.kind, lambda: list(claim.variants))()
    names += list(claim.gains_over.values()) if claim.kind == "better" else []
    rows = {name: by_variant[name] for name in names if name in by_variant}
    rows = {name: _on_split(_evaluated(found, claim), claim) for name, found in rows.items()}
    if any(name not in rows or rows[name].empty for name in names):
        return Judgement(claim, dataset, content, None, NOT_RUN)
    asked = {name: _under_protocol(found, claim) for name, found in rows.items()}
    chosen = pd.concat([asked[name] for name in names])
    if chosen.empty:  # they are of other protocols only
        chosen = pd.concat([rows[name] for name in names])
    values = {name: found[found["metric"] == claim.metric] for name, found in asked.items()}
    if not _is_about(claim, dataset, content):
        return Judgement(claim, dataset, content, None, UNTESTABLE)
    if not chosen["split"].str.startswith(claim.split).all():
        verdict = UNTESTABLE if claim.untestable else NOT_RUN
        return Judgement(claim, dataset, content, None, verdict)
    kinds = chosen["evaluation"].unique()
    if len(kinds) > 1:
        raise ConfigError(
            f"{claim.id} says {claim.evaluation!r}, but records are of {' and '.join(kinds)}; "
            "claims.yaml must name one."
        )
    if any(found.empty for found in values.values()):
        return Judgement(claim, dataset, content, None, NOT_RUN)
    share = interval_share(chosen)
    if claim.kind != "value" and _is_of_zero(claim, values):
        return Judgement(claim, dataset, content, None, UNTESTABLE)
    if claim.kind == "value":
        ours = mean_interval(_per_seed(values[claim.variant]).to_numpy(), share)
        return Judgement(claim, dataset, content, ours, "" if ours.n else NOT_RUN)
    if claim.metric in COSTS:
        gains, across = _gains(claim, values, 0.0), {}
    elif any(redraws_test(str(rule)) for rule in chosen["split"].unique()):
        gains, across = _gains(claim, values, share), {}
    else:
        gains, across = _gains_on_fixed(claim, values, told)
    if claim.kind == "better":
        choose = min if competitor == "hardest" else max
        against = choose(gains, key=lambda other: _evidence(gains[other]))
    else:  # the pair whose interval reaches farthest from 0, where that speaks against the claim
        above = 0 if _may_be_better(claim) else 1
        against = max(gains, key=lambda pair: max(-gains[pair].low, above * gains[pair].high))
    ours, named = gains[against], against if len(gains) > 1 else ""
    farthest = max(
        abs(gain.mean) if gain.mean < 0 or not _may_be_better(claim) else 0.0
        for gain in gains.values()
    )
    return Judgement(
        claim, dataset, content, ours, "" if ours.n else NOT_RUN, named, farthest,
        across=across.get(against, ""),
    )  # fmt: skip


def _is_about(claim: Claim, dataset: str, content: str) -> bool:
    """Whether a claim is about a data set, and about such content of it."""
    return dataset in claim.datasets and (claim.content == "any" or content == "full")


def _may_be_better(claim: Claim) -> bool:
    return claim.kind == "equivalent" and claim.may_be_better


def _evaluated(records: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """Records of the evaluation that a claim names, or whose names begin as it says."""
    named = records["evaluation"] == claim.evaluation
    return records[named if named.any() else records["evaluation"].str.startswith(claim.evaluation)]


def _on_split(records: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """Records of the split that a claim names; all, where there are none."""
    named = records["split"].str.startswith(claim.split)
    return records[named] if named.any() else records


def _under_protocol(records: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """A variant's records under the protocol that a claim names, else those of a model that is
    solved, which answer claims of any protocol."""
    asked = records[records["protocol"] == claim.protocol]
    return asked if len(asked) else records[records["protocol"] == CLOSED_FORM]


def _per_seed(records: pd.DataFrame) -> pd.Series:
    """Values by seed; the same run may stand in several experiments."""
    return records.groupby("seed")["value"].first()


def _is_of_zero(claim: BetterClaim | EquivalentClaim, rows: dict[str, pd.DataFrame]) -> bool:
    """Whether a difference would be told in percent of nothing."""
    wholes = [_per_seed(rows[other]) for _, other in pairs_of(claim).values()]
    if claim.kind == "better" and claim.relative_to == "mean":
        return any(not values.abs().mean() for values in wholes)
    return any((values == 0).any() for values in wholes)


def _gains(
    claim: BetterClaim | EquivalentClaim, rows: dict[str, pd.DataFrame], share: float
) -> dict[str, Estimate]:
    """Relative improvement in percent, positive = better, over each competitor (its 95 % interval,
    with the p-value of the paired test), or of each pair of an equivalence (90 %); how much larger
    it is than each competitor's, in percentage points, where gains over controls are compared."""
    sign, gains = better_sign(claim.metric), {}
    for name, (one, other) in pairs_of(claim).items():
        ours, theirs = _per_seed(rows[one]).align(_per_seed(rows[other]), join="inner")
        whole = theirs.abs()
        if claim.kind == "better" and claim.relative_to == "mean":
            whole = whole.mean()
        gains[name] = sign * 100 * (ours - theirs) / whole
    if claim.kind == "better" and claim.gains_over:
        gains = {other: (gains[claim.variant] - gains[other]).dropna() for other in claim.than}
    return {
        name: mean_interval(gain.to_numpy(), share, _level(claim)) for name, gain in gains.items()
    }


def _gains_on_fixed(
    claim: BetterClaim | EquivalentClaim, rows: dict[str, pd.DataFrame], told: Told
) -> tuple[dict[str, Estimate], dict[str, str]]:
    """The same where all seeds test the same ratings, and what each is told across. Rows that no
    seed changes are not told apart by seeds, however often they are solved."""
    gains, across = _gains(claim, rows, 0.0), {}
    for name, found in _told_gains(claim, rows, told).items():
        across[name] = SEEDS_ONLY if found is None else USERS
        if found is not None:
            gains[name] = found.estimate(_level(claim))
        elif math.isclose(gains[name].low, gains[name].high, rel_tol=1e-9):  # but for rounding
            gains[name] = Estimate(gains[name].mean, float("nan"), float("nan"), gains[name].n)
    return gains, across


def _told_gains(
    claim: BetterClaim | EquivalentClaim, rows: dict[str, pd.DataFrame], told: Told
) -> dict[str, AcrossUsers | None]:
    """The same as they are told across users; None of what is not."""
    found = {
        name: told.gain(rows[one], rows[other], claim.metric)
        for name, (one, other) in pairs_of(claim).items()
    }
    if better_sign(claim.metric) < 0:
        found = {name: gain and gain.negated() for name, gain in found.items()}
    if claim.kind == "better" and claim.gains_over:
        own = found[claim.variant]
        return {
            other: own.less(theirs)
            if own and (theirs := found[other]) and theirs.seeds == own.seeds
            else None
            for other in claim.than
        }
    return found


def _level(claim: BetterClaim | EquivalentClaim) -> float:
    return 0.95 if claim.kind == "better" else 0.90


def _evidence(gain: Estimate) -> tuple[bool, float]:
    """How much speaks for an improvement over a competitor: the less where it is not beaten, then
    by the test."""
    return gain.mean > 0, -gain.p_value if gain.mean > 0 else gain.mean


def _verdict(judgement: Judgement, rules: Rules) -> str:
    claim, ours = judgement.claim, judgement.ours
    if ours is None or not ours.n:
        return judgement.verdict
    if claim.kind == "value":
        margin = (claim.tolerance if rules.tolerance is None else rules.tolerance) * abs(
            claim.value
        )
        low, high = claim.value - margin, claim.value + margin
        if ours.n < LEAST_SEEDS or not (
            ours.high < low or ours.low > high or low <= ours.low <= ours.high <= high
        ):
            return "inconclusive"
        return "reproduced" if low <= ours.mean <= high else "not reproduced"
    if claim.kind == "equivalent":
        inside = -claim.margin < ours.low and (claim.may_be_better or ours.high < claim.margin)
        return (
            "reproduced"
            if inside
            else "direction only"
            if judgement.farthest_mean < claim.margin
            else "not reproduced"
        )
    if ours.mean <= 0:
        return "not reproduced"
    sized = claim.percent is None or (
        ours.low <= claim.percent[1] and ours.high >= claim.percent[0]
    )
    return "reproduced" if _told_from_zero(judgement) and sized else "direction only"


def qualifier(judgement: Judgement) -> str:
    """What lies behind a verdict. Of a comparison that is not reproduced, by the test that would
    have reproduced it: *reversed* or *another size* when it tells the difference from zero, else
    *not told from zero*. Of a number of a row with text or pictures that is not reproduced:
    *substitute encoders*, since the paper's "BoBERTa" is no public model, or what else
    content lacks (:data:`~bonmf_lib.datasets.multimodal.APART_FROM_PRINT`). "" otherwise."""
    claim, verdict = judgement.claim, judgement.verdict
    if claim.kind == "value" and verdict == "not reproduced" and claim.content == "full":
        return APART_FROM_PRINT.get(judgement.dataset, "substitute encoders")
    unclear = {"not reproduced": "reversed", "direction only": "another size"}
    if claim.kind != "better" or verdict not in unclear:
        return ""
    return unclear[verdict] if _told_from_zero(judgement) else NOT_TOLD


def _told_from_zero(judgement: Judgement) -> bool:
    return judgement.p_holm < LEVEL
