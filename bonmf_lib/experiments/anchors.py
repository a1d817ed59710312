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
from ..runs.runner import run_variants
from ..runs.variant import Variant
from ..splits.rules import KFold, RowShuffle
from . import absent
from .protocols import fixed_epochs, tuned
from .table1 import best_rows, table1_rows

FOLDS = (0, 1, 2, 3, 4)
SHUFFLE_SEEDS = (1234, 2341, 3412, 4123, 1324)  # of the row shuffles of GLocal-K
SURPRISE = "scikit-surprise"
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


def outside_records(run: Run) -> pd.DataFrame:
    """All of it that the run's data allow: folds on both MovieLens sets, shuffled rows on the
    larger one."""
    found = []
    if run.dataset.name in ("ml-100k", "ml-1m"):
        found = [
            surprise_rows(run, "04_surprise", list(ALGORITHMS), folds(run)),
            run_variants(run, "04_folds", fold_rows(run), folds(run)),
        ]
    if run.dataset.name == "ml-1m":
        rows = absent.do_without(run, shuffled_rows(run))
        found.append(run_variants(run, "04_shuffled_rows", rows, SHUFFLE_SEEDS))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def surprise_rows(
    run: Run, experiment: str, names: Sequence[str], seeds: Sequence[int]
) -> pd.DataFrame:
    """scikit-surprise's models with their defaults on some of the five folds; their records.

    Args:
        names: of ``ALGORITHMS``. seeds: which folds.
    """
    data = [run.dataset.fingerprint, *run.dataset.order, run.dataset.content, surprise.__version__]
    configs = {name: config_hash(data, name) for name in names}
    mark_current(run.run_dir, experiment, run.dataset, list(configs.values()), seeds)
    jobs = [
        (run, experiment, name, config, fold)
        for name, config in configs.items()
        for fold in seeds
        if not is_recorded(run.run_dir, experiment, config, fold)
    ]
    for _ in progress(in_parallel(_surprise_row, jobs), f"{experiment}: trainings", len(jobs)):
        pass
    records = read_records(run.run_dir, experiment)
    return records[records["dataset"] == run.dataset.name]


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
