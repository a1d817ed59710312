"""CSV files as they stand: every cell as text, with the line on which its row begins."""

import codecs
import csv
import gzip
import re
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .plain_tables import read_plain

MOST_BYTES = 4 * 2**30  # that a file may unpack to
_LONGEST_LINE = 64 * 2**20
_PIECE = 2**20  # bytes that are read at once
_ZIP = b"PK\x03\x04"  # as which spreadsheets begin
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_WHOLE_NUMBER = (
    r"0|-?[1-9][0-9]{0,17}"  # as a number is written without need of anything else; int64 holds it
)


@dataclass(frozen=True)
class TableForm:
    """How a table is written: the sign between fields, one of ``SEPARATORS``, and the encoding;
    and another table of the folder that was read so, if any."""

    separator: str = ","
    encoding: str = "utf-8"
    like: str = field(default="", compare=False)


UTF8 = TableForm()
Naming = Callable[[Path, list[str]], list[str]]  # the names that a file's columns get; "" = none


def read_table(
    path: Path,
    needed: tuple[str, ...],
    form: TableForm = UTF8,
    naming: Naming | None = None,
    times: Collection[str] = (),
) -> pd.DataFrame:
    """A CSV file (``.gz``: packed) as text; the index holds the line on which each row begins,
    counted from 1.

    Nothing is guessed: ``007``, ``NA``, ``None`` and ``1.0`` stay as they are, and an empty cell is
    an empty text. Spaces around the names of columns are dropped, empty lines are passed over.

    Args:
        needed: columns that must be there, once they have their names.
        form: how the file is written.
        naming: gives the columns their names; None = those in the file.
        times: columns that may come as int64 where all of their cells are whole numbers.

    Raises:
        DatasetError: another encoding, NUL bytes, another separator, a column that is missing or
            named twice, a row with too few or too many fields, a quote that is not closed, a
            damaged or too large file.
    """
    separator = form.separator

    def header_of(row: list[str]) -> list[str]:
        return _header(path, row, needed, form, naming)

    if form == TableForm(separator):
        plain = read_plain(path, separator, header_of, times)
        if plain is not None:
            return plain
    rows: Iterator[list[str]] = csv.reader(_lines(path, form), strict=True, delimiter=separator)
    begins, header, kept = 1, None, _Columns()
    try:
        for row in rows:
            if not row or (
                len(row) == 1 and not row[0].strip() and (header is None or len(header) > 1)
            ):
                pass
            elif header is None:
                header = header_of(row)
            elif len(row) == len(header):
                kept.add(row, begins)
            else:
                raise DatasetError(
                    f"{path}, line {begins}: has {len(row)} fields where the header names "
                    f"{len(header)}; mend the row (a field that holds a "
                    f"{SEPARATORS[separator].removesuffix('s')} must stand in double quotes)."
                )
            begins = rows.line_num + 1
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line {begins}: in the row that begins here a quote is not closed "
            "or not alone in its field, or a field has more than "
            f"{csv.field_size_limit():,} characters ({error}); mend it."
        ) from None
    if header is None:
        raise DatasetError(f"{path}: is empty; supply a header and rows.")
    cells = dict(zip(header, kept.cells() or [[] for _ in header], strict=True))
    cells.pop("", None)  # columns without a name
    return pd.DataFrame(cells, index=np.array(kept.lines, np.int64), dtype="str")


class _Columns:
    """Rows put together to columns; equal cells become one object, so that long files fit in
    memory."""

    def __init__(self) -> None:
        self.lines: list[int] = []
        self._rows: list[list[str]] = []
        self._cells: list[list[str]] = []
        self._memo: dict[str, str] = {}

    def add(self, row: list[str], line: int) -> None:
        self.lines.append(line)
        self._rows.append(row)
        if len(self._rows) == 10_000:
            self._transpose()

    def cells(self) -> list[list[str]]:
        """The columns; none without rows."""
        self._transpose()
        return self._cells

    def _transpose(self) -> None:
        for place, cells in enumerate(zip(*self._rows, strict=True)):
            if place == len(self._cells):
                self._cells.append([])
            self._cells[place].extend(map(self._memo.setdefault, cells, cells))
        self._rows = []


def _header(
    path: Path, row: list[str], needed: tuple[str, ...], form: TableForm, naming: Naming | None
) -> list[str]:
    written = [name.strip() for name in row]
    numbered = any(re.fullmatch(_NUMBER, name) for name in written)  # as in rows, not in headers
    if not numbered:
        _check_unlike(path, written)
    elif len({*written}) < len(written):
        raise _absent(path, row, [], needed, form, naming)
    header = naming(path, written) if naming else written
    if not {*needed} <= {*header}:
        raise _absent(path, row, header, needed, form, naming)
    _check_unlike(path, header)
    return header


