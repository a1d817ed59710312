"""LightGCN and BUIR against their equations: worked numbers, dense matrices, another library."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.models import Batch, build_model
from bonmf_lib.models.ranking.base import bpr
from bonmf_lib.models.ranking.buir import BUIRConfig
from bonmf_lib.models.ranking.lightgcn import LightGCNConfig
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit
from tests.conftest import CPU, other_library
from tests.unit.test_rankers import (
    EDGES,
    ITEMS,
    PROPAGATED_ITEMS,
    PROPAGATED_USERS,
    TRIPLES,
    USERS,
    inputs_of,
    random_edges,
)

TABLES = {"user_factors.weight": USERS, "item_factors.weight": ITEMS}


def model_of(name: str, config, edges=EDGES, n_users: int = 3, n_items: int = 3, **weights):
    """A model with given weights, in double precision."""
    model = build_model(name, config, inputs_of(edges, n_users, n_items), seed=0).double()
    with torch.no_grad():
        for key, values in weights.items():
            model.state_dict()[key].copy_(torch.as_tensor(values))
    return model


def worked(**values):
    values = {"factors": 2, "layers": 2, "regularisation": 0.0} | values
    return model_of("lightgcn", LightGCNConfig(**values), **TABLES)


def dense_graph(edges, n_users: int, n_items: int) -> torch.Tensor:
    """D^-1/2 A D^-1/2 of all nodes, users before items."""
    adjacency = np.zeros((n_users + n_items,) * 2)
    for user, item in edges:
        adjacency[user, n_users + item] = adjacency[n_users + item, user] = 1
    root = 1 / np.sqrt(np.maximum(adjacency.sum(1), 1))
    return torch.from_numpy(root[:, None] * adjacency * root)


def dense_mean(edges, users: torch.Tensor, items: torch.Tensor, layers: int):
    """Mean of the layers' vectors by dense products."""
    graph, sizes = dense_graph(edges, len(users), len(items)), [len(users), len(items)]
    vectors = [torch.cat([users, items])]
    for _ in range(layers):
        vectors.append(graph @ vectors[-1])
    return torch.stack(vectors).mean(0).split(sizes)


# LightGCN


def test_lightgcn_of_the_worked_example():
    """Equations 3 to 5 and 8, and the Bayesian personalised ranking of them."""
    model = worked()
    expected = torch.tensor(PROPAGATED_USERS), torch.tensor(PROPAGATED_ITEMS)
    for found, value in zip(model.embed(), expected, strict=True):
        torch.testing.assert_close(found.detach(), value.double(), atol=1e-6, rtol=0)
    loss, penalty = model.loss(TRIPLES)
    assert loss.item() == pytest.approx(0.641690, abs=1e-6)
    assert penalty is None


@pytest.mark.parametrize(
    ("penalised", "expected"),
    [("squared norms", 0.41), ("norms", 0.880331), ("propagated squared norms", 0.167772)],
)
def test_lightgcn_penalties_of_the_worked_example(penalised, expected):
    """The three forms of N."""
    loss, penalty = worked(regularisation=0.1, penalised=penalised).loss(TRIPLES)
    assert penalty.item() == pytest.approx(0.1 * expected, abs=1e-6)
    assert loss.item() == pytest.approx(0.641690, abs=1e-6)


