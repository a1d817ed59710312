"""What stands under the title of every notebook: the answer so far, from the published records."""

import re
from collections.abc import Callable, Sequence

import pandas as pd
from IPython.display import Markdown

from ..claims.ledger import UNJUDGED
from ..claims.reading import claims_by_id
from ..evaluation.names import metric_name
from ..studies.practices import leak_table
from . import definition_fits, domain_counts, domains, multimodal_answers, ranker_answers
from .answer_table import OTHER_DATA, AnswerRow, answer_rows, hollow_sentence
from .answers import (
    MARGIN,
    Answer,
    chance_of_any,
    is_text_control,
    open_answers,
    ways_told_apart,
)
from .conclusions import Card, answer_text, cards, simple_sentence
from .html import escaped_markdown
from .measured import (
    RECIPE,
    STANDARDISED,
    STOPPED,
    TUNED,
    UNIT,
    WIDE,
    Measured,
    doubt,
    doubt_in_words,
    measured,
)
from .published import NotPublishedError, Published, read_published_run
from .questions import noted
from .relative import percent, span
from .tables import paper_values

_WHOLE = "00_start_here", "13_report", "14_explore"  # they give the whole answer
_COLUMNS = RECIPE, STOPPED, UNIT, STANDARDISED, TUNED, WIDE
_KEY = (
    "In brackets: 95 % intervals. *Others'*: the same texts and pictures, given to other movies; "
    "beside the text, pictures alone. "
    "*Stopped early*: at the best validation epoch. †: not certain among many tests."
)
_OWN_DATA = "MovieLens-1M with real plots and posters"
_WAITS = "Not published yet."
_EVERY = "the data sets run so far, with real texts and pictures"
_DATA = {
    "10_cross_domain": f"{_EVERY} or given vectors",
    "12_multimodal_ranking": f"{_EVERY}; Amazon's vectors are rebuilt from public graphs",
}
_TERMS = {
    "06_llm_swap": (
        "*minilm-l6*: this study's text encoder. "
        "*Own scale*: vectors as encoders give them, beside IDs; *standardised*: beside IDs and "
        "pictures; both in large batches. "
        "*Controls*: no text, random vectors, texts given to other movies. "
        "*Cold items*: movies without a training rating."
    ),
    "07_visual_fusion": (
        "*Controls*: random vectors, pictures given to other movies. "
        "*Cold items*: movies without a training rating."
    ),
    "08_modality_overlap": (
        "*Concatenation*: text and picture side by side, overlap left in. "
        "*Shared and private*: split into what both say and what only one says. "
        "*Cold items*: movies without a training rating."
    ),
}


def answer_so_far(notebook: str, published: Published | None = None) -> Markdown:
    """The published answer to a notebook's question, in Markdown.

    Args:
        notebook: its name without ending. published: instead of what is published.
    """
    found = measured(read_published_run() if published is None else published)
    return Markdown(
        f"**Answer so far**, from the published records of {_DATA.get(notebook, _OWN_DATA)}:"
        f"\n\n{_answer(notebook, found)}\n\n"
        "What follows is a live run, on this run's own data."
    )


def _answer(notebook: str, found: Measured) -> str:
    if found.published.own.empty:
        return _WAITS
    if notebook in _WHOLE:
        return answer_text(found)
    own = [one for one in cards(found) if notebook in one.question.notebooks]
    lines = [f"**{one.question.asked}** {one.answer}" for one in own]
    lines += [
        f"**{row.question}** {_SAID.get(row.question, _as_measured)(row, found)}"
        for row in answer_rows(found)[len(cards(found)) :]
        if notebook in row.notebooks and row.question != OTHER_DATA  # which 10 tells at length
    ]
    lines += _OWN_LINES[notebook](found) if notebook in _OWN_LINES else []
    said = "\n".join(f"* {line}" for line in lines)
    table = gains_table(own)
    parts = said, table, _KEY if table else "", _TERMS.get(notebook, "")
    return "\n\n".join(filter(None, parts))


