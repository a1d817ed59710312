"""Plain CSV files by pandas' C parser, which reads them many times faster than row by row.

Plain is a file in UTF-8 without quotes, without empty lines and with as many fields in each row as
in the header: then a row is a line, and nothing needs a message. All else is left to
:func:`~bonmf_lib.datasets.tables.read_table`, which names file, line and mend.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

MOST_BYTES = 2**29  # of a file that is held in memory as a whole
_NEWLINE, _RETURN = b"\n"[0], b"\r"[0]


def read_plain(
    path: Path, separator: str, header_of: Callable[[list[str]], list[str]]
) -> pd.DataFrame | None:
    """The table as :func:`~bonmf_lib.datasets.tables.read_table` gives it; None where the file is
    not plain, or cannot be read.

    Args:
        separator: of the fields of a row, one sign.
        header_of: gives the fields of the header their names; empty for a column that is left out.
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
        kept = [place for place, name in enumerate(header) if name]
        table = pd.read_csv(
            io.BytesIO(data[ends[0] + 1 :]),
            sep=separator,
            header=None,
            names=range(count + 1),
            usecols=kept,
            dtype="str",
            na_filter=False,
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            low_memory=False,
        )
    except UnicodeDecodeError:
        return None
    table.columns = pd.Index([header[place] for place in kept])
    return table.set_axis(np.arange(2, len(table) + 2))


def _bytes(path: Path) -> bytes | None:
    """What a file (``.gz``: packed) holds; None where it is too large or cannot be read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error):  # also a damaged gzip file
        return None
    return data if len(data) <= MOST_BYTES else None
