"""Keep a run for every reader: its records, manifest and tables, beside what earlier runs left in
the same folder; and how well two runs of the same settings agree."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ConfigError, RecordError
from ..evaluation.names import metric_name
from ..integrity import read_json
from ..storage import write_text
from .manifest import manifest, save_manifest
from .records import (
    MANIFEST,
    RECORDS,
    file_note,
    gathered,
    is_table_published,
    kept_table,
    published_dir,
    published_table,
    read_records,
    table_path,
    unfinished_runs,
)
from .table_files import csv_text, read_table_text, text_columns

_EXPERIMENT = ["experiment", "dataset", "content"]
_NAMED = [*_EXPERIMENT, "variant", "protocol"]
_ROW = [*_NAMED, "evaluation", "seed"]
REMEASURED = "remeasured"  # table of what a later run measured again, kept when it was published
REMEASURED_METRICS = ("mse", "ndcg@10", "recall@10")
_SETTINGS = ["config", "other_config", "metric"]  # by which some tables tell their rows apart
_ENVIRONMENT = ("lock_sha256", "packages", "python", "cores", "threads")


def publish(
    run_dir: Path,
    name: str,
    drop_rows: bool = False,
    tables_only: bool = False,
    add_rows: bool = False,
    withdrawn: Collection[str] = (),
) -> Path:
    """Add a run to ``papermill_runs/published/<name>`` and return that folder.

    An experiment on one data set is replaced whole, since its rows are compared with each other,
    unless its other rows are to stay (``add_rows``); experiments that the run does not hold stay
    as they are. A table replaces the one of the same name. What both had measured with the same
    settings and seeds is kept side by side in the table ``remeasured``, experiment by experiment.

    Args:
        drop_rows: even where an experiment then has fewer rows.
        tables_only: leave the published records as they are, for instance beside a run with fewer
        seeds.
        add_rows: of an experiment on the same data, keep the published rows that the run does not
        hold, for instance where its trainings are shared among machines, and the rows of tables
        that compare them; and all seeds of rows that it holds on other seeds only, with the same
        settings. Tables do not join: of such rows they tell what the run has.
        withdrawn: with ``add_rows``, published rows of these experiments that do not stay, by name:
        they are called otherwise now.

    Raises:
        ConfigError: the name is not that of one plain folder; rows are withdrawn without
        ``add_rows``.
        RecordError: the run has no records, an experiment would lose rows (unless ``drop_rows``),
        or rows would be added to those on other data.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
        raise ConfigError(
            f"A run is published under one plain name, such as paper; {name!r} is none."
        )
    if withdrawn and (tables_only or not add_rows):
        raise ConfigError("Rows are withdrawn only where others are kept: give --add-rows.")
    new, folder = read_records(run_dir), published_dir() / name
    if new.empty and not tables_only:
        raise RecordError(f"{run_dir} holds no records to publish; run the notebooks first.")
    old = read_records(folder)
    measured_again = agreement(new, old, REMEASURED_METRICS)
    noted = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    files = dict(noted.get("files", {}))
    texts = {}  # to be written once nothing can go wrong any more
    if not tables_only:
        stay = _without_withdrawn(old, new, withdrawn)
        records = _records_after(run_dir, stay, new, drop_rows, add_rows)
        texts[RECORDS] = gathered(records)
        files[RECORDS] = file_note(texts[RECORDS].encode())
        noted = (
            _with_earlier(manifest(run_dir, records), noted)
            if noted
            else manifest(run_dir, records)
        )
    elif not noted:
        raise RecordError(
            f"{folder} holds no published run that tables could be added to; "
            "publish its records too."
        )
    tables = {
        path.stem: read_table_text(path) for path in sorted((run_dir / "tables").glob("[!.]*.csv"))
    }
    if add_rows and not tables_only:
        tables |= {
            table: (text_columns(joined), csv_text(joined, "%.6g"))
            for table in tables
            if (joined := _with_other_rows(run_dir, name, table, records)) is not None
        }
    if len(measured_again):
        measured_again = _with_other_experiments(measured_again, name)
        tables[REMEASURED] = text_columns(measured_again), csv_text(measured_again, "%.6g")
    for table, (columns, text) in tables.items():
        inside = table_path(folder, table).relative_to(folder).as_posix()
        texts[inside] = text
        files[inside] = file_note(text.encode(), columns)
    for inside, text in texts.items():
        write_text(folder / inside, text)
    save_manifest(folder, noted | {"files": files})
    return folder


