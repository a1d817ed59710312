"""Which columns of ``items.csv`` make the texts of its items, and what of their cells."""

import html
import re
import warnings
from pathlib import Path

import pandas as pd

from ..errors import DatasetError
from .cells import unknown
from .kinds import kind
from .lists import names_in, without_lists
from .reviews import Reviews, tells_ratings
from .settings import NAME, FolderSettings

# left out of the texts with a word; numbers alone without
_SAID = ("links", "codes", "tells ratings")
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|br|center|cite|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|s"
    r"|script|small|span|strong|style|sub|sup|table|tbody|td|th|thead|tr|u|ul)\b[^<>]*>"
    r"|<!--[^<>]*>",
    re.IGNORECASE,
)
_NO_TEXT = {"item", "id", "title", "year", "image", "image_source", "mal_id"}


def plain_text(text: str) -> str:
    """Text without the tags of a web page, and with the signs that such pages name."""
    text = html.unescape(text)
    found = _TAG.sub(" ", text)
    return text if found == text else " ".join(found.split())


def are_words(path: Path, titles: pd.Series) -> bool:
    """Whether titles are words; that they are all links or numbers, and no texts, is said."""
    what, _ = kind(titles)
    if what not in ("links", "numbers"):
        return True
    warnings.warn(
        f"{path}: the titles are {what} and no part of the texts; title in {NAME} names another "
        "column.",
        stacklevel=3,
    )
    return False


def text_parts(
    path: Path,
    table: pd.DataFrame,
    ids: pd.Series,
    called: dict[str, str],
    settings: FolderSettings,
    reviews: Reviews,
) -> pd.DataFrame:
    """The parts of the items' texts besides their titles, a column each: those that the settings
    name, or else those that hold words; "" where nothing is known.

    Args:
        table: all cells as text; the index holds their lines. ids: of the items, in its order.
        called: what the file's columns are called here. reviews: what people wrote with ratings.

    Raises:
        DatasetError: a named column is not there, or holds what people wrote with their ratings.
    """
    if settings.text_columns is None:
        candidates = [column for column in table if column not in _NO_TEXT]
        told = table[candidates].apply(lambda column: without_lists(path, column))
        parts = told[_words(path, told.set_index(ids), settings, reviews)]
    else:
        chosen = {name: called.get(name, name) for name in settings.text_columns}
        _check_named(path, chosen, table.set_index(ids), [*filter(None, called)], reviews)
        # tables without names in them stay as they are written
        parts = table[[*chosen.values()]].map(_joined)
    return parts.apply(
        lambda column: column.str.replace("|", ", ").str.strip().mask(unknown(column), "")
    )


def _check_named(
    path: Path, chosen: dict[str, str], table: pd.DataFrame, header: list[str], reviews: Reviews
) -> None:
    """The columns that the settings name are in the table by items' ids (``chosen``: what they are
    called there), and hold nothing that people wrote with their ratings; that one of them may be
    made of ratings is said."""
    for name, column in chosen.items():
        if column not in table:
            raise DatasetError(
                f"{path.parent / NAME}: text column {name!r} is not in items.csv, which "
                f"names {', '.join(header)[:300]}."
            )
        if (of := reviews.held_by(table[column])) is not None:
            raise DatasetError(
                f"{path.parent / NAME}: text column {name!r} holds what people wrote with "
                f"their ratings, in their column {of!r}, and would tell the tested ones; take "
                "it out."
            )
    if told := [column for column in chosen.values() if tells_ratings(column)]:
        warnings.warn(
            f"{path}: {told[0]!r} is read as text, as {NAME} asks; if it was made of the "
            "ratings, it tells those that are tested.",
            stacklevel=4,
        )


def _joined(cell: str) -> str:
    names = names_in(cell) if cell.lstrip()[:1] in ("[", "{") else None
    return cell if names is None or None in names else "|".join(filter(None, names))


def _words(
    path: Path, table: pd.DataFrame, settings: FolderSettings, reviews: Reviews
) -> list[str]:
    """The columns of a table by items' ids that hold words; what others hold is said."""
    found = {column: kind(table[column], settings.decimal) for column in table}
    kinds = {column: what for column, (what, _) in found.items()}
    kinds |= {
        column: "tells ratings"
        for column, what in kinds.items()
        if what == "words"  # what is none is no text anyway
        and (tells_ratings(column) or reviews.held_by(table[column]) is not None)
    }
    others = [
        f"{column!r} ({what}{_but_for(found[column][1])})"
        for column, what in kinds.items()
        if what in _SAID or len(found[column][1])
    ]
    if others:
        warnings.warn(
            f"{path}: no part of the texts are {', '.join(others)}; text_columns in {NAME} "
            "chooses others.",
            stacklevel=4,
        )
    return [column for column, what in kinds.items() if what == "words"]


def _but_for(odd: pd.Series) -> str:
    return f", but for {len(odd)} cells as {odd.iloc[0][:40]!r}" if len(odd) else ""
