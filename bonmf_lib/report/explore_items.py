"""One item of a run's data as a question of :mod:`~bonmf_lib.report.explore`: its neighbours, and
what the run's models predict for it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..datasets.summary import activity
from ..encoders import Features
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..studies.one_item import HIDDEN, neighbours, predictions, trained_models
from .explore import Choice, Menus, Question
from .figures import explore as figures
from .figures.general import neighbour_wall
from .published import Part

AS_IT_IS = next(iter(HIDDEN))


def item_names(dataset) -> pd.Series:
    """Titles that tell items apart: the raw id stands behind those that several have."""
    titles = dataset.items["title"].fillna("").astype(str)
    several = titles.duplicated(keep=False) | (titles == "")
    return titles.where(~several, titles + " [" + dataset.items["raw_id"].astype(str) + "]")


class Neighbours(Question):
    """An item's nearest neighbours by text, by picture and by both."""

    def __init__(self, run: Run):
        self.dataset = run.dataset
        names = {"text": "text", "picture": "image"}
        self._features: dict[str, Features] = {
            name: run.features(modality)
            for name, modality in names.items()
            if run.dataset.offers(modality)
        }
        self._names = item_names(run.dataset)
        item = run.dataset.words.item
        options = pd.DataFrame({item: _by_popularity(run, self._names)})
        self.menus = (Menus("Neighbours of", options, kinds={item: "typed"}),)

    def answer(self, chosen: Choice) -> tuple[Part | None, ...]:
        """What the item has, then the wall of its neighbours; without pictures, their titles."""
        item = _item(self._names, chosen)
        found = neighbours(self._features, item)
        words = self.dataset.words
        said = f"{self._names[item]}: nearest {words.items} by {', by '.join(found)}."
        if not found:
            return f"{self._names[item]} has neither text nor {words.picture} to compare.", None
        if self.dataset.has("image"):
            wall = {name: {item: table} for name, table in found.items()}
            return said, neighbour_wall(self.dataset, wall)
        titles = {name: self._names[table["item"]].tolist() for name, table in found.items()}
        return said, pd.DataFrame(titles, index=range(1, 1 + max(map(len, titles.values()))))


class Predictions(Question):
    """What models predict for an item, for all users, for those who rated it, or for one of them;
    and how that changes when its text or its picture is hidden."""

    ALL, RATERS = "all users", "users whose rating was held out"

    def __init__(self, run: Run, rows: Sequence[Variant]):
        seed = run.settings.seeds[0]
        self.dataset, self._models = run.dataset, trained_models(run, rows, seed)
        self._names = item_names(run.dataset)
        trained = np.zeros(len(run.dataset.ratings), bool)
        trained[Training(run, rows[0], seed).split.train] = True
        rated = run.dataset.ratings[["user", "item", "rating"]].assign(trained=trained)
        part = np.where(trained, "trained on", "held out")
        users = run.dataset.users["raw_id"].astype(str)[rated["user"]].to_numpy()
        shown = rated["rating"].map("{:g}".format).to_numpy()
        self._rated = rated.assign(label="user " + users + ": " + shown + ", " + part)
        item, popular = run.dataset.words.item, _by_popularity(run, self._names)
        raters = pd.DataFrame(
            {item: self._names[rated["item"]].to_numpy(), "for": self._rated["label"]}
        )
        groups = [pd.DataFrame({item: popular, "for": label}) for label in (self.ALL, self.RATERS)]
        options = pd.concat([*groups, raters], ignore_index=True)
        default = {"for": self.RATERS}
        self.menus = (Menus("Predicted ratings", options, default, {item: "typed"}),)

    def answer(self, chosen: Choice) -> tuple[Part | None, ...]:
        """How near the models come and what moves them, the predictions, their table."""
        item = _item(self._names, chosen)
        rated = self._rated[self._rated["item"] == item]
        own = rated[rated["label"] == chosen["for"]]
        held_out = rated[~rated["trained"]]
        # who rated an item chose to: their mean is nothing to hold predictions for all users to
        truth = {self.ALL: np.nan, self.RATERS: held_out["rating"].mean()}.get(
            chosen["for"], own["rating"].mean()
        )
        users = {self.ALL: slice(None), self.RATERS: held_out["user"]}.get(
            chosen["for"], own["user"]
        )
        scale = self.dataset.scale
        found = predictions(self._models, item, scale.low, scale.high)
        table = pd.DataFrame({state: rows.loc[users].mean() for state, rows in found.items()})
        table = table.reindex(self._models).rename_axis("model")
        title = f"{self._names[item]}, {chosen['for']}"
        figure = figures.item_predictions(table, truth, title, self.dataset.words.unit)
        changes = table.drop(columns=AS_IT_IS).sub(table[AS_IT_IS], axis=0)
        shown = pd.concat([table[[AS_IT_IS]].map("{:.2f}".format), changes.map(_signed)], axis=1)
        said = f"{self._rated_sentence(rated)} {_moved_sentence(table[AS_IT_IS], truth, changes)}"
        return said, figure, shown

    def _rated_sentence(self, rated: pd.DataFrame) -> str:
        return (
            f"{len(rated)} users rated it, on average {rated['rating'].mean():.2f}; "
            f"the models were trained on {int(rated['trained'].sum())} of these ratings."
        )


def _moved_sentence(predicted: pd.Series, truth: float, changes: pd.DataFrame) -> str:
    """Which model is nearest to what was rated, and which one each hidden part moves most."""
    parts = []
    if np.isfinite(truth) and predicted.notna().any():
        near = (predicted - truth).abs().idxmin()
        parts.append(f"Nearest to {truth:.2f} is {near} ({predicted[near]:.2f}).")
    for state in changes:
        moved = changes[state].dropna()
        if len(moved):
            most = moved.abs().idxmax()
            parts.append(f"{state.capitalize()}, {most} moves most ({moved[most]:+.2f}).")
    return " ".join(parts)


def _signed(change: float) -> str:
    return "" if np.isnan(change) else f"{change:+.3f}"


def _by_popularity(run: Run, names: pd.Series) -> pd.Series:
    """Names of all rated items, the most rated first."""
    counts = activity(run.dataset, "item")
    counts = counts[counts > 0].sort_values(ascending=False, kind="stable")
    return names[counts.index]


def _item(names: pd.Series, chosen: Choice) -> int:
    (name, *_) = chosen.values()
    return int(names.index[names == name][0])
