"""What stands under a notebook's verdict: sentences chosen by verdicts, what a win means, and one
sentence where a run's data decide nothing."""

import pandas as pd

from ..claims.ledger import UNJUDGED, UNTESTABLE, readable
from ..claims.reading import read_claims
from .answer_table import OWN_MODEL, hollow_sentence
from .row_sentences import lowest_sentence
from .tables import interpret

_PAPER = "bonmf", "bonmf-review"  # the paper under audit, and its second reading
_HOLDS = "reproduced", "direction only"
_OVER_SVD = "BoNMF (b)", "BoNMF (g)"  # claims on the paper's SVD


def data_sentence(dataset: str, content: str) -> str:
    """Whether data of this name and content can decide a claim of the paper on texts and pictures,
    by ``claims.yaml``."""
    named = f"({dataset}, {content} content)"
    able = any(
        claim.source in _PAPER and claim.content == content and dataset in claim.datasets
        for claim in read_claims()
    )
    if able:
        return f"Live run: these data can decide claims of the paper {named}."
    return (
        "Live run, a demonstration: these data decide no claim of the paper "
        f"on texts and pictures {named}."
    )


def demonstration_sentence(judged: pd.DataFrame) -> str:
    """That a run is a demonstration, where it decides no claim of the paper; "" otherwise.

    Args:
        judged: the ledger of the run's records.
    """
    own = judged[judged["source"].isin(_PAPER)]
    if not own["verdict"].isin(UNJUDGED).all():
        return ""
    untestable = own[own["verdict"] == UNTESTABLE]
    if untestable.empty:
        return "This run is a demonstration: its rows decide no claim of the paper."
    data = untestable[["dataset", "content"]].drop_duplicates()
    named = "; ".join(f"{row.dataset}, {row.content} content" for row in data.itertuples())
    return f"This run is a demonstration: these data decide no claim of the paper ({named})."


def verdict_table(judged: pd.DataFrame, *claims: str) -> pd.DataFrame | None:
    """The judged ones of some claims, or of all, for reading; None where there are none."""
    shown = judged[~judged["verdict"].isin(UNJUDGED)]
    shown = shown[shown["claim"].isin(claims)] if claims else shown
    columns = ["statement", "paper", "ours", "seeds", "verdict"]
    return readable(shown).set_index("claim")[columns] if len(shown) else None


def verdict_sentences(judged: pd.DataFrame, records: pd.DataFrame, *claims: str) -> str:
    """A line per judged claim, with what its win means, and one for all the others;
    :func:`demonstration_sentence` alone where none of them is judged.

    Args:
        judged: the ledger of ``records``.
    """
    rows = judged[judged["claim"].isin(claims)]
    left = rows[rows["verdict"].isin(UNJUDGED)]
    if len(left) == len(rows) and (said := demonstration_sentence(judged)):
        return said
    lines = [
        " ".join(filter(None, (interpret(rows, claim), _meaning(claim, judged, records))))
        for claim in claims
        if not rows[rows["claim"] == claim]["verdict"].isin(UNJUDGED).all()
    ]
    for verdict, group in left.groupby("verdict"):
        lines.append(f"{verdict.capitalize()}: {'; '.join(group['claim'].unique())}.")
    return "\n".join(lines)


def _meaning(claim: str, judged: pd.DataFrame, records: pd.DataFrame) -> str:
    """What a win means where it says less than it seems to; "" elsewhere."""
    if not _holds(judged, claim):
        return ""
    if claim in _OVER_SVD and (hollow := hollow_sentence(records)):
        return f"That says little: {hollow}."
    if claim == "BoNMF (c)" and not _holds(judged, "BoNMF (c), whole"):
        picture = judged[judged["claim"] == "BoNMF (d)"]["qualifier"]
        if (picture == "reversed").any():
            return (
                "It holds because leaving the picture out helps; "
                "leaving the text out is not shown to cost anything."
            )
    return ""


def _holds(judged: pd.DataFrame, claim: str) -> bool:
    return bool(judged[judged["claim"] == claim]["verdict"].isin(_HOLDS).any())


def best_model_sentences(records: pd.DataFrame, metric: str, protocols: list[str]) -> str:
    """:func:`~bonmf_lib.report.row_sentences.lowest_sentence`, and how our own model was chosen
    where it is among the rows."""
    said = lowest_sentence(records, metric, protocols)
    return f"{said}\n{OWN_MODEL}." if "BoNMF+" in said else said
