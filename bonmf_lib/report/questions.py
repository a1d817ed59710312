"""The questions that the study answers, each with the claims and comparisons that answer it."""

import re
from dataclasses import dataclass
from functools import cache

from ..claims.reading import claims_by_id, read_claims

BESIDE_TEXT = "beside the text, "  # how labels of comparisons beside the text begin
# checks of 05 and 09 on what one input adds, all else being real
PLOTS, PICTURES_CONTENT = "One-input (plots)", "One-input (picture)"
UNRATED_TEXT, UNRATED_PICTURE = "Cold-items (text)", "Cold-items (picture)"  # checks of 09


@dataclass(frozen=True, eq=False)
class Question:
    """A question of the study, and which judged comparisons answer it.

    Attributes:
        asked: as a reader would ask it. subject: what is added, in the plural. base: to what.
        row: the subject, as a row of a table is called. bought: likewise, as something to pay for;
        "" where it is not told apart from what is bought for the other questions.
        paper: the claim of the paper on it. decides: the check that answers it, on native
        features, stopped early.
        content: the same against shuffled content; a gain counts only where this one is better
            too; "" where it is no check.
        tuned: the check with searched settings; "" where there is none.
        beside_text: the check of the same beside the text, stopped early; beside_text_tuned: with
        searched settings; "" where there is none.
        wide, beside_text_wide: the checks of the same searched widely; likewise.
        comparisons: of ``COMPARISONS``, which both centres of the recipe show, with what their
            labels begin.
        notebooks: where it is studied. compares: with what labels of the paper's claim begin.
        standardised: the check of the paper's claim on standardised features.
    """

    asked: str
    subject: str
    base: str
    row: str
    paper: str
    decides: str
    content: str
    tuned: str
    comparisons: dict[str, str]
    notebooks: tuple[str, ...]
    beside_text: str = ""
    beside_text_tuned: str = ""
    wide: str = ""
    beside_text_wide: str = ""
    bought: str = ""
    compares: str = ""
    standardised: str = ""

    @property
    def claimed(self) -> float | None:
        """The gain that the paper prints, in percent."""
        found = re.fullmatch(r"([+-]\d+(?:\.\d+)?) %", paper_says()[self.paper])
        return float(found[1]) if found else None


@cache
def paper_says() -> dict[str, str]:
    """What the papers print or say, by claim."""
    return {claim.id: claim.paper for claim in read_claims()}


@cache
def claimed() -> dict[str, str]:
    """The papers' claims as one phrase each, with the printed number where there is one."""
    phrases = {}
    for claim in read_claims():
        statement, printed = re.sub(r" \([^()]*\)$", "", claim.statement), claim.paper
        in_it = printed == "in words" or printed.strip("+< ") in statement
        phrases[claim.id] = statement if in_it else f"{statement}: {printed}"
    return phrases


def noted(claim: str) -> str:
    """The note on a claim, as a part of a sentence; "" without one."""
    note = claims_by_id()[claim].note
    return note[:1].lower() + note[1:].removesuffix(".")


BOTH = Question(
    asked="Do text and pictures together help?",
    subject="texts and posters together",
    base="IDs alone",
    row="texts and posters",
    paper="BoNMF (a), size",
    decides="BoNMF (a), native, early stopped",
    content="BoNMF (a), native, content, early stopped",
    tuned="BoNMF (a), tuned",
    comparisons={"(a)": ""},
    notebooks=("03_model_training", "04_table1", "05_ablations"),
    wide="Wide-search (a)",
    standardised="BoNMF (a), standardised",
)
TEXT = Question(
    asked="Does text help?",
    subject="texts",
    base="IDs alone",
    row="texts",
    paper="BoNMF (c)",
    decides="BoNMF (text), native, early stopped",
    content="BoNMF (text), native, content, early stopped",
    tuned="",
    comparisons={"text": ""},
    notebooks=("05_ablations", "06_llm_swap"),
    wide="Wide-search (text)",
    bought="Text",
    compares="texts over posters, ",
    standardised="BoNMF (c), standardised",
)
PICTURE = Question(
    asked="Do pictures help?",
    subject="posters",
    base="IDs alone",
    row="posters",
    paper="BoNMF (d)",
    decides="BoNMF (picture), native, early stopped",
    content="BoNMF (picture), native, content, early stopped",
    tuned="",
    comparisons={"picture": "", "(d)": BESIDE_TEXT},
    notebooks=("05_ablations", "07_visual_fusion"),
    beside_text="BoNMF (d), native, early stopped",
    beside_text_tuned="BoNMF (d), tuned",
    beside_text_wide="Wide-search (d)",
    bought="Pictures",
    compares=BESIDE_TEXT,
    standardised="BoNMF (d), standardised",
)
NEW_ITEMS = Question(
    asked="Does text help items with few ratings?",
    subject="on movies with fewer than five ratings, texts",
    base="IDs alone",
    row="texts, on movies with fewer than five ratings",
    paper="BoNMF (e)",
    decides="BoNMF (e), native, early stopped",
    content="",
    tuned="BoNMF (e), tuned",
    comparisons={"(e)": ""},
    notebooks=("04_table1", "05_ablations", "09_cold_start"),
    bought="Text for items with few ratings",
    standardised="BoNMF (e), standardised",
)
QUESTIONS = BOTH, TEXT, PICTURE, NEW_ITEMS
