"""What the headline's comparisons say over all specifications, in words: how many agree, which
controls they beat, and what decides them."""

from dataclasses import dataclass

import pandas as pd

from ..experiments.specifications import (
    CONTENTS,
    NETWORKS,
    Specification,
    around_centres,
    random_combinations,
)
from ..runs.profiles import read_profile
from .relative import signed, span
from .specification_effects import (
    COMPARISONS,
    OVER,
    OVER_ONE_INPUT,
    OWN_SPREAD,
    REAL,
    Comparison,
    around,
    at,
    one_input_control,
)

# share of the specifications around the centres that must agree with a claim, fixed at the head of
# claims.yaml
ROBUST = 0.8


def coverage_sentence(records: pd.DataFrame, profile: str) -> str:
    """How many of a profile's readings have records of all their networks: a curve shows the others
    only once they are run, and what is robust may change then."""
    settings, run = read_profile(profile), set(records["variant"])
    known = {
        what: [all(one.row_name(network) in run for network in NETWORKS) for one in asked]
        for asked, what in (
            (around_centres(settings), "readings around the centres"),
            (random_combinations(settings), "random combinations"),
        )
        if asked
    }
    counts = [f"{sum(found)} of {len(found)} {what}" for what, found in known.items()]
    whole = all(known["readings around the centres"])
    said = f"Run so far: {' and '.join(counts)}."
    if whole:
        return said
    return (
        f"{said} Until all around the centres are, an answer that is not robust may become so, and "
        "the other way round."
    )


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


_WITH_ONE_INPUT = {"text": "text", "(d)": "picture beside the text"}


def one_input_sentence(effects: pd.DataFrame, name: str, centre: Specification) -> str:
    """What the plot and the picture give by themselves in one specification, all else being real;
    "" where neither control was run."""
    found, parts = at(effects, centre), []
    for comparison, label in _WITH_ONE_INPUT.items():
        control = one_input_control(comparison)
        if (comparison, control) not in found.index:
            continue
        real, left = (found.loc[(comparison, content), "gain"] for content in (REAL, control))
        over = found.loc[(comparison, OVER_ONE_INPUT[control])]
        told = f" ({span(over['low'], over['high'])})" if pd.notna(over["low"]) else ""
        parts.append(
            f"{label} {signed(real)} %, {control} {signed(left)} %, real over that "
            f"{signed(over['gain'])} %{told}"
        )
    return f"{name.capitalize()}, one input at a time: {'; '.join(parts)}." if parts else ""


def shown_to_help(found: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Which of text, picture and both are, in one specification, better than IDs alone and than
    every control of themselves, told from zero; and which are not shown to be.

    Args:
        found: rows of :func:`~bonmf_lib.report.specification_effects.at`; what was not run, or on
            one split, is in neither list.
    """
    helps, others = [], []
    for comparison in ("text", "picture", "(a)"):
        own = found.loc[comparison] if comparison in found.index.get_level_values(0) else None
        if own is None or not set(OVER.values()) & set(own.index):
            continue
        asked = own.loc[[name for name in (REAL, *OVER.values()) if name in own.index]]
        if asked["low"].isna().any():
            continue
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
        the highest and the lowest median gain), these medians, in percent, and of how many
        specifications they are.
    """
    own = effects[(effects["comparison"] == comparison) & (effects["content"] == REAL)]
    total, rows = own["gain"].var(ddof=0), {}
    for choice in Specification.__dataclass_fields__:
        groups = own.groupby(choice)["gain"]
        if groups.ngroups < 2 or not total:
            continue
        between = ((groups.mean() - own["gain"].mean()) ** 2 * groups.count()).sum() / len(own)
        medians, rows[choice] = groups.median(), {"explained": between / total}
        for end, value in (("best", medians.idxmax()), ("worst", medians.idxmin())):
            told = {"": value, "_median": medians[value], "_of": groups.size()[value]}
            rows[choice] |= {f"{end}{what}": found for what, found in told.items()}
    columns = ["explained"]
    columns += [f"{end}{what}" for end in ("best", "worst") for what in ("", "_median", "_of")]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("choice")
    return table.sort_values("explained", ascending=False)


_BESIDE_ZERO = Comparison("", "", "")  # without a margin


def summary(effects: pd.DataFrame) -> pd.DataFrame:
    """One row per comparison and content: specifications, how many help and how many harm (interval
    beside zero; of real content in a comparison with a margin: inside it, and outside), median
    gain, and its range, in percent."""
    rows = {}
    for (comparison, content), own in effects.groupby(["comparison", "content"], sort=False):
        asked = COMPARISONS[comparison] if content == REAL else _BESIDE_ZERO
        rows[comparison, content] = {
            "specifications": len(own),
            "help": int(asked.agrees(own).sum()),
            "harm": int(asked.opposes(own).sum()),
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
    beats = _beats(effects[effects["comparison"] == comparison])
    return int(beats.sum()), len(beats)


def helps_by_content(effects: pd.DataFrame, comparison: str) -> int:
    """In how many specifications it helps and beats every control beside it."""
    own = effects[effects["comparison"] == comparison]
    real = own[own["content"] == REAL].set_index(_CHOICES)["low"]
    return int((_beats(own) & (real > 0)).sum())


_CHOICES = list(Specification.__dataclass_fields__)


def _beats(own: pd.DataFrame) -> pd.Series:
    """Whether the real features of one comparison gain more than every control, by choices, where
    there is one."""
    paired = own[own["content"].isin(OVER.values())].dropna(subset="low")
    if len(paired):
        return paired.groupby(_CHOICES)["low"].min() > 0
    real = own[own["content"] == REAL].set_index(_CHOICES)["low"]
    highest = own[own["content"].isin(CONTENTS[1:])].groupby(_CHOICES)["high"].max()
    both = pd.concat([real, highest], axis=1, join="inner").dropna()
    return both["low"] > both["high"]


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
        return min(self.agrees, self.beaten) >= ROBUST * self.specifications


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
            f"{first['best']} {signed(first['best_median'])} % (in {first['best_of']}), "
            f"{first['worst']} {signed(first['worst_median'])} % (in {first['worst_of']})."
        )
    if near.compared:
        contents = set(effects.loc[effects["comparison"] == comparison, "content"])
        controls = " and ".join(name for name in OVER if name in contents)
        said.append(
            f"Real features beat every control ({controls}) in {near.beaten} of {near.compared}."
        )
        said.append(
            f"By the rule set beforehand, {100 * ROBUST:.0f} % of them, the answer is "
            f"{'yes, robustly' if near.robust else 'not a robust yes'}."
        )
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
