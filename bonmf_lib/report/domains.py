"""Does content help on other data? What text, picture and both gain in every domain, over what, and
over all domains together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..datasets import only_in_mirror, read_from
from ..datasets.summary import coverage
from ..datasets.words import shown_name
from ..evaluation import Estimate, holm, mean_interval, percent_better
from ..evaluation.meta_analysis import LEAST_TO_PREDICT, Summary, random_effects
from ..evaluation.significance import standard_error
from ..experiments.domains import ASKED, IDS, PLAIN, Question, density
from ..runs.records import interval_share
from ..runs.run import Run
from .relative import signed, span
from .tables import LEAST_SEEDS, LEVEL

HELPS, NETWORK_ONLY, HARMS, OPEN, FEW = (
    "helps",
    "helps its network only",
    "harms",
    "not told from zero",
    "too few seeds",
)
# what a row with content is compared with; of the plain models the one with less test error
OVER_IDS, OVER_SHUFFLED, OVER_PLAIN = "IDs alone", "shuffled", "plain"
OVER = OVER_IDS, OVER_SHUFFLED, OVER_PLAIN
WARM, COLD = "random splits", "cold items"
EXPERIMENTS = {WARM: "10_warm", COLD: "10_cold"}
# the same questions on features at the encoders' own scale, adjusted by themselves
NATIVE_WARM, NATIVE_COLD = f"{WARM}, native features", f"{COLD}, native features"
NATIVE = {NATIVE_WARM: "10_warm_native", NATIVE_COLD: "10_cold_native"}
# and there with the mean of trained embeddings for items that have none, with content and without
COLD_MEAN = f"{NATIVE_COLD}, mean embeddings for new items"
MEAN = {COLD_MEAN: "10_cold_mean"}
# and of the test ratings of random splits those of items with few training ratings, on both scales
RARE = "items with few ratings"
NATIVE_RARE = f"{RARE}, native features"
RARE_ITEMS = {RARE: EXPERIMENTS[WARM], NATIVE_RARE: NATIVE[NATIVE_WARM]}
READINGS = EXPERIMENTS, NATIVE, MEAN, RARE_ITEMS  # p-values are adjusted within each


@dataclass(frozen=True)
class Gain:
    """What a network with content gains over another row, in percent of that row's test MSE; of
    ``RARE_ITEMS``, of its MSE there.

    Attributes:
        domain: the data set's name. question: which content, as asked. where: of one of
        ``READINGS``. over: one of ``OVER``. found: over seeds, above 0 = less error. rival: the
        row's name.
    """

    domain: str
    question: str
    where: str
    over: str
    found: Estimate
    rival: str


def gains(found: Mapping[str, Mapping[str, pd.DataFrame]]) -> list[Gain]:
    """All gains that records tell.

    Args:
        found: records by the keys of one of ``READINGS``, then by data set.
    """
    return [
        one
        for where, by_domain in found.items()
        for domain, records in by_domain.items()
        for question in ASKED
        for one in domain_gains(records, domain, question, where)
    ]


def domain_gains(
    records: pd.DataFrame, domain: str, question: Question, where: str, suffix: str = ""
) -> list[Gain]:
    """Those of one question on one data set; none where the rows were not run.

    Args:
        suffix: that all rows' names end in.
    """
    values, share = by_row(records, "mse-cold-items" if where in RARE_ITEMS else "mse")
    ours = values.get(f"{question.row}{suffix}")
    plain = [name for name in PLAIN if f"{name}{suffix}" in values]
    rivals = {OVER_IDS: IDS, OVER_SHUFFLED: question.control}
    if plain:  # the choice by test error is against the content, never for it
        rivals[OVER_PLAIN] = min(plain, key=lambda name: values[f"{name}{suffix}"].mean())
    return [
        Gain(domain, question.asked, where, over, percent_gain(ours, theirs, share), name)
        for over, name in rivals.items()
        if ours is not None and (theirs := values.get(f"{name}{suffix}")) is not None
    ]


def by_row(records: pd.DataFrame, error: str = "mse") -> tuple[dict[str, pd.Series], float]:
    """A test error by seed of every row, and the share that intervals rest on."""
    own = records[records["metric"] == error]
    rows = {str(name): group.set_index("seed")["value"] for name, group in own.groupby("variant")}
    return rows, interval_share(own) if len(own) else 0.0


def percent_gain(ours: pd.Series, theirs: pd.Series, share: float) -> Estimate:
    """By how many percent an error is lower than another one on the same seeds."""
    ours, theirs = ours.align(theirs, join="inner")
    return mean_interval(percent_better(ours, theirs, lower_is_better=True), share)


# Over all domains


def summaries(found: Sequence[Gain]) -> dict[tuple[str, str, str], Summary]:
    """By question, where and over what: the random-effects summary over the domains whose gain has
    an interval; where there are at least two."""
    keys = dict.fromkeys((one.question, one.where, one.over) for one in found)
    out = {}
    for key in keys:
        own = [one.found for one in found if (one.question, one.where, one.over) == key]
        known = [estimate for estimate in own if standard_error(estimate) > 0]
        if (summary := random_effects(known)) is not None:
            out[key] = summary
    return out


def summary_table(found: Mapping[tuple[str, str, str], Summary]) -> pd.DataFrame:
    """One row per question, where and over what: mean gain with its 95 % interval, heterogeneity,
    and where another data set's gain is expected."""
    rows = {
        key: {
            "data sets": one.effect.n,
            "mean gain, %": shown(one.effect),
            "p": f"{one.effect.p_value:.4f}",
            "spread between data sets, %": f"{one.tau:.1f}",
            "of it beyond chance (I²)": f"{one.i2:.0%}",
            "another data set, %": ""
            if one.effect.n < LEAST_TO_PREDICT
            else f"{one.low_new:+.1f} to {one.high_new:+.1f}",
        }
        for key, one in found.items()
    }
    index = pd.MultiIndex.from_tuples(list(rows), names=["content", "where", "over"])
    return pd.DataFrame(list(rows.values()), index)


