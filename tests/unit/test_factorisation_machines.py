"""Factorisation machine, Wide & Deep and DeepFM against independent implementations of their
equations."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.linalg import block_diag
from sklearn.preprocessing import PolynomialFeatures
from torch.nn import functional as F

from bonmf_lib.config import make_config
from bonmf_lib.datasets import levels
from bonmf_lib.errors import ConfigError
from bonmf_lib.models import ModelInputs, build_model, get_model, item_fields
from bonmf_lib.models.rating.deepfm import DeepFMConfig
from bonmf_lib.models.rating.fm import FMConfig
from bonmf_lib.models.rating.wide_deep import WideDeepConfig

NAMES = ["fm", "wide-deep", "deepfm"]
N_USERS, N_ITEMS = 6, 5


@pytest.fixture
def small() -> ModelInputs:
    """Six users and five items: one-hot fields, one shared (multi-valued) field, one unknown
    row."""
    group = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    group[4] = 0  # unknown
    genres = np.float32([[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5]])
    return ModelInputs(
        N_USERS,
        N_ITEMS,
        mean_rating=3.5,
        user_fields={"gender": np.eye(2, dtype=np.float32)[[0, 1, 0, 1, 1, 0]], "group": group},
        item_fields={"genres": genres, "decade": np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 0]]},
    )


def every_pair() -> tuple[torch.Tensor, torch.Tensor]:
    users, items = torch.meshgrid(torch.arange(N_USERS), torch.arange(N_ITEMS), indexing="ij")
    return users.flatten(), items.flatten()


def shaken(name: str, inputs: ModelInputs, **values):
    """A model in double precision, none of its parameters at a special value."""
    model = build_model(name, get_model(name).config(**values), inputs, seed=0).double().eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw, dtype=torch.float64) * 0.3)
    return model


def silence(model) -> None:
    """Make the MLP's output 0."""
    with torch.no_grad():
        model.rest[-1][-1].weight.zero_()
        model.rest[-1][-1].bias.zero_()


def numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def machine_by_design_rows(model, inputs, users, items) -> np.ndarray:
    """Eq. 1 over dense design rows, every pair of columns written out by scikit-learn."""
    sides = []
    for ids, n, fields in (
        (users, N_USERS, inputs.user_fields),
        (items, N_ITEMS, inputs.item_fields),
    ):
        sides += [np.eye(n)[ids], *(rows[ids] for rows in fields.values())]
    x = np.concatenate(sides, axis=1)
    tables = (model.user.id_factors, model.user.factors, model.item.id_factors, model.item.factors)
    factors = np.concatenate([numpy(table) for table in tables])
    tables = (model.user.id_weights, model.user.weights, model.item.id_weights, model.item.weights)
    weights = np.concatenate([numpy(table)[:, 0] for table in tables])
    # the order in which scikit-learn lists the pairs
    first, second = np.triu_indices(x.shape[1], k=1)
    expand = PolynomialFeatures(degree=2, interaction_only=True, include_bias=False)
    coefficients = np.concatenate([weights, (factors[first] * factors[second]).sum(1)])
    return inputs.mean_rating + expand.fit_transform(x) @ coefficients


def test_fm_equals_pairs_over_design_rows(small):
    model = shaken("fm", small, factors=4)
    users, items = every_pair()
    expected = model.bias.item() + machine_by_design_rows(model, small, users, items)
    np.testing.assert_allclose(numpy(model(users, items)), expected)


def test_deepfm_is_the_same_machine_plus_an_mlp_over_the_same_embeddings(small):
    model = shaken("deepfm", small, factors=4, hidden=(7, 3))
    users, items = every_pair()
    embedded = []
    for side, ids, fields in (
        (model.user, users, small.user_fields),
        (model.item, items, small.item_fields),
    ):
        embedded.append(side.id_factors[ids])
        start = 0
        for rows in fields.values():
            levels = side.factors[start : start + rows.shape[1]]
            embedded.append(torch.from_numpy(rows).double()[ids] @ levels)
            start += rows.shape[1]
    hidden = F.relu(F.linear(torch.cat(embedded, dim=1), model.first.weight, model.first.bias))
    second, last = (layer for layer in model.rest[2] if isinstance(layer, torch.nn.Linear))
    deep = last(F.relu(second(hidden))).squeeze(1)
    expected = machine_by_design_rows(model, small, users, items) + numpy(deep)
    np.testing.assert_allclose(numpy(model(users, items)), expected)


