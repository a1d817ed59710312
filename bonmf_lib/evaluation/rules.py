"""How a trained model is evaluated: small frozen configurations, ``rule.of(trained) -> metrics by
name``, independent of what the model was trained by.

Each also says what a training with patience watches, so that a model is stopped for what it is
tested on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
import torch

from ..datasets import Dataset
from ..errors import ConfigError
from ..models import Recommender
from ..splits.split import Split
from ..training.batches import Triples
from ..training.config import TrainingConfig
from ..training.loop import Validation, validation_mse
from .candidates import Candidates, Ties, check_ties, drawn_candidates, rank_candidates
from .ranked import Ranked
from .ranking import UnseenItems
from .rating import cold_errors, definition_on, rating_metrics

WATCHED = "ndcg@10"  # of rankings, by trainings with patience


class Trained(Protocol):
    """What an evaluation may ask of a finished training."""

    dataset: Dataset
    split: Split
    device: torch.device

    def predictions(self) -> pd.DataFrame:
        """Columns user, item, rating, predicted (on the rating scale), one row per test rating."""

    def model(self) -> Recommender:
        """The trained model on ``device``, in evaluation mode."""


class EvaluationRule(ABC):
    """What decides the metrics besides the predictions and the split."""

    reads_model: ClassVar[bool]  # scores other pairs than the test ratings

    @property
    @abstractmethod
    def name(self) -> str:
        """How records call it: different for everything that could give another number."""

    @abstractmethod
    def of(self, trained: Trained) -> dict[str, float]:
        """Metrics of the test part by name."""

    @abstractmethod
    def watched(self, dataset: Dataset, split: Split, device: torch.device) -> Validation:
        """The same of the validation part, in one number; its ratings are never empty."""


@dataclass(frozen=True)
class RatedItems(EvaluationRule):
    """Errors of the test ratings, and lists of the items that a user rated in the test part."""

    reads_model: ClassVar[bool] = False
    name: ClassVar[str] = "rated items"

    def of(self, trained: Trained) -> dict[str, float]:
        _check_rated(trained.dataset)
        dataset, table = trained.dataset, trained.predictions()
        users, items, truth, predicted = (
            table[name].to_numpy() for name in ("user", "item", "rating", "predicted")
        )
        counts = np.bincount(
            dataset.ratings["item"].to_numpy()[trained.split.train], minlength=dataset.n_items
        )
        metrics = rating_metrics(users, truth, predicted, definition_on(dataset.scale))
        return metrics | cold_errors(items, truth, predicted, counts)

    def watched(self, dataset: Dataset, split: Split, device: torch.device) -> Validation:
        _check_rated(dataset)
        return validation_mse(Triples.of(dataset, split.valid, device))


def _check_rated(dataset: Dataset) -> None:
    if not dataset.scale.rates:
        raise ConfigError(
            f"{dataset.name} holds pairs without ratings, of which there are no errors; "
            "evaluate by a ranking."
        )


def _pairs(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Users and items of ratings, int64 (N,) each."""
    return tuple(dataset.ratings[side].to_numpy()[rows] for side in ("user", "item"))


Ranker = Callable[[Recommender], Ranked]


class RankingRule(EvaluationRule):
    """Every rating of a part counts as relevant, whatever its value."""

    reads_model: ClassVar[bool] = True
    watches: str = WATCHED
    every: int = 1

    def of(self, trained: Trained) -> dict[str, float]:
        return self.ranked(trained).metrics

    def per_user(self, trained: Trained) -> pd.DataFrame:
        """What the metrics are means of: column user, then one per metric. A row per user, or per
        test rating where each is ranked in a list of its own."""
        return self.ranked(trained).per_user()

    def ranked(self, trained: Trained) -> Ranked:
        """Both at once."""
        return self.tester(trained.dataset, trained.split, trained.device)(trained.model())

    def tester(self, dataset: Dataset, split: Split, device: torch.device) -> Ranker:
        """What ranks the test ratings by any model, trained or not."""
        return self._ranker(dataset, split, split.test, device)

    def watched(self, dataset: Dataset, split: Split, device: torch.device) -> Validation:
        rank = self._ranker(dataset, split, split.valid, device)
        return Validation(
            self.watches, lambda model: rank(model).metrics[self.watches], True, self.every
        )

    @abstractmethod
    def _ranker(
        self, dataset: Dataset, split: Split, part: np.ndarray, device: torch.device
    ) -> Ranker:
        """What ranks the ratings of one part (rows) by a model: all that does not depend on the
        model is made once, here."""


