"""Data that lack something: every list of rows runs without what needs it, and says what was left
out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bonmf_lib.errors import ConfigError
from bonmf_lib.experiments import (
    ablations,
    absent,
    cold_start,
    modality_overlap,
    second_reading,
    table1,
)
from bonmf_lib.experiments.registry import EXPERIMENTS
from bonmf_lib.runs import notebooks
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants

ALL = frozenset({"users", "pictures", "texts", "genres"})


def folder_of(
    path, known: frozenset[str], users: int = 30, items: int = 40, share: float = 0.5
) -> str:
    """A small folder of one's own with what is named of ``ALL``, half-star ratings and a user with
    one rating."""
    random, folder = np.random.default_rng(0), path / "-".join(["toys", *sorted(known)])
    (folder / "images").mkdir(parents=True)
    rated = random.random((users, items)) < share
    rated[-1] = False
    rated[-1, 0] = True
    user, item = rated.nonzero()
    rating = np.clip(np.round(2 * (3 + random.standard_normal(len(user)))) / 2, 1, 5)
    ratings = pd.DataFrame({"user": user, "item": item, "rating": rating})
    ratings.assign(timestamp=range(len(ratings))).to_csv(folder / "ratings.csv", index=False)
    table = pd.DataFrame(
        {"item": range(items), "title": [f"Toy {number}" for number in range(items)]}
    )
    if "texts" in known:
        words = random.choice(["red", "wooden", "loud", "round", "soft"], (items, 4))
        table["text"] = [" ".join(row) for row in words]
    if "genres" in known:
        table["genres"] = random.choice(["Indoor", "Outdoor", "Indoor|Puzzle"], items)
    if "pictures" in known:
        table["image"] = [f"images/{number}.png" for number in range(items)]
        for number in range(items):
            Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(
                folder / f"images/{number}.png"
            )
    table.to_csv(folder / "items.csv", index=False)
    if "users" in known:
        people = pd.DataFrame({"user": range(users), "gender": random.choice(["F", "M"], users)})
        people.to_csv(folder / "users.csv", index=False)
    (folder / "dataset.toml").write_text(
        'scale = [1, 5, 0.5]\nwords = {item = "toy", items = "toys", picture = "photo"}'
    )
    return f"folder:{folder}"


def run_on(path, known: frozenset[str], **shape) -> Run:
    data = folder_of(path, known, **shape)
    run = Run(
        NotebookParameters(profile="smoke", dataset=data, seeds=(0,), run_dir=str(path / "run"))
    )
    comparison = replace(run.settings.comparison, epochs=1, ensemble_members=2)
    tuning = replace(run.settings.tuning, epochs=1, trials=1)
    run.settings = replace(run.settings, comparison=comparison, tuning=tuning)
    return run


def case(known: frozenset[str], mark) -> object:
    return pytest.param(known, marks=mark, id="without " + ", ".join(sorted(ALL - known)))


@pytest.mark.parametrize(
    "known",
    [
        case(
            ALL - {"users"},
            pytest.mark.case(
                "data", "no users.csv", "rows with demographics are left out and listed"
            ),
        ),
        case(
            ALL - {"pictures"},
            pytest.mark.case("data", "no pictures", "rows that need them are left out and listed"),
        ),
        case(
            ALL - {"texts"}, pytest.mark.case("data", "no descriptions", "the titles are the texts")
        ),
        case(ALL - {"genres"}, pytest.mark.case("data", "no genres", "every list of rows runs")),
        case(
            frozenset(),
            pytest.mark.case(
                "data", "only ratings and titles", "what is left runs, the rest is listed"
            ),
        ),
    ],
)
def test_every_list_of_rows_runs_on_what_there_is_and_lists_the_rest(tmp_path, capsys, known):
    run = run_on(tmp_path, known)
    lacks = {"image": "pictures" not in known, "demographics": "users" not in known}
    for name, experiment in EXPERIMENTS.items():
        rows = experiment.rows(run)
        capsys.readouterr()
        chosen = experiment.adapt(run, rows)
        said = capsys.readouterr().out
        for row in rows:
            needs_absent = row.uses("fields") or any(
                lacks[what] and row.uses(what) for what in lacks
            )
            same = any(row.name == other.name for other in chosen)
            assert same or row.name in said or "do without" in said, (name, row.name)
            assert same or needs_absent or row.name in said, (name, row.name)
        fields = (
            "genres" not in known
            and any(row.uses("fields") for row in rows)
            and experiment.adapt is not absent.leave_out
        )
        changed = fields or any(lacks[what] and row.uses(what) for row in rows for what in lacks)
        assert ("Left out" in said or "do without" in said) == changed, (name, said)
        assert not any(lacks[what] and row.uses(what) for row in chosen for what in lacks), name
        # saves time: all rows where nothing is known
        chosen = [*chosen[:1], *chosen[-1:]] if known else chosen
        if chosen:
            records = run_variants(run, name, chosen, experiment.seeds(run)[:1])
            assert list(records["variant"].unique()) == list(
                dict.fromkeys(row.name for row in chosen)
            )
            assert np.isfinite(records["value"]).all()


def test_what_is_missing_is_said_in_the_words_of_the_data(tmp_path, capsys):
    run = run_on(tmp_path, frozenset())
    rows = absent.leave_out(run, table1.table1_rows(run))
    said = capsys.readouterr().out
    assert "Left out, since no toy of toys has a photo: BoNMF, Tensor product" in said
    assert table1.fullest_row(rows).name == "BoNMF, no picture"
    assert run.dataset.words.unit == "points"
    first, *_ = absent.do_without(run, table1.table1_rows(run))
    assert (first.name, first.uses("image"), first.uses("text")) == (
        "BoNMF, no picture",
        False,
        True,
    )
    assert "BoNMF, no picture (as BoNMF, no picture)" in capsys.readouterr().out


@pytest.mark.case(
    "data", "an occupation for each of many users", "rows with demographics are left out and listed"
)
@pytest.mark.filterwarnings("ignore:.*120 different occupations")
def test_occupations_that_no_two_users_share_are_no_demographics(tmp_path, capsys):
    folder = folder_of(tmp_path, ALL, users=120).removeprefix("folder:")
    jobs = pd.DataFrame({"user": range(120), "occupation": [f"job {user}" for user in range(120)]})
    jobs.to_csv(f"{folder}/users.csv", index=False)
    run = Run(
        NotebookParameters(
            profile="smoke", dataset=f"folder:{folder}", seeds=(0,), run_dir=str(tmp_path / "run")
        )
    )
    asks = [row for row in cold_start.user_rows(run) if row.uses("demographics")]
    assert asks and run.dataset.has("demographics")
    assert absent.leave_out(run, asks) == []
    assert (
        "Left out, since no two users of toys-genres-pictures-texts-users share a gender or an "
        "occupation: BoNMF on ID + demographics." in capsys.readouterr().out
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_genres_that_no_two_items_share_are_said_to_be_that(tmp_path, capsys):
    run = run_on(tmp_path, ALL - {"pictures"}, items=51)
    path = f"{run.settings.dataset.removeprefix('folder:')}/items.csv"
    genres = [f"{item}|g{item}" for item in range(51)]
    pd.read_csv(path).assign(genres=genres).to_csv(path, index=False)
    cold_start.possible(run, cold_start.item_rows(run))
    toys = "no genre is shared by two toys of toys-genres-texts-users"
    assert f"Left out, since {toys}: Genre mean." in capsys.readouterr().out
    absent.do_without(run, ablations.best_ablation_rows(run))
    assert f"without fields of items, since {toys}, and no year is known" in capsys.readouterr().out


def test_fields_that_nobody_has_make_no_row_of_their_own(tmp_path, capsys):
    rows = absent.do_without(
        run_on(tmp_path, ALL - {"genres"}),
        ablations.best_ablation_rows(run_on(tmp_path / "b", ALL)),
    )
    assert "BoNMF+, no fields (as BoNMF+)" in capsys.readouterr().out
    assert not any(row.uses("fields") for row in rows)


def test_rows_that_the_data_do_not_allow_stop_before_any_work(tmp_path):
    run = run_on(tmp_path, frozenset())
    with pytest.raises(ConfigError, match="reads image, which folder:toys has not"):
        run_variants(run, "e", table1.table1_rows(run), (0,))


@pytest.mark.case(
    "data", "a user who rated every item", "rows of implicit feedback are left out with the reason"
)
def test_implicit_rows_need_somebody_to_have_left_something_unrated(tmp_path, capsys):
    run = run_on(tmp_path, ALL, users=400, items=2, share=1.0)
    assert absent.leave_out(run, second_reading.implicit_rows(run)) == []
    assert (
        "rated all toys in training, no negative is left: BoNMF, implicit"
        in capsys.readouterr().out
    )


@pytest.mark.case(
    "data", "pictures of a few items only", "ways to take overlap out are left out with the reason"
)
def test_relating_text_and_picture_needs_enough_items_with_both(tmp_path, capsys):
    run = run_on(tmp_path, ALL)
    table = pd.read_csv(tmp_path / "toys-genres-pictures-texts-users" / "items.csv")
    table.loc[absent.LEAST_ITEMS - 1 :, "image"] = None
    table.to_csv(tmp_path / "toys-genres-pictures-texts-users" / "items.csv", index=False)
    kept = absent.leave_out(run, modality_overlap.overlap_rows(run))
    assert "fewer than 20 toys" in capsys.readouterr().out
    assert {row.name for row in kept} == {
        "Fusion, concatenation",
        "Fusion, shuffled pictures",
        "Fusion, no picture",
    }
    run_variants(run, "e", kept, (0,))


def test_a_notebook_ends_where_the_data_cannot_answer(tmp_path, capsys, monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    monkeypatch.setattr(notebooks, "get_ipython", lambda: shell)
    absent.rest_needs(run_on(tmp_path, frozenset()), "text")
    shell.run_cell("x = 1")
    assert shell.user_ns["x"] == 1
    absent.rest_needs(run_on(tmp_path / "again", frozenset()), "text", "image")
    assert "no toy has a text and a photo: what follows in this notebook" in capsys.readouterr().out
    shell.run_cell("x = 2")
    assert shell.user_ns["x"] == 1
    shell.run_cell('profile = "quick"\nx = 3')  # the parameters cell: the notebook starts again
    shell.run_cell("x += 1")
    assert shell.user_ns["x"] == 4
