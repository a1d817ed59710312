"""The audit of a catalogue: answers by hand-made numbers, generated data whose texts are known to
help, the files it hands on, and predictions without training."""

import json
import math
import re
import warnings
from copy import copy
from dataclasses import replace
from html import unescape
from shutil import rmtree

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file

from bonmf_lib.__main__ import main
from bonmf_lib.audit import command, files, hand_on, remarks, rows as rows_of, tables, words
from bonmf_lib.audit.figures import gains
from bonmf_lib.audit.findings import Finding, find
from bonmf_lib.audit.measured import Measured, measure, measure_all
from bonmf_lib.audit.scores import Scores, has_scores, scores_of
from bonmf_lib.audit.situations import NEW, RATED, Situation, situations
from bonmf_lib.audit.units import Unit
from bonmf_lib.datasets.dataset import UNRATED
from bonmf_lib.datasets.given import GivenParts
from bonmf_lib.datasets.words import Words, upper_first
from bonmf_lib.errors import BonmfError, ConfigError, DamagedError
from bonmf_lib.evaluation import Estimate
from bonmf_lib.models import build_model, get_model, list_models
from bonmf_lib.models.rating.bias import UserItemBiasConfig
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.models.rating.bonmf_plus import BoNMFPlusConfig
from bonmf_lib.report.short_answers import DOES_NOT_HELP, HARMS, HELPS, TOO_FEW
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.table_files import csv_text, read_csv_text
from bonmf_lib.runs.training import Training
from tests.unit.test_absent import folder_of


def estimate(mean: float, half: float) -> Estimate:
    return Estimate(mean, mean - half, mean + half, 5, 0.001 if abs(mean) > half else 0.5)


def finding(gain, over_control, p_helps=1.0, p_harms=1.0, place=RATED) -> Finding:
    nothing = estimate(0, 1)
    return Finding(
        "text", place, 50, 1000, "Averages", estimate(*gain), nothing, estimate(*over_control),
        nothing, p_helps, p_harms,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (finding((5, 1), (4, 1), p_helps=0.01), HELPS),
        (finding((-5, 1), (-4, 1), p_harms=0.01), HARMS),
        (finding((0.2, 0.5), (0.2, 4)), DOES_NOT_HELP),  # a gain of 1 % is ruled out
        (finding((5, 1), (0.2, 0.5)), DOES_NOT_HELP),  # other items' texts do as well
        (finding((0.5, 0.3), (0.5, 0.3), p_helps=0.01), DOES_NOT_HELP),  # sure, and too small
        (finding((0.5, 4), (0.5, 4)), TOO_FEW),
        (finding((float("nan"), 1), (float("nan"), 1)), TOO_FEW),
    ],
)
def test_the_answer_follows_from_intervals_and_adjusted_p_values(one, answer):
    assert one.answer is answer


def test_how_many_ratings_would_tell():
    # half a percent: zero and one percent are as far, and the interval is eight times too wide
    assert finding((0.5, 4), (0.5, 4)).needed == 64_000
    # the wider of both comparisons decides
    assert finding((0.5, 4), (2, 4)).needed == 64_000
    assert finding((3, 4), (3, 6)).needed == 4_000
    assert finding((5, 1), (4, 1), p_helps=0.01).needed is None
    # both intervals leave out zero, but six questions were asked: p = 0.02 must come below 0.05 / 6
    pair = [Estimate(3, 0.5, 5.5, 5, p_value) for p_value in (0.01, 0.02)]
    adjusted = replace(
        finding((3, 2.5), (3, 2.5)), gain=pair[0], over_control=pair[1], p_helps=6 * 0.02
    )
    assert adjusted.answer is TOO_FEW
    assert adjusted.needed == math.ceil(1000 * (2.6383 / 2.3263) ** 2)
    # without an interval nothing is known
    assert finding((3, float("nan")), (3, float("nan"))).needed is None
    # each new item counts alike, so items are what more of is needed
    assert finding((0.5, 4), (0.5, 4), place=NEW).needed == 50 * 64


def shop(folder) -> str:
    """Lamps of which the text tells the quality, and the photo nothing: 60 by 60, a third rated."""
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    quality = np.repeat([1.0, -1.0], 30)
    user, item = (random.random((60, 60)) < 1 / 3).nonzero()
    rating = 3 + quality[item] + random.normal(0, 0.5, 60)[user] + random.normal(0, 0.7, len(user))
    ratings = pd.DataFrame({"user": user, "item": item, "rating": rating.round().clip(1, 5)})
    ratings.astype(int).to_csv(folder / "ratings.csv", index=False)
    colours = random.choice(["red", "blue", "green", "white"], 60)
    kinds = np.where(quality > 0, "sturdy brass", "flimsy plastic")
    items = pd.DataFrame({"item": range(60), "title": [f"Lamp {number}" for number in range(60)]})
    items["text"] = [f"{kind} {colour}" for kind, colour in zip(kinds, colours, strict=True)]
    items["image"] = [f"images/{number}.png" for number in range(60)]
    for name in items["image"]:
        picture = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(picture).save(folder / name)
    items.to_csv(folder / "items.csv", index=False)
    (folder / "dataset.toml").write_text(
        'words = {item = "lamp", items = "lamps", picture = "photo"}'
    )
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("audit")
    given = {"profile": "smoke", "run_dir": str(folder / "run")}
    found = Run(NotebookParameters(dataset=shop(folder / "shop"), **given))
    audit = replace(found.settings.audit, folds=3, epochs=4, feature_dim=16)
    found.settings = replace(found.settings, audit=audit)
    return found


@pytest.fixture(scope="module")
def measured(run):
    return measure_all(run)


@pytest.fixture(scope="module")
def found(measured):
    return find(measured)