@dataclass(frozen=True)
class FullRanking(RankingRule):
    """All items that the user did not rate in the masked parts compete.

    Attributes:
        masked: ``train``, or ``train`` and ``valid``, where what validated is known when the test
            part is ranked; validation itself masks what trained.
        watches: the metric that trainings with patience and searches go by. every: epochs from one
        look at it to the next.
    """

    masked: tuple[str, ...] = ("train",)
    watches: str = WATCHED
    every: int = 1

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"FullRanking.every is at least 1, got {self.every}.")
        if self.masked not in (("train",), ("train", "valid")):
            raise ConfigError(
                f"FullRanking masks ('train',) or ('train', 'valid'), got {self.masked!r}."
            )

    @property
    def name(self) -> str:
        watched = "" if self.watches == WATCHED else f", by {self.watches}"
        watched += "" if self.every == 1 else f", every {self.every} epochs"
        return f"full ranking, {' and '.join(self.masked)} masked{watched}"

    def _ranker(self, dataset, split, part, device) -> Ranker:
        known = (
            [split.train] if part is split.valid else [getattr(split, name) for name in self.masked]
        )
        known, wanted = _pairs(dataset, np.concatenate(known)), _pairs(dataset, part)
        unseen = UnseenItems(known, wanted, dataset.n_users, dataset.n_items, device)
        return lambda model: unseen.rank(model.score_all_items)


@dataclass(frozen=True)
class SampledRanking(RankingRule):
    """Every test item among few drawn items that its user never rated (He et al., 2017: 99).

    Attributes:
        negatives: how many are drawn for each test rating. seed: of the draw, the same for all
        models.
    """

    negatives: int = 99
    seed: int = 0

    @property
    def name(self) -> str:
        return f"sampled ranking, {self.negatives} negatives, draw {self.seed}"

    def lists(self, dataset: Dataset, split: Split, part: np.ndarray) -> Candidates:
        """The lists of the ratings of one part (rows); what tests is not known to validation, so
        it can be drawn there."""
        known = [split.train, split.valid] if part is split.valid else [np.arange(split.n_ratings)]
        rated = _pairs(dataset, np.concatenate(known))
        return drawn_candidates(
            _pairs(dataset, part), rated, dataset.n_items, self.negatives, self.seed
        )

    def _ranker(self, dataset, split, part, device) -> Ranker:
        lists = self.lists(dataset, split, part)
        return lambda model: rank_candidates(model.score, lists, device)


OWN_KEPT = "own item kept"  # in names of rankings among lists that hold their own test item


@dataclass(frozen=True)
class GivenNegatives(RankingRule):
    """Every test item among the items that the data's makers published beside it.

    For validation ratings as many are drawn as by :class:`SampledRanking`, draw 0, since none were
    published.

    Attributes:
        naive: a published negative that is the test item itself counts as a rival with an equal
        score; else it is left out. ties: see :func:`~.candidates.rank_candidates`.
    """

    naive: bool = False
    ties: Ties = "mean"

    def __post_init__(self) -> None:
        check_ties(self.ties)

    @property
    def name(self) -> str:
        kept = f", {OWN_KEPT}" if self.naive else ""
        return f"given negatives{kept}" + ("" if self.ties == "mean" else f", ties {self.ties}")

    def lists(self, dataset: Dataset, part: np.ndarray) -> Candidates:
        """The published lists of the test ratings (rows).

        Raises:
            ConfigError: the data came without lists, or other ratings test.
        """
        given = dataset.given
        if given is None or given.negatives is None:
            raise ConfigError(f"{dataset.name} came without lists of negatives to rank among.")
        if not np.array_equal(part, given.test):
            raise ConfigError(
                f"The negatives of the {given.source} are of its own test ratings; "
                "split by the rule Given."
            )
        return Candidates(*_pairs(dataset, part), given.negatives)

    def _ranker(self, dataset, split, part, device) -> Ranker:
        lists = self.lists(dataset, split.test)
        if part is split.valid:
            lists = SampledRanking(lists.negatives.shape[1]).lists(dataset, split, part)
        how = {"ties": self.ties, "naive": self.naive}
        return lambda model: rank_candidates(model.score, lists, device, **how)


RATED_ITEMS, FULL_RANKING = RatedItems(), FullRanking()
ALL_KNOWN_MASKED = FullRanking(("train", "valid"))


def usual_evaluation(training: TrainingConfig) -> EvaluationRule:
    """What a training is evaluated by where nothing else is said: a ranking where ratings are
    positives, else errors."""
    return FULL_RANKING if training.is_implicit else RATED_ITEMS


def identity(rule: EvaluationRule, training: TrainingConfig) -> list[Any]:
    """Plain values for hashes; none of the usual rule, as records were hashed before there were
    others."""
    return [] if rule == usual_evaluation(training) else [rule.name]
