"""The answers in plain words: chosen by verdicts, equal everywhere, and README shows them."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from bonmf_lib.__main__ import main
from bonmf_lib.claims.ledger import COLUMNS as LEDGER
from bonmf_lib.errors import RecordError
from bonmf_lib.experiments.table1 import ON_FRESH_SPLITS
from bonmf_lib.report import headline
from bonmf_lib.report.answer_table import answer_rows, hollow_sentence
from bonmf_lib.report.conclusions import answer_text, card, cards, lead
from bonmf_lib.report.figures import general
from bonmf_lib.report.figures.answer import answer_forest
from bonmf_lib.report.measured import (
    DOUBT,
    RECIPE,
    STANDARDISED,
    STOPPED,
    TUNED,
    UNIT,
    WIDE,
    Effect,
    Measured,
    Tally,
    _told_by_itself,
    doubt,
    measured,
)
from bonmf_lib.report.published import Published, read_published_run
from bonmf_lib.report.questions import (
    BESIDE_TEXT,
    BOTH,
    NEW_ITEMS,
    PICTURE,
    QUESTIONS,
    TEXT,
    claimed,
)
from bonmf_lib.report.short_answers import (
    DEPENDS,
    HARMS,
    HARMS_BESIDE_TEXT,
    HELPS,
    NO_CLEAR_GAIN,
    NOT_RUN,
)
from bonmf_lib.report.specification_effects import OWN_SPREAD
from bonmf_lib.runs.records import COLUMNS
from bonmf_lib.storage import project_root

NOTHING = pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=["comparison", "content"]))


def judged(**outcomes: str) -> Measured:
    """What a ledger with these outcomes says; keys are fields of ``Question``."""
    verdicts = {
        "better": ("reproduced", "", 3.0, 2.0, 4.0),
        "worse": ("not reproduced", "reversed", -3.0, -4.0, -2.0),
        "unclear": ("not reproduced", "not told from zero", -0.1, -1.0, 0.8),
        "perhaps": ("direction only", "not told from zero", 8.0, 1.0, 15.0),
        "smaller": ("direction only", "another size", 3.0, 2.0, 4.0),
    }
    rows = {}
    for field, outcome in outcomes.items():
        verdict, qualifier, gain, low, high = verdicts[outcome]
        rows[getattr(TEXT, field)] = dict.fromkeys(LEDGER, "") | {
            "verdict": verdict, "qualifier": qualifier, "ours": gain, "low": low, "high": high,
            "seeds": 5,
        }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index", columns=LEDGER)
    empty = Published(pd.DataFrame(columns=COLUMNS))
    return Measured(empty, table, dict.fromkeys((RECIPE, STOPPED, UNIT), NOTHING), {})


@pytest.fixture(scope="module")
def found() -> Measured:
    return measured(read_published_run())


@pytest.mark.parametrize(
    ("outcomes", "chip", "said"),
    [
        ({}, "not run", "not run on this data"),
        ({"decides": "better"}, "helps", "Yes: texts lower the error of IDs alone by 3.0 % (2.0"),
        ({"decides": "better", "content": "better"}, "helps", "Yes: texts lower"),
        ({"decides": "smaller", "content": "better"}, "helps", "Yes: texts lower"),
        (
            {"decides": "better", "content": "unclear"},
            "not by content",
            "Not shown to be by what they say",
        ),
        (
            {"decides": "better", "content": "worse"},
            "not by content",
            "Not shown to be by what they say",
        ),
        ({"decides": "worse", "content": "better"}, "harms", "No: texts raise the error of IDs"),
        ({"decides": "unclear"}, "no clear gain", "No clear gain: texts −0.1 % (−1.0 to +0.8)"),
        ({"decides": "perhaps"}, "no clear gain", "not certain among many"),
    ],
)
def test_an_answer_follows_the_verdicts(outcomes, chip, said):
    answered = card(TEXT, judged(**outcomes))
    assert answered.short.word == chip and said in answered.answer
    assert ("not certain" in answered.answer) == ("perhaps" in outcomes.values())


def test_the_lead_follows_the_chips(found):
    text, picture = (replace(card(question, found), tallies={}) for question in (TEXT, PICTURE))
    chips = {
        (HELPS, NO_CLEAR_GAIN): "For movie ratings, text helps; the picture is not shown to help.",
        (DEPENDS, HELPS): (
            "For movie ratings, text helps in some training setups, not in all; the picture helps."
        ),
        (HARMS, HARMS): "For movie ratings, text harms; the picture harms.",
    }
    for (of_text, of_picture), said in chips.items():
        assert lead([replace(text, short=of_text), replace(picture, short=of_picture)]) == said


@pytest.mark.parametrize(
    ("tally", "said"),
    [
        (Tally(3, 2, 0, 4), "text helps by its content in 2 of 4 training setups;"),
        (Tally(3, None, 0, 4), "text helps in some training setups, not in all;"),
    ],
)
def test_the_lead_says_how_far_an_answer_that_depends_holds(found, tally, said):
    text = replace(card(TEXT, found), short=DEPENDS, tallies={"": tally})
    assert said in lead([text, card(PICTURE, found)])


def test_the_lead_says_how_often_a_picture_harms_beside_the_text(found):
    tallies = {BESIDE_TEXT: Tally(0, None, 3, 4)}
    picture = replace(card(PICTURE, found), short=HARMS_BESIDE_TEXT, tallies=tallies)
    assert lead([card(TEXT, found), picture]).endswith("harms beside text in 3 of 4.")
    assert str(tallies[BESIDE_TEXT]) == "helps in 0 of 4 setups, harms in 3"


def test_published_effects_are_those_of_the_ledger_and_of_the_curve(found):
    for question in QUESTIONS:
        shown, decides = card(question, found).beside, found.effect(question.decides)
        assert shown[STOPPED] == decides
        (first, *_) = question.comparisons
        reading = found.reading(first, STOPPED)
        assert (reading.gain, reading.splits) == (pytest.approx(decides.gain), decides.splits)
        assert shown[RECIPE] == found.reading(first, RECIPE)
        tuned = found.effect(question.tuned) or found.searched(first)
        widely = found.effect(question.wide) if question.wide else None
        assert shown.get(WIDE) == widely
        stands = widely is not None and widely.splits >= OWN_SPREAD
        assert shown.get(TUNED) == (None if stands else tuned)
        assert str(found.tallies[first]) in card(question, found).measured


def test_sentences_are_short_and_say_every_effect(found):
    said = answer_text(found)
    bare = re.sub(r"[+−]?\d+(?:\.\d+)?(?: %)?(?: \([^)]*\))?", "", said)
    assert max(len(part.split()) for part in re.split(r"[.:;]", bare)) <= 25
    of_ratings, _, of_rankers = said.partition("**Rankers of")
    words = [len(part.replace("\n* ", "\n").split()) for part in (of_ratings, of_rankers)]
    assert words[0] < 200 and words[1] < 110
    for label in (RECIPE, "at its best validation epoch", "shuffled"):
        assert label in said
    assert TUNED in said or WIDE in said
    assert str(found.effect("BoNMF (text), native, early stopped")) in said


@pytest.mark.parametrize("label", [RECIPE, STANDARDISED])
@pytest.mark.parametrize(("low", "chip"), [(0.5, "helps"), (-0.5, "depends")])
def test_a_gain_that_another_reading_does_not_show_depends(label, low, chip, monkeypatch):
    other = Effect(1.0, low, 1.5, "better" if low > 0 else "unclear", 5)
    found = judged(decides="better", content="better")
    monkeypatch.setattr(Measured, "standardised", lambda *_: other if label != RECIPE else None)
    monkeypatch.setattr(
        Measured, "reading", lambda _, __, of, *content: other if of == label else None
    )
    answered = card(TEXT, found)
    assert answered.short.word == chip
    assert (label in answered.answer) == (chip == "depends")


def test_a_picture_that_harms_beside_the_text_is_said_so(found):
    answered = card(PICTURE, found)
    assert answered.short == HARMS_BESIDE_TEXT and "beside the text they add" in answered.answer
    assert "harms beside text" in lead(cards(found))
    claims = found.claims.copy()
    claims.loc[PICTURE.beside_text, "qualifier"] = "not told from zero"
    assert card(PICTURE, replace(found, claims=claims)).short == NO_CLEAR_GAIN


def test_the_effect_that_a_verdict_rests_on_stands_beside_it(found):
    for question in QUESTIONS:
        said = card(question, found).measured.split("; ")
        label, scaled = f"{question.compares}recipe", found.effect(question.standardised)
        assert sum(part.startswith(f"{label} {found.effect(question.paper)}") for part in said) == 1
        other = f"{question.compares}recipe, standardised {scaled}{doubt(scaled)}"
        differs = scaled.outcome != found.effect(question.paper).outcome
        assert (other in said) == differs


def test_what_is_not_certain_among_all_tests_is_marked():
    sure, unsure = Effect(2.0, 1.0, 3.0, "better", 5), Effect(2.0, 1.0, 3.0, "unclear", 5)
    assert (doubt(sure), doubt(unsure)) == ("", DOUBT)
    assert doubt(Effect(2.0, -1.0, 3.0, "unclear", 5)) == ""
    told = card(TEXT, judged(decides="perhaps", paper="perhaps", standardised="better")).measured
    marked = [part.endswith(DOUBT) for part in told.split("; ")]
    assert marked == [True, True, False]


def test_a_gain_of_few_splits_decides_nothing():
    assert _told_by_itself(2.0, 1.0, 3.0, 2).outcome == "unclear"
    assert _told_by_itself(2.0, 1.0, 3.0, 3).outcome == "better"
    assert _told_by_itself(2.0, np.nan, np.nan, 1) is None


def test_effects_are_rounded_with_their_signs():
    effect = Effect(-0.04, -1.26, 0.04, "unclear", 5)
    assert str(effect) == "0.0 % (−1.3 to 0.0)"
    assert replace(effect, low=-6.9, gain=-6.2, high=-5.5).size == "6.2 % (5.5 to 6.9)"


def test_printed_errors_are_counted_by_verdict(found):
    (row,) = (row for row in answer_rows(found) if row.question.startswith("Do the printed"))
    names, counts = re.findall(r"\(([A-Z]\w+)\)", row.measured), re.findall(r"\d+", row.measured)
    assert len(names) + sum(map(int, counts)) == 7
    assert "not reproduced: substitute encoders (5 rows)" in row.measured
    claims = found.claims.copy()
    claims.loc[claims.index.str.startswith("BoNMF Table 1"), ["verdict", "qualifier"]] = (
        "reproduced",
        "",
    )
    (row,) = (
        row
        for row in answer_rows(replace(found, claims=claims))
        if row.question.startswith("Do the printed")
    )
    assert row.verdict == "reproduced" and row.measured == "reproduced (7 rows)"


def test_beating_an_svd_that_is_worse_than_the_mean_is_called_hollow(found):
    own = found.published.own
    assert "predicting the mean rating errs less (1.25, that SVD 6.50)" in hollow_sentence(own)
    good = own.assign(value=np.where(own["variant"] == "SVD", 0.7, own["value"]))
    assert hollow_sentence(good) == ""


def test_the_best_model_is_told_on_fresh_splits_where_it_was_run_there():
    errors = {"BoNMF+": 0.70, "SVD++": 0.73, "Biased SVD": 0.72, "BoNMF+, shuffled": 0.71}
    on_fresh = [
        [name, protocol, "mse", seed, error + seed * 0.001, "ratio(test=0.3, valid=0)", 0.3]
        for name, error in errors.items()
        for protocol in ("tuned", ON_FRESH_SPLITS)
        for seed in range(3)
    ]
    names = ["variant", "protocol", "metric", "seed", "value", "split", "test_share"]
    records = pd.DataFrame(on_fresh, columns=names).assign(
        experiment="04_tuned", dataset="ml-1m", content="full", evaluation="rated items"
    )
    records.loc[records["protocol"] == ON_FRESH_SPLITS, "experiment"] = "04_fresh_splits"
    content = {"claim": "Best-model (content)", "verdict": "reproduced", "ours": 1.4, "low": 1.2,
               "high": 1.6, "seeds": 3, "qualifier": ""}  # fmt: skip
    claims = pd.DataFrame([dict.fromkeys(LEDGER, "") | content]).set_index("claim")
    found = replace(judged(), published=Published(records), claims=claims)
    (row,) = (row for row in answer_rows(found) if row.question.startswith("What predicts"))
    on_fresh, *_, by_content, ours = row.measured.split("; ")
    assert re.sub(r" \(0[^)]*\)", "", on_fresh) == (
        "MSE, searched on fresh splits: BoNMF+ 0.701, Biased SVD 0.721, SVD++ 0.731"
    )
    assert by_content == "BoNMF+ there, over shuffled content, +1.4 % (+1.2 to +1.6)"
    assert ours == "BoNMF+ is ours"
    own = records["protocol"].eq("tuned") | records["variant"].str.startswith("BoNMF+")
    own &= records["protocol"].eq(ON_FRESH_SPLITS) | records["variant"].ne("BoNMF+, shuffled")
    (row,) = (
        row for row in answer_rows(replace(found, published=Published(records[own])))
        if row.question.startswith("What predicts")
    )  # fmt: skip
    assert re.sub(r" \(0[^)]*\)", "", row.measured).startswith(
        "MSE, searched on fresh splits: BoNMF+ 0.701; MSE, tuned: Biased SVD 0.721, SVD++ 0.731; "
    )
    before = Published(records[records["protocol"] == "tuned"])
    (row,) = (row for row in answer_rows(replace(found, published=before, claims=claims[:0]))
              if row.question.startswith("What predicts"))  # fmt: skip
    assert "fresh" not in row.measured and "BoNMF+ 0.701" in row.measured


def test_the_table_has_a_line_for_every_question_and_no_more_than_nine(found):
    rows = answer_rows(found)
    assert [row.question for row in rows[: len(QUESTIONS)]] == [one.asked for one in QUESTIONS]
    assert len(rows) <= 9
    notebooks = {path.stem for path in (project_root() / "notebooks").glob("*.ipynb")}
    assert {name for row in rows for name in row.notebooks} <= notebooks


def test_new_items_are_told_with_their_controls_and_a_simple_model():
    against = {
        "Cold-items (text), content": "BoNMF on ID + text, noise",
        "Cold-items (picture), content": "BoNMF on ID + picture, shuffled",
    }

    def effect(claim: str, gain: float) -> dict[str, object]:
        return dict.fromkeys(LEDGER, "") | {
            "claim": claim, "verdict": "reproduced" if gain > 0 else "not reproduced",
            "qualifier": "" if gain > 0 else "not told from zero", "ours": gain, "low": gain - 1,
            "high": gain + 1, "seeds": 5, "against": against.get(claim, "Ridge on text"),
        }  # fmt: skip

    known = {"(text)": 5.0, "(text), content": 4.0, "(text), simple": -6.0, "(picture)": 3.0,
             "(picture), content": 2.0}  # fmt: skip
    claims = pd.DataFrame([effect(f"Cold-items {name}", gain) for name, gain in known.items()])
    found = replace(judged(), claims=claims.set_index("claim"))
    (row,) = (row for row in answer_rows(found) if row.question == NEW_ITEMS.asked)
    assert row.measured.endswith(
        "unrated movies, texts +5.0 % (+4.0 to +6.0), over noise +4.0 % (+3.0 to +5.0); "
        "posters there +3.0 % (+2.0 to +4.0), over shuffled +2.0 % (+1.0 to +3.0); there the "
        "network on texts over Ridge on text −6.0 % (−7.0 to −5.0)†"
    )
    said = "Unrated movies, texts: +5.0 % (+4.0 to +6.0), over noise +4.0 % (+3.0 to +5.0)."
    assert said in answer_text(found)
    start, unsure = "On unrated movies text", ["direction only", "other"]
    assert f"{start} helps.**" in answer_text(found)
    for setup, words in {
        "content": "is not shown to help",
        "mean stand-in": "helps, not certainly",
    }.items():
        changed = found.claims.copy()
        changed.loc[f"Cold-items (text), {setup}"] = changed.iloc[0]
        changed.loc[f"Cold-items (text), {setup}", ["verdict", "qualifier"]] = unsure
        assert f"{start} {words}" in answer_text(replace(found, claims=changed))


def test_the_widest_search_stands_for_the_narrower_one():
    narrow = replace(judged(decides="better"), published=read_published_run())
    assert TUNED in card(TEXT, narrow).beside and WIDE not in card(TEXT, narrow).beside
    widely = judged(decides="better", wide="unclear").claims
    widely.loc["Wide-search (b), biased SVD"] = widely.loc["Wide-search (text)"]
    wide = replace(narrow, claims=widely)
    answered = card(TEXT, wide)
    assert str(answered.beside[WIDE]) == "−0.1 % (−1.0 to +0.8)"
    assert TUNED not in answered.beside and answered.short == DEPENDS
    assert f"; {WIDE} −0.1 % (−1.0 to +0.8)." in answer_text(wide)
    assert f"do not differ clearly (−0.1 % (−1.0 to +0.8)), both {WIDE}." in answer_text(wide)


def test_what_one_input_adds_stands_beside_the_answer():
    claims = {
        "One-input (plots), early stopped": (
            "not reproduced",
            "not told from zero",
            0.1,
            -0.2,
            0.4,
        ),
        "One-input (plots), unrated": ("direction only", "not told from zero", 2.0, 0.5, 3.5),
        "One-input (picture)": ("reproduced", "", 1.0, 0.5, 1.5),
    }
    names = ["verdict", "qualifier", "ours", "low", "high"]
    rows = {
        claim: dict.fromkeys(LEDGER, "") | dict(zip(names, told, strict=True)) | {"seeds": 5}
        for claim, told in claims.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=LEDGER)
    found = replace(judged(), claims=table)
    by_question = {row.question: row.measured for row in answer_rows(found)}
    assert by_question[TEXT.asked] == (
        "not run; over title and genres, stopped early, +0.1 % (−0.2 to +0.4); over title "
        "and genres, on unrated movies, +2.0 % (+0.5 to +3.5)†"
    )
    assert by_question[PICTURE.asked] == (
        "not run; beside the text, posters over shuffled ones, recipe, +1.0 % (+0.5 to +1.5)"
    )
    said = "Without their plots, texts help about as much, on unrated movies about as much.**"
    assert said in answer_text(found)
    worse = table.assign(qualifier="reversed", low=-3.0, high=-1.0)
    said = "Without their plots, texts help more, on unrated movies more.**"
    assert said in answer_text(replace(found, claims=worse))
    assert "plots" not in answer_text(judged())


def test_on_how_much_the_effect_on_few_ratings_rests_stands_beside_it(found):
    """Test ratings of movies that fewer than five others train on, of 300,063 by split, without the
    ratings that validate."""
    few = [488, 431, 416, 411, 456, 430, 471, 451, 451, 415]
    share = found.rare_share(NEW_ITEMS.decides)
    assert share == pytest.approx(np.mean(few) / 300_063, abs=1e-8)
    assert f"Below five ratings ({share:.2%}".replace("%", " %") in answer_text(found)
    (row,) = (row for row in answer_rows(found) if row.question == NEW_ITEMS.asked)
    assert "rests on about 380 test ratings a split, 0.13 % of all, of about 215" in row.measured
    assert card(NEW_ITEMS, found).answer.endswith("do not train.")
    assert not card(TEXT, found).answer.endswith("do not train.")
    assert judged().rare_share(NEW_ITEMS.decides) is None
    assert "Below five ratings, texts: not run" in answer_text(judged())


def test_answers_do_without_records():
    nothing = measured(Published(pd.DataFrame(columns=COLUMNS)))
    assert {one.short for one in cards(nothing)} == {NOT_RUN}
    assert lead(cards(nothing)) == "For movie ratings, text was not run; the picture was not run."
    assert all("not run" in row.measured for row in answer_rows(nothing)[:6])


def test_readme_and_its_figure_show_the_published_numbers(found):
    """README is what ``python -m bonmf_lib headline --write`` makes of it."""
    readme = (project_root() / "README.md").read_text(encoding="utf-8")
    assert headline.with_answers(readme, found) == readme
    figure = (project_root() / headline.FIGURE).read_text(encoding="utf-8")
    assert headline.effects_text(found) in figure
    assert len(readme.replace("\n* ", "\n").split()) < 1550


def test_a_readme_without_a_place_for_the_answer_is_refused(found):
    with pytest.raises(RecordError, match="no place <!-- answer -->"):
        headline.with_answers("# A title\n", found)


def test_the_answer_on_the_terminal_is_that_of_readme(capsys):
    assert main(["headline"]) == 0
    readme = (project_root() / "README.md").read_text(encoding="utf-8")
    for block in capsys.readouterr().out.strip().split("\n\n"):
        assert block in readme


def test_the_figure_is_drawn_alike_twice_and_says_its_finding(found, tmp_path):
    plt.rcdefaults()
    for name in ("one.svg", "two.svg"):
        headline.draw(found, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    general.set_style()
    figure = answer_forest(cards(found))
    figure.draw_without_rendering()
    frame = figure.bbox
    for text in figure.axes[0].get_yticklabels():
        box = text.get_window_extent()
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1, f"{text.get_text()!r} is cut off"
    assert figure.get_suptitle().replace("\n", " ") == lead(cards(found)).removesuffix(".")
    assert len(figure.axes[0].containers) == sum(len(one.beside) for one in cards(found))


def test_only_comparisons_of_the_paper_print_a_size():
    sizes = {question: question.claimed for question in QUESTIONS}
    assert sizes == {BOTH: 14.0, TEXT: None, PICTURE: 3.0, NEW_ITEMS: None}
    assert claimed()["BoNMF (d)"] == "The picture adds a little to the text: +3 %"