def test_deepfm_without_its_mlp_is_the_fm(small):
    fm, deepfm = shaken("fm", small, factors=4), shaken("deepfm", small, factors=4)
    with torch.no_grad():
        silence(deepfm)
        fm.bias.zero_()
    own = {
        name: value
        for name, value in deepfm.state_dict().items()
        if not name.startswith(("first", "rest"))
    }
    assert fm.load_state_dict(own, strict=False).missing_keys == ["bias"]
    torch.testing.assert_close(deepfm(*every_pair()), fm(*every_pair()))


def test_wide_part_equals_linear_weights_and_the_explicit_outer_product(small):
    model = shaken("wide-deep", small)
    silence(model)
    users, items = every_pair()
    x_user = np.concatenate(list(small.user_fields.values()), axis=1)[users]
    x_item = np.concatenate(list(small.item_fields.values()), axis=1)[items]
    crosses = np.einsum("bk,bl->bkl", x_user, x_item).reshape(len(users), -1)  # phi(x)
    expected = small.mean_rating + crosses @ numpy(model.cross_weights).ravel()
    expected += numpy(model.user.id_weights)[users, 0] + numpy(model.item.id_weights)[items, 0]
    expected += x_user @ numpy(model.user.weights)[:, 0] + x_item @ numpy(model.item.weights)[:, 0]
    np.testing.assert_allclose(numpy(model(users, items)), expected)


def test_deep_part_of_wide_and_deep_is_an_mlp_over_the_concatenated_embeddings(small):
    model = shaken("wide-deep", small, embedding_dim=5, field_dim=3, hidden=(7, 4))
    users, items = every_pair()
    before = model(users, items)
    sides = []
    for side, ids, fields in (
        (model.user, users, small.user_fields),
        (model.item, items, small.item_fields),
    ):
        # one block of levels per field on the diagonal: x times it is all field embeddings side by
        # side
        sizes = [rows.shape[1] for rows in fields.values()]
        table = block_diag(*(numpy(block) for block in side.factors.split(sizes)))
        rows = np.concatenate(list(fields.values()), axis=1)[ids]
        sides += [numpy(side.id_factors)[ids], rows @ table]
    hidden = np.concatenate(sides, axis=1)
    second, last = (layer for layer in model.rest[2] if isinstance(layer, torch.nn.Linear))
    for layer in (model.first, second):
        hidden = np.maximum(hidden @ numpy(layer.weight).T + numpy(layer.bias), 0)
    deep = hidden @ numpy(last.weight)[0] + last.bias.item()
    silence(model)
    np.testing.assert_allclose(numpy(before - model(users, items)), deep)


def test_of_very_many_levels_the_most_frequent_shared_ones_are_read(monkeypatch):
    genres = [("a", "b"), ("b", "c"), ("c", "a", "rare"), ("d",), ("d", "b"), ()]
    items = pd.DataFrame({"genres": genres, "year": pd.array([1990] * 6, dtype="Int64")})
    known = SimpleNamespace(items=items)
    every = item_fields(known)["genres"]  # a, b, c, d, rare
    np.testing.assert_allclose(every.sum(axis=1), [1, 1, 1, 1, 1, 0])
    assert every.shape == (6, 5) and every[2, 4] == np.float32(1 / 3)
    # three of b, two each of a, c and d: of these the first
    monkeypatch.setattr(levels, "MOST_LEVELS", 2)
    np.testing.assert_array_equal(
        item_fields(known)["genres"], [[0.5, 0.5], [0, 1], [1, 0], [0, 0], [0, 1], [0, 0]]
    )
    monkeypatch.setattr(levels, "MOST_LEVELS", 4)
    assert item_fields(known)["genres"].shape == (6, 4)  # without the one that only one item has
    apart = SimpleNamespace(items=items.assign(genres=[(f"g{n}",) for n in range(6)]))
    assert list(item_fields(apart)) == ["decade"]


