"""FREEDOM and LATTICE on a graph made by hand, against dense matrices in numpy or PyTorch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bonmf_lib.errors import ModelError
from bonmf_lib.models import Batch, Interactions, ModelInputs, build_model
from bonmf_lib.models.ranking.freedom import FREEDOM, FREEDOMConfig
from bonmf_lib.models.ranking.lattice import LATTICE, LATTICEConfig
from tests.unit.test_item_graphs import dense_cosines, random_features

USERS, ITEMS, K = 6, 9, 3
# a pair comes twice; user 5 and item 8 have none
PAIRS = np.array(
    [(0, 0), (0, 1), (0, 1), (1, 1), (2, 1), (2, 2), (2, 3), (3, 4), (3, 5), (4, 6), (4, 7), (0, 7)]
)
RATED = np.array(sorted(set(map(tuple, PAIRS))))
INPUTS = ModelInputs(
    USERS,
    ITEMS,
    0.0,
    text=random_features(ITEMS, 5, missing=(4,), seed=1),
    image=random_features(ITEMS, 7, missing=(1, 4), seed=2),
    interactions=Interactions(*PAIRS.T, np.ones(len(PAIRS), np.float32)),
)
BATCH = Batch(
    torch.tensor([0, 2, 3]),
    torch.tensor([1, 3, 4]),
    torch.ones(3),
    (torch.tensor([0, 0, 2, 2, 3, 3]), torch.tensor([2, 8, 0, 4, 1, 1])),
)
ALL = torch.arange(USERS)


def freedom(inputs=INPUTS, **values) -> FREEDOM:
    usual = {"factors": 4, "neighbours": K, "content_weight": 0.5}
    return build_model("freedom", FREEDOMConfig(**usual | values), inputs, seed=0)


def lattice(inputs=INPUTS, **values) -> LATTICE:
    usual = {"factors": 4, "neighbours": K, "projected": 3, "regularisation": 0.5}
    return build_model("lattice", LATTICEConfig(**usual | values), inputs, seed=0)


def tables(model) -> tuple[np.ndarray, np.ndarray]:
    return tuple(
        table.weight.detach().double().numpy() for table in (model.user_factors, model.item_factors)
    )


def adjacency(pairs) -> np.ndarray:
    """A of all nodes, users before items."""
    out = np.zeros((USERS + ITEMS, USERS + ITEMS))
    for user, item in pairs:
        out[user, USERS + item] = out[USERS + item, user] = 1
    return out


def normalised(matrix: np.ndarray) -> np.ndarray:
    """D^-1/2 X D^-1/2; nodes without edges have none."""
    sums = matrix.sum(1)
    root = np.where(sums > 0, np.maximum(sums, 1e-30) ** -0.5, 0)
    return root[:, None] * matrix * root


def layers_mean(matrix: np.ndarray, model, layers: int) -> tuple[np.ndarray, np.ndarray]:
    powers = [np.linalg.matrix_power(matrix, layer) for layer in range(layers + 1)]
    nodes = np.mean(powers, 0) @ np.concatenate(tables(model))
    return nodes[:USERS], nodes[USERS:]


def mean_loss(rated: np.ndarray, drawn: np.ndarray) -> float:
    return np.log1p(np.exp(drawn.reshape(3, 2) - rated[:, None])).mean()


def batch_scores(of_users, of_items) -> tuple[np.ndarray, np.ndarray]:
    (users, items), (again, drawn) = (
        [part.numpy() for part in pair] for pair in ((BATCH.users, BATCH.items), BATCH.negatives)
    )
    return (of_users[users] * of_items[items]).sum(1), (of_users[again] * of_items[drawn]).sum(1)


def assert_vectors(model, of_users, of_items):
    for ours, theirs in zip(model.embed(), (of_users, of_items), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=1e-6)
        assert np.isfinite(theirs).all()


# FREEDOM


def binary_graph(features) -> np.ndarray:
    return normalised((dense_cosines(features, K) != 0).astype(float))


def freedom_vectors(model, pairs=RATED, layers=2, item_layers=1, text=0.9, image=0.1):
    of_users, of_items = layers_mean(normalised(adjacency(pairs)), model, layers)
    alike = text * binary_graph(INPUTS.text) + image * binary_graph(INPUTS.image)
    return of_users, of_items + np.linalg.matrix_power(alike, item_layers) @ tables(model)[1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"layers": 3, "item_layers": 2}, {"layers": 3, "item_layers": 2}),
        ({"image_share": 0.4}, {"text": 0.6, "image": 0.4}),
        ({"modalities": ("text",)}, {"text": 1, "image": 0}),
        ({"modalities": ("image",), "image_share": 0.4}, {"text": 0, "image": 1}),
        ({"modalities": ()}, {"text": 0, "image": 0}),
    ],
)
def test_freedoms_vectors_are_those_of_dense_matrices(values, expected):
    """Equations 1 to 4 of FREEDOM."""
    model = freedom(**values)
    assert_vectors(model, *freedom_vectors(model, **expected))


@pytest.mark.parametrize("count", [3, 10])
def test_frozen_weights_are_one_over_k(count):
    """Equations 1 and 2 of FREEDOM."""
    features = random_features(50)
    inputs = replace(INPUTS, n_items=50, text=features, image=features)
    for values in ({"modalities": ("text",)}, {"image_share": 0.3}):
        weights = freedom(inputs, neighbours=count, **values).item_graph.forth_weights
        assert len(weights) == 50 * count
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / count), rtol=1e-6, atol=0)


def test_an_item_without_features_is_like_itself_alone():
    """Equations 1 and 2 of FREEDOM, where they leave it open."""
    model = freedom(layers=0).eval()
    torch.testing.assert_close(model.embed()[1][4], 2 * model.item_factors.weight[4])


def test_freedoms_loss_is_of_vectors_and_of_projected_features():
    """Equations 5 and 6 of FREEDOM, both parts of the loss."""
    model = freedom()
    loss, more = model.loss(BATCH)
    of_users, of_items = freedom_vectors(model)
    assert loss.item() == pytest.approx(mean_loss(*batch_scores(of_users, of_items)), rel=1e-5)
    expected = 0.0
    for name in ("text", "image"):
        part, features = model.projections[name], getattr(INPUTS, name)
        with torch.no_grad():
            part.missing.fill_(0.3)
        projected = features.matrix @ part.linear.weight.detach().double().numpy().T
        projected[~features.present] = 0.3
        expected += mean_loss(*batch_scores(of_users, projected))
    assert model.loss(BATCH)[1].item() == pytest.approx(0.5 * expected, rel=1e-5)
    assert more.item() != pytest.approx(0.5 * expected, rel=1e-5)


def test_freedom_without_a_loss_of_features_projects_none():
    model = freedom(content_weight=0.0)
    assert model.loss(BATCH)[1] is None
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {
        "user_factors",
        "item_factors",
    }


def kept_pairs(model) -> list[tuple[int, int]]:
    """Edges that an epoch trains on: users in order, as often as they come."""
    graph = model.thinned
    ends = [*graph.forth_starts[1:].tolist(), len(graph.forth_members)]
    counts = np.diff([0, *ends])
    return list(zip(np.repeat(np.arange(USERS), counts), graph.forth_members.tolist(), strict=True))


@pytest.mark.parametrize("pruned", [0.1, 0.5, 0.8])
def test_an_epoch_keeps_its_share_of_edges_and_normalises_them_anew(pruned):
    """Equation 3 of FREEDOM, on the edges that were drawn."""
    model, seen = freedom(pruned=pruned), set()
    for epoch in range(5):
        torch.manual_seed(epoch)
        model.start_epoch(epoch)
        pairs = kept_pairs(model)
        assert len(pairs) == len(set(pairs)) == int((1 - pruned) * len(RATED))
        assert set(pairs) <= set(map(tuple, RATED.tolist()))
        assert_vectors(model.train(), *freedom_vectors(model, pairs))
        seen.add(tuple(sorted(pairs)))
    assert len(seen) > 1
    assert_vectors(model.eval(), *freedom_vectors(model))  # rankings are made on all edges
    torch.manual_seed(4)
    model.start_epoch(9)
    assert kept_pairs(model) == pairs


def test_edges_of_rarer_nodes_are_kept_more_often():
    """Equation 7 of FREEDOM, with one edge kept: its chance is in proportion to
    1 / sqrt(d_u d_i)."""
    model = freedom(pruned=0.9)
    assert model.kept == 1
    torch.manual_seed(0)
    draws, counts = 4000, dict.fromkeys(map(tuple, RATED.tolist()), 0)
    for epoch in range(draws):
        model.start_epoch(epoch)
        counts[kept_pairs(model)[0]] += 1
    degrees = adjacency(RATED).sum(1)
    chances = np.array([(degrees[u] * degrees[USERS + i]) ** -0.5 for u, i in RATED])
    chances /= chances.sum()
    found = np.array(list(counts.values())) / draws
    np.testing.assert_allclose(found, chances, atol=4 * (chances.max() / draws) ** 0.5)
    assert chances.max() > 2 * chances.min()


def test_without_pruning_every_epoch_trains_on_all_edges():
    model = freedom(pruned=0.0)
    model.start_epoch(0)
    assert model.thinned is None
    assert_vectors(model.train(), *freedom_vectors(model))


def test_no_epoch_is_without_edges():
    with pytest.raises(ModelError, match="prunes all 11 training pairs"):
        freedom(pruned=0.95)


def test_trained_features_leave_the_frozen_graph_as_it_was():
    model = freedom(features="trained")
    before = model.item_graph.forth_weights.clone()
    optimiser = torch.optim.Adam(model.parameters(), 0.1)
    sum(model.loss(BATCH)).backward()
    optimiser.step()
    for name in ("text", "image"):
        assert not np.array_equal(
            model.projections[name].matrix.detach().numpy(), getattr(INPUTS, name).matrix
        )
    assert torch.equal(model.item_graph.forth_weights, before)


# LATTICE


def top(units: torch.Tensor, known: np.ndarray) -> torch.Tensor:
    """Cosines of the K most similar items of each known one, 1 at the others' own place; dense,
    with gradients."""
    cosines = units @ units.T
    comparable = torch.from_numpy(known[:, None] & known)
    order = cosines.detach().where(comparable, torch.tensor(-9.0, dtype=units.dtype)).argsort(1)
    kept = torch.zeros(len(units), len(units), dtype=torch.bool)
    kept.scatter_(1, order[:, -K:], True)
    own = torch.eye(len(units), dtype=torch.bool)
    return (cosines * (kept & comparable)).where(torch.from_numpy(known)[:, None], own.double())


def dense_normalised(matrix: torch.Tensor) -> torch.Tensor:
    root = matrix.sum(1) ** -0.5
    return root.unsqueeze(1) * matrix * root


def lattice_vectors(model, mu=0.9, layers=2, item_layers=1, modalities=("text", "image")):
    """Dense, in float64, with gradients of the model's own parameters."""
    shares = [1.0] if len(modalities) == 1 else model.weights.double().softmax(0)
    frozen, learned = 0.0, 0.0
    for share, name in zip(shares, modalities, strict=True):
        features, linear = getattr(INPUTS, name), model.structures[name].linear
        raw = torch.from_numpy(features.matrix).double()
        projected = raw @ linear.weight.double().T + linear.bias.double()
        frozen = frozen + share * dense_normalised(top(F.normalize(raw), features.present))
        learned = learned + share * top(F.normalize(projected), features.present)
    graph = mu * frozen + (1 - mu) * dense_normalised(learned)
    users, items = model.user_factors.weight.double(), model.item_factors.weight.double()
    alike = items
    for _ in range(item_layers):
        alike = graph @ alike
    with_loops = torch.from_numpy(adjacency(RATED) + np.eye(USERS + ITEMS))
    walk = with_loops / with_loops.sum(1, keepdim=True)
    nodes = torch.cat([users, items])
    powers = [torch.linalg.matrix_power(walk, layer) @ nodes for layer in range(layers + 1)]
    mean = torch.stack(powers).mean(0)
    return mean[:USERS], mean[USERS:] + alike / alike.norm(dim=1, keepdim=True)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"layers": 3, "item_layers": 2},
        {"modalities": ("text",)},
        {"modalities": ("image",)},
    ],
)
@pytest.mark.parametrize("mu", [0.9, 0.3])
def test_lattices_vectors_and_gradients_are_those_of_dense_matrices(values, mu):
    """Equations 1 to 6 of LATTICE."""
    model = lattice(frozen_share=mu, **values)
    if model.weights is not None:
        with torch.no_grad():
            model.weights.copy_(torch.tensor([0.7, -0.2]))
    ours, theirs = model.embed(), lattice_vectors(model, mu, **values)
    draw = torch.Generator().manual_seed(0)
    upstream = [torch.randn(part.shape, generator=draw) for part in ours]
    parameters = list(model.parameters())
    expected = torch.autograd.grad(theirs, parameters, [part.double() for part in upstream])
    found = torch.autograd.grad(ours, parameters, upstream)
    for one, other in zip((*ours, *found), (*theirs, *expected), strict=True):
        torch.testing.assert_close(one, other.float(), atol=1e-5, rtol=1e-4)


