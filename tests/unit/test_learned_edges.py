"""Edges with learned weights, and users with shared items, against dense matrices."""

import numpy as np
import pytest
import torch

from bonmf_lib.models.ranking import user_graph
from bonmf_lib.models.ranking.edges import LearnedEdges, softmax_within
from bonmf_lib.models.ranking.user_graph import NearestUsers, nearest_by_shared_items

SHAPE = (9, 7)
# half of all pairs; the last user and the last item have none, nor has user 2
RATED = np.random.default_rng(0).random(SHAPE) < 1 / 2
RATED[-1], RATED[:, -1], RATED[2] = False, False, False
USERS, ITEMS = (torch.from_numpy(part) for part in np.nonzero(RATED))
DRAW = torch.Generator().manual_seed(0)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=DRAW, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def edges() -> LearnedEdges:
    return LearnedEdges(USERS, ITEMS, SHAPE)


def dense(weights: torch.Tensor) -> torch.Tensor:
    return torch.zeros(SHAPE, dtype=torch.float64).index_put((USERS, ITEMS), weights)


def test_products_and_gradients_are_those_of_the_dense_matrix(edges):
    weights, users, items = drawn(len(USERS)), drawn(9, 4), drawn(7, 4)
    for own, expected in (
        (edges.dots(users, items), (users @ items.T)[USERS, ITEMS]),
        (edges.to_users(weights, items), dense(weights) @ items),
        (edges.to_items(weights, users), dense(weights).T @ users),
    ):
        torch.testing.assert_close(own, expected)
    for function, inputs in (
        (edges.dots, (users, items)),
        (edges.to_users, (weights, items)),
        (edges.to_items, (weights, users)),
        (edges.softmax_of_users, (weights,)),
        (edges.softmax_of_items, (weights,)),
        (lambda u, i: edges.to_items(edges.softmax_of_items(edges.dots(u, i)), u), (users, items)),
    ):
        assert torch.autograd.gradcheck(function, inputs)


def test_softmax_is_that_of_each_group(edges):
    """Equation 3 of GRCN."""
    scores = drawn(len(USERS)).detach()
    for own, groups in (
        (edges.softmax_of_users(scores), USERS),
        (edges.softmax_of_items(scores), ITEMS),
    ):
        for group in groups.unique():
            torch.testing.assert_close(own[groups == group], scores[groups == group].softmax(0))


def test_softmax_does_not_overflow():
    groups = torch.tensor([0, 2, 0, 2])
    weights = softmax_within(torch.tensor([1000.0, -1000, 1000, -1000]), groups, 4)
    assert weights.tolist() == [0.5] * 4


# Users with shared items


def by_hand(k: int) -> list[tuple[int, int, int]]:
    shared = RATED.astype(int) @ RATED.T.astype(int)
    np.fill_diagonal(shared, 0)
    return [
        (user, int(other), int(row[other]))
        for user, row in enumerate(shared)
        for other in np.argsort(-row, kind="stable")[:k]
        if row[other]
    ]


@pytest.mark.parametrize("block", [512, 2])
@pytest.mark.parametrize("k", [1, 3, 40])
def test_nearest_users_are_those_of_the_dense_product(monkeypatch, block, k):
    """The neighbours of equation 4 of DualGNN."""
    monkeypatch.setattr(user_graph, "_USERS_AT_ONCE", block)
    assert len(by_hand(40)) > 20
    repeated = torch.cat([USERS, USERS[:5]]), torch.cat([ITEMS, ITEMS[:5]])
    for users, items in ((USERS, ITEMS), repeated):
        found = nearest_by_shared_items(users, items, SHAPE, k)
        assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == by_hand(k)


def test_nobody_is_near_without_shared_items():
    lonely = nearest_by_shared_items(torch.arange(3), torch.arange(3), (4, 4), 2)
    assert [len(part) for part in lonely] == [0, 0, 0]
    alone = NearestUsers(torch.arange(3), torch.arange(3), (4, 4), 2)
    alone.draw()
    assert not alone(torch.ones(4, 2)).any()


def test_places_are_filled_by_own_neighbours():
    """Equation 4 of DualGNN in training: a weight is softmax over k places, that of one neighbour's
    score, as often as it has one."""
    k = 5
    nearest, expected = NearestUsers(USERS, ITEMS, SHAPE, k), by_hand(k)
    torch.manual_seed(0)
    places = []
    for _ in range(400):
        nearest.draw()
        weights = nearest.train()(torch.eye(9)).double().numpy()
        for user in range(9):
            own = [(other, count) for row, other, count in expected if row == user]
            rest = np.delete(np.arange(9), [other for other, _ in own])
            assert not weights[user, rest].any()
            if own:
                others, counts = map(np.array, zip(*own, strict=True))
                assert weights[user].sum() == pytest.approx(1)
                times = weights[user, others] / np.exp(counts)
                times *= k / times.sum()
                assert times == pytest.approx(times.round(), abs=1e-4)
                assert times.round().min() >= 1
                places.append((user, len(own), *times.round()))
    filled = [row[2:] for row in places if row[1] < k]
    assert filled and len(set(filled)) > 2
    for user in {row[0] for row in places}:
        times = np.array([row[2:] for row in places if row[0] == user])
        fair = k / times.shape[1]
        assert times.mean(0) == pytest.approx(fair, abs=0.25)


def test_rankings_count_every_neighbour_once():
    """Equation 4 of DualGNN in a ranking."""
    nearest = NearestUsers(USERS, ITEMS, SHAPE, 5)
    before = nearest.eval()(torch.eye(9))
    nearest.draw()
    torch.testing.assert_close(nearest(torch.eye(9)), before)
    for user, row in enumerate(before.double().numpy()):
        own = [(other, count) for head, other, count in by_hand(5) if head == user]
        expected = np.zeros(9)
        for other, count in own:
            expected[other] = np.exp(count) / sum(np.exp(n) for _, n in own)
        np.testing.assert_allclose(row, expected, rtol=1e-5)
    assert not before[[2, 8]].any()  # they rated nothing
