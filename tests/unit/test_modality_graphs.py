"""MMGCN, GRCN and DualGNN against their equations, worked densely in numpy on a small graph."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.encoders import Features
from bonmf_lib.errors import ModelError
from bonmf_lib.models import Batch, Interactions, ModelInputs, build_model, get_model
from bonmf_lib.models.ranking.mmgcn import MMGCNConfig

USERS, ITEMS = 5, 4
# user 1 rated item 1 twice; user 4 and item 3 have no edge
PAIRS = np.array([(0, 0), (0, 1), (1, 1), (1, 1), (2, 1), (2, 2), (3, 0), (3, 1)])
ADJACENCY = np.zeros((USERS, ITEMS))
ADJACENCY[tuple(PAIRS.T)] = 1
NAMES = ["mmgcn", "grcn", "dualgnn"]
each = pytest.mark.parametrize("name", NAMES)
MODALITIES = pytest.mark.parametrize("modalities", [("text", "image"), ("text",), ("image",)])


def features(dim: int, missing: int | None, seed: int) -> Features:
    matrix = np.random.default_rng(seed).normal(size=(ITEMS, dim)).astype(np.float32)
    present = np.arange(ITEMS) != missing
    matrix[~present] = 0
    return Features(matrix, present, "drawn", "1", f"drawn {seed}")


INPUTS = ModelInputs(
    USERS,
    ITEMS,
    0.0,
    text=features(3, None, 1),
    image=features(6, 2, 2),
    interactions=Interactions(*PAIRS.T, np.ones(len(PAIRS), np.float32)),
)
BATCH = Batch(
    torch.tensor([0, 2, 2]),
    torch.tensor([1, 1, 2]),
    torch.ones(3),
    (torch.tensor([0, 0, 2, 2, 2, 2]), torch.tensor([2, 3, 0, 3, 0, 0])),
)
TRIPLES = [(0, 1, 2), (0, 1, 3), (2, 1, 0), (2, 1, 3), (2, 2, 0), (2, 2, 0)]


def built(name: str, inputs: ModelInputs = INPUTS, **values):
    """In float64 and evaluation mode, all of its weights drawn anew, missing pictures' too."""
    model = build_model(name, get_model(name).config(factors=2, **values), inputs, 0).double()
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw))
    return model.eval()


def weights_of(module) -> dict[str, np.ndarray]:
    return {key: value.detach().numpy() for key, value in module.named_parameters()}


def embedded(model) -> tuple[np.ndarray, np.ndarray]:
    return tuple(part.detach().numpy() for part in model.embed())


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def leaky(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, 0.01 * x)


def linear(weights: dict, name: str, x: np.ndarray) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def filled(weights: dict, modality: str, made: np.ndarray) -> np.ndarray:
    """With the learned vector where an item has none of the modality."""
    absent = ~getattr(INPUTS, modality).present[:, None]
    return made + absent * weights.get("table.missing", 0)


def native(modality: str) -> np.ndarray:
    return getattr(INPUTS, modality).matrix.astype(float)


