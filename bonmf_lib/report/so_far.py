"""What stands under the title of every notebook: the answer so far, from the published records."""

from IPython.display import Markdown

from .answer_table import answer_rows
from .answers import Answer, open_answers
from .conclusions import Measured, answer_paragraph, cards, measured
from .published import Published, read_published_run

_WHOLE = "00_start_here", "13_report", "14_explore"  # they give the whole answer
# the paper's open questions, by the notebook that asks them
_OPEN = {
    "06_llm_swap": "text",
    "07_visual_fusion": "picture",
    "08_modality_overlap": "overlap",
}


def answer_so_far(notebook: str, published: Published | None = None) -> Markdown:
    """The published answer to a notebook's question, in Markdown.

    Args:
        notebook: its name without ending. published: instead of what is published.
    """
    found = measured(read_published_run() if published is None else published)
    said = "\n".join(f"* {line}" for line in _lines(notebook, found))
    return Markdown(
        "**Answer so far**, from the published records of MovieLens-1M with real plots and "
        f"posters:\n\n{said}\n\nWhat follows is a live run, on this run's own data."
    )


def _lines(notebook: str, found: Measured) -> list[str]:
    if notebook in _WHOLE:
        return [answer_paragraph(found)]
    lines = [
        f"{one.question} {one.answer} ({one.measured})"
        for one in cards(found)
        if notebook in one.notebooks
    ]
    asked = {one.question for one in cards(found)}
    lines += [
        f"{row.question} {row.measured}."
        for row in answer_rows(found)
        if notebook in row.notebooks and row.question not in asked
    ]
    if notebook in _OPEN:
        answers = open_answers(found.published.records, found.published.dataset)
        lines += _open_lines([one for one in answers if one.question == _OPEN[notebook]])
    return lines or ["Not published yet."]


def _open_lines(answers: list[Answer]) -> list[str]:
    said = [one.sentences[-1] for one in answers if not one.nothing_found]
    if nothing := [one.where for one in answers if one.nothing_found]:
        said.append(f"On {'; '.join(nothing)}: no way of taking overlap out is shown to help.")
    return said
