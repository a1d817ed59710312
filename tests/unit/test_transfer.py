"""Content towers: what they learn in one domain holds in another whose scale differs, where it
should, and nowhere else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.report import domain_transfer
from bonmf_lib.report.domains import HELPS, OPEN
from bonmf_lib.report.figures.domains import tower_forest
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.splits.rules import ColdItems
from bonmf_lib.studies import transfer
from bonmf_lib.studies.transfer import (
    AMAZON,
    GLOBAL_MEAN,
    ITEM_MEAN,
    OTHERS,
    OWN,
    SHRINKAGE,
    USER_MEAN,
    Domain,
)


def made_up(seed: int, direction: np.ndarray, users: int = 40, items: int = 200) -> Domain:
    """Items liked along a direction of their texts; the first half trains, the second tests."""
    random = np.random.default_rng(seed)
    text = random.standard_normal((items, len(direction))).astype(np.float32)
    liked = text @ direction
    half = items // 2
    tested = np.repeat(np.arange(half, items), users)
    own_mean = np.tile(0.3 * random.standard_normal(users), half)
    return Domain(
        text,
        np.roll(text, 1, axis=0),
        np.where(np.arange(items) < half, liked, 0.0),
        (np.arange(items) < half).astype(float),
        own_mean,
        tested,
        own_mean + liked[tested] + 0.5 * random.standard_normal(len(tested)),
        (-9.0, 9.0),
        0.2,
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two domains alike, one in which the same texts are liked the other way round."""
    along = np.array([0.5, -0.5, 0.0, 0.0])
    rows = []
    for seed in range(4):
        domains = {
            "a": made_up(seed, along),
            "b": made_up(seed + 10, along),
            "c": made_up(seed + 20, -along),
        }
        rows += [row | {"seed": seed} for row in transfer._on_seed(domains)]
    return pd.DataFrame(rows)


def test_a_tower_holds_where_the_same_texts_are_liked_and_harms_where_not(table):
    judged = domain_transfer.transfers(domain_transfer.tower_gains(table))["verdict"]
    for home in "abc":
        assert judged[home, OWN] == HELPS
    assert judged["a", "b"] == judged["b", "a"] == HELPS
    assert judged["a", "c"] == judged["c", "b"] == "harms"
    gains = domain_transfer.tower_gains(table).set_index(["target", "source", "over"])
    assert gains.loc[("a", "b", "shuffled"), "mean"] > 20
    assert gains.loc[("a", "b", USER_MEAN), "correlation"] > 0.9
    assert gains.loc[("a", "c", USER_MEAN), "correlation"] < -0.9
    said = domain_transfer.transfer_sentences(domain_transfer.tower_gains(table), table)
    assert "At home, 3 of 3 towers beat the user's mean" in said
    assert "On another domain, 2 of 9" in said and "Towers learned at home gain +" in said


def test_means_stand_beside_towers_in_order(table):
    mse = table.groupby(["target", "source", "model"])["mse"].mean()
    for target in "abc":
        assert (
            mse[target, "", ITEM_MEAN] < mse[target, "", USER_MEAN] < mse[target, "", GLOBAL_MEAN]
        )
        assert mse[target, OWN, "tower"] == pytest.approx(0.25, abs=0.03)  # the noise
        assert mse[target, OWN, "shuffled"] > mse[target, "", USER_MEAN]
    shown = domain_transfer.baseline_table(table)
    assert list(shown.index) == list("abc") and "tower from all others" in shown


def test_the_figure_counts_what_the_table_says(table):
    gains = domain_transfer.tower_gains(table)
    figure = tower_forest(gains)
    assert "3 of 3 towers help at home, 2 of 9 on another domain" in figure.get_label()
    alone = gains[gains["source"] == OWN]
    assert tower_forest(alone).get_label().endswith("towers help at home")
    few = gains.assign(seeds=2)
    assert "2 seeds, too few" in tower_forest(few).get_label()
    assert (domain_transfer.transfers(few)["verdict"] == OPEN).all()


def test_both_movielens_are_one_domain_and_amazon_is_joined():
    names = ["ml-1m", "ml-100k", "amazon-office", "amazon-sports-stars", "xwines"]
    assert transfer.sources_of("ml-1m", names) == {
        OWN: ("ml-1m",),
        "amazon-office": ("amazon-office",),
        "amazon-sports-stars": ("amazon-sports-stars",),
        "xwines": ("xwines",),
        AMAZON: ("amazon-office", "amazon-sports-stars"),
        OTHERS: ("amazon-office", "amazon-sports-stars", "xwines"),
    }
    assert AMAZON not in transfer.sources_of("amazon-office", names)
    assert transfer.sources_of("a", ["a"]) == {OWN: ("a",)}


def test_the_mean_of_an_item_never_sees_the_rating_that_it_predicts():
    domain = made_up(0, np.array([0.0, 0.0]), users=2, items=4)
    changed = replace(domain, truth=domain.truth + np.array([100.0, 0, 0, 0]), ends=(-999, 999))
    predicted = []
    for one in (replace(domain, ends=(-999, 999)), changed):
        residual = one.truth - one.users
        other = residual[[1, 0, 3, 2]] / (1 + SHRINKAGE)  # the only other rating of its item
        predicted.append(one.users + other)
        (found,) = (row["mse"] for row in transfer._means(one) if row["model"] == ITEM_MEAN)
        assert found == pytest.approx(np.mean((one.users + other - one.truth) ** 2))
    assert predicted[0][0] == predicted[1][0] and predicted[0][1] != predicted[1][1]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


def test_a_domain_reads_training_ratings_alone(run):
    ratings = run.dataset.ratings
    split, found = ColdItems(0.2).split(run.dataset, 0), transfer.domain_of(run, 0)
    assert np.array_equal(found.items, ratings["item"].to_numpy()[split.test])
    assert not found.weight[np.unique(found.items)].any()  # cold items teach nothing
    train = ratings.iloc[split.train]
    z = (train["rating"] - train["rating"].mean()) / train["rating"].std(ddof=0)
    user = train.assign(z=z).groupby("user")["z"].agg(["sum", "count"])
    mean = user["sum"] / (user["count"] + SHRINKAGE)
    own = train.assign(rest=z - mean.reindex(train["user"]).to_numpy())
    item = own.groupby("item")["rest"].agg(["sum", "count"])
    liked = item["sum"] / (item["count"] + SHRINKAGE)
    assert found.liked[liked.index] == pytest.approx(liked.to_numpy(), abs=1e-6)
    tested = ratings["user"].to_numpy()[split.test]
    assert found.users == pytest.approx(mean.reindex(tested).to_numpy(), abs=1e-6)
    low, high = found.ends
    assert (high - low) * train["rating"].std(ddof=0) == pytest.approx(4, abs=1e-5)


def test_encoders_that_are_fitted_to_their_texts_are_no_common_language(run):
    assert run.settings.encoders.text == "tfidf" and transfer.towers_possible({"p": run}) == {}
    nothing = transfer.transferred({"p": run}, (0,))
    assert nothing.empty and domain_transfer.tower_gains(nothing).empty
    said = domain_transfer.transfer_sentences(domain_transfer.tower_gains(nothing), nothing)
    assert said.startswith("No two data sets")
    assert domain_transfer.transfers(domain_transfer.tower_gains(nothing)).empty
    assert domain_transfer.baseline_table(nothing).empty
    own = replace(run.settings, encoders=replace(run.settings.encoders, text="wordllama"))
    other = run.on("planted", "packaged")
    other.settings = own
    assert list(transfer.towers_possible({"p": other})) == ["p"]
