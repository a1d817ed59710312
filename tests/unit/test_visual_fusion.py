"""Visual fusion against its equations, written out pair by pair."""

import dataclasses

import numpy as np
import pytest
import torch

from bonmf_lib.encoders import Features
from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.models import ModelInputs, build_model
from bonmf_lib.models.rating.visual_fusion import VisualFusionConfig

N_USERS, N_ITEMS, REGIONS = 6, 5, 4
SIZES = {"embedding_dim": 3, "feature_dim": 3, "shared_dim": 2, "rank": 2, "hidden": (8, 4)}
SIZES |= {"text_preparation": "standardised", "image_preparation": "standardised"}
OVERLAP = np.array([0.9, np.nan, 0.1, np.nan, -0.2])
KINDS = [
    "concatenation",
    "sum",
    "gated",
    "bilinear",
    "late",
    "residual",
    "overlap-gated",
    "shared-private",
]
QUERIES = ["text", "item", "user"]


def features(dim: int, missing: tuple[int, ...], name: str, regions: int = 1) -> Features:
    matrix = np.random.default_rng(dim).normal(size=(N_ITEMS, dim)).astype(np.float32)
    present = ~np.isin(np.arange(N_ITEMS), missing)
    matrix[~present] = 0
    return Features(matrix, present, name, "1", name, regions)


@pytest.fixture
def inputs() -> ModelInputs:
    """Item 1 lacks a picture, item 3 both text and picture; pictures have four regions of three
    numbers."""
    text, image = features(7, (3,), "text"), features(3 * REGIONS, (1, 3), "image", REGIONS)
    return ModelInputs(N_USERS, N_ITEMS, 3.5, text=text, image=image, item_overlap=OVERLAP)


def shaken(inputs, **values):
    """A model in double precision, none of its parameters at a special value."""
    model = (
        build_model("visual-fusion", VisualFusionConfig(**(SIZES | values)), inputs, seed=0)
        .double()
        .eval()
    )
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64) * 0.5)
    return model


def standardised(of: Features) -> np.ndarray:
    rows = of.matrix.astype(np.float64)
    seen = rows[of.present]
    out = (rows - seen.mean(0)) / seen.std(0)
    out[~of.present] = 0
    return out


def numpy(tensor) -> np.ndarray:
    return tensor.detach().numpy()


def projection(part, of: Features, item: int) -> np.ndarray:
    if not of.present[item]:
        return numpy(part.missing)[0]
    return numpy(part.linear.weight) @ standardised(of)[item]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def head_by_hand(head, user: np.ndarray, item: np.ndarray, m: np.ndarray) -> float:
    row = (
        numpy(head.user.weight) @ user
        + numpy(head.user.bias)
        + numpy(head.item.weight) @ np.concatenate([item, m])
    )
    linear = [part for part in head.rest.modules() if isinstance(part, torch.nn.Linear)]
    for layer in linear:
        row = numpy(layer.weight) @ np.maximum(row, 0) + numpy(layer.bias)
    return row.item()


def region_summary(model, inputs, query: np.ndarray, item: int) -> tuple[np.ndarray, np.ndarray]:
    part = model.regions
    regions = standardised(inputs.image)[item].reshape(REGIONS, -1)
    logits = [
        numpy(part.query.weight)
        @ query
        @ (numpy(part.key.weight) @ region)
        / np.sqrt(SIZES["feature_dim"])
        for region in regions
    ]
    weights = np.exp(logits) / np.sum(np.exp(logits))
    if not inputs.image.present[item]:
        return numpy(part.missing)[0], weights
    return sum(
        a * (numpy(part.value.weight) @ region) for a, region in zip(weights, regions, strict=True)
    ), weights


def by_hand(model, inputs, user: int, item: int) -> float:
    config = model.config
    p, q = numpy(model.user_embedding.weight)[user], numpy(model.item_embedding.weight)[item]
    t = projection(model.projected["text"], inputs.text, item)
    if config.fusion == "attention":
        query = {"text": t, "item": q, "user": p}[config.query]
        v = region_summary(model, inputs, query, item)[0]
    else:
        v = projection(model.projected["image"], inputs.image, item)
    if config.fusion in ("late", "residual"):
        total = head_by_hand(model.head, p, q, t) + head_by_hand(model.image_head, p, q, v)
        return total / 2 if config.fusion == "late" else total
    if config.fusion == "gated":
        z = sigmoid(
            numpy(model.join.gate.weight) @ np.concatenate([t, v]) + numpy(model.join.gate.bias)
        )
        m = z * np.tanh(t) + (1 - z) * np.tanh(v)
    elif config.fusion == "bilinear":
        rank, k = config.rank, config.feature_dim
        t, v = t + numpy(model.join.ones[0]), v + numpy(model.join.ones[1])
        m = sum(t[r * k : (r + 1) * k] * v[r * k : (r + 1) * k] for r in range(rank))
    elif config.fusion == "shared-private":
        m = np.concatenate([(t[:2] + v[:2]) / 2, t[2:], v[2:]])
    elif config.fusion == "overlap-gated":
        gate = sigmoid(
            numpy(model.join.level) - numpy(model.join.slope) * np.nan_to_num(OVERLAP)[item]
        )
        m = np.concatenate([t, gate * v])
    else:
        m = t + v if config.fusion == "sum" else np.concatenate([t, v])
    return head_by_hand(model.head, p, q, m)


def every_pair():
    users, items = torch.meshgrid(torch.arange(N_USERS), torch.arange(N_ITEMS), indexing="ij")
    return users.flatten(), items.flatten()


