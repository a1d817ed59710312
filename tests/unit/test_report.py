"""The report's parts: each shows what is published, or says in one sentence that it is not."""

import dataclasses
from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.figure import Figure

from bonmf_lib.claims.ledger import ledger, unrun_claims
from bonmf_lib.errors import RecordError
from bonmf_lib.experiments.ablations import modality_rows
from bonmf_lib.report import (
    encoder_parts,
    open_question_parts,
    published as published_module,
    sections as report,
)
from bonmf_lib.report.control_shares import control_shares
from bonmf_lib.report.html import Markup
from bonmf_lib.report.published import NotPublishedError, Published, read_published_run, show
from bonmf_lib.runs import records as records_module
from bonmf_lib.runs.records import COLUMNS
from bonmf_lib.runs.run import read_profile

SUBSETS = modality_rows(SimpleNamespace(settings=read_profile("paper")))
PARTS = {
    "signatures": report.signatures,
    "measured twice": report.measured_twice,
    "ablations": lambda published: report.ablations(published, 20),
    "shapley": lambda published: report.shapley(published, SUBSETS),
    "second reading": lambda published: report.second_reading(published, "04_review"),
    "implicit feedback": lambda published: report.second_reading(published, "04_implicit"),
    "metric readings": report.metric_readings,
    "leaks": report.leaks,
    "svd": report.svd,
    "pooling": lambda published: open_question_parts.text_choice(published, "pooling"),
    "content": lambda published: open_question_parts.text_choice(published, "content"),
    "size": lambda published: open_question_parts.text_choice(published, "size"),
    "prices of encoders": encoder_parts.prices,
    "prices and gains of encoders": encoder_parts.prices_and_gains,
    "texts at their own scale": encoder_parts.own_scale,
    "dependence": report.dependence,
    "picture use": open_question_parts.picture_use,
    "overlap": open_question_parts.overlap,
    "overlap left": open_question_parts.overlap_left,
    "information": lambda published: report.information(published, SUBSETS),
    "searches": report.searches,
    "svd solvers": report.svd_solvers,
    "practices": report.practices,
    "initial weights": report.initial_weights,
    "controls by the paper's recipe": lambda published: report.controls(published, "03", "04"),
}

WAITING = {  # for the long runs that they show; a part that is published belongs above
    "controls of ablations": lambda published: report.controls(published, "05"),
}


@pytest.fixture(scope="module")
def published() -> Published:
    return read_published_run()


@pytest.fixture
def nothing(tmp_path, monkeypatch) -> Published:
    monkeypatch.setattr(records_module, "published_dir", lambda: tmp_path)
    return Published(pd.DataFrame(columns=COLUMNS))


@pytest.mark.parametrize("name", PARTS)
def test_every_part_shows_what_is_published(published, name):
    shown = list(PARTS[name](published))
    assert shown
    assert all(isinstance(part, str | Markup | pd.DataFrame | Figure) for part in shown)
    assert all(len(part) for part in shown if isinstance(part, str | pd.DataFrame))


def test_a_curve_says_what_both_of_its_centres_rest_on(published):
    (said,) = (
        part
        for part in report.dependence(published)
        if isinstance(part, str) and part.startswith("(e): ")
    )
    assert "0.13 % of all" in said and "0.15 % of all" in said


@pytest.mark.parametrize("name", WAITING)
def test_a_part_that_waits_is_not_published(published, name):
    with pytest.raises(NotPublishedError):
        list(WAITING[name](published))


@pytest.mark.parametrize("name", PARTS | WAITING)
def test_every_part_says_what_is_not(nothing, capsys, name):
    part = (PARTS | WAITING)[name]
    with pytest.raises(NotPublishedError, match=r"^[^:]+: not published yet\.$"):
        list(part(nothing))
    show(part(nothing), iter(["and what follows is shown"]))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2
    assert said[0].endswith("not published yet.")


@pytest.mark.case(
    "numbers",
    (
        "the report's two panels of what text and picture tell of ratings, "
        "once blank since a loop had taken their name"
    ),
    "drawn from the records of the subsets; records that lack a subset or a seed are refused",
)
def test_what_text_and_picture_tell_is_drawn(published):
    (figure,) = report.information(published, SUBSETS)
    assert [axis.get_title() for axis in figure.axes] == ["nothing else known", "on top of IDs"]
    one_seed_less = (published.records["variant"] == "BoNMF on text") & (
        published.records["seed"] == 0
    )
    less = dataclasses.replace(published, records=published.records[~one_seed_less])
    with pytest.raises(RecordError, match="'BoNMF on text' lacks a seed"):
        list(report.information(less, SUBSETS))
    without = dataclasses.replace(
        published, records=published.records[published.records["variant"] != "BoNMF on text"]
    )
    with pytest.raises(NotPublishedError):
        list(report.information(without, SUBSETS))


