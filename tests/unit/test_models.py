"""Models against their equations and independent implementations."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix, hstack
from sklearn.linear_model import Ridge
from torch.nn import functional as F

from bonmf_lib.config import make_config
from bonmf_lib.encoders.features import Features
from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.models import ModelInputs, build_model
from bonmf_lib.models.rating.bias import UserItemBiasConfig
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.training.batches import Triples
from tests.conftest import CPU


def bonmf_by_the_equations(model, users, items):
    """Concatenate everything, then the MLP: the docstring's equations, row by row."""
    parts = [
        model.user_embedding.weight[users],
        model.item_embedding.weight[items],
        model.modalities["text"].matrix[items],
        model.modalities["image"].matrix[items],
    ]
    if "demographics" in model.columns:
        parts.append(model.demographics[users])
    hidden = F.relu(F.linear(torch.cat(parts, dim=1), model.first.weight, model.first.bias))
    hidden = F.relu(F.linear(hidden, model.rest[2].weight, model.rest[2].bias))
    return F.linear(hidden, model.rest[5].weight, model.rest[5].bias).squeeze(1)


@pytest.mark.parametrize("batch", [7, 150, 1000])
@pytest.mark.parametrize("demographics", [False, True])
def test_bonmf_equals_its_equations_below_and_above_the_table_threshold(
    inputs, batch, demographics
):
    model = build_model("bonmf", BoNMFConfig(use_demographics=demographics), inputs, seed=1).eval()
    draw = torch.Generator().manual_seed(batch)
    users = torch.randint(inputs.n_users, (batch,), generator=draw)
    items = torch.randint(inputs.n_items, (batch,), generator=draw)
    torch.testing.assert_close(
        model(users, items), bonmf_by_the_equations(model, users, items), atol=1e-5, rtol=1e-5
    )


def test_bonmf_gradients_are_the_same_on_both_paths(inputs):
    draw = torch.Generator().manual_seed(0)
    users, items = (
        torch.randint(n, (400,), generator=draw) for n in (inputs.n_users, inputs.n_items)
    )
    gradients = []
    for rows in (slice(0, 400), None):
        model = build_model("bonmf", BoNMFConfig(), inputs, seed=1)
        if rows is not None:  # one batch of 400 goes through the tables
            model(users, items).square().sum().backward()
        else:  # batches of 50 do not
            for start in range(0, 400, 50):
                model(
                    users[start : start + 50], items[start : start + 50]
                ).square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, value in gradients[0].items():
        torch.testing.assert_close(value, gradients[1][name], atol=2e-3, rtol=1e-3, msg=name)


def test_all_pairs_scoring_equals_forward(inputs):
    model = build_model("bonmf", BoNMFConfig(), inputs, seed=1).eval()
    users = torch.arange(11)
    scores = model.score_all_items(users)
    items = torch.arange(inputs.n_items)
    for row, user in enumerate(users):
        torch.testing.assert_close(
            scores[row], model(user.expand(len(items)), items), atol=1e-5, rtol=1e-5
        )


def test_missing_picture_is_a_learned_vector_and_not_zero(inputs):
    present = inputs.image.present.copy()
    present[:10] = False
    image = dataclasses.replace(inputs.image, present=present)
    model = build_model("bonmf", BoNMFConfig(), dataclasses.replace(inputs, image=image), seed=1)
    items = torch.arange(20)
    before = model.item_part(items)
    with torch.no_grad():
        model.modalities["image"].missing.fill_(1.0)
    change = model.item_part(items) - before
    torch.testing.assert_close(change[:10], torch.ones_like(change[:10]))
    torch.testing.assert_close(change[10:], torch.zeros_like(change[10:]))
    model(torch.zeros(20, dtype=torch.long), items).sum().backward()
    assert model.modalities["image"].missing.grad.abs().sum() > 0


def test_ablations_read_only_what_they_say(inputs):
    def with_other(name):
        features = getattr(inputs, name)
        other = Features(features.matrix[::-1].copy(), features.present, "other", "1", "key")
        return dataclasses.replace(inputs, **{name: other})

    users, items = torch.arange(10), torch.arange(10)
    for config, reads in (
        (BoNMFConfig(), {"text", "image"}),
        (BoNMFConfig(modalities=("image",)), {"image"}),
        (BoNMFConfig(modalities=("text",)), {"text"}),
        (BoNMFConfig(modalities=()), set()),
        (BoNMFConfig(use_ids=False), {"text", "image"}),
    ):
        base = build_model("bonmf", config, inputs, seed=1)(users, items)
        for name in ("text", "image"):
            changed = build_model("bonmf", config, with_other(name), seed=1)(users, items)
            assert torch.equal(base, changed) == (name not in reads), (config, name)


def test_bias_equals_ridge_regression_on_one_hot_rows(planted, split, inputs):
    """scikit-learn solves the same convex problem: one-hot users and items, penalty lambda, fixed
    mean."""
    train = Triples.of(planted, split.train, CPU)
    model = build_model(
        "user-item-bias", UserItemBiasConfig(regularisation=3.0, sweeps=200), inputs, seed=0
    )
    model.solve(train.users, train.items, train.ratings)
    rows, ones = np.arange(len(train)), np.ones(len(train))
    one_hot = hstack(
        [
            coo_matrix((ones, (rows, train.users)), shape=(len(train), inputs.n_users)),
            coo_matrix((ones, (rows, train.items)), shape=(len(train), inputs.n_items)),
        ]
    )
    target = train.ratings.double().numpy()
    solution = Ridge(alpha=3.0, fit_intercept=False, solver="lsqr", tol=1e-12, max_iter=10_000)
    solution.fit(one_hot, target - target.mean())
    expected = np.concatenate([model.user_bias, model.item_bias])
    np.testing.assert_allclose(expected, solution.coef_, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"embeding_dim": 8}, "Did you mean 'embedding_dim'"),
        ({"embedding_dim": "50"}, r"BoNMFConfig\.embedding_dim: .*integer"),
        ({"hidden": [128, 6.5]}, "hidden"),
        ({"modalities": ("smell",)}, "modalities"),
        ({"modalities": ("image", "text")}, "come once each, in the order text, image"),
        ({"modalities": ("text", "text")}, "come once each"),
    ],
)
def test_bad_configuration(values, message):
    with pytest.raises(ConfigError, match=message):
        make_config(BoNMFConfig, values)


def test_lists_stand_for_tuples_in_configurations():
    assert make_config(BoNMFConfig, {"hidden": [64, 32]}).hidden == (64, 32)


def test_impossible_inputs(inputs):
    bare = ModelInputs(3, 3, 3.0)
    with pytest.raises(ModelError, match="got no text features"):
        build_model("bonmf", BoNMFConfig(), bare, seed=0)
    with pytest.raises(ModelError, match="data set has none"):
        build_model("bonmf", BoNMFConfig(modalities=(), use_demographics=True), bare, seed=0)
    with pytest.raises(ConfigError, match="every input off"):
        build_model("bonmf", BoNMFConfig(modalities=(), use_ids=False), bare, seed=0)
    with pytest.raises(ConfigError, match="Did you mean 'bonmf'"):
        build_model("bomf", BoNMFConfig(), bare, seed=0)
    with pytest.raises(ConfigError, match="takes a BoNMFConfig"):
        build_model("bonmf", UserItemBiasConfig(), bare, seed=0)
