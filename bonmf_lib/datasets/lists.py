"""Cells that hold lists or tables, as Python or JSON writes them."""

import ast
import json
import re
import warnings
from itertools import accumulate
from pathlib import Path
from typing import Any

import pandas as pd

from .tables import line_of

_LIST = re.compile(r"\s*\[.*\]\s*", re.DOTALL)
_TABLE = re.compile(r"\s*[\[(\s]*\{\s*[\"']", re.DOTALL)  # as one begins, or a list of them
_IN_LIST = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,"']+))\s*(?:,|$)""")
_DEEPEST, _LONGEST = 20, 100_000  # brackets within one another, and characters, of what is parsed
_STEPS = {"[": 1, "{": 1, "(": 1, "]": -1, "}": -1, ")": -1}


def without_lists(path: Path, cells: pd.Series, genres: bool = False) -> pd.Series:
    """A column's cells, of those that are lists the texts and numbers in them, and of tables their
    ``name``, parted by bars. Tables without one are emptied, which is said.

    Args:
        cells: the index holds their lines. genres: whether a list may also hold words without
            quotes.
    """
    begun = cells[cells.str.match(r"\s*[\[{]")]
    if begun.empty:
        return cells
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd signs in quoted texts
        found = pd.Series([names_in(cell) for cell in begun], begun.index, dtype=object)
    if genres:
        loose = begun[found.isna() & begun.str.fullmatch(_LIST)]
        found[loose.index] = pd.Series([*map(_words_in, loose)], loose.index, dtype=object)
    found = found.dropna()
    if (unread := found.map(lambda names: None in names)).any():
        warnings.warn(
            f"{path}: {unread.sum():,} cells of {cells.name!r} hold tables without a name or cut "
            f"off, the first on line {line_of(unread)}, which are not read.",
            stacklevel=3,
        )
    joined = found.map(lambda names: "|".join(filter(None, names)))
    return cells.where(~cells.index.isin(found.index), joined.reindex(cells.index)).astype("str")


def names_in(cell: str) -> list[str | None] | None:
    """The texts and numbers in a list, also in lists of lists, and the ``name`` of each table, None
    where it has none or where it is cut off. None: it is neither list nor table."""
    depths = accumulate(_STEPS.get(sign, 0) for sign in cell)
    if len(cell) <= _LONGEST and max(depths, default=0) <= _DEEPEST:
        for read in (json.loads, ast.literal_eval):  # which build values and run nothing
            try:
                return _names(read(cell.strip()))
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
    return [None] if _TABLE.match(cell) else None


def _names(value: Any) -> list[str | None]:
    if isinstance(value, dict):
        return [_named(value.get("name"))] if value else []
    if isinstance(value, list | tuple | set):
        return [name for part in value for name in _names(part)]
    return [_named(value) or ""]


def _named(value: Any) -> str | None:
    """A text or a finite number as text."""
    if isinstance(value, str):
        return value.strip() or None
    told = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return str(value) if told else None


def _words_in(cell: str) -> list[str]:
    """What a list holds in which not all words are in quotes."""
    inside = cell.strip().removeprefix("[").removesuffix("]")
    return ["".join(parts).strip() for parts in _IN_LIST.findall(inside)]