def test_texts_that_tell_of_tastes_are_found_to_help_new_items(found):
    of = {(one.what, one.situation): one for one in found}
    assert set(of) == {(what, place) for what in rows_of.QUESTIONS for place in (RATED, NEW)}
    text = of["text", NEW]
    assert text.answer is HELPS and text.gain.low > 20 and text.over_control.low > 20
    assert text.control.high < text.gain.low  # other items' texts do not
    assert of["image", NEW].answer is not HELPS and of["image", RATED].answer is not HELPS


def test_every_rating_is_predicted_once_by_a_model_that_had_not_seen_it(run, measured):
    ratings = run.dataset.ratings
    for one in measured:
        assert len(one.tested) == len(ratings)
        pairs = one.tested[["user", "item"]].drop_duplicates()
        assert len(pairs) == len(ratings)
        joined = one.tested.merge(ratings, on=["user", "item"], suffixes=("", " told"))
        assert (joined["rating"] == joined["rating told"]).all()
    rated, new = measured
    assert (new.tested["support"] == 0).all() and (rated.tested["support"] > 0).all()
    errors = (rated.predicted[rows_of.BIASES] - rated.tested["rating"]) ** 2
    assert np.allclose(errors, rated.tested[rows_of.BIASES])


def test_the_model_to_beat_reads_no_content_and_is_chosen_on_validation(run, measured):
    for one in measured:
        names = rows_of.candidates(run, one.situation)
        row = one.rows[one.strongest]
        assert not row.uses("text") and not row.uses("image")
        assert one.validation[one.strongest] == one.validation[names].min()
        trainings = [Training(run, row, seed) for seed in one.situation.seeds]
        assert one.validation[one.strongest] == pytest.approx(
            np.mean([min(training.history().valid) for training in trainings])
        )


def test_content_and_its_control_share_their_settings(measured):
    for one in measured:
        for what in one.questions:
            row, control = (one.rows[one.row_name(what, shuffled)] for shuffled in (0, 1))
            assert row.model_config == control.model_config and row.training == control.training
            names = [rows_of.row_name(family, what) for family in rows_of.families(one.situation)]
            assert one.validation[one.row_name(what)] == one.validation[names].min()


def test_every_new_item_counts_alike(measured):
    rated, new = measured
    every = np.ones(len(new.tested), bool)
    assert (rated.weights(every) == 1).all()
    sums = pd.Series(new.weights(every)).groupby(new.tested["item"]).sum()
    assert np.allclose(sums, sums.iloc[0]) and new.weights(every).mean() == pytest.approx(1)
    of_item = new.tested.groupby("item")[[rows_of.BIASES, rows_of.MEAN]].mean().mean()
    expected = 100 * (1 - of_item[rows_of.BIASES] / of_item[rows_of.MEAN])
    assert new.gain(rows_of.BIASES, rows_of.MEAN, every).mean == pytest.approx(expected)


def test_remarks_on_files_are_kept_without_the_machines_folders(tmp_path):
    folder = tmp_path / "a b"
    folder.mkdir()
    table = "customer_id,item,rating\n" + "".join(f"u{n},i{n % 5},{n % 5}\n" for n in range(40))
    (folder / "ratings.csv").write_text(table)
    (folder / "items.csv").write_text("item,name\n" + "".join(f"i{n},Lamp {n}\n" for n in range(5)))
    run = Run(NotebookParameters(profile="smoke", dataset=f"folder:{folder}", content="full"))
    with pytest.warns(RuntimeWarning, match="not ours"), remarks.kept() as found:
        assert run.dataset.n_users == 40
        warnings.warn("not ours", RuntimeWarning, stacklevel=1)
    said = remarks.sentences(found, run)
    assert said[0] == "Texts are made of the columns name."
    assert "ratings.csv: reads 'customer_id' as user;" in said[1]
    assert "items.csv: reads 'name' as title;" in " ".join(said)
    assert "not ours" not in " ".join(said) and str(tmp_path) not in " ".join(said)
    assert remarks.sentences([], run)[1:] == ["Its files gave no cause for remarks."]
    assert remarks.sentences([f"{tmp_path}/x.csv: odd."], run)[1:] == ["x.csv: odd."]


def test_a_finished_audit_trains_nothing_again(run, measured, monkeypatch):
    monkeypatch.setattr("bonmf_lib.runs.training.fit", None)
    monkeypatch.setattr("bonmf_lib.training.search.fit", None)
    again = measure(run, measured[0].situation)
    assert again.tested.equals(measured[0].tested)


def test_words_are_the_datas_own(run, measured, found):
    said = [repr(words.lead(found, run)), repr(words.finding_cards(found, run))]
    said += [*words.left_out(run), *words.how_measured(measured)]
    said += [*map(tables.vacuous_sentence, measured), gains(found, run).get_label()]
    text = " ".join(said)
    assert (
        "lamps of shop" in said[0]
        and "Text: helps on lamps with ratings and on new lamps." in said[0]
    )
    assert not [word for word in ("movie", "poster", "stars", "MovieLens") if word in text]
    for sentence in re.split(r"[.:;?\]](?:\s|$)|\n", text):
        assert len(sentence.split()) <= 25, sentence


def test_tables_have_every_model_and_mark_the_one_to_beat(run, measured):
    for one in measured:
        table = tables.model_table(one)
        assert sum("the one to beat" in name for name in table.index) == 1
        assert len(table) == len(one.rows)
        assert list(tables.settings_table(one).index) == [
            name for name in one.rows if "shuffled" not in name
        ]
    support = tables.support_table(measured)
    assert support.loc["none", "ratings"] == len(run.dataset.ratings)
    assert support["ratings"].sum() == 2 * len(run.dataset.ratings)


def test_a_metric_that_the_mean_reaches_tells_nothing(measured):
    rated = measured[0]
    records = rated.records.copy()
    chosen = records["metric"] == "ndcg@10"
    records.loc[chosen, "value"] = 0.97
    changed = replace(rated, records=records)
    assert "NDCG@10" in tables.vacuous(changed) and "NDCG@10" not in tables.vacuous(rated)
    assert "MSE" not in tables.vacuous(changed)
    assert "NDCG@10 (in brackets) tell nothing" in tables.vacuous_sentence(changed)
    shown = tables.model_table(changed)
    assert shown["NDCG@10"].str.fullmatch(r"\(0\.\d{4}\)").all() and shown["MSE"].dtype == float


