"""What claims on fixed test parts rest on: differences told across users, made once where the
trained models are, kept as a table beside the records, and found again by the judge.

The table holds numbers of pairs, not of users: users' own values would be megabytes for every
training, and tell of people. So a claim that is added later needs the run's weights again.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pandas as pd

from ..errors import RecordError
from ..evaluation.paired_users import (
    AcrossUsers,
    UserValues,
    gain_across_users,
    mean_across_users,
)
from ..integrity import read_json
from ..parallel import in_parallel
from ..progress import progress
from ..runs.records import (
    MANIFEST,
    keep_table,
    kept_table,
    published_dir,
    published_table,
    table_name,
)
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant, variant_hash
from ..splits.rules import FIXED
from .reading import Claim, read_claims

METRICS = ("hr@10", "ndcg@10")  # of tables, where no others are named
CLOSED_FORM = "closed form"  # the protocol of rows that are solved; answers claims of any protocol
COLUMNS = [
    "dataset", "content", "split", "evaluation", "metric", "variant", "other", "mean", "error",
    "freedom", "users", "seeds", "config", "other_config",
]  # fmt: skip
_TABLE = "across_users"  # how the tables' names begin
_SAME = 1e-5  # of a mean, since tables are kept with six digits; less than one hit of 10,000 lists

Pair = tuple[Variant, Variant | None, str]  # a row, what it is compared with, and the metric


def pairs_of(claim: Claim) -> dict[str, tuple[str, str]]:
    """The rows that a comparison or an equivalence compares, by what the pair is called; where it
    compares gains, each row with its control."""
    if claim.kind == "better" and claim.gains_over:
        return {row: (row, control) for row, control in claim.gains_over.items()}
    if claim.kind == "better":
        return {other: (claim.variant, other) for other in claim.than}
    if claim.around:
        others = (other for other in claim.variants if other != claim.around)
        return {other: (other, claim.around) for other in others}
    return {f"{one} / {other}": (one, other) for one, other in combinations(claim.variants, 2)}


def across_users(
    run: Run,
    variants: Sequence[Variant],
    seeds: Sequence[int],
    also: Sequence[tuple[Variant, Variant]] = (),
    metrics: Sequence[str] = METRICS,
) -> pd.DataFrame:
    """Means of trained rows, and their gains over one another that claims ask for, with standard
    errors across users and seeds (:mod:`~bonmf_lib.evaluation.paired_users`).

    Args:
        variants: trained in the run and ranked by; those whose seeds draw other test parts are left
            out.
        also: pairs of them to be compared besides the claims' pairs. metrics: of these, and of
            rows' own means.

    Returns:
        ``COLUMNS``: ``mean``, in percent of the other's where there is an ``other``, else in the
        metric's unit; ``error`` and ``freedom`` of :class:`AcrossUsers`; ``seeds`` parted by
        spaces; the hashes of the settings behind both rows, by which records are recognised.
    """
    fixed = [one for one in variants if one.split.test_part == FIXED and one.evaluation.reads_model]
    configs = {variant: variant_hash(run, variant) for variant in fixed}
    asked = dict.fromkeys(
        [*_own(fixed, metrics), *_claimed(run, fixed), *_also(also, metrics, configs)]
    )
    trainings = [Training(run, variant, seed) for variant in fixed for seed in seeds]
    read = sorted({metric for *_, metric in asked})
    made = progress(
        in_parallel(_values, [(one, read) for one in trainings]),
        "values by user",
        len(trainings),
    )
    values: dict[Variant, dict[int, pd.DataFrame]] = {variant: {} for variant in fixed}
    for training, table in zip(trainings, made, strict=True):
        values[training.variant][training.seed] = table
    rows = [
        _labels(run, pair, configs) | _numbers(pair, values)
        for pair in asked
        if _measured(pair, values)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _values(training: Training, metrics: Sequence[str]) -> pd.DataFrame:
    table = training.user_values()
    return table[["user", *table.columns.intersection(metrics)]]


def _own(variants: Iterable[Variant], metrics: Sequence[str]) -> Iterator[Pair]:
    for variant in variants:
        yield from ((variant, None, metric) for metric in metrics)


def _claimed(run: Run, variants: Sequence[Variant]) -> Iterator[Pair]:
    for claim in read_claims():
        if claim.kind == "value" or run.dataset.name not in claim.datasets:
            continue
        fits = [
            one
            for one in variants
            if one.evaluation.name.startswith(claim.evaluation)
            and one.split.name.startswith(claim.split.partition("(")[0])
            and one.protocol in (claim.protocol, CLOSED_FORM)
        ]
        named = [one for one in fits if one.evaluation.name == claim.evaluation]
        yield from _named(named or fits, pairs_of(claim).values(), (claim.metric,))


def _also(
    also: Iterable[tuple[Variant, Variant]],
    metrics: Sequence[str],
    known: Mapping[Variant, str],
) -> Iterator[Pair]:
    for one, other in also:
        if one in known and other in known:
            yield from ((one, other, metric) for metric in metrics)


def _named(
    variants: Sequence[Variant], pairs: Iterable[tuple[str, str]], metrics: Sequence[str]
) -> Iterator[Pair]:
    """Pairs of names as rows; where two rows bear a name, the trained one is meant."""
    by_name = {
        one.name: one for one in sorted(variants, key=lambda one: one.protocol != CLOSED_FORM)
    }
    for one, other in pairs:
        if one in by_name and other in by_name:
            yield from ((by_name[one], by_name[other], metric) for metric in metrics)


def _measured(pair: Pair, values: Mapping[Variant, Mapping[int, pd.DataFrame]]) -> bool:
    *rows, metric = pair
    return all(metric in table for row in rows if row is not None for table in values[row].values())


def _numbers(pair: Pair, values: Mapping[Variant, Mapping[int, pd.DataFrame]]) -> dict:
    variant, other, metric = pair
    ours = UserValues.of(values[variant], metric)
    found = (
        mean_across_users(ours)
        if other is None
        else gain_across_users(ours, UserValues.of(values[other], metric))
    )
    return vars(found) | {"seeds": " ".join(map(str, found.seeds))}


def _labels(run: Run, pair: Pair, configs: Mapping[Variant, str]) -> dict:
    variant, other, metric = pair
    return {
        "dataset": run.dataset.name,
        "content": run.dataset.content,
        "split": variant.split.name,
        "evaluation": variant.evaluation.name,
        "metric": metric,
        "variant": variant.name,
        "other": "" if other is None else other.name,
        "config": configs[variant],
        "other_config": "" if other is None else configs[other],
    }


# Kept and found again


def keep_across_users(run: Run, experiment: str, table: pd.DataFrame) -> None:
    """Keep the table of an experiment in the run folder, with which it is published."""
    keep_table(run.run_dir, table_name(_TABLE, experiment, run.dataset), table)


def kept_across_users(run_dir: Path) -> pd.DataFrame:
    """All tables of :func:`keep_across_users` in a run folder, one below the other.

    Raises:
        DamagedError, RecordError: a table is not as it was written.
    """
    names = sorted(path.stem for path in (run_dir / "tables").glob(f"{_TABLE}--*.csv"))
    return _together(kept_table(run_dir, name) for name in names)


def published_across_users() -> pd.DataFrame:
    """The same of all published runs."""
    tables = []
    for path in sorted(published_dir().glob(f"*/{MANIFEST}")):
        files = (Path(file) for file in sorted(read_json(path).get("files", {})))
        names = [file.stem for file in files if file.stem.startswith(f"{_TABLE}--")]
        tables += [published_table(path.parent.name, name) for name in names]
    return _together(tables)


def _together(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    found = [table for table in tables if len(table)]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    for table in found:
        if list(table.columns) != COLUMNS:
            raise RecordError(f"A table {_TABLE} has the columns {list(table.columns)}.")
    return pd.concat(found, ignore_index=True).fillna({"other": "", "other_config": ""})


@dataclass(frozen=True)
class Told:
    """The numbers of such tables, found by the settings behind the rows and the metric."""

    by_pair: Mapping[tuple[str, str, str], AcrossUsers]

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Told":
        return cls(
            {(row.config, row.other_config, row.metric): told(row) for row in table.itertuples()}
        )

    def gain(self, ours: pd.DataFrame, theirs: pd.DataFrame, metric: str) -> AcrossUsers | None:
        """The gain of one row's records over another's; None where it was not told, or of other
        seeds than the records have in common, or before one of the rows was measured again."""
        configs = [set(rows["config"]) for rows in (ours, theirs)]
        if any(len(found) != 1 for found in configs):
            return None
        (one,), (other,) = configs
        found = self.by_pair.get((one, other, metric))
        seeds = set(ours["seed"]) & set(theirs["seed"])
        if found is None or set(found.seeds) != seeds:
            return None
        same = (self._is_of(one, ours, metric), self._is_of(other, theirs, metric))
        return found if all(same) else None

    def _is_of(self, config: str, records: pd.DataFrame, metric: str) -> bool:
        """Whether the records have the mean that was told of their row."""
        own = self.by_pair.get((config, "", metric))
        if own is None:
            return True
        told_of = records[records["seed"].isin(own.seeds)]
        mean = told_of.groupby("seed")["value"].first().mean()
        return math.isclose(mean, own.mean, rel_tol=_SAME)


def told(row) -> AcrossUsers:
    """A row of the table, as the number that it is."""
    seeds = tuple(map(int, str(row.seeds).split()))
    return AcrossUsers(row.mean, row.error, row.freedom, int(row.users), seeds)


def intervals(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Rows of such a table with ``low``, ``high`` and ``p_value`` in place of what they are made
    of, and the number of seeds."""
    found = [told(row).estimate(level) for row in table.itertuples()]
    named = table[["evaluation", "metric", "variant", "other", "mean"]]
    return named.assign(
        low=[one.low for one in found],
        high=[one.high for one in found],
        p_value=[one.p_value for one in found],
        seeds=[one.n for one in found],
    )
