"""Rankers without a network against their equations, worked by hand or solved another way."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from bonmf_lib.errors import ModelError, TrainingError
from bonmf_lib.models import Batch, Interactions, ModelInputs, build_model
from bonmf_lib.models.ranking import slim
from bonmf_lib.models.ranking.base import bpr
from bonmf_lib.models.ranking.bpr_mf import BPRMFConfig
from bonmf_lib.models.ranking.ease import EASEConfig, ease_weights
from bonmf_lib.models.ranking.ials import IALSConfig
from bonmf_lib.models.ranking.item_knn import ItemKNNConfig
from bonmf_lib.models.ranking.logistic_mf import LogisticMFConfig
from bonmf_lib.models.ranking.popularity import PopularityConfig
from bonmf_lib.models.ranking.slim import SLIMConfig, slim_weights

EDGES = [(0, 0), (0, 1), (1, 1), (2, 1), (2, 2)]  # of users and items
# of LightGCN's worked example on these: embeddings, and what two layers make of them
USERS = [[0.1, 0.2], [0.3, -0.1], [-0.2, 0.4]]
ITEMS = [[0.5, -0.3], [0.2, 0.1], [-0.4, 0.6]]
PROPAGATED_USERS = [[0.213082, 0.068374], [0.163967, 0.021941], [-0.149050, 0.380506]]
PROPAGATED_ITEMS = [[0.292815, -0.093237], [0.164860, 0.146828], [-0.227895, 0.403903]]


def interactions(edges) -> Interactions:
    users, items = np.array(edges, np.int64).T
    return Interactions(users, items, np.ones(len(users), np.float32))


def inputs_of(edges, n_users: int, n_items: int) -> ModelInputs:
    return ModelInputs(n_users, n_items, 1.0, interactions=interactions(edges))


def solved(name: str, config, edges, n_users: int = 3, n_items: int = 3):
    model = build_model(name, config, inputs_of(edges, n_users, n_items), seed=0)
    users, items = torch.tensor(edges).T
    model.solve(users, items, torch.ones(len(users)))
    return model.eval()


def random_edges(n_users: int, n_items: int, seed: int = 0) -> list[tuple[int, int]]:
    """A third of all pairs; the last user and the last item have none."""
    rated = np.random.default_rng(seed).random((n_users - 1, n_items - 1)) < 1 / 3
    return [(int(user), int(item)) for user, item in np.argwhere(rated)]


def dense(edges, n_users: int, n_items: int) -> np.ndarray:
    x = np.zeros((n_users, n_items))
    x[tuple(np.array(edges).T)] = 1
    return x


def all_scores(model) -> np.ndarray:
    return model.score_all_items(torch.arange(model.n_users)).double().numpy()


# Popularity, neighbours, EASE


def test_popularity_counts_users():
    model = solved("popularity", PopularityConfig(), [*EDGES, (1, 1)])
    assert all_scores(model).tolist() == [[1, 3, 1]] * 3


def test_cosines_by_hand():
    """Equations 1 and 2 of ItemKNN: |U_0| = |U_2| = 1, |U_1| = 3; item 1 shares a user with each of
    the others."""
    cosine = 1 / 3**0.5
    model = solved("item-knn", ItemKNNConfig(), EDGES)
    expected = [[cosine, cosine, cosine], [cosine, 0, cosine], [cosine, cosine, cosine]]
    np.testing.assert_allclose(all_scores(model), expected, rtol=1e-6)
    shrunk = solved("item-knn", ItemKNNConfig(shrinkage=2.0), EDGES)
    np.testing.assert_allclose(all_scores(shrunk)[1], [1 / (3**0.5 + 2), 0, 1 / (3**0.5 + 2)])


def test_of_equal_neighbours_the_lower_id_is_kept():
    """Equation 2 of ItemKNN: items 0 and 2 are as similar to item 1; with one neighbour only item 0
    counts for it."""
    model = solved("item-knn", ItemKNNConfig(neighbours=1), EDGES)
    assert model.neighbours.squeeze(1).tolist() == [1, 0, 1]
    # user 2 rated items 1 and 2
    np.testing.assert_allclose(all_scores(model)[2], [3**-0.5, 0, 3**-0.5], rtol=1e-6)


@pytest.mark.parametrize(("k", "shrinkage"), [(3, 0.0), (5, 4.0), (100, 0.0)])
def test_neighbours_equal_the_dense_formula(k, shrinkage):
    """Equations 1 and 2 of ItemKNN."""
    edges = random_edges(30, 14)
    x = dense(edges, 30, 14)
    together, root = x.T @ x, np.sqrt(x.sum(0))
    with np.errstate(invalid="ignore"):
        similar = np.nan_to_num(together / (np.outer(root, root) + shrinkage))
    np.fill_diagonal(similar, 0)
    for column in similar.T:  # the k best of every target item
        column[np.argsort(-column, kind="stable")[k:]] = 0
    model = solved("item-knn", ItemKNNConfig(neighbours=k, shrinkage=shrinkage), edges, 30, 14)
    np.testing.assert_allclose(all_scores(model), x @ similar, atol=1e-6)


def test_ease_by_hand():
    """Equations 2 and 3 of EASE: (X^T X + I)^-1 of the example is
    [[7, -2, 1], [-2, 4, -2], [1, -2, 7]] / 12."""
    x = torch.from_numpy(dense(EDGES, 3, 3))
    weights = ease_weights(x.T @ x, 1.0)
    expected = torch.tensor(
        [[0, 1 / 2, -1 / 7], [2 / 7, 0, 2 / 7], [-1 / 7, 1 / 2, 0]], dtype=torch.float64
    )
    torch.testing.assert_close(weights, expected, atol=1e-12, rtol=0)
    model = solved("ease", EASEConfig(regularisation=1.0), EDGES)
    np.testing.assert_allclose(all_scores(model), (x @ expected).numpy(), rtol=1e-6)


def test_ease_is_the_least_with_a_zero_diagonal():
    """Equation 1 of EASE, column by column: ridge regression of an item on all others."""
    edges = random_edges(40, 9)
    x = dense(edges, 40, 9)
    weights = ease_weights(torch.from_numpy(x.T @ x), 3.0).numpy()
    for item in range(9):
        others = np.delete(np.arange(9), item)
        gram = x[:, others].T @ x[:, others] + 3.0 * np.eye(8)
        expected = np.linalg.solve(gram, x[:, others].T @ x[:, item])
        np.testing.assert_allclose(weights[others, item], expected, atol=1e-12)
        assert weights[item, item] == 0


def test_histories_are_those_of_the_users_asked_for():
    model = build_model("ease", EASEConfig(), inputs_of([*EDGES, (2, 1)], 5, 3), seed=0)
    x = model.histories(torch.tensor([2, 4, 0, 2, 1, 3]))
    assert x.tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 0], [0, 1, 1], [0, 1, 0], [0, 0, 0]]


def test_sparse_weights_by_hand():
    """Every other item shares one user with item 1 and none with the third, so its weight is
    (1 - l1) / (its users + l2)."""
    x = csr_matrix(dense(EDGES, 3, 3))
    expected = np.array([[0, 0.75 / 1.5, 0], [0.75 / 3.5, 0, 0.75 / 3.5], [0, 0.75 / 1.5, 0]])
    np.testing.assert_allclose(slim_weights(x, 0.25, 0.5), expected, atol=1e-3)
    model = solved("slim", SLIMConfig(l1=0.25, l2=0.5), EDGES)
    np.testing.assert_allclose(all_scores(model), x @ expected, atol=1e-3)


@pytest.mark.parametrize(("l1", "l2"), [(1.0, 5.0), (0.001, 0.5), (3.0, 50.0), (1000.0, 1.0)])
def test_sparse_weights_are_the_least_that_are_not_negative(l1, l2):
    """The conditions of the optimum: no gradient where a weight is positive, none downhill where it
    is zero."""
    x = dense(random_edges(60, 14), 60, 14)
    weights = slim_weights(csr_matrix(x), l1, l2)
    gradient = x.T @ (x @ weights - x) + l2 * weights + l1
    apart = ~np.eye(14, dtype=bool)
    assert not weights[~apart].any() and (weights >= 0).all()
    assert abs(gradient[weights > 0]).max(initial=0) < 0.02
    assert gradient[apart & (weights == 0)].min(initial=0) > -0.02
    if l1 == 1000:
        assert not weights.any()


def test_an_unrated_item_has_no_sparse_weights():
    weights = slim_weights(csr_matrix(dense(EDGES, 3, 4)), 0.25, 0.5)
    assert not weights[3].any() and not weights[:, 3].any()


def test_sparse_weights_that_do_not_converge_are_refused(monkeypatch):
    monkeypatch.setattr(slim, "_MOST_SWEEPS", 1)
    x = csr_matrix(dense(random_edges(60, 14), 60, 14))
    with pytest.raises(TrainingError, match="weights of item 0 do not converge"):
        slim_weights(x, 1e-3, 1e-3)


@pytest.mark.parametrize("name", ["ease", "item-knn", "slim"])
def test_histories_are_needed(name):
    config = {"ease": EASEConfig(), "item-knn": ItemKNNConfig(), "slim": SLIMConfig()}[name]
    with pytest.raises(ModelError, match="pass them as interactions"):
        build_model(name, config, ModelInputs(3, 3, 1.0), seed=0)


# BPR


def with_weights(name: str, config, **weights):
    """A model for three users and items, its tables set."""
    model = build_model(name, config, ModelInputs(3, 3, 1.0), seed=0)
    with torch.no_grad():
        for key, values in weights.items():
            dict(model.named_parameters())[key].copy_(torch.tensor(values))
    return model


TRIPLES = Batch(
    torch.tensor([0, 1, 2]),
    torch.tensor([0, 1, 2]),
    torch.ones(3),
    (torch.tensor([0, 1, 2]), torch.tensor([2, 0, 0])),
)


def test_bpr_of_the_worked_example():
    """Equations 1 and 2 of BPR."""
    tables = {"user_factors.weight": PROPAGATED_USERS, "item_factors.weight": PROPAGATED_ITEMS}
    loss, penalty = with_weights("bpr-mf", BPRMFConfig(factors=2), **tables).loss(TRIPLES)
    assert float(loss) == pytest.approx(0.641690, abs=1e-6)
    assert penalty is None


@pytest.mark.parametrize(("penalised", "expected"), [("squared norms", 0.41), ("norms", 0.880331)])
def test_penalties_of_the_worked_example(penalised, expected):
    """Equations 3 (squared norms) and 4 (norms) of BPR."""
    config = BPRMFConfig(factors=2, regularisation=0.1, penalised=penalised)
    tables = {"user_factors.weight": USERS, "item_factors.weight": ITEMS}
    _, penalty = with_weights("bpr-mf", config, **tables).loss(TRIPLES)
    assert float(penalty) == pytest.approx(0.1 * expected, abs=1e-6)


@pytest.mark.parametrize("penalised", ["squared norms", "norms"])
def test_several_negatives_are_several_triples(penalised):
    """Equations 2 to 4 of BPR: a rated pair with two negatives weighs as the pair written twice,
    each with one."""
    config = BPRMFConfig(factors=2, regularisation=0.1, penalised=penalised)
    tables = {"user_factors.weight": USERS, "item_factors.weight": ITEMS}
    model = with_weights("bpr-mf", config, **tables)
    users, items, drawn = (torch.tensor(ids) for ids in ([0, 2], [0, 1], [2, 1, 0, 2]))
    twice = users.repeat_interleave(2)
    one = Batch(users, items, torch.ones(2), (twice, drawn))
    other = Batch(twice, items.repeat_interleave(2), torch.ones(4), (twice, drawn))
    torch.testing.assert_close(model.loss(one), model.loss(other))


def test_bpr_of_equal_scores_is_a_coin():
    assert float(bpr(torch.zeros(2), torch.zeros(6))) == pytest.approx(np.log(2))


# iALS


def objective(x, users, items, config: IALSConfig) -> float:
    """The docstring's, over all pairs."""
    confidence = 1 + config.confidence * x
    loss = (confidence * (x - users @ items.T) ** 2).sum()
    for vectors, total in ((users, confidence.sum(1)), (items, confidence.sum(0))):
        scale = total**config.frequency_scaling
        loss += config.regularisation * (scale * (vectors**2).sum(1)).sum()
    return float(loss)


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_each_half_step_solves_the_dense_normal_equations(nu):
    config = IALSConfig(
        factors=4, regularisation=0.1, confidence=7.0, frequency_scaling=nu, iterations=1
    )
    edges = random_edges(25, 12)
    x = dense(edges, 25, 12)
    start = build_model("ials", config, inputs_of(edges, 25, 12), seed=0)
    fixed = start.item_factors.double().numpy()
    model = solved("ials", config, edges, 25, 12)

    def solution(matrix, other):
        rows = []
        for rated in matrix:
            c = 1 + config.confidence * rated
            normal = other.T @ (c[:, None] * other)
            normal += config.regularisation * c.sum() ** nu * np.eye(4)
            rows.append(np.linalg.solve(normal, other.T @ (c * rated)))
        return np.array(rows)

    users = solution(x, fixed)
    np.testing.assert_allclose(model.user_factors.numpy(), users, rtol=1e-3, atol=1e-4)
    items = solution(x.T, model.user_factors.double().numpy())
    np.testing.assert_allclose(model.item_factors.numpy(), items, rtol=1e-3, atol=1e-4)
    assert not model.user_factors[24].any() and not model.item_factors[11].any()


