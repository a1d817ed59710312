"""Shapley values of inputs whose content tells nothing of its item, to stand beside those of the
real ones."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from ..evaluation.shapley import shapley_table
from ..runs.records import interval_share
from ..runs.variant import Variant
from .tables import by_subset


def control_shares(
    records: pd.DataFrame,
    controls: pd.DataFrame,
    subsets: Mapping[frozenset[str], Variant],
    metric: str,
    ending: str = "shuffled",
) -> pd.DataFrame | None:
    """:func:`~bonmf_lib.evaluation.shapley.shapley_table` where every subset that reads content
    reads that of a control, on the seeds that the controls have; None without such a control.

    Args:
        records: of every subset. controls: of the same on controls, named ``<row>, <ending>``.
        subsets: row by subset, of :func:`bonmf_lib.experiments.ablations.modality_rows`.

    Raises:
        RecordError: a subset has no row of a seed.
    """
    found = {f"{row.name}, {ending}" for row in subsets.values()} & set(
        controls["variant"] if len(controls) else ()
    )
    if not found:
        return None
    both = pd.concat([records, controls[controls["variant"].isin(found)]], ignore_index=True)
    both = both[both["seed"].isin(controls["seed"].unique())]
    named = {
        subset: replace(row, name=control) if (control := f"{row.name}, {ending}") in found else row
        for subset, row in subsets.items()
    }
    return shapley_table(by_subset(both, named, metric), interval_share(both))
