"""What the report says of the whole study: the answer, whom it serves, claims in groups, the
paper's table, and what a run adds.

Functions yield what :func:`bonmf_lib.report.published.show` shows.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from ..claims.judge import VERDICTS
from ..claims.ledger import (
    SECOND_READING,
    UNJUDGED,
    ledger,
    qualified,
    readable,
    undefined_claims,
    unrun_claims,
    untestable_lines,
    untestable_reasons,
)
from ..claims.reading import OWN_SOURCE, read_claims
from ..datasets.words import shown_name
from . import html, tables
from .answer_table import answer_rows
from .conclusions import Card, answer_text, cards, over_biased_svd, simple_sentence
from .measured import Measured
from .published import Parts
from .relative import percent
from .row_sentences import searched_worse_sentence
from .sections import main_rows
from .verdicts import demonstration_sentence


def answer(found: Measured) -> Parts:
    """The answer with its numbers, then a card per question."""
    yield html.paragraph(answer_text(found))
    yield html.cards(
        [
            html.card(one.question.asked, one.short.word, one.answer, one.measured)
            for one in cards(found)
        ]
    )


def answer_table(found: Measured) -> Parts:
    """Questions, what the paper says, what was measured, and where."""
    yield html.table(
        (
            "question",
            "the paper says",
            "measured",
            "the paper's claim, by its recipe, is",
            "notebooks",
        ),
        [
            (
                row.question,
                row.paper,
                html.lines_cell(row.measured),
                html.chip_cell(row.verdict),
                ", ".join(name.partition("_")[0] for name in row.notebooks),
            )
            for row in answer_rows(found)
        ],
    )


def advice(found: Measured) -> Parts:
    """When to pay for text or pictures, chosen by the verdicts on them."""
    lines = [_advice(one) for one in cards(found) if one.question.bought]
    if (simple := over_biased_svd(found)) is not None:
        first = " Try it first." if simple.outcome != "better" else ""
        lines.append(f"{simple_sentence(found)}{first}")
    yield "\n".join(lines)


def _advice(one: Card) -> str:
    said = one.answer.partition(": ")[2] or one.answer
    return f"{one.question.bought}, {one.short.worth}: {said}"


@dataclass(frozen=True)
class Group:
    """Claims that the report lists and counts together.

    Attributes:
        kind: what they are called after their number. takes: which rows of a ledger, as booleans.
    """

    kind: str
    takes: Callable[[pd.DataFrame], pd.Series]


def _of_table(rows: pd.DataFrame) -> pd.Series:
    return rows["claim"].str.startswith("BoNMF Table 1: ")


def _undefined(rows: pd.DataFrame) -> pd.Series:
    return rows["claim"].isin(undefined_claims())


def _own(rows: pd.DataFrame) -> pd.Series:
    return rows["source"] == OWN_SOURCE


def _second(rows: pd.DataFrame) -> pd.Series:
    return rows["claim"].str.match(SECOND_READING)


def _paper(rows: pd.DataFrame) -> pd.Series:
    return rows["source"] == "bonmf"


def _run(rows: pd.DataFrame) -> pd.Series:
    return rows["verdict"] != "not run"


GROUPS = {
    "comparisons": Group("comparisons of the paper", lambda rows: _paper(rows) & ~_of_table(rows)),
    "printed": Group(
        "printed errors", lambda rows: _paper(rows) & _of_table(rows) & ~_undefined(rows)
    ),
    "undefined": Group(
        "printed numbers whose definition the paper does not give",
        lambda rows: _paper(rows) & _undefined(rows),
    ),
    "second reading": Group(
        "claims of the second reading", lambda rows: _second(rows) & ~_own(rows)
    ),
    "second checks": Group(
        "checks of the second reading", lambda rows: _second(rows) & _own(rows) & _run(rows)
    ),
    "checks": Group("checks of ours", lambda rows: _own(rows) & ~_second(rows) & _run(rows)),
    "others": Group(
        "claims of other papers",
        lambda rows: ~_own(rows) & ~_paper(rows) & ~_second(rows) & _run(rows),
    ),
}


def claims(judged: pd.DataFrame, group: str, dataset: str = "ml-1m") -> Parts:
    """How many claims of one group have which verdict, then a row each, in the order of
    ``claims.yaml``, but for those that nothing at hand can test, which stand below by the reason.

    Args:
        judged: a ledger. group: of ``GROUPS``. dataset: on which a row does not name its data.
    """
    found = GROUPS[group]
    rows = judged[found.takes(judged)]
    if rows.empty:
        yield f"No {found.kind} were judged."
        return
    counts = rows["verdict"].value_counts()
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts)
    yield f"{len(rows)} {found.kind}: {said}."
    listed = rows.drop(untestable_reasons(rows).index)
    if told := [_claim_row(row, dataset) for row in _with_intervals(listed)]:
        yield html.claim_rows(told)
    if untestable := untestable_lines(rows):
        yield "\n".join(untestable)


def _with_intervals(rows: pd.DataFrame) -> Iterator:
    order = {claim.id: place for place, claim in enumerate(read_claims())}
    shown = rows.assign(measured=readable(rows, everything=True)["ours"])
    return shown.sort_values(
        "claim", key=lambda names: names.map(order), kind="stable"
    ).itertuples()


_SAID_BY = {"bonmf-review": "second reading"}  # where that is not the paper itself


def _claim_row(row, dataset: str) -> html.ClaimRow:
    elsewhere = row.verdict not in UNJUDGED and row.dataset != dataset
    unsure = tables.not_certain(row)
    notes = (
        f"On {shown_name(row.dataset)}." if elsewhere else "",
        f"{unsure[:1].upper()}{unsure[1:]}." if unsure else "",
        row.note,
    )
    return html.ClaimRow(
        row.statement,
        row.claim,
        row.paper,
        row.measured,
        qualified(row),
        [*filter(None, notes)],
        _SAID_BY.get(row.source, "paper"),
    )


_WAITING = {OWN_SOURCE: "checks of ours", "bonmf": "of this paper"}


def waiting_sentence(judged: pd.DataFrame) -> str:
    """How many claims of each source no notebook tests yet, in one line."""
    left = unrun_claims(judged)["claims"].sort_values(ascending=False)
    if left.empty:
        return "Every claim was tested."
    others = left.drop(list(_WAITING), errors="ignore")
    parts = [f"{left[source]} {name}" for source, name in _WAITING.items() if source in left]
    if len(others):
        named = ", ".join(f"{source} {count}" for source, count in others.items())
        parts.append(f"{others.sum()} of other papers ({named})")
    return f"Not run yet: {'; '.join(parts)}."


def table_one(found: Measured) -> Parts:
    """The rows of the paper's table from the lowest of our errors up, beside its own; then the rows
    that it lacks."""
    records = main_rows(found.published.own)
    printed = tables.paper_values("BoNMF Table 1")
    paper, shown = (
        printed["mse"],
        tables.side_by_side(records, "mse", ("as published", "tuned"), printed),
    )
    means, lowest = _means(records), records[records["metric"] == "mse"]
    rest = lowest.groupby(["variant", "protocol"])["value"].mean().groupby("variant").min()
    verdicts = {
        claim.variant: found.verdict(claim.id)
        for claim in read_claims()
        if claim.id.startswith("BoNMF Table 1") and claim.metric == "mse"
    }
    yield html.table(
        ("model", "paper", "ours, as published", "difference", "ours, tuned", "the paper's MSE is"),
        [
            (
                name,
                shown.loc[name, "paper"],
                shown.loc[name, "as published"],
                percent(100 * (means[name] / paper[name] - 1)),
                shown.loc[name, "tuned"],
                html.chip_cell(verdicts[name]),
            )
            for name in means.sort_values().index
            if name in paper.index
        ],
    )
    yield html.table(
        ("rows that the paper lacks", "ours, as published", "ours, tuned"),
        [
            (name, shown.loc[name, "as published"], shown.loc[name, "tuned"])
            for name in rest[shown.index].sort_values().index
            if name not in paper.index
        ],
    )
    if said := searched_worse_sentence(records, ("as published", "tuned")):
        yield said


def _means(records: pd.DataFrame) -> pd.Series:
    """Mean MSE by variant, as published or solved in closed form."""
    chosen = records["protocol"].isin(["as published", "closed form"]) & (
        records["metric"] == "mse"
    )
    return records[chosen].groupby("variant")["value"].mean()


def decided_by(records: pd.DataFrame, run: str, across: pd.DataFrame | None = None) -> Parts:
    """The claims that a run's own data decide; one sentence where they decide none.

    Args:
        run: what it is called. across: differences across users that it keeps.
    """
    judged = ledger(records, across)
    rows = judged[~judged["verdict"].isin(UNJUDGED)]
    if rows.empty:
        yield demonstration_sentence(judged) or f"This run ({run}) decides no claim."
        return
    yield f"This run ({run}) decides {len(rows)} claims and checks."
    own = rows["dataset"].iloc[0]
    yield html.claim_rows([_claim_row(row, own) for row in _with_intervals(rows)])