# What is handed on


@pytest.fixture(scope="module")
def handed(measured):
    return hand_on.hand_on(measured[0])


def test_the_handed_model_is_the_best_on_validation_and_no_control(measured, handed):
    row = handed.settings["row"]
    names = [name for name in measured[0].rows if "shuffled" not in name and name != rows_of.MEAN]
    assert measured[0].validation[row] == measured[0].validation[names].min()
    assert handed.settings["check"]["ratings"] > 0


def test_predictions_without_training_are_the_trained_models(run, measured, handed, monkeypatch):
    row = hand_on.final_row(measured[0], handed.settings["row"])
    model = Training(run, row, 0).model()
    users = torch.arange(5)
    scale = run.dataset.scale
    expected = model.score_all_items(users).clip(scale.low, scale.high).numpy()
    monkeypatch.setattr("bonmf_lib.runs.training.fit", None)
    loaded = hand_on.load(run.run_dir)
    assert np.allclose(loaded.scored(users.numpy()), expected, atol=1e-4)
    shown = command.predicted(run.run_dir, "0", ["3", "1"], 10)
    assert list(shown["item"]) == ["3", "1"]
    assert np.allclose(shown["score"], expected[0, [3, 1]], atol=1e-4)


@pytest.mark.parametrize(
    "name", [rows_of.BIASES, "Averages with text", "Factorisation with text and picture"]
)
def test_the_weights_handed_on_are_those_of_the_scores(run, measured, tmp_path, monkeypatch, name):
    """What is written down, read back into a model that was never trained, gives the scores."""
    other = copy(run)
    other.run_dir = tmp_path
    monkeypatch.setattr(hand_on, "chosen_row", lambda measured: name)
    hand_on.hand_on(replace(measured[0], run=other))
    settings = json.loads((tmp_path / "model/model.json").read_text(encoding="utf-8"))
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in settings["settings"].items()
    }
    config = get_model(settings["model"]).config(**given)
    training = Training(measured[0].trained_on, hand_on.final_row(measured[0], name), 0)
    model = build_model(settings["model"], config, training.inputs(), settings["seed"] + 1)
    weights = load_file(tmp_path / "model/weights.safetensors")
    model.load_state_dict({key: torch.from_numpy(part) for key, part in weights.items()})
    expected = Unit(**settings["unit"]).scores(scores_of(model))
    found = hand_on.load(tmp_path).scores
    for part, values in vars(expected).items():
        np.testing.assert_allclose(getattr(found, part), values, rtol=1e-5, atol=1e-6)


def test_nobody_is_recommended_what_they_rated(run, measured, handed):
    counts = files.write_files(measured[0], handed, handed.settings["row"])
    listed = run.settings.audit.listed
    table = read_csv_text(
        (run.run_dir / files.RECOMMENDATIONS).read_text(encoding="utf-8"), ["user", "item", "title"]
    )
    assert len(table) == counts.loc[files.RECOMMENDATIONS, "rows"] == listed * run.dataset.n_users
    ratings = run.dataset.ratings
    rated = set(zip(ratings["user"], ratings["item"], strict=True))
    assert not rated & set(zip(table["user"].astype(int), table["item"].astype(int), strict=True))
    best = table[table["user"] == "0"]
    assert list(best["rank"]) == [1, 2, 3] and best["score"].is_monotonic_decreasing
    shown = command.predicted(run.run_dir, "0", None, 3)
    assert list(shown["item"]) == list(best["item"])


def test_the_table_of_predictions_has_every_rating_and_vectors_every_item(run, measured, handed):
    files.write_files(measured[0], handed, handed.settings["row"])
    table = read_csv_text(
        (run.run_dir / files.PREDICTIONS).read_text(encoding="utf-8"), ["user", "item"]
    )
    told = table.astype({"user": int, "item": int}).merge(
        run.dataset.ratings.rename(columns={"rating": "told"}), on=["user", "item"]
    )
    assert len(told) == len(table) == len(run.dataset.ratings)
    assert np.allclose(told["rating"], told["told"])
    mse = ((table["rating"] - table["predicted"]) ** 2).mean()
    assert mse == pytest.approx(measured[0].tested[handed.settings["row"]].mean(), rel=1e-3)
    arrays = load_file(run.run_dir / files.VECTORS)
    ids = read_csv_text((run.run_dir / files.VECTOR_IDS).read_text(encoding="utf-8"))
    assert len(arrays["vectors"]) == len(arrays["bias"]) == len(ids) == run.dataset.n_items
    assert arrays["vectors"].shape[1] > 0
    said = words.handed_on(handed)
    assert f"{files.VECTORS} holds a vector for every row of {files.VECTOR_IDS}." in said


def test_averages_have_no_vectors_and_none_are_handed_on(run, measured, handed):
    files.write_files(measured[0], handed, handed.settings["row"])
    sizes = ((run.dataset.n_users, 0), (run.dataset.n_items, 0))
    none = dict(zip(("user_vectors", "item_vectors"), map(np.zeros, sizes), strict=True))
    averages = replace(handed, scores=replace(handed.scores, **none))
    counts = files.write_files(measured[0], averages, handed.settings["row"])
    assert list(counts.index) == [files.RECOMMENDATIONS, files.PREDICTIONS]
    assert not any((run.run_dir / name).exists() for name in (files.VECTORS, files.VECTOR_IDS))
    said = " ".join(words.handed_on(averages))
    assert "no vectors of lamps" in said and files.VECTORS not in said


def test_titles_are_no_formulas(run, measured, handed):
    items = handed.items.assign(title="=HYPERLINK(1)")
    files.write_files(measured[0], replace(handed, items=items), handed.settings["row"])
    text = (run.run_dir / files.RECOMMENDATIONS).read_text(encoding="utf-8")
    assert "'=HYPERLINK(1)" in text and ",=HYPERLINK" not in text


