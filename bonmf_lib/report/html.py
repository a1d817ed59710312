"""Sentences, chips, cards and rows of the report as HTML or Markdown; whatever is data is escaped
here."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
from IPython.display import display

from .chips import CHIPS, Chip
from .short_answers import SHORT_ANSWERS

# by how a verdict or a short answer begins
TONES = CHIPS | {answer.word: answer.tone for answer in SHORT_ANSWERS}


_UNIT = re.compile(r"(?<=\d) (?=%)")


def _with_units(value: str) -> str:
    """Text whose numbers stay on one line with their unit."""
    return _UNIT.sub("\N{NO-BREAK SPACE}", value)


def _text(value: str) -> str:
    """Text as HTML, numbers on one line with their unit."""
    return escape(_with_units(value))


@dataclass(frozen=True)
class Markup:
    """HTML, and what it says in plain text for where there is no browser."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


# what could begin something in Markdown or HTML; entities begin nothing in either
_SPECIAL = re.compile(r"[&<>$*_`\[\]#|~\\!^]|^[-+]")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])")  # would begin a list


@dataclass(frozen=True)
class Sentences:
    """Sentences of the library as a paragraph of Markdown, lines as a list; shown as they are, not
    read as Markdown."""

    text: str

    def _repr_markdown_(self) -> str:
        lines = [escaped_markdown(line) for line in self.text.splitlines() if line.strip()]
        return lines[0] if len(lines) == 1 else "\n".join(f"* {line}" for line in lines)

    def __repr__(self) -> str:
        return self.text


def say(*sentences: object) -> None:
    """Show sentences of the library in a notebook as prose, where lines break between words."""
    display(Sentences("\n".join(map(str, sentences))))


def escaped_markdown(line: str) -> str:
    """One line whose characters all stand for themselves in Markdown."""
    line = _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", _with_units(line))
    return _NUMBERED.sub(lambda found: f"{found[1]}&#{ord(found[2])};", line)


def with_list(said: str, lines: Sequence[str]) -> str:
    """A sentence and a list below it, in Markdown that :func:`paragraph` reads."""
    return "\n\n".join(filter(None, (said, "\n".join(f"* {line}." for line in lines))))