@pytest.mark.parametrize("values", [{"fusion": kind} for kind in KINDS] + [
    {"fusion": "attention", "query": query} for query in QUERIES
])  # fmt: skip
@pytest.mark.parametrize("few", [True, False])
def test_equals_its_equation(inputs, values, few):
    model = shaken(inputs, **values)
    users, items = every_pair()
    if few:  # fewer rows than items take another path through the item table
        users, items = users[[0, 8, 19]], items[[0, 8, 19]]
    expected = [by_hand(model, inputs, int(u), int(i)) for u, i in zip(users, items, strict=True)]
    np.testing.assert_allclose(numpy(model(users, items)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("query", QUERIES)
def test_attention_weights_are_those_of_the_equation(inputs, query):
    model = shaken(inputs, fusion="attention", query=query)
    weights = numpy(model.attention(torch.tensor([2, 4]), torch.tensor([0, 2])))
    np.testing.assert_allclose(weights.sum(1), 1)
    for row, (user, item) in zip(weights, [(2, 0), (4, 2)], strict=True):
        sources = {
            "text": projection(model.projected["text"], inputs.text, item),
            "item": numpy(model.item_embedding.weight)[item],
            "user": numpy(model.user_embedding.weight)[user],
        }
        np.testing.assert_allclose(
            row, region_summary(model, inputs, sources[query], item)[1], rtol=1e-6
        )


@pytest.mark.parametrize("values", [{"fusion": kind} for kind in KINDS] + [
    {"fusion": "attention", "query": query} for query in QUERIES
])  # fmt: skip
def test_a_gradient_reaches_every_parameter_of_every_fusion(inputs, values):
    model = shaken(inputs, **values)
    model(*every_pair()).square().sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.any() for parameter in model.parameters()
    )


def test_the_residual_picture_starts_at_nothing(inputs):
    config = VisualFusionConfig(fusion="residual", **SIZES)
    model = build_model("visual-fusion", config, inputs, seed=0)
    other = dataclasses.replace(inputs, image=features(3 * REGIONS, (0,), "other", REGIONS))
    changed = build_model("visual-fusion", config, other, seed=0)
    torch.testing.assert_close(model(*every_pair()), changed(*every_pair()))


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"fusion": "attention"}, ModelError, "needs regions"),
        ({"fusion": "gated", "modalities": ("image",)}, ConfigError, "needs text and picture"),
        ({"fusion": "sum", "modalities": ()}, ConfigError, "switches text and picture off"),
    ],
)
def test_impossible_choices_are_refused(inputs, values, error, message):
    inputs = dataclasses.replace(inputs, image=features(12, (), "global"))
    with pytest.raises(error, match=message):
        build_model("visual-fusion", VisualFusionConfig(**(SIZES | values)), inputs, seed=0)


def test_other_fusions_have_no_attention(inputs):
    with pytest.raises(ModelError, match="has no attention"):
        shaken(inputs, fusion="sum").attention(torch.tensor([0]), torch.tensor([0]))


def columns(model, inputs, name: str) -> np.ndarray:
    """Standardised projections of the items that have text and picture."""
    both = np.flatnonzero(inputs.text.present & inputs.image.present)
    rows = np.array(
        [projection(model.projected[name], getattr(inputs, name), item) for item in both]
    )
    return (rows - rows.mean(0)) / rows.std(0)


def test_decorrelation_sums_squared_correlations(inputs):
    model = shaken(inputs, fusion="concatenation", decorrelation=0.5)
    text, image = columns(model, inputs, "text"), columns(model, inputs, "image")
    expected = 0.5 * sum(np.corrcoef(t, v)[0, 1] ** 2 for t in text.T for v in image.T) / 3
    assert model.penalty(*every_pair()).item() == pytest.approx(expected, rel=1e-4)
    assert shaken(inputs, fusion="concatenation").penalty(*every_pair()) is None


def test_shared_columns_are_aligned_and_private_ones_decorrelated(inputs):
    model = shaken(
        inputs, fusion="shared-private", alignment=2.0, decorrelation=0.5, regularisation=0.1
    )
    text, image = columns(model, inputs, "text"), columns(model, inputs, "image")
    aligned = 2 * (1 - np.mean([np.corrcoef(text[:, j], image[:, j])[0, 1] for j in range(2)]))
    private = 0.5 * np.corrcoef(text[:, 2], image[:, 2])[0, 1] ** 2
    users, items = every_pair()
    squares = model.user_embedding.weight[users].square().sum(1) + model.item_embedding.weight[
        items
    ].square().sum(1)
    expected = aligned + private + 0.1 * squares.mean().item()
    assert model.penalty(users, items).item() == pytest.approx(expected, rel=1e-4)


def test_decorrelation_can_be_learned(inputs):
    config = VisualFusionConfig(fusion="concatenation", decorrelation=1.0, **SIZES)
    model = build_model("visual-fusion", config, inputs, seed=0)
    optimiser, first = (
        torch.optim.Adam(model.parameters(), 0.01),
        model.penalty(*every_pair()).item(),
    )
    for _ in range(200):
        optimiser.zero_grad()
        model.penalty(*every_pair()).backward()
        optimiser.step()
    assert model.penalty(*every_pair()).item() < 0.8 * first


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"fusion": "overlap-gated"}, ModelError, "pass it as item_overlap"),
        ({"fusion": "shared-private", "shared_dim": 3}, ConfigError, "must leave some"),
        ({"fusion": "bilinear", "decorrelation": 1.0}, ConfigError, "not made for fusion"),
    ],
)
def test_overlap_needs_what_it_reads(inputs, values, error, message):
    inputs = dataclasses.replace(inputs, item_overlap=None)
    with pytest.raises(error, match=message):
        build_model("visual-fusion", VisualFusionConfig(**(SIZES | values)), inputs, seed=0)
