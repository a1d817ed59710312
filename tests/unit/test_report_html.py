"""Cards, chips, rows and sentences as HTML and Markdown: data stay text, colours stay readable."""

import re
from html import unescape

import pandas as pd
import pytest
from nbconvert.filters.markdown import markdown2html

from bonmf_lib.claims.judge import VERDICTS
from bonmf_lib.report import html
from bonmf_lib.report.chips import READABLE, contrast
from bonmf_lib.report.html import ClaimRow, Sentences

HOSTILE = "<script>alert('x')</script> & <b onclick=\"x\">"
WORDS = (*VERDICTS, "helps", "harms", "depends", "no clear gain", "not by content")


@pytest.mark.parametrize("word", html.TONES)
def test_a_chip_is_readable(word):
    found = html.tone(word)
    assert contrast(found.text, found.fill) >= READABLE


@pytest.mark.parametrize("word", WORDS)
def test_a_chip_says_its_word_on_the_colour_of_its_kind(word):
    shown = html.chip(f"{word}: qualified")
    assert f">{word}: qualified</span>" in shown
    assert html.TONES[word].fill in shown


def test_only_verdicts_have_chips():
    assert html.chip("") == ""
    with pytest.raises(KeyError, match="splendid"):
        html.chip("splendid")


@pytest.mark.case(
    "hostile",
    "a title, an answer or a claim that is `<script>...</script>`",
    "shown in the report as the text that it is",
)
@pytest.mark.parametrize(
    "shown",
    [
        html.card(HOSTILE, "helps", HOSTILE, HOSTILE),
        html.cards([html.card(HOSTILE, "helps", HOSTILE, HOSTILE)]),
        html.table([HOSTILE], [[HOSTILE], [html.lines_cell(HOSTILE)]]),
        html.claim_rows([ClaimRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "not run", [HOSTILE])]),
        html.paragraph(f"**{HOSTILE}** {HOSTILE}"),
        html.Markup(html.chip(f"not run{HOSTILE}"), HOSTILE),
    ],
)
def test_what_data_say_is_text(shown):
    assert "<script" not in shown._repr_html_()
    assert "<b " not in shown._repr_html_()
    assert "&lt;script&gt;" in shown._repr_html_()
    assert HOSTILE in repr(shown)


@pytest.mark.parametrize(
    "line",
    [
        HOSTILE,
        "*a* **b** _c_ `d` [e](f) ![g](h) ~~i~~ $j$ a|b # k",
        "# no heading",
        "- no list",
        "+ no list",
        "1. no list",
        "12) no list",
        "0 of 6 uses, 5.0 % \\* < 0.05",
    ],
)
def test_sentences_are_shown_as_they_are(line):
    shown = markdown2html(Sentences(line)._repr_markdown_())
    words = unescape(re.sub(r"<.*?>", "", shown)).strip()
    assert words.replace("\N{NO-BREAK SPACE}%", " %") == line
    assert re.findall(r"<\w+", shown) == ["<p"]


def test_several_sentences_are_a_list():
    assert Sentences("one\n\ntwo")._repr_markdown_() == "* one\n* two"
    assert repr(Sentences("one\ntwo")) == "one\ntwo"


def test_a_paragraph_has_its_bold_words():
    assert html.paragraph("**Yes.** It does.").html == (
        '<p class="answer"><strong>Yes.</strong> It does.</p>'
    )
    assert repr(html.paragraph("**Yes.** It does.")) == "Yes. It does."
    two = html.paragraph("**Yes.** It does.\n\n**Others** do not.").html
    assert two.count("<p ") == two.count("</p>") == 2


def test_a_sentence_with_a_list_is_one_in_markdown_and_in_html():
    text = html.with_list("**Yes.** By:", ["1 %", "2 * 2 %"])
    assert text == "**Yes.** By:\n\n* 1 %.\n* 2 * 2 %."
    assert html.paragraph(text.replace(" %", "")).html == (
        '<p class="answer"><strong>Yes.</strong> By:</p>'
        '<ul class="answer"><li>1.</li><li>2 * 2.</li></ul>'
    )
    assert html.with_list("", ["1"]) == "* 1." and html.with_list("No.", []) == "No."


def test_a_number_stays_on_one_line_with_its_unit():
    shown = html.card("How much?", "helps", "By 2.8 % (2.3 to 3.2).", "+2.8 % (+2.3 to +3.2)")
    assert shown.html.count("2.8\N{NO-BREAK SPACE}%") == 2 and "2.8 %" not in shown.html
    assert Sentences("By 2.8 %.")._repr_markdown_() == "By 2.8\N{NO-BREAK SPACE}%."


def test_a_cell_says_its_column():
    shown = html.table(("model", "a & b"), [("SVD", html.chip_cell("reproduced"))]).html
    assert '<td data-column="model">SVD</td><td data-column="a &amp; b"><span' in shown


def test_a_table_of_numbers_has_no_word_for_none_and_no_negative_zero():
    numbers = pd.DataFrame(
        {"<b>": [float("nan"), -0.0, 1.5], "n": pd.array([1, None, 3], "Int64"), "what": "x"},
    )
    shown = html.reading_table(numbers)
    cells = re.findall(r"<td>(.*?)</td>", shown.html)
    assert cells[:3] == ["", "1", "x"] and cells[3:6] == ["0.0", "", "x"] and cells[6] == "1.5"
    assert "&lt;b&gt;" in shown.html and not re.search("NaN|NA|-0", repr(shown))
    assert "<table" in html.reading_table(numbers.iloc[:0]).html


def test_what_is_said_is_shown_as_prose(monkeypatch):
    shown = []
    monkeypatch.setattr(html, "display", shown.append)
    html.say("One.", 2)
    assert shown == [Sentences("One.\n2")]


def test_a_whole_table_shows_every_row_once():
    notes = ["", HOSTILE, *[""] * 98]
    frame = pd.DataFrame({"note": notes}, index=pd.Index(range(100), name="claim"))
    with pd.option_context("display.max_colwidth", None):
        shown = html.whole_table(frame)
    assert shown.html.count("<tr>") == 101 and "<script>" not in shown.html
    assert str(shown) == "A table of 100 rows: claim, note."


def test_the_plain_form_of_a_long_list_says_what_it_holds():
    long, short = [("a", "1")] * 41, [("a", "1")] * 40
    assert str(html.table(("row", "value"), long)) == "A list of 42 lines: row, value."
    assert str(html.table(("row", "value"), short[:-1])).count("a | 1") == 39
    claims = [ClaimRow("s", "c", "p", "m", "reproduced")] * 41
    assert str(html.claim_rows(claims)) == "A list of 41 claims."


def test_a_long_note_of_several_claims_stands_once():
    long = "Every setting was searched, in larger batches than the paper's."
    rows = [ClaimRow("s", f"c{at}", "p", "m", "reproduced", ["On anime.", long]) for at in range(4)]
    shown = html.claim_rows([*rows, ClaimRow("s", "c4", "p", "m", "reproduced", ["Alone."])]).html
    listed, below = shown.split("</ul>")
    assert listed.count("On anime. Note 1.") == 4 and listed.count("Alone.") == 1
    assert "searched" not in listed and below.count(f"Note 1. {html.escape(long)}") == 1
    few = html.claim_rows(rows[:3]).html
    assert few.count(html.escape(long)) == 3 and "Note 1" not in few
