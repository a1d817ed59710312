"""Are inner products limiting? He et al. (2017) argue by four users, whose Jaccard similarities a
plane of latent vectors cannot order. Here it is computed what can: how many dimensions, and which
freedom of the vectors, hold the order.

The paper calls the inner product the same as the cosine, which it is where all vectors are equally
long; its figure shows them within a quarter of the plane, where no similarity is negative.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch

USERS = ("11101", "01100", "01110", "10111")  # users by items
PAIRS = tuple(combinations(range(len(USERS)), 2))
EVERYTHING, BY_USER = "all six", "by user"  # what is to be ordered: all pairs, or each user's own
STARTS, STEPS, RATE = 24, 300, 0.05
MARGIN = 0.02  # by which similarities are pushed apart; in units of the largest one
HELD = 1e-3  # the least difference that counts as ordered

Vectors = torch.Tensor  # (starts, users, dimensions)


@dataclass(frozen=True)
class Space:
    """How two users' vectors are compared, and what vectors may be.

    Attributes:
        name: in tables. compare: two stacks of vectors (..., K) -> similarities, higher = closer.
        equal: all vectors are of length 1. positive: no coordinate is negative.
    """

    name: str
    compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    equal: bool = False
    positive: bool = False

    def allowed(self, free: Vectors) -> Vectors:
        """Vectors that the space allows, made of free ones."""
        vectors = free.abs() if self.positive else free
        return torch.nn.functional.normalize(vectors, dim=-1) if self.equal else vectors


def _dot(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (one * other).sum(-1)


def _nearness(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return -(one - other).norm(dim=-1)


SPACES = (
    Space("non-negative cosine", _dot, equal=True, positive=True),
    Space("cosine", _dot, equal=True),
    Space("Euclidean distance", _nearness),
    Space("non-negative dot product", _dot, positive=True),
    Space("dot product", _dot),
)


def jaccard() -> pd.Series:
    """Similarity of each pair of users, most similar first; index such as ``2-3``, users from 1."""
    rows = np.array([[int(letter) for letter in row] for row in USERS], bool)
    found = {
        _called((one, other)): (rows[one] & rows[other]).sum() / (rows[one] | rows[other]).sum()
        for one, other in PAIRS
    }
    return pd.Series(found, name="similarity").sort_values(ascending=False, kind="stable")


def asked_orders(what: str) -> list[tuple[int, int]]:
    """Which of ``PAIRS`` must be more similar than which: all that differ in their Jaccard
    similarity, or only those that share a user. Equal ones ask for nothing."""
    similarity = jaccard()
    value = [similarity[_called(pair)] for pair in PAIRS]
    return [
        (a, b)
        for a in range(len(PAIRS))
        for b in range(len(PAIRS))
        if value[a] > value[b] and (what == EVERYTHING or set(PAIRS[a]) & set(PAIRS[b]))
    ]


@dataclass(frozen=True, eq=False)
class Fit:
    """The best vectors found.

    Attributes:
        vectors: float64 (users, dimensions). similarities: (6,), in the order of ``PAIRS``.
    """

    vectors: np.ndarray
    similarities: np.ndarray

    def violations(self, what: str) -> int:
        """How many of :func:`asked_orders` are not held."""
        return len(self.violated(what))

    def violated(self, what: str) -> list[str]:
        """The orders that are not held, such as ``1-4 over 2-4``, users from 1."""
        return [
            f"{_called(PAIRS[higher])} over {_called(PAIRS[lower])}"
            for (higher, lower), gap in zip(
                asked_orders(what), _gaps(self.similarities[None], what)[0], strict=True
            )
            if gap < HELD
        ]


def _called(pair: tuple[int, int]) -> str:
    one, other = pair
    return f"{one + 1}-{other + 1}"


def _violated(similarities: np.ndarray, what: str) -> np.ndarray:
    """Orders that are not held: (N, 6) -> int64 (N,)."""
    return (_gaps(similarities, what) < HELD).sum(axis=1)


def _gaps(similarities: np.ndarray, what: str) -> np.ndarray:
    higher, lower = np.transpose(asked_orders(what))
    return similarities[:, higher] - similarities[:, lower]


def fit_order(
    space: Space, dimensions: int, what: str = EVERYTHING, starts: int = STARTS, seed: int = 0
) -> Fit:
    """Vectors that hold as many orders as random starts and gradient descent find: what is held is
    proven by the vectors, what is not held only tried."""
    draw = torch.Generator().manual_seed(seed)
    shape = starts, len(USERS), dimensions
    free = torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()
    asked = asked_orders(what)
    higher, lower = (torch.tensor(side) for side in zip(*asked, strict=True))
    optimiser = torch.optim.Adam([free], lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        found = _similarities(space, free)
        short = (MARGIN - found[:, higher] + found[:, lower]).clamp(min=0)
        short.square().sum().backward()
        optimiser.step()
    with torch.no_grad():
        vectors, found = space.allowed(free).numpy(), _similarities(space, free).numpy()
    best = np.lexsort((-_gaps(found, what).min(axis=1), _violated(found, what)))[0]
    return Fit(vectors[best], found[best])


def _similarities(space: Space, free: Vectors) -> torch.Tensor:
    """Of every pair of users, (starts, 6), the largest of a start having the absolute value 1."""
    vectors = space.allowed(free)
    one, other = (vectors[:, list(side)] for side in zip(*PAIRS, strict=True))
    found = space.compare(one, other)
    return found / found.abs().amax(dim=1, keepdim=True).clamp(min=1e-12)


def order_table(
    dimensions: Sequence[int] = (1, 2, 3, 4), spaces: Sequence[Space] = SPACES, starts: int = STARTS
) -> pd.DataFrame:
    """How well every space holds the orders: columns space, dimensions, what (``EVERYTHING`` or
    ``BY_USER``), violations (least found), asked.

    What some dimensions hold, more hold too, the others being 0, and what holds all orders holds
    each user's: neither is fitted again.

    Args:
        dimensions: from few to many.
    """
    rows = []
    for space in spaces:
        least = {what: len(asked_orders(what)) for what in (EVERYTHING, BY_USER)}
        for size in dimensions:
            for aim in [aim for aim, left in least.items() if left and least[EVERYTHING]]:
                found = fit_order(space, size, aim, starts)
                least = {what: min(left, found.violations(what)) for what, left in least.items()}
            rows += [
                {
                    "space": space.name,
                    "dimensions": size,
                    "what": what,
                    "violations": left,
                    "asked": len(asked_orders(what)),
                }
                for what, left in least.items()
            ]
    return pd.DataFrame(rows)


def least_dimensions(table: pd.DataFrame) -> pd.Series:
    """By space, in how few of the tried dimensions all orders were held; missing where in none."""
    own = table[table["what"] == EVERYTHING]
    held = own[own["violations"] == 0].groupby("space")["dimensions"].min()
    return held.reindex(own["space"].unique()).astype("Int64").rename("dimensions")


def limits_sentence(table: pd.DataFrame) -> str:
    """In which spaces a plane holds the order of all six similarities, and what the others need."""
    needed = least_dimensions(table)
    plane = needed <= 2
    holds = [str(name) for name in needed.index[plane.fillna(False)]]
    lacks = [
        f"{name} ({'none tried' if pd.isna(size) else f'{size} dimensions'})"
        for name, size in needed[~plane.fillna(False)].items()
    ]
    parts = [f"Two dimensions hold the order by {', '.join(holds)}."] if holds else []
    if lacks:
        parts.append(f"More are needed by {', '.join(lacks)}.")
    return " ".join(parts)