def _with_other_rows(
    run_dir: Path, name: str, table: str, records: pd.DataFrame
) -> pd.DataFrame | None:
    """A run's table above what the published one tells of other settings that the records have, but
    not of rows that the run measured otherwise; None where it does not tell rows by settings, or
    there is nothing to join."""
    new = kept_table(run_dir, table)
    if not {*_SETTINGS} <= {*new.columns} or not is_table_published(name, table):
        return None
    earlier = published_table(name, table)
    before, now = (each.fillna({"other_config": ""}) for each in (earlier, new))
    known = {*records["config"], ""} - _measured_otherwise(before, now)
    stay = before["config"].isin(known) & before["other_config"].isin(known)
    stay &= ~_keys(before, _SETTINGS).isin(_keys(now, _SETTINGS))
    return pd.concat([new, earlier[stay]], ignore_index=True)


def _measured_otherwise(before: pd.DataFrame, now: pd.DataFrame) -> set[str]:
    """Settings whose own mean, which stands beside no other settings, is not the same in both, to
    the digits that tables have."""
    own = [each[each["other_config"] == ""] for each in (before, now)]
    both = own[0].merge(own[1], on=_SETTINGS, suffixes=("", "_now"))
    return set(both.loc[~np.isclose(both["mean"], both["mean_now"], rtol=1e-5), "config"])


def _with_other_experiments(measured_again: pd.DataFrame, name: str) -> pd.DataFrame:
    """What a run measured again, below what earlier ones did of experiments it does not hold."""
    if not is_table_published(name, REMEASURED):
        return measured_again
    earlier = published_table(name, REMEASURED)
    others = ~_keys(earlier, _EXPERIMENT).isin(_keys(measured_again, _EXPERIMENT))
    return pd.concat([earlier[others], measured_again], ignore_index=True)


def _without_withdrawn(
    old: pd.DataFrame, new: pd.DataFrame, withdrawn: Collection[str]
) -> pd.DataFrame:
    """Published records but those of the rows that are withdrawn from a run's experiments."""
    same = _keys(old, _EXPERIMENT).isin(_keys(new, _EXPERIMENT))
    if gone := set(withdrawn) - set(old.loc[same, "variant"]):
        raise RecordError(f"No published row of the run's experiments is called {min(gone)!r}.")
    return old[~(same & old["variant"].isin(withdrawn))]


def _records_after(
    run_dir: Path, old: pd.DataFrame, new: pd.DataFrame, drop_rows: bool, add_rows: bool
) -> pd.DataFrame:
    """The published records once those of a run are added."""
    same = _keys(old, _EXPERIMENT).isin(_keys(new, _EXPERIMENT))
    rows = [*_NAMED, "evaluation"]
    replaced = same
    if add_rows:
        replaced = same & _keys(old, rows).isin(_keys(new, rows)) & ~_joined(old, new, rows)
    kept = old[same & ~replaced]
    known = _keys(new, [*_EXPERIMENT, "fingerprint"])
    other = kept[~_keys(kept, [*_EXPERIMENT, "fingerprint"]).isin(known)]
    if len(other):
        raise RecordError(
            f"Published rows of {other['experiment'].iloc[0]} are of other data of the name "
            f"{other['dataset'].iloc[0]}; rows cannot be added to them."
        )
    lost = old[replaced & ~_keys(old, _ROW).isin(_keys(new, _ROW))].drop_duplicates(_ROW)
    if len(lost) and not drop_rows:
        first = lost.iloc[0]
        raise RecordError(
            f"{run_dir} lacks {len(lost)} published trainings, for instance {first['experiment']}: "
            f"{first['variant']} ({first['protocol']}), seed {first['seed']}; "
            "finish the experiment, or give --drop-rows."
        )
    unfinished = unfinished_runs(run_dir)
    if len(unfinished) and not drop_rows:
        raise RecordError(
            f"{run_dir} lacks {unfinished.sum()} trainings that it began, "
            f"for instance of {unfinished.index[0]}; "
            "finish the experiment, or give --drop-rows."
        )
    return pd.concat([old[~replaced], new], ignore_index=True)