def shown(found: Estimate) -> str:
    """A gain in percent with its interval, if it has one."""
    span = "" if np.isnan(found.low) else f" [{found.low:+.1f}, {found.high:+.1f}]"
    return f"{found.mean:+.1f}{span}"


# Verdicts by domain


@dataclass(frozen=True)
class Verdict:
    """What one domain says to one question.

    Attributes:
        gains: by what they are over. word: ``HELPS`` where content beats both IDs alone and other
            items' content, and the whole network the better plain model; ``NETWORK_ONLY``
            without the last; ``HARMS`` where the network is worse than on IDs. Each is told by
            p-values that are adjusted over all domains, questions and places together.
        plain: that model.
    """

    domain: str
    question: str
    where: str
    gains: Mapping[str, Estimate]
    word: str
    plain: str


def verdicts(found: Sequence[Gain]) -> list[Verdict]:
    """One for every domain, question and place."""
    groups: dict[tuple[str, str, str], dict[str, Estimate]] = {}
    plain = {}
    for one in found:
        key = one.domain, one.question, one.where
        groups.setdefault(key, {})[one.over] = one.found
        if one.over == OVER_PLAIN:
            plain[key] = one.rival
    complete = {key: own for key, own in groups.items() if set(own) == set(OVER)}
    content = holm([_content_p(own) for own in complete.values()])
    whole = holm([own[OVER_PLAIN].p_value for own in complete.values()])
    return [
        Verdict(*key, own, _word(own, of_content, of_whole), plain[key])
        for (key, own), of_content, of_whole in zip(complete.items(), content, whole, strict=True)
    ]


def _content_p(own: Mapping[str, Estimate]) -> float:
    """Of the weaker of two comparisons that must both be won; of the one with IDs where it is
    lost; 1 where only that with shuffled content is lost."""
    ids, shuffled = own[OVER_IDS], own[OVER_SHUFFLED]
    if ids.mean <= 0:
        return ids.p_value
    return 1.0 if shuffled.mean <= 0 else max(ids.p_value, shuffled.p_value)


def _word(own: Mapping[str, Estimate], content: float, whole: float) -> str:
    if own[OVER_IDS].n < LEAST_SEEDS:
        return FEW
    if not content < LEVEL:
        return OPEN
    if own[OVER_IDS].mean <= 0:
        return HARMS
    return HELPS if whole < LEVEL and own[OVER_PLAIN].mean > 0 else NETWORK_ONLY


