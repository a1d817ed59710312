"""Plain files are read by another parser, and as they would be read row by row."""

import gzip
import random

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.datasets import tables
from bonmf_lib.datasets.plain_tables import read_plain
from bonmf_lib.datasets.tables import TableForm, read_table
from bonmf_lib.errors import DatasetError

ODD = [
    "",
    " ",
    "NA",
    "nan",
    "None",
    "007",
    "1.0",
    "1e400",
    "é",
    "  x ",
    "#N/A",
    "-",
    "'",
    "\\",
    "#",
]


def both(path, monkeypatch, form=None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As it is read, and row by row."""
    form = form or TableForm()
    first = read_table(path, ("user",), form)
    with monkeypatch.context() as patched:
        patched.setattr(tables, "read_plain", lambda *_: None)
        return first, read_table(path, ("user",), form)


@pytest.mark.parametrize("seed", range(20))
def test_plain_files_are_read_alike(tmp_path, monkeypatch, seed):
    chance = random.Random(seed)
    sign, end = chance.choice(",;\t|"), chance.choice(["\n", "\r\n"])
    width = chance.randint(2, 5)
    header = ["user", "", " item ", "rating", "more"][:width]
    rows = [[chance.choice(ODD) for _ in header] for _ in range(chance.randint(1, 40))]
    text = end.join(sign.join(row) for row in [header, *rows]) + end * chance.randint(0, 3)
    data = (b"\xef\xbb\xbf" if seed % 3 == 0 else b"") + text.encode()
    path = tmp_path / ("t.csv.gz" if seed % 2 else "t.csv")
    path.write_bytes(gzip.compress(data) if seed % 2 else data)
    assert read_plain(path, sign, lambda row: [name.strip() for name in row]) is not None
    fast, slow = both(path, monkeypatch, TableForm(sign))
    pd.testing.assert_frame_equal(fast, slow)
    assert fast.index.tolist() == list(range(2, len(rows) + 2))


@pytest.mark.parametrize(
    "text",
    [
        'user,item\n"a",b\n',
        "user,item\n\na,b\n",
        "user,item\na,b\n \nc,d\n",
        "user,item\ra,b\r",
        "user,item\na,b\rc,d\n",
        "user\na\n",
        "user,item\n",
        "\nuser,item\na,b\n",
    ],
)
def test_what_is_not_plain_is_read_row_by_row(tmp_path, monkeypatch, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode())
    assert read_plain(path, ",", lambda row: row) is None
    pd.testing.assert_frame_equal(*both(path, monkeypatch))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"user,item\na,b\nc,\xe9\n", "line 3: is not UTF-8"),
        (b"user,item\na,b\nc\n", "line 3: has 1 fields"),
        (b"user,item\na,b,c,d\n", "line 2: has 4 fields"),
        (b"user,item\na,\0\n", "line 2: holds NUL"),
        (b"user,item\na," + b"b" * 200_000, "line 2: .* more than 131,072 characters"),
        (b"person,item\na,b\n", "the column 'user' is missing"),
    ],
)
def test_messages_are_those_of_reading_row_by_row(tmp_path, data, message):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_table(path, ("user",))


def test_equal_cells_are_one_object(tmp_path):
    """So that a million rows of few users fit in memory."""
    path = tmp_path / "t.csv"
    path.write_text("user,item\n" + "somebody,something\n" * 1000)
    cells = read_table(path, ("user",))["user"].to_numpy(object)
    assert len({id(cell) for cell in cells}) == 1 and np.all(cells == "somebody")
