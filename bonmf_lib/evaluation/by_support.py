"""Errors and lists by how many training ratings an item or a user has: what cold start means,
counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..datasets import Dataset
from ..splits.split import Split
from ..training.loop import Validation
from .rating import COLD, TopKDefinition, definition_on, rating_errors, top_k
from .rules import RATED_ITEMS, EvaluationRule, Trained

STARTS = (0, 1, 5, 10, 20)  # training ratings from which a bucket goes up to the next
BUCKETS = ("0", "1-4", "5-9", "10-19", "20+")
SIDES = ("item", "user")
ERROR, PRECISION, NDCG, TESTED = "mse", "precision@10", "ndcg@10", "tested"
LEAST_LIST = 2  # test ratings in a list: one alone is always in order


def metric_of(metric: str, side: str, bucket: str) -> str:
    """How records call a metric of the ratings whose item (user) lies in a bucket."""
    return f"{metric}-{side}s-{bucket}"


COLD_SIDES = ("items", "users", "both")
COLD_PARTS = tuple(f"{ERROR}-cold-{part}" for part in COLD_SIDES)
BUCKET_ERRORS = tuple(metric_of(ERROR, side, bucket) for side in SIDES for bucket in BUCKETS)


def spoken(metric: str) -> str | None:
    """A metric of this module, as readers know it; None of others."""
    base, _, rest = metric.partition("-")
    side, _, bucket = rest.partition("-")
    if base not in (ERROR, PRECISION, NDCG) or side not in ("items", "users"):
        return None
    name = {ERROR: "MSE", PRECISION: "Precision@10", NDCG: "NDCG@10"}[base]
    return f"{name}, {side} with {bucket} training ratings"


def buckets(counts: np.ndarray) -> np.ndarray:
    """Places in ``BUCKETS`` of training counts (N,)."""
    return np.searchsorted(STARTS, counts, side="right") - 1


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test ratings with the training ratings of their items and users.

    Attributes:
        users, truth, predicted: (N,). support: training ratings (N,) by ``item`` and ``user``.
    """

    users: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    support: dict[str, np.ndarray]

    def within(self, rows: np.ndarray) -> "HeldOut":
        """The test ratings that a mask (N,) chooses."""
        support = {side: counts[rows] for side, counts in self.support.items()}
        return HeldOut(self.users[rows], self.truth[rows], self.predicted[rows], support)

    @property
    def mse(self) -> float:
        return rating_errors(self.truth, self.predicted)["mse"]


def support_metrics(tested: HeldOut, definition: TopKDefinition) -> dict[str, float]:
    """By bucket of the item's and of the user's training ratings: the number of test ratings, their
    MSE, and Precision and NDCG at 10 of each user's test ratings within the bucket, over users who
    have at least ``LEAST_LIST`` there. Then the MSE where the item, the user, or both have fewer
    than ``COLD``, and their number. What nothing tests is left out.
    """
    out = {}
    for side in SIDES:
        places = buckets(tested.support[side])
        for place, bucket in enumerate(BUCKETS):
            inside = tested.within(places == place)
            out |= {metric_of(name, side, bucket): value for name, value in _of(inside, definition)}
    few = {side: tested.support[side] < COLD for side in SIDES}
    parts = few["item"], few["user"], few["item"] & few["user"]
    for part, rows in zip(COLD_SIDES, parts, strict=True):
        if rows.any():
            out[f"{ERROR}-cold-{part}"] = tested.within(rows).mse
            out[f"{TESTED}-cold-{part}"] = float(rows.sum())
    return out


def _of(inside: HeldOut, definition: TopKDefinition) -> Iterator[tuple[str, float]]:
    if not len(inside.truth):
        return
    yield TESTED, float(len(inside.truth))
    yield ERROR, inside.mse
    long = np.bincount(inside.users)[inside.users] >= LEAST_LIST
    if not long.any():
        return
    lists = inside.within(long)
    per_user = top_k(lists.users, lists.truth, lists.predicted, definition)
    for metric, name in ((PRECISION, "precision"), (NDCG, "ndcg")):
        known = per_user[name][~np.isnan(per_user[name])]
        if len(known):
            yield metric, float(known.mean())


def support_of(dataset: Dataset, split: Split) -> dict[str, np.ndarray]:
    """Training ratings of each test rating's item and user, (N,) each."""
    out = {}
    for side in SIDES:
        ids = dataset.ratings[side].to_numpy()
        out[side] = np.bincount(ids[split.train], minlength=ids.max() + 1)[ids[split.test]]
    return out


@dataclass(frozen=True)
class BySupport(EvaluationRule):
    """What :class:`~bonmf_lib.evaluation.rules.RatedItems` measures, then :func:`support_metrics`;
    watched like the former."""

    reads_model: ClassVar[bool] = False
    name: ClassVar[str] = "by training ratings"

    def of(self, trained: Trained) -> dict[str, float]:
        table, definition = trained.predictions(), definition_on(trained.dataset.scale)
        tested = HeldOut(
            *(table[name].to_numpy() for name in ("user", "rating", "predicted")),
            support_of(trained.dataset, trained.split),
        )
        return RATED_ITEMS.of(trained) | support_metrics(tested, definition)

    def watched(self, dataset: Dataset, split: Split, device) -> Validation:
        return RATED_ITEMS.watched(dataset, split, device)


BY_SUPPORT = BySupport()
