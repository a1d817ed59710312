"""Records: one row per measured number. Reports and tables are made from these rows only."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

import bonmf_lib

from ..datasets import Dataset
from ..errors import DamagedError, RecordError
from ..evaluation.rules import FULL_RANKING, RATED_ITEMS
from ..integrity import json_text, read_json, read_sealed_text, sealed_text
from ..splits.rules import resampling_share
from ..storage import file_sha256, json_sha256, keep_text, project_root, write_text
from .table_files import csv_text, read_csv_text, read_table, write_table


@dataclass(frozen=True)
class Record:
    """One number and everything that says where it comes from.

    Attributes:
        experiment: the notebook that asked for it, for instance ``03_model_training``.
        variant: the row's name in tables; claims refer to it.
        protocol: how it was trained, such as ``as published`` or ``tuned``.
        model: registered model name.
        dataset, fingerprint, content: which ratings, and what their items carry.
        split: the rule that split them.
        test_share: test ratings per rating that is used.
        evaluation: the rule that its metrics follow (:mod:`~bonmf_lib.evaluation.rules`).
        config: hash over all settings, data and features.
        seed: of split, initial weights and batches.
        metric, value: value is in rating units (mae, rmse), squared rating units (mse), seconds,
            MiB, epochs or bits, as the metric says, else a share.
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
    evaluation: str
    config: str
    seed: int
    metric: str
    value: float
    seconds: float
    device: str
    code: str


COLUMNS = [field.name for field in fields(Record)]
_RUN_COLUMNS = [name for name in COLUMNS if name not in ("metric", "value")]
_TEXTS = [field.name for field in fields(Record) if field.type is str]
_NUMBERS = [name for name in COLUMNS if name not in _TEXTS]
_finite = pa.Check(np.isfinite, error="is a finite number")
_no_column = pa.Check(lambda names: ~names.isin(COLUMNS), error="is not called as a column is")
_CHECKS = {"metric": [_no_column]}
SCHEMA = pa.DataFrameSchema(
    {
        field.name: pa.Column(
            {str: "str", int: "int64", float: "float64"}[field.type],
            checks=_CHECKS.get(field.name, [] if field.type is str else [_finite]),
            coerce=True,
            nullable=False,
        )
        for field in fields(Record)
    },
    strict=True,
    unique=[
        "experiment",
        "dataset",
        "content",
        "variant",
        "protocol",
        "evaluation",
        "seed",
        "metric",
    ],
)


@cache
def code_version() -> str:
    """12 hex digits over the library's Python sources: equal sources, equal version."""
    folder = Path(bonmf_lib.__file__).parent
    sources = {
        str(path.relative_to(folder)): file_sha256(path) for path in sorted(folder.rglob("*.py"))
    }
    return json_sha256(sources)[:12]


def _file(run_dir: Path, experiment: str, config: str, seed: int) -> Path:
    return run_dir / "records" / experiment / f"{config}-{seed}.csv"


def is_recorded(run_dir: Path, experiment: str, config: str, seed: int) -> bool:
    """Whether that run finished before and its file is as it was written. ``BONMF_FRESH=1`` answers
    no, so that everything is run again."""
    path = _file(run_dir, experiment, config, seed)
    if fresh_wanted() or not path.is_file():
        return False
    try:
        read_sealed_text(path)
    except DamagedError:
        return False
    return True


def fresh_wanted() -> bool:
    """Whether ``BONMF_FRESH=1`` asks to measure again what is recorded or half-trained."""
    return os.environ.get("BONMF_FRESH") == "1"


def mark_current(
    run_dir: Path, experiment: str, dataset: Dataset, configs: list[str], seeds: Sequence[int]
) -> None:
    """Note which settings and seeds an experiment now has on a data set: records of earlier ones
    are kept but not read, so that two settings are never pooled into one row."""
    text = json_text({"configs": configs, "seeds": list(seeds)})
    keep_text(run_dir / "current" / notes_name(experiment, dataset), text)


def notes_name(experiment: str, dataset: Dataset) -> str:
    """File name of what is noted of an experiment on a data set."""
    return f"{_stem(experiment, dataset)}.json"


def table_name(kind: str, experiment: str, dataset: Dataset) -> str:
    """What a table of an experiment on a data set is called (:func:`keep_table`)."""
    return f"{kind}--{_stem(experiment, dataset)}"


def _stem(experiment: str, dataset: Dataset) -> str:
    return f"{experiment}--{dataset.name.replace(':', '-')}-{dataset.content}"


def add_records(run_dir: Path, records: list[Record]) -> None:
    """Keep all records of one finished run (one experiment, config and seed) in one step."""
    keys = {(record.experiment, record.config, record.seed) for record in records}
    if len(keys) != 1:
        raise RecordError(f"add_records takes one run at a time, got {len(keys)}.")
    table = pd.DataFrame([asdict(record) for record in records])
    for name in _NUMBERS:  # the rest of the schema is checked when records are read, once for all
        if not np.isfinite(table[name]).all():
            raise RecordError(f"new records: {name} is not a finite number.")
    write_text(_file(run_dir, *keys.pop()), sealed_text(csv_text(table, "%.10g")))


