"""What content gives where ratings are few: tables and sentences of 09, from records alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..claims.judge import LEAST_SEEDS, LEVEL, better_sign
from ..evaluation import Estimate, holm, mean_interval
from ..evaluation.by_support import BUCKETS, COLD_SIDES, ERROR, TESTED, metric_of
from ..experiments.cold_start import FAMILIES
from ..experiments.held_out import protocol
from ..experiments.names import is_control
from ..experiments.protocols import CONTROLS
from ..runs.records import interval_share
from .tables import estimates, gain_cell, plus_minus

HELPS, HARMS, UNCERTAIN, UNSHOWN = "helps", "harms", "not certain", "no help shown"
FEW = "too few seeds"
NONE = "no content"


def values_of(records: pd.DataFrame, variant: str, metric: str) -> pd.Series:
    """A row's values by seed; empty where it was not run, or where nothing of the kind tests."""
    own = records[(records["variant"] == variant) & (records["metric"] == metric)]
    return own.groupby("seed")["value"].first()


def with_revealed(records: pd.DataFrame, side: str, count: int) -> pd.DataFrame:
    """The records where so many ratings of each held-out item (user) are revealed."""
    return records[records["protocol"] == protocol(side, count)]


def without_controls(records: pd.DataFrame) -> pd.DataFrame:
    """The records of rows whose content, if any, is their own."""
    names = records["variant"].drop_duplicates()
    kept = names[~names.map(is_control).astype(bool)]
    return records[records["variant"].isin(kept)]


# Tables by bucket


def bucket_table(records: pd.DataFrame, metric: str, side: str) -> pd.DataFrame:
    """Models by how many training ratings the item (user) of a test rating has: ``mean ± half`` of
    the 95 % interval; the first row says how many test ratings a split has there, on average.
    Controls are left out."""
    metrics = {
        bucket: (metric_of(metric, side, bucket), metric_of(TESTED, side, bucket))
        for bucket in BUCKETS
    }
    return _table_by_part(records, metrics)


def _table_by_part(records: pd.DataFrame, metrics: Mapping[str, tuple[str, str]]) -> pd.DataFrame:
    """A column for each part of the test ratings that some test, by its metric and by that which
    counts them; controls are left out."""
    records, columns, tested = without_controls(records), {}, {}
    for part, (metric, counted) in metrics.items():
        found = records[records["metric"] == metric]
        if len(found):
            counts = records[records["metric"] == counted]["value"]
            tested[part] = f"{counts.mean():,.0f}"
            columns[part] = _cells(found)
    table = pd.DataFrame(columns).reindex(records["variant"].drop_duplicates()).fillna("")
    first = pd.DataFrame(tested, index=["test ratings a split"])
    return pd.concat([first, table]).rename_axis("model")


def _cells(records: pd.DataFrame, digits: int = 3) -> pd.Series:
    (metric,) = records["metric"].unique()
    found = estimates(records, metric).set_index("variant")
    return found.apply(lambda row: plus_minus(row, digits), axis=1)


def few_ratings_table(records: pd.DataFrame) -> pd.DataFrame:
    """MSE where the item, the user or both have fewer than five training ratings; the first row
    says how many test ratings that is. Controls, and parts that nothing tests, are left out."""
    metrics = {part: (f"{ERROR}-cold-{part}", f"{TESTED}-cold-{part}") for part in COLD_SIDES}
    return _table_by_part(records, metrics)


def few_ratings_sentence(records: pd.DataFrame, where: str) -> str:
    """On how many test ratings "fewer than five" rests, and of which side there are none."""
    said = []
    for part, name in zip(COLD_SIDES, ("items", "users", "both"), strict=True):
        counts = records[records["metric"] == f"{TESTED}-cold-{part}"]["value"]
        said.append(f"{name} {counts.mean():,.0f}" if len(counts) else f"{name} none")
    return f"{where}, test ratings with fewer than five training ratings: {', '.join(said)}."


# What content gains


@dataclass(frozen=True)
class Gain:
    """What a model on content gains over the same on something else.

    Attributes:
        family: of ``FAMILIES``, or a row's name. read: of the content. over: ``NONE`` or a control.
        gain: in percent of the other's error, above 0 = better, with its 95 % interval.
        adjusted: its p-value among all gains that were asked for together (Holm).
    """

    family: str
    read: str
    over: str
    gain: Estimate
    adjusted: float = float("nan")

    @property
    def told(self) -> bool:
        """Whether it is told from zero."""
        return self.gain.n >= LEAST_SEEDS and self.adjusted < LEVEL


