"""Whom content helps: recall of a ranker by how often an item was rated in training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..evaluation.ranking import UnseenItems
from ..runs.records import keep_table, table_name
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant

COUNTS = (
    0,
    1,
    5,
    10,
    20,
    50,
)  # training pairs of an item, from which a stratum goes up to the next


KEPT = "recall_by_popularity"  # how the names of kept tables begin


def strata(counts: np.ndarray, starts: Sequence[int] = COUNTS) -> pd.Categorical:
    """The stratum of every item by its training pairs, in order: ``0``, ``1 to 4``, ..., ``50 or
    more``."""
    ends = [*starts[1:], None]
    names = [_span(low, high) for low, high in zip(starts, ends, strict=True)]
    codes = np.searchsorted(starts, counts, side="right") - 1
    return pd.Categorical.from_codes(codes, names, ordered=True)


def _span(low: int, high: int | None) -> str:
    """The counts from ``low`` up to before ``high``, in words."""
    if high is None:
        return f"{low} or more"
    return f"{low}" if high == low + 1 else f"{low} to {high - 1}"


def keep_recall(
    run: Run, experiment: str, rows: Sequence[Variant], seeds: Sequence[int]
) -> pd.DataFrame:
    """:func:`recall_by_popularity`, kept in the run folder as a table of the experiment and its
    data."""
    table = recall_by_popularity(run, rows, seeds)
    keep_table(run.run_dir, table_name(KEPT, experiment, run.dataset), table)
    return table


def recall_by_popularity(
    run: Run, rows: Sequence[Variant], seeds: Sequence[int], k: int = 20
) -> pd.DataFrame:
    """Of the test pairs whose item lies in a stratum, the share that stands among the K best items
    of its user, by trained row and seed.

    Returns:
        columns variant, seed, stratum, pairs (that test), recall; without strata that
        nothing tests.
    """
    data, out = run.dataset, []
    for row in rows:
        for seed in seeds:
            training = Training(run, row, seed)
            train, test = (
                tuple(data.ratings[side].to_numpy()[part] for side in ("user", "item"))
                for part in (training.split.train, training.split.test)
            )
            unseen = UnseenItems(train, test, data.n_users, data.n_items, training.device)
            hits = unseen.hits_by_item(training.model().score_all_items, k)
            counts = np.bincount(train[1], minlength=data.n_items)
            tested = np.bincount(test[1], minlength=data.n_items)
            table = pd.DataFrame({"stratum": strata(counts), "hits": hits, "pairs": tested})
            sums = table.groupby("stratum", observed=True).sum().query("pairs > 0").reset_index()
            sums = sums.assign(recall=sums["hits"] / sums["pairs"], variant=row.name, seed=seed)
            out.append(sums[["variant", "seed", "stratum", "pairs", "recall"]])
    return pd.concat(out, ignore_index=True)
