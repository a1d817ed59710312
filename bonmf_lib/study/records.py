"""Records: one row per measured number. Reports and tables are made from these rows only."""

import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

import bonmf_lib

from ..datasets import Dataset
from ..errors import RecordError
from ..storage import file_sha256, json_sha256, project_root, write_text


@dataclass(frozen=True)
class Record:
    """One number and everything that says where it comes from.

    Attributes:
        experiment: the notebook that asked for it, for instance ``03_model_training``.
        variant: the row's name in tables; claims refer to it.
        protocol: how it was trained: ``as published``, ``early stopped`` or ``tuned``.
        model: registered model name.
        dataset, fingerprint, content: which ratings, and what their items carry.
        split: the rule that split them.
        test_share: test ratings per rating, needed for intervals.
        config: hash over all settings, data and features.
        seed: of split, initial weights and batches.
        metric, value: value is in rating units (mae, rmse), squared rating units (mse) or a share.
        seconds: training time of the run the number comes from.
        device: what computed it.
        code: hash of the library's sources.
    """

    experiment: str
    variant: str
    protocol: str
    model: str
    dataset: str
    fingerprint: str
    content: str
    split: str
    test_share: float
    config: str
    seed: int
    metric: str
    value: float
    seconds: float
    device: str
    code: str


COLUMNS = [field.name for field in fields(Record)]
_RUN_COLUMNS = [name for name in COLUMNS if name not in ("metric", "value")]
SCHEMA = pa.DataFrameSchema(
    {
        field.name: pa.Column({str: "str", int: "int64", float: "float64"}[field.type], coerce=True, nullable=False)
        for field in fields(Record)
    },
    strict=True,
    unique=["experiment", "dataset", "content", "variant", "protocol", "seed", "metric"],
)


@cache
def code_version() -> str:
    """12 hex digits over the library's Python sources: equal sources, equal version."""
    folder = Path(bonmf_lib.__file__).parent
    sources = {str(path.relative_to(folder)): file_sha256(path) for path in sorted(folder.rglob("*.py"))}
    return json_sha256(sources)[:12]


def _file(run_dir: Path, experiment: str, config: str, seed: int) -> Path:
    return run_dir / "records" / experiment / f"{config}-{seed}.csv"


def is_recorded(run_dir: Path, experiment: str, config: str, seed: int) -> bool:
    """Whether that run finished before. ``BONMF_FRESH=1`` answers no, so that everything is run again."""
    return not fresh_wanted() and _file(run_dir, experiment, config, seed).is_file()


def fresh_wanted() -> bool:
    """Whether ``BONMF_FRESH=1`` asks to measure again what is recorded or half-trained."""
    return os.environ.get("BONMF_FRESH") == "1"


def mark_current(run_dir: Path, experiment: str, dataset: Dataset, configs: list[str], seeds: Sequence[int]) -> None:
    """Note which settings and seeds an experiment now has on a data set: records of earlier ones are kept but not
    read, so that two settings are never pooled into one row."""
    text = json.dumps({"configs": configs, "seeds": list(seeds)}, indent=2)
    write_text(run_dir / "current" / notes_name(experiment, dataset), text)


def notes_name(experiment: str, dataset: Dataset) -> str:
    """File name of what is noted of an experiment on a data set."""
    return f"{experiment}--{dataset.name.replace(':', '-')}-{dataset.content}.json"


def add_records(run_dir: Path, records: list[Record]) -> None:
    """Keep all records of one finished run (one experiment, config and seed) in one step."""
    keys = {(record.experiment, record.config, record.seed) for record in records}
    if len(keys) != 1:
        raise RecordError(f"add_records takes one run at a time, got {len(keys)}.")
    table = check_records(pd.DataFrame([asdict(record) for record in records]), "new records")
    write_text(_file(run_dir, *keys.pop()), table.to_csv(index=False, float_format="%.10g"))