def divided(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """0 where nothing is divided by nothing."""
    return np.divide(numerator, denominator, np.zeros_like(numerator), where=denominator > 0)


# MMGCN


def mmgcn_by_hand(model, concat: bool) -> tuple[np.ndarray, np.ndarray]:
    full = np.block([[np.zeros((USERS, USERS)), ADJACENCY], [ADJACENCY.T, np.zeros((ITEMS,) * 2)]])
    mean = divided(full, full.sum(1, keepdims=True) + 0 * full)
    ids, outputs = model.ids.detach().numpy(), []
    for modality, channel in model.channels.items():
        w, items = weights_of(channel), native(modality)
        if channel.projection is not None:
            items = linear(w, "projection", items)
        x = unit(np.concatenate([w["preferences"], filled(w, modality, items)]))
        for layer in range(len(channel.layers)):
            h = leaky(mean @ linear(w, f"layers.{layer}.of_neighbours", x))
            y = leaky(linear(w, f"layers.{layer}.own", x)) + ids
            if concat:
                x = leaky(linear(w, f"layers.{layer}.combined", np.concatenate([h, y], 1)))
            else:
                x = leaky(linear(w, f"layers.{layer}.combined", h) + y)
        outputs.append(x)
    return tuple(np.split(sum(outputs) / len(outputs), [USERS]))


@MODALITIES
@pytest.mark.parametrize("concat", [True, False])
@pytest.mark.parametrize("layers", [1, 3])
def test_mmgcn_equals_the_dense_computation(modalities, concat, layers):
    """Equations 1 to 5 of MMGCN: 4 in both forms, 5 up to the dot product."""
    model = built("mmgcn", modalities=modalities, concat=concat, layers=layers, image_projection=4)
    for own, by_hand in zip(embedded(model), mmgcn_by_hand(model, concat), strict=True):
        np.testing.assert_allclose(own, by_hand, atol=1e-12)


def test_only_pictures_are_projected_by_default():
    channels = built("mmgcn").channels
    assert channels["text"].preferences.shape == (USERS, 3)
    assert channels["image"].preferences.shape == (USERS, 256)
    whitened = built("mmgcn", image_projection=None, image_preparation="whitened")
    assert whitened.channels["image"].preferences.shape == (USERS, 2)  # of three pictures


def test_frozen_preferences_keep_their_start():
    configs = [MMGCNConfig(frozen_preferences=frozen) for frozen in (False, True)]
    models = [build_model("mmgcn", config, INPUTS, 0) for config in configs]
    tables = {"ids", "channels.text.preferences", "channels.image.preferences"}
    for model, frozen in zip(models, (set(), tables), strict=True):
        start = {key: value.detach().clone() for key, value in model.named_parameters()}
        optimiser = torch.optim.Adam(model.parameters(), fused=True)
        model.loss(BATCH)[0].backward()
        optimiser.step()
        kept = {key for key, value in model.named_parameters() if torch.equal(value, start[key])}
        assert kept == frozen
    assert not torch.equal(*(model.eval().score_all_items(torch.arange(5)) for model in models))


def id_squares_by_hand(ids: np.ndarray) -> float:
    nodes = [node for u, i, j in TRIPLES for node in ((u, i), (u, j))]
    return np.mean([ids[user] ** 2 + ids[USERS + item] ** 2 for user, item in nodes])


@MODALITIES
def test_mmgcn_penalises_ids_of_a_batch_and_all_preferences_for_pictures(modalities):
    """Equation 6 of MMGCN, lambda's part."""
    model = built("mmgcn", modalities=modalities, regularisation=0.1)
    expected = id_squares_by_hand(model.ids.detach().numpy())
    if "image" in modalities:
        expected += (weights_of(model.channels["image"])["preferences"] ** 2).mean()
    assert model.penalty(BATCH).item() == pytest.approx(0.1 * expected, rel=1e-12)


# GRCN


def softmaxes(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over each user's items and over each item's users, (U, I) both."""
    powers = np.exp(scores) * ADJACENCY
    return tuple(divided(powers, powers.sum(axis, keepdims=True) + 0 * powers) for axis in (1, 0))


def grcn_by_hand(model, routings: int, layers: int) -> tuple[np.ndarray, np.ndarray]:
    confidences = model.confidences.detach().numpy()
    parts, refined_users, refined_items = [], [], []
    for place, (modality, channel) in enumerate(model.channels.items()):
        w = weights_of(channel)
        c = unit(leaky(filled(w, modality, linear(w, "projection", native(modality)))))
        p = unit(w["preferences"])
        for _ in range(routings):
            p = unit(p + softmaxes(p @ c.T)[0] @ c)
        of_users, of_items = softmaxes(p @ c.T)
        parts.append((p + of_users @ c, c + of_items.T @ p))
        refined_users.append(of_users * confidences[USERS:, place])
        refined_items.append(of_items * confidences[:USERS, place, None])
    to_users, to_items = (
        np.maximum(np.max(part, 0), 0) * ADJACENCY for part in (refined_users, refined_items)
    )
    users, items = np.split(unit(model.ids.detach().numpy()), [USERS])
    totals = [users, items]
    for _ in range(layers):
        users, items = to_users @ items, to_items.T @ users
        totals = [totals[0] + users, totals[1] + items]
    return tuple(
        np.concatenate([total, *side], 1)
        for total, side in zip(totals, zip(*parts, strict=True), strict=True)
    )


@MODALITIES
@pytest.mark.parametrize(("routings", "layers"), [(3, 2), (0, 1)])
def test_grcn_equals_the_dense_computation(modalities, routings, layers):
    """Equations 1 to 7 of GRCN, 7 up to the dot product."""
    model = built(
        "grcn", modalities=modalities, routings=routings, layers=layers, content_factors=3
    )
    own = embedded(model)
    assert own[0].shape == (USERS, 2 + 3 * len(modalities))
    for part, by_hand in zip(own, grcn_by_hand(model, routings, layers), strict=True):
        np.testing.assert_allclose(part, by_hand, atol=1e-12)


def test_routing_moves_preferences():
    """Equation 2 of GRCN, for who rated something; without it they are as public code leaves
    them."""
    models = [built("grcn", modalities=("text",), routings=n) for n in (0, 1, 3)]
    users = [embedded(model)[0][:, 2:] for model in models]
    for one, other in ((0, 1), (1, 2)):
        assert (abs(users[one] - users[other]).max(1)[:4] > 1e-3).all()
        np.testing.assert_array_equal(users[one][4], users[other][4])


@MODALITIES
def test_grcn_penalises_rows_of_a_batch(modalities):
    """Equation 8 of GRCN, lambda's part."""
    model = built("grcn", modalities=modalities, regularisation=0.1)
    expected = id_squares_by_hand(model.ids.detach().numpy())
    for channel in model.channels.values():
        preferences = weights_of(channel)["preferences"]
        expected += np.mean([preferences[user] ** 2 for user, _, _ in TRIPLES])
    assert model.penalty(BATCH).item() == pytest.approx(0.1 * expected, rel=1e-12)


# DualGNN


def dualgnn_by_hand(model, layers: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    full = np.block([[np.zeros((USERS, USERS)), ADJACENCY], [ADJACENCY.T, np.zeros((ITEMS,) * 2)]])
    root = divided(np.ones(USERS + ITEMS), np.sqrt(full.sum(1)))
    graph = root[:, None] * full * root
    taste, items = 0, 0
    for place, (modality, channel) in enumerate(model.channels.items()):
        w = weights_of(channel)
        z = linear(w, "output", leaky(linear(w, "hidden", native(modality))))
        x = unit(np.concatenate([w["preferences"], filled(w, modality, z)]))
        r = sum(np.linalg.matrix_power(graph, power) @ x for power in range(layers + 1))
        taste = taste + model.modality_weights.detach().numpy()[:, place, None] * r[:USERS]
        items = items + r[USERS:]
    shared = ADJACENCY @ ADJACENCY.T
    np.fill_diagonal(shared, 0)
    users = taste.copy()
    for user in range(USERS):
        best = [n for n in np.argsort(-shared[user], kind="stable")[:k] if shared[user, n]]
        powers = np.exp(shared[user, best])
        users[user] += powers / powers.sum() @ taste[best]
    return users, items


@MODALITIES
@pytest.mark.parametrize(("layers", "k"), [(2, 40), (1, 2)])
def test_dualgnn_equals_the_dense_computation(modalities, layers, k):
    """Equations 1 to 4 of DualGNN."""
    model = built("dualgnn", modalities=modalities, layers=layers, neighbours=k)
    for own, by_hand in zip(embedded(model), dualgnn_by_hand(model, layers, k), strict=True):
        np.testing.assert_allclose(own, by_hand, atol=1e-6)


def test_modalities_weigh_equally_at_first():
    """w of equation 3 of DualGNN."""
    for modalities, weight in ((("text", "image"), 0.5), (("text",), 1.0)):
        config = get_model("dualgnn").config(modalities=modalities)
        inputs = replace(INPUTS, n_users=1000)  # Xavier's deviation falls with their number
        weights = build_model("dualgnn", config, inputs, 0).modality_weights
        torch.testing.assert_close(weights.sum(1), torch.ones(1000))
        assert weights.detach().numpy() == pytest.approx(weight, abs=0.06)


def test_an_epoch_draws_neighbours_that_rankings_do_not_depend_on():
    """Equation 4 of DualGNN: a over drawn neighbours in training, over each once in rankings."""
    model = built("dualgnn")
    ranked = embedded(model)
    torch.manual_seed(0)
    drawn = []
    for epoch in range(2):
        model.start_epoch(epoch)
        model.train()
        drawn.append(embedded(model))
        model.eval()
        assert all(map(np.array_equal, embedded(model), ranked))
    assert not np.array_equal(drawn[0][0], drawn[1][0])
    np.testing.assert_array_equal(drawn[0][1], drawn[1][1])


@MODALITIES
def test_dualgnn_penalises_preferences_of_a_batch_and_all_weights_of_modalities(modalities):
    """Equation 6 of DualGNN, lambda's part."""
    model = built("dualgnn", modalities=modalities, regularisation=0.1)
    expected = (model.modality_weights.detach().numpy() ** 2).mean()
    for channel in model.channels.values():
        preferences = weights_of(channel)["preferences"]
        expected += np.mean([preferences[user] ** 2 for user, _, _ in TRIPLES])
    assert model.penalty(BATCH).item() == pytest.approx(0.1 * expected, rel=1e-12)


# All three


@each
def test_the_loss_is_that_of_pairs_of_dot_products(name):
    """Scores and BPR: equations 5 and 6 of MMGCN, 7 and 8 of GRCN, 5 and 6 of DualGNN."""
    model = built(name, regularisation=0.1).train()
    users, items = embedded(model)
    gaps = [users[u] @ items[i] - users[u] @ items[j] for u, i, j in TRIPLES]
    loss, penalty = model.loss(BATCH)
    assert loss.item() == pytest.approx(np.log1p(np.exp(-np.array(gaps))).mean(), rel=1e-12)
    assert penalty.item() == pytest.approx(model.penalty(BATCH).item())
    assert built(name).penalty(BATCH) is None


@each
@pytest.mark.parametrize("prepared", ["native", "layer norm"])
def test_gradients_are_those_of_small_changes(name, prepared):
    model = built(name, regularisation=0.1, text_preparation=prepared, image_preparation=prepared)
    model.train()
    loss, penalty = model.loss(BATCH)
    (loss + penalty).backward()
    draw = torch.Generator().manual_seed(0)
    for key, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.any(), key
        direction, sums = torch.randn(weight.shape, generator=draw, dtype=torch.float64), []
        for step in (1e-6, -1e-6):
            with torch.no_grad():
                weight.add_(direction, alpha=step)
                sums.append(sum(part.item() for part in model.loss(BATCH)))
                weight.sub_(direction, alpha=step)
        slope = (sums[0] - sums[1]) / 2e-6
        assert slope == pytest.approx((weight.grad * direction).sum().item(), abs=1e-7), key


@each
def test_at_first_who_has_no_edge_and_no_picture_is_finite(name):
    """User 4 and item 3 have no edge, item 2 no picture; gradients have a usual size too."""
    inputs = replace(INPUTS, image=features(6, 3, 2))
    for given in (INPUTS, inputs):
        model = build_model(name, get_model(name).config(image_preparation="native"), given, 0)
        if name == "mmgcn":
            config = MMGCNConfig(image_projection=None)
            model = build_model(name, config, given, 0)
        torch.manual_seed(0)
        model.start_epoch(0)
        model.loss(BATCH)[0].backward()
        assert all(torch.isfinite(part).all() for part in model.embed())
        assert max(float(weight.grad.abs().max()) for weight in model.parameters()) < 100
        assert torch.isfinite(model.eval().score_all_items(torch.tensor([4, 0]))).all()


@each
def test_the_loss_leaves_features_as_they_are(name):
    before = INPUTS.text.matrix.copy(), INPUTS.image.matrix.copy()
    model = built(name).train()
    tables = [channel.table.matrix.clone() for channel in model.channels.values()]
    model.start_epoch(0)
    for _ in range(2):
        model.loss(BATCH)[0].backward()
    assert all(map(np.array_equal, before, (INPUTS.text.matrix, INPUTS.image.matrix)))
    after = [channel.table.matrix for channel in model.channels.values()]
    assert all(map(torch.equal, tables, after))


@each
def test_without_features_there_is_no_model(name):
    with pytest.raises(ModelError, match="is nothing without features"):
        built(name, modalities=())
    with pytest.raises(ModelError, match="got no image features"):
        built(name, replace(INPUTS, image=None))
    built(name, replace(INPUTS, image=None), modalities=("text",))
    with pytest.raises(ModelError, match="pass them as interactions"):
        built(name, replace(INPUTS, interactions=None))
