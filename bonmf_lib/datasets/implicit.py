"""Ratings read as implicit feedback: which of them count, and a core in which everybody has
several."""

import math
from dataclasses import replace

import numpy as np

from ..errors import ConfigError, DatasetError
from .dataset import Dataset


def implicit_view(dataset: Dataset, at_least: float | None = None, core: int = 0) -> Dataset:
    """The ratings of a data set that count as positive.

    A data set holds each pair of a user and an item once
    (:func:`~bonmf_lib.datasets.dataset.check_ratings` refuses repeats), so every rating is a pair.

    Args:
        at_least: the lowest rating that counts, on the data's scale; None = every rating counts.
        core: users and items with fewer positives than this are left out, again and again until
            all have as many; 0 keeps all of them, also those without any positive.

    Returns:
        The data set itself where nothing is left out. Else one of another name, with the rows of
        the users and items that are left under new contiguous ids in the old order, with their
        vectors, and without the parts and the neighbours that the data came with. It still knows
        that they rated what does not count.

    Raises:
        ConfigError: a bad ``at_least`` or ``core``. DatasetError: nothing is left.
    """
    if core < 0 or (at_least is not None and not math.isfinite(at_least)):
        raise ConfigError(
            "implicit_view takes a finite rating or None as at_least and 0 or more as core, "
            f"got {at_least!r} and {core!r}."
        )
    ratings = dataset.ratings
    positive = np.ones(len(ratings), bool)
    if at_least is not None:
        positive = ratings["rating"].to_numpy() >= at_least
    rated = {side: ratings[side].to_numpy() for side in ("user", "item")}
    sizes = {"user": dataset.n_users, "item": dataset.n_items}
    rows = _core(rated, sizes, np.flatnonzero(positive), core)
    if not len(rows):
        wanted = "" if at_least is None else f" of at least {at_least:g}"
        raise DatasetError(
            f"{dataset.name}: no rating{wanted} is left"
            + (f" of which every user and item has at least {core}" if core else "")
            + "; ask for less."
        )
    kept = {side: np.arange(sizes[side]) for side in rated}
    if core:
        kept = {side: np.unique(ids[rows]) for side, ids in rated.items()}
    if len(rows) == len(ratings) and all(len(kept[side]) == sizes[side] for side in kept):
        return dataset
    table = ratings.iloc[rows].reset_index(drop=True)
    for side, ids in kept.items():
        table[side] = np.searchsorted(ids, table[side].to_numpy())
    others = np.delete(np.stack([*rated.values()]), rows, axis=1)
    return replace(
        dataset,
        name="+".join(
            [
                dataset.name,
                *([] if at_least is None else [f"from{at_least:g}"]),
                *([f"core{core}"] if core else []),
            ]
        ),
        ratings=table,
        users=dataset.users.iloc[kept["user"]].reset_index(drop=True),
        items=dataset.items.iloc[kept["item"]].reset_index(drop=True),
        given_parts=None,
        vectors={
            modality: vectors if len(kept["item"]) == sizes["item"] else vectors.of(kept["item"])
            for modality, vectors in dataset.vectors.items()
        },
        part_of=(dataset, kept["item"]),
        left_out=pairs_among(np.concatenate([dataset.left_out, others], axis=1), *kept.values()),
    )


def pairs_among(pairs: np.ndarray, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Those of some pairs, (2, N), whose user and item are kept (each sorted), by their places
    among these."""
    fits = np.isin(pairs[0], users) & np.isin(pairs[1], items)
    places = (
        np.searchsorted(kept, ids[fits]) for kept, ids in zip((users, items), pairs, strict=True)
    )
    return np.stack([*places])


def _core(
    rated: dict[str, np.ndarray], sizes: dict[str, int], rows: np.ndarray, core: int
) -> np.ndarray:
    """Those of the rows whose users and items have at least ``core`` of them each."""
    while True:
        enough = np.ones(len(rows), bool)
        for side, ids in rated.items():
            counts = np.bincount(ids[rows], minlength=sizes[side])
            enough &= counts[ids[rows]] >= core
        if enough.all():
            return rows
        rows = rows[enough]
