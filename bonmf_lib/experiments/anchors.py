"""Numbers that other studies print on splits of their own, made again: so that a reader can set
this study's errors beside those of models that are not in it.

* scikit-surprise's README: random five folds, its own defaults; made with scikit-surprise itself,
  and with our models.
* GC-MC, GLocal-K, SparseFC: the first tenth of the shuffled rows of MovieLens-1M tests; ours is
  tuned inside the rest.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import surprise

from ..config import config_hash
from ..evaluation.rating import rating_errors
from ..evaluation.rules import RATED_ITEMS
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.svdpp import SVDppConfig
from ..parallel import in_parallel
from ..progress import progress
from ..runs.records import (
    COLUMNS,
    Record,
    add_records,
    code_version,
    is_recorded,
    mark_current,
    read_records,
)
from ..runs.run import Run
from ..runs.runner import run_variants, share
from ..runs.variant import Variant
from ..splits.rules import KFold, RowShuffle
from . import absent
from .domains import runs_on
from .protocols import fixed_epochs, tuned
from .table1 import best_rows, table1_rows

FOLDS = (0, 1, 2, 3, 4)
SHUFFLE_SEEDS = (1234, 2341, 3412, 4123, 1324)  # of the row shuffles of GLocal-K
MOVIELENS = ("ml-100k", "ml-1m")  # what other studies print numbers of
SURPRISE = "scikit-surprise"
SURPRISE_FOLDS = "04_surprise"  # the experiment of its models
ALGORITHMS = {
    "Biased SVD": surprise.SVD,
    "SVD++": surprise.SVDpp,
    "NMF": surprise.NMF,
    "User + item bias": surprise.BaselineOnly,
}


def folds(run: Run) -> tuple[int, ...]:
    """The first so many of the five as there are seeds of comparisons."""
    return FOLDS[: run.settings.comparison.seeds]


def fold_rows(run: Run) -> list[Variant]:
    """Ours of scikit-surprise's models, as published elsewhere in this study, on the five folds."""
    bias = next(row for row in table1_rows(run) if row.name == "User + item bias")
    rows = [
        fixed_epochs(run, "Biased SVD", "biased-svd", BiasedSVDConfig()),
        fixed_epochs(run, "SVD++", "svd++", SVDppConfig()),
        bias,
    ]
    return [replace(row, name=f"{row.name}, five folds", split=KFold()) for row in rows]


def shuffled_rows(run: Run) -> list[Variant]:
    """Our best rows, tuned inside nine tenths of the shuffled rows."""
    factorisations = [row for row in table1_rows(run) if row.name in ("Biased SVD", "SVD++")]
    rows = [*(tuned(run, row) for row in factorisations), *best_rows(run)]
    return [replace(row, name=f"{row.name}, 90/10", split=RowShuffle()) for row in rows]


def anchor_runs(run: Run) -> dict[str, Run]:
    """The run, where its data are one of the MovieLens sets, and the same on the other one where
    the profile has it among other data (10); by name. What cannot be had is printed."""
    if run.dataset.name not in MOVIELENS:
        return {}
    others = [name for name in run.settings.domains.also_on if name in MOVIELENS]
    runs, lacking = runs_on(run, others)
    for name, why in lacking.items():
        print(f"Without {name}: {why}")
    return runs


def outside_records(run: Run) -> pd.DataFrame:
    """All of it that the run's data allow: folds on the MovieLens sets of :func:`anchor_runs`,
    shuffled rows on the larger one."""
    found = []
    for one in anchor_runs(run).values():
        found += [
            surprise_rows(one, SURPRISE_FOLDS, list(ALGORITHMS), folds(one)),
            run_variants(one, "04_folds", fold_rows(one), folds(one)),
        ]
        if one.dataset.name == "ml-1m":
            rows = absent.do_without(one, shuffled_rows(one))
            found.append(run_variants(one, "04_shuffled_rows", rows, SHUFFLE_SEEDS))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def surprise_config(run: Run, name: str) -> str:
    """The hash of everything that decides the records of one of ``ALGORITHMS``, besides the code
    and the fold."""
    data = [run.dataset.fingerprint, *run.dataset.order, run.dataset.content, surprise.__version__]
    return config_hash(data, name)


def surprise_rows(
    run: Run, experiment: str, names: Sequence[str], seeds: Sequence[int]
) -> pd.DataFrame:
    """scikit-surprise's models with their defaults on some of the five folds; their records.

    Args:
        names: of ``ALGORITHMS``. seeds: which folds.
    """
    configs = [surprise_config(run, name) for name in names]
    mark_current(run.run_dir, experiment, run.dataset, configs, seeds)
    _fit(run, experiment, [(name, fold) for name in names for fold in seeds])
    records = read_records(run.run_dir, experiment)
    return records[records["dataset"] == run.dataset.name]


def surprise_share(run: Run, seeds: Sequence[int], part: int, parts: int) -> int:
    """Fit and record the ``part``-th of so many equal shares of scikit-surprise's models on some of
    the five folds: :func:`outside_records` finds them recorded.

    Returns:
        how many fits the share has, those that were there already included.

    Raises:
        ConfigError: there is no such share.
    """
    asked = share([(name, fold) for name in ALGORITHMS for fold in seeds], part, parts)
    _fit(run, SURPRISE_FOLDS, asked)
    return len(asked)


def _fit(run: Run, experiment: str, asked: Sequence[tuple[str, int]]) -> None:
    """Record each of these models on its fold, unless that is recorded already."""
    jobs = [
        (run, experiment, name, config, fold)
        for name, fold in asked
        if not is_recorded(run.run_dir, experiment, config := surprise_config(run, name), fold)
    ]
    for _ in progress(in_parallel(_surprise_row, jobs), f"{experiment}: trainings", len(jobs)):
        pass


def _surprise_row(run: Run, experiment: str, name: str, config: str, fold: int) -> None:
    split, ratings = run.split(KFold(), fold), run.dataset.ratings
    scale = surprise.Reader(rating_scale=(run.dataset.scale.low, run.dataset.scale.high))
    train = ratings.iloc[split.train][["user", "item", "rating"]]
    random_state = {} if name == "User + item bias" else {"random_state": 0}
    algorithm = ALGORITHMS[name](**random_state, verbose=False)
    started = time.perf_counter()
    algorithm.fit(surprise.Dataset.load_from_df(train, scale).build_full_trainset())
    seconds = time.perf_counter() - started
    test = ratings.iloc[split.test]
    pairs = zip(test["user"].tolist(), test["item"].tolist(), strict=True)
    predicted = np.array([algorithm.predict(user, item).est for user, item in pairs])
    common = {
        "experiment": experiment, "variant": name,
        "protocol": SURPRISE, "model": f"surprise-{name}",
        "dataset": run.dataset.name, "fingerprint": run.dataset.fingerprint,
        "content": run.dataset.content,
        "split": split.rule, "test_share": split.test_share,
        "config": config, "seed": fold, "seconds": seconds,
        "device": "cpu", "code": code_version(), "evaluation": RATED_ITEMS.name,
    }  # fmt: skip
    errors = rating_errors(test["rating"].to_numpy(), predicted)
    add_records(
        run.run_dir,
        [Record(metric=metric, value=value, **common) for metric, value in errors.items()],
    )
