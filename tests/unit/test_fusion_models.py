"""Tensor fusion and early fusion against their equations, written out."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bonmf_lib.encoders import Features
from bonmf_lib.errors import ModelError
from bonmf_lib.models import ModelInputs, build_model, get_model
from bonmf_lib.models.rating.early_fusion import EarlyFusionConfig
from bonmf_lib.models.rating.tensor_fusion import TensorFusionConfig

NAMES = ["tensor-fusion", "early-fusion"]
SIZES = {
    "tensor-fusion": {"embedding_dim": 3, "feature_dim": 2},
    "early-fusion": {"embedding_dim": 4},
}
N_USERS, N_ITEMS = 6, 5


def features(dim: int, missing: tuple[int, ...], name: str) -> Features:
    matrix = np.random.default_rng(dim).normal(size=(N_ITEMS, dim)).astype(np.float32)
    present = ~np.isin(np.arange(N_ITEMS), missing)
    matrix[~present] = 0
    return Features(matrix, present, name, "1", name)


@pytest.fixture
def small() -> ModelInputs:
    """Six users and five items; item 1 lacks a picture, item 3 both text and picture."""
    return ModelInputs(
        N_USERS, N_ITEMS, 3.5, text=features(7, (3,), "text"), image=features(9, (1, 3), "image")
    )


STANDARDISED = {"text_preparation": "standardised", "image_preparation": "standardised"}


def every_pair() -> tuple[torch.Tensor, torch.Tensor]:
    users, items = torch.meshgrid(torch.arange(N_USERS), torch.arange(N_ITEMS), indexing="ij")
    return users.flatten(), items.flatten()


def shaken(name: str, inputs: ModelInputs, **values):
    """A model in double precision, none of its parameters at a special value."""
    config = get_model(name).config(**(SIZES[name] | STANDARDISED | {"hidden": (8, 4)} | values))
    model = build_model(name, config, inputs, seed=0).double().eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64) * 0.5)
    return model


def projected(part, of: Features) -> np.ndarray:
    """W x_i of the standardised features (items, dim); the learned vector where x_i is missing."""
    rows = of.matrix.astype(np.float64)
    seen = rows[of.present]
    rows = (rows - seen.mean(0)) / seen.std(0)
    out = rows @ numpy(part.linear.weight).T
    out[~of.present] = numpy(part.missing)[0]
    return out


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def layers_of(sequence) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (numpy(part.weight), numpy(part.bias))
        for part in sequence
        if isinstance(part, torch.nn.Linear)
    ]


def mlp_by_hand(layers, row: np.ndarray) -> float:
    *hidden, last = layers
    for weight, bias in hidden:
        row = np.maximum(weight @ row + bias, 0)
    return (last[0] @ row + last[1]).item()


def tensor_fusion_by_hand(model, inputs, users, items, modalities=("text", "image")) -> list[float]:
    """[1 ; p_u] x [1 ; q_i] x [1 ; W_t t_i] x [1 ; W_v v_i] with Kronecker products, one row after
    the other."""
    tables = {name: projected(model.modalities[name], getattr(inputs, name)) for name in modalities}
    out = []
    for user, item in zip(users, items, strict=True):
        z = np.concatenate([[1], numpy(model.user_embedding.weight)[user]])
        for vector in (
            numpy(model.item_embedding.weight)[item],
            *(tables[name][item] for name in modalities),
        ):
            z = np.kron(z, np.concatenate([[1], vector]))
        out.append(mlp_by_hand(layers_of([model.first, *model.rest]), z))
    return out


def early_fusion_by_hand(model, inputs, users, items, modalities=("text", "image")) -> list[float]:
    """e_i = W_e [q_i ; t_i] + b_e, then the MLP on [p_u ; e_i ; v_i], with the matrices put
    together."""
    text = projected(model.fuse_text, inputs.text) if "text" in modalities else None
    image = projected(model.first_image, inputs.image) if "image" in modalities else None
    first = np.concatenate([numpy(model.first_user.weight), numpy(model.first_item.weight)], axis=1)
    out = []
    for user, item in zip(users, items, strict=True):
        fused = numpy(model.fuse_id.weight) @ numpy(model.item_embedding.weight)[item] + numpy(
            model.fuse_id.bias
        )
        fused = fused if text is None else fused + text[item]
        x = np.concatenate([numpy(model.user_embedding.weight)[user], fused])
        hidden = first @ x + numpy(model.first_user.bias)
        hidden = hidden if image is None else hidden + image[item]
        out.append(mlp_by_hand(layers_of(model.rest), np.maximum(hidden, 0)))
    return out


BY_HAND = {"tensor-fusion": tensor_fusion_by_hand, "early-fusion": early_fusion_by_hand}


@pytest.mark.parametrize("modalities", [("text", "image"), ("text",), ("image",), ()])
@pytest.mark.parametrize("name", NAMES)
def test_model_equals_its_equation_row_by_row(small, name, modalities):
    model = shaken(name, small, modalities=tuple(modalities))
    users, items = every_pair()
    expected = BY_HAND[name](model, small, users, items, modalities)
    assert np.std(expected) > 0.01
    # features are float32
    np.testing.assert_allclose(numpy(model(users, items)), expected, atol=1e-5)


def test_early_fusion_of_whole_items_is_one_matrix_on_the_concatenation(small):
    """Where nothing is missing, the split layers are W_e [q_i ; t_i] and W_1 [p_u ; e_i ; v_i],
    literally."""
    model = shaken("early-fusion", small)
    users, items = torch.arange(N_USERS), torch.tensor([0, 2, 4, 0, 2, 4])
    fuse = torch.cat([model.fuse_id.weight, model.fuse_text.linear.weight], dim=1)
    joined = torch.cat([model.item_embedding.weight[items], model.fuse_text.matrix[items]], dim=1)
    fused = F.linear(joined, fuse, model.fuse_id.bias)
    first = torch.cat(
        [model.first_user.weight, model.first_item.weight, model.first_image.linear.weight], dim=1
    )
    x = torch.cat(
        [model.user_embedding.weight[users], fused, model.first_image.matrix[items]], dim=1
    )
    hidden = F.relu(F.linear(x, first, model.first_user.bias))
    torch.testing.assert_close(model(users, items), model.rest(hidden).squeeze(1))


@pytest.mark.parametrize("name", NAMES)
def test_table_path_equals_row_path_in_values_and_gradients(small, name):
    users, items = every_pair()  # 30 rows, more than there are items: through the table
    results = []
    for size in (30, 2):
        model = shaken(name, small, regularisation=0.1)
        values = []
        for batch in zip(users.split(size), items.split(size), strict=True):
            values.append(model(*batch))
            (values[-1].square().sum() + model.penalty(*batch) * size).backward()
        results.append(
            (
                torch.cat(values),
                {key: parameter.grad for key, parameter in model.named_parameters()},
            )
        )
    torch.testing.assert_close(results[0][0], results[1][0])
    assert results[0][1].keys() == results[1][1].keys()
    for key, gradient in results[0][1].items():
        assert gradient.any(), key
        torch.testing.assert_close(gradient, results[1][1][key], msg=key)


@pytest.mark.parametrize("modality", ["text", "image"])
@pytest.mark.parametrize("name", NAMES)
def test_missing_features_are_a_learned_vector(small, name, modality):
    """Rows of missing items change with that vector alone, whatever the matrix holds there; no
    other row does."""
    model = shaken(name, small, hidden=(64, 32))  # wide enough for no item to switch every unit off
    parts = {
        "tensor-fusion": "modalities.{}",
        "early-fusion": {"text": "fuse_text", "image": "first_image"}[modality],
    }
    part = model.get_submodule(parts[name].format(modality))
    absent = torch.from_numpy(~getattr(small, modality).present)
    items = torch.arange(N_ITEMS)
    before = model(torch.zeros_like(items), items)
    with torch.no_grad():
        part.linear.weight.mul_(-2)
    after_weights = model(torch.zeros_like(items), items)
    assert torch.equal(before[absent], after_weights[absent])
    assert not torch.isclose(before[~absent], after_weights[~absent]).any()
    with torch.no_grad():
        part.missing.add_(1.0)
    after_vector = model(torch.zeros_like(items), items)
    assert not torch.isclose(after_weights[absent], after_vector[absent]).any()
    assert torch.equal(after_weights[~absent], after_vector[~absent])


def test_items_that_all_have_features_need_no_learned_vector(small):
    image = features(9, (), "image")
    model = shaken("tensor-fusion", dataclasses.replace(small, image=image))
    assert model.modalities["image"].missing is None
    assert model.modalities["text"].missing is not None


@pytest.mark.parametrize(
    ("values", "reads"),
    [
        ({}, {"text", "image"}),
        ({"modalities": ("image",)}, {"image"}),
        ({"modalities": ("text",)}, {"text"}),
        ({"modalities": ()}, set()),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_ablations_read_only_what_they_say(small, name, values, reads):
    users, items = every_pair()
    base = shaken(name, small, **values)(users, items)
    for modality in ("text", "image"):
        given = getattr(small, modality)
        other = dataclasses.replace(given, matrix=given.matrix[::-1].copy())
        changed = shaken(name, dataclasses.replace(small, **{modality: other}), **values)(
            users, items
        )
        assert torch.equal(base, changed) == (modality not in reads), modality
        without = dataclasses.replace(small, **{modality: None})
        if modality in reads:
            with pytest.raises(ModelError, match=f"got no {modality} features"):
                shaken(name, without, **values)
        else:
            assert torch.equal(base, shaken(name, without, **values)(users, items))


@pytest.mark.parametrize("name", NAMES)
def test_penalty_by_hand(small, name):
    model = shaken(name, small, regularisation=0.1, embedding_dim=2)
    with torch.no_grad():
        model.user_embedding.weight[:2] = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
        model.item_embedding.weight[:2] = torch.tensor([[0.0, 1.0], [2.0, 2.0]])
    # users: 5 and 9; items: 1 and 8
    users, items = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    assert model.penalty(users, items).item() == pytest.approx(
        0.1 * ((5 + 1) + (5 + 8) + (9 + 8)) / 3
    )
    assert model.penalty(users[:1], items[:1]).item() == pytest.approx(0.1 * 6)


@pytest.mark.parametrize("config", [TensorFusionConfig(), EarlyFusionConfig()])
def test_no_regularisation_is_no_penalty(small, config):
    name = "tensor-fusion" if isinstance(config, TensorFusionConfig) else "early-fusion"
    assert config.regularisation == 0
    assert build_model(name, config, small, seed=0).penalty(*every_pair()) is None
