"""Cards, chips, rows and sentences as HTML and Markdown: data stay text, colours stay readable."""

import re
from html import unescape

import pytest
from nbconvert.filters.markdown import markdown2html

from bonmf_lib.claims.judge import VERDICTS
from bonmf_lib.report import html
from bonmf_lib.report.html import ClaimRow, Sentences, Tone

HOSTILE = "<script>alert('x')</script> & <b onclick=\"x\">"
WORDS = (*VERDICTS, "helps", "harms", "not shown", "not by content")


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(ink: str, paper: str) -> float:
    """As WCAG 2 defines it."""
    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("tone", set(html.TONES.values()))
def test_a_chip_is_readable(tone):
    assert isinstance(tone, Tone)
    assert contrast(tone.ink, tone.paper) >= 4.5


@pytest.mark.parametrize("word", WORDS)
def test_a_chip_says_its_word_on_the_colour_of_its_kind(word):
    shown = html.chip(f"{word}: qualified")
    assert f">{word}: qualified</span>" in shown
    assert html.TONES[word].paper in shown


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
        html.claim_rows([ClaimRow(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "not run", HOSTILE)]),
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
    assert unescape(re.sub(r"<.*?>", "", shown)).strip() == line
    assert re.findall(r"<\w+", shown) == ["<p"]


def test_several_sentences_are_a_list():
    assert Sentences("one\n\ntwo")._repr_markdown_() == "* one\n* two"
    assert repr(Sentences("one\ntwo")) == "one\ntwo"


def test_a_paragraph_has_its_bold_words():
    assert html.paragraph("**Yes.** It does.").html == (
        '<p class="answer"><strong>Yes.</strong> It does.</p>'
    )
    assert repr(html.paragraph("**Yes.** It does.")) == "Yes. It does."
