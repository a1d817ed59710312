"""Texts that people wrote with their ratings. As an item's text they would tell a model the ratings
that it is tested on, so they are not read as such.

``reviews = "column"`` in ``dataset.toml`` reads those of a fifth of the ratings, chosen by a hash
of user and item whatever the seed. These ratings are left out: no split can test them, and no
rating that is left has its words in a text.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from ..errors import DatasetError
from .columns import plain
from .tables import empty

SHARE = 0.2  # of the ratings with a review
_PAIR = ["user", "item"]
_MEANS = {
    "rating", "ratings", "stars", "score", "averagerating", "avgrating", "ratingaverage",
    "meanrating", "averagescore", "meanscore", "avgscore", "reviewscore",
}  # fmt: skip
_NAMES = {"review", "reviewtext", "reviewbody", "reviews", "comment", "summary", "reviewsummary"}


def check_no_item_text(columns: Iterable[str], table: pd.DataFrame, settings: Path) -> None:
    """``DatasetError`` where an item's text should be made of a column of reviews of the ratings
    (``table``): one named as reviews usually are."""
    for column in columns:
        if column in table and _usual(column):
            raise DatasetError(
                f"{settings}: {column!r} is of the ratings, and as an item's text would tell the "
                f'tested ones; write reviews = "{column}", which leaves those out that it reads.'
            )


def taken_out(
    table: pd.DataFrame, column: str | None, source: str
) -> tuple[pd.DataFrame, pd.Series | None, pd.DataFrame]:
    """The ratings without those whose reviews are read; these reviews joined for each item, by its
    id, None without a column to read; and users and items of the ratings left out. A usual column
    of reviews that is not named is said.

    Args:
        table: rows of ``ratings.csv`` as text: user, item and others; the index holds their lines.
        column: holds the reviews.
        source: the file's name, for messages.

    Raises:
        DatasetError: no such column, or no review in it.
    """
    if column is None:
        found = [name for name in table if _usual(name)]
        if found:
            warnings.warn(
                f"{source}: {found[0]!r} is not read: what people write with a rating tells it, "
                f'also when it is tested. reviews = "{found[0]}" in dataset.toml reads a fifth and '
                "leaves their ratings out.",
                stacklevel=2,
            )
        return table, None, table.loc[[], _PAIR]
    if column not in table:
        raise DatasetError(
            f"{source}: has no column {column!r}, which dataset.toml names as reviews; "
            f"it names {', '.join(table.columns)[:300]}."
        )
    ids = table[_PAIR].apply(lambda column: column.str.strip())
    pair = ids["user"] + "\0" + ids["item"]
    drawn = pd.util.hash_pandas_object(pair, index=False).to_numpy() < SHARE * 2.0**64
    read = drawn & ~empty(table[column]).to_numpy()
    if not read.any():
        raise DatasetError(f"{source}: {column!r} holds no reviews that could be read; drop it.")
    texts = table.loc[read, column].str.strip()
    texts = texts.groupby(ids.loc[read, "item"], sort=False).agg(" ".join)
    warnings.warn(
        f"{source}: the reviews of {read.sum():,} ratings are read as texts of {len(texts):,} "
        "items, and these ratings are left out.",
        stacklevel=2,
    )
    return table[~read], texts, ids[read]


def tells_ratings(column: str) -> bool:
    """Whether a column of items is named as reviews or means of ratings usually are, which would
    tell the tested ratings. A summary of an item is none."""
    name = plain(column)
    return name in _NAMES - {"summary"} or name in _MEANS


def _usual(column: str) -> bool:
    return plain(column) in _NAMES