def drawable(found: Sequence[Gain]) -> bool:
    """Whether any of them has an interval; dots alone would pass for evidence."""
    return any(one.gain.n >= LEAST_SEEDS for one in found)


def percent_gain(
    ours: tuple[pd.DataFrame, str], theirs: tuple[pd.DataFrame, str], metric: str
) -> Estimate | None:
    """Mean improvement over the same seeds in percent, with its interval; None without a seed in
    common.

    Args:
        ours, theirs: records and the row's name among them.
    """
    one, other = (values_of(records, name, metric) for records, name in (ours, theirs))
    one, other = one.align(other, join="inner")
    if one.empty:
        return None
    both = pd.concat([records[records["variant"] == name] for records, name in (ours, theirs)])
    gain = better_sign(metric) * 100 * (one - other).to_numpy() / np.abs(other.to_numpy())
    return mean_interval(gain, interval_share(both))


def gains(
    records: pd.DataFrame, families: Mapping[str, Mapping[str, str]], metric: str = ERROR
) -> list[Gain]:
    """What every family's content gains over none and over each control of it.

    Args:
        records: of one protocol. families: what rows are called by what they read (``""`` = none),
            by family, of :func:`~bonmf_lib.experiments.cold_start.family_names`.
    """
    found = []
    for family, rows in families.items():
        for read, row in rows.items():
            others = {NONE: rows[""]} | {c: f"{row}, {c}" for c in CONTROLS}
            for over, name in others.items() if read else ():
                gain = percent_gain((records, row), (records, name), metric)
                if gain is not None:
                    found.append(Gain(family, read, over, gain))
    adjusted = holm([one.gain.p_value for one in found])
    return [replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True)]


def verdict(found: Sequence[Gain]) -> str:
    """Whether content helps a model: only where it beats none and every control of it.

    Args:
        found: of one family and what it reads; not empty. Without any control it is not certain.
    """
    if any(one.gain.n < LEAST_SEEDS for one in found):
        return FEW
    controlled = any(one.over != NONE for one in found)
    if controlled and all(one.told and one.gain.mean > 0 for one in found):
        return HELPS
    if any(one.told and one.gain.mean < 0 for one in found if one.over == NONE):
        return HARMS
    return UNSHOWN if any(one.gain.mean <= 0 for one in found) else UNCERTAIN


def by_content(found: Iterable[Gain]) -> dict[tuple[str, str], list[Gain]]:
    """Gains by family and what it reads."""
    out: dict[tuple[str, str], list[Gain]] = {}
    for one in found:
        out.setdefault((one.family, one.read), []).append(one)
    return out


def gain_table(found: Sequence[Gain]) -> pd.DataFrame:
    """A row per model and content: the verdict, and the gains in percent with 95 % intervals."""
    rows = {
        (family, read): {"verdict": verdict(own)}
        | {f"over {one.over}, %": gain_cell(one.gain) for one in own}
        for (family, read), own in by_content(found).items()
    }
    return keyed(rows, ["model", "content"])


def keyed(rows: Mapping[tuple[str, str], Mapping[str, object]], names: list[str]) -> pd.DataFrame:
    """Rows by two names each as a table, which may be empty."""
    index = (
        pd.MultiIndex.from_tuples(rows, names=names)
        if rows
        else pd.MultiIndex([[], []], [[], []], names=names)
    )
    return pd.DataFrame(list(rows.values()), index=index).fillna("")


def gain_sentence(found: Sequence[Gain], where: str) -> str:
    """Which content helps which model, in words chosen by the verdicts."""
    if not found:
        return f"{where}: no model with content was run."
    words: dict[str, list[str]] = {}
    for (family, read), own in by_content(found).items():
        words.setdefault(verdict(own), []).append(f"{read} ({family_name(family)})")
    if FEW in words:
        seeds = min(one.gain.n for one in found)
        return f"{where}: {seeds} seed{'s' * (seeds > 1)}, too few to tell whether content helps."
    parts = [
        f"{said}: {', '.join(words[said])}"
        for said in (HELPS, HARMS, UNCERTAIN, UNSHOWN)
        if said in words
    ]
    joined = "; ".join(parts)
    return f"{where}. {joined[0].upper()}{joined[1:]}."


