"""The headline's comparisons in every specification: how much the one network gains on the other,
and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..claims.judge import LOWER_IS_BETTER
from ..evaluation.significance import percent_better, t_interval
from ..experiments.protocols import WITHOUT_PLOTS
from ..experiments.specifications import (
    CONTENTS,
    EXPERIMENTS,
    NETWORKS,
    PICTURE_SHUFFLED,
    Specification,
    around_centres,
    centres,
    random_combinations,
)
from ..runs.profiles import read_profile
from ..runs.records import interval_share, values_by_seed
from .answers import MARGIN

REAL = CONTENTS[0]
# what real features gain over each control of them, on the same splits
OVER = {content: f"over {content}" for content in CONTENTS[1:]}
# the same of the controls of one input, which the centres alone have
OVER_ONE_INPUT = {content: f"over {content}" for content in (PICTURE_SHUFFLED, WITHOUT_PLOTS)}
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
    taken to be the same in all specifications of a comparison and content that stop alike (after a
    fixed number of epochs it is several times as wide), or of both contents of ``OVER``, since
    noise has few; it is estimated around the centres.

    Args:
        around: the specifications that robustness is judged on. combinations: random ones, told
            apart; one that trains the networks of a specification around the centres is that one.

    Returns:
        columns comparison, content, one per choice, combination (whether it is a random one), gain,
        low, high, splits. Where IDs are what a network is compared with, rows of the contents
        ``OVER`` compare it with itself on a control; so do ``OVER_ONE_INPUT`` with itself on a
        control of what it adds, while that control's own rows stand against all that is real.
        Where two text encoders are compared, all else
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
            alike = OVER.values() if content in OVER.values() else (content,)
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


# which control of one input tells what the first network has over the second
_ONE_INPUT = {
    ("IDs + text + picture", "IDs + text"): PICTURE_SHUFFLED,
    ("IDs + text", "IDs"): WITHOUT_PLOTS,
}


def one_input_control(comparison: str) -> str | None:
    """The control of what the first network of a comparison of ``COMPARISONS`` reads besides the
    second, all else being real; None where there is none."""
    asked = COMPARISONS[comparison]
    return _ONE_INPUT.get((asked.ours, asked.theirs))


def _asked(comparison: Comparison, encoders: Sequence[str]) -> dict[str, tuple[_Side, _Side]]:
    """The two networks of every content, real content first.

    Args:
        encoders: of texts, the centres' and, where they are varied, the other one.
    """
    ours, theirs = comparison.ours, comparison.theirs
    over = {OVER[content]: (_Side(ours), _Side(ours, content)) for content in OVER}
    if comparison.margin is None:
        asked = {content: (_Side(ours, content), _Side(theirs, content)) for content in CONTENTS}
        if theirs == "IDs":
            asked |= over
        if (control := _ONE_INPUT.get((ours, theirs))) is not None:
            asked[control] = (_Side(ours, control), _Side(theirs))
            asked[OVER_ONE_INPUT[control]] = (_Side(ours), _Side(ours, control))
        return asked
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
    stops = {one.specification.stopping for one in found}
    near = [one for one in alike if not one.combination]
    pooled = {
        stop: _spread([one.gain for one in near if one.specification.stopping == stop])
        for stop in stops
    }
    rows = []
    for one in found:
        gain, stop = one.gain, one.specification.stopping
        spread, freedom = _spread([gain]) if len(gain) >= OWN_SPREAD else pooled[stop]
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


def at(effects: pd.DataFrame, specification: Specification) -> pd.DataFrame:
    """The rows of one specification, index (comparison, content)."""
    wanted = asdict(specification) | {"batch": specification.batch[0]}
    same = (effects[list(wanted)] == pd.Series(wanted)).all(axis=1)
    return effects[same].set_index(["comparison", "content"])
