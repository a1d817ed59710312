"""What the headline's comparisons say in every specification: effects, how sure they are, and what
decides them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..claims.judge import LOWER_IS_BETTER
from ..evaluation.significance import percent_better, t_interval
from ..experiments.specifications import (
    CONTENTS,
    EXPERIMENTS,
    NETWORKS,
    Specification,
    around_centres,
    centres,
    random_combinations,
)
from ..runs.profiles import read_profile
from ..runs.records import interval_share, values_by_seed
from .answers import MARGIN
from .relative import signed, span

REAL = CONTENTS[0]
# share of the specifications around the centres that must agree with a claim, fixed at the head of
# claims.yaml
ROBUST = 0.8
# what real features gain over each control of them, on the same splits
OVER = {content: f"over {content}" for content in CONTENTS[1:]}
OWN_SPREAD = 5  # from so many splits on, a specification's interval rests on itself alone


@dataclass(frozen=True)
class Comparison:
    """Two networks of ``specifications.NETWORKS`` under the same choices, and the metric they are
    compared by.

    Attributes:
        margin: in percent; given, the two are one network by two text encoders, ours by the other
            one, and the question is whether they differ by less.
    """

    question: str
    ours: str
    theirs: str
    metric: str = "mse"
    margin: float | None = None

    @property
    def level(self) -> float:
        """Of its intervals; 0.9 is that of two one-sided tests at 5 % (Schuirmann, 1987)."""
        return 0.95 if self.margin is None else 0.9

    @property
    def intervals(self) -> str:
        """Which they are, in words."""
        return f"{100 * self.level:.0f} % interval"

    def agrees(self, effects: pd.DataFrame) -> pd.Series:
        """Where an interval tells that it helps; or, with a margin, that the two are alike."""
        if self.margin is None:
            return effects["low"] > 0
        return (effects["low"] > -self.margin) & (effects["high"] < self.margin)

    def opposes(self, effects: pd.DataFrame) -> pd.Series:
        """Where an interval tells that it harms; or, with a margin, that the two are not alike."""
        if self.margin is None:
            return effects["high"] < 0
        return (effects["high"] < -self.margin) | (effects["low"] > self.margin)


COMPARISONS: dict[str, Comparison] = {
    "(a)": Comparison("Do text and pictures together help IDs?", "IDs + text + picture", "IDs"),
    "(c)": Comparison("Does text help IDs more than pictures do?", "IDs + text", "IDs + picture"),
    "(d)": Comparison(
        "Does the picture help IDs that have the text?", "IDs + text + picture", "IDs + text"
    ),
    "(e)": Comparison(
        "Does text help IDs on items with fewer than 5 ratings?",
        "IDs + text",
        "IDs",
        "mse-cold-items",
    ),
    "text": Comparison("Does text help IDs?", "IDs + text", "IDs"),
    "picture": Comparison("Does the picture help IDs?", "IDs + picture", "IDs"),
    "(f)": Comparison(
        "Is another language model as good?", "IDs + text", "IDs + text", margin=MARGIN
    ),
}


def specification_effects(
    records: pd.DataFrame,
    around: Sequence[Specification],
    combinations: Sequence[Specification] = (),
) -> pd.DataFrame:
    """Improvement in percent (above 0 = better) of every comparison, specification and content that
    has records.

    Intervals are 95 %, of comparisons with a margin 90 %, from the spread between splits, with the
    corrected resampled variance of :mod:`~bonmf_lib.evaluation.significance`, at the shares of the
    rows' own splits. With fewer than ``OWN_SPREAD`` splits, which tell little of it, the spread is
    taken to be the same in all specifications of a comparison and content, or of both contents of
    ``OVER``, since noise has few; it is estimated around the centres.

    Args:
        around: the specifications that robustness is judged on. combinations: random ones, told
            apart; one that trains the networks of a specification around the centres is that one.

    Returns:
        columns comparison, content, one per choice, combination (whether it is a random one), gain,
        low, high, splits. Where IDs are what a network is compared with, rows of the contents
        ``OVER`` compare it with itself on a control. Where two text encoders are compared, all else
        is of the centres' encoder: the specification, and controls, which stand against real text.
    """
    by_metric = {}
    for metric in {comparison.metric for comparison in COMPARISONS.values()} & set(
        records["metric"]
    ):
        values, _ = values_by_seed(records, metric)
        shares = {
            variant: interval_share(own)
            for variant, own in records[records["metric"] == metric].groupby("variant")
        }
        by_metric[metric] = {variant: series for (variant, _), series in values.items()}, shares
    read = dict.fromkeys(around, False) | dict.fromkeys(combinations, True)
    encoders = list(dict.fromkeys(one.text_encoder for one in read))
    rows = []
    for name, comparison in COMPARISONS.items():
        measured = by_metric.get(comparison.metric, ({}, {}))  # data may have no new items
        if comparison.margin is None:
            asked = read
        else:  # both encoders are compared once, wherever either was asked for
            asked = {}
            for one, combination in read.items():
                asked.setdefault(replace(one, text_encoder=encoders[0]), combination)
        found = {}
        for content, pair in _asked(comparison, encoders).items():
            found[content] = _gains(pair, asked, comparison.metric, *measured)
            if content == REAL:  # controls stand beside what real content has
                asked = {one.specification: one.combination for one in found[REAL]}
        for content, own in found.items():
            level = comparison.level if content in CONTENTS else 0.95
            alike = (content,) if content in CONTENTS else OVER.values()
            spread = [one for other in alike for one in found[other]]
            told = {"comparison": name, "content": content}
            rows += [told | row for row in _with_intervals(own, spread, level)]
    choices = list(Specification.__dataclass_fields__)
    return pd.DataFrame(
        rows,
        columns=[
            "comparison", "content", *choices, "combination", "gain", "low", "high", "splits"
        ],
    ).astype({"combination": bool})  # fmt: skip


@dataclass(frozen=True)
class _Side:
    """A network of a comparison: its content, and its text encoder where it is not that of the
    specification."""

    network: str
    content: str = REAL
    text_encoder: str | None = None

    def row_name(self, specification: Specification) -> str:
        if self.text_encoder is not None:
            specification = replace(specification, text_encoder=self.text_encoder)
        return specification.row_name(
            self.network, self.content if NETWORKS[self.network] else REAL
        )


def _asked(comparison: Comparison, encoders: Sequence[str]) -> dict[str, tuple[_Side, _Side]]:
    """The two networks of every content, real content first.

    Args:
        encoders: of texts, the centres' and, where they are varied, the other one.
    """
    ours, theirs = comparison.ours, comparison.theirs
    over = {OVER[content]: (_Side(ours), _Side(ours, content)) for content in OVER}
    if comparison.margin is None:
        asked = {content: (_Side(ours, content), _Side(theirs, content)) for content in CONTENTS}
        return asked | over if theirs == "IDs" else asked
    if len(encoders) == 1:
        return {}
    _, other = encoders
    controls = {content: (_Side(ours, content), _Side(theirs)) for content in OVER}
    return {REAL: (_Side(ours, REAL, other), _Side(theirs))} | controls | over


@dataclass(frozen=True)
class _Gains:
    """Gains by split in one specification, and the share that intervals over these splits rest
    on."""

    specification: Specification
    combination: bool
    gain: np.ndarray
    share: float


def _gains(
    pair: tuple[_Side, _Side],
    asked: Mapping[Specification, bool],
    metric: str,
    values: Mapping[str, pd.Series],
    shares: Mapping[str, float],
) -> list[_Gains]:
    """Of the specifications whose two networks were run; those that train the same two count
    once.

    Args:
        asked: whether each is a random combination. values, shares: of the metric, by row.
    """
    found: dict[tuple[str, str], _Gains] = {}
    for one, combination in asked.items():
        names = pair[0].row_name(one), pair[1].row_name(one)
        if names not in found and (gain := _gain(values, names, metric)) is not None:
            share = max(shares[name] for name in names)
            found[names] = _Gains(one, combination, gain, share)
    return list(found.values())


def _gain(
    values: Mapping[str, pd.Series], names: tuple[str, str], metric: str
) -> np.ndarray | None:
    """Improvements by split, in percent; None where one of the two was not run."""
    if any(name not in values for name in names):
        return None
    ours, theirs = values[names[0]].align(values[names[1]], join="inner")
    return percent_better(ours, theirs, metric in LOWER_IS_BETTER) if len(ours) else None


def _with_intervals(
    found: Sequence[_Gains], alike: Sequence[_Gains], level: float
) -> list[dict[str, object]]:
    """Rows of effects.

    Args:
        alike: gains whose spread, around the centres, stands in for that of few splits.
    """
    pooled = _spread([one.gain for one in alike if not one.combination])
    rows = []
    for one in found:
        gain = one.gain
        spread, freedom = _spread([gain]) if len(gain) >= OWN_SPREAD else pooled
        error = spread * np.sqrt(1 / len(gain) + one.share / (1 - one.share))
        mean = t_interval(float(gain.mean()), error, freedom, len(gain), level)
        row = asdict(one.specification) | {"batch": one.specification.batch[0]}
        row |= {"combination": one.combination, "gain": mean.mean, "low": mean.low}
        rows.append(row | {"high": mean.high, "splits": mean.n})
    return rows


def _spread(gains: list[np.ndarray]) -> tuple[float, int]:
    """Standard deviation within groups, and its degrees of freedom; NaN without any."""
    freedom = sum(len(gain) - 1 for gain in gains)
    squares = sum(((gain - gain.mean()) ** 2).sum() for gain in gains)
    return (float(np.sqrt(squares / freedom)) if freedom else np.nan), freedom


def published_effects(
    records: pd.DataFrame, profile: str
) -> tuple[pd.DataFrame, dict[str, Specification]]:
    """The effects in all readings that records hold of one data set, and the centres; both as a
    profile has them."""
    settings = read_profile(profile)
    found = records[records["experiment"].isin(EXPERIMENTS)]
    readings = around_centres(settings), random_combinations(settings)
    return specification_effects(found, *readings), centres(settings)


def around(effects: pd.DataFrame) -> pd.DataFrame:
    """Without random combinations: what robustness is judged on."""
    return effects[~effects["combination"]]


def coverage_sentence(records: pd.DataFrame, profile: str) -> str:
    """How many of a profile's readings have records of all their networks: a curve shows the others
    only once they are run, and what is robust may change then."""
    settings, run = read_profile(profile), set(records["variant"])
    counts = [
        f"{sum(all(one.row_name(network) in run for network in NETWORKS) for one in asked)} of "
        f"{len(asked)} {what}"
        for asked, what in (
            (around_centres(settings), "readings around the centres"),
            (random_combinations(settings), "random combinations"),
        )
        if asked
    ]
    return f"Run so far: {' and '.join(counts)}."


def at(effects: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """The rows of one specification, index (comparison, content)."""
    wanted = asdict(specification) | {"batch": specification.batch[0]}
    same = (effects[list(wanted)] == pd.Series(wanted)).all(axis=1)
    return effects[same].set_index(["comparison", "content"])


_GAINS = {
    "text": "text",
    "picture": "picture",
    "(a)": "both",
    "(e)": "text, items with fewer than 5 ratings",
}


def centre_sentence(effects: pd.DataFrame, name: str, centre: Specification) -> str:
    """What text, picture and both add to IDs in one specification, each with its interval and its
    controls."""
    found = at(effects, centre)
    parts = []
    for comparison, label in _GAINS.items():
        if (comparison, REAL) not in found.index:
            continue
        own = found.loc[(comparison, REAL)]
        interval = span(own["low"], own["high"]) if pd.notna(own["low"]) else "one split"
        controls = [
            f"; {content} {signed(found.loc[(comparison, content), 'gain'])}"
            for content in CONTENTS[1:]
            if (comparison, content) in found.index
        ]
        parts.append(f"{label} {signed(own['gain'])} % ({interval}{''.join(controls)})")
    if not parts:
        return f"{name}: not run on this data."
    return (
        f"{name.capitalize()}, gain in MSE over IDs alone, {int(found['splits'].max())} splits: "
        f"{'; '.join(parts)}.{_conclusion(found)}"
    )


def shown_to_help(found: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Which of text, picture and both are, in one specification, better than IDs alone and than
    every control of themselves, told from zero; and which are not shown to be.

    Args:
        found: rows of :func:`at`; what was not run, or on one split, is in neither list.
    """
    helps, others = [], []
    for comparison in ("text", "picture", "(a)"):
        own = found.loc[comparison] if comparison in found.index.get_level_values(0) else None
        if own is None or not set(OVER.values()) & set(own.index) or own["low"].isna().any():
            continue
        asked = own.loc[[name for name in (REAL, *OVER.values()) if name in own.index]]
        (helps if (asked["low"] > 0).all() else others).append(_GAINS[comparison])
    return helps, others


