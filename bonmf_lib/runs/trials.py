"""The trials of searches, as a table that is kept and published beside the records."""

import json
from collections.abc import Sequence

import pandas as pd

from .records import keep_table, table_name
from .run import Run
from .training import Training
from .variant import Variant

COLUMNS = ["variant", "seed", "number", "params", "state", "value", "best_epoch", "seconds"]


def read_trials(run: Run, variants: Sequence[Variant], seeds: Sequence[int]) -> pd.DataFrame:
    """All trials of the rows' finished searches: one row per variant, seed of the search and trial;
    ``params`` is JSON."""
    trainings = [
        Training(run, variant, seed) for variant in variants if variant.search for seed in seeds
    ]
    searched = {(one.variant.name, one.searched.key): one.searched for one in trainings}
    rows = [
        {"variant": one.variant.name, "seed": one.seed, **trial}
        | {"params": json.dumps(trial["params"])}
        for one in searched.values()
        for trial in one.trials()
    ]
    return pd.DataFrame(rows or [], columns=None if rows else COLUMNS).drop(
        columns="curve", errors="ignore"
    )


def keep_trials(
    run: Run, experiment: str, variants: Sequence[Variant], seeds: Sequence[int]
) -> pd.DataFrame:
    """The same, kept in the run folder as a table of the experiment and its data."""
    trials = read_trials(run, variants, seeds)
    keep_table(run.run_dir, table_name("trials", experiment, run.dataset), trials)
    return trials