def test_iterations_lower_the_objective():
    edges = random_edges(40, 20)
    x, found = dense(edges, 40, 20), []
    for iterations in (1, 2, 4, 8):
        config = IALSConfig(factors=5, regularisation=0.05, iterations=iterations)
        model = solved("ials", config, edges, 40, 20)
        sides = (side.double().numpy() for side in (model.user_factors, model.item_factors))
        found.append(objective(x, *sides, config))
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.99 * found[0]


def test_blocks_of_users_do_not_change_the_solution(monkeypatch):
    edges = [*random_edges(40, 20), (3, 4), (3, 4)]  # a repeated pair counts once
    whole = solved("ials", IALSConfig(factors=5, iterations=2), edges, 40, 20)
    monkeypatch.setattr("bonmf_lib.models.ranking.ials._PADDED_ROWS", 30)
    cut = solved("ials", IALSConfig(factors=5, iterations=2), sorted(set(edges)), 40, 20)
    torch.testing.assert_close(whole.user_factors, cut.user_factors, atol=1e-4, rtol=1e-4)


# The tuned dot product


def test_logistic_mf_takes_the_step_of_its_authors():
    """Gradient descent on one rated pair and one drawn one: for each, the weights it touches move
    by eta ((r - sigma(s)) x - lambda w); here the two share only b and b_u."""
    eta, lam = 0.1, 0.05
    model = build_model(
        "logistic-mf", LogisticMFConfig(factors=4, regularisation=lam), ModelInputs(3, 4, 1.0), 0
    )
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    old = {key: value.detach().clone() for key, value in model.named_parameters()}
    p, q = old["user_factors.weight"], old["item_factors.weight"]
    assert p.shape == (3, 3)  # one of four factors stands for the biases
    batch = Batch(
        torch.tensor([1]), torch.tensor([2]), torch.ones(1), (torch.tensor([1]), torch.tensor([0]))
    )
    loss, penalty = model.loss(batch)
    optimiser = torch.optim.SGD(model.parameters(), 2 * eta)  # of a mean over two pairs
    (loss + penalty).backward()
    optimiser.step()
    new = {key: value.detach().clone() for key, value in old.items()}
    for item, rated in ((2, 1.0), (0, 0.0)):
        score = old["bias"] + old["user_bias"][1] + old["item_bias"][item] + p[1] @ q[item]
        error = rated - torch.sigmoid(score)
        new["user_factors.weight"][1] += eta * (error * q[item] - lam * p[1])
        new["item_factors.weight"][item] += eta * (error * p[1] - lam * q[item])
        new["user_bias"][1] += eta * (error - lam * old["user_bias"][1])
        new["item_bias"][item] += eta * (error - lam * old["item_bias"][item])
        new["bias"] += eta * (error - lam * old["bias"])
    for key, value in model.named_parameters():
        torch.testing.assert_close(value.detach(), new[key], msg=key)