@pytest.mark.parametrize("penalised", ["squared norms", "norms", "propagated squared norms"])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_lightgcn_equals_dense_products(layers, penalised):
    """Equations 3 to 5 and 8, loss, penalty and all gradients; the last user and the last item have
    no edges, and two items are drawn beside each rated one."""
    sizes = 9, 7
    edges = random_edges(*sizes)
    config = LightGCNConfig(factors=4, layers=layers, regularisation=0.3, penalised=penalised)
    model = model_of("lightgcn", config, edges, *sizes)
    draw = torch.Generator().manual_seed(0)
    users, items = torch.tensor(edges[::3]).T
    drawn = torch.randint(sizes[1], (2 * len(users),), generator=draw)
    batch = Batch(users, items, torch.ones(len(users)), (users.repeat_interleave(2), drawn))
    loss, penalty = model.loss(batch)
    (loss + penalty).backward()

    tables = [
        table.weight.detach().clone().requires_grad_()
        for table in (model.user_factors, model.item_factors)
    ]
    of_users, of_items = dense_mean(edges, *tables, layers)
    twice = users.repeat_interleave(2), items.repeat_interleave(2)
    scores = of_users @ of_items.T
    ordered = bpr(scores[twice], scores[twice[0], drawn])
    if penalised == "propagated squared norms":
        rows = of_users[twice[0]], of_items[twice[1]], of_items[drawn]
    else:
        rows = tables[0][twice[0]], tables[1][twice[1]], tables[1][drawn]
    squares = [row.square().sum() for row in rows]
    norms = sum(part.sqrt() for part in squares)
    size = norms if penalised == "norms" else sum(squares) / 2
    (ordered + 0.3 * size / len(drawn)).backward()

    assert loss.item() == pytest.approx(ordered.item(), abs=1e-7)
    assert penalty.item() == pytest.approx(0.3 * size.item() / len(drawn), abs=1e-7)
    for own, dense in zip((model.user_factors, model.item_factors), tables, strict=True):
        torch.testing.assert_close(own.weight.grad, dense.grad, atol=1e-7, rtol=1e-6)
    assert torch.isfinite(model.score_all_items(torch.arange(sizes[0]))).all()


@pytest.mark.parametrize(("initial", "deviation"), [("normal", 0.1), ("xavier", (2 / 540) ** 0.5)])
def test_lightgcn_starts_as_asked_for(initial, deviation):
    inputs = inputs_of(EDGES, 500, 300)
    model = build_model("lightgcn", LightGCNConfig(40, initial=initial), inputs, seed=0)
    assert model.user_factors.weight.std().item() == pytest.approx(deviation, rel=0.03)


def test_lightgcn_equals_another_library():
    """torch_geometric's, on the same weights: equations 3, 4 and 8 and the loss; its penalty has no
    factor 1/2."""
    other = other_library("torch_geometric.nn.models")
    sizes = 30, 20
    edges = random_edges(*sizes)
    config = LightGCNConfig(factors=8, layers=3, regularisation=0.2)
    model = build_model("lightgcn", config, inputs_of(edges, *sizes), seed=0)
    theirs = other.LightGCN(sum(sizes), 8, 3)
    users, items = torch.tensor(edges).T
    forth = torch.stack([users, items + sizes[0]])
    with torch.no_grad():
        both = model.user_factors.weight, model.item_factors.weight
        theirs.embedding.weight.copy_(torch.cat(both))
    everywhere = torch.cat([forth, forth.flip(0)], dim=1)
    vectors = theirs.get_embedding(everywhere)
    torch.testing.assert_close(torch.cat(model.embed()), vectors, atol=1e-6, rtol=1e-6)

    drawn = torch.randint(sizes[1], (len(users),), generator=torch.Generator().manual_seed(0))
    loss, penalty = model.loss(Batch(users, items, torch.ones(len(users)), (users, drawn)))
    beside = torch.stack([users, drawn + sizes[0]])
    ranks = theirs(everywhere, forth), theirs(everywhere, beside)
    nodes = torch.cat([users, items + sizes[0], drawn + sizes[0]])
    expected = theirs.recommendation_loss(*ranks, nodes, lambda_reg=0.2 / 2)
    torch.testing.assert_close(loss + penalty, expected, atol=1e-6, rtol=1e-6)


# BUIR

PAIRS = replace(TRIPLES, negatives=None)


def buir(layers: int = 2, **values):
    """On the worked example's graph, with targets that differ from the online vectors."""
    targets = {"target_users": ITEMS, "target_items": USERS}
    config = BUIRConfig(factors=2, layers=layers, **values)
    return model_of("buir", config, **TABLES, **targets)


