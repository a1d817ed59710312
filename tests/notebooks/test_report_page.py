"""The reports as pages, the study's and an audit's: made from executed notebooks, complete in
themselves, and right in a browser."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from traitlets.config import Config

from bonmf_lib.audit.command import ONLY_IN_THE_NOTEBOOK, _entitle
from bonmf_lib.report.chips import READABLE, contrast
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


def converted(notebook, left_out: str = "") -> str:
    """As the pipeline's rule converts it, or an audit, which leaves out cells by their tag."""
    chosen = Config()
    chosen.TagRemovePreprocessor.enabled = bool(left_out)
    chosen.TagRemovePreprocessor.remove_cell_tags = {left_out}
    exporter = HTMLExporter(
        config=chosen,
        template_name=TEMPLATE.name,
        extra_template_basedirs=[str(TEMPLATE.parent)],
        exclude_input=True,
    )
    return exporter.from_notebook_node(notebook)[0]


@pytest.fixture(scope="module")
def page() -> str:
    return converted(NOTEBOOK)


@pytest.fixture(scope="module")
def audit_page() -> str:
    notebook = nbformat.read(ROOT / "notebooks/15_your_catalogue.ipynb", as_version=4)
    return converted(notebook, ONLY_IN_THE_NOTEBOOK)


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


@pytest.mark.case(
    "hostile",
    "an audit of a folder named `<img src=x onerror=...>` or `<script>`",
    "the report's title shows the name as text",
)
@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "<script>alert(1)<script>", "a*b*"]
)
def test_a_catalogues_name_is_text_in_its_title(tmp_path, name):
    file, title = tmp_path / "executed.ipynb", f"{name}: what is it worth?"
    nbformat.write(make.new_notebook(cells=[make.new_markdown_cell("# Notebook\n\nWhy")]), file)
    _entitle(file, title)
    page = converted(nbformat.read(file, as_version=4))
    found = Elements(page)
    assert not any(found.all(tag) for tag in ("img", "script", "em"))
    heading = re.search(r"<h1[^>]*>(.*?)<a class", page, re.DOTALL)[1]
    assert [unescape(heading), unescape(re.search("<title>(.*)</title>", page)[1])] == [title] * 2


@pytest.fixture(scope="module")
def tab(page, audit_page, tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    folder = tmp_path_factory.mktemp("pages")
    for name, text in (("report", page), ("audit", audit_page)):
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    with browser() as found:
        yield found, folder


def opened(
    tab: tuple[Browser, Path], width: int, height: int = 800, name: str = "report"
) -> Browser:
    found, folder = tab
    found.open(folder / f"{name}.html", width, height)
    return found


def unfolded(tab: tuple[Browser, Path], width: int, name: str) -> Browser:
    """A page with all its folded parts open."""
    shown = opened(tab, width, name=name)
    shown.value("document.querySelectorAll('details').forEach(part => part.open = true)")
    return shown


both = pytest.mark.parametrize("name", ["report", "audit"])


def test_the_answer_is_above_the_fold(tab):
    shown = opened(tab, 1280)
    answer = shown.value("document.querySelector('.answer').getBoundingClientRect().toJSON()")
    assert answer["top"] > 0 and answer["bottom"] < 800
    assert answer["width"] <= 720
    words = shown.value("document.querySelector('.answer strong').textContent")
    assert words.startswith("Text ")


def test_an_audits_answer_is_above_the_fold(tab):
    shown = opened(tab, 1280, name="audit")
    answer = shown.value("document.querySelector('.answer').getBoundingClientRect().toJSON()")
    assert answer["top"] > 0 and answer["bottom"] < 800


@both
def test_every_internal_link_shows_its_target(tab, name):
    shown = opened(tab, 1280, name=name)
    assert shown.value("""document.querySelectorAll('a[href^="#"]').length""") > 4
    missed = shown.value("""
        [...document.querySelectorAll('a[href^="#"]')].filter(link => {
            link.click();
            const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
            if (!target) return true;
            const {top, bottom} = target.getBoundingClientRect();
            return top > innerHeight || bottom < 0;
        }).map(link => link.hash)""")
    assert missed == []


# every pair of colours that some seen text has, ink and paper, with one such text
_COLOURS = """
(() => {
    const found = {}, walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const words = walker.currentNode.textContent.trim();
        const holder = walker.currentNode.parentElement;
        const style = getComputedStyle(holder);
        if (!words || !holder.getClientRects().length || style.visibility !== "visible") continue;
        let paper = holder;
        while (paper && getComputedStyle(paper).backgroundColor === "rgba(0, 0, 0, 0)")
            paper = paper.parentElement;
        const behind = paper ? getComputedStyle(paper).backgroundColor : "rgb(255, 255, 255)";
        found[[style.color, behind].join("; ")] ||= words.slice(0, 60);
    }
    return found;
})()"""


def _hex(colour: str) -> str:
    """``#rrggbb`` of an opaque colour, as a browser gives it."""
    red, green, blue = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour).groups()
    return f"#{int(red):02x}{int(green):02x}{int(blue):02x}"


@both
@pytest.mark.parametrize("width", [390, 1280])
def test_every_text_is_readable_on_what_is_behind_it(tab, width, name):
    found = unfolded(tab, width, name).value(_COLOURS)
    assert len(found) > 4
    for colours, words in found.items():
        ink, paper = map(_hex, colours.split("; "))
        assert contrast(ink, paper) >= READABLE, (ink, paper, words)


def test_pale_text_would_be_seen(tab):
    shown = opened(tab, 1280)
    shown.value("document.querySelector('.answer').style.color = '#999999'")
    pairs = [tuple(map(_hex, colours.split("; "))) for colours in shown.value(_COLOURS)]
    assert any(contrast(*pair) < READABLE for pair in pairs)


# words whose letters and digits stand on more than one line
_BROKEN = """
(() => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode, range = document.createRange();
        if (node.parentElement.closest("code, pre, .skip")) continue;
        for (const word of node.textContent.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
            if (lines.size > 1) found.push(word[0]);
        }
    }
    return found;
})()"""


@both
@pytest.mark.parametrize("width", [390, 1280])
def test_no_word_is_broken(tab, width, name):
    assert unfolded(tab, width, name).value(_BROKEN) == []


def test_a_broken_word_would_be_seen(tab):
    shown = opened(tab, 390)
    shown.value("document.querySelector('.answer').style = 'width: 3em; word-break: break-all'")
    assert shown.value(_BROKEN)


def test_a_narrow_screen_shows_each_answer_below_its_question(tab):
    shown = opened(tab, 390)
    cell = "document.querySelector('table.reading td:nth-child(3)')"
    assert shown.value(f"{cell}.getBoundingClientRect().right") <= 390
    assert "measured" in shown.value(f"getComputedStyle({cell}, '::before').content")


@both
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_window(tab, width, name):
    shown = unfolded(tab, width, name)
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


@both
def test_it_raises_no_error_and_asks_for_nothing(tab, name):
    shown = opened(tab, 1280, name=name)
    assert shown.errors == []
    assert {address.partition(":")[0] for address in shown.requests} <= {"file", "data"}