def test_rows_stand_beside_their_controls_as_far_as_these_are_published(published):
    """The controls, made here, err 1.25 times as much: the rows err a fifth less."""
    own = published.records[published.records["experiment"] == "03_model_training"]
    real = own[own["variant"] == "BoNMF"]
    for ending in ("shuffled", "noise"):
        controls = real.assign(
            experiment="03_controls", variant=f"BoNMF, {ending}", value=1.25 * real["value"]
        )
        own = pd.concat([own, controls], ignore_index=True)
    table, said = report.controls(Published(own), "03", "04")
    assert said == "Controls of table1 (04): not published yet."
    assert table.index.tolist() == ["BoNMF (as published)", "BoNMF (early stopped)"]
    assert set(table["better than noise, %"]) == {"+20.0 [+20.0, +20.0]"}
    alone = Published(own[own["experiment"] == "03_controls"])
    (said,) = report.controls(alone, "03")  # rows to stand beside are lacking
    assert said == "Controls of model training (03): not published yet."


def test_tables_of_ablations_list_no_controls(published):
    def listed(records):
        parts = report.ablations(Published(records), 20)
        return [part.index.name for part in parts if isinstance(part, pd.DataFrame)]

    own = published.own
    claims = own[own["experiment"] == "05_claims"]
    more = [own, claims.assign(experiment="05_claims_controls"), claims.assign(experiment="05_x")]
    assert listed(pd.concat(more, ignore_index=True)) == [*listed(own), "x"]


def test_damage_is_no_lack(published, monkeypatch):
    def damaged(run, name):
        raise RecordError(f"{name}.csv is not as it was published.")

    monkeypatch.setattr(published_module, "published_table", damaged)
    with pytest.raises(RecordError, match="not as it was published"):
        show(report.searches(published))


@pytest.mark.parametrize("question", ["text", "picture", "overlap"])
def test_an_open_question_has_one_figure_and_the_others_below(published, question):
    found = open_question_parts.full_answers(published)
    first, rest = (
        list(shown(found, question))
        for shown in (open_question_parts.open_question, open_question_parts.open_question_in_full)
    )
    own = [answer for answer in found if answer.question == question]
    telling = sum(not answer.nothing_found for answer in own)
    drawn = sum(answer.drawn and not answer.nothing_found for answer in own)
    assert [isinstance(part, Figure) for part in first] == [False, True]
    assert sum(isinstance(part, Figure) for part in rest) == drawn - 1
    assert sum(isinstance(part, pd.DataFrame) for part in rest) == telling
    for shown in (open_question_parts.open_question, open_question_parts.open_question_in_full):
        with pytest.raises(NotPublishedError):
            list(shown([], question))


def test_what_to_take(published):
    judged = ledger(published.records)
    taken = list(
        report.what_to_take(published, judged, open_question_parts.full_answers(published))
    )
    assert sum(sentence.startswith("Our check: ") for sentence in taken) == 4
    left = unrun_claims(judged)
    # the first of them are named
    assert (left["which"].str.endswith(", ...") == (left["claims"] > 6)).all()
    assert (left["claims"] > 6).any()
    assert left.loc["bonmf", "which"] == "BoNMF (f)"


def test_a_run_without_records_is_told_to_be_run_first():
    assert list(report.this_run(pd.DataFrame(columns=COLUMNS))) == [
        "No records yet: run the notebooks before this one."
    ]


def test_tables_of_a_run_come_before_its_figures(published):
    shown = list(report.this_run(published.own))
    assert [type(part) for part in shown] == [pd.DataFrame, Figure]


def by_name(value) -> pd.DataFrame:
    """Records of all subsets on three seeds, of which the controls lack the last one."""
    rows = [
        {"variant": name, "protocol": "early stopped", "metric": "mse", "seed": seed,
         "value": value(name) + 0.01 * seed, "split": "ratio-0.7", "test_share": 0.3}
        for subset, row in SUBSETS.items()
        for name in (row.name, f"{row.name}, shuffled")
        for seed in range(3)
        if not name.endswith("shuffled") or (seed < 2 and subset - {"ID"})
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_shares_of_controls_are_those_of_their_own_rows():
    records = by_name(lambda name: 1 - 0.1 * name.count("ID") - 0.2 * ("text" in name and (
        "shuffled" not in name)))  # fmt: skip
    is_control = records["variant"].str.endswith("shuffled")
    real, controls = records[~is_control], records[is_control]
    found = control_shares(real, controls, SUBSETS, "mse")
    assert found.loc["text", "mean"] == pytest.approx(0)
    assert found.loc["ID", "mean"] == pytest.approx(-0.1)
    assert (found["seeds"] == 2).all()
    assert control_shares(real, controls.iloc[:0], SUBSETS, "mse") is None
    assert control_shares(real, pd.DataFrame(), SUBSETS, "mse") is None
    some = controls[controls["variant"] != "BoNMF on text, shuffled"]
    assert control_shares(real, some, SUBSETS, "mse") is None  # the others would be real rows
    assert (control_shares(real[real["seed"] > 0], controls, SUBSETS, "mse")["seeds"] == 1).all()


def test_a_second_measurement_counts_main_rows_only():
    row = {"variant": "A", "metric": "mse", "seeds": 2, "others": 0.7, "spread": 0.01}
    again = pd.DataFrame(
        [
            row | {"experiment": "04_table1", "ours": 0.71, "largest": 0.02},
            row | {"experiment": "11_solved", "ours": 0.7, "largest": 0.0},
        ]
    )
    again = pd.concat([again, again.assign(metric="ndcg@10")])
    published = SimpleNamespace(table=lambda *_: again)
    for said in report.measured_twice(published):
        assert "0 of 1 rows are the same in both" in said