def test_both_encoders_of_buir_start_equal_in_separate_tables():
    """As equation 3 starts."""
    model = build_model("buir", BUIRConfig(), inputs_of(EDGES, 3, 3), seed=0)
    for target, table in (
        (model.target_users, model.user_factors), (model.target_items, model.item_factors)
    ):  # fmt: skip
        assert torch.equal(target, table.weight)
        assert target.data_ptr() != table.weight.data_ptr()


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_buir_equals_its_equations(layers):
    """Equations 1, 2 and 4: loss, gradients of everything online, and scores; written out with
    dense products."""
    model = buir(layers)
    loss, penalty = model.loss(PAIRS)
    loss.backward()
    assert penalty is None

    users, items = (torch.tensor(t).double().requires_grad_() for t in (USERS, ITEMS))
    weight, bias = (p.detach().clone().requires_grad_() for p in model.predictor.parameters())
    o_u, o_i = dense_mean(EDGES, users, items, layers)
    t_u, t_i = dense_mean(EDGES, torch.tensor(ITEMS).double(), torch.tensor(USERS).double(), layers)
    p_u, p_i = o_u @ weight.T + bias, o_i @ weight.T + bias
    distances = []
    for user, item in zip(PAIRS.users, PAIRS.items, strict=True):
        for predicted, target in ((p_u[user], t_i[item]), (p_i[item], t_u[user])):
            apart = predicted / predicted.norm() - target / target.norm()
            distances.append(apart.square().sum())  # 2 - 2 cos
    expected = sum(distances) / len(PAIRS)
    expected.backward()

    assert loss.item() == pytest.approx(expected.item(), abs=1e-7)
    own = dict(model.named_parameters())
    for key, dense in zip(
        ("user_factors.weight", "item_factors.weight", "predictor.weight", "predictor.bias"),
        (users, items, weight, bias),
        strict=True,
    ):
        torch.testing.assert_close(own.pop(key).grad, dense.grad, atol=1e-7, rtol=1e-6)
    assert not own, "targets are no parameters"
    scores = p_u @ o_i.T + o_u @ p_i.T
    torch.testing.assert_close(
        model.score_all_items(torch.arange(3)), scores.detach(), atol=1e-7, rtol=1e-6
    )


def test_targets_of_buir_follow_by_their_momentum_alone():
    """Equation 3: m target + (1 - m) online after a step; no gradient, no optimiser, but kept with
    the weights."""
    model = buir(momentum=0.995)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimiser = torch.optim.Adam(model.parameters(), 0.1, weight_decay=0.1)
    model.loss(PAIRS)[0].backward()
    optimiser.step()
    for key in ("target_users", "target_items"):
        assert torch.equal(getattr(model, key), before[key])
        assert not getattr(model, key).requires_grad
    model.after_step()
    for key, table in (("users", model.user_factors), ("items", model.item_factors)):
        expected = 0.995 * before[f"target_{key}"] + 0.005 * table.weight.detach()
        torch.testing.assert_close(
            model.state_dict()[f"target_{key}"], expected, rtol=0, atol=1e-12
        )
        assert not torch.equal(table.weight, before[f"{key[:-1]}_factors.weight"])


def test_a_stopped_training_of_buir_goes_on_with_its_targets(planted, split, inputs, tmp_path):
    settings = TrainingConfig(epochs=4, batch_size=1024, loss="bootstrap")
    whole, resumed = (
        build_model("buir", BUIRConfig(factors=4, layers=1), inputs, seed=0) for _ in range(2)
    )
    history = fit(whole, planted, split, settings, 0, CPU)
    for epochs in (2, 4):
        part = replace(settings, epochs=epochs)
        again = fit(resumed, planted, split, part, 0, CPU, tmp_path / "checkpoint.pt")
    assert again.train_loss == history.train_loss
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(whole.target_users, whole.user_factors.weight)


def test_scores_of_buir_ignore_the_targets():
    """Equation 4."""
    model, everyone = buir().eval(), torch.arange(3)
    scores = model.score_all_items(everyone)
    model.target_users.fill_(5)
    assert torch.equal(scores, model.score_all_items(everyone))


