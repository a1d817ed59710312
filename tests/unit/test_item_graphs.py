"""Graphs of items by their features: nearest neighbours in blocks, normalisation, products."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.datasets.vectors import Neighbours
from bonmf_lib.encoders import Features
from bonmf_lib.errors import ModelError
from bonmf_lib.models.ranking import neighbours
from bonmf_lib.models.ranking.neighbours import (
    Edges,
    fixed,
    item_edges,
    mixed,
    nearest,
    normalised,
    product,
)


def features_of(matrix, present=None) -> Features:
    matrix = np.array(matrix, np.float32)
    present = np.ones(len(matrix), bool) if present is None else np.array(present)
    matrix[~present] = 0
    return Features(matrix, present, "made", "1", "key")


def random_features(items=40, dim=6, missing=(), seed=0) -> Features:
    matrix = np.random.default_rng(seed).normal(size=(items, dim))
    return features_of(matrix, ~np.isin(np.arange(items), missing))


def dense_of(edges: Edges, size: int) -> np.ndarray:
    out = np.zeros((size, size))
    np.add.at(out, (edges.rows.numpy(), edges.columns.numpy()), edges.weights.detach().numpy())
    return out


def dense_cosines(features: Features, count: int) -> np.ndarray:
    """The k largest of each row of all cosines, by the definition."""
    lengths = np.linalg.norm(features.matrix.astype(float), axis=1)
    out = np.zeros((len(lengths), len(lengths)))
    for item in range(len(lengths)):
        if not lengths[item]:
            out[item, item] = 1
            continue
        cosines = features.matrix @ features.matrix[item].astype(float)
        cosines = np.where(lengths > 0, cosines / np.maximum(lengths * lengths[item], 1e-30), -9)
        best = np.argsort(-cosines)[:count]
        best = best[cosines[best] > -9]
        out[item, best] = cosines[best]
    return out


# Neighbours


@pytest.mark.parametrize("held", [1, 100, 2**22])
@pytest.mark.parametrize("missing", [(), (0, 3, 39)])
def test_neighbours_are_the_largest_cosines(monkeypatch, held, missing):
    """Equation 1 of LATTICE, and the neighbours of FREEDOM's."""
    monkeypatch.setattr(neighbours, "_SCORES_AT_ONCE", held)
    features = random_features(missing=missing)
    edges = item_edges(features, 5)
    np.testing.assert_allclose(dense_of(edges, 40), dense_cosines(features, 5), atol=1e-6)
    assert len(edges.rows) == 5 * (40 - len(missing)) + len(missing)


def test_all_items_are_never_compared_at_once(monkeypatch):
    monkeypatch.setattr(neighbours, "_SCORES_AT_ONCE", 100)
    sizes, topk = [], torch.Tensor.topk

    def watched(scores, *args, **named):
        sizes.append(scores.numel())
        return topk(scores, *args, **named)

    monkeypatch.setattr(torch.Tensor, "topk", watched)
    item_edges(random_features(), 5)
    assert max(sizes) <= 100
    assert sum(sizes) == 40 * 40


def test_items_without_features_have_themselves_alone():
    """Those that are missing, and those with a vector of zeros, which has no direction."""
    features = random_features(missing=(2,))
    features.matrix[7] = 0
    graph = dense_of(item_edges(features, 5), 40)
    for item in (2, 7):
        assert graph[item, item] == 1
        assert graph[item].sum() == graph[:, item].sum() == 1


def test_no_item_has_features():
    edges = item_edges(random_features(items=3, missing=(0, 1, 2)), 5)
    np.testing.assert_array_equal(dense_of(edges, 3), np.eye(3))


def test_an_item_is_among_its_own_neighbours_beside_many_equal_ones():
    edges = item_edges(features_of(np.ones((30, 4))), 3)
    assert (np.diag(dense_of(edges, 30)) == 1).all()
    assert (edges.rows.bincount() == 3).all()


def test_of_few_items_all_are_neighbours():
    assert (dense_of(item_edges(random_features(items=4), 10), 4) != 0).all()


def test_other_features_have_another_graph():
    """Nothing is kept from an earlier call."""
    one, other = (dense_of(item_edges(random_features(seed=seed), 5), 40) for seed in (0, 1))
    assert not np.array_equal(one, other)


def with_neighbours(features: Features, items, cosines) -> Features:
    """Features that came with their neighbours."""
    given = Neighbours(np.array(items), np.array(cosines, np.float32))
    return replace(features, neighbours=given)