def test_a_user_or_item_that_is_not_known_is_named(run, handed, capsys):
    given = ["predict", str(run.run_dir), "--user"]
    assert main([*given, "nobody"]) == 2
    assert "knows no user 'nobody'; it knows" in capsys.readouterr().err
    assert main([*given, "0", "--items", "x"]) == 2
    assert main([*given, "0", "--top", "0"]) == 2
    assert main(["predict", str(run.run_dir / "nothing"), "--user", "0"]) == 2
    assert "holds no model" in capsys.readouterr().err
    assert main([*given, "0", "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "item,title,score" and len(lines) == 3


def test_damaged_scores_are_not_read(run, handed):
    path = run.run_dir / hand_on.FOLDER / "scores.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DamagedError):
        hand_on.load(run.run_dir)
    path.write_bytes(whole)


def by_hand(rated: list[tuple[int, int]], scores: list[list[float]]) -> hand_on.Handed:
    """A model of some users, each with scores of all items."""
    users, items = np.array(scores).shape
    own = np.array(scores, np.float32), np.eye(items, dtype=np.float32)
    nothing = np.zeros(1, np.float32)
    return hand_on.Handed(
        {"scale": None},
        pd.Series([f"u{user}" for user in range(users)]),
        pd.DataFrame({"item": [f"i{item}" for item in range(items)], "title": ""}),
        Scores(nothing, np.zeros(users), np.zeros(items), *own),
        tuple(np.array(rated, np.int64).reshape(-1, 2).T),
    )


def test_of_equal_scores_the_first_items_are_recommended():
    handed = by_hand([(1, 2), (0, 0), (1, 0), (1, 2)], [[9, 1, 2, 2, 2], [9, 1, 2, 2, 1]])
    items, scores = handed.best(np.array([1, 0, 1]), 3)
    assert items.tolist() == [[3, 1, 4], [2, 3, 4], [3, 1, 4]]
    assert scores.tolist() == [[2, 1, 1], [2, 2, 2], [2, 1, 1]]
    items, scores = handed.best(np.array([1]), 9)
    assert items.tolist() == [[3, 1, 4, -1, -1]] and np.isnan(scores[0, 3:]).all()


def test_recommendations_have_one_header_though_many_users_rated_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_USERS_AT_ONCE", 2)
    handed = by_hand([(user, item) for user in range(3) for item in (0, 1)], [[1, 2]] * 5)
    assert files._write(tmp_path / "out.csv", files._recommended(handed, 2)) == 4
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == [
        "user,rank,item,title,score", "u3,1,i1,,2", "u3,2,i0,,1", "u4,1,i1,,2", "u4,2,i0,,1",
    ]  # fmt: skip


@pytest.mark.parametrize(("scores", "largest"), [(10, 2), (9, 1), (4, 1), (999, 3)])
def test_many_items_are_scored_for_few_users_at_once(scores, largest, monkeypatch):
    monkeypatch.setattr(files, "_USERS_AT_ONCE", 3)
    handed = by_hand([], [[1, 2, 3, 4, 5]] * 7)
    whole = pd.concat(files._recommended(handed, 1), ignore_index=True)
    monkeypatch.setattr(files, "_SCORES_AT_ONCE", scores)
    parts = [*files._recommended(handed, 1)]
    assert max(len(part) for part in parts) == largest
    assert pd.concat(parts, ignore_index=True).equals(whole)


@pytest.mark.parametrize("count", [1, 7, 39, 40])
def test_the_largest_are_those_of_a_whole_sort(count):
    draw = np.random.default_rng(0)
    many = draw.normal(size=(50, 40)).astype(np.float32)
    for values in (many, many.round(), np.where(draw.random((50, 40)) < 0.8, -np.inf, many)):
        order = np.argsort(-values, axis=1, kind="stable")[:, :count]
        assert np.array_equal(hand_on.largest(values, count), order)


def test_items_without_a_score_are_not_recommended():
    """A training that diverged leaves NaN."""
    values = np.array([[1, np.nan, 2, 3], [np.nan] * 4])
    assert hand_on.largest(values, 3).tolist() == [[3, 2, 0], [0, 1, 2]]
    handed = by_hand([(0, 0)], [[9, 1, 2, 3], [np.nan] * 4])
    items, scores = handed.best(np.array([0, 1]), 3)
    assert items.tolist() == [[3, 2, 1], [-1, -1, -1]]
    np.testing.assert_array_equal(scores, [[3, 2, 1], [np.nan] * 3])


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("user-item-bias", UserItemBiasConfig()),
        ("biased-svd", BiasedSVDConfig(factors=4, embedding_std=0.5)),
        ("bonmf+", BoNMFPlusConfig(factors=4, embedding_std=0.5, use_fields=False)),
    ],
)
def test_scores_are_the_models_own(inputs, name, config):
    model = build_model(name, config, inputs, 0)
    for part in model.state_dict().values():
        if part.is_floating_point():
            part.normal_()
    users = np.arange(7)
    expected = model.eval().score_all_items(torch.from_numpy(users)).numpy()
    assert np.allclose(scores_of(model).of(users), expected, rtol=1e-4, atol=1e-4)


def test_which_models_can_be_handed_on():
    able = {name for name in list_models() if has_scores(get_model(name).model)}
    assert {"global-mean", "user-item-bias", "biased-svd", "svd++", "bonmf+", "vbpr"} <= able
    assert not {"ease", "item-knn", "bonmf", "deepfm"} & able


def test_names_in_capitals_stay_so_within_a_sentence():
    names = [
        "EASE",
        "VBPR without content",
        "LightGCN",
        "Averages with text",
        "User and item averages",
    ]
    assert [words.in_sentence(name) for name in names] == [
        "EASE", "VBPR without content", "LightGCN", "averages with text", "user and item averages",
    ]  # fmt: skip


