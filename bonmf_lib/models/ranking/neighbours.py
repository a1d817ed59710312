"""Graphs of items whose features point alike: an edge from each item to the k most similar ones, by
the cosine of the features as their encoder gives them.

Graphs are made anew for every model, so none can outlive its features.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from ...encoders import Features
from ...errors import ModelError
from ..layers import SparseRows, rows_of

_SCORES_AT_ONCE = 2**22  # cosines that are held at a time, 16 MiB


class Edges(NamedTuple):
    """Entries of a sparse matrix; of equal pairs, the sum of their weights is meant.

    Attributes:
        rows, columns: int64 (N,). weights: (N,).
    """

    rows: torch.Tensor
    columns: torch.Tensor
    weights: torch.Tensor


def nearest(vectors: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Places int64 and cosines of the ``count`` (or all, if fewer) vectors that point most alike:
    (N, D) -> (N, k) each, a vector's own place first. Of equally similar ones any are taken. All
    cosines are never held at once."""
    units = F.normalize(vectors, dim=1)
    count = min(count, len(units))
    places, cosines = units.new_empty((0, count), dtype=torch.long), units.new_empty((0, count))
    found = [(places, cosines)]
    step = max(1, _SCORES_AT_ONCE // max(1, len(units)))
    for start in range(0, len(units), step):
        scores = units[start : start + step] @ units.T
        own = torch.arange(len(scores), device=scores.device)
        scores[own, start + own] = torch.inf  # before others that point the same way
        best = scores.topk(count, dim=1)
        found.append((best.indices, best.values.clamp(-1, 1)))
    return tuple(torch.cat(parts) for parts in zip(*found, strict=True))


def with_direction(features: Features) -> np.ndarray:
    """Items that have features other than zeros, which alone have cosines: int64 (N,)."""
    return np.flatnonzero(features.present & features.matrix.any(axis=1))


def edges_among(
    items: torch.Tensor, places: torch.Tensor, weights: torch.Tensor, size: int
) -> Edges:
    """From each of ``items`` (N,) to those at its ``places`` (N, k) among them, with ``weights``
    (N, k). The other ones of ``size`` items have themselves alone, with weight 1: without features,
    an item is like itself only."""
    alone = torch.ones(size, dtype=torch.bool, device=items.device)
    alone[items] = False
    others = alone.nonzero().squeeze(1)
    return Edges(
        torch.cat([items.repeat_interleave(places.shape[1]), others]),
        torch.cat([items[places.flatten()], others]),
        torch.cat([weights.flatten(), weights.new_ones(len(others))]),
    )


def item_edges(features: Features, count: int) -> Edges:
    """From each item to its ``count`` nearest, itself among them, weighted by cosines: the
    neighbours that the data came with, or else those by the features.

    Raises:
        ModelError: the data came with fewer neighbours.
    """
    size = len(features.matrix)
    given = features.neighbours
    if given is None:
        items = with_direction(features)
        found = nearest(torch.from_numpy(features.matrix[items]), count)
        return edges_among(torch.from_numpy(items), *found, size)
    if count > given.items.shape[1]:
        raise ModelError(
            f"{features.encoder} came with {given.items.shape[1]} neighbours of every item, "
            f"not {count}."
        )
    places, cosines = (torch.from_numpy(part[:, :count]) for part in (given.items, given.cosines))
    return edges_among(torch.arange(size), places, cosines, size)


def normalised(edges: Edges, size: int) -> Edges:
    """D^-1/2 S D^-1/2 of a matrix (size, size), D its row sums. Where a row does not sum to more
    than 0, which the equation leaves open, its item has no edges."""
    sums = edges.weights.new_zeros(size).index_add(0, edges.rows, edges.weights)
    roots = torch.where(sums > 0, sums, torch.inf).rsqrt()
    weights = edges.weights * rows_of(roots, edges.rows) * rows_of(roots, edges.columns)
    return edges._replace(weights=weights)


def mixed(parts: Iterable[tuple[float | torch.Tensor, Edges]]) -> Edges:
    """The sum of matrices, each times a number."""
    shares, edges = zip(*parts, strict=True)
    weights = [share * part.weights for share, part in zip(shares, edges, strict=True)]
    rows, columns = (torch.cat([part[side] for part in edges]) for side in (0, 1))
    return Edges(rows, columns, torch.cat(weights))


def fixed(edges: Edges, size: int) -> SparseRows:
    """The matrix (size, size) without gradients of its weights; equal pairs become one."""
    pairs, place = (edges.rows * size + edges.columns).unique(return_inverse=True)
    weights = edges.weights.detach()
    weights = weights.new_zeros(len(pairs)).index_add(0, place, weights)
    return SparseRows(pairs // size, pairs % size, weights, (size, size))


def whole(edges: Edges, size: int) -> torch.Tensor:
    """The matrix (size, size) with all its zeros, with gradients of its weights."""
    zeros = edges.weights.new_zeros(size, size)
    return zeros.index_put((edges.rows, edges.columns), edges.weights, accumulate=True)


def product(edges: Edges, table: torch.Tensor) -> torch.Tensor:
    """The matrix (I, I) times a table, with gradients of both: (I, D) -> (I, D)."""
    order = edges.rows.argsort(stable=True)
    counts = edges.rows.bincount(minlength=len(table))
    members, weights = (part.index_select(0, order) for part in (edges.columns, edges.weights))
    starts = counts.cumsum(0) - counts
    return F.embedding_bag(members, table, starts, mode="sum", per_sample_weights=weights)