def read_records(run_dir: Path, experiment: str | None = None) -> pd.DataFrame:
    """The current records of a run folder, of all experiments or one, sorted; empty when there are
    none. A published folder has them in one file, as :func:`gathered` writes it.

    Raises:
        RecordError, DamagedError: a file is malformed or not as it was written, or two settings
            stand behind one number.
    """
    files = _current_files(run_dir, experiment or "*")
    texts = [read_sealed_text(file) for file in files]
    if not files and any((run_dir / name).is_file() for name in (RECORDS, MANIFEST)):
        files, texts = [run_dir / RECORDS], [published_text(run_dir, RECORDS)]
    if not files:
        return pd.DataFrame(columns=COLUMNS)
    order = ["dataset", "content", "experiment", "variant", "protocol", "seed", "metric"]
    try:
        tables = [_parsed(text) for text in _joined(texts)]
        records = check_records(pd.concat(tables, ignore_index=True), str(run_dir))
    except (RecordError, *_NO_TABLE):
        for file, text in zip(files, texts, strict=True):
            _check_file(file, text)  # names the file, if it is one file's fault
        raise
    if experiment is not None:
        records = records[records["experiment"] == experiment]
    return records.sort_values(order, ignore_index=True)


_NO_TABLE = pd.errors.ParserError, pd.errors.EmptyDataError


def _joined(texts: Sequence[str]) -> list[str]:
    """Tables with the same columns as one: a thousand small ones take long to parse."""
    rows: dict[str, list[str]] = {}
    for text in texts:
        columns, _, own = text.partition("\n")
        rows.setdefault(columns, []).append(own)
    return [f"{columns}\n{''.join(own)}" for columns, own in rows.items()]


def _parsed(text: str) -> pd.DataFrame:
    return _one_row_per_number(_with_evaluation(read_csv_text(text)))


def _check_file(file: Path, text: str) -> None:
    try:
        check_records(_parsed(text), str(file))
    except _NO_TABLE as error:
        raise RecordError(
            f"{file}: is no record table ({error}); delete it and run again."
        ) from error


def _with_evaluation(table: pd.DataFrame) -> pd.DataFrame:
    """Records that were written before they said how they were evaluated: hit rates were of full
    rankings alone."""
    if "evaluation" in table or not {"config", "seed"} <= set(table.columns):
        return table
    if "metric" in table:
        ranked = (
            (table["metric"] == "hr@10").groupby([table["config"], table["seed"]]).transform("any")
        )
    else:
        ranked = table["hr@10"].notna() if "hr@10" in table else pd.Series(False, table.index)
    return table.assign(evaluation=np.where(ranked, FULL_RANKING.name, RATED_ITEMS.name))


def gathered(records: pd.DataFrame) -> str:
    """Records as CSV with one row per run (experiment, settings and seed) and one column per
    metric: what says where the numbers come from stands there once, in a tenth of the size."""
    wide = records.pivot(index=_RUN_COLUMNS, columns="metric", values="value")  # noqa: PD010 (two values for one number must fail)
    return csv_text(wide.reset_index(), "%.10g")


def _one_row_per_number(table: pd.DataFrame) -> pd.DataFrame:
    """Texts of one column per metric -> texts with one row per number."""
    if "metric" in table or not set(_RUN_COLUMNS) <= set(table.columns):
        return table
    numbers = table.melt(_RUN_COLUMNS, var_name="metric")
    return numbers.dropna(subset="value", ignore_index=True)


def _current_files(run_dir: Path, experiments: str) -> list[Path]:
    files = sorted((run_dir / "records").glob(f"{experiments}/[!.]*.csv"))
    wanted = _wanted(run_dir)
    return (
        files
        if wanted is None
        else [file for file in files if (file.parent.name, file.name) in wanted]
    )


def _wanted(run_dir: Path) -> set[tuple[str, str]] | None:
    """Experiment and file name of every run that is current; None where nothing is noted."""
    notes = sorted((run_dir / "current").glob("[!.]*.json"))
    wanted = set()
    for path in notes:
        experiment, note = path.name.partition("--")[0], read_json(path)
        wanted |= {
            (experiment, f"{config}-{seed}.csv")
            for config in note["configs"]
            for seed in note["seeds"]
        }
    return wanted if notes else None


def unfinished_runs(run_dir: Path) -> pd.Series:
    """How many current runs of each experiment have no records yet; experiments without such are
    left out."""
    wanted = _wanted(run_dir) or set()
    lacking = [
        experiment
        for experiment, name in wanted
        if not (run_dir / "records" / experiment / name).is_file()
    ]
    return pd.Series(lacking, dtype="str").value_counts().sort_index()


def published_dir() -> Path:
    """Folder of the records that took long and are committed."""
    return project_root() / "papermill_runs" / "published"