def gains_table(found: Sequence[Card]) -> str:
    """Gain of every card by how the networks were trained, beside that of other movies' content, as
    a table in Markdown; "" where nothing was run."""
    rows: dict[str, dict[str, str]] = {}
    for one in found:
        for label, effect in one.beside.items():
            column = next(name for name in _COLUMNS if label.endswith(name))
            beside = label.removesuffix(column).strip(", ")
            name = ", ".join(filter(None, (one.question.row, beside)))
            others = f"; others' {percent(one.shuffled[label])}" if label in one.shuffled else ""
            rows.setdefault(name, {})[column] = f"{effect}{doubt(effect)}{others}"
    if not rows:
        return ""
    columns = [name for name in _COLUMNS if any(name in cells for cells in rows.values())]
    lines = [
        f"| what is added | {' | '.join(f'gain {name}' for name in columns)} |",
        "|---" * (1 + len(columns)) + "|",
        *(
            f"| {name} | {' | '.join(cells.get(column, '') for column in columns)} |"
            for name, cells in rows.items()
        ),
    ]
    return "\n".join(lines)


def _as_measured(row: AnswerRow, found: Measured) -> str:
    return f"{doubt_in_words(row.measured)}."


def _factorisation(row: AnswerRow, found: Measured) -> str:
    said = []
    if (paper := found.effect("BoNMF (b)")) is not None:
        verb = {
            "better": f"beats the paper's SVD by {paper.size}",
            "worse": f"is beaten by the paper's SVD by {paper.size}",
            "unclear": f"is not shown to beat the paper's SVD ({paper})",
        }
        said.append(f"BoNMF {verb[paper.outcome]}.")
        if paper.outcome == "better" and (hollow := hollow_sentence(found.published.own)):
            said.append(f"That says little: {hollow}.")
    if simple := simple_sentence(found):
        said.append(simple)
    return " ".join(said) or "This was not run on this data yet."


def _printed(row: AnswerRow, found: Measured) -> str:
    return f"{row.measured}. Verdict: {row.verdict}."


def _language_models(row: AnswerRow, found: Measured) -> str:
    """The paper's claim is about its own three models; what others do is said by the lines of
    06."""
    said = {
        "reproduced": "The paper's own three models are alike.",
        "direction only": "The paper's own three models are perhaps alike.",
        "not run": "The paper's own three models were not run.",
    }
    return said.get(row.verdict, "The paper's own three models are not shown to be alike.")


_SAID: dict[str, Callable[[AnswerRow, Measured], str]] = {
    "Does it beat plain factorisation?": _factorisation,
    "Do the printed errors reproduce?": _printed,
    "Does the language model matter?": _language_models,
}


def _open(found: Measured, number: str) -> list[Answer]:
    """The open question that a notebook asks, from its own experiments."""
    records = found.published.records
    return open_answers(records[records["experiment"].str.startswith(number)], "ml-1m")


def _text_lines(found: Measured) -> list[str]:
    return [_text_line(one) for one in _open(found, "06_")]


_CALLED = {"tfidf": "word counts"}


def _text_line(answer: Answer) -> str:
    verdicts = answer.table["verdict"]
    control = [is_text_control(name) for name in verdicts.index]
    models, controls = verdicts[[not one for one in control]], verdicts[control]
    alike = (models == "equivalent").sum()
    sides = [
        f"; {', '.join(_CALLED.get(name, name) for name in models.index[models == side])} {side}"
        for side in ("better", "worse")
        if (models == side).any()
    ]
    open_ = (models == "undecided").sum()
    sides += [f"; {open_} undecided"] if open_ else []
    said = [
        f"On {answer.where}, {alike} of {len(models)} other text models are shown to be "
        f"within {MARGIN:g} % of {answer.reference}{''.join(sides)}."
    ]
    if controls.empty:
        said.append("No control was run beside them.")
    elif (controls == "worse").all():
        said.append("The text counts: every control is worse.")
    elif (controls == "equivalent").all():
        said.append(f"The text hardly counts: every control is within {MARGIN:g} %.")
    else:
        said.append("Whether the text counts is open: not every control is worse.")
    if "no text" in answer.table.index:
        cost = answer.table.loc["no text"]
        said.append(
            f"Without text the error changes by {percent(cost['percent'])} "
            f"({span(cost['low'], cost['high'])}, 90 %)."
        )
    return " ".join(said)


