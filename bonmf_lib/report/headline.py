"""What README shows of the published records: the answer, its figure and the table of answers."""

from pathlib import Path

from matplotlib import pyplot as plt

from ..errors import RecordError
from .answer_table import answer_rows
from .conclusions import answer_text, cards
from .figures.answer import answer_forest
from .figures.general import set_style
from .measured import Measured, doubt_in_words

FIGURE = "papermill_runs/answer.svg"  # from the repository's root
# its finding stands above it, its numbers in the table below
ALT_TEXT = "Cut in MSE by question, with intervals"


def answer_block(found: Measured) -> str:
    """The answer in words, then its figure, in Markdown."""
    return f"{answer_text(found)}\n\n![{ALT_TEXT}]({FIGURE})"


def effects_text(found: Measured) -> str:
    """Every effect that the figure draws."""
    return doubt_in_words("; ".join(f"{one.question.asked} {one.measured}" for one in cards(found)))


def table_block(found: Measured) -> str:
    """The table of answers in Markdown."""
    lines = [
        "| question | the paper claims | measured: gain in MSE, + = better, 95 % interval "
        "| the claim, *by the paper's recipe*, is | where |",
        "|---|---|---|---|---|",
    ]
    for row in answer_rows(found):
        places = ", ".join(f"[{name[:2]}](notebooks/{name}.ipynb)" for name in row.notebooks)
        cells = row.question, row.paper, row.measured.replace("; ", ";<br>"), row.verdict, places
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


_BLOCKS = {"answer": answer_block, "table": table_block}


def with_answers(readme: str, found: Measured) -> str:
    """README with today's answer and table between their marks, ``<!-- answer -->`` and
    ``<!-- table -->``, each up to the next ``<!-- end -->``.

    Raises:
        RecordError: a mark is missing.
    """
    for name, block in _BLOCKS.items():
        before, start, rest = readme.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("\n<!-- end -->")
        if not start or not end:
            raise RecordError(
                f"README has no place <!-- {name} --> ... <!-- end --> for its {name}."
            )
        readme = f"{before}{start}{block(found)}{end}{after}"
    return readme


def draw(found: Measured, path: Path) -> None:
    """The figure as SVG, its effects inside as text; equal records give equal bytes."""
    with plt.rc_context():
        set_style()
        plt.rcParams["svg.hashsalt"] = "answer"
        answer_forest(cards(found)).savefig(
            path, format="svg", metadata={"Date": None, "Description": effects_text(found)}
        )
