"""What the headline's comparisons say in every specification: effects, how sure they are, and what
decides them."""

from collections.abc import Sequence
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
    compared by."""

    question: str
    ours: str
    theirs: str
    metric: str = "mse"


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
}


def specification_effects(
    records: pd.DataFrame,
    around: Sequence[Specification],
    combinations: Sequence[Specification] = (),
) -> pd.DataFrame:
    """Improvement in percent (above 0 = better) of every comparison, specification and content that
    has records.

    Intervals are 95 %, from the spread between splits, with the corrected resampled variance of
    :mod:`~bonmf_lib.evaluation.significance`, at the shares of the rows' own splits. With fewer
    than ``OWN_SPREAD`` splits, which tell little of it, the spread is taken to be the same in all
    specifications of a comparison and content, and estimated around the centres.

    Args:
        around: the specifications that robustness is judged on. combinations: random ones, told
            apart; one that trains the networks of a specification around the centres is that one.

    Returns:
        columns comparison, content, one per choice, combination (whether it is a random one), gain,
        low, high, splits. Where IDs are what a network is compared with, rows of the contents
        ``OVER`` compare it with itself on a control.
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
    rows = []
    for name, comparison in COMPARISONS.items():
        values, shares = by_metric.get(comparison.metric, ({}, {}))  # data may have no new items
        asked = {content: (comparison, content, content) for content in CONTENTS}
        if comparison.theirs == "IDs":
            itself = replace(comparison, theirs=comparison.ours)
            asked |= {content: (itself, REAL, control) for control, content in OVER.items()}
        for content, (pair, ours, theirs) in asked.items():
            found = {}  # specifications that train the same two networks count once
            for s in (*around, *combinations):
                names = _names(s, pair, ours, theirs)
                if names not in found and (gain := _gain(values, names, pair.metric)) is not None:
                    found[names] = s, gain, max(shares[one] for one in names)
            if found:
                rows += _with_intervals(name, content, list(found.values()), set(combinations))
    choices = list(Specification.__dataclass_fields__)
    return pd.DataFrame(
        rows,
        columns=[
            "comparison", "content", *choices, "combination", "gain", "low", "high", "splits"
        ],
    ).astype({"combination": bool})  # fmt: skip


def _names(
    specification: Specification, comparison: Comparison, ours: str, theirs: str
) -> tuple[str, str]:
    """The rows of a comparison, its two networks on these contents."""
    pair = (comparison.ours, ours), (comparison.theirs, theirs)
    one, other = (
        specification.row_name(network, content if NETWORKS[network] else REAL)
        for network, content in pair
    )
    return one, other


def _gain(values: dict[str, pd.Series], names: tuple[str, str], metric: str) -> np.ndarray | None:
    """Improvements by split, in percent; None where one of the two was not run."""
    if any(name not in values for name in names):
        return None
    ours, theirs = values[names[0]].align(values[names[1]], join="inner")
    return percent_better(ours, theirs, metric in LOWER_IS_BETTER) if len(ours) else None


def _with_intervals(
    name: str,
    content: str,
    found: list[tuple[Specification, np.ndarray, float]],
    combinations: set[Specification],
) -> list[dict[str, object]]:
    """Of gains by split, and the share that intervals over these splits rest on."""
    pooled = _spread([gain for one, gain, _ in found if one not in combinations])
    rows = []
    for specification, gain, share in found:
        spread, freedom = _spread([gain]) if len(gain) >= OWN_SPREAD else pooled
        error = spread * np.sqrt(1 / len(gain) + share / (1 - share))
        mean = t_interval(float(gain.mean()), error, freedom, len(gain))
        row = {
            "comparison": name,
            "content": content,
            **asdict(specification),
            "batch": specification.batch[0],
            "combination": specification in combinations,
        }
        rows.append(row | {"gain": mean.mean, "low": mean.low, "high": mean.high, "splits": mean.n})
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
        helps, harms: in how many, by an interval beside zero. better: in how many its sign is
            positive. told: whether any has an interval.
        beaten, compared: of :func:`beats_controls`.
    """

    specifications: int
    helps: int
    harms: int
    better: int
    told: bool
    beaten: int
    compared: int

    @property
    def robust(self) -> bool:
        """By the rule at the head of claims.yaml."""
        return min(self.helps / self.specifications, self.beaten / self.compared) >= ROBUST


def counts(effects: pd.DataFrame, comparison: str) -> tuple[Count, Count]:
    """Of the specifications around the centres, and apart from them of random combinations."""
    kinds = effects["combination"]
    return _count(effects[~kinds], comparison), _count(effects[kinds], comparison)


def _count(effects: pd.DataFrame, comparison: str) -> Count:
    own = effects[(effects["comparison"] == comparison) & (effects["content"] == REAL)]
    return Count(
        len(own),
        int((own["low"] > 0).sum()),
        int((own["high"] < 0).sum()),
        int((own["gain"] > 0).sum()),
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
    real = effects[(effects["comparison"] == comparison) & (effects["content"] == REAL)]
    own, drawn = around(real), real[real["combination"]]
    if own.empty:
        return f"{COMPARISONS[comparison].question} No specification was run on this data."
    near, apart = counts(effects, comparison)
    said = f"{COMPARISONS[comparison].question} "
    said += (
        f"In {near.helps} of {len(own)} specifications around the centres it helps, in "
        f"{near.harms} it harms{_few(own)}"
        if near.told
        else f"The sign is positive in {near.better} of {len(own)} specifications around the "
        "centres, on one split each"
    )
    said += f"; the median gain is {signed(own['gain'].median())} %."
    decided = deciding_choices(around(effects), comparison)
    if len(decided):
        first = decided.iloc[0]
        said += (
            f" Most depends on {decided.index[0].replace('_', ' ')} "
            f"({first['explained']:.0%} of the variance): "
            f"{first['best']} {signed(first['best_median'])} %, "
            f"{first['worst']} {signed(first['worst_median'])} %."
        )
    if near.compared:
        said += f" Real features beat every control in {near.beaten} of {near.compared}."
        said += f" The answer is {'yes, robustly' if near.robust else 'not a robust yes'}."
    return said + _drawn_sentence(apart, drawn["gain"].median()) if len(drawn) else said


def _drawn_sentence(apart: Count, median: float) -> str:
    number = f"of {apart.specifications} random combinations"
    told = (
        f"it helps in {apart.helps} {number} and harms in {apart.harms}"
        if apart.told
        else f"the sign is positive in {apart.better} {number}"
    )
    return f" Counted apart, {told}; their median gain is {signed(median)} %."