@pytest.mark.parametrize("name", NAMES)
def test_table_path_equals_row_path_in_values_gradients_and_penalty(small, name):
    users, items = every_pair()  # 30 rows, more than there are ids: through tables
    results = []
    for size in (len(users), 2):
        model = shaken(name, small, regularisation=0.1)
        out = []
        for start in range(0, len(users), size):
            batch = users[start : start + size], items[start : start + size]
            out.append(model(*batch))
            (out[-1].square().sum() + model.penalty(*batch) * len(batch[0])).backward()
        results.append(
            (torch.cat(out), {key: parameter.grad for key, parameter in model.named_parameters()})
        )
    torch.testing.assert_close(results[0][0], results[1][0])
    assert results[0][1].keys() == results[1][1].keys()
    for key, gradient in results[0][1].items():
        torch.testing.assert_close(gradient, results[1][1][key], msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_penalty_by_hand(name):
    sizes = {"embedding_dim": 2} if name == "wide-deep" else {"factors": 2}
    inputs = ModelInputs(2, 2, 3.0)
    model = build_model(name, get_model(name).config(regularisation=0.1, **sizes), inputs, seed=0)
    with torch.no_grad():
        model.user.id_factors.copy_(torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
        model.user.id_weights.copy_(torch.tensor([[0.5], [1.0]]))
        model.item.id_factors.copy_(torch.tensor([[0.0, 1.0], [2.0, 2.0]]))
        model.item.id_weights.copy_(torch.tensor([[2.0], [0.0]]))
    # user rows: 1 + 4 + 0.25 = 5.25 and 9 + 1 = 10; item rows: 1 + 4 = 5 and 4 + 4 = 8
    users, items = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    expected = 0.1 * ((5.25 + 5) + (5.25 + 8) + (10 + 8)) / 3
    assert model.penalty(users, items).item() == pytest.approx(expected)
    assert model.penalty(users[:1], items[:1]).item() == pytest.approx(0.1 * (5.25 + 5))
    free = build_model(name, get_model(name).config(regularisation=0.0), inputs, seed=0)
    assert free.penalty(users, items) is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("missing", ["user", "item", "both", "switched off"])
def test_models_work_without_fields(small, name, missing):
    user_fields = {} if missing in ("user", "both") else small.user_fields
    item_fields = {} if missing in ("item", "both") else small.item_fields
    inputs = ModelInputs(N_USERS, N_ITEMS, 3.5, user_fields=user_fields, item_fields=item_fields)
    config = get_model(name).config(use_fields=missing != "switched off")
    model = build_model(name, config, inputs, seed=0).eval()
    users, items = every_pair()
    out = model(users, items)
    assert out.shape == (30,)
    torch.testing.assert_close(model.score_all_items(torch.arange(N_USERS)).flatten(), out)
    F.mse_loss(out, torch.linspace(1, 5, 30)).backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_fm_without_fields_is_biased_matrix_factorisation(small):
    model = shaken("fm", small, factors=4, use_fields=False)
    users, items = every_pair()
    expected = (
        small.mean_rating
        + model.bias
        + (model.user.id_factors[users] * model.item.id_factors[items]).sum(1)
    )
    expected = expected + model.user.id_weights[users, 0] + model.item.id_weights[items, 0]
    torch.testing.assert_close(model(users, items), expected)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_start_at_the_mean_rating(inputs, name):
    model = build_model(name, get_model(name).config(), inputs, seed=0).eval()
    scores = model.score_all_items(torch.arange(inputs.n_users))
    assert (
        scores - inputs.mean_rating
    ).square().mean().sqrt() < 0.2  # of ratings that spread by more than 1


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (FMConfig, {"factor": 8}, "Did you mean 'factors'"),
        (FMConfig, {"factors": 0}, r"FMConfig\.factors: .*greater than 0"),
        (FMConfig, {"regularisation": -0.1}, r"FMConfig\.regularisation"),
        (WideDeepConfig, {"field_dims": 8}, "Did you mean 'field_dim'"),
        (WideDeepConfig, {"dropout": 1.0}, r"WideDeepConfig\.dropout: .*less than 1"),
        (DeepFMConfig, {"use_fields": 1}, r"DeepFMConfig\.use_fields"),
        (DeepFMConfig, {"hidden": [64, 2.5]}, r"DeepFMConfig\.hidden"),
    ],
)
def test_bad_configuration(config, values, message):
    with pytest.raises(ConfigError, match=message):
        make_config(config, values)


@pytest.mark.parametrize("name", ["wide-deep", "deepfm"])
def test_an_mlp_needs_a_layer(small, name):
    with pytest.raises(ConfigError, match=r"Config\.hidden needs at least one layer"):
        build_model(name, get_model(name).config(hidden=()), small, seed=0)
