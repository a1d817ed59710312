"""What stands under a notebook's title: chosen by the verdicts on the published records."""

import dataclasses
import re

import nbformat
import pandas as pd
import pytest

from bonmf_lib.experiments.neural_cf import FROM_CHOSEN
from bonmf_lib.experiments.registry import EXPERIMENTS
from bonmf_lib.report import published as published_module, ranker_answers, so_far
from bonmf_lib.report.answer_table import OTHER_DATA, answer_rows
from bonmf_lib.report.answers import Answer
from bonmf_lib.report.conclusions import Card
from bonmf_lib.report.measured import RECIPE, STOPPED, Effect, Measured, measured
from bonmf_lib.report.published import Published, read_published_run
from bonmf_lib.report.questions import PICTURE
from bonmf_lib.report.short_answers import HELPS
from bonmf_lib.report.verdicts import OWN_MODEL
from bonmf_lib.runs.records import COLUMNS
from tests.conftest import ROOT

UNASKED = (
    "01_data_prep",
    "02_embedding_extraction",
    "15_your_catalogue",
)  # no claim is decided there
NOTEBOOKS = [
    path.stem
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    if path.stem not in UNASKED
]


@pytest.fixture(scope="module")
def found() -> Measured:
    return measured(read_published_run())


def with_verdict(found: Measured, claim: str, verdict: str, qualifier: str = "") -> Measured:
    claims = found.claims.copy()
    claims.loc[claim, ["verdict", "qualifier"]] = verdict, qualifier
    return dataclasses.replace(found, claims=claims)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_notebook_has_an_answer_in_plain_words(found, notebook):
    said = so_far._answer(notebook, found)
    own = {name for name in EXPERIMENTS if name[:2] == notebook[:2]}
    waits = own and not own & set(found.published.records["experiment"])
    assert ("ot published yet" in said) == bool(waits)
    assert not re.search(r"\([^()]*\(", said), "brackets in brackets"
    assert not re.search(r"tfidf|random-|-shuffled|nan", said)


def test_a_notebook_opens_with_its_own_answer():
    for notebook in NOTEBOOKS:
        text = "".join(
            cell.source
            for cell in nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
        )
        if "answer_so_far(" in text:
            assert f'answer_so_far("{notebook}"' in text


@pytest.mark.parametrize("notebook", ["00_start_here", "04_table1", "08_modality_overlap"])
def test_without_records_it_says_that_nothing_is_published(notebook):
    said = so_far.answer_so_far(notebook, Published(pd.DataFrame(columns=COLUMNS))).data
    assert said.splitlines()[2] == "Not published yet."


def test_a_part_whose_table_is_not_published_says_so(found, monkeypatch):
    monkeypatch.setattr(published_module, "is_table_published", lambda *_: False)
    assert "The variants of SVD: not published yet." in so_far._forensic_lines(found)


def test_the_sentence_on_factorisation_follows_both_verdicts(found):
    said = so_far._answer("03_model_training", found)
    assert "BoNMF beats the paper's SVD by 88.0 %" in said
    assert "That says little: predicting the mean rating errs less" in said
    lost = with_verdict(found, "BoNMF (b)", "not reproduced", "reversed")
    said = so_far._answer("03_model_training", lost)
    assert "BoNMF is beaten by the paper's SVD" in said
    assert "That says little" not in said
    won = with_verdict(found, "Wide-search (b), biased SVD", "reproduced")
    assert "Biased SVD, on IDs, errs more" in so_far._answer("03_model_training", won)


def test_how_our_own_model_was_chosen_stands_beside_its_number(found):
    assert "BoNMF+ is ours" in so_far._answer("04_table1", found)
    records = found.published.records
    old = records[records["experiment"] != "04_fresh_splits"]
    before = dataclasses.replace(found, published=dataclasses.replace(found.published, records=old))
    assert OWN_MODEL in so_far._answer("04_table1", before)
    without = records[~records["variant"].str.startswith("BoNMF+")]
    published = dataclasses.replace(found.published, records=without)
    less = dataclasses.replace(found, published=published)
    assert OWN_MODEL not in so_far._answer("04_table1", less)


def test_the_second_reading_is_grouped_by_verdict(found):
    def group(verdict: str, qualifier: str = "") -> str:
        lines = so_far._second_reading_lines(with_verdict(found, "BoNMF (j)", verdict, qualifier))
        (line,) = (line for line in lines if "Embedding size matters" in line)
        return line.partition(":")[0].strip("*")

    assert group("reproduced") == "Holds"
    assert group("direction only", "not told from zero") == "Only the direction holds"
    assert group("not reproduced", "reversed") == "The opposite holds"
    assert group("not reproduced", "not told from zero") == "Not shown"
    assert group("inconclusive") == "Not shown"
    assert group("not run") == "Not run"
    gain = found.effect("BoNMF (a), 80/20")
    (said,) = (line for line in so_far._second_reading_lines(found) if "80/20" in line)
    assert said.startswith("**On its terms") and said.endswith(f": {gain}.")


def test_errors_that_other_studies_print_are_counted_by_who_meets_them():
    ours, again, waits = (
        f"Anchor: {name}, five folds, {data}"
        for name, data in (("SVD++", "ML-100K"), ("Biased SVD", "ML-100K"), ("SVD++", "ML-1M"))
    )
    judged = pd.DataFrame(
        [
            (ours, 0.910, "not reproduced"),
            (again, 0.934, "reproduced"),
            (waits, float("nan"), "not run"),
            ("Published RMSE, ML-100K: NMF, RMSE", 0.999, "not reproduced"),
        ],
        columns=["claim", "ours", "verdict"],
    )
    assert so_far._anchor_lines(judged) == [
        "Errors that other studies print, by our models: 1 of 2 met, 1 lower.",
        "Errors that other studies print, by scikit-surprise itself: 0 of 1 met, 0 lower.",
    ]
    assert so_far._anchor_lines(judged[2:3]) == []


