"""Texts made of chosen parts of what is known about items."""

import pandas as pd

from ..errors import DatasetError, unknown_name

TEXT_PARTS = ("title", "genres", "plot", "people")


def compose_texts(items: pd.DataFrame, parts: tuple[str, ...]) -> pd.Series:
    """One text per item from the given parts in their order; null where the item lacks one of them.

    Args:
        parts: of ``TEXT_PARTS``; the title comes with the year where it is known.

    Raises:
        DatasetError: an unknown part, or one that no item has.
    """
    for part in parts:
        if part not in TEXT_PARTS:
            raise DatasetError(unknown_name("part of a text", part, TEXT_PARTS))
        if part not in available_parts(items):
            raise DatasetError(
                f"No item has {part}; leave this part out of the texts, or use content=full."
            )
    columns = [_part(items, part) for part in parts]
    out = columns[0]
    for column in columns[1:]:
        out = out + " " + column  # null where either is
    return out


def available_parts(items: pd.DataFrame) -> tuple[str, ...]:
    """The parts that at least one item has."""
    return tuple(part for part in TEXT_PARTS if _part(items, part).notna().any())


def headline(items: pd.DataFrame) -> pd.Series:
    """Title, year and genres of each item as one line of text."""
    return _part(items, "title") + (" " + _part(items, "genres")).fillna("")


def _part(items: pd.DataFrame, part: str) -> pd.Series:
    if part == "title":
        years = items["year"].map(lambda year: "" if pd.isna(year) else f" ({int(year)})")
        return items["title"] + years + "."
    if part == "genres":
        return items["genres"].map(lambda row: f"{', '.join(row)}." if row else None).astype("str")
    return items[part].astype("str")