def count_sentence(found: Sequence[Gain], where: str) -> str:
    """How many models each content helps: :func:`gain_sentence` as a title."""
    if not found or FEW in {verdict(own) for own in by_content(found).values()}:
        return gain_sentence(found, where)
    told: dict[str, list[bool]] = {}
    for (_, read), own in by_content(found).items():
        told.setdefault(read, []).append(verdict(own) == HELPS)
    counts = [f"{read} helps {sum(helps)} of {len(helps)} models" for read, helps in told.items()]
    return f"{where}: {', '.join(counts)}"


def family_name(family: str) -> str:
    """A family in sentences; any other row by its name."""
    return FAMILIES[family].called if family in FAMILIES else family


# Stand-ins for embeddings


def stand_in_table(records: pd.DataFrame, names: Mapping[tuple[str, str], tuple[str, str]]):
    """Errors by stand-in and dropped IDs: on IDs alone, with text, with shuffled text, and what
    text gains over both.

    Args:
        names: rows on IDs and with text, by stand-in and share of dropped IDs.
    """
    rows = {}
    for key, (alone, reading) in names.items():
        shown = {"ID": alone, "ID + text": reading, "ID + shuffled text": f"{reading}, shuffled"}
        cells = {}
        for title, name in shown.items():
            own = records[(records["variant"] == name) & (records["metric"] == ERROR)]
            if len(own):
                cells[title] = _cells(own, 4).iloc[0]
        for title, other in list(shown.items())[::2]:
            gain = percent_gain((records, reading), (records, other), ERROR)
            if gain is not None:
                cells[f"text over {title}, %"] = gain_cell(gain)
        rows[key] = cells
    return keyed(rows, ["stand-in", "IDs dropped"])


def stand_in_sentence(
    records: pd.DataFrame, names: Mapping[tuple[str, str], tuple[str, str]]
) -> str:
    """Which stand-in has the lowest error with text, and how far the plain network lies behind."""
    means = {
        key: values_of(records, reading, ERROR)
        for key, (_, reading) in names.items()
        if len(values_of(records, reading, ERROR))
    }
    if not means:
        return "No stand-in was run with texts."
    best = min(means, key=lambda key: means[key].mean())
    plain = next(iter(names))
    said = f"Lowest error with text: stand-in {best[0]}, {best[1]} ({means[best].mean():.4f})."
    if plain not in means:
        return f"{said} Untrained embeddings were not run beside it."
    gain = percent_gain((records, names[best][1]), (records, names[plain][1]), ERROR)
    if best == plain or gain is None:
        return f"{said} That is the network as it is published."
    certain = "" if gain.n >= LEAST_SEEDS and gain.low > 0 else ", not told from zero"
    return f"{said} That is {gain.mean:+.1f} % against an untrained embedding{certain}."


# All of it at once


def revealed_table(records: pd.DataFrame, side: str, counts: Sequence[int]) -> pd.DataFrame:
    """MSE of models by revealed ratings: ``mean ± half`` of the 95 % interval."""
    columns = {}
    for count in counts:
        own = with_revealed(records, side, count)
        own = own[own["metric"] == ERROR]
        if len(own):
            columns[f"{count} revealed"] = _cells(own)
    order = records["variant"].drop_duplicates()
    return pd.DataFrame(columns).reindex(order).fillna("").rename_axis("model")


def lowest(records: pd.DataFrame, most: int) -> dict[str, str]:
    """The rows with the least test error, the best first: ``mean ± half`` of the 95 % interval."""
    found = estimates(records, ERROR).set_index("variant").sort_values("mean").head(most)
    return {str(name): plus_minus(row, 3) for name, row in found.iterrows()}


def best_sentence(records: pd.DataFrame, side: str, counts: Sequence[int]) -> str:
    """The lowest mean error by revealed ratings."""
    said = []
    for count in counts:
        own = with_revealed(records, side, count)
        means = own[own["metric"] == ERROR].groupby("variant")["value"].mean()
        if len(means):
            said.append(f"{means.idxmin()} with {count} ({means.min():.3f})")
    return f"Lowest mean MSE on held-out {side}s by revealed ratings: {'; '.join(said)}."