def test_users_and_items_without_ratings_are_counted_apart(run):
    # lamps without a rating are there in the data as well
    table = run.dataset.ratings
    kept = table[(table["item"] > 6) & (table["user"] > 1)]
    one = table[(table["user"] > 0) & (table["item"] > 0)]
    said = {}
    alone = table[table["user"] == 0].head(1)
    for name, ratings in (("all", table), ("part", kept), ("one", one), ("alone", alone)):
        other = copy(run)
        other.__dict__["dataset"] = replace(run.dataset, ratings=ratings)
        said[name] = repr(words.lead([finding((5, 1), (4, 1))], other))
    assert (
        f"Measured on {len(table):,} ratings of 60 users and 60 lamps of shop. Help" in said["all"]
    )
    assert (
        f"Measured on {len(kept):,} ratings of 58 users and 53 lamps of shop. Without ratings: "
        "7 lamps and 2 users. Help"
    ) in said["part"]
    assert "Without ratings: 1 lamp and 1 user. Help" in said["one"]
    assert "of 1 user and 1 lamp of shop. Without" in said["alone"]


def test_capitals_of_words_stay_at_the_begin_of_a_sentence(run, measured):
    data = replace(run.dataset, words=Words("DVD", "DVDs", "DVD cover"))
    other = copy(run)
    other.__dict__["dataset"] = data
    said = repr(words.lead([replace(finding((5, 1), (4, 1)), what="image")], other))
    assert said.startswith("DVD cover: ")
    assert upper_first("photo of a DVD") == "Photo of a DVD" and upper_first("") == ""
    said = tables.vacuous_sentence(replace(measured[0], run=other))
    assert said.startswith("On DVDs with ratings, ")


def test_ids_of_one_word_are_handed_on_as_they_are():
    ids = ["-0iUa4sN", "@who", "B00-1", "007", "=1+1", "-1+cmd", "-2 a", "+1"]
    table = pd.DataFrame({"user": ids, "title": ids})
    lines = csv_text(table, "%.5g", ("user",)).splitlines()[1:]
    own, safe = zip(*(line.split(",") for line in lines), strict=True)
    assert list(own) == ["-0iUa4sN", "@who", "B00-1", "007", "'=1+1", "'-1+cmd", "'-2 a", "'+1"]
    assert list(safe) == [f"'{one}" if one[0] in "-@=+" else one for one in ids]


# Other data


def untrained(run: Run, situation: Situation, tested: pd.DataFrame) -> Measured:
    nothing = pd.DataFrame()
    return Measured(run, situation, {}, nothing, tested, nothing, pd.Series(), 0.2, run)


@pytest.mark.case(
    "data",
    "an audit of the same ratings in stars and out of 200 points",
    "the same answers; errors and predictions are on the data's own scale",
)
def test_the_unit_of_ratings_decides_no_answer(run, measured, found, handed, tmp_path):
    data = tmp_path / "shop"
    shop(data)
    table = pd.read_csv(data / "ratings.csv")
    table["rating"] = 50 * table["rating"] - 150
    table.to_csv(data / "ratings.csv", index=False)
    with (data / "dataset.toml").open("a") as out:
        out.write("\nscale = [-100, 100, 50]\n")
    given = {"profile": "smoke", "dataset": f"folder:{data}", "run_dir": str(tmp_path / "run")}
    points = Run(NotebookParameters(**given))
    points.settings = replace(points.settings, audit=run.settings.audit)
    others = measure_all(points)
    for one, other in zip(find(others), found, strict=True):
        assert one.answer is other.answer and one.strongest == other.strongest
        assert (one.gain.mean, one.gain.low) == pytest.approx((other.gain.mean, other.gain.low))
    for one, other in zip(others, measured, strict=True):
        names, errors = list(one.rows), other.tested[list(one.rows)]
        assert (one.tested["rating"] == 50 * other.tested["rating"] - 150).all()
        assert np.allclose(one.tested[names], 2500 * errors, rtol=1e-4, atol=1e-2)
        assert np.allclose(one.predicted, 50 * other.predicted - 150, atol=1e-3)
        assert np.allclose(one.validation, 2500 * other.validation)
        one, other = (tables.model_table(side).astype(str) for side in (one, other))
        mse, mae = (
            [side[name].str.strip("()").astype(float) for side in (one, other)]
            for name in ("MSE", "MAE")
        )
        assert np.allclose(mse[0], 2500 * mse[1], atol=0.2)
        assert np.allclose(mae[0], 50 * mae[1], atol=0.01)
        assert (one["NDCG@10"] == other["NDCG@10"]).all()
    his = hand_on.hand_on(others[0])
    assert his.settings["check"]["mse"] == pytest.approx(2500 * handed.settings["check"]["mse"])
    assert his.settings["scale"] == [-100, 100]
    users = np.arange(len(his.users))
    assert np.allclose(his.scored(users), 50 * handed.scored(users) - 150, atol=1e-2)
    assert (his.best(users, 3)[0] == handed.best(users, 3)[0]).all()
    said = " ".join(words.how_measured(others))
    assert "read as 1 to 5" in said and "read as 1 to 5" not in " ".join(
        words.how_measured(measured)
    )


