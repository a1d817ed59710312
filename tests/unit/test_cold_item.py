"""A page for one new item: which it is, whom models predict it to please, to whom they recommend
it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from bonmf_lib.datasets import load_planted
from bonmf_lib.errors import SplitError
from bonmf_lib.experiments import cold_start as rows_of
from bonmf_lib.experiments.registry import asked
from bonmf_lib.report.figures import cold_start as figures
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.splits.revealed import RevealedItems
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.studies import cold_item


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    run = Run(NotebookParameters(profile="smoke", run_dir=str(folder)))
    rows = rows_of.one_item_rows(run, asked(run, "09_items")[0])
    wanted = ("BoNMF on ID + text", "User + item bias + text", "Biased MF")
    return cold_item.cold_item(run, [row for row in rows if row.name in wanted], 0)


def test_the_item_has_no_training_rating_and_most_test_ratings(cold):
    items = cold.dataset.ratings["item"].to_numpy()
    assert cold.item not in items[cold.split.train]
    counts = np.bincount(items[cold.split.test])
    assert counts[cold.item] == counts.max() == len(cold.raters)


def test_groups_of_users_are_what_they_rate_more_than_others():
    data = load_planted(n_users=40, n_items=30, ratings_per_user=20)[0]
    genres = [("Red",), ("Blue",)] * 15
    tagged = replace(data, items=data.items.assign(genres=genres))
    groups = cold_item.user_groups(tagged, np.arange(len(data.ratings)))
    red = data.ratings["item"].mod(2).eq(0).groupby(data.ratings["user"]).mean()
    overall = data.ratings["item"].mod(2).eq(0).mean()
    assert (groups[red > overall] == "Red").all()
    assert (groups[red < overall] == "Blue").all()
    plain = replace(data, items=data.items.assign(genres=[()] * 30))
    thirds = cold_item.user_groups(plain, np.arange(len(data.ratings)))
    assert set(thirds) == {f"users with {what} ratings" for what in ("few", "some", "many")}
    assert len(thirds) == data.n_users


def test_audiences_are_means_of_predictions(cold):
    table = cold_item.predicted_audience(cold)
    assert table["users"].sum() <= cold.dataset.n_users
    groups = cold_item.user_groups(cold.dataset, cold.split.train)
    model, first = cold.models["BoNMF on ID + text"], table.index[0]
    users = torch.as_tensor(np.flatnonzero(groups == first))
    with torch.no_grad():
        own = model(users, torch.full_like(users, cold.item)).clamp(1, 5).mean()
    assert table.loc[first, "BoNMF on ID + text"] == pytest.approx(float(own), abs=1e-5)
    assert table["raters"].sum() <= len(cold.raters)
    figure = figures.audience(table, "A new thing", "points")
    assert figure.get_label().startswith("A new thing, predicted to please most: ")


def test_recommendations_are_places_in_full_lists(cold):
    table = cold_item.recommended_to(cold)
    assert list(table.index) == list(cold.models)
    truth = cold.raters["rating"].to_numpy()
    assert table["mean rated"].tolist() == pytest.approx([truth.mean()] * len(table))
    model = cold.models["User + item bias + text"]
    users = torch.arange(cold.dataset.n_users)
    scores = model.score_all_items(users).numpy()
    train = cold.dataset.ratings.iloc[cold.split.train]
    scores[train["user"], train["item"]] = -np.inf
    places = (scores > scores[:, [cold.item]]).sum(1)
    share = 100 * (places < cold_item.LISTED).mean()
    assert table.loc["User + item bias + text", "in a list of ten, %"] == pytest.approx(
        share, abs=3
    )
    median = table.loc["User + item bias + text", "median place"]
    assert median == pytest.approx(np.median(places) + 1, abs=2)
    assert table["first to"].str.count("user ").min() == 3


def test_texts_are_cut_and_missing_ones_said(cold):
    text = cold_item.text_sentence(cold.dataset, cold.item, 20)
    assert len(text) <= 20
    nothing = cold.dataset.items.assign(text=None)
    assert (
        cold_item.text_sentence(replace(cold.dataset, items=nothing), 0) == "This item has no text."
    )


def test_models_of_several_splits_or_with_its_ratings_are_refused(tmp_path):
    run = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path)))
    row = rows_of.family_rows(run, "biases", ())[""]
    warm = replace(row, split=Ratio())
    with pytest.raises(SplitError, match="one split"):
        cold_item.cold_item(run, [row, replace(row, split=RevealedItems(0, 5))], 0)
    rare = pd.Series(run.dataset.ratings["item"]).value_counts().min()
    assert rare > 1
    with pytest.raises(SplitError, match="every test item has training ratings"):
        cold_item.cold_item(run, [warm], 0)
