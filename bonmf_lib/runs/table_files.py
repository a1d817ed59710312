"""Tables as CSV whose texts stay texts: ``46e3316082731737`` is no number, ``NA`` is a title,
``=1+1`` no formula."""

import io
import json
import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from ..integrity import read_sealed_text, sealed_text
from ..storage import keep_text

# Spreadsheets run what follows these signs; a leading apostrophe, which they do not show, makes it
# text.
_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
_WORD = re.compile(r"[-@]?\w[\w-]*")
_ESCAPED = re.compile(r"^'+[=+\-@\t\r]")


def text_columns(table: pd.DataFrame) -> list[str]:
    """Names of the columns that hold texts."""
    return [
        str(name)
        for name, column in table.items()
        if column.map(lambda value: isinstance(value, str)).any()
    ]


def csv_text(table: pd.DataFrame, float_format: str, ids: Collection[str] = ()) -> str:
    """The table as CSV without its index; texts that a spreadsheet would take for a formula get an
    apostrophe.

    Args:
        ids: columns whose texts stay as they are where they are one word of letters, digits and
            ``_-``, which can call nothing, so that other programs find them again. (A spreadsheet
            may still reckon with ``-2-3``.)
    """
    columns = {
        _neutral(str(name)): column
        if is_numeric_dtype(column)
        else column.map(_neutral_id if name in ids else _neutral)
        for name, column in table.items()
    }
    safe = pd.DataFrame(columns, index=table.index)
    return safe.to_csv(index=False, float_format=float_format, lineterminator="\n")


def read_csv_text(text: str, texts: list[str] | None = None) -> pd.DataFrame:
    """A table of :func:`csv_text`; empty cells are missing.

    Args:
        texts: names of its text columns; all others are read as numbers or truth values. None: all
        hold texts.
    """
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""]).rename(
        columns=_plain
    )
    others = [] if texts is None else [name for name in table.columns if name not in texts]
    out = {
        name: _typed(column) if name in others else column.map(_plain)
        for name, column in table.items()
    }
    return pd.DataFrame(out, columns=table.columns)


_TEXT_COLUMNS = "# text columns "


def write_table(path: Path, table: pd.DataFrame, float_format: str = "%.6g") -> None:
    """Keep a table in a run folder, in one step, with its checksum and the names of its text
    columns."""
    texts = f"{_TEXT_COLUMNS}{json.dumps(text_columns(table))}"
    keep_text(path, sealed_text(f"{texts}\n{csv_text(table, float_format)}"))


def read_table(path: Path) -> pd.DataFrame:
    """A table of :func:`write_table`; ``DamagedError`` when it is not as it was written."""
    texts, csv = read_table_text(path)
    return read_csv_text(csv, texts)


def read_table_text(path: Path) -> tuple[list[str], str]:
    """The names of the text columns, and the table as CSV;
    ``DamagedError`` as :func:`read_table`."""
    head, _, csv = read_sealed_text(path).partition("\n")
    return json.loads(head.removeprefix(_TEXT_COLUMNS)), csv


def _neutral(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def _neutral_id(value: object) -> object:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else _neutral(value)


def _plain(value: object) -> object:
    return value[1:] if isinstance(value, str) and _ESCAPED.match(value) else value


def _typed(column: pd.Series) -> pd.Series:
    known = column.dropna()
    if len(known) and known.isin(["True", "False"]).all():
        truth = column.map({"True": True, "False": False})
        return truth.astype(bool) if len(known) == len(column) else truth
    return pd.to_numeric(column)