def test_neighbours_that_the_data_came_with_are_taken_as_they_are():
    """Also where the features say otherwise, and item 2 is not its own neighbour."""
    items, cosines = [[0, 2], [1, 0], [1, 0]], [[1, 0.5], [1, -0.25], [0.75, 0.5]]
    features = with_neighbours(random_features(items=3), items, cosines)
    expected = np.array([[1, 0, 0.5], [-0.25, 1, 0], [0.5, 0.75, 0]])
    np.testing.assert_array_equal(dense_of(item_edges(features, 2), 3), expected)
    nearer = np.array([[1, 0, 0], [0, 1, 0], [0, 0.75, 0]])
    np.testing.assert_array_equal(dense_of(item_edges(features, 1), 3), nearer)
    with pytest.raises(ModelError, match="came with 2 neighbours of every item, not 3"):
        item_edges(features, 3)


# Normalisation


def test_normalisation_is_that_of_the_dense_matrix():
    """N of equation 3 of LATTICE, and of 2 of FREEDOM."""
    edges = item_edges(features_of(np.random.default_rng(0).random((40, 6))), 5)
    matrix = dense_of(edges, 40)
    root = matrix.sum(1) ** -0.5
    expected = root[:, None] * matrix * root
    np.testing.assert_allclose(dense_of(normalised(edges, 40), 40), expected, atol=1e-6)


def test_rows_without_a_positive_sum_are_finite():
    """Items 0 to 2 point apart, so that their cosines sum up to 0; the row of 3 is negative, 4 has
    none."""
    corners = [[1, 0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]]
    found = item_edges(features_of(corners), 3)
    rows, columns = (torch.cat([part, torch.tensor([3, 3])]) for part in found[:2])
    weights = torch.cat([found.weights, torch.tensor([1.0, -3.0])]).requires_grad_()
    out = normalised(Edges(rows, columns, weights), 5).weights
    assert torch.isfinite(out).all()
    out.square().sum().backward()
    assert torch.isfinite(weights.grad).all()
    opposite = normalised(item_edges(features_of([[1, 0], [-1, 0], [0, 1]]), 2), 3)
    assert torch.isfinite(opposite.weights).all()
    # 0 and 1 keep their right-angled neighbour 2 or each other; 2 keeps itself
    assert dense_of(opposite, 3)[2, 2] > 0


# Products


@pytest.fixture
def repeated():
    """A matrix (4, 4) in no order, with a pair that comes twice; row 3 has nothing."""
    rows, columns = torch.tensor([2, 0, 1, 0, 2, 0]), torch.tensor([1, 3, 1, 0, 2, 3])
    weights = torch.randn(6, generator=torch.Generator().manual_seed(0))
    return Edges(rows, columns, weights.requires_grad_())


def test_products_and_their_gradients_are_those_of_the_dense_matrix(repeated):
    draw = torch.Generator().manual_seed(1)
    table = torch.randn(4, 3, generator=draw).requires_grad_()
    upstream = torch.randn(4, 3, generator=draw)
    dense = torch.zeros(4, 4).index_put(repeated[:2], repeated.weights, accumulate=True)
    sides = (table, repeated.weights)
    expected = torch.autograd.grad(dense @ table, sides, upstream)
    out = product(repeated, table)
    torch.testing.assert_close(out, (dense @ table))
    for one, other in zip(torch.autograd.grad(out, sides, upstream), expected, strict=True):
        torch.testing.assert_close(one, other)
    held = fixed(repeated, 4)
    assert len(held.forth_members) == 5
    torch.testing.assert_close(held(table), out)
    torch.testing.assert_close(torch.autograd.grad(held(table), table, upstream)[0], expected[0])


def test_mixtures_are_sums(repeated):
    other = Edges(torch.tensor([0, 3]), torch.tensor([3, 3]), torch.tensor([2.0, 1.0]))
    both = dense_of(mixed([(0.25, repeated), (3.0, other)]), 4)
    expected = 0.25 * dense_of(repeated, 4) + 3 * dense_of(other, 4)
    np.testing.assert_allclose(both, expected, rtol=1e-6)


def test_neighbours_of_vectors_of_any_length_are_the_same():
    vectors = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    longer = torch.arange(1.0, 21).unsqueeze(1)
    found = (nearest(part, 3) for part in (vectors, longer * vectors))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