def _conclusion(found: pd.DataFrame) -> str:
    helps, others = shown_to_help(found)
    if not helps + others:
        return ""
    said = f" Better than IDs and than other items' content: {' and '.join(helps) or 'nothing'}"
    return f"{said}; not shown to be: {' and '.join(others)}." if others else f"{said}."


def deciding_choices(effects: pd.DataFrame, comparison: str) -> pd.DataFrame:
    """How much of the variance between specifications each choice explains alone (eta squared), the
    most first.

    Returns:
        index choice; columns explained (share in [0, 1]), best and worst (the choice's values with
        the highest and the lowest median gain), and these medians, in percent.
    """
    own = effects[(effects["comparison"] == comparison) & (effects["content"] == REAL)]
    total, rows = own["gain"].var(ddof=0), {}
    for choice in Specification.__dataclass_fields__:
        groups = own.groupby(choice)["gain"]
        if groups.ngroups < 2 or not total:
            continue
        between = ((groups.mean() - own["gain"].mean()) ** 2 * groups.count()).sum() / len(own)
        medians = groups.median()
        rows[choice] = {
            "explained": between / total,
            "best": medians.idxmax(),
            "best_median": medians.max(),
            "worst": medians.idxmin(),
            "worst_median": medians.min(),
        }
    columns = ["explained", "best", "best_median", "worst", "worst_median"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("choice")
    return table.sort_values("explained", ascending=False)


def summary(effects: pd.DataFrame) -> pd.DataFrame:
    """One row per comparison and content: specifications, how many help and how many harm (interval
    beside zero), median gain, and its range, in percent."""
    rows = {}
    for (comparison, content), own in effects.groupby(["comparison", "content"], sort=False):
        rows[comparison, content] = {
            "specifications": len(own),
            "help": int((own["low"] > 0).sum()),
            "harm": int((own["high"] < 0).sum()),
            "median": own["gain"].median(),
            "least": own["gain"].min(),
            "most": own["gain"].max(),
        }
    columns = ["specifications", "help", "harm", "median", "least", "most"]
    index = pd.MultiIndex.from_tuples(rows, names=["comparison", "content"]) if rows else None
    return pd.DataFrame(list(rows.values()), index=index, columns=columns)


def beats_controls(effects: pd.DataFrame, comparison: str) -> tuple[int, int]:
    """In how many specifications the real features gain more than every control beside them, of how
    many that have one: on the same splits, told from zero; where two networks with content are
    compared, intervals that do not overlap."""
    own = effects[effects["comparison"] == comparison].drop(columns=["gain", "splits"])
    choices = list(Specification.__dataclass_fields__)
    paired = own[own["content"].isin(OVER.values())].dropna(subset="low")
    if len(paired):
        lowest = paired.groupby(choices)["low"].min()
        return int((lowest > 0).sum()), len(lowest)
    real = own[own["content"] == REAL].set_index(choices)["low"]
    highest = own[own["content"].isin(CONTENTS[1:])].groupby(choices)["high"].max()
    both = pd.concat([real, highest], axis=1, join="inner").dropna()
    return int((both["low"] > both["high"]).sum()), len(both)


@dataclass(frozen=True)
class Count:
    """What a comparison comes to in so many specifications.

    Attributes:
        agrees, opposes: in how many, by their intervals (:class:`Comparison`). likely: in how many
            the mean agrees, whatever its interval. told: whether any has an interval.
        beaten, compared: of :func:`beats_controls`.
    """

    specifications: int
    agrees: int
    opposes: int
    likely: int
    told: bool
    beaten: int
    compared: int

    @property
    def robust(self) -> bool:
        """By the rule at the head of claims.yaml."""
        return min(self.agrees / self.specifications, self.beaten / self.compared) >= ROBUST


def counts(effects: pd.DataFrame, comparison: str) -> tuple[Count, Count]:
    """Of the specifications around the centres, and apart from them of random combinations."""
    drawn = effects["combination"]
    return _count(effects[~drawn], comparison), _count(effects[drawn], comparison)


def _count(effects: pd.DataFrame, comparison: str) -> Count:
    own = effects[(effects["comparison"] == comparison) & (effects["content"] == REAL)]
    asked = COMPARISONS[comparison]
    means = pd.DataFrame({"low": own["gain"], "high": own["gain"]})
    return Count(
        len(own),
        int(asked.agrees(own).sum()),
        int(asked.opposes(own).sum()),
        int(asked.agrees(means).sum()),
        bool(own["low"].notna().any()),
        *beats_controls(effects, comparison),
    )


def _few(own: pd.DataFrame) -> str:
    """How many readings rest on the spread of others."""
    if not (few := int((own["splits"] < OWN_SPREAD).sum())):
        return ""
    return f" ({few} of all rest on fewer than {OWN_SPREAD} splits, at the others' spread)"


def curve_sentence(effects: pd.DataFrame, comparison: str) -> str:
    """In how many specifications around the centres it helps, by what median, and which choice
    decides, in words; then the same count of random combinations, which decide nothing."""
    asked = COMPARISONS[comparison]
    real = effects[(effects["comparison"] == comparison) & (effects["content"] == REAL)]
    own, drawn = around(real), real[real["combination"]]
    if own.empty:
        return f"{asked.question} No specification was run on this data."
    near, apart = counts(effects, comparison)
    which = "specifications around the centres"
    said = [asked.question, _counted(asked, near, own, which, _few(own))]
    decided = deciding_choices(around(effects), comparison)
    if len(decided):
        first = decided.iloc[0]
        said.append(
            f"Most depends on {decided.index[0].replace('_', ' ')} "
            f"({first['explained']:.0%} of the variance): "
            f"{first['best']} {signed(first['best_median'])} %, "
            f"{first['worst']} {signed(first['worst_median'])} %."
        )
    if near.compared:
        said.append(f"Real features beat every control in {near.beaten} of {near.compared}.")
        said.append(f"The answer is {'yes, robustly' if near.robust else 'not a robust yes'}.")
    if len(drawn):
        said.append(_counted(asked, apart, drawn, "random combinations, counted apart,"))
    return " ".join(said)


def _counted(asked: Comparison, count: Count, own: pd.DataFrame, which: str, note: str = "") -> str:
    number, median = f"{count.specifications} {which}", signed(own["gain"].median())
    if asked.margin is None:
        agrees, opposes, likely = "it helps", "it harms", "The sign is positive"
    else:
        inside = f"inside ±{asked.margin:g} %"
        agrees, opposes = f"its {asked.intervals} lies {inside}", "wholly outside"
        likely = f"The difference is {inside}"
    said = (
        f"In {count.agrees} of {number} {agrees}, in {count.opposes} {opposes}{note}"
        if count.told
        else f"{likely} in {count.likely} of {number} on one split each"
    )
    return f"{said}; the median gain is {median} %."