def _joined(old: pd.DataFrame, new: pd.DataFrame, rows: list[str]) -> pd.Series:
    """Of which published records the rows get more seeds: their settings are the same, and their
    seeds all others."""
    settings = [*rows, "config"]
    alike = _keys(old, settings).isin(_keys(new, settings))
    again = old[_keys(old, _ROW).isin(_keys(new, _ROW))]
    return alike & ~_keys(old, rows).isin(_keys(again, rows))


def agreement(records: pd.DataFrame, others: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """What two runs measured with the same settings, data, features and seeds, row by row.

    Equal seeds give equal numbers on one machine; on another one, sums are rounded otherwise and
    trainings drift apart.

    Returns:
        experiment, dataset, content, variant, protocol, evaluation, metric; seeds in common; mean
        of the others and of the records over these seeds; ``largest``, the largest difference of a
        seed; ``spread``, the standard deviation of the others over the seeds (NaN for one).
    """
    keys = [*_NAMED, "config", "seed", "metric"]
    pairs = others[others["metric"].isin(metrics)].merge(records, on=keys, suffixes=("_other", ""))
    # a training is not compared with itself
    pairs = pairs[pairs["seconds"] != pairs["seconds_other"]]
    pairs = pairs.assign(away=(pairs["value"] - pairs["value_other"]).abs())
    rows = pairs.groupby([*_NAMED, "evaluation", "metric"], sort=False)
    return rows.agg(
        seeds=("seed", "size"), others=("value_other", "mean"), ours=("value", "mean"),
        largest=("away", "max"), spread=("value_other", "std"),
    ).reset_index()  # fmt: skip


def agreement_sentence(table: pd.DataFrame, metric: str) -> str:
    """How far apart two runs of the same settings and seeds are, beside the spread over seeds."""
    rows = table[table["metric"] == metric]
    farthest, means = rows.loc[rows["largest"].idxmax()], (rows["ours"] - rows["others"]).abs()
    return (
        f"{metric_name(metric)}: "
        f"{(rows['largest'] == 0).sum()} of {len(rows)} rows are the same in both; "
        f"largest difference of a seed {farthest['largest']:.4f} ({farthest['variant']}), "
        f"of a mean {means.max():.4f}; "
        f"median standard deviation over seeds {rows['spread'].median():.4f}."
    )


def _keys(records: pd.DataFrame, columns: list[str]) -> pd.Index:
    return pd.MultiIndex.from_frame(records[columns])


def _with_earlier(noted: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """The new manifest with the encoders and notebook times of the earlier one, and its environment
    if it differs."""
    encoders = {note["key"]: note for note in (*earlier["encoders"], *noted["encoders"])}
    times = earlier["notebook_seconds"] | noted["notebook_seconds"]
    environments = list(earlier.get("earlier_environments", []))
    then, now = ({name: each[name] for name in _ENVIRONMENT} for each in (earlier, noted))
    if then != now:
        environments.append(then | {"written_at_commit": earlier["code"]["written_at_commit"]})
    return noted | {
        "encoders": list(encoders.values()),
        "notebook_seconds": times,
        "earlier_environments": environments,
    }
