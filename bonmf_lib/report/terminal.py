"""The ledger on a terminal: claims by source, each statement with its verdict and what was
measured, wrapped to the terminal's width."""

import pandas as pd
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..claims.judge import LEVEL, VERDICTS
from ..claims.ledger import counts_sentence, readable, uncounted_sentence, untestable_lines
from ..claims.reading import OWN_SOURCE, read_sources

# of the terminal's own palette, so that they can be read on light and dark; the word stands beside
_COLOURS = dict(zip(VERDICTS, ("green", "cyan", "yellow", "red", "dim", "dim"), strict=True))
_VERDICT_WIDTH = 18  # columns; longer ones wrap


def print_ledger(
    table: pd.DataFrame, everything: bool = False, console: Console | None = None
) -> None:
    """Print a ledger in groups: every paper or other source of claims, a second reading of a paper
    by itself, our own checks last.

    Args:
        table: of :func:`bonmf_lib.claims.ledger.ledger`.
        everything: also the claims that were not run.
        console: where to; None = stdout, in its width, without colours where ``NO_COLOR`` is set.
    """
    console = Console(highlight=False) if console is None else console
    shown = readable(table, everything)
    sources = read_sources()
    for source in (*(key for key in sources if key != OWN_SOURCE), OWN_SOURCE):
        rows = shown[shown["source"] == source]
        if not rows.empty:
            console.print(_plain(sources[source]), style="bold")
            for row in rows.itertuples():
                console.print(Padding(_claim(row), (0, 0, 0, 2)))
            console.print()
    if shown.empty:
        console.print("No claim was run yet.\n")
    for line in untestable_lines(table):
        console.print(_plain(line))
    console.print(_counts(table))
    console.print(f"{uncounted_sentence(table)} p is Holm-adjusted and decides below {LEVEL:g}.")


def _claim(row) -> Group:
    """The statement beside its verdict, and below them what was measured, and the claim's code."""
    colour = _COLOURS[row.verdict.partition(":")[0]]  # what lies behind it stands after the colon
    first = Table.grid(padding=(0, 2), expand=True)
    first.add_column(ratio=1, overflow="fold")
    first.add_column(width=_VERDICT_WIDTH)
    first.add_row(_plain(row.statement), Text(row.verdict, colour))
    numbers = [f"paper: {row.paper}"] if row.paper else []
    numbers += [f"ours: {row.ours}"] if row.ours else []
    basis = [f"p {row.p_holm}"] if row.p_holm else []
    if row.seeds:
        basis.append(f"{row.seeds} seed{'s' if row.seeds > 1 else ''}")
    if row.verdict != "not run":
        basis.append(f"{row.dataset}, content {row.content}")
    lines = [_plain(" | ".join(line)) for line in (numbers, [*basis, row.claim]) if line]
    return Group(first, Padding(Group(*lines), (0, 0, 0, 2), style="dim"))


def _counts(table: pd.DataFrame) -> Text:
    text = Text(counts_sentence(table))
    for verdict, colour in _COLOURS.items():
        text.highlight_regex(rf"\d+ {verdict}", colour)
    return text


def _plain(text: str) -> Text:
    """Text as it is, without what would move the cursor or change colours: names come from data."""
    return Text("".join(letter if letter.isprintable() else " " for letter in text))