@pytest.mark.case(
    "data",
    "an audit of ratings of which some do not count",
    "nobody is recommended what they rated, also where it did not count",
)
@pytest.mark.parametrize("view", ["+from3", ""])
def test_nobody_is_recommended_what_they_rated_and_does_not_count(tmp_path, view):
    """Every pair is rated but one; some are low, or their reviews are read."""
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = [
        (f"u{user}", f"i{item}", 1 + (3 * user + 2 * item) % 5, f"said {user} {item}")
        for user in range(12)
        for item in range(25)
        if (user, item) != (11, 24)
    ]
    names = ["user", "item", "rating", "review"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "ratings.csv", index=False)
    titles = pd.DataFrame({"item": [f"i{item}" for item in range(25)]})
    titles["title"] = [f"Toy {'red' if item % 2 else 'blue'}" for item in range(25)]
    titles.to_csv(folder / "items.csv", index=False)
    (folder / "dataset.toml").write_text("" if view else 'reviews = "review"')
    given = {"profile": "smoke", "dataset": f"folder:{folder}{view}", "run_dir": str(tmp_path)}
    one = Run(NotebookParameters(**given))
    assert len(one.dataset.ratings) < 0.9 * len(rows)
    measured = measure(one, situations(one)[0])
    handed = hand_on.hand_on(measured)
    files.write_files(measured, handed, handed.settings["row"])
    listed = (tmp_path / files.RECOMMENDATIONS).read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:3] for line in listed[1:]] == [["u11", "1", "i24"]]
    assert not len(command.predicted(tmp_path, "u0", None, 5))
    assert list(command.predicted(tmp_path, "u11", None, 5)["item"]) == ["i24"]


@pytest.mark.case(
    "data", "an audit of ratings and titles only", "it ends, and says what was not asked and why"
)
def test_data_without_pictures_and_with_few_ratings(tmp_path):
    data = folder_of(tmp_path, frozenset(), users=25, items=40)
    one = Run(NotebookParameters(profile="smoke", dataset=data, run_dir=str(tmp_path / "run")))
    measured = measure_all(one)
    found = find(measured)
    assert {each.what for each in found} == {"text"}
    assert [said for said in words.left_out(one) if "no toy of toys" in said]
    said = repr(words.lead(found, one))
    assert "Text: " in said and "of toys" in said and "movie" not in said
    handed = hand_on.hand_on(measured[0])
    files.write_files(measured[0], handed, handed.settings["row"])
    assert gains(found, one).get_label()


def test_pictures_of_which_none_can_be_read_leave_the_texts_to_ask_about(tmp_path):
    data = folder_of(tmp_path, frozenset({"pictures"}), users=25, items=40)
    for path in (tmp_path / "toys-pictures" / "images").iterdir():
        path.write_bytes(b"no picture")
    one = Run(NotebookParameters(profile="smoke", dataset=data, run_dir=str(tmp_path / "run")))
    assert rows_of.lacking(one, "image") == "none of its photos can be read"
    assert rows_of.questions(one) == ["text"]


def test_how_is_said_of_what_was_asked_alone(measured):
    said = " ".join(words.how_measured(measured))
    assert "New lamps: " in said and "reduced to at most 16 principal components" in said
    rated = measured[0]
    plain = {name: row for name, row in rated.rows.items() if name == rows_of.MEAN}
    said = " ".join(words.how_measured([replace(rated, rows=plain)]))
    assert "New lamps" not in said and "components" not in said and "reads content" not in said


def test_few_texts_are_said_to_be_few(tmp_path):
    data = folder_of(tmp_path, frozenset(), users=25, items=rows_of.LEAST_ITEMS - 1)
    one = Run(NotebookParameters(profile="smoke", dataset=data, run_dir=str(tmp_path / "run")))
    said = repr(words.lead([], one))
    assert "only 19 rated toys have a text" in said and "no texts or pictures" not in said


@pytest.mark.case(
    "data",
    "one sentence for all items, one vector, one placeholder for a picture",
    "it is not said that they do not help: nothing is asked of what is alike",
)
@pytest.mark.parametrize("kind", ["sentence", "vector", "placeholder"])
@pytest.mark.parametrize("others", [0, 3])
def test_content_that_is_alike_is_not_asked_about(tmp_path, kind, others):
    folder = tmp_path / "shop"
    data, alike = shop(folder), 60 - others
    draw = np.random.default_rng(0)
    if kind == "sentence":
        table = pd.DataFrame({"item": range(60), "text": ["A fine lamp"] * 60})
        table.loc[alike:, "text"] = [f"Lamp {number}" for number in range(others)]
        table.to_csv(folder / "items.csv", index=False)
    elif kind == "vector":
        vectors = np.repeat(draw.normal(size=(1, 8)), 60, axis=0)
        vectors[alike:] += draw.normal(size=(others, 8))
        np.save(folder / "text.npy", vectors.astype(np.float32))
    else:
        for number in range(alike):
            Image.new("RGB", (16, 16), "grey").save(folder / f"images/{number}.png")
    one = Run(NotebookParameters(profile="smoke", dataset=data, run_dir=str(tmp_path / "run")))
    name, what = ("photo", "image") if kind == "placeholder" else ("text", "text")
    said = f"all but {others} {name}s are alike" if others else f"all {name}s are alike"
    assert rows_of.lacking(one, what) == rows_of.lacking(one, "both") == said
    assert any(f"since {said}." in sentence for sentence in words.left_out(one))