def text_answer(controls: str, models: str = "equivalent") -> Answer:
    table = pd.DataFrame(
        {"verdict": [models, controls, controls], "percent": 3.0, "low": 2.0, "high": 4.0},
        index=["minilm-l3", "random-text", "no text"],
    )
    return Answer("text", "minilm-l6", "cold items", (), table)


@pytest.mark.parametrize(
    ("controls", "words"),
    [
        ("worse", "The text counts"),
        ("equivalent", "The text hardly counts"),
        ("undecided", "Whether the text counts is open"),
    ],
)
def test_whether_the_text_counts_follows_the_controls(controls, words):
    said = so_far._text_line(text_answer(controls))
    assert words in said
    assert "1 of 1 other text models are shown to be within 0.5 % of minilm-l6." in said
    assert "the error changes by +3.0 % (+2.0 to +4.0, 90 %)" in said
    said = so_far._text_line(text_answer(controls, "worse"))
    assert (
        "0 of 1 other text models are shown to be within 0.5 % of minilm-l6; minilm-l3 worse."
        in said
    )
    assert "minilm-l6; 1 undecided." in so_far._text_line(text_answer(controls, "undecided"))


def test_uses_of_the_picture_are_counted_by_verdict(found, monkeypatch):
    table = pd.DataFrame(
        {"control": [False, False, False, True], "verdict": ["helps", "worse", "worse", "helps"]}
    )
    answer = Answer("picture", "no picture", "cold items, by reading", (), table)
    monkeypatch.setattr(so_far, "open_answers", lambda *_: [answer])
    assert so_far._picture_lines(found) == [
        "On cold items, by reading: 1 of 3 uses of the picture beat no picture and every control; "
        "2 do worse than no picture."
    ]


def test_a_printed_error_that_a_practice_reaches_is_said(found):
    paper = pd.DataFrame({"mse": {"BoNMF": 0.6917}})
    assert "no practice tried comes within" in so_far._printed_error(found.published, paper)
    near = pd.DataFrame({"mse": {"BoNMF": 0.7079}})
    assert "test ratings in training come" in so_far._printed_error(found.published, near)


def test_gains_stand_by_training_beside_those_of_other_movies_content():
    gain = Effect(3.8, 2.4, 5.3, "better", 5)
    beside = {RECIPE: gain, f"beside the text, {STOPPED}": gain}
    one = Card(PICTURE, HELPS, "", beside, {RECIPE: 3.1}, {}, "", None, None)
    assert so_far.gains_table([one]).splitlines() == [
        f"| what is added | gain {RECIPE} | gain {STOPPED} |",
        "|---|---|---|",
        "| posters | +3.8 % (+2.4 to +5.3); others' +3.1 % |  |",
        "| posters, beside the text |  | +3.8 % (+2.4 to +5.3) |",
    ]
    assert so_far.gains_table([]) == ""


def test_rankers_say_what_choosing_the_epoch_on_test_adds(found, monkeypatch):
    alone = pd.DataFrame(
        {
            "model": "MLP, 32 factors", "seed": 0, "epoch": [1, 2, 3, 1, 2, 3],
            "metric": ["hr@10"] * 3 + ["ndcg@10"] * 3,
            "value": [0.5, 0.69, 0.65, 0.3, 0.42, 0.43],
        }
    )  # fmt: skip
    fused = alone.assign(model=f"NeuMF, 32 factors, pretrained{FROM_CHOSEN}")
    tables = iter([pd.concat([alone, fused]), alone])
    monkeypatch.setattr(published_module, "is_table_published", lambda run, name: True)
    monkeypatch.setattr(published_module, "published_table", lambda run, name: next(tables))
    first, *verdicts, chosen = ranker_answers.lines(found)
    assert first.startswith("**No.** With as many trials") and "% (+" in first
    assert "; unsearched, over the pretrained network, +" in first
    start = "**What does it add to choose epochs by the test ratings, as the authors' code does?** "
    assert chosen.startswith(f"{start}0.040 HR@10 (*MLP, 32 factors*) to 0.040 (")
    assert (
        "0.0 % (one seed, no interval) over *MLP, 32 factors* (epochs: 3). Of 1 training" in chosen
    )
    *same, alone = ranker_answers.lines(found)  # the pretrained network is not among them
    assert same == [first, *verdicts] and alone.endswith("(*MLP, 32 factors*).")


@pytest.mark.parametrize(("outcome", "word"), [("worse", "Yes"), ("unclear", "Not shown")])
def test_the_answer_on_networks_follows_the_verdict(found, monkeypatch, outcome, word):
    effect = Effect(-1.0, -2.0, 0.5, outcome, 3)
    monkeypatch.setattr(Measured, "effect", lambda own, claim: effect)
    monkeypatch.setattr(published_module, "is_table_published", lambda run, name: False)
    assert ranker_answers.lines(found)[0].startswith(f"**{word}.** With as many trials")


def test_what_10_tells_at_length_is_not_told_twice(found):
    assert any(row.question == OTHER_DATA for row in answer_rows(found))
    said = so_far._answer("10_cross_domain", found)
    assert OTHER_DATA not in said
    assert said.count("* **Text** on random splits") == 1
