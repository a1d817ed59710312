"""Columns of a table that is all text: what their cells are."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..errors import DatasetError
from .tables import line_of, stripped

# of times and of what is known about users and items; any case
_UNKNOWN = (
    *("", "na", "n/a", "nan", "null", "none", "<na>", "\\n", "-", "--", "?", "unknown"),
    *("not available", "not specified"),
)
_DATE = r"\d{4}-\d\d-\d\d"
_DATES = {_DATE: "ISO8601", r"\d\d? \d\d?, \d{4}$": "%m %d, %Y"}  # the other: Amazon's, 09 13, 2009
# from where on times are seconds, milli-, micro- or nanoseconds; years and counts lie below
_UNITS = (1e8, 1e11, 1e14, 1e17)
_LAST_NANOSECOND = 2.0**63
_COMMA_TO_POINT = str.maketrans({",": ".", ".": ","})  # a point becomes what no number has
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_PERCENT = re.compile(r"([-+]?\d+(?:[.,]\d+)?)\s*%")
_OF_A_SCALE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:/|of|out of)\s*\d+(?:[.,]\d+)?", re.IGNORECASE)


def unknown(cells: pd.Series) -> pd.Series:
    """Which cells say that something is not known."""
    return cells.str.strip().str.lower().isin(_UNKNOWN)


def ids(path: Path, table: pd.DataFrame, column: str) -> pd.Series:
    """A column of ids without spaces around them, none of them empty or there twice.

    Raises:
        DatasetError: one is; names the line.
    """
    found = stripped(table[column])
    if (found == "").any():
        raise DatasetError(f"{path}, line {line_of(found == '')}: {column!r} is empty; fill it in.")
    twice = found.duplicated()
    if twice.any():
        name = found[twice].iloc[0]
        raise DatasetError(
            f"{path}, line {line_of(twice)}: the {column} {name} is listed twice, first on line "
            f"{line_of(found == name)}; keep one row."
        )
    return found


def folded_ids(cells: pd.Series) -> pd.Series:
    """Ids as categories, in the order in which they come: without spaces around them, null where
    nothing is left. What is asked of an id is then asked once."""
    codes, names = pd.factorize(cells)
    names = pd.Series(names, dtype="str").str.strip()
    places, kept = pd.factorize(names.mask(names == ""))
    return pd.Series(pd.Categorical.from_codes(places[codes], kept), cells.index)


def numbers(cells: pd.Series, decimal: str = ".") -> pd.Series:
    """Cells as float64, NaN where they are no numbers with this sign before their decimals; each
    cell that comes again and again is read once."""
    codes, names = pd.factorize(cells)
    written = pd.Series(names, dtype="str")
    if decimal == ",":
        written = written.str.translate(_COMMA_TO_POINT)
    found = pd.to_numeric(written, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return pd.Series(np.append(found, np.nan)[codes], cells.index)


def rated(path: Path, cells: pd.Series, decimal: str) -> pd.Series:
    """Ratings as :func:`numbers`.

    Raises:
        DatasetError: the first that is no number is not empty; names the line, and the mend of what
            has a decimal comma, is in percent, or names its scale.
    """
    found = numbers(cells, decimal)
    if (bad := found.isna()).any():
        cell, mend = cells[bad].iloc[0].strip(), ""
        if decimal == "." and _DECIMAL_COMMA.fullmatch(cell):
            points = cells[~bad].str.contains(".", regex=False).any()  # in numbers, not in n.a.
            mend = "has a decimal comma, and others a point; write all alike"
            mend = mend if points else 'has a decimal comma; write decimal = "," in dataset.toml'
        elif decimal == "," and not pd.isna(pd.to_numeric(cell, errors="coerce")):
            mend = 'has a decimal point, and dataset.toml says decimal = ","; write all alike'
        elif percent := _PERCENT.fullmatch(cell):
            mend = f"is a percentage; write the number alone, {percent[1]}"
        elif of := _OF_A_SCALE.fullmatch(cell):
            mend = (
                f"names its scale; write the number alone, {of[1]}, and the scale in dataset.toml"
            )
        elif cell:
            mend = "is no number; correct it or drop the row"
        if mend:
            raise DatasetError(
                f"{path}, line {line_of(bad)}: the rating {cell[:40]!r} {mend} ({bad.sum():,} bad "
                "rows in all)."
            )
    return found


def whole_numbers(
    path: Path, cells: pd.Series, bounds: tuple[int, int], what: str, decimal: str = "."
) -> pd.Series:
    """Whole numbers within bounds; others count as unknown, with a warning."""
    nothing = unknown(cells)
    found = numbers(cells.mask(nothing), decimal)
    bad = ~nothing & ~found.between(*bounds)
    if bad.any():
        warnings.warn(
            f"{path}: {bad.sum()} {what} are no numbers from {bounds[0]} to {bounds[1]} and count "
            f"as unknown, the first is {cells[bad].iloc[0][:40]!r} on line {line_of(bad)}.",
            stacklevel=2,
        )
    return found.mask(bad).round().astype("Int64")


def are_no_times(times: pd.Series) -> bool:
    """Whether :func:`seconds` left text in which no cell is a number or a date."""
    if is_numeric_dtype(times):
        return False
    dates = times.str.match(_DATE).fillna(False).astype(bool)
    return bool((pd.to_numeric(times, errors="coerce").isna() & ~dates).all())


def seconds(path: Path, cells: pd.Series) -> pd.Series:
    """Times as numbers, null where they are unknown; as text, null likewise, where some are neither
    numbers nor days, and most are no days.

    Where all of them are days or times of a day (``2020-01-31``, ``2020-01-31T12:00:00+01:00``,
    ``09 13, 2009``), they become seconds since 1970, and that is said; those without a zone are
    read as UTC. Numbers may be of a finer unit, since nothing but their order counts; nanoseconds
    become microseconds, which is said.

    Raises:
        DatasetError: most are dates and some are none, or some are of a finer unit than others;
            names the lines.
    """
    found = pd.to_numeric(cells, errors="coerce")
    if found.notna().all():
        return _in_one_unit(path, found)
    others = cells[found.isna()]
    others = others[~unknown(others)].str.strip()
    if others.empty:
        return _in_one_unit(path, found)
    known = cells[~unknown(cells)].str.strip()
    for written, form in _DATES.items():
        dates = others[others.str.match(written)]
        times = pd.to_datetime(dates, format=form, utc=True, errors="coerce").dropna()
        if len(times) > len(known) / 2:
            break
    else:
        return cells.mask(unknown(cells))
    if (bad := ~known.index.isin(times.index)).any():
        raise DatasetError(
            f"{path}, line {known.index[bad][0]}: the time {known[bad].iloc[0][:40]!r} is no date "
            f"such as {dates[times.index[0]]}, as most others are; write all alike, or leave it "
            f"empty ({bad.sum():,} bad rows in all)."
        )
    warnings.warn(
        f"{path}: times such as {others.iloc[0]!r} are read as dates, in UTC unless they "
        "name a zone.",
        stacklevel=2,
    )
    return times.dt.as_unit("s").astype(np.int64).reindex(cells.index)


def _in_one_unit(path: Path, times: pd.Series) -> pd.Series:
    known = times[times.between(0, _LAST_NANOSECOND)]
    units = pd.Series(np.digitize(known, _UNITS), known.index)
    told = units[units > 0]
    if (other := told != told.iloc[:1].max()).any():
        line = line_of(other)
        raise DatasetError(
            f"{path}, line {line}: the time {known[line]:.0f} is of another unit than "
            f"{known[told.index[0]]:.0f} on line {told.index[0]}; give all of them in seconds."
        )
    if (told == len(_UNITS)).any():  # all but those too low to tell a unit, such as 0
        warnings.warn(
            f"{path}: times such as {known[told.index[0]]:.0f} are read as nanoseconds since 1970.",
            stacklevel=3,
        )
        return times // 1000
    return times