def _absent(
    path: Path,
    row: list[str],
    header: list[str],
    needed: tuple[str, ...],
    form: TableForm,
    naming: Naming | None,
) -> DatasetError:
    """Why the first row, whose columns are called ``header`` here, lacks one that is needed."""
    text, written, names = "".join(row).strip(), [name.strip() for name in row], ", ".join(needed)
    save = f"save the file with {SEPARATORS[form.separator]}"
    if text.lower().startswith("sep="):
        why = "the first row tells a spreadsheet the separator; delete it."
    elif sign := next((sign for sign in ("#", "//", "%") if text.startswith(sign)), ""):
        why = (
            f"the first row begins with {sign!r}, as a comment does; delete it, or the sign where "
            "columns are named behind it."
        )
    elif other := next((o for o in SEPARATORS if o != form.separator and o in text), ""):
        if form.like:
            save += f", as {form.like} is"
        elif naming:
            save += f", or write separator = {other!r} in dataset.toml"
        why = f"the fields are separated by {SEPARATORS[other]}; {save}."
    elif "::" in text:
        why = f"the fields are separated by '::'; {save}."
    elif not {*needed} & {*header} and any(
        re.fullmatch(_NUMBER, part) for part in (*written, *text.split())
    ):
        shown = ", ".join(written)[:80]
        why = f"the first row, {shown}, names no columns; add one above it with {names}."
    elif len(written) == 1 and len(text.split()) >= len(needed):
        why = f"the fields are separated by spaces; {save}."
    else:
        absent = next(name for name in needed if name not in header)
        found = ", ".join(filter(None, written))[:300] or "nothing"
        why = f"the column {absent!r} is missing; the header must name {names}, it names {found}."
    return DatasetError(f"{path}: {why}")


def _check_unlike(path: Path, names: list[str]) -> None:
    """``DatasetError`` where two columns have one name."""
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DatasetError(
            f"{path}: the header names the column {twice[0]!r} twice; rename or drop one."
        )


def _lines(path: Path, form: TableForm) -> Iterator[str]:
    """The file's lines with their ends, told apart at newlines and carriage returns."""
    number = 1
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(_raw_lines(path, _pieces(path, file, form)), 1):
                if number == 1 and line.startswith(_ZIP):
                    raise DatasetError(
                        f"{path}: is a packed file, as spreadsheets are; save it as CSV in UTF-8."
                    )
                if b"\0" in line:
                    raise DatasetError(
                        f"{path}, line {number}: holds NUL bytes (is it UTF-16?); "
                        "save the file as UTF-8."
                    )
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{path}, line {number}: is not UTF-8 (byte 0x{error.object[error.start]:02x}); "
            "save the file as UTF-8."
        ) from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DatasetError(f"{path}: is a damaged gzip file ({error}); replace it.") from error
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror or error}); mend or replace it."
        ) from error


def _pieces(path: Path, file: BinaryIO, form: TableForm) -> Iterator[bytes]:
    """The file in pieces; what is written in another encoding as UTF-8."""
    if form.encoding == UTF8.encoding:
        yield from iter(lambda: file.read(_PIECE), b"")
        return
    decoder, line = codecs.getincrementaldecoder(form.encoding)(), 1
    for number, piece in enumerate(chain(iter(lambda: file.read(_PIECE), b""), [b""])):
        if not number and piece.startswith(codecs.BOM_UTF8) and form.encoding != "utf-8-sig":
            raise DatasetError(
                f"{path}: begins as UTF-8 does, and dataset.toml names the encoding "
                f"{form.encoding}; drop it there, or save the file so."
            )
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeError as error:  # without a place: UTF-16 that does not tell its order
            if isinstance(error, UnicodeDecodeError):
                line += error.object[: error.start].decode(form.encoding, "ignore").count("\n")
            raise DatasetError(
                f"{path}, line {line}: is not {form.encoding}, which dataset.toml names; "
                "correct the encoding there, or save the file as UTF-8."
            ) from None
        line += text.count("\n")
        yield text.encode()


def _raw_lines(path: Path, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Lines that end with a newline, a carriage return or both, held to a limit."""
    found, rest = 0, b""
    for piece in pieces:
        found += len(piece)
        if found > MOST_BYTES or len(rest) > _LONGEST_LINE:
            limit = f"{MOST_BYTES:,} bytes in all or {_LONGEST_LINE:,} in a line"
            raise DatasetError(
                f"{path}: holds more than {limit}; give fewer rows, each on a line of its own."
            )
        if not piece:
            continue
        lines = (rest + piece).splitlines(keepends=True)
        rest = lines.pop()  # it may go on, or its carriage return be followed by a newline
        yield from lines
    yield from rest.splitlines(keepends=True)


def line_of(bad: pd.Series) -> int:
    """Line of the first True of a column of :func:`read_table`."""
    return int(bad.index[bad.to_numpy(bool)][0])


def stripped(cells: pd.Series) -> pd.Series:
    """Cells without spaces around them."""
    names = cells.unique().tolist()
    mended = {name: name.strip() for name in names if name != name.strip()}
    return cells.replace(mended) if mended else cells


def empty(cells: pd.Series) -> pd.Series:
    """Which cells hold nothing but spaces."""
    return cells.str.strip() == ""


def are_whole_numbers(ids: pd.Series) -> bool:
    """Whether all ids are plain whole numbers, as 7 and -7, not 007, 7.0 or 1e3."""
    return all(re.fullmatch(_WHOLE_NUMBER, name) for name in ids.unique().tolist())


def same_numbers(ids: pd.Series) -> list[str]:
    """The first ids that are different texts and the same number, such as 7 and 007; empty without
    any."""
    names = pd.Series(ids.unique())
    numbers = pd.to_numeric(names, errors="coerce")
    numbers = numbers[np.isfinite(numbers)]
    alike = numbers[numbers.duplicated(keep=False)]  # floats may be, where long ids are not
    exact = names[alike.index].map(_decimal)
    groups = names[alike.index].groupby(exact, sort=False)
    return next((group.tolist() for _, group in groups if len(group) > 1), [])


def _decimal(number: str) -> Decimal | None:
    """A number without loss; None where it is written otherwise than with digits."""
    try:
        return Decimal(number)
    except InvalidOperation:
        return None
