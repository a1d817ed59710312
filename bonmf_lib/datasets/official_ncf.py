"""The leave-one-out test set that He et al. (2017) published with their code: of every user of
MovieLens-1M one rating, and 99 items to rank it among.

Their user ids are MovieLens ids less 1, their item ids count the movies in the order in which
``ratings.dat`` first names them.
"""

import numpy as np
import pandas as pd

from ..errors import DatasetError, SourceError
from ..progress import announce
from ..sources import Artifact, Mirror, Url, fetch
from .dataset import Dataset
from .given import TEST, TRAIN, GivenParts

NAME = "official NCF test set"
_FOLDER = "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/master/Data"
FILES = {
    kind: Artifact(
        f"ml-1m-ncf-{kind}",
        (
            Mirror(f"ml-1m.test.{kind}", sha256),
            Url(f"{_FOLDER}/ml-1m.test.{kind}", sha256),
        ),
    )
    for kind, sha256 in {
        "rating": "231ae11eb060b643a8c58c063cd17ffc743b54f569afb073d1abb6cf126b88b5",
        "negative": "127853228a76b7d21c0481e8ef8d00dd009cd5c88670dbdd9e9debfdb9f93de4",
    }.items()
}


def official_parts(dataset: Dataset) -> GivenParts | None:
    """The published parts of MovieLens-1M in the ids of a data set; None, and a line that says so,
    where the files cannot be had.

    Raises:
        DatasetError: the files are of other ratings.
    """
    try:
        paths = {kind: fetch(artifact) for kind, artifact in FILES.items()}
    except SourceError as error:
        announce(f"{dataset.name} comes without the {NAME}: {error}")
        return None
    tests = pd.read_csv(
        paths["rating"], sep="\t", names=["user", "item", "rating", "timestamp"], dtype=np.int64
    )
    lists = pd.read_csv(paths["negative"], sep="\t", header=None)
    return mapped_parts(dataset, tests, lists)


def mapped_parts(dataset: Dataset, tests: pd.DataFrame, lists: pd.DataFrame) -> GivenParts:
    """The parts of test ratings and lists of negatives as they were published.

    Args:
        tests: columns user, item, rating in the published ids, one row per user. lists: per row
            the pair as ``(user,item)``, then its negatives in the published ids.

    Raises:
        DatasetError: the rows are of other ratings, or the lists of other rows.
    """
    ratings = dataset.ratings
    own = pd.unique(ratings["item"])  # by published id
    users = pd.Index(dataset.users["raw_id"]).get_indexer(tests["user"] + 1)
    negatives = lists.iloc[:, 1:].to_numpy(np.int64)
    named = "(" + tests["user"].astype(str) + "," + tests["item"].astype(str) + ")"
    if not np.array_equal(lists[0], named):
        raise DatasetError(f"{NAME}: the negatives are of other test ratings; fetch both anew.")
    published = np.concatenate([tests["item"], negatives.ravel()])
    if (users < 0).any() or published.min() < 0 or published.max() >= len(own):
        raise DatasetError(f"{NAME}: names users or items that {dataset.name} has not.")
    keys = (ratings["user"] * dataset.n_items + ratings["item"]).to_numpy()
    order = np.argsort(keys)
    wanted = users * dataset.n_items + own[tests["item"]]
    rows = order[np.searchsorted(keys, wanted, sorter=order).clip(max=len(keys) - 1)]
    stars = ratings["rating"].to_numpy()[rows]
    if not np.array_equal(keys[rows], wanted) or not np.array_equal(stars, tests["rating"]):
        raise DatasetError(f"{NAME}: its ratings are not those of {dataset.name}.")
    part = np.full(len(ratings), TRAIN, np.int8)
    part[rows] = TEST
    return GivenParts(part, NAME, own[negatives][np.argsort(rows)])


def flaws(dataset: Dataset) -> pd.Series:
    """What is wrong with the given lists of a data set: counts by name, int64.

    Raises:
        DatasetError: the data set came without parts or without negatives.
    """
    given = dataset.given
    if given is None or given.negatives is None:
        raise DatasetError(f"{dataset.name} came without lists of negatives.")
    users, items = (dataset.ratings[side].to_numpy() for side in ("user", "item"))
    train = given.part == TRAIN
    tested, negatives = items[given.test], given.negatives
    rivals = users[given.test, None] * dataset.n_items + negatives
    trained = np.sort(users[train] * dataset.n_items + items[train])
    near = trained[np.searchsorted(trained, rivals).clip(max=len(trained) - 1)]
    repeated = np.diff(np.sort(negatives, axis=1)) == 0
    counts = {
        "lists with their own test item": (negatives == tested[:, None]).any(1).sum(),
        "test items never trained on": (~np.isin(tested, items[train])).sum(),
        "negatives that their user trains on": (near == rivals).sum(),
        "lists that repeat a negative": repeated.any(1).sum(),
    }
    return pd.Series(counts, name="count", dtype=np.int64).rename_axis("flaw")