def test_each_encoder_of_buir_leaves_out_edges_of_its_own(monkeypatch):
    """A share between 0 and the given one, in every step; none in evaluation."""
    shares, graphs = [], []
    model = buir(edge_dropout=0.2)
    kind, thinned = type(model.graph), type(model.graph).thinned

    def noted(self, share):
        shares.append(share)
        graphs.append(thinned(self, share))
        return graphs[-1]

    monkeypatch.setattr(kind, "thinned", noted)
    for _ in range(100):
        model.loss(PAIRS)
    assert len(set(shares)) == 200
    assert 0 <= min(shares) < 0.02 and 0.18 < max(shares) < 0.2
    count = len(shares)
    model.eval().score_all_items(torch.arange(3))
    assert len(shares) == count


def test_edges_that_are_left_keep_the_expected_sum():
    edges = random_edges(60, 50)
    graph = model_of("buir", BUIRConfig(factors=2), edges, 60, 50).graph
    torch.manual_seed(0)
    table = torch.ones(50, 1, dtype=torch.float64)
    sums = torch.stack([graph.thinned(0.4)(table) for _ in range(2000)])
    torch.testing.assert_close(sums.mean(0), graph(table), atol=0.02, rtol=0.02)
    thin = graph.thinned(0.4)
    assert len(thin.forth_members) / len(edges) == pytest.approx(0.6, abs=0.05)
    back = torch.eye(60, dtype=torch.float64)
    there = torch.eye(50, dtype=torch.float64)
    assert torch.equal(thin(there), thin.transposed(back).T)
    kept = thin(there)[thin(there) > 0]
    whole = graph(there)[thin(there) > 0]
    torch.testing.assert_close(kept, whole / 0.6)


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_buir_leaves_who_has_no_edge_with_his_own_vector(layers):
    """Equations 1, 3 and 4, of user 3 and item 3: layers from 1 on add 0 to the mean."""
    model = model_of("buir", BUIRConfig(factors=2, layers=layers), EDGES, 4, 4)
    tables = model.user_factors.weight, model.item_factors.weight
    with torch.no_grad():
        for target in (model.target_users, model.target_items):
            target.mul_(-2)
    loss, _ = model.loss(PAIRS)
    loss.backward()
    assert all(table.grad[:3].any() and not table.grad[3].any() for table in tables)
    before = [target.clone() for target in (model.target_users, model.target_items)]
    model.after_step()
    for target, was, table in zip(
        (model.target_users, model.target_items), before, tables, strict=True
    ):
        torch.testing.assert_close(target[3], 0.995 * was[3] + 0.005 * table[3].detach())
    o_user, o_item = (table.detach()[3] / (layers + 1) for table in tables)
    p_user, p_item = model.predictor(o_user).detach(), model.predictor(o_item).detach()
    scores = model.eval().score_all_items(torch.arange(4))
    torch.testing.assert_close(scores[3, 3], p_user @ o_item + o_user @ p_item)
    assert scores.isfinite().all()

    model.train().zero_grad()
    loss, _ = model.loss(Batch(torch.tensor([3, 0]), torch.tensor([3, 3]), torch.ones(2)))
    loss.backward()
    assert loss.isfinite() and all(part.grad.isfinite().all() for part in model.parameters())
    assert tables[0].grad[3].any() and tables[1].grad[3].any()


def test_buir_is_finite_where_a_step_leaves_out_all_edges_of_some(monkeypatch):
    model, graphs = buir(edge_dropout=1.0), []
    kind, thinned = type(model.graph), type(model.graph).thinned
    monkeypatch.setattr(
        kind, "thinned", lambda graph, share: graphs.append(thinned(graph, share)) or graphs[-1]
    )
    torch.manual_seed(0)
    for _ in range(40):
        model.zero_grad()
        loss, _ = model.loss(PAIRS)
        loss.backward()
        assert loss.isfinite() and all(part.grad.isfinite().all() for part in model.parameters())
    kept = [len(graph.forth_members) for graph in graphs]
    assert min(kept) == 0 and max(kept) == len(EDGES)


def test_a_zero_vector_is_no_nan():
    model = buir(layers=0)
    with torch.no_grad():
        model.target_items.zero_()
    loss, _ = model.loss(PAIRS)
    loss.backward()
    assert math.isfinite(loss)
    assert all(p.grad.isfinite().all() for p in model.parameters())