def read_published() -> pd.DataFrame:
    """Records of all committed runs."""
    tables = [
        read_records(folder) for folder in sorted(published_dir().glob("*/")) if folder.is_dir()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def interval_share(records: pd.DataFrame) -> float:
    """The share that intervals over the records' seeds rest on
    (:func:`~bonmf_lib.splits.rules.resampling_share`); of rows with several rules of splitting, the
    one that gives the widest."""
    recorded = records.groupby("split")[
        "test_share"
    ].mean()  # splits of items differ a little in theirs
    return max(resampling_share(str(rule), float(share)) for rule, share in recorded.items())


def keep_table(run_dir: Path, name: str, table: pd.DataFrame) -> None:
    """Keep a table that explains the records (trials of searches, readings of a metric), to be
    published with them."""
    write_table(table_path(run_dir, name), table)


def kept_table(run_dir: Path, name: str) -> pd.DataFrame:
    """A table of :func:`keep_table`; ``DamagedError`` when it is not as it was written."""
    return read_table(table_path(run_dir, name))


def table_path(run_dir: Path, name: str) -> Path:
    """Where a table of a run folder, or of a published one, is kept."""
    return run_dir / _table_file(name)


def published_table(run: str, name: str) -> pd.DataFrame:
    """A table kept with a published run; ``RecordError`` when there is none, or when it was changed
    or lost since."""
    if not is_table_published(run, name):
        raise RecordError(f"The published run {run!r} has no table {name!r}.")
    folder = published_dir() / run
    text = published_text(folder, _table_file(name))
    return read_csv_text(text, read_json(folder / MANIFEST)["files"][_table_file(name)]["texts"])


def is_table_published(run: str, name: str) -> bool:
    """Whether a published run has a table, by its folder or its manifest; one of them alone is an
    error on reading."""
    folder = published_dir() / run
    manifest = folder / MANIFEST
    known = manifest.is_file() and _table_file(name) in read_json(manifest).get("files", {})
    return known or (folder / _table_file(name)).is_file()


def _table_file(name: str) -> str:
    return f"tables/{name}.csv"


RECORDS, MANIFEST = "records.csv", "manifest.json"  # of a published folder


def published_text(folder: Path, name: str) -> str:
    """The text of a file of a published folder, if it is the one that the folder's manifest
    describes.

    Raises:
        RecordError: it was changed, cut or lost since it was published; names the file and the
        mend.
    """
    path, manifest = folder / name, folder / MANIFEST
    mend = "take the published folder from the repository again (git checkout)"
    if not manifest.is_file():
        raise RecordError(f"{folder} has no {MANIFEST} to check {name} with; {mend}.")
    noted = read_json(manifest).get("files", {}).get(name)
    if noted is None:
        raise RecordError(
            f"{manifest} does not know {name}; {mend}, or publish the run that it belongs to."
        )
    if not path.is_file():
        raise RecordError(f"{path} was published and is not there; {mend}.")
    data = path.read_bytes()
    found = file_note(data)
    if found["sha256"] != noted["sha256"]:
        rows = (
            ""
            if found["rows"] == noted["rows"]
            else f", {found['rows']} rows instead of {noted['rows']}"
        )
        raise RecordError(f"{path} is not what was published{rows}; {mend}.")
    return data.decode()


def file_note(data: bytes, texts: list[str] | None = None) -> dict[str, Any]:
    """What a manifest says of a CSV file:
    checksum, rows and, of a table, which columns hold texts."""
    note = {"sha256": hashlib.sha256(data).hexdigest(), "rows": max(0, data.count(b"\n") - 1)}
    return note if texts is None else note | {"texts": texts}


def published_manifests() -> pd.DataFrame:
    """Key facts of every published run's manifest, one column per run; empty when nothing is
    published."""
    columns = {}
    for path in sorted(published_dir().glob(f"*/{MANIFEST}")):
        noted = read_json(path)
        columns[path.parent.name] = {
            "library version behind the records": ", ".join(
                noted["code"]["libraries_behind_records"]
            ),
            "gathered at commit": noted["code"]["written_at_commit"][:12],
            "device": ", ".join(noted["device"]),
            "cores": noted["cores"],
            "PyTorch": noted["packages"]["torch"],
            "data": ", ".join(
                f"{d['dataset']} ({d['content']}) {d['fingerprint'][:12]}" for d in noted["data"]
            ),
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
            f"{source}: {first['column'] or 'table'} fails {first['check']} "
            f"(at {first['failure_case']!r})."
        ) from None


def comparable(records: pd.DataFrame) -> pd.DataFrame:
    """Records of one data set and one evaluation, since means over several would mean nothing; a
    run that stands in several experiments counts once."""
    found = records[["dataset", "content", "evaluation"]].drop_duplicates()
    if len(found) != 1:
        raise RecordError(
            "This table needs the records of one data set, content and evaluation, "
            f"got {len(found)}."
        )
    return records.drop_duplicates(["variant", "protocol", "seed", "metric"])


def values_by_seed(
    records: pd.DataFrame, metric: str
) -> tuple[dict[tuple[str, str], pd.Series], float]:
    """Values by seed of every row (variant, protocol),
    and the share that their intervals rest on."""
    chosen = comparable(records[records["metric"] == metric])
    rows = chosen.groupby(["variant", "protocol"], sort=False)
    return {key: group.set_index("seed")["value"] for key, group in rows}, interval_share(chosen)
