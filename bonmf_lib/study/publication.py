"""Keep a run for every reader: its records, manifest and tables, beside what earlier runs left in the same folder;
and how well two runs of the same settings agree."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import RecordError
from ..storage import write_text
from .manifest import manifest
from .records import gathered, keep_table, published_dir, read_records

_EXPERIMENT = ["experiment", "dataset", "content"]
_NAMED = [*_EXPERIMENT, "variant", "protocol"]
_ROW = [*_NAMED, "seed"]
REMEASURED = "remeasured"  # table of what a later run measured again, kept when it was published
REMEASURED_METRICS = ("mse", "ndcg@10", "recall@10")
_ENVIRONMENT = ("lock_sha256", "packages", "python", "cores", "threads")


def publish(run_dir: Path, name: str, drop_rows: bool = False, tables_only: bool = False) -> Path:
    """Add a run to ``papermill_runs/published/<name>`` and return that folder.

    An experiment on one data set is replaced whole, since its rows are compared with each other; experiments that
    the run does not hold stay as they are. A table replaces the one of the same name. What both had measured with the
    same settings and seeds is kept side by side in the table ``remeasured``.

    Args:
        drop_rows: even where an experiment then has fewer rows.
        tables_only: leave the published records as they are, for instance beside a run with fewer seeds.

    Raises:
        RecordError: the run has no records, or an experiment would lose rows (unless ``drop_rows``).
    """
    new, folder = read_records(run_dir), published_dir() / name
    if new.empty:
        raise RecordError(f"{run_dir} holds no records to publish; run the notebooks first.")
    old = read_records(folder)
    measured_again = agreement(new, old, REMEASURED_METRICS)
    if not tables_only:
        _publish_records(run_dir, folder, old, new, drop_rows)
    for table in sorted((run_dir / "tables").glob("*.csv")):
        write_text(folder / "tables" / table.name, table.read_text(encoding="utf-8"))
    if len(measured_again):
        keep_table(folder, REMEASURED, measured_again)
    return folder


def _publish_records(run_dir: Path, folder: Path, old: pd.DataFrame, new: pd.DataFrame, drop_rows: bool) -> None:
    replaced = _keys(old, _EXPERIMENT).isin(_keys(new, _EXPERIMENT))
    lost = old[replaced & ~_keys(old, _ROW).isin(_keys(new, _ROW))].drop_duplicates(_ROW)
    if len(lost) and not drop_rows:
        first = lost.iloc[0]
        raise RecordError(
            f"{run_dir} lacks {len(lost)} published trainings, for instance {first['experiment']}: {first['variant']} "
            f"({first['protocol']}), seed {first['seed']}; finish the experiment, or give --drop-rows."
        )
    records = pd.concat([old[~replaced], new], ignore_index=True)
    noted = manifest(run_dir, records)
    if (folder / "manifest.json").is_file():
        noted = _with_earlier(noted, json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
    write_text(folder / "records.csv", gathered(records))
    write_text(folder / "manifest.json", json.dumps(noted, indent=2, sort_keys=True) + "\n")


def agreement(records: pd.DataFrame, others: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """What two runs measured with the same settings, data, features and seeds, row by row.

    Equal seeds give equal numbers on one machine; on another one, sums are rounded otherwise and trainings drift apart.

    Returns:
        experiment, dataset, content, variant, protocol, metric; seeds in common; mean of the others and of the
        records over these seeds; ``largest``, the largest difference of a seed; ``spread``, the standard deviation of
        the others over the seeds (NaN for one).
    """
    keys = [*_NAMED, "config", "seed", "metric"]
    pairs = others[others["metric"].isin(metrics)].merge(records, on=keys, suffixes=("_other", ""))
    pairs = pairs[pairs["seconds"] != pairs["seconds_other"]]  # a training is not compared with itself
    pairs = pairs.assign(away=(pairs["value"] - pairs["value_other"]).abs())
    rows = pairs.groupby([*_NAMED, "metric"], sort=False)
    return rows.agg(
        seeds=("seed", "size"), others=("value_other", "mean"), ours=("value", "mean"), largest=("away", "max"),
        spread=("value_other", "std"),
    ).reset_index()  # fmt: skip


def agreement_sentence(table: pd.DataFrame, metric: str) -> str:
    """How far apart two runs of the same settings and seeds are, beside the spread over seeds."""
    rows = table[table["metric"] == metric]
    farthest, means = rows.loc[rows["largest"].idxmax()], (rows["ours"] - rows["others"]).abs()
    return (
        f"{metric}: {(rows['largest'] == 0).sum()} of {len(rows)} rows are the same in both; largest difference of a "
        f"seed {farthest['largest']:.4f} ({farthest['variant']}), of a mean {means.max():.4f}; median standard "
        f"deviation over seeds {rows['spread'].median():.4f}."
    )


def _keys(records: pd.DataFrame, columns: list[str]) -> pd.Index:
    return pd.MultiIndex.from_frame(records[columns])


def _with_earlier(noted: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """The new manifest with the encoders and notebook times of the earlier one, and its environment if it differs."""
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
