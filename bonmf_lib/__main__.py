"""``python -m bonmf_lib``: the ledger on the terminal; shares of long runs; a run's manifest, its
publication, and how well it agrees with what is published."""

import argparse
import re
import sys
from pathlib import Path

import pandas as pd

from .claims.ledger import ledger, readable, verdict_counts
from .config import make_config
from .errors import BonmfError, ConfigError
from .experiments.registry import asked
from .report.conclusions import measured
from .report.headline import FIGURE, answer_block, draw, table_block, with_answers
from .report.published import read_published_run
from .runs.manifest import write_manifest
from .runs.profiles import pipeline_run
from .runs.publication import agreement, publish
from .runs.records import read_published, read_records
from .runs.run import NotebookParameters, Run
from .runs.runner import train_share
from .storage import project_root, write_text


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bonmf_lib", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser(
        "ledger", help="claims, the papers' numbers, ours with interval, verdicts"
    )
    show.add_argument(
        "--records", type=Path, help="a run folder; without it the published records are read"
    )
    show.add_argument("--format", choices=("table", "json"), default="table")
    show.add_argument(
        "--all", action="store_true", help="also list the claims that were not run (table)"
    )
    manifest = commands.add_parser(
        "manifest", help="write manifest.json and records.csv into a run folder"
    )
    manifest.add_argument("run_dir", type=Path)
    published = commands.add_parser(
        "publish", help="add a run's records, manifest and tables to the published ones"
    )
    published.add_argument("run_dir", type=Path)
    published.add_argument("name", help="folder below papermill_runs/published")
    published.add_argument(
        "--drop-rows", action="store_true", help="even where published rows are not in the run"
    )
    published.add_argument("--tables-only", action="store_true", help="its tables, not its records")
    folder = commands.add_parser("folder", help="where a run of the pipeline goes")
    for name in ("profile", "dataset", "content"):
        folder.add_argument(
            f"--{name}", help="as given to make reproduce; without it, as the profile says"
        )
    compare = commands.add_parser(
        "compare", help="a run beside the published records of the same settings and seeds"
    )
    compare.add_argument("run_dir", type=Path)
    compare.add_argument("--metric", default="mse")
    train = commands.add_parser("train", help="train an experiment's rows, or a share of them")
    train.add_argument("experiment", help="for instance 04_table1")
    for name in ("profile", "dataset", "content"):
        train.add_argument(
            f"--{name}", help="as given to make reproduce; without it, as the profile says"
        )
    train.add_argument(
        "--share", default="1/1", help="for instance 3/16: the third of sixteen equal parts"
    )
    train.add_argument("--seeds", type=int, nargs="+", help="instead of the experiment's own")
    headline = commands.add_parser("headline", help="the answer, from the published records")
    headline.add_argument(
        "--write", action="store_true", help="into README and its figure, instead of printing it"
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "manifest":
            write_manifest(options.run_dir)
        elif options.command == "publish":
            print(
                "Published in "
                f"{publish(options.run_dir, options.name, options.drop_rows, options.tables_only)}"
            )
        elif options.command == "folder":
            print(pipeline_run(options.profile, options.dataset, options.content).folder)
        elif options.command == "train":
            print(_train(options))
        elif options.command == "compare":
            print(_comparison_text(options.run_dir, options.metric))
        elif options.command == "headline":
            print(_headline(options.write))
        else:
            print(_ledger_text(options.records, options.format, options.all))
    except BonmfError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _train(options: argparse.Namespace) -> str:
    asked_for = pipeline_run(options.profile, options.dataset, options.content)
    found = re.fullmatch(r"(\d+)/(\d+)", options.share)
    if found is None:
        raise ConfigError(
            f"--share is a part and a number of parts, such as 3/16, got {options.share!r}."
        )
    own = {"profile": asked_for.profile, "dataset": asked_for.dataset, "content": asked_for.content}
    own |= {"run_dir": str(asked_for.folder), "seeds": options.seeds}
    run = Run(make_config(NotebookParameters, own))
    rows, seeds = asked(run, options.experiment, run.settings.seeds if options.seeds else None)
    count = train_share(run, rows, seeds, int(found[1]), int(found[2]))
    return f"{options.experiment}: share {options.share}, {count} trainings, in {asked_for.folder}"


def _headline(write: bool) -> str:
    found, readme = measured(read_published_run()), project_root() / "README.md"
    if not write:
        return f"{answer_block(found)}\n\n{table_block(found)}"
    write_text(readme, with_answers(readme.read_text(encoding="utf-8"), found))
    draw(found, project_root() / FIGURE)
    return f"{readme.name} and {FIGURE} are those of the published records."


def _records_of(run_dir: Path) -> pd.DataFrame:
    if not run_dir.is_dir():
        raise ConfigError(f"{run_dir} is no run folder; give one below papermill_runs/runs.")
    return read_records(run_dir)


def _comparison_text(run_dir: Path, metric: str) -> str:
    found = agreement(_records_of(run_dir), read_published(), [metric])
    if found.empty:
        return (
            f"{run_dir} holds no {metric} that was published with the same settings, data and seed."
        )
    shown = found.rename(columns={"others": "published", "ours": "this run"}).drop(columns="metric")
    return shown.to_string(index=False, float_format="{:.4f}".format)


def _ledger_text(run_dir: Path | None, style: str, everything: bool) -> str:
    table = ledger(read_published() if run_dir is None else _records_of(run_dir))
    if style == "json":
        return table.to_json(orient="records", indent=2)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in verdict_counts(table).items())
    shown = readable(table, everything).drop(columns=["statement", "note"])
    if shown.empty:
        return f"No claim was run yet.\n\n{counts}"
    return f"{shown.to_string(index=False, max_colwidth=70)}\n\n{counts}"


if __name__ == "__main__":
    sys.exit(main())
