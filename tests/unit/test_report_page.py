"""The report's answer, advice, groups of claims and the paper's table, from the published records
and from a run's."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from bonmf_lib.claims.ledger import UNTESTABLE, undefined_claims
from bonmf_lib.claims.reading import OWN_SOURCE
from bonmf_lib.report import encoder_parts, open_question_parts, page
from bonmf_lib.report.conclusions import cards
from bonmf_lib.report.measured import Measured, measured
from bonmf_lib.report.published import read_published_run
from bonmf_lib.runs.records import COLUMNS


@pytest.fixture(scope="module")
def study() -> Measured:
    return measured(read_published_run())


@pytest.fixture(scope="module")
def judged() -> pd.DataFrame:
    return read_published_run().judged()


def texts(parts) -> str:
    return "\n".join(part if isinstance(part, str) else repr(part) for part in parts)


def test_the_answer_is_a_sentence_its_numbers_and_a_card_per_question(study):
    said, shown = page.answer(study)
    assert said.html.startswith('<p class="answer"><strong>')
    assert said.html.count("<ul") == said.html.count("<strong>") == 2
    assert shown.html.count("<article") == shown.html.count('class="chip"') == len(cards(study))
    (table,) = page.answer_table(study)
    assert all(one.question.asked in repr(table) for one in cards(study))


@pytest.mark.parametrize(
    ("verdict", "qualifier", "said"),
    [
        ("reproduced", "", "Pictures, worth a try, depending on the training setup: posters"),
        ("not reproduced", "reversed", "Pictures, leave it out: posters raise"),
        (
            "not reproduced",
            "not told from zero",
            "Pictures, leave it out where there is text: ",
        ),
    ],
)
def test_advice_follows_the_verdict(study, verdict, qualifier, said):
    claims = study.claims.copy()
    rows = claims.index.str.startswith("BoNMF (picture), native")
    claims.loc[rows, "verdict"], claims.loc[rows, "qualifier"] = verdict, qualifier
    assert said in texts(page.advice(replace(study, claims=claims)))


def test_advice_names_what_is_better_and_free(study):
    simple = "Wide-search (b), biased SVD"
    assert texts(page.advice(study)).endswith("both searched widely. Try it first.")
    claims = study.claims.copy()
    claims.loc[simple, "verdict"] = "reproduced"
    claims.loc[simple, "qualifier"] = ""
    assert "Try it first" not in texts(page.advice(replace(study, claims=claims)))


def test_advice_without_records_promises_nothing(study):
    nothing = replace(study, claims=study.claims.iloc[:0])
    assert "Text, not tried yet: This was not run on this data yet." in texts(page.advice(nothing))


def test_every_claim_is_in_one_group_or_waits(judged):
    taken = pd.DataFrame({name: group.takes(judged) for name, group in page.GROUPS.items()})
    waits = (judged["verdict"] == "not run") & (judged["source"] != "bonmf")
    assert (taken.sum(axis=1)[~waits] == 1).all()
    left = judged[~taken.any(axis=1)]
    assert (left["verdict"] == "not run").all()


def test_claims_of_a_group_are_counted_and_listed(judged):
    sentence, rows = page.claims(judged, "printed")
    assert sentence.startswith("7 printed errors: ")
    assert sum(map(int, re.findall(r"(\d+) (?:not )?reproduced", sentence))) == 7
    assert rows.html.count("<li>") == 7
    undefined = list(page.claims(judged, "undefined"))[1]
    assert undefined.html.count("<li>") == len(undefined_claims())
    order = re.findall(r"<code>(.*?)</code>", list(page.claims(judged, "comparisons"))[1].html)
    assert order[0] == "BoNMF (a)" and order[-1] == "BoNMF (g)"


def test_our_checks_are_apart_from_the_papers_claims(judged):
    for name in ("comparisons", "printed", "undefined", "second reading"):
        assert (judged.loc[page.GROUPS[name].takes(judged), "source"] != OWN_SOURCE).all()


def test_other_data_are_named(judged):
    elsewhere = judged.assign(dataset="folder:elsewhere")
    assert "On elsewhere." in list(page.claims(elsewhere, "printed"))[1].html
    assert "On ml-1m." not in list(page.claims(judged, "printed"))[1].html


def test_what_nothing_can_test_is_counted_and_listed_by_its_reason(judged):
    sports = judged["claim"].str.startswith("DiffMM's figure, Sports")
    own = judged["claim"].str.startswith("BM3 (a), Electronics") | sports
    few = judged[own].assign(verdict=UNTESTABLE)
    sentence, rows, told = page.claims(few, "others")
    assert sentence == "5 claims of other papers: 5 not testable on this data."
    assert rows.html.count("<li>") == 4  # they give no reason
    assert told == (
        "Not testable on this data: BM3 (a), Electronics. Amazon Electronics is not at hand."
    )
    assert len(list(page.claims(few[~few["claim"].str.startswith("DiffMM")], "others"))) == 2


def test_every_paper_says_what_cannot_be_tested_and_why(judged):
    *_, told = page.claims(judged, "others")
    lines = told.splitlines()
    assert "BM3 (a), Electronics; BM3 (r); BM3 (s); MMRec's table, Electronics (32)." in lines[0]
    assert all(line.partition(". ")[2] for line in lines)


def test_a_group_without_claims_says_so(judged):
    assert list(page.claims(judged.iloc[:0], "checks")) == ["No checks of ours were judged."]


def test_what_waits_is_one_line(judged):
    said = page.waiting_sentence(judged)
    assert re.match(r"Not run yet: \d+ checks of ours; 1 of this paper; \d+ of other papers", said)
    done = judged[judged["verdict"] != "not run"]
    assert page.waiting_sentence(done) == "Every claim was tested."


def test_the_papers_table_is_sorted_by_our_error(study):
    own, others, worse = page.table_one(study)
    rows = [line.split(" | ") for line in repr(own).splitlines()[1:]]
    errors = [float(row[2].partition(" ")[0]) for row in rows]
    assert len(rows) == 7 and errors == sorted(errors)
    for row, error in zip(rows, errors, strict=True):
        shown = float(row[3].removesuffix(" %").replace("−", "-"))
        assert shown == pytest.approx(100 * (error / float(row[1]) - 1), abs=0.06)
        assert row[5] == study.verdict(_claim(row[0]))
    lacking = [line.split(" | ") for line in repr(others).splitlines()[1:]]
    assert "Biased SVD" in repr(others) and "BoNMF, no picture" not in repr(others)
    both = {row[0]: (row[2], row[4]) for row in rows} | {row[0]: row[1:] for row in lacking}
    for name, means in both.items():
        fixed, searched = (cell.partition(" ")[0] for cell in means)
        if fixed and searched and float(fixed) != float(searched):
            named = re.search(rf"(in: |%, ){re.escape(name)} \+", worse)
            assert bool(named) == (float(searched) > float(fixed)), name


def _claim(variant: str) -> str:
    names = {
        "NMD (ID only)": "NMD",
        "Tensor product": "Tensor product-based",
        "BoNMF, no picture": "BoNMF -no Figure",
    }
    return f"BoNMF Table 1: {names.get(variant, variant)}, MSE"


def test_encoders_are_priced_per_thousand_items(study):
    sentence, table = encoder_parts.prices(study.published)
    costs = study.published.table("encoder_costs", "").set_index("text encoder")
    dearest = costs["texts_per_second"].idxmin()
    assert f"{dearest} {1000 / costs['texts_per_second'].min():.0f} s" in sentence
    assert all(name in repr(table) for name in costs.index)


def test_a_run_that_decides_nothing_is_one_sentence():
    nothing = pd.DataFrame(columns=COLUMNS)
    (said,) = page.decided_by(nothing, "profile smoke")
    assert said == "This run is a demonstration: its rows decide no claim of the paper."


def test_a_run_shows_what_it_decides(study, judged):
    said, rows = page.decided_by(study.published.own, "here")
    decided = int(re.search(r"decides (\d+) claims", said)[1])
    assert decided == rows.html.count("<li>") > 10
    assert "not run" not in rows.html and "On ml-1m." not in rows.html


def test_what_each_question_shows_is_in_full_below_it(study):
    found = open_question_parts.full_answers(study.published)
    for question in ("text", "picture"):
        (first, _figure) = open_question_parts.open_question(found, question)
        whole = "\n".join(
            part
            for part in open_question_parts.open_question_in_full(found, question)
            if isinstance(part, str)
        )
        assert all(line in whole for line in first.splitlines())


def test_overlap_is_said_by_what_was_found(study):
    found = open_question_parts.full_answers(study.published)
    first = next(open_question_parts.open_question(found, "overlap"))
    assert "differs from concatenation" in first and "probability" in first
    nothing = [replace(answer, telling=0, nothing_found=True) for answer in found]
    (said,) = open_question_parts.open_question(nothing, "overlap")
    assert said.startswith("No way to take overlap out is shown to help")
