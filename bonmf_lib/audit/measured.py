"""A catalogue measured: every rating predicted by a model that had not seen it, for each row."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..evaluation import Estimate
from ..evaluation.clustered import Clusters, relative_gain
from ..runs.run import Run
from ..runs.runner import run_variants
from ..runs.training import Training
from ..runs.variant import VALID_SHARE, Variant
from ..splits.rules import resampling_share
from . import rows as rows_of
from .situations import Situation, situations
from .units import Unit, in_stars, unit_of


@dataclass(frozen=True, eq=False)
class Measured:
    """One situation, measured.

    Attributes:
        rows: by name. records: of all rows, their errors on the data's own scale.
        tested: one line per tested rating, or per user and draw where items are ranked; columns
            user, item (-1 where items are ranked), seed, support (training ratings of the item),
            and what was measured of every row: its squared error, or the share of a user's items
            that it found.
        predicted: the predictions behind errors, same lines, a column per row; empty where items
            are ranked.
        validation: of every row, the mean over seeds of what its training watched.
        trained_on: the run that trained the rows, whose ratings are stars
            (:mod:`~bonmf_lib.audit.units`).
    """

    run: Run
    situation: Situation
    rows: dict[str, Variant]
    records: pd.DataFrame
    tested: pd.DataFrame
    predicted: pd.DataFrame
    validation: pd.Series
    test_share: float
    trained_on: Run

    @property
    def unit(self) -> Unit:
        """The unit of the data's own scale."""
        return unit_of(self.run.dataset.scale)

    @property
    def questions(self) -> list[str]:
        """Those that were asked."""
        return [what for what in rows_of.QUESTIONS if self._rows_of(what)]

    def family(self, what: str) -> str:
        """Of the models that read what is asked about, the best on validation ratings."""
        names = self._rows_of(what)
        return names[self.best_of(list(names))]

    def _rows_of(self, what: str) -> dict[str, str]:
        """Families by the name of their row for a question."""
        names = {
            rows_of.row_name(family, what): family for family in rows_of.families(self.situation)
        }
        return {name: family for name, family in names.items() if name in self.rows}

    def row_name(self, what: str, control: bool = False) -> str:
        """The row of a question, or its control."""
        return rows_of.row_name(self.family(what), what, control)

    def without(self, what: str) -> str:
        """The row that a question's is but for what is asked about."""
        return rows_of.without_name(self.run, self.family(what))

    def weights(self, chosen: np.ndarray) -> np.ndarray:
        """What each of some lines, bool (N,), counts, of mean 1: on new items every item alike,
        however many ratings it got, else every line."""
        items = self.tested["item"].to_numpy()[chosen]
        if not self.situation.is_new or not len(items):
            return np.ones(len(items))
        weights = 1 / np.bincount(items)[items]
        return weights / weights.mean()

    @property
    def strongest(self) -> str:
        """The model without texts and pictures that is best on validation ratings."""
        return self.best_of(rows_of.candidates(self.run, self.situation))

    def best_of(self, names: list[str]) -> str:
        """The best of some rows on validation ratings."""
        found = self.validation[names]
        return str(found.idxmin() if self.situation.lower_is_better else found.idxmax())

    def clusters(self, chosen: np.ndarray) -> Clusters:
        """Users and items of some lines, bool (N,)."""
        part = self.tested[chosen]
        items = None if self.situation.ranking is not None else part["item"].to_numpy()
        return Clusters(part["user"].to_numpy(), items, len(self.situation.seeds), self.test_share)

    def gain(self, ours: str, theirs: str, chosen: np.ndarray) -> Estimate:
        """By how many percent one row is better than another on some lines, bool (N,)."""
        part, weights = self.tested[chosen], self.weights(chosen)
        values = (part[name].to_numpy() * weights for name in (ours, theirs))
        return relative_gain(*values, self.clusters(chosen), self.situation.lower_is_better)


def measure(run: Run, situation: Situation) -> Measured:
    """Train what is not trained yet, and gather what it predicts."""
    trained_on, unit = in_stars(run), unit_of(run.dataset.scale)
    found = rows_of.rows(trained_on, situation)
    records = run_variants(trained_on, f"15_{situation.name}", found, situation.seeds)
    records = records.assign(value=records["value"] * records["metric"].map(unit.factor))
    of_seed = [_of_seed(run, trained_on, situation, found, seed) for seed in situation.seeds]
    values = pd.concat([part for part, _, _ in of_seed], ignore_index=True)
    predicted = pd.concat([part for _, part, _ in of_seed], ignore_index=True)
    split = run.split(situation.split, situation.seeds[0], VALID_SHARE)
    share = resampling_share(split.rule, split.test_share)
    validation = pd.DataFrame([part for _, _, part in of_seed]).mean()
    validation *= unit.factor(situation.metric)
    by_name = {row.name: row for row in found}
    return Measured(
        run, situation, by_name, records, values, predicted, validation, share, trained_on
    )


def measure_all(run: Run) -> list[Measured]:
    """:func:`measure` of every situation that the data allow."""
    return [measure(run, situation) for situation in situations(run)]


def _of_seed(
    run: Run, trained_on: Run, situation: Situation, found: list[Variant], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float]]:
    trainings = {row.name: Training(trained_on, row, seed) for row in found}
    watched = {name: _best(training) for name, training in trainings.items()}
    if situation.ranking is not None:
        tables = {
            name: situation.ranking.per_user(training).set_index("user")[situation.metric]
            for name, training in trainings.items()
        }
        table = pd.DataFrame(tables).rename_axis("user").reset_index()
        lines = table[["user"]].assign(item=-1, seed=seed, support=-1)
        return lines.join(table[list(trainings)]), pd.DataFrame(index=lines.index), watched
    first = next(iter(trainings.values()))
    ratings, unit = run.dataset.ratings, unit_of(run.dataset.scale)
    counts = np.bincount(ratings["item"].iloc[first.split.train], minlength=run.dataset.n_items)
    tested = ratings.iloc[first.split.test].reset_index(drop=True)
    lines = tested[["user", "item", "rating"]].assign(seed=seed)
    lines["support"] = counts[lines["item"]]
    stars = {name: training.predictions()["predicted"] for name, training in trainings.items()}
    predicted = unit.told(pd.DataFrame(stars).astype(np.float64))
    errors = predicted.sub(lines["rating"].astype(np.float64), axis=0) ** 2
    return lines.join(errors), predicted, watched


def _best(training: Training) -> float:
    history = training.history()
    return float(history.valid[history.best_epoch - 1])
