"""Rows of cold start: controls beside all content, the same ratings for all models, and what data
do not allow."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.experiments import cold_start as rows_of, held_out
from bonmf_lib.experiments.names import is_control
from bonmf_lib.experiments.protocols import CONTROLS, with_content
from bonmf_lib.experiments.registry import asked
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.variant import training_hash
from bonmf_lib.splits.revealed import RevealedItems


def on(tmp_path) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))


@pytest.fixture
def run(tmp_path) -> Run:
    return on(tmp_path)


@pytest.mark.parametrize("question", rows_of.QUESTIONS)
def test_content_stands_beside_its_controls(run, question):
    """Shuffled beside all; noise too, but where stand-ins are compared, items have ratings or
    users have some, not most."""
    rows = asked(run, f"09_{question}")[0]
    names = {(row.name, row.protocol) for row in rows}
    assert len(names) == len(rows)
    content = [row for row in with_content(rows) if not is_control(row.name)]
    assert content
    fewer = {
        "items": [held_out.protocol("item", n) for n in held_out.revealed(run, "item")[1:]],
        "users": [held_out.protocol("user", n) for n in held_out.revealed(run, "user")[1:-1]],
    }
    assert all(fewer.values())
    for row in content:
        one = question == "stand_ins" or row.protocol in fewer.get(question, [])
        for ending in CONTROLS[:1] if one else CONTROLS:
            assert (f"{row.name}, {ending}", row.protocol) in names


def test_pictures_meet_the_mean_stand_in_with_their_controls(run):
    names = {row.name for row in asked(run, "09_stand_ins")[0]}
    on_mean = list(rows_of.mean_stand_in_names().values())
    assert len(on_mean) == 4 and set(on_mean) <= names
    assert {f"{name}, noise" for name in on_mean[1:]} <= names
    assert f"{on_mean[-1]}, picture shuffled" in names
    alone, text = on_mean[:2]
    assert rows_of.stand_in_names()["mean", "0%"] == (alone, text)


@pytest.mark.parametrize("question", ["buckets", "items", "users"])
def test_all_models_of_a_protocol_train_and_test_on_the_same_ratings(run, question):
    rows = asked(run, f"09_{question}")[0]
    for protocol in {row.protocol for row in rows if row.protocol != "closed form"}:
        own = [row for row in rows if row.protocol in (protocol, "closed form")]
        splits = [Training(run, row, 0).split for row in own]
        for split in splits[1:]:
            assert np.array_equal(split.train, splits[0].train)
            assert np.array_equal(split.test, splits[0].test)
        ends = {row.protocol for row in own}
        assert ends <= {protocol, "closed form"}


def test_held_out_networks_meet_larger_batches_but_those_that_vary_them(run):
    own = replace(run.settings.cold_start, held_out_batch_size=999, held_out_rate=0.05)
    run.settings = replace(run.settings, cold_start=own)
    batches = {}
    for question in ("buckets", "items", "users", "stand_ins"):
        for row in asked(run, f"09_{question}")[0]:
            if row.training.patience and row.model != "bonmf+":
                assert row.training.patience == own.patience
                known = batches.setdefault((question, row.name.startswith(rows_of.SMALL)), set())
                known.add((row.training.batch_size, row.training.learning_rate))
    usual, larger = (own.batch_size, own.learning_rate), (999, 0.05)
    assert batches == {
        ("buckets", False): {usual}, ("items", False): {larger}, ("items", True): {usual},
        ("users", False): {larger}, ("stand_ins", False): {larger},
    }  # fmt: skip


def test_a_picture_is_shuffled_beside_a_real_text(run):
    rows = {row.name: row for row in asked(run, "09_items")[0]}
    real, control = (
        rows[f"BoNMF on ID + text + picture{ending}"] for ending in ("", ", picture shuffled")
    )
    assert is_control(control.name)
    text, image = (
        [row.features(run, modality).matrix for row in (real, control)]
        for modality in ("text", "image")
    )
    assert np.array_equal(*text)
    assert not np.array_equal(*image)


@pytest.mark.parametrize("side", held_out.RULES)
def test_the_same_ratings_test_however_many_are_revealed(run, side):
    counts = held_out.revealed(run, side)
    rule, most = held_out.RULES[side], held_out.reserve(run, side)
    splits = [run.split(rule(n, most, 0.2), 0, 0.1) for n in counts]
    assert counts == run.settings.cold_start.revealed
    assert all(np.array_equal(split.test, splits[0].test) for split in splits)


def with_ratings(run: Run, ratings: pd.DataFrame) -> Run:
    run.dataset = replace(run.dataset, ratings=ratings.reset_index(drop=True))
    return run


def test_fewer_ratings_are_revealed_where_items_have_few(run):
    """At most two of each item, then one, then of ten items only."""
    rated = run.dataset.ratings
    place = rated.groupby("item").cumcount()
    with_ratings(run, rated[place < 3])
    assert held_out.reserve(run, "item") == 2
    assert held_out.revealed(run, "item") == (0, 2)
    with_ratings(run, rated[place < 1])
    assert held_out.revealed(run, "item") == (0,)
    with_ratings(run, rated[rated["item"] < 10])
    assert held_out.reserve(run, "item") is None
    assert rows_of.item_rows(run) == []
    assert held_out.held_out_sentence(run).startswith("Too few items have ratings to hold out.")


def test_the_genre_mean_is_left_out_where_no_genre_is_known(run, capsys):
    run.dataset = replace(
        run.dataset, items=run.dataset.items.assign(genres=[()] * run.dataset.n_items)
    )
    rows = asked(run, "09_buckets")[0]
    assert rows_of.GENRE_MEAN not in {row.name for row in rows}
    assert "Genre mean" in capsys.readouterr().out


def test_rows_that_read_what_the_data_lack_are_left_out(run, capsys):
    nothing = run.dataset.items.assign(text=None, image=None)
    run.dataset = replace(run.dataset, items=nothing)
    rows = asked(run, "09_items")[0]
    assert not with_content(rows)
    assert {"Biased MF", "BoNMF on ID", "User + item bias"} <= {row.name for row in rows}
    assert "Left out, since no item of planted has a text" in capsys.readouterr().out


def test_a_row_is_trained_once_for_both_evaluations(run):
    """Errors by support are of the same training as errors of all."""
    row = rows_of.family_rows(run, "BoNMF")["text"]
    other = replace(row, name="other", evaluation=row.watched_by, watched_by=None)
    assert training_hash(run, row) == training_hash(run, other)


def test_a_familys_rows_differ_in_what_they_read_alone(run):
    for family in rows_of.FAMILIES:
        rows = rows_of.family_rows(run, family)
        assert list(rows) == ["", *rows_of.READ]
        for read, row in rows.items():
            used = tuple(what for what in ("text", "image") if row.uses(what))
            assert used == rows_of.READ.get(read, ())
        assert {read: row.name for read, row in rows.items()} == rows_of.family_names(family)


def test_the_network_meets_texts_at_their_own_scale_and_standardised(run):
    own, other = (
        rows_of.family_rows(run, name) for name in ("BoNMF", "BoNMF, standardised")
    )  # fmt: skip
    assert own[""] == other[""]
    assert own["text"].preparation("text") == "native"
    assert replace(other["text"], name=own["text"].name) == own["text"].prepared("standardised")
    for question in ("buckets", "items"):
        names = [row.name for row in asked(run, f"09_{question}")[0]]
        assert names.count(other["text"].name) == 1


def test_pages_of_items_ask_models_that_know_none_of_its_ratings(run):
    rows = rows_of.one_item_rows(run, asked(run, "09_items")[0])
    assert len(rows) == 8
    assert {row.split for row in rows} == {RevealedItems(0, 5)}
    assert sum(row.name.endswith(CONTROLS) for row in rows) == 1


def test_sentences_name_what_is_held_out(run):
    said = held_out.held_out_sentence(run).splitlines()
    assert said[0].endswith("20% of them are held out, with 0, 2, 5 ratings revealed.")
    assert said[1].split(" have ")[0].endswith("users")
    assert rows_of.budget_sentence(run) == (
        "Budgets of this profile: at most 3 epochs; 1 seed for buckets and items, 1 seed for "
        "users, stand-ins and rankers."
    )