def paragraph(text: str) -> Markup:
    """A paragraph, or several parted by blank lines, whose only markup is ``**bold**`` and lists,
    each line of which begins with ``* ``."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", _text(text))
    parts = "".join(map(_block, bold.split("\n\n")))
    return Markup(parts, text.replace("**", ""))


def _block(part: str) -> str:
    if not part.startswith("* "):
        return f'<p class="answer">{part}</p>'
    lines = "".join(f"<li>{line.removeprefix('* ')}</li>" for line in part.split("\n"))
    return f'<ul class="answer">{lines}</ul>'


def tone(word: str) -> Chip:
    """The colours of a verdict, with or without its qualifier, or of a card's chip.

    Raises:
        KeyError: it is neither.
    """
    for start, found in TONES.items():
        if word.startswith(start):
            return found
    raise KeyError(word)


def chip(word: str) -> str:
    """A verdict on its colour, which also says the word; "" of none."""
    if not word:
        return ""
    found = tone(word)
    return (
        f'<span class="chip" style="color:{found.text};background:{found.fill}">'
        f"{_text(word)}</span>"
    )


def card(question: str, word: str, answer: str, measured: str) -> Markup:
    """A question with its chip, its answer and what was measured."""
    return Markup(
        '<article class="card">'
        f'<p class="question">{_text(question)} {chip(word)}</p>'
        f"<p>{_text(answer)}</p>"
        f'<p class="measured">{_lines(measured)}</p></article>',
        f"{question} [{word}] {answer} ({measured})",
    )


def cards(shown: Sequence[Markup]) -> Markup:
    """Cards beside each other where there is room."""
    return Markup(
        f'<div class="cards">{"".join(one.html for one in shown)}</div>',
        "\n".join(one.text for one in shown),
    )


def _lines(text: str) -> str:
    """What semicolons part, a line each."""
    return "<br>".join(map(_text, text.split("; ")))


def lines_cell(text: str) -> Markup:
    """Text as a cell of :func:`table`, what semicolons part a line each."""
    return Markup(_lines(text), text)


_MOST_PLAIN = 40  # rows; a report would else hold all of a long list twice


def _plain(lines: Sequence[str], what: str) -> str:
    """The plain form of a list: its lines, or of a long one what it holds."""
    return "\n".join(lines) if len(lines) <= _MOST_PLAIN else f"A list of {len(lines)} {what}."


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Markup]]) -> Markup:
    """A table for reading; cells are text, or markup of this module. Each says its column, for
    narrow screens that show a row as a block."""
    rows = [list(row) for row in rows]
    names = [_text(name) for name in columns]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-column="{name}">{_cell(value)}</td>'
            for name, value in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    lines = [" | ".join(map(str, row)) for row in (columns, *rows)]
    return Markup(
        f'<table class="reading"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>',
        _plain(lines, f"lines: {', '.join(columns)}"),
    )


def _cell(value: str | Markup) -> str:
    return value.html if isinstance(value, Markup) else _text(value)


def reading_table(shown: pd.DataFrame) -> Markup:
    """A table of numbers for reading: empty where there is none, zero without a sign."""
    numbers = shown.apply(_number_column)
    return Markup(_compact(numbers.to_html(na_rep="", border=0)), numbers.to_string(na_rep=""))


def whole_table(shown: pd.DataFrame) -> Markup:
    """All rows as pandas shows them, in less space: the plain form only says what it holds, since a
    report would else hold all of it twice."""
    named = ", ".join(filter(None, map(str, [*shown.index.names, *shown.columns])))
    html = _compact(shown.to_html(notebook=True, max_rows=None))
    return Markup(html, f"A table of {len(shown)} rows: {named}.")


def _compact(indented: str) -> str:
    """HTML of pandas on one line, as a notebook keeps each line of many in a string of its own."""
    return re.sub(r"\n *", "", indented)


def _number_column(column: pd.Series) -> pd.Series:
    if column.dtype.kind == "f":
        return column + 0.0  # -0.0 becomes 0.0
    return column.astype(object).where(column.notna(), "") if column.dtype.kind in "iu" else column


def chip_cell(word: str) -> Markup:
    """A chip as a cell of :func:`table`."""
    return Markup(chip(word), word)


@dataclass(frozen=True)
class ClaimRow:
    """A claim as the report lists it.

    Attributes:
        code: its id. verdict: with its qualifier. notes: what else a reader should know, a sentence
            or more each. said_by: what says it, as a label.
    """

    statement: str
    code: str
    paper: str
    measured: str
    verdict: str
    notes: Sequence[str] = ()
    said_by: str = "paper"


_SHARED = 4  # rows from which on a note is said once, below them


def claim_rows(rows: Sequence[ClaimRow]) -> Markup:
    """Claims, a compact row each: statement and chip, then what the paper says and what was
    measured, then its code and notes. A long note that several share stands once, below all."""
    counts = Counter(note for row in rows for note in row.notes)
    shared = [note for note, count in counts.items() if count >= _SHARED and len(note) > 40]
    below = {note: f"Note {number}." for number, note in enumerate(shared, 1)}
    shown = []
    for row in rows:
        facts = [
            f"{label}: {_text(value)}"
            for label, value in ((row.said_by, row.paper), ("measured", row.measured))
            if value
        ]
        notes = " ".join(below.get(note, note) for note in row.notes)
        note = f' <span class="note">{_text(notes)}</span>' if notes else ""
        shown.append(
            f'<li><p class="statement">{_text(row.statement)} {chip(row.verdict)}</p>'
            f'<p class="facts">{" · ".join(facts)}{" · " if facts else ""}'
            f"<code>{_text(row.code)}</code>{note}</p></li>"
        )
    lines = [
        f"{row.statement}: {row.verdict} ({row.code}; {row.said_by}: {row.paper}; "
        f"measured: {row.measured})"
        for row in rows
    ]
    said = "".join(f'<p class="note">{number} {_text(note)}</p>' for note, number in below.items())
    return Markup(f'<ul class="claims">{"".join(shown)}</ul>{said}', _plain(lines, "claims"))