def _picture_lines(found: Measured) -> list[str]:
    lines = []
    for one in _open(found, "07_"):
        real = one.table[~one.table["control"]]["verdict"]
        line = (
            f"On {one.where}: {(real == 'helps').sum()} of {len(real)} uses of the picture "
            "beat no picture and every control"
        )
        harm = (real == "worse").sum()
        lines.append(f"{line}; {harm} do worse than no picture." if harm else f"{line}.")
    return lines


def _overlap_lines(found: Measured) -> list[str]:
    answers = _open(found, "08_")
    lines = [one.sentences[-1] for one in answers if not one.nothing_found]
    for one in answers:
        for name, row in ways_told_apart(one.table).iterrows():
            side = "beats" if row["favours"] else "is worse than"
            where = escaped_markdown(one.where)
            lines.append(f"On {where}, {name} {side} concatenation by {abs(row['percent']):.1f} %.")
    families, telling = (sum(getattr(one, name) for one in answers) for name in _FAMILIES)
    if families:
        lines.append(
            f"Of {families} families of tests, {telling} tell a way from concatenation; by chance "
            f"alone at least one would with probability {chance_of_any(families):.2f}."
        )
    return lines


_FAMILIES = "families", "telling"
_GROUPS = {  # of verdicts with their qualifiers; all others are not shown
    "reproduced": "Holds",
    "direction only: not told from zero": "Only the direction holds",
    "direction only: another size": "Only the direction holds",
    "not reproduced: reversed": "The opposite holds",
    "not run": "Not run",
}
_NOT_SHOWN = "Not shown"


_ASKED_ON_ITS_TERMS = {
    "On its terms (80/20, dropout, L2), do text and pictures help IDs?": "BoNMF (a), 80/20",
    "Do they on implicit feedback?": "BoNMF (a), implicit",
}


def _second_reading_lines(found: Measured) -> list[str]:
    named: dict[str, list[str]] = {}
    for claim, row in found.claims[found.claims["source"] == "bonmf-review"].iterrows():
        group = _GROUPS.get(found.verdict(str(claim)), _NOT_SHOWN)
        named.setdefault(group, []).append(re.sub(r" \([^)]*\)$", "", row["statement"]))
    order = dict.fromkeys([*_GROUPS.values(), _NOT_SHOWN])
    lines = [f"**{said}:** {'; '.join(named[said])}." for said in order if said in named]
    lines += found.verdict_lines(_ASKED_ON_ITS_TERMS)
    return [*lines, *_anchor_lines(found.published.judged())]


def _anchor_lines(judged: pd.DataFrame) -> list[str]:
    """How many errors that other studies print are met, by our models and by scikit-surprise's."""
    run, lines = judged[~judged["verdict"].isin(UNJUDGED)], []
    for start, who in (("Anchor: ", "our models"), ("Published RMSE, ", "scikit-surprise itself")):
        rows = run[run["claim"].str.startswith(start)]
        met = rows["verdict"] == "reproduced"
        printed = rows["claim"].map(lambda claim: claims_by_id()[claim].value)
        below = (~met & (rows["ours"] < printed)).sum()
        if len(rows):
            lines.append(
                f"Errors that other studies print, by {who}: {met.sum()} of {len(rows)} met, "
                f"{below} lower."
            )
    return lines


def _forensic_lines(found: Measured) -> list[str]:
    lines = []
    for part in (_printed_error, _metric_readings, _printed_svd):
        try:
            lines.append(part(found.published, paper_values("BoNMF Table 1")))
        except NotPublishedError as error:
            lines.append(str(error))
    return lines


def _printed_error(published: Published, paper: pd.DataFrame, epochs: int = 10) -> str:
    curves = leak_table(published.rows("04_leaks", "The curves by practice"))
    printed = paper.loc["BoNMF", "mse"]
    near = curves.loc[:epochs] <= printed * (1 + definition_fits.TOLERANCE)
    reached = [str(name) for name in curves.columns if near[name].any()]
    return (
        f"**{printed:.4f}, BoNMF's printed error:** within {epochs} epochs, "
        f"{'no practice tried' if not reached else ', '.join(reached)} "
        f"{'comes' if len(reached) < 2 else 'come'} within {definition_fits.TOLERANCE:.0%} of it."
    )


