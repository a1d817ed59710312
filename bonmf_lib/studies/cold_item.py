"""One item that no model has a rating of: who is predicted to like it, and to whom each model would
recommend it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ..datasets import Dataset
from ..errors import SplitError
from ..models import RatingModel
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..splits.split import Split
from ..training.loop import predict

LISTED = 10  # places in a list of recommendations
_AUDIENCE, _BLOCK = 500, 64  # users that are asked, and at once
_GROUPS = 6  # of users, the largest


@dataclass(frozen=True, eq=False)
class ColdItem:
    """A held-out item and the models that are asked about it.

    Attributes:
        item: its id. models: trained without it, by the names of their rows. split: theirs.
        raters: users whose ratings of it were held out, with these: columns user, rating.
    """

    dataset: Dataset
    item: int
    models: Mapping[str, RatingModel]
    split: Split
    raters: pd.DataFrame


def cold_item(run: Run, rows: Sequence[Variant], seed: int) -> ColdItem:
    """The held-out item with a text (where any has one) that most test ratings are of, and the
    rows' models.

    Args:
        rows: of one split in which no rating of held-out items trains; not empty.

    Raises:
        SplitError: the rows are of several splits, or ratings of every test item train.
    """
    if len({row.split for row in rows}) != 1:
        raise SplitError("A cold item is looked at by models of one split.")
    trainings = {row.name: Training(run, row, seed) for row in rows}
    split = next(iter(trainings.values())).split
    of_rating = run.dataset.ratings["item"].to_numpy()
    tested = pd.Series(of_rating[split.test]).value_counts()
    cold = tested[~tested.index.isin(of_rating[split.train])]
    if cold.empty:
        raise SplitError(f"{split.rule}: every test item has training ratings.")
    told = cold[run.dataset.items["text"].notna().to_numpy()[cold.index]]
    item = int((told if len(told) else cold).sort_index().idxmax())
    held = run.dataset.ratings.iloc[split.test][["user", "item", "rating"]]
    raters = held[held["item"] == item][["user", "rating"]].reset_index(drop=True)
    models = {name: training.model() for name, training in trainings.items()}
    return ColdItem(run.dataset, item, models, split, raters)


def text_sentence(dataset: Dataset, item: int, most: int = 400) -> str:
    """What an item's text says, cut after so many letters."""
    text = dataset.items["text"].iloc[item]
    if not isinstance(text, str):
        return f"This {dataset.words.item} has no text."
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def user_groups(dataset: Dataset, train: np.ndarray) -> pd.Series:
    """The group of every user: the genre that they rate most above its share in all training
    ratings; where no genre is known, how much they rate (thirds).

    Args:
        train: rows of training ratings.
    """
    ratings = dataset.ratings.iloc[train]
    genres = dataset.items["genres"].map(lambda held: held if isinstance(held, tuple) else ())
    seen = pd.DataFrame({"user": ratings["user"], "genre": genres[ratings["item"]].to_numpy()})
    seen = seen.explode("genre").dropna()
    if seen.empty:
        counts = ratings["user"].value_counts().reindex(range(dataset.n_users), fill_value=0)
        thirds = pd.qcut(counts.rank(method="first"), 3, labels=["few", "some", "many"])
        return ("users with " + thirds.astype(str) + " ratings").rename("group")
    counts = pd.crosstab(seen["user"], seen["genre"])
    share, usual = counts.div(counts.sum(axis=1), axis=0), counts.sum() / counts.to_numpy().sum()
    # in deviations of a share of so many ratings, else the rarest genres would have all users
    above = (share - usual) / np.sqrt(usual * (1 - usual)).clip(lower=1e-12)
    return above.idxmax(axis=1).reindex(range(dataset.n_users)).rename("group")