def test_lattices_loss_and_penalty():
    """Equations 7 and 8 of LATTICE."""
    model = lattice()
    of_users, of_items = (part.detach().numpy() for part in lattice_vectors(model))
    loss, penalty = model.loss(BATCH)
    assert loss.item() == pytest.approx(mean_loss(*batch_scores(of_users, of_items)), rel=1e-5)
    triples = [(0, 1, 2), (0, 1, 8), (2, 3, 0), (2, 3, 4), (3, 4, 1), (3, 4, 1)]
    squares = [
        (of_users[u] ** 2).sum() + (of_items[i] ** 2).sum() + (of_items[j] ** 2).sum()
        for u, i, j in triples
    ]
    assert penalty.item() == pytest.approx(0.5 / 2 * np.mean(squares), rel=1e-5)
    assert lattice(regularisation=0.0).loss(BATCH)[1] is None


def content_gradients(model) -> list:
    model.zero_grad()
    sum(model.loss(BATCH)).backward()
    parts = [*model.structures.parameters(), *([] if model.weights is None else [model.weights])]
    return [part.grad for part in parts]


@pytest.mark.parametrize(
    "values",
    [{}, {"modalities": ("image",)}, {"features": "trained"}],
    ids=["both", "one", "trained"],
)
def test_the_graph_learns_in_an_epochs_first_batch_alone(values):
    """Equation 4 of LATTICE has a gradient there, and in every batch where it is asked for."""
    model = lattice(**values)
    for epoch in range(2):
        model.start_epoch(epoch)
        first = content_gradients(model)
        assert all(grad is not None and grad.any() for grad in first)
        assert all(grad is None for grad in content_gradients(model))
    steps = lattice(built="every step", **values)
    steps.start_epoch(0)
    for _ in range(2):
        assert all(grad.any() for grad in content_gradients(steps))


