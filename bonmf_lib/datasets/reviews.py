"""Texts that people wrote with their ratings. As an item's text they would tell a model the ratings
that it is tested on, so they are not read as such.

``reviews = "column"`` in ``dataset.toml`` reads those of a fifth of the ratings, chosen by a hash
of user and item whatever the seed. These ratings are left out: no split can test them, and no
rating that is left has its words in a text.

Reviews are told by what their columns are called, and, in a table of items, by what people wrote
with the ratings beside it.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..errors import DatasetError
from .columns import plain
from .kinds import kind
from .tables import empty

SHARE = 0.2  # of the ratings with a review
_PAIR = ["user", "item"]
_OURS = (*_PAIR, "rating", "timestamp")
_MEANS = {
    "rating", "ratings", "stars", "score", "averagerating", "avgrating", "ratingaverage",
    "meanrating", "averagescore", "meanscore", "avgscore", "reviewscore",
}  # fmt: skip
_NAMES = {"review", "reviewtext", "reviewbody", "reviews", "comment", "summary", "reviewsummary"}
_PART = re.compile(r"(?!preview)\w*(?:review|comment|feedback)(?!er|ed|ar|at)\w*")
_WORD = re.compile(r"[A-Z]*[a-z0-9]+|[A-Z]+")  # of a name: user_reviews, topReview, REVIEW
_OF_NO_TEXT = ("date", "time", "id", "by", "count")
_FIRST_ROWS = 100_000  # of the ratings, which tell what their columns hold
_LONG = 20  # characters that no two texts share by chance
_SHORT = 6  # that two may share, and shorter ones often do
_SHARED = 0.1  # of the items' texts: then they are reviews


@dataclass(frozen=True, eq=False)
class Reviews:
    """What people wrote with their ratings.

    Attributes:
        texts: what is read of it, by the item's id; None = nothing.
        left_out: users and items of the ratings that it was written with.
        written: the columns of other ratings that hold such texts; each by the items' ids, no text
            of several items among them.
    """

    texts: pd.Series | None
    left_out: pd.DataFrame
    written: Mapping[str, pd.Series] = field(default_factory=dict)

    def held_by(self, texts: pd.Series) -> str | None:
        """The column of the ratings that texts of items, by their ids, hold many cells of, whole or
        in part; None = none."""
        for column, written in self.written.items():
            both = pd.DataFrame({"said": written, "text": texts.reindex(written.index)})
            both = both[both["text"].notna() & ~empty(both["text"].fillna(""))]
            shared = [_shared(*pair) for pair in zip(both["said"], both["text"], strict=True)]
            of_item = pd.Series(shared, both.index, dtype=float).groupby(level=0).sum()
            if len(of_item) and (of_item >= 1).mean() >= _SHARED:
                return column
        return None


def _shared(said: str, text: str) -> float:
    """From 1 on what somebody wrote is in the text, or the text in it; a half: it is in it and too
    short to be sure, unless another one is in it, too."""
    said, text = said.strip(), text.strip()
    if said == text or (len(text) >= _LONG and text in said):
        return 1
    if said not in text or len(said) < _SHORT:
        return 0
    return 1 if len(said) >= _LONG else 0.5


def check_no_item_text(columns: Iterable[str], table: pd.DataFrame, settings: Path) -> None:
    """``DatasetError`` where an item's text should be made of a column of reviews of the ratings
    (``table``): one named as reviews usually are."""
    for column in columns:
        if column in table and _usual(column):
            raise DatasetError(
                f"{settings}: {column!r} is of the ratings, and as an item's text would tell the "
                f'tested ones; write reviews = "{column}", which leaves those out that it reads.'
            )


def taken_out(table: pd.DataFrame, column: str | None, source: str) -> tuple[pd.DataFrame, Reviews]:
    """The ratings without those whose reviews are read, and their reviews. A column that is called
    as reviews are and is not named is said.

    Args:
        table: rows of ``ratings.csv`` as text: user, item and others; the index holds their lines.
        column: holds the reviews that are read.
        source: the file's name, for messages.

    Raises:
        DatasetError: no such column, or no review in it.
    """
    if column is None:
        found = [name for name in table if _usual(name) and _holds_words(name, table)]
        if found:
            warnings.warn(
                f"{source}: {found[0]!r} is not read: what people write with a rating tells it, "
                f'also when it is tested. reviews = "{found[0]}" in dataset.toml reads a fifth and '
                "leaves their ratings out.",
                stacklevel=2,
            )
        return table, Reviews(None, table.loc[[], _PAIR], _written(table))
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
    return table[~read], Reviews(texts, ids[read], _written(table[~read]))


def _written(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns of the ratings in which most items with several cells have different ones, as
    :attr:`Reviews.written`; what is told of an item with each of its ratings is no review."""
    table, found = table.head(_FIRST_ROWS), {}
    for column in (name for name in table if name not in _OURS):
        if kind(table[column])[0] != "words":
            continue
        cells = pd.DataFrame({"item": table["item"].str.strip(), "said": table[column]})
        cells = cells[~empty(cells["said"])]
        of_item = cells.groupby("item")["said"].agg(["size", "nunique"])
        several = of_item[of_item["size"] > 1]
        if len(several) and (several["nunique"] > 1).mean() > 0.5:
            cells = cells.drop_duplicates()
            found[column] = cells[~cells["said"].duplicated(keep=False)].set_index("item")["said"]
    return found


def tells_ratings(column: str) -> bool:
    """Whether a column of items is named as reviews or means of ratings usually are, which would
    tell the tested ratings. A summary of an item is none."""
    return plain(column) in _MEANS or (plain(column) != "summary" and _usual(column))


def _usual(column: str) -> bool:
    words = (word.casefold() for word in _WORD.findall(column))
    return plain(column) in _NAMES or any(map(_PART.fullmatch, words))


def _holds_words(column: str, table: pd.DataFrame) -> bool:
    """Whether a column that is called as reviews are holds texts, and no times, ids or counts."""
    if plain(column) in _NAMES:
        return True
    return (
        not plain(column).endswith(_OF_NO_TEXT)
        and kind(table[column].head(_FIRST_ROWS))[0] == "words"
    )
