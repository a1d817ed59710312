"""The graph of training pairs: its normalised edges, mean over layers, vectors that are kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bonmf_lib.errors import ModelError
from bonmf_lib.models import Interactions, ModelInputs
from bonmf_lib.models.ranking.graph import (
    EmbeddingRanker,
    dots,
    mean_of_layers,
    normalised_edges,
    rated_edges,
    rows_of_mean,
)

# user 0 rated item 1 twice; user 3 and item 3 have no edge
PAIRS = np.array([(0, 0), (2, 2), (0, 1), (1, 1), (0, 1), (2, 1)])
INPUTS = ModelInputs(4, 4, 0.0, interactions=Interactions(*PAIRS.T, np.ones(6, np.float32)))
SHAPE = (4, 4)


@pytest.fixture
def graph():
    return normalised_edges(*rated_edges(INPUTS), SHAPE)


def dense() -> torch.Tensor:
    """D^-1/2 A D^-1/2 of all nodes, users before items, by the definition."""
    adjacency = torch.zeros(8, 8)
    for user, item in PAIRS:
        adjacency[user, 4 + item] = adjacency[4 + item, user] = 1
    root = adjacency.sum(1).clamp(min=1).rsqrt()
    return root.unsqueeze(1) * adjacency * root


def test_repeated_pairs_are_one_edge():
    users, items = rated_edges(INPUTS)
    assert list(zip(users.tolist(), items.tolist(), strict=True)) == sorted(set(map(tuple, PAIRS)))
    with pytest.raises(ModelError, match="pass them as interactions"):
        rated_edges(replace(INPUTS, interactions=None))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_the_mean_of_layers_is_that_of_powers_of_the_dense_matrix(graph, layers):
    """Equations 3, 4 and 8 of LightGCN."""
    nodes = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    powers = [torch.linalg.matrix_power(dense(), layer) @ nodes for layer in range(layers + 1)]
    expected = torch.stack(powers).mean(0)
    users, items = mean_of_layers(graph, nodes[:4], nodes[4:], layers)
    torch.testing.assert_close(torch.cat([users, items]), expected)
    assert torch.isfinite(users).all()


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_rows_of_the_mean_have_its_numbers_and_gradients(graph, layers):
    """Repeated ids and those without edges too."""
    draw = torch.Generator().manual_seed(0)
    ids = torch.tensor([2, 0, 2, 3]), torch.tensor([1, 3, 1, 0, 1])
    tables = [torch.randn(4, 5, generator=draw).requires_grad_() for _ in range(2)]
    factors = [torch.randn(len(of), 5, generator=draw) for of in (*ids, *ids)]
    every = (*mean_of_layers(graph, *tables, layers), *tables)
    dense = [vectors[of] for vectors, of in zip(every, (*ids, *ids), strict=True)]
    rows = rows_of_mean(graph, tuple(tables), layers, ids)
    gradients = []
    for found in (dense, rows):
        total = sum((part * factor).sum() for part, factor in zip(found, factors, strict=True))
        gradients.append(torch.autograd.grad(total, tables))
    torch.testing.assert_close(list(rows), dense)
    torch.testing.assert_close(*gradients)


def test_rows_that_a_loss_leaves_out_have_no_gradient(graph):
    tables = [torch.ones(4, 2, requires_grad=True) for _ in range(2)]
    own = rows_of_mean(graph, tuple(tables), 2, (torch.tensor([1]), torch.tensor([2])))[2]
    users, items = torch.autograd.grad(own.sum(), tables)
    assert users.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]
    assert not items.any()


class Ranker(EmbeddingRanker):
    def __init__(self):
        super().__init__(INPUTS)
        torch.manual_seed(0)
        self.users, self.items = nn.Embedding(4, 3), nn.Embedding(4, 3)
        self.register_buffer("scale", torch.ones(1), persistent=False)
        self.made = 0

    def embed(self):
        self.made += 1
        return self.users.weight * self.scale, self.items.weight


ALL = torch.arange(4)


def test_vectors_are_made_once_for_a_ranking():
    model = Ranker().eval()
    scores = torch.cat([model.score_all_items(ALL[:2]), model.score_all_items(ALL[2:])])
    assert model.made == 1
    torch.testing.assert_close(scores, model.users.weight @ model.items.weight.T)
    with torch.inference_mode():
        torch.testing.assert_close(model.score(ALL, ALL), scores.diagonal())
    assert model.made == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda model: (  # as the loop trains
            model.train(),
            torch.optim.Adam(model.parameters(), fused=True).step(),
            model.eval(),
        ),
        lambda model: torch.optim.SGD(model.parameters(), 0.1).step(),
        lambda model: model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()}),
        lambda model: model.scale.fill_(2),
        lambda model: setattr(model, "scale", torch.full((1,), 2.0)),
        lambda model: model.double(),
    ],
    ids=["fused step", "step", "loaded", "buffer in place", "other buffer", "other type"],
)
def test_a_changed_weight_makes_new_vectors(change):
    model = Ranker().eval()
    before = model.score_all_items(ALL)
    model.users(ALL).sum().backward()
    model.items(ALL).sum().backward()
    change(model)
    after = model.score_all_items(ALL)
    fresh = dots(*model.embed(), ALL.repeat_interleave(4), ALL.repeat(4)).view(4, 4)
    torch.testing.assert_close(after, fresh.detach())
    assert before.dtype != after.dtype or not torch.equal(before, after)


def test_gradients_flow_through_scores_in_training():
    model = Ranker().train()
    model.score(ALL, ALL).sum().backward()
    torch.testing.assert_close(model.users.weight.grad, model.items.weight.detach())
