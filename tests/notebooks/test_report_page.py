"""The report as a page: made from the executed notebook, complete in itself, and right in a
browser."""

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

from bonmf_lib.report.chips import contrast
from bonmf_lib.report.html import Sentences
from tests.conftest import ROOT
from tests.notebooks.browser import CHROMIUM, Browser, browser

make = nbformat.v4
TEMPLATE = ROOT / "papermill_runs/template"
NOTEBOOK = nbformat.read(ROOT / "notebooks/13_report.ipynb", as_version=4)
# of what this report says itself; sentences of the library have tests of their own
PROSE = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown"]

PAPER = 672  # pixels between the margins of A4


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


def converted(notebook) -> str:
    """As the pipeline's rule converts it."""
    exporter = HTMLExporter(
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        exclude_input=True,
    )
    return exporter.from_notebook_node(notebook)[0]


@pytest.fixture(scope="module")
def page() -> str:
    return converted(NOTEBOOK)


@pytest.fixture(scope="module")
def elements(page) -> Elements:
    return Elements(page)


def test_it_needs_nothing_from_elsewhere(page, elements):
    assert not elements.all("script") and not elements.all("iframe")
    assert [link["href"] for link in elements.all("link")] == ["data:,"]
    assert all(image["src"].startswith("data:image/png") for image in elements.all("img"))
    assert not re.search(r"@import|url\(|MathJax|require\.js", page)


def test_its_links_lead_somewhere(elements):
    ids = [found["id"] for _, found in elements.found if "id" in found]
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in elements.all("a")]
    inside = {link[1:] for link in links if link.startswith("#")}
    assert inside and inside <= set(ids)
    assert all(link.startswith(("#", "https://")) for link in links)


def test_its_contents_are_the_sections_in_order(page):
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert [int(number) for number in re.findall(r'">(\d) ', contents)] == list(range(1, 10))


def test_no_sentence_is_set_as_code(elements):
    assert not elements.all("pre")


def test_long_parts_are_folded_and_closed(page, elements):
    folded = [cell for cell in NOTEBOOK.cells if "details" in cell.metadata.get("tags", [])]
    summaries = [cell for cell in folded if cell.cell_type == "markdown"]
    assert len(elements.all("details")) == len(summaries) > 15
    assert page.count("</details>") == len(summaries)
    assert not any("open" in found for found in elements.all("details"))
    # text, then code: a summary with nothing below it would be an empty part
    for before, after in zip(NOTEBOOK.cells, NOTEBOOK.cells[1:], strict=False):
        if before in summaries:
            assert after.cell_type == "code" and after in folded


def test_its_words_are_plain_and_its_sentences_short():
    for text in PROSE:
        assert not re.search("told apart|as far as", text)
        for sentence in re.split(r"[.?!:;](?:\s|\*|$)|\n\n|\n\* ", text):
            assert len(re.findall(r"[\w'/%-]*\w[\w'/%-]*", sentence)) <= 25, sentence


@pytest.mark.parametrize("ink", ["ink", "soft", "link"])
def test_its_text_is_readable(ink):
    colours = dict(re.findall(r"--(\w+): (#\w{6});", (TEMPLATE / "report.css").read_text()))
    for paper in ("#ffffff", colours["tint"]):
        assert contrast(colours[ink], paper) >= 4.5


def test_a_fold_holds_what_is_tagged_up_to_the_next_text():
    def text(words, *tags):
        return make.new_markdown_cell(words, metadata={"tags": list(tags)})

    def shown(words, *tags):
        output = make.new_output("display_data", {"text/markdown": words})
        return make.new_code_cell("1", outputs=[output], metadata={"tags": list(tags)})

    notebook = make.new_notebook(
        cells=[
            text("# Title <b>"),
            text("## 1 One & all"),
            text("First\n\nmore", "details"),
            shown("in first", "details"),
            shown("also in first", "details"),
            text("Second", "details"),
            shown("in second", "details"),
            shown("outside"),
            text("Third", "details"),
            shown("in third", "details"),
        ]
    )
    page = converted(notebook)
    parts = re.findall(r"<details.*?<summary>(\w+)</summary>(.*?)</details>", page, re.DOTALL)
    words = {name: re.sub(r"<.*?>", " ", inside).split() for name, inside in parts}
    assert words == {
        "First": ["more", "in", "first", "also", "in", "first"],
        "Second": ["in", "second"],
        "Third": ["in", "third"],
    }
    assert "<title>Title &lt;b&gt;</title>" in page
    assert '<a href="#1-One-&amp;-all">1 One &amp; all</a>' in page


@pytest.mark.case(
    "hostile",
    "a sentence of the report that holds `<script>...</script>`",
    "shown as the text that it is",
)
def test_figures_keep_their_words_and_sentences_run_nothing():
    figure = make.new_output(
        "display_data",
        {"image/png": "iVBORw0KGgo="},
        metadata={"image/png": {"alt": 'Gains "in" percent'}},
    )
    hostile = Sentences("<script>alert(1)</script> **x**")._repr_markdown_()
    sentence = make.new_output("display_data", {"text/markdown": hostile})
    cells = [make.new_markdown_cell("# T"), make.new_code_cell("1", outputs=[figure, sentence])]
    page = Elements(converted(make.new_notebook(cells=cells)))
    assert page.all("img")[0]["alt"] == 'Gains "in" percent'
    assert not page.all("script") and not page.all("strong")


@pytest.fixture(scope="module")
def tab(page, tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page, encoding="utf-8")
    with browser() as found:
        yield found, file


def opened(tab: tuple[Browser, Path], width: int, height: int = 800) -> Browser:
    found, file = tab
    found.open(file, width, height)
    return found


def test_the_answer_is_above_the_fold(tab):
    shown = opened(tab, 1280)
    answer = shown.value("document.querySelector('.answer').getBoundingClientRect().toJSON()")
    assert answer["top"] > 0 and answer["bottom"] < 800
    assert answer["width"] <= 720
    words = shown.value("document.querySelector('.answer strong').textContent")
    assert words.startswith("Text ")


def test_every_internal_link_shows_its_target(tab):
    shown = opened(tab, 1280)
    missed = shown.value("""
        [...document.querySelectorAll('a[href^="#"]')].filter(link => {
            link.click();
            const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
            if (!target) return true;
            const {top, bottom} = target.getBoundingClientRect();
            return top > innerHeight || bottom < 0;
        }).map(link => link.hash)""")
    assert missed == []


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_window(tab, width):
    shown = opened(tab, width)
    shown.value("document.querySelectorAll('details').forEach(part => part.open = true)")
    page, window = shown.value(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert page <= window


def test_the_contents_stay_in_sight(tab):
    for width in (390, 1280):
        shown = opened(tab, width)
        shown.value("scrollTo(0, 5000)")
        assert shown.value("document.querySelector('nav').getBoundingClientRect().top") == 0


def test_it_prints_on_paper_without_its_contents(tab):
    shown = opened(tab, PAPER)
    shown.call("Emulation.setEmulatedMedia", media="print")
    assert shown.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert shown.value("getComputedStyle(document.querySelector('.answer')).display") == "block"
    widths = "[...document.querySelectorAll('img')].map(picture => picture.clientWidth)"
    assert 300 < max(shown.value(widths)) <= PAPER
    assert shown.value("document.documentElement.scrollWidth") <= PAPER
    shown.call("Emulation.setEmulatedMedia", media="")


def test_it_raises_no_error_and_asks_for_nothing(tab):
    shown = opened(tab, 1280)
    assert shown.errors == []
    assert {address.partition(":")[0] for address in shown.requests} <= {"file", "data"}