@pytest.mark.parametrize("size", [5, 400])
def test_logistic_penalty_counts_every_pair(size):
    """In batches with fewer and with more pairs than ids."""
    model = build_model("logistic-mf", LogisticMFConfig(factors=4), ModelInputs(30, 20, 1.0), 0)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model.item_bias.copy_(torch.randn(20, generator=draw))
    users, items = (torch.randint(n, (size,), generator=draw) for n in (30, 20))
    drawn = users.repeat_interleave(3), torch.randint(20, (3 * size,), generator=draw)
    _, penalty = model.loss(Batch(users, items, torch.ones(size), drawn))
    total = 0.0
    for user, item in zip(torch.cat([users, drawn[0]]), torch.cat([items, drawn[1]]), strict=True):
        total += float(
            model.user_factors.weight[user].square().sum()
            + model.item_factors.weight[item].square().sum()
            + model.item_bias[item].square()
        )
    assert float(penalty) == pytest.approx(0.005 / 2 * total / (4 * size), rel=1e-4)


# The official test set of He et al. (2017): values without training


@pytest.fixture(scope="module")
def official():
    """Training pairs (N,), test pairs (6040,) and negatives (6040, 99) in the published ids."""
    folder = Path(os.environ["BONMF_MIRROR"])
    with zipfile.ZipFile(folder / "ml-1m.zip") as archive:
        text = archive.read("ml-1m/ratings.dat").decode("latin-1").replace("::", ",")
    rated = np.loadtxt(io.StringIO(text), dtype=np.int64, delimiter=",", usecols=(0, 1))
    _, first, place = np.unique(rated[:, 1], return_index=True, return_inverse=True)
    users, items = rated[:, 0] - 1, np.argsort(np.argsort(first))[place]
    tests = np.loadtxt(folder / "ml-1m.test.rating", dtype=np.int64)[:, :2]
    lines = Path(folder / "ml-1m.test.negative").read_text(encoding="utf-8").splitlines()
    negatives = np.array([line.split("\t")[1:] for line in lines], np.int64)
    n_items = int(items.max()) + 1
    trains = ~np.isin(users * n_items + items, tests @ [n_items, 1])
    return users[trains], items[trains], tests, negatives


