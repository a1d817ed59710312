"""The official NCF test set, and rankings on it that need no training, against known numbers."""

import numpy as np
import pytest
import torch
from scipy import sparse

from bonmf_lib.datasets import load_dataset
from bonmf_lib.datasets.official_ncf import flaws
from bonmf_lib.evaluation.rules import FullRanking, GivenNegatives
from bonmf_lib.splits.given import Given
from tests.conftest import CPU

pytestmark = pytest.mark.mirror


@pytest.fixture(scope="module")
def ml_1m():
    return load_dataset("ml-1m", "full")


@pytest.fixture(scope="module")
def split(ml_1m):
    return Given().split(ml_1m)


@pytest.fixture(scope="module")
def rated(ml_1m, split):
    """Training pairs as a matrix of zeros and ones, (users, items)."""
    users, items = (ml_1m.ratings[side].to_numpy()[split.train] for side in ("user", "item"))
    shape = ml_1m.n_users, ml_1m.n_items
    return sparse.csr_matrix((np.ones(len(users)), (users, items)), shape=shape)


@pytest.fixture(scope="module")
def together(rated):
    """How many users rated both of two items, (items, items)."""
    return (rated.T @ rated).toarray()


@pytest.fixture(scope="module")
def measured(ml_1m, split):
    """HR@10 and NDCG@10 of a table of scores by a rule."""

    class Scored:
        dataset, device = ml_1m, CPU

        def __init__(self, table):
            self.split, self.table = split, torch.from_numpy(table)

        def model(self):
            return self

        def score(self, users, items):
            return self.table[users, items]

        def score_all_items(self, users):
            return self.table[users]

    def of(table, rule):
        found = rule.of(Scored(table))
        return [found["hr@10"], found["ndcg@10"]]

    return of


def is_near(hits: float, gain: float):
    return pytest.approx([hits, gain], abs=1e-3)


def ease(rated, together, regularisation: float) -> np.ndarray:
    inverse = np.linalg.inv(together + regularisation * np.eye(len(together)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return rated @ weights


def item_knn(rated, together, neighbours: int) -> np.ndarray:
    sizes = np.sqrt(np.diag(together)).clip(min=1)
    likeness = together / np.outer(sizes, sizes)
    np.fill_diagonal(likeness, 0)
    least = np.sort(likeness, axis=0)[-neighbours]  # of each target item
    return rated @ np.where(likeness >= least, likeness, 0)


def test_one_rating_of_every_user_tests(ml_1m, split):
    assert len(split.test) == ml_1m.n_users == 6040
    assert len(split.train) == 994_169 and not len(split.valid)
    assert ml_1m.ratings["user"].iloc[split.test].is_unique
    assert ml_1m.given.negatives.shape == (6040, 99)
    times = ml_1m.ratings["timestamp"].astype("float64")
    latest = times.groupby(ml_1m.ratings["user"]).transform("max")
    assert (times == latest).to_numpy()[split.test].all()


def test_validation_ratings_are_the_latest_where_times_are_known(ml_1m, split):
    """This copy may lack times, of users without all of which nothing validates."""
    validated = Given().split(ml_1m, valid=0.1)
    assert np.array_equal(validated.test, split.test)
    users = ml_1m.ratings["user"].iloc[validated.valid]
    assert users.is_unique and len(users) >= 2999


def test_the_flaws_of_the_official_lists(ml_1m):
    assert flaws(ml_1m).to_dict() == {
        "lists with their own test item": 156,
        "test items never trained on": 2,
        "negatives that their user trains on": 0,
        "lists that repeat a negative": 0,
    }


def test_popularity(ml_1m, rated, measured):
    counts = np.asarray(rated.sum(0))
    table = np.repeat(counts, ml_1m.n_users, axis=0)
    assert measured(table, GivenNegatives()) == is_near(0.4535, 0.2543)
    assert measured(table, GivenNegatives(ties="lost")) == is_near(0.4531, 0.2541)
    assert measured(table, GivenNegatives(ties="won")) == is_near(0.4538, 0.2545)
    assert measured(table, FullRanking()) == is_near(0.0414, 0.0204)


def test_a_constant_hits_as_often_as_chance(ml_1m, measured):
    table = np.zeros((ml_1m.n_users, ml_1m.n_items))
    hits, _ = measured(table, GivenNegatives())
    assert hits == pytest.approx(0.1, abs=1e-3)
    assert measured(table, GivenNegatives(ties="lost")) == [0, 0]
    assert measured(table, FullRanking())[0] < 0.01


def test_item_knn(rated, together, measured):
    table = item_knn(rated, together, 50)
    assert measured(table, GivenNegatives()) == is_near(0.6675, 0.3976)
    assert measured(table, FullRanking()) == is_near(0.0831, 0.0410)


@pytest.mark.parametrize(
    ("regularisation", "given", "full"),
    [(1320.0, (0.7192, 0.4494), (0.1075, 0.0539)), (250.0, (0.6914, 0.4403), (0.1114, 0.0552))],
)
def test_ease(rated, together, measured, regularisation, given, full):
    """Which of the two is better turns between the two evaluations."""
    table = ease(rated, together, regularisation)
    assert measured(table, GivenNegatives()) == is_near(*given)
    assert measured(table, FullRanking()) == is_near(*full)
