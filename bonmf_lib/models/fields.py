"""Categorical side information of users and items, as the fields that factorisation machines are
made for."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..datasets import Dataset
from ..datasets.levels import kept_levels


def user_fields(dataset: Dataset) -> dict[str, np.ndarray]:
    """Gender, age (in decades) and occupation, one-hot float32 (n_users, levels); fields of which
    nothing is known are left out, unknown rows are zero."""
    users = dataset.users
    ages = (users["age"].astype("Float64") // 10).clip(1, 6)
    columns = {"gender": users["gender"], "age": ages, "occupation": users["occupation"]}
    found = {name: _multi_hot(values.map(_one)) for name, values in columns.items()}
    return {name: rows for name, rows in found.items() if rows.shape[1]}


def item_fields(dataset: Dataset) -> dict[str, np.ndarray]:
    """Genres (several share a weight of 1) and decade of release, float32 (n_items, levels), as
    :func:`user_fields`."""
    items = dataset.items
    decades = items["year"].astype("Float64") // 10
    found = {"genres": _multi_hot(items["genres"]), "decade": _multi_hot(decades.map(_one))}
    return {name: rows for name, rows in found.items() if rows.shape[1]}


def _one(value: object) -> tuple:
    return () if pd.isna(value) else (value,)


def _multi_hot(rows: Iterable[tuple]) -> np.ndarray:
    """Of the levels that are kept (:func:`~bonmf_lib.datasets.levels.kept_levels`)."""
    rows = [row if isinstance(row, tuple) else () for row in rows]
    levels = {level: place for place, level in enumerate(kept_levels(rows))}
    out = np.zeros((len(rows), len(levels)), np.float32)
    for place, row in enumerate(rows):
        kept = [levels[level] for level in row if level in levels]
        out[place, kept] = 1 / max(len(kept), 1)
    return out
