"""``items.csv`` of a folder: what its items are called, their texts, genres and pictures."""

import html
import re
import warnings
from pathlib import Path

import pandas as pd

from ..errors import DatasetError
from .cards import title_cards
from .cells import ids, unknown, whole_numbers
from .columns import ColumnNames
from .item_pictures import picture_paths
from .item_texts import are_words, plain_text, text_parts
from .levels import warn_of_unread
from .lists import without_lists
from .reviews import Reviews
from .settings import FolderSettings
from .tables import empty, line_of, read_table
from .texts import headline

_YEARS = (-9999, 9999)  # other years count as unknown


def read_items(
    path: Path,
    content: str,
    settings: FolderSettings,
    reviews: Reviews,
    found: set[str],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The items, ids as text, the index the line of each; and the columns that make their texts, by
    their names in the file.

    With ``content="full"`` an item's text is its title and its text columns; where these are empty,
    the title alone. Without a column of titles items are called by their ids, which are no text;
    neither are titles that are all links or numbers.

    Args:
        reviews: what people wrote with the ratings. found: gets the columns that the settings name.

    Raises:
        DatasetError: names the file, the line and the mend.
    """
    naming = ColumnNames("items", ("item", "title"), settings.columns, found)
    called: dict[str, str] = {}  # what the file's columns are called here

    def named(path: Path, header: list[str]) -> list[str]:
        names = naming(path, header)
        called.update(zip(header, names, strict=True))
        return names

    table = read_table(path, ("item",), settings.form, named)
    items = pd.DataFrame({"raw_id": ids(path, table, "item")})
    titled = "title" in table
    items["title"] = table["title"].map(plain_text).astype("str") if titled else items["raw_id"]
    if (untitled := empty(items["title"])).any():
        warnings.warn(
            f"{path}: {untitled.sum()} titles are empty, the first on line {line_of(untitled)}; "
            "these items are called by their ids.",
            stacklevel=2,
        )
        items["title"] = items["title"].mask(untitled, items["raw_id"])
    _warn_of_no_titles(path, items["title"])
    nothing = pd.Series("", index=table.index, dtype="str")
    items["year"] = whole_numbers(
        path, table.get("year", nothing), _YEARS, "years", settings.decimal
    )
    for column in ("genres", "categories"):
        if column in table:
            table[column] = without_lists(path, table[column], genres=True)
            table[column] = table[column].mask(unknown(table[column]), "")
    items["genres"] = [
        tuple(sorted({g.strip() for g in re.split(r"[|,;]", html.unescape(row)) if g.strip()}))
        for row in table.get("genres", table.get("categories", nothing))
    ]
    warn_of_unread(path, items["genres"], "genres", "item")
    if content == "packaged":
        if not titled:
            raise DatasetError(
                f"{path}: packaged content is made of titles, and there is no column title; add "
                "it, or load with content=full."
            )
        items["text"] = headline(items).mask(untitled)  # ids are no texts
        items["image"] = pd.Series(title_cards(items), items.index).mask(untitled)
        return items, ()
    parts = text_parts(path, table, items["raw_id"], called, settings, reviews)
    if reviews.texts is not None:
        parts["reviews"] = items["raw_id"].map(reviews.texts).fillna("").astype("str")
    free_text = pd.Series(
        [plain_text(". ".join(filter(None, row))) for row in parts.to_numpy()], items.index
    )
    items["plot"] = free_text.astype("str").mask(free_text.str.strip() == "")
    titled = titled and ("title" in parts or are_words(path, table["title"]))
    titles = items["title"].mask(untitled) if titled else nothing.mask(nothing == "")
    items["text"] = (titles + ". " + items["plot"]).fillna(titles).fillna(items["plot"])
    items["image"] = picture_paths(path.parent, path, table, items["raw_id"])
    theirs = {ours: name for name, ours in called.items()}
    made_of = [*(["title"] if titled else []), *parts]
    return items, tuple(dict.fromkeys(theirs.get(column, column) for column in made_of))


def _warn_of_no_titles(path: Path, titles: pd.Series) -> None:
    """One item may be called None; several that share such a name are more likely unknown."""
    such = titles[unknown(titles)]
    alike = such.str.strip().str.lower()
    counts = alike.value_counts()
    if len(counts) and counts.iloc[0] > 1:
        written = " or ".join(map(repr, such[alike == counts.index[0]].unique()))
        warnings.warn(
            f"{path}: {counts.iloc[0]} titles are {written}, and are read as such; leave "
            "the cells empty if it means that they are unknown.",
            stacklevel=3,
        )
