"""Shapley values of inputs whose content tells nothing of its item, to stand beside those of the
real ones."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..encoders.features import MODALITIES
from ..evaluation.shapley import shapley_table
from ..runs.records import interval_share
from ..runs.variant import Variant
from .tables import by_subset


def control_shares(
    records: pd.DataFrame,
    controls: pd.DataFrame,
    subsets: Mapping[frozenset[str], Variant],
    metric: str,
) -> pd.DataFrame | None:
    """:func:`~bonmf_lib.evaluation.shapley.shapley_table` where every subset that reads content
    reads that of a control, on the seeds that all of them have; None where there is none.

    Args:
        records: of every subset. controls: of the same on other items' content, named ``<row>,
            shuffled``.
        subsets: row by subset, of :func:`bonmf_lib.experiments.ablations.modality_rows`.
    """
    named = {
        subset: replace(row, name=f"{row.name}, shuffled") if _reads_content(row) else row
        for subset, row in subsets.items()
    }
    wanted = {row.name for row in named.values()}
    both = pd.concat([records, controls], ignore_index=True) if len(controls) else records
    own = both[(both["metric"] == metric) & both["variant"].isin(wanted)]
    complete = own.groupby("seed")["variant"].nunique() == len(wanted)
    seeds = complete.index[complete]
    if not len(seeds):
        return None
    both = both[both["seed"].isin(seeds)]
    return shapley_table(by_subset(both, named, metric), interval_share(both))


def _reads_content(row: Variant) -> bool:
    return any(row.uses(modality) for modality in MODALITIES)
