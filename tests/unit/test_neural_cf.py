"""GMF, MLP and NeuMF against their equations, how NeuMF starts from the two, and the listing with
one table."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.models import ModelInputs, build_model, get_model
from bonmf_lib.models.ranking.gmf import GMFConfig
from bonmf_lib.models.ranking.mlp import MLPConfig, tower_sizes
from bonmf_lib.models.ranking.neumf import NeuMFConfig
from bonmf_lib.models.ranking.neumf_shared import NeuMFSharedConfig
from tests.contracts.kinds import random_batch

INPUTS = ModelInputs(40, 30, 1.0)
ALL_USERS, ALL_ITEMS = torch.arange(40).repeat_interleave(30), torch.arange(30).repeat(40)


def far_from_zero(name: str, config, inputs: ModelInputs = INPUTS, seed: int = 0):
    """A model whose weights are all of size 1/2 or so, as if trained."""
    model = build_model(name, config, inputs, seed)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) / 2)
    return model.eval()


def by_the_equations(model, users, items, product=None, tower=None) -> torch.Tensor:
    """h . [p * q ; tower of [p ; q]] + b, layer by layer, of given pairs of tables (None = no such
    part)."""
    parts = []
    if product is not None:
        parts.append(product[0].weight[users] * product[1].weight[items])
    if tower is not None:
        z = torch.cat([tower[0].weight[users], tower[1].weight[items]], dim=1)
        for layer in model.tower.layers:
            z = F.relu(F.linear(z, layer.weight, layer.bias))
        parts.append(z)
    return F.linear(torch.cat(parts, dim=1), model.output.weight, model.output.bias).squeeze(1)


@pytest.mark.parametrize("hidden_layers", [0, 1, 3, 4])
def test_networks_equal_their_equations(hidden_layers):
    """In batches below and above the number of ids."""
    gmf = far_from_zero("gmf", GMFConfig(factors=6))
    mlp = far_from_zero("mlp", MLPConfig(factors=6, hidden_layers=hidden_layers))
    neumf = far_from_zero("neumf", NeuMFConfig(factors=6, hidden_layers=hidden_layers))
    for rows in (slice(0, 7), slice(None)):
        users, items = ALL_USERS[rows], ALL_ITEMS[rows]
        for model, product, tower in (
            (gmf, (gmf.user_embedding, gmf.item_embedding), None),
            (mlp, None, (mlp.user_embedding, mlp.item_embedding)),
            (neumf, (neumf.gmf_user, neumf.gmf_item), (neumf.mlp_user, neumf.mlp_item)),
        ):
            expected = by_the_equations(model, users, items, product, tower)
            torch.testing.assert_close(model(users, items), expected, atol=1e-4, rtol=1e-4)


def test_widths_of_the_released_code():
    assert tower_sizes(8, 3) == [64, 32, 16, 8]
    mlp = build_model("mlp", MLPConfig(), INPUTS, 0)
    assert mlp.user_embedding.weight.shape == (40, 32)
    assert [layer.out_features for layer in mlp.tower.layers] == [32, 16, 8]
    assert tower_sizes(8, 0) == [8]
    with pytest.raises(ConfigError, match="halved between user and item, got 7"):
        tower_sizes(7, 0)


def test_without_hidden_layer_all_users_get_one_order():
    """The two sides only add up."""
    scores = far_from_zero("mlp", MLPConfig(hidden_layers=0)).score_all_items(torch.arange(40))
    order = scores.argsort(dim=1)
    assert torch.equal(order, order[:1].expand(40, -1))


@pytest.mark.parametrize("name", ["gmf", "mlp", "neumf"])
def test_initial_weights_are_the_papers(name):
    big = ModelInputs(3000, 2000, 1.0)
    model = build_model(name, get_model(name).config(factors=32), big, seed=0)
    for key, table in model.named_parameters():
        if len(table) in (3000, 2000):
            assert float(table.detach().std()) == pytest.approx(0.01, rel=0.02), key
            assert abs(float(table.detach().mean())) < 1e-3, key
    edge = (3 / model.output.in_features) ** 0.5
    h = model.output.weight.detach()
    assert 0.8 * edge < float(h.abs().max()) <= edge
    assert float(model.output.bias.detach()) == 0


def test_a_penalty_that_spares_h_does_nothing():
    """Smaller p and q with larger h: equal logits, as small a penalty as one likes."""
    model = far_from_zero("gmf", GMFConfig(regularisation=0.1))
    batch = random_batch(INPUTS, 50)
    loss, penalty = model.loss(batch)
    logits = model(ALL_USERS, ALL_ITEMS)
    with torch.no_grad():
        model.user_embedding.weight /= 2
        model.item_embedding.weight /= 2
        model.output.weight *= 4
    again, smaller = model.loss(batch)
    torch.testing.assert_close(model(ALL_USERS, ALL_ITEMS), logits)
    torch.testing.assert_close(again, loss)
    torch.testing.assert_close(smaller, penalty / 4)


# NeuMF from trained networks


@pytest.fixture
def trained():
    return far_from_zero("gmf", GMFConfig(), seed=1), far_from_zero("mlp", MLPConfig(), seed=2)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_fused_logits_are_the_weighted_sum_of_the_two(trained, alpha):
    neumf = build_model("neumf", NeuMFConfig(alpha=alpha), INPUTS, seed=0)
    neumf.start_from(trained)
    gmf, mlp = (model(ALL_USERS, ALL_ITEMS) for model in trained)
    expected = alpha * gmf + (1 - alpha) * mlp
    torch.testing.assert_close(neumf(ALL_USERS, ALL_ITEMS), expected, atol=1e-5, rtol=1e-5)
    scores = neumf.score_all_items(torch.arange(40)).flatten()
    torch.testing.assert_close(scores, expected.detach(), atol=1e-5, rtol=1e-5)
    with pytest.raises(AssertionError):  # neither the plain sum nor either alone
        torch.testing.assert_close(scores, (gmf + mlp).detach(), atol=1e-3, rtol=1e-3)


def test_fusing_copies_and_ties_nothing(trained):
    neumf = build_model("neumf", NeuMFConfig(), INPUTS, seed=0)
    neumf.start_from(trained)
    before = [model(ALL_USERS, ALL_ITEMS).detach().clone() for model in trained]
    loss, _ = neumf.loss(random_batch(INPUTS, 200))
    loss.backward()
    torch.optim.SGD(neumf.parameters(), 1.0).step()
    for model, logits in zip(trained, before, strict=True):
        assert torch.equal(model(ALL_USERS, ALL_ITEMS), logits)
        assert all(parameter.grad is None for parameter in model.parameters())


def test_fused_output_is_not_scaled_twice_by_training(trained):
    """alpha decides the start alone: the same weights give the same logits whatever alpha."""
    one, other = (build_model("neumf", NeuMFConfig(alpha=alpha), INPUTS, 0) for alpha in (0.2, 0.9))
    one.start_from(trained)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(ALL_USERS, ALL_ITEMS), other(ALL_USERS, ALL_ITEMS))


def test_other_starts_are_refused(trained):
    gmf, mlp = trained
    neumf = build_model("neumf", NeuMFConfig(), INPUTS, seed=0)
    for models in ([mlp, gmf], [gmf], [gmf, mlp, gmf], [neumf, mlp]):
        with pytest.raises(ModelError, match="starts from a GMF and an MLP"):
            neumf.start_from(models)
    for config in (NeuMFConfig(factors=4), NeuMFConfig(hidden_layers=2)):
        with pytest.raises(ModelError, match="its own factors and layers"):
            build_model("neumf", config, INPUTS, seed=0).start_from(trained)
    with pytest.raises(ModelError, match="GMF starts from no other models"):
        gmf.start_from([mlp])


# One table


@pytest.mark.parametrize("sizes", [(40, 30), (30, 40)])
def test_one_table_serves_all_four_inputs(sizes):
    """Item i is read as user i; with more items than users the table has rows for the rest."""
    inputs = ModelInputs(*sizes, 1.0)
    model = far_from_zero("neumf-shared", NeuMFSharedConfig(factors=4, alpha=0.3), inputs)
    tables = [p for key, p in model.named_parameters() if key.startswith(("gmf", "mlp"))]
    assert [table.shape for table in tables] == [(40, 4)]
    (table,) = tables
    users, items = torch.arange(sizes[0]).repeat_interleave(sizes[1]), None
    items = torch.arange(sizes[1]).repeat(sizes[0])
    t_u, t_i = table[users], table[items]
    z = torch.cat([t_u, t_i], dim=1)
    for layer in model.tower.layers:
        z = F.relu(F.linear(z, layer.weight, layer.bias))
    x = torch.cat([0.3 * t_u * t_i, 0.7 * z], dim=1)
    expected = F.linear(x, model.output.weight, model.output.bias).squeeze(1)
    torch.testing.assert_close(model(users, items), expected, atol=1e-5, rtol=1e-5)
    scores = model.score_all_items(torch.arange(sizes[0]))
    torch.testing.assert_close(scores.flatten(), expected.detach(), atol=1e-5, rtol=1e-5)


def test_sizes_of_the_listing():
    """8 factors; hidden layers of 16 and 8 units; three tables that are never used."""
    one = build_model("neumf-shared", NeuMFSharedConfig(), INPUTS, 0)
    assert [tuple(layer.weight.shape) for layer in one.tower.layers] == [(16, 16), (8, 16)]
    four = build_model("neumf-shared", NeuMFSharedConfig(tables="four"), INPUTS, 0)
    shapes = {key: tuple(p.shape) for key, p in four.named_parameters() if "_" in key}
    assert shapes == {
        "gmf_user.weight": (40, 8), "gmf_item.weight": (30, 8),
        "mlp_user.weight": (40, 32), "mlp_item.weight": (30, 32),
    }  # fmt: skip
    assert [tuple(layer.weight.shape) for layer in four.tower.layers] == [(16, 64), (8, 16)]
    assert 0.045 < float(one.gmf_user.weight.detach().abs().max()) <= 0.05


def test_a_step_on_an_item_moves_the_user_of_its_number():
    """What the slip does."""
    model = build_model("neumf-shared", NeuMFSharedConfig(), INPUTS, 0)
    own = np.flatnonzero((np.arange(30) != 3) & (np.arange(30) != 5))
    before = model(torch.full((28,), 5), torch.from_numpy(own)).detach()
    F.softplus(-model(torch.tensor([3]), torch.tensor([5]))).sum().backward()
    torch.optim.SGD(model.parameters(), 1.0).step()
    assert model.gmf_user.weight.grad[5].any()  # of user 5, who rated nothing here
    assert not torch.equal(model(torch.full((28,), 5), torch.from_numpy(own)), before)
