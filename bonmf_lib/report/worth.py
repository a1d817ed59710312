"""How many ratings is a text worth? Learning curves without content, and where they reach what
content gives to an item without ratings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ..claims.judge import LEAST_SEEDS
from ..evaluation import Estimate, mean_interval, paired_difference
from ..evaluation.by_support import ERROR
from ..evaluation.catch_up import NEVER, CatchUp, catch_up
from ..experiments.protocols import CONTROLS
from ..runs.records import interval_share
from .cold_start import family_name, keyed, values_of, with_revealed


def curve_table(
    records: pd.DataFrame, names: Iterable[str], side: str, counts: Sequence[int], metric: str
) -> pd.DataFrame:
    """Columns model, x (revealed ratings), mean, low, high of a metric."""
    rows = []
    for count in counts:
        own = with_revealed(records, side, count)
        share = interval_share(own) if len(own) else 0.0
        for name in names:
            values = values_of(own, name, metric).to_numpy()
            if len(values):
                one = mean_interval(values, share)
                rows.append((name, count, one.mean, one.low, one.high))
    return pd.DataFrame(rows, columns=["model", "x", "mean", "low", "high"])


def text_curve(rows: Mapping[str, str]) -> list[str]:
    """Names of a family's rows whose learning curves tell what a text is worth: without content,
    with the text, and with shuffled ones."""
    return [rows[""], rows["text"], f"{rows['text']}, {CONTROLS[0]}"]


@dataclass(frozen=True)
class Worth:
    """What a family's content is worth in ratings.

    Attributes:
        family: of ``FAMILIES``. read: of the content. worth: ratings with which the model without
            content reaches what it has with content and none. over: ratings from which on content
            gains nothing. helps: whether content gains beyond chance where no rating is revealed,
            over none and the shuffled control.
        seeds: over which.
    """

    family: str
    read: str
    worth: CatchUp
    over: CatchUp
    helps: bool
    seeds: int


def worth(
    records: pd.DataFrame, family: str, read: str, rows: Mapping[str, str], counts: Sequence[int]
) -> Worth | None:
    """How many ratings a content is worth to a family; None where it was not run.

    Args:
        records: of held-out items. rows: what the family's are called, by what they read. counts:
            revealed ratings, the first of which content starts from.
    """
    without, reading = rows[""], rows[read]
    by_count = {count: with_revealed(records, "item", count) for count in counts}
    first = by_count[counts[0]]
    starts, same = [], []
    for own in by_count.values():
        starts.append(_lead(own, without, first, reading))
        same.append(_lead(own, without, own, reading))
    if not starts or any(one is None for one in (*starts, *same)):
        return None
    control = _lead(first, f"{reading}, {CONTROLS[0]}", first, reading)
    helps = all(one is not None and one.low > 0 for one in (same[0], control))
    enough = starts[0].n >= LEAST_SEEDS
    starts, same = (leads if enough else [_bare(one) for one in leads] for leads in (starts, same))
    found = catch_up(counts, starts), catch_up(counts, same)
    return Worth(family, read, *found, helps and enough, starts[0].n)


def _lead(theirs: pd.DataFrame, without: str, ours: pd.DataFrame, reading: str) -> Estimate | None:
    """By how much a row's error lies above another's, over the same seeds."""
    one, other = values_of(theirs, without, ERROR), values_of(ours, reading, ERROR)
    one, other = one.align(other, join="inner")
    if one.empty:
        return None
    both = pd.concat([theirs[theirs["variant"] == without], ours[ours["variant"] == reading]])
    return paired_difference(one.to_numpy(), other.to_numpy(), interval_share(both))


def _bare(one: Estimate) -> Estimate:
    return replace(one, low=float("nan"), high=float("nan"))


def worth_sentence(found: Worth, words_item: str) -> str:
    """What a content is worth, in words chosen by the numbers."""
    what, model = found.read, family_name(found.family)
    what = f"The {what} of a new {words_item}"
    if found.seeds < LEAST_SEEDS:
        seeds = f"{found.seeds} seed{'s' * (found.seeds > 1)}"
        return f"{what}, to {model}: {found.worth} ratings; {seeds}, too few for an interval."
    if not found.helps:
        return f"{what} is not shown to help {model} at all."
    return f"{what} is worth {found.worth} ratings to {model}, 95 % interval in brackets."


def worths_sentence(found: Iterable[Worth], words_item: str) -> str:
    """What a text is worth to each family, in one line: a figure's title."""
    said = []
    for one in found:
        shown = one.helps or one.seeds < LEAST_SEEDS
        number = str(one.worth) if shown else "not shown to help"
        said.append(f"{number} to {family_name(one.family)}")
    return f"What the text of a new {words_item} is worth, in ratings: {'; '.join(said)}"


def worth_table(found: Iterable[Worth]) -> pd.DataFrame:
    """A row per model and content."""
    rows = {
        (family_name(one.family), one.read): {
            "worth, ratings": str(one.worth),
            "gains nothing from, ratings": _until(one.over),
            "seeds": one.seeds,
        }
        for one in found
    }
    return keyed(rows, ["model", "content"])


def _until(over: CatchUp) -> str:
    return f"more than {over.most}" if over.ratings == NEVER else str(over)