def verdict_table(found: Sequence[Verdict]) -> pd.DataFrame:
    """Index question, where, data; the gain over each of ``OVER`` in percent with its 95 %
    interval, seeds and the verdict."""
    order = {question.asked: place for place, question in enumerate(ASKED)}
    ordered = sorted(found, key=lambda one: (order[one.question], one.where.startswith(COLD)))
    keys = [(one.question, one.where, one.domain) for one in ordered]
    rows = [
        {f"over {over}, %": shown(one.gains[over]) for over in OVER}
        | {"plain": one.plain, "seeds": one.gains[OVER_IDS].n, "verdict": one.word}
        for one in ordered
    ]
    index = pd.MultiIndex.from_tuples(keys, names=["content", "where", "data"])
    return pd.DataFrame(rows, index)


# Sentences


def question_sentence(found: Sequence[Verdict], question: str, where: str) -> str:
    """In how many domains content helps, harms or neither, and by name where it does."""
    own = [one for one in found if (one.question, one.where) == (question, where)]
    if not own:
        return f"{question.capitalize()} on {where}: not run."
    named = {
        word: [one.domain for one in own if one.word == word]
        for word in (HELPS, NETWORK_ONLY, HARMS, OPEN, FEW)
    }
    sets = f"{len(own)} data set{'s' * (len(own) != 1)}"
    parts = [f"{HELPS} in {len(named[HELPS])} of {sets}{_in_brackets(named[HELPS])}"]
    parts += [
        f"{word} in {len(names)}{'' if word in (OPEN, FEW) else _in_brackets(names)}"
        for word, names in named.items()
        if names and word != HELPS
    ]
    return f"{question.capitalize()} on {where}: {', '.join(parts)}."


def _in_brackets(names: Sequence[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


def summary_sentence(
    found: Mapping[tuple[str, str, str], Summary], question: str, where: str
) -> str:
    """The mean gain over IDs, beside those over shuffled content and plain models, and what to
    expect of another data set; "" where no two domains have it."""
    own = {over: found[question, where, over] for over in OVER if (question, where, over) in found}
    if OVER_IDS not in own:
        return ""
    parts = [
        f"over {over} {signed(one.effect.mean)} % ({span(one.effect.low, one.effect.high)})"
        for over, one in own.items()
    ]
    said = f"Mean gain {', '.join(parts)}."
    ids = own[OVER_IDS]
    if ids.effect.n < LEAST_TO_PREDICT:
        return f"{said} Two data sets predict no third."
    return f"{said} Expected of another data set, over IDs: {span(ids.low_new, ids.high_new)} %."


def answers(
    found: Sequence[Gain],
    places: Iterable[str] = EXPERIMENTS,
    questions: Iterable[str] = tuple(one.asked for one in ASKED),
) -> list[str]:
    """Both sentences of the questions in each of the places; judged together with all others."""
    judged, pooled = verdicts(found), summaries(found)
    return [
        " ".join(
            filter(
                None,
                (
                    question_sentence(judged, question, where),
                    summary_sentence(pooled, question, where),
                ),
            )
        )
        for question in questions
        for where in places
    ]


def published_gains(
    records: pd.DataFrame, experiments: Mapping[str, str] = EXPERIMENTS
) -> list[Gain]:
    """The gains that records of several data sets hold; on full content alone."""
    full = records[records["content"] == "full"]
    return gains(
        {
            where: {
                shown_name(str(name)): own
                for name, own in full[full["experiment"] == experiment].groupby(
                    "dataset", sort=False
                )
            }
            for where, experiment in experiments.items()
        }
    )


def mirror_sentence(records: pd.DataFrame) -> str:
    """Which of the records' data sets no public host has in the form that is read; "" where none
    is."""
    own = [shown_name(name) for name in records["dataset"].unique() if only_in_mirror(name)]
    start = "Read from this study's mirror, since no public host has them in this form"
    return f"{start}: {', '.join(own)}." if own else ""


def data_table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Sizes and density of every domain, how many items carry what, and where data come from."""
    rows = {}
    for name, run in runs.items():
        data = run.dataset
        told = coverage(data)["items"]
        carried = {
            called: f"{data.vectors[modality].kind} of {data.vectors[modality].present.sum():,}"
            if modality in data.vectors
            else f"{told[called]:,}"
            for called, modality in (("text", "text"), ("picture", "image"))
        }
        rows[name] = {
            "content": data.content,
            "users": f"{data.n_users:,}",
            "items": f"{data.n_items:,}",
            "ratings": f"{len(data.ratings):,}",
            "known pairs, %": f"{100 * density(run):.2f}",
            "scale": str(data.scale),
            "items with a text": carried["text"],
            "with a picture": carried["picture"],
            "read from": read_from(data.name),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("data")
