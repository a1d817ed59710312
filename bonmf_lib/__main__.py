"""``python -m bonmf_lib``: the ledger on the terminal; shares of long runs; a run's manifest, its
publication, and how well it agrees with what is published.

Every command imports what it needs when it is called, so that help and wrong arguments need not
wait for it.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BonmfError, ConfigError

if TYPE_CHECKING:
    import pandas as pd


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except BonmfError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bonmf_lib",
        description=(__doc__ or "").partition("\n\n")[0].replace("``", ""),
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    show = commands.add_parser(
        "ledger", help="claims, the papers' numbers, ours with interval, verdicts"
    )
    show.set_defaults(command=_ledger)
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
    manifest.set_defaults(command=_manifest)
    manifest.add_argument("run_dir", type=Path)
    published = commands.add_parser(
        "publish", help="add a run's records, manifest and tables to the published ones"
    )
    published.set_defaults(command=_publish)
    published.add_argument("run_dir", type=Path)
    published.add_argument("name", help="folder below papermill_runs/published")
    published.add_argument(
        "--drop-rows", action="store_true", help="even where published rows are not in the run"
    )
    published.add_argument("--tables-only", action="store_true", help="its tables, not its records")
    published.add_argument(
        "--add-rows",
        action="store_true",
        help="keep published rows, and seeds of rows, that the run does not hold",
    )
    published.add_argument(
        "--withdraw", action="append", default=[], metavar="ROW",
        help="but not this one, which is called otherwise now",
    )  # fmt: skip
    folder = commands.add_parser("folder", help="where a run of the pipeline goes")
    folder.set_defaults(command=_folder)
    _add_choices(folder)
    compare = commands.add_parser(
        "compare", help="a run beside the published records of the same settings and seeds"
    )
    compare.set_defaults(command=_compare)
    compare.add_argument("run_dir", type=Path)
    compare.add_argument("--metric", default="mse")
    train = commands.add_parser("train", help="train an experiment's rows, or a share of them")
    train.set_defaults(command=_train)
    train.add_argument("experiment", help="for instance 04_table1")
    _add_choices(train)
    train.add_argument(
        "--share", default="1/1", help="for instance 3/16: the third of sixteen equal parts"
    )
    train.add_argument("--seeds", type=int, nargs="+", help="instead of the experiment's own")
    audit = commands.add_parser(
        "audit", help="what texts and pictures are worth on a catalogue of your own"
    )
    audit.set_defaults(command=_audit)
    audit.add_argument("data", help="a folder with ratings.csv and items.csv, or a known name")
    audit.add_argument("--out", help="the run folder, to which report and files go")
    audit.add_argument("--content", help="full (default), or packaged: drawn title cards")
    audit.add_argument("--seed", type=int, default=0, help="deals folds and draws anew")
    predict = commands.add_parser(
        "predict", help="what an audit's model recommends to a user, without training"
    )
    predict.set_defaults(command=_predict)
    predict.add_argument("run_dir", type=Path, help="the run folder of an audit")
    predict.add_argument("--user", required=True, help="as ratings.csv has it")
    predict.add_argument("--items", nargs="+", help="score these, as items.csv has them")
    predict.add_argument("--top", type=int, default=10, help="else so many that were not rated")
    headline = commands.add_parser("headline", help="the answer, from the published records")
    headline.add_argument(
        "--write", action="store_true", help="into README and its figure, instead of printing it"
    )
    headline.set_defaults(command=_headline)
    return parser


def _add_choices(command: argparse.ArgumentParser) -> None:
    for name in ("profile", "dataset", "content"):
        command.add_argument(
            f"--{name}", help="as given to make reproduce; without it, as the profile says"
        )


def _manifest(options: argparse.Namespace) -> None:
    from .runs.manifest import write_manifest

    write_manifest(options.run_dir)


def _publish(options: argparse.Namespace) -> None:
    from .runs.publication import publish

    folder = publish(
        options.run_dir,
        options.name,
        options.drop_rows,
        options.tables_only,
        options.add_rows,
        options.withdraw,
    )
    print(f"Published in {folder}")


def _folder(options: argparse.Namespace) -> None:
    from .runs.profiles import pipeline_run

    print(pipeline_run(options.profile, options.dataset, options.content).folder)


def _headline(options: argparse.Namespace) -> None:
    from .report import headline
    from .report.measured import measured
    from .report.published import read_published_run
    from .storage import project_root, write_text

    found, root = measured(read_published_run()), project_root()
    if not options.write:
        print(f"{headline.answer_block(found)}\n\n{headline.table_block(found)}")
        return
    readme = root / "README.md"
    write_text(readme, headline.with_answers(readme.read_text(encoding="utf-8"), found))
    headline.draw(found, root / headline.FIGURE)
    print(f"{readme.name} and {headline.FIGURE} show the published records.")


def _train(options: argparse.Namespace) -> None:
    from .config import make_config
    from .experiments.registry import train
    from .runs.profiles import pipeline_run
    from .runs.run import NotebookParameters, Run

    asked_for = pipeline_run(options.profile, options.dataset, options.content)
    found = re.fullmatch(r"(\d+)/(\d+)", options.share)
    if found is None:
        raise ConfigError(
            f"--share is a part and a number of parts, such as 3/16, got {options.share!r}."
        )
    own = {"profile": asked_for.profile, "dataset": asked_for.dataset, "content": asked_for.content}
    own |= {"run_dir": str(asked_for.folder), "seeds": options.seeds}
    run = Run(make_config(NotebookParameters, own))
    seeds = run.settings.seeds if options.seeds else None
    count = train(run, options.experiment, seeds, int(found[1]), int(found[2]))
    share = f"share {options.share}, {count} trainings"
    print(f"{options.experiment}: {share}, in {asked_for.folder}")


def _compare(options: argparse.Namespace) -> None:
    from .runs.publication import agreement
    from .runs.records import read_published

    ours = _records_of(options.run_dir)
    found = agreement(ours, read_published(), [options.metric])
    if found.empty:
        print(
            f"{options.run_dir} holds no {options.metric} that was published with the same "
            "settings, data and seed."
        )
        return
    shown = found.rename(columns={"others": "published", "ours": "this run"}).drop(columns="metric")
    print(shown.to_string(index=False, float_format="{:.4f}".format))


def _audit(options: argparse.Namespace) -> None:
    from .audit.command import asked, audit

    report = audit(asked(options.data, options.out, options.content, options.seed))
    print(f"Report: {report}")


def _predict(options: argparse.Namespace) -> None:
    from .audit.command import predicted
    from .audit.files import IDS
    from .runs.table_files import csv_text

    found = predicted(options.run_dir, options.user, options.items, options.top)
    print(csv_text(found, "%.4f", IDS), end="")


def _ledger(options: argparse.Namespace) -> None:
    from .claims.across_users import kept_across_users, published_across_users
    from .claims.ledger import ledger, ledger_text
    from .report.terminal import print_ledger
    from .runs.records import read_published

    run_dir = options.records
    table = (
        ledger(read_published(), published_across_users(), growing=True)
        if run_dir is None
        else ledger(_records_of(run_dir), kept_across_users(run_dir))
    )
    if options.format == "json":
        print(table.to_json(orient="records", indent=2))
    elif sys.stdout.isatty():
        print_ledger(table, options.all)
    else:
        print(ledger_text(table, options.all))


def _records_of(run_dir: Path) -> "pd.DataFrame":
    from .runs.records import read_records

    if not run_dir.is_dir():
        raise ConfigError(f"{run_dir} is no run folder; give one below papermill_runs/runs.")
    return read_records(run_dir)


if __name__ == "__main__":
    sys.exit(main())