def _metric_readings(published: Published, paper: pd.DataFrame) -> str:
    definitions = published.table("definitions", "The readings of the metrics")
    parts = {
        str(part): table.drop(columns="part").set_index("definition")
        for part, table in definitions.groupby("part")
    }
    values = definition_fits.by_metric(parts)["test"]
    said = []
    for name, fits in definition_fits.fits_by_name(values, paper).items():
        distinct = fits[fits["distinct"] & fits["rmse"].notna()]
        agreeing = (distinct["within"] == distinct["rows"]).sum()
        said.append(f"{agreeing} of {len(distinct)} definitions of {name}")
    return (
        f"**Printed Precision and NDCG:** {' and '.join(said)} "
        f"give every row of the paper within {definition_fits.TOLERANCE:.0%}."
    )


def _printed_svd(published: Published, paper: pd.DataFrame) -> str:
    table, printed = published.table("svd", "The variants of SVD"), paper.loc["SVD", "mse"]
    near = table.loc[(table["mse"] - printed).abs().idxmin()]
    return (
        f"**{printed:.3f}, SVD's printed error:** nearest is {near['mse']:.3f}, "
        f"{near['part']}, with {near['factors']} factors."
    )


_ASKED_OF_FEW_RATINGS = {
    "Does text relieve cold start, by the paper's recipe?": "BoNMF (e)",
    "On standardised features?": "BoNMF (e), standardised",
}
_ASKED_OF_COLD_START = {
    "Does text help on items without any rating?": "Cold-items (text)",
    "By what it says?": "Cold-items (text), content",
    "Where new items have the mean embedding?": "Cold-items (text), mean stand-in",
    "Does the network with text beat biases and a ridge on text?": "Cold-items (text), simple",
    "Does the picture help on such items?": "Cold-items (picture)",
    "By what it shows?": "Cold-items (picture), content",
    "Does it add to the text, with the mean embedding?": "Cold-items (both), mean stand-in",
    "Does text still help with five ratings revealed?": "Cold-items (text), 5 revealed",
    "Does dropping IDs in training help?": "Cold-items (text), ID dropout",
    "For users without any rating?": "Cold-users (both)",
}


def _cold_lines(found: Measured) -> list[str]:
    """The paper's claim, by its own threshold, then what 09 adds."""
    claimed = found.verdict_lines(_ASKED_OF_FEW_RATINGS, lambda claim: f"; {noted(claim.id)}")
    claimed = claimed or [_WAITS]
    own = found.verdict_lines(_ASKED_OF_COLD_START)
    return [*claimed, *(own or [f"**On items and users without any rating?** {_WAITS}"])]


def _multimodal_lines(found: Measured) -> list[str]:
    """What every data set says, with its verdicts."""
    published, lines = found.published, []
    judged = published.judged()
    for name, one in multimodal_answers.on_each(published).items():
        lines += [
            said.replace(name, f"**{name}**", 1) for said in multimodal_answers.sentences(one)
        ]
        verdicts = measured(one, judged).verdict_lines(
            multimodal_answers.ASKED, lambda claim: f", {metric_name(claim.metric)}"
        )
        lines += [f"{name}: {line}" for line in verdicts]
    return lines or [_WAITS]


def _domain_lines(found: Measured) -> list[str]:
    records = found.published.records
    read = [(places, domains.published_gains(records, places)) for places in domains.READINGS]
    known = [(places, gains) for places, gains in read if gains]
    asked = records[
        records["experiment"].isin(name for one in domains.READINGS for name in one.values())
    ]
    return [
        *domain_counts.in_short(gains for _, gains in known),
        *filter(None, [domains.mirror_sentence(asked)]),
        *(line for places, gains in known for line in domains.answers(gains, places)),
    ] or [_WAITS]


_OWN_LINES: dict[str, Callable[[Measured], list[str]]] = {
    "04_table1_forensics": _forensic_lines,
    "04_table1_second_reading": _second_reading_lines,
    "06_llm_swap": _text_lines,
    "07_visual_fusion": _picture_lines,
    "08_modality_overlap": _overlap_lines,
    "09_cold_start": _cold_lines,
    "10_cross_domain": _domain_lines,
    "11_neural_cf": lambda found: ranker_answers.lines(found) or [_WAITS],
    "12_multimodal_ranking": _multimodal_lines,
}