@pytest.mark.parametrize("built", ["once an epoch", "every step"])
def test_a_dense_graph_gives_the_same_vectors_and_gradients(built):
    """Equation 4 of LATTICE multiplied both ways, held or not."""
    sparse, dense = lattice(built=built), lattice(built=built, dense=True)
    for _ in range(2):
        for one, other in zip(sparse.embed(), dense.embed(), strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
        for one, other in zip(*map(content_gradients, (sparse, dense)), strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)
    assert (dense.held is None) == (built == "every step")


def test_a_held_graph_is_that_of_the_first_batch():
    """Until the next epoch, whatever the weights are meanwhile; never in a ranking."""
    model = lattice()
    model.start_epoch(0)
    before = model.embed()[1].detach()
    assert model.held is not None
    torch.testing.assert_close(model.embed()[1].detach(), before)
    with torch.no_grad():
        for part in model.structures.parameters():
            part.neg_().add_(0.5)
    torch.testing.assert_close(model.embed()[1].detach(), before)
    fresh = lattice_vectors(model)[1].float().detach()
    assert not torch.allclose(fresh, before)
    ranked = model.eval().score_all_items(ALL)
    torch.testing.assert_close(ranked, (model.embed()[0] @ fresh.T).detach(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.train().embed()[1].detach(), before)
    model.start_epoch(1)
    torch.testing.assert_close(model.embed()[1].detach(), fresh, atol=1e-5, rtol=1e-4)


def test_scores_of_a_training_hold_no_graph_without_gradients():
    model = lattice()
    model.score_all_items(ALL)
    assert model.held is None
    assert all(grad.any() for grad in content_gradients(model))


def test_features_in_opposite_directions_are_finite():
    opposite = np.array([[1.0, 0], [-1, 0]] * 4 + [[0, 1]])
    features = random_features(ITEMS, 2)
    features.matrix[:] = opposite
    inputs = replace(INPUTS, text=features, image=features)
    model = lattice(inputs, neighbours=ITEMS)
    sum(model.loss(BATCH)).backward()
    assert all(torch.isfinite(part.grad).all() for part in model.parameters())
    assert torch.isfinite(model.eval().score_all_items(ALL)).all()


def test_lattice_needs_features_and_its_weights_two_modalities():
    with pytest.raises(ModelError, match="at least one modality"):
        lattice(modalities=())
    assert lattice(modalities=("text",)).weights is None


@pytest.mark.parametrize("make", [freedom, lattice])
def test_what_is_asked_for_must_be_there(make):
    with pytest.raises(ModelError, match="got no image features"):
        make(replace(INPUTS, image=None))
    with pytest.raises(ModelError, match="pass them as interactions"):
        make(replace(INPUTS, interactions=None))


@pytest.mark.parametrize("make", [freedom, lattice])
def test_features_are_unchanged_by_a_training(make):
    kept = [part.matrix.copy() for part in (INPUTS.text, INPUTS.image)]
    model = make()
    optimiser = torch.optim.Adam(model.parameters(), 0.1)
    for epoch in range(2):
        model.start_epoch(epoch)
        sum(model.loss(BATCH)).backward()
        optimiser.step()
    assert np.array_equal(kept[0], INPUTS.text.matrix)
    assert np.array_equal(kept[1], INPUTS.image.matrix)