def sampled_metrics(scores: np.ndarray, tests, negatives) -> tuple[float, float]:
    """HR@10 and NDCG@10 among the given negatives, the test item itself left out of them; ties
    share their places."""
    own = scores[tests[:, 0], tests[:, 1]][:, None]
    rivals = scores[tests[:, :1], negatives]
    rivals = np.where(negatives == tests[:, 1:], -np.inf, rivals)
    better, equal = (rivals > own).sum(1), (rivals == own).sum(1)
    gains = np.concatenate([1 / np.log2(np.arange(10) + 2), np.zeros(100)])
    found = []
    for gain in ((gains > 0).astype(float), gains):
        sums = np.concatenate([[0], np.cumsum(gain)])
        found.append(((sums[better + equal + 1] - sums[better]) / (equal + 1)).mean())
    return tuple(found)


def full_metrics(scores: np.ndarray, users, items, tests) -> tuple[float, float]:
    """The same among all items that the user did not train on; scores without ties."""
    scores = scores.copy()
    own = scores[tests[:, 0], tests[:, 1]]
    scores[users, items] = -np.inf
    better = (scores > own[:, None]).sum(1)
    hit = better < 10
    return hit.mean(), (hit / np.log2(better + 2)).mean()


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "config", "sampled", "full"),
    [
        ("popularity", PopularityConfig(), (0.4535, 0.2543), None),
        ("item-knn", ItemKNNConfig(neighbours=50), (0.6675, 0.3976), (0.0831, 0.0410)),
        ("item-knn", ItemKNNConfig(), (0.6623, 0.3904), (0.0813, 0.0405)),
        ("ease", EASEConfig(regularisation=1320.0), (0.7192, 0.4494), (0.1075, 0.0539)),
        ("ease", EASEConfig(), (0.6914, 0.4403), (0.1114, 0.0552)),
    ],
)
def test_known_values_on_the_official_test_set(official, name, config, sampled, full):
    users, items, tests, negatives = official
    assert len(users) == 994_169
    given = Interactions(users, items, np.ones(len(users), np.float32))
    sizes = 6040, int(max(items.max(), negatives.max(), tests[:, 1].max())) + 1
    model = build_model(name, config, ModelInputs(*sizes, 1.0, interactions=given), seed=0)
    model.solve(*(torch.from_numpy(part) for part in (users, items, given.ratings)))
    scores = torch.cat(
        [model.score_all_items(block) for block in torch.arange(6040).split(256)]
    ).numpy()
    assert sampled_metrics(scores, tests, negatives) == pytest.approx(sampled, abs=1e-3)
    if full:
        assert full_metrics(scores, users, items, tests) == pytest.approx(full, abs=1e-3)