def test_data_without_ratings_are_ranked(tmp_path, planted):
    one = Run(NotebookParameters(profile="smoke", dataset="planted", run_dir=str(tmp_path)))
    pairs = planted.ratings.assign(rating=np.float32(1))
    one.__dict__["dataset"] = replace(planted, name="pairs", ratings=pairs, scale=UNRATED)
    (measured,) = measure_all(one)
    assert not measured.situation.lower_is_better
    assert measured.tested[measured.row_name("text")].between(0, 1).all()
    found = find([measured])
    assert {each.what for each in found} == set(rows_of.QUESTIONS)
    by_hand = measured.tested.groupby("seed")[measured.strongest].mean().mean()
    recorded = measured.records.query("metric == 'recall@20' and variant == @measured.strongest")
    assert by_hand == pytest.approx(recorded["value"].mean(), rel=1e-6)
    assert "since these are pairs without ratings" in " ".join(words.left_out(one))
    handed = hand_on.hand_on(measured)
    files.write_files(measured, handed, handed.settings["row"])
    assert not (tmp_path / files.PREDICTIONS).exists()
    assert gains(found, one).get_label() and len(tables.model_table(measured)) == len(measured.rows)
    # what a random order would find, user by user
    shares, order = [], np.random.default_rng(0)
    for seed in measured.situation.seeds:
        split = one.split(measured.situation.split, seed, 0.1)
        train, test = (pairs.iloc[part] for part in (split.train, split.test))
        for user, own in test.groupby("user")["item"]:
            known = train.loc[train["user"] == user, "item"]
            rivals = order.permutation(np.setdiff1d(range(planted.n_items), known))
            shares.append(np.isin(own, rivals[:20]).mean())
    assert tables.by_chance(measured) == pytest.approx(np.mean(shares), rel=0.15)
    said = tables.vacuous_sentence(measured)
    assert "a random order finds " in said and "the mean" not in said
    # all pairs are ranked, however many there are
    few = replace(one.settings.audit, most_ratings=len(pairs) // 4)
    one.settings = replace(one.settings, audit=few)
    assert "drawn at random" not in repr(words.lead(found, one))
    assert "drawn at random" not in " ".join(words.how_measured([measured]))


@pytest.mark.parametrize(("items", "asked"), [(39, False), (40, True)])
def test_a_few_items_are_not_ranked_for_an_answer(tmp_path, items, asked):
    draw = np.random.default_rng(0)
    pairs = [(user, item) for user in range(30) for item in draw.choice(items, 12, replace=False)]
    table = pd.DataFrame(pairs, columns=["userID", "itemID"]).drop_duplicates()
    table.assign(x_label=[0, 0, 0, 0, 1, 2] * 60).to_csv(
        tmp_path / "a.inter", sep="\t", index=False
    )
    np.save(tmp_path / "text_feat.npy", draw.normal(size=(items, 4)).astype(np.float32))
    given = {"profile": "smoke", "dataset": f"folder:{tmp_path}", "content": "full"}
    one = Run(NotebookParameters(**given, run_dir=str(tmp_path / "run")))
    assert rows_of.questions(one) == (["text"] if asked else [])
    said = "Not asked: whether the text helps, since lists of 20 hold most of the 39 items."
    assert (said in words.left_out(one)) != asked


def test_pairs_that_came_parted_are_said_to_test_alike(tmp_path, planted):
    one = Run(NotebookParameters(profile="smoke", dataset="planted", run_dir=str(tmp_path)))
    pairs = planted.ratings.assign(rating=np.float32(1))
    parts = GivenParts((np.arange(len(pairs)) % 3).astype(np.int8), "split of a.inter")
    drawn = replace(planted, content="full", ratings=pairs, scale=UNRATED)
    said = {}
    for dataset in (drawn, replace(drawn, given_parts=parts)):
        one.__dict__["dataset"] = dataset
        (situation,) = situations(one)
        tests = {tuple(situation.split.split(dataset, seed, 0.1).test) for seed in situation.seeds}
        measured = untrained(one, situation, pd.DataFrame())
        said[len(tests)] = " ".join(words.how_measured([measured]))
    assert "parted at random, 3 times" in said[3] and "overlap of the draws'" in said[3]
    assert (
        "as they came (split of a.inter), whatever the seed; each model trains 3 times" in said[1]
    )
    assert not [word for word in ("random", "draw", "fold", "overlap") if word in said[1]]
    assert not [word for word in ("rating", "over users and") if word in said[1] + said[3]]


def test_another_seed_deals_other_folds_and_large_data_are_sampled(tmp_path):
    given = {"profile": "smoke", "dataset": "planted", "run_dir": str(tmp_path)}
    first, other = (Run(NotebookParameters(seeds=(seed,), **given)) for seed in (0, 1))
    assert situations(first)[0].split != situations(other)[0].split
    small = replace(first.settings.audit, most_ratings=len(first.dataset.ratings) // 4)
    first.settings = replace(first.settings, audit=small)
    assert {one.split.keep for one in situations(first)} == {0.25}
    ratings = first.dataset.ratings
    for most in (len(ratings) // 4, int(0.9955 * len(ratings))):
        small = replace(first.settings.audit, most_ratings=most)
        first.settings = replace(first.settings, audit=small)
        said = repr(words.lead([finding((5, 1), (4, 1), p_helps=0.01)], first))
        for one in situations(first):
            left = set(range(len(ratings))) - {*one.split.split(first.dataset, 0).unused}
            users = ratings["user"].iloc[[*left]].nunique()
            assert f"Measured on {users:,} users drawn at random; there are " in said
    one_less = replace(first.settings.audit, most_ratings=len(ratings) - 1)
    first.settings = replace(first.settings, audit=one_less)  # no user can be left out for it
    assert "drawn at random" not in repr(words.lead([finding((5, 1), (4, 1))], first))
    assert "drawn at random" not in repr(words.lead([finding((5, 1), (4, 1))], other))


def test_a_sample_says_what_it_leaves_of_items(tmp_path):
    one = Run(NotebookParameters(profile="smoke", dataset="planted", run_dir=str(tmp_path)))
    ratings = one.dataset.ratings
    small = replace(one.settings.audit, most_ratings=len(ratings) // 4)
    whole, sampled = copy(one), copy(one)
    sampled.settings = replace(one.settings, audit=small)
    said = []
    for run in (whole, sampled):
        situation = situations(run)[0]
        tests = [situation.split.split(run.dataset, seed, 0.1).test for seed in situation.seeds]
        tested = run.dataset.ratings.iloc[np.concatenate(tests)]
        measured = untrained(run, situation, tested)
        said.append(" ".join(words.how_measured([measured])))
    assert "Every rating is predicted once" in said[0] and "drawn at random" not in said[0]
    users, kept = tested["user"].nunique(), len(tested)
    assert kept == ratings["user"].isin(tested["user"]).sum() < len(ratings) / 3
    items = len(set(ratings["item"]))
    assert "Every rating of these users is predicted once" in said[1]
    assert (
        f"on {users} users drawn at random, with all their ratings, {kept:,} of "
        f"{len(ratings):,}. Items with ratings keep {kept / items:.1f} of their "
        f"{len(ratings) / items:.1f} on average"
    ) in said[1]


# The command


def test_a_catalogue_is_a_folder_or_a_known_name(tmp_path, monkeypatch):
    monkeypatch.setenv("BONMF_RUNS", str(tmp_path / "runs"))
    (tmp_path / "my shop").mkdir()
    monkeypatch.chdir(tmp_path)
    here = tmp_path.resolve() / "my shop"
    for data in ("my shop", "folder:my shop", str(here)):
        assert command.asked(data).dataset == f"folder:{here}"
    assert command.asked("my shop+core5").dataset == f"folder:{here}+core5"
    assert command.asked("xwines").dataset == "xwines"
    assert command.asked("xwines").folder == tmp_path / "runs" / "audit-xwines-full"
    assert command.asked("xwines", "here").folder == tmp_path / "here"
    # audits of other seeds stand beside it, and the first goes on where it always was
    other = command.asked("xwines", seed=12).folder
    assert other == tmp_path / "runs" / "audit-xwines-full-seed12"
    assert command.asked("xwines", "here", seed=12).folder == tmp_path / "here"


@pytest.mark.parametrize(
    ("data", "out", "message"),
    [
        ("", None, "make audit needs DATA=<folder>"),
        ("nowhere", None, "'nowhere' is neither a folder nor a known data set"),
        ("xwines", "file", "is a file; name a folder"),
        ("xwines", "a{b}", r"a\{b\}' holds a brace or a line break, which an audit cannot; name"),
        ("xwines", "a\nb", r"a\\nb' holds a brace or a line break, which an audit cannot; name"),
    ],
)
def test_what_cannot_be_audited(data, out, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=message):
        command.asked(data, out)
    with pytest.raises(ConfigError, match="Did you mean 'full'"):
        command.asked("xwines", content="ful")


def test_bad_data_stop_before_anything_is_trained(tmp_path, capsys):
    (tmp_path / "shop").mkdir()
    assert main(["audit", str(tmp_path / "shop"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_report_that_fails_says_where_to_look(tmp_path):
    with pytest.raises(BonmfError, match=r"report\.html could .*report\.log says why"):
        command._page(command.project_root(), "{", tmp_path / "report.html", tmp_path)
    assert (tmp_path / "report.log").stat().st_size


def test_a_strangers_report_opens_with_what_was_found(tmp_path, monkeypatch, capsys):
    """Two CSV files under the stranger's own column names, from the command to the page."""
    data, out = tmp_path / "shop", tmp_path / "out [1]*"
    shop(data)
    rmtree(data / "images")
    items = pd.read_csv(data / "items.csv").drop(columns="image").rename(columns={"title": "name"})
    items.to_csv(data / "items.csv", index=False)
    monkeypatch.setattr(command, "PROFILE", "smoke")
    assert main(["audit", str(data), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "note: " in said.err and "reads 'name' as title" in said.err
    assert "UserWarning" not in said.err and str(out / "report.html") in said.out
    page = (out / "report.html").read_text(encoding="utf-8")
    text = unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))
    first = text.index("What we found on your data")
    assert first < text.index("Text: ") < text.index("How it was measured")
    assert text.index("How it was measured") < text.index("items.csv: reads 'name' as title")
    assert "Texts are made of the columns name, text." in text
    assert "note: Texts are made of the columns name, text." in said.err
    assert "no lamp of shop has a photo" in text
    absent = str(tmp_path), str(command.project_root()), "Warning", "NaN", "movie", "poster", "star"
    assert not [word for word in absent if word in page.partition("<main")[2]]
    # published records stand behind a link at the end, which goes to a page beside this one
    link = f'<a href="{command.PUBLISHED}">'
    assert page.count(link) == 1 and page.index(link) > page.index(files.VECTORS)
    study = (out / command.PUBLISHED).read_text(encoding="utf-8")
    assert "BoNMF" in study and "<title>The report: what was claimed" in study
    for name in (files.RECOMMENDATIONS, files.PREDICTIONS, files.VECTORS, files.VECTOR_IDS):
        assert (out / name).stat().st_size
    assert main(["predict", str(out), "--user", "7", "--top", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.case(
    "data",
    "an audit of a folder with a damaged picture and one of 56 megapixels",
    "it ends; both count as missing and are named with their reasons in the report",
)
@pytest.mark.parametrize("kind", ["own vectors", "pictures alone"])
def test_folders_of_other_kinds_are_audited_to_the_end(kind, tmp_path, monkeypatch):
    """Own vectors in place of texts and pictures; and pictures of things without a text."""
    data, out = tmp_path / "shop", tmp_path / "out"
    shop(data)
    items = pd.read_csv(data / "items.csv")
    if kind == "own vectors":
        rmtree(data / "images")
        draw = np.random.default_rng(0)
        for name in ("text.npy", "image.npy"):
            np.save(data / name, draw.normal(size=(60, 8)).astype(np.float32))
        items[["item"]].to_csv(data / "items.csv", index=False)
    else:
        items[["item", "image"]].to_csv(data / "items.csv", index=False)
        (data / "images/3.png").write_bytes((data / "images/3.png").read_bytes()[:99])
        Image.new("1", (8000, 7000)).save(data / "images/4.png")
    monkeypatch.setattr(command, "PROFILE", "smoke")
    assert main(["audit", str(data), "--out", str(out)]) == 0
    page = (out / "report.html").read_text(encoding="utf-8").partition("<main")[2]
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    answers = text[text.index("What we found on your data") : text.index("How it was measured")]
    assert ("Text: " in answers) == (kind == "own vectors") and "Photo: " in answers
    assert ("no lamp of shop has a text" in text) == (kind == "pictures alone")
    unread = (
        "shop: 2 unreadable pictures count as missing: that of '3' (3.png: it is damaged or cut "
        "off), that of '4' (4.png: it has 8,000 x 7,000 pixels, more than 50,000,000)."
    )
    assert (unread in text) == (kind == "pictures alone")
    assert len(pd.read_csv(out / files.RECOMMENDATIONS))
