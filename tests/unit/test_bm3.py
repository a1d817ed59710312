"""BM3 against the worked example of its equations, term by term, with given masks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.encoders import Features
from bonmf_lib.errors import ModelError
from bonmf_lib.models import Batch, build_model
from bonmf_lib.models.ranking.bm3 import BM3, BM3Config
from tests.unit.test_rankers import EDGES, ITEMS, USERS, inputs_of

# what dropout keeps of targets, by node
MASKS = {
    "user": [[1, 0], [1, 1], [0, 1]],
    "item": [[1, 1], [0, 1], [1, 0]],
    "image": [[1, 0], [1, 1], [0, 1]],
    "text": [[0, 1], [1, 0], [0, 0]],
}
WEIGHTS = {
    "user_factors.weight": USERS,
    "item_factors.weight": ITEMS,
    "predictor.weight": [[0.9, -0.2], [0.1, 0.8]],
    "predictor.bias": [0.05, -0.05],
    "modalities.image.linear.weight": [[0.2, 0.1, -0.3], [-0.1, 0.3, 0.2]],
    "modalities.image.linear.bias": [0.01, 0.02],
    "modalities.text.linear.weight": [[0.3, -0.2], [0.1, 0.4]],
    "modalities.text.linear.bias": [0.0, 0.1],
}
PICTURES, TEXTS = [[1, 0, 2], [0, 1, 1], [2, 1, 0]], [[1, -1], [0.5, 2], [-1, 0.5]]
PAIRS = Batch(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]), torch.ones(4))
RECONSTRUCTION = -0.533458 - 0.734740
TERMS = {
    ("image", "aligned"): 0.075566,
    ("text", "aligned"): -0.933143,
    ("image", "masked"): -0.763767,
    ("text", "masked"): -0.306149,
}
AS_CODE = {"penalised": "norms of all", "auxiliary_weight": 2.0, "features": "trained"}


def features(rows, present=(True, True, True)) -> Features:
    return Features(np.array(rows, np.float32), np.array(present), "given", "1", "k")


INPUTS = replace(inputs_of(EDGES, 3, 3), image=features(PICTURES), text=features(TEXTS))


class WithMasks(BM3):
    def kept(self, node, ids, shape):
        mask = torch.tensor(MASKS[node])[ids]
        assert mask.shape == shape
        return mask


def worked(cls=WithMasks, **values) -> BM3:
    """On the worked example's graph, in double precision."""
    model = cls(BM3Config(**{"factors": 2, "regularisation": 0.1} | values), INPUTS).double()
    own = model.state_dict()
    with torch.no_grad():
        for key in WEIGHTS.keys() & own.keys():
            own[key].copy_(torch.tensor(WEIGHTS[key]))
    return model


def total(model: BM3, batch: Batch = PAIRS) -> torch.Tensor:
    loss, penalty = model.loss(batch)
    return loss if penalty is None else loss + penalty


def test_projections_of_the_worked_example():
    """Equation 1, by hand: the picture's first row is (1, 0, 2), so .2 - .6 + .01 and
    -.1 + .4 + .02."""
    expected = {
        "image": [[-0.39, 0.32], [-0.19, 0.52], [0.51, 0.12]],
        "text": [[0.5, -0.2], [-0.25, 0.95], [-0.4, 0.2]],
    }
    for name, projected in worked().modalities.items():
        found = projected(torch.arange(3)).detach()
        torch.testing.assert_close(found, torch.tensor(expected[name]).double())


def test_vectors_and_scores_of_the_worked_example():
    """Equations 2 to 4, with the residual after the mean, and 13, without dropout."""
    model = worked().eval()
    users = [[0.267602, 0.014346], [0.207735, -0.021132], [-0.200597, 0.432544]]
    items = [[0.785355, -0.379289], [0.366190, 0.243607], [-0.670711, 1.041421]]
    for found, expected in zip(model.propagated(), (users, items), strict=True):
        torch.testing.assert_close(
            found.detach(), torch.tensor(expected).double(), atol=1e-6, rtol=0
        )
    first = model.score_all_items(torch.tensor([0]))[0].tolist()
    assert first == pytest.approx([0.243021, 0.093140, -0.227836], abs=1e-6)


def test_reconstruction_of_the_worked_example():
    """Equations 7 and 9, which are all without modalities."""
    loss, _ = worked(modalities=()).loss(PAIRS)
    assert loss.item() == pytest.approx(RECONSTRUCTION, abs=2e-6)