def predicted_audience(cold: ColdItem) -> pd.DataFrame:
    """Mean predicted rating of the item by group of users, a column per model, for the largest
    groups; then ``rated``, the mean of the held-out ratings where a group has any, ``raters`` and
    ``users``."""
    scale, groups = cold.dataset.scale, user_groups(cold.dataset, cold.split.train)
    everyone = torch.arange(cold.dataset.n_users)
    columns = {}
    for name, model in cold.models.items():
        device = _device(model)
        users = everyone.to(device)
        predicted = predict(model, users, torch.full_like(users, cold.item))
        columns[name] = predicted.clamp(scale.low, scale.high).detach().cpu().numpy()
    table = pd.DataFrame(columns).groupby(groups).mean()
    own = cold.raters.groupby(groups[cold.raters["user"]].to_numpy())["rating"]
    table = table.assign(rated=own.mean(), raters=own.size(), users=groups.value_counts())
    table["raters"] = table["raters"].fillna(0).astype(int)
    return table.sort_values("users", ascending=False).head(_GROUPS).rename_axis("group")


def recommended_to(cold: ColdItem, seed: int = 0, shown: int = 3) -> pd.DataFrame:
    """To whom each model recommends the item: the share of users, of 500 drawn ones, in whose list
    of ten it stands among all items that they did not train on; which users put it highest, by raw
    id and two items that they rated best; and how near predictions are to the held-out ratings.

    Returns:
        index model; columns ``in a list of ten, %``, ``median place``, ``first to``, ``mean
        predicted``, ``mean rated``, ``MSE``, ``correlation`` (NaN where all predictions are equal).
    """
    data, scale = cold.dataset, cold.dataset.scale
    drawn = np.random.default_rng(seed).permutation(data.n_users)[:_AUDIENCE]
    users = np.sort(drawn)
    rows = {}
    for name, model in cold.models.items():
        places = _places(cold, model, users)
        first = users[np.argsort(places, kind="stable")[:shown]]
        device = _device(model)
        raters = torch.tensor(cold.raters["user"].to_numpy(), device=device)
        own = predict(model, raters, torch.full_like(raters, cold.item))
        own = own.clamp(scale.low, scale.high).detach().cpu().numpy().astype(np.float64)
        truth = cold.raters["rating"].to_numpy(np.float64)
        varies = len(own) > 2 and own.std() > 1e-9 and truth.std() > 0
        rows[name] = {
            "in a list of ten, %": 100 * float((places < LISTED).mean()),
            "median place": int(np.median(places)) + 1,
            "first to": "; ".join(_described(cold, user) for user in first),
            "mean predicted": own.mean(),
            "mean rated": truth.mean(),
            "MSE": float(((own - truth) ** 2).mean()),
            "correlation": float(np.corrcoef(own, truth)[0, 1]) if varies else float("nan"),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _device(model: RatingModel) -> torch.device:
    return next(iter(model.state_dict().values())).device


def _places(cold: ColdItem, model: RatingModel, users: np.ndarray) -> np.ndarray:
    """0-based place of the item in each user's list of all items that they have no training rating
    of, (N,); of equal scores, the middle."""
    train = cold.dataset.ratings.iloc[cold.split.train]
    out = []
    for first in range(0, len(users), _BLOCK):
        block = users[first : first + _BLOCK]
        scores = model.score_all_items(torch.tensor(block, device=_device(model)))
        scores = scores.detach().cpu().numpy().astype(np.float64)
        known = train[train["user"].isin(block)]
        scores[np.searchsorted(block, known["user"]), known["item"]] = -np.inf
        own = scores[:, [cold.item]]
        above, equal = (scores > own).sum(1), (scores == own).sum(1) - 1
        out.append(above + equal / 2)
    return np.concatenate(out)


def _described(cold: ColdItem, user: int) -> str:
    """A user by raw id and the two items that they rated best in training (of equals, the rarest
    first)."""
    data, train = cold.dataset, cold.dataset.ratings.iloc[cold.split.train]
    own = train[train["user"] == user]
    if own.empty:
        return f"user {data.users['raw_id'].iloc[user]}"
    popularity = train["item"].value_counts()
    own = own.assign(others=popularity[own["item"]].to_numpy())
    best = own.sort_values(["rating", "others", "item"], ascending=[False, True, True]).head(2)
    titles = data.items["title"].fillna("").iloc[best["item"]].astype(str)
    return f"user {data.users['raw_id'].iloc[user]} (likes {', '.join(titles)})"
