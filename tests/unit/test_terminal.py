"""The command line: help without heavy imports, and the ledger on a terminal and in a pipe."""

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from bonmf_lib.claims.ledger import ledger
from bonmf_lib.claims.reading import OWN_SOURCE, read_claims, read_sources
from bonmf_lib.report.terminal import print_ledger
from bonmf_lib.runs.records import add_records
from tests.unit.made_records import record, table as records_of

CLAIMS = {claim.id: claim for claim in read_claims()}
ESCAPE = "\x1b"
IMPORTED = """
import sys
from bonmf_lib.__main__ import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print(end.code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["ledger", "--help"], 0), (["lager"], 2), (["ledger", "--recods"], 2)],
    ids=["help", "help of a command", "unknown command", "unknown option"],
)
def test_help_and_wrong_arguments_wait_for_no_heavy_import(arguments, status):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *arguments], capture_output=True, text=True, check=True
    )
    code, *imported = done.stdout.splitlines()[-1].split()
    assert int(code) == status and "bonmf_lib" in imported
    assert not {"torch", "pandas", "numpy", "matplotlib", "pydantic", "rich"} & set(imported)


RECORDS = {
    "BoNMF": [0.78, 0.781, 0.779],
    "NMD (ID only)": [0.8075, 0.8085, 0.8065],
    "BoNMF, no picture": [0.7112, 0.7113, 0.7111],
}


@pytest.fixture
def table():
    return ledger(records_of(**RECORDS))


def shown(table, width: int, everything: bool = False, **console) -> str:
    out = io.StringIO()
    print_ledger(table, everything, Console(file=out, width=width, highlight=False, **console))
    return out.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


def test_claims_come_by_source_and_our_own_checks_last(table):
    text = words(shown(table, 1000, everything=True))
    sources = read_sources()
    places = {source: text.index(words(cited)) for source, cited in sources.items()}
    assert places["bonmf"] < places["bonmf-review"] < places["ncf"]
    assert max(places, key=places.get) == OWN_SOURCE
    order = sorted(places.values())
    for claim in table.drop_duplicates("claim").itertuples():
        start = places[claim.source]
        end = next((place for place in order if place > start), len(text))
        assert words(claim.statement) in text[start:end], claim.claim


def test_the_statement_stands_before_its_code_with_both_numbers_and_a_verdict_in_words(table):
    text = words(shown(table, 1000))
    row = table.set_index("claim").loc["BoNMF Table 1: BoNMF -no Figure, MSE"]
    assert (row["verdict"], row["qualifier"]) == ("reproduced", "")
    assert (
        f"{row['statement']} reproduced paper: 0.7112 | ours: 0.7112 [0.7108, 0.7116] "
        "3 seeds | ml-1m, content full | BoNMF Table 1: BoNMF -no Figure, MSE"
    ) in text
    assert "not reproduced" in text and CLAIMS["NeuMF (b)"].statement not in text  # was not run


@pytest.mark.parametrize("width", [40, 80, 160])
def test_lines_are_as_wide_as_the_terminal_at_most_and_nothing_is_cut(table, width):
    text = Text.from_ansi(shown(table, width, everything=True, force_terminal=True)).plain
    assert max(map(cell_len, text.splitlines())) <= width
    letters = re.sub(r"\s", "", text)
    for claim in CLAIMS.values():
        assert re.sub(r"\s", "", claim.id) in letters, claim.id


def test_verdicts_are_coloured_unless_colours_are_not_wanted(table, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = {"force_terminal": True, "color_system": "standard"}
    coloured = shown(table, 1000, **terminal)
    assert f"{ESCAPE}[32mreproduced" in coloured and f"{ESCAPE}[31mnot reproduced" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(table, 1000, **terminal)
    assert not re.search(ESCAPE + r"\[[0-9;]*3[0-7]", plain)
    assert Text.from_ansi(plain).plain == Text.from_ansi(coloured).plain


@pytest.mark.case(
    "hostile",
    "a data set's name holds escape codes or markup, and the ledger is shown on a terminal",
    "it is printed as text: no code reaches the terminal, brackets stay",
)
def test_names_out_of_data_move_no_cursor(table):
    table["dataset"] = f"folder:{ESCAPE}[2J\r[red]x"
    text = shown(table, 1000)
    assert ESCAPE not in text and "\r" not in text and "[2J [red]x, content full" in text


def test_what_cannot_be_tested_is_said_with_the_reason(table):
    away = table[table["claim"].isin(["BM3 (r)", "BoNMF (a)"])]
    text = words(shown(away.assign(verdict="not testable on this data"), 1000))
    assert "Not testable on this data: BM3 (r). Amazon Electronics is not at hand." in text
    assert "Not testable on this data" not in words(shown(away, 1000))


def test_a_ledger_without_any_verdict_says_so():
    text = shown(ledger(records_of(other=[0.7])), 80)
    assert text.startswith("No claim was run yet.") and "0 reproduced" in text


def in_terminal(arguments: list[str], columns: int, **environment) -> str:
    """What a command writes when its stdout is a terminal."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    }
    with subprocess.Popen(
        [sys.executable, "-m", "bonmf_lib", *arguments],
        stdout=theirs,
        env=kept | {"TERM": "xterm-256color"} | environment,
    ) as running:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 4096):
                parts.append(part)
        except OSError:  # how the end of a terminal's output is told
            pass
        os.close(ours)
    assert running.returncode == 0
    return b"".join(parts).decode()


def test_only_a_terminal_gets_groups_and_colours(tmp_path):
    for name, values in RECORDS.items():
        for seed, value in enumerate(values):
            add_records(tmp_path, [record(name, seed, value)])
    arguments = ["ledger", "--records", str(tmp_path)]
    terminal = in_terminal(arguments, 70)
    assert f"{ESCAPE}[32mreproduced" in terminal and "Zheng et al. (2024)" in terminal
    assert max(len(line) for line in Text.from_ansi(terminal).plain.splitlines()) <= 70
    piped = subprocess.run(
        [sys.executable, "-m", "bonmf_lib", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"FORCE_COLOR": "1"},
    ).stdout
    assert ESCAPE not in piped and "Zheng" not in piped
    (line,) = (line for line in piped.splitlines() if "BoNMF -no Figure, MSE" in line)
    assert line.endswith("reproduced") and "0.7112 [0.7108, 0.7116]" in line