@pytest.mark.parametrize(("modality", "term"), TERMS)
def test_each_term_of_the_worked_example(modality, term):
    """Equations 10 and 11, for one modality; the text's masks leave an item nothing, whose cosine
    is 0."""
    own = {"aligned": (), "masked": ()} | {term: (modality,)}
    loss, _ = worked(modalities=(modality,), **own).loss(PAIRS)
    expected = TERMS[modality, term]
    assert loss.item() - RECONSTRUCTION == pytest.approx(expected, abs=3e-6)
    twice, _ = worked(modalities=(modality,), **own, auxiliary_weight=2.0).loss(PAIRS)
    assert twice.item() - RECONSTRUCTION == pytest.approx(2 * expected, abs=4e-6)


@pytest.mark.parametrize(
    ("penalised", "expected"), [("squared norms", 0.813004), ("norms of all", 0.720982)]
)
def test_penalties_of_the_worked_example(penalised, expected):
    """Equation 12's, and that of the authors' code."""
    _, penalty = worked(penalised=penalised).loss(PAIRS)
    assert penalty.item() == pytest.approx(0.1 * expected, abs=1e-7)
    assert worked(regularisation=0.0).loss(PAIRS)[1] is None


def test_totals_of_the_worked_example():
    """Equation 12 with all terms, and the authors' code, which counts 1 - cos in place of - cos."""
    assert total(worked()).item() == pytest.approx(-3.114391, abs=1e-6)
    constant = 2 + 2 * len(TERMS)
    assert total(worked(**AS_CODE)).item() + constant == pytest.approx(4.948913, abs=1e-6)


def test_gradients_of_the_worked_example():
    """Of the authors' code, by numerical differences; targets are held fixed."""
    model = worked(**AS_CODE)
    total(model).backward()
    for table, row, expected in (
        (model.user_factors.weight, 0, [0.041171, 0.079713]),
        (model.item_factors.weight, 1, [0.073201, -0.384751]),
        (model.modalities["image"].matrix, 0, [0.015591, 0.130507]),
    ):
        assert table.grad[row, :2].tolist() == pytest.approx(expected, abs=1e-6)


def test_only_trained_features_are_parameters():
    """Frozen ones are no part of what is saved; trained ones are, and start as they were given."""
    frozen, trained = worked(), worked(features="trained")
    keys = {f"modalities.{name}.matrix" for name in ("text", "image")}
    assert not keys & frozen.state_dict().keys()
    assert keys <= {key for key, _ in trained.named_parameters()} & trained.state_dict().keys()
    assert trained.modalities["image"].matrix.tolist() == PICTURES
    assert total(frozen).item() == total(trained).item()


@pytest.mark.parametrize("trained", ["frozen", "trained"])
def test_missing_features_are_a_learned_vector(trained):
    """In the place of W f in equation 1: the same for every item without a picture, and no row of
    features is trained there."""
    given = replace(INPUTS, image=features([[1, 0, 2], [0, 0, 0], [0, 0, 0]], (True, False, False)))
    config = BM3Config(factors=2, modalities=("image",), features=trained)
    model = build_model("bm3", config, given, seed=0)
    with torch.no_grad():
        model.modalities["image"].missing.fill_(0.5)
        if trained == "trained":
            model.modalities["image"].matrix[1:] = 7.0
    rows = model.modalities["image"](torch.arange(3))
    expected = 0.5 + model.modalities["image"].linear.bias
    assert torch.equal(rows[1], expected) and torch.equal(rows[2], expected)
    assert not torch.allclose(rows[0], expected)
    torch.manual_seed(0)
    total(model).backward()
    assert model.modalities["image"].missing.grad.any()
    if trained == "trained":
        gradient = model.modalities["image"].matrix.grad
        assert gradient[0].any() and not gradient[1:].any()


def test_pairs_of_a_batch_share_a_node_s_mask():
    """Equation 5: a batch of one pair thrice has the loss of that pair once, whatever is drawn."""
    model = worked(BM3, dropout=0.3)
    losses = []
    for times in (1, 3):
        torch.manual_seed(0)
        one = Batch(*(torch.full((times,), node) for node in (2, 1)), torch.ones(times))
        losses.append(total(model, one).item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)


def test_terms_share_an_item_s_mask():
    """Equation 5, in all of 7 to 11."""
    asked = []

    class Noted(WithMasks):
        def kept(self, node, ids, shape):
            asked.append((node, ids.tolist()))
            return super().kept(node, ids, shape)

    total(worked(Noted))
    nodes = [(node, [0, 1, 2]) for node in ("user", "item", "text", "image")]
    assert asked == nodes


