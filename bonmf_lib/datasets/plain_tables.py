"""Plain CSV files by pandas' C parser, which reads them many times faster than row by row.

Plain is a file in UTF-8 without quotes, without empty lines and with as many fields in each row as
in the header: then a row is a line, and nothing needs a message. All else is left to
:func:`~bonmf_lib.datasets.tables.read_table`, which names file, line and mend.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pandas as pd

MOST_BYTES = 2**29  # of a file that is held in memory as a whole
_NEWLINE, _RETURN = b"\n"[0], b"\r"[0]


def read_plain(
    path: Path,
    separator: str,
    header_of: Callable[[list[str]], list[str]],
    times: Collection[str] = (),
) -> pd.DataFrame | None:
    """The table as :func:`~bonmf_lib.datasets.tables.read_table` gives it; None where the file is
    not plain, or cannot be read.

    Args:
        separator: of the fields of a row, one sign.
        header_of: gives the fields of the header their names; empty for a column that is left out.
        times: columns that may come as int64.
    """
    data = _bytes(path)
    if data is None or b'"' in data or b"\0" in data:
        return None
    data = data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if data.count(b"\r") != data.count(b"\r\n"):
        return None
    signs = np.frombuffer(data, np.uint8)
    ends = np.append(np.flatnonzero(signs == _NEWLINE), len(data))
    fields = np.diff(np.searchsorted(np.flatnonzero(signs == separator.encode()[0]), ends))
    first = data[: ends[0]].removesuffix(b"\r")
    count = first.count(separator.encode())
    longest = np.diff(ends).max(initial=ends[0])
    if not count or not len(fields) or (fields != count).any() or longest > csv.field_size_limit():
        return None
    try:
        header = header_of(first.decode().split(separator))
        rows = data[ends[0] + 1 :]
        kinds = {name: None if name in times else "str" for name in header if name}
        found = _parsed(rows, separator, header, kinds)
        odd = [name for name, kind in kinds.items() if not kind and found[name].dtype != np.int64]
        if odd:
            found[odd] = _parsed(rows, separator, header, dict.fromkeys(odd, "str"))
    except UnicodeDecodeError:
        return None
    return found.set_axis(np.arange(2, len(found) + 2))


def _parsed(
    rows: bytes, separator: str, header: list[str], kinds: dict[str, str | None]
) -> pd.DataFrame:
    """The columns that are named, in the order of the file."""
    places = {header.index(name): kind for name, kind in kinds.items()}
    table = pd.read_csv(
        io.BytesIO(rows),
        sep=separator,
        header=None,
        names=range(len(header)),
        usecols=list(places),
        dtype={place: kind for place, kind in places.items() if kind},
        na_filter=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        low_memory=False,
    )
    return table.set_axis([header[place] for place in table.columns], axis=1)


def _bytes(path: Path) -> bytes | None:
    """What a file (``.gz``: packed) holds; None where it is too large or cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):  # also a damaged gzip file
        return None
    return data if len(data) <= MOST_BYTES else None