def read_records(run_dir: Path) -> pd.DataFrame:
    """The current records of a run folder, sorted; empty when there are none. A published one has them in one file, as
    :func:`gathered` writes it.

    Raises:
        RecordError: a file is malformed, or two settings stand behind one number.
    """
    files = _current_files(run_dir) or list(run_dir.glob("records.csv"))
    tables = []
    for file in files:
        try:
            tables.append(_one_row_per_number(pd.read_csv(io.StringIO(file.read_text(encoding="utf-8")))))
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise RecordError(f"{file}: is no record table ({error}); delete it and run again.") from error
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    order = ["dataset", "content", "experiment", "variant", "protocol", "seed", "metric"]
    try:
        records = check_records(pd.concat(tables, ignore_index=True), str(run_dir))
    except RecordError:
        for file, table in zip(files, tables, strict=True):
            check_records(table, str(file))  # names the file, if it is one file's fault
        raise
    return records.sort_values(order, ignore_index=True)


def gathered(records: pd.DataFrame) -> str:
    """Records as CSV with one row per run (experiment, settings and seed) and one column per metric: what says where
    the numbers come from stands there once, in a tenth of the size."""
    wide = records.pivot(index=_RUN_COLUMNS, columns="metric", values="value")  # noqa: PD010 (two values for one number must fail)
    return wide.reset_index().to_csv(index=False, float_format="%.10g")


def _one_row_per_number(table: pd.DataFrame) -> pd.DataFrame:
    if "metric" in table or not set(_RUN_COLUMNS) <= set(table.columns):
        return table
    return table.melt(_RUN_COLUMNS, var_name="metric").dropna(subset="value", ignore_index=True)


def _current_files(run_dir: Path) -> list[Path]:
    files = sorted((run_dir / "records").rglob("*.csv"))
    notes = list((run_dir / "current").glob("*.json"))
    if not notes:
        return files
    wanted = set()
    for path in notes:
        experiment, note = path.name.partition("--")[0], json.loads(path.read_text(encoding="utf-8"))
        wanted |= {(experiment, f"{config}-{seed}.csv") for config in note["configs"] for seed in note["seeds"]}
    return [file for file in files if (file.parent.name, file.name) in wanted]


def published_dir() -> Path:
    """Folder of the records that took long and are committed."""
    return project_root() / "papermill_runs" / "published"


def read_published() -> pd.DataFrame:
    """Records of all committed runs."""
    tables = [read_records(folder) for folder in sorted(published_dir().glob("*/")) if folder.is_dir()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def keep_table(run_dir: Path, name: str, table: pd.DataFrame) -> None:
    """Keep a table that explains the records (trials of searches, readings of a metric), to be published with them."""
    write_text(run_dir / "tables" / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))


def published_table(run: str, name: str) -> pd.DataFrame:
    """A table kept with a published run; ``RecordError`` when there is none."""
    path = published_dir() / run / "tables" / f"{name}.csv"
    if not path.is_file():
        raise RecordError(f"The published run {run!r} has no table {name!r}.")
    return pd.read_csv(path)


def published_manifests() -> pd.DataFrame:
    """Key facts of every published run's manifest, one column per run; empty when nothing is published."""
    columns = {}
    for path in sorted(published_dir().glob("*/manifest.json")):
        noted = json.loads(path.read_text(encoding="utf-8"))
        columns[path.parent.name] = {
            "library version behind the records": ", ".join(noted["code"]["libraries_behind_records"]),
            "gathered at commit": noted["code"]["written_at_commit"][:12],
            "device": ", ".join(noted["device"]),
            "cores": noted["cores"],
            "PyTorch": noted["packages"]["torch"],
            "data": ", ".join(f"{d['dataset']} ({d['content']}) {d['fingerprint'][:12]}" for d in noted["data"]),
            "encoders": ", ".join(f"{e['encoder']} {e['version'][:12]}" for e in noted["encoders"]),
            "records": noted["records"],
            "training, hours": round(noted["training_seconds"] / 3600, 2),
        }
    return pd.DataFrame(columns).rename_axis("fact")


def check_records(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with typed columns; ``RecordError`` names the source and the first thing wrong."""
    try:
        return SCHEMA.validate(table, lazy=True)[COLUMNS]
    except pa.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        raise RecordError(
            f"{source}: {first['column'] or 'table'} fails {first['check']} (at {first['failure_case']!r})."
        ) from None