@pytest.mark.parametrize("trained", ["frozen", "trained"])
def test_targets_that_dropout_leaves_nothing_pull_at_nothing(trained):
    """Equations 5 and 7 to 11: each cosine is 0, and so is its gradient."""

    class Dropped(BM3):
        def kept(self, node, ids, shape):
            return torch.zeros(shape)

    model = worked(Dropped, regularisation=0.0, features=trained)
    loss, _ = model.loss(PAIRS)
    loss.backward()
    assert loss.item() == 0
    assert all((weight.grad == 0).all() for weight in model.parameters())


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9])
def test_dropout_is_the_share_that_is_dropped(share):
    """Equation 5: what is kept is scaled up, so that the mean stays; nothing is dropped from
    predictions."""
    model = worked(BM3, dropout=share)
    torch.manual_seed(0)
    target = model.target("user", torch.arange(2000), torch.ones(2000, 50, requires_grad=True))
    assert not target.requires_grad
    assert (target == 0).float().mean().item() == pytest.approx(share, abs=0.01)
    assert target.mean().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(model.embed()[0], model.eval().embed()[0])


# user 3 and item 3 have no training pair
WITH_LONELY = replace(
    inputs_of(EDGES, 4, 4),
    image=features([*PICTURES, [1, 1, 1]], [True] * 4),
    text=features([*TEXTS, [2, 1]], [True] * 4),
)


def with_lonely(layers: int, penalised: str) -> tuple[BM3, BM3]:
    """The worked example's model and one with the same weights and a user and an item more."""
    alone = worked(layers=layers, penalised=penalised)
    config = BM3Config(factors=2, layers=layers, penalised=penalised, regularisation=0.1)
    model = build_model("bm3", config, WITH_LONELY, seed=0).double()
    with torch.no_grad():
        for key, weight in alone.state_dict().items():
            model.state_dict()[key][: len(weight)] = weight
    return alone, model


@pytest.mark.parametrize("penalised", ["squared norms", "norms of all"])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_who_has_no_edge_is_left_with_his_own_vector(layers, penalised):
    """Equations 2 to 4 and 13: layers from 1 on add 0 to the mean, and to nobody else's."""
    alone, model = with_lonely(layers, penalised)
    of_user, of_item = (
        table.weight.detach()[3] for table in (model.user_factors, model.item_factors)
    )
    expected = of_user / (layers + 1), of_item / (layers + 1) + of_item
    for found, others, own in zip(model.propagated(), alone.propagated(), expected, strict=True):
        torch.testing.assert_close(found.detach()[3], own)
        torch.testing.assert_close(found[:3], others)
    scores = model.eval().score_all_items(torch.arange(4))
    torch.testing.assert_close(scores[:3, :3], alone.eval().score_all_items(torch.arange(3)))
    predicted = (model.predictor(part).detach() for part in expected)
    torch.testing.assert_close(scores[3, 3], torch.dot(*predicted))
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("penalised", ["squared norms", "norms of all"])
def test_who_has_no_edge_learns_from_the_penalty_of_all_alone(penalised):
    """Equation 12 is of a batch's users and items; the authors' code shrinks everybody."""
    _, model = with_lonely(1, penalised)
    total(model).backward()
    for table, length in zip(
        (model.user_factors, model.item_factors), (0.5, 1.5), strict=True
    ):  # h of a vector of length 1
        gradient = table.weight.grad
        assert gradient.isfinite().all() and gradient[:3].all()
        everybody = model.propagated()[table is model.item_factors].detach()
        pull = 0.1 * length**2 * table.weight.detach()[3] / everybody.norm() / 4
        expected = pull if penalised == "norms of all" else torch.zeros(2).double()
        torch.testing.assert_close(gradient[3], expected)
    model.zero_grad()
    loss = total(model, Batch(torch.tensor([3, 0]), torch.tensor([3, 3]), torch.ones(2)))
    loss.backward()
    assert loss.isfinite() and all(part.grad.isfinite().all() for part in model.parameters())


def test_features_that_no_term_reads_are_refused():
    with pytest.raises(ModelError, match="reads the image, but neither aligns nor masks it"):
        worked(aligned=("text",), masked=("text",))
    with pytest.raises(ModelError, match="no text features"):
        BM3(BM3Config(), replace(INPUTS, text=None))
    with pytest.raises(ModelError, match="pass them as interactions"):
        BM3(BM3Config(), replace(INPUTS, interactions=None))


@pytest.mark.parametrize("modalities", [(), ("text",), ("image",)])
def test_fewer_modalities_need_no_others(modalities):
    unread = {name: None for name in ("text", "image") if name not in modalities}
    model = build_model("bm3", BM3Config(modalities=modalities), replace(INPUTS, **unread), seed=0)
    total(model).backward()
    assert all(parameter.grad.any() for parameter in model.parameters())
    assert sorted(model.modalities) == sorted(modalities)
