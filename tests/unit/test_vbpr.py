"""VBPR against its equations, and against another library."""

import sys
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.encoders import Features
from bonmf_lib.models import Batch, build_model
from bonmf_lib.models.ranking.bpr_mf import BPRMFConfig
from bonmf_lib.models.ranking.vbpr import VBPRConfig
from tests.conftest import other_library
from tests.unit.test_rankers import inputs_of, random_edges

USERS, ITEMS, FACTORS = 9, 7, 4
EDGES = random_edges(USERS, ITEMS)
DRAW = np.random.default_rng(0)
TEXTS, PICTURES = (DRAW.standard_normal((ITEMS, size)).astype(np.float32) for size in (5, 6))


def features(rows, present=None) -> Features:
    present = np.ones(len(rows), bool) if present is None else present
    return Features(rows * present[:, None], present, "given", "1", "k")


INPUTS = replace(inputs_of(EDGES, USERS, ITEMS), text=features(TEXTS), image=features(PICTURES))
EVERYONE = torch.arange(USERS)


def vbpr(inputs=INPUTS, **values):
    """All weights drawn, biases too."""
    model = build_model("vbpr", VBPRConfig(**{"factors": FACTORS} | values), inputs, seed=0)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def weights(model) -> dict[str, np.ndarray]:
    return {key: value.detach().double().numpy() for key, value in model.named_parameters()}


def by_equation(model, has_biases: bool) -> np.ndarray:
    """Scores of all pairs, (U, I), of the concatenated features."""
    own = weights(model)
    p, theta = np.split(own["user_factors.weight"], 2, axis=1)
    f = np.concatenate([TEXTS, PICTURES], axis=1)
    e = np.concatenate(
        [own[f"modalities.{name}.linear.weight"] for name in ("text", "image")], axis=1
    )
    scores = p @ own["item_factors.weight"].T + theta @ (e[:FACTORS] @ f.T)
    if has_biases:
        return scores + own["item_bias.weight"].T + e[FACTORS] @ f.T
    return scores + (theta @ own["modalities.text.linear.bias"])[:, None]


@pytest.mark.parametrize("form", ["with biases", "without biases"])
def test_scores_are_those_of_the_equation(form):
    """Equation 1 with biases, 2 without."""
    model = vbpr(form=form)
    expected = by_equation(model, form == "with biases")
    found = model.eval().score_all_items(EVERYONE)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert ("item_bias.weight" in dict(model.named_parameters())) == (form == "with biases")


def test_biases_start_at_zero():
    model = build_model("vbpr", VBPRConfig(), INPUTS, seed=0)
    assert not model.item_bias.weight.any()


@pytest.mark.parametrize("form", ["with biases", "without biases"])
@pytest.mark.parametrize("penalised", ["squared norms", "norms"])
@pytest.mark.parametrize("size", [2, 40])  # fewer items than there are, and more
def test_loss_and_penalty(form, penalised, size):
    """Equation 3, N of the whole vectors of the batch; E, b' and c alone are not penalised."""
    model = vbpr(form=form, penalised=penalised, regularisation=0.3)
    draw = torch.Generator().manual_seed(0)
    users = torch.randint(USERS, (size,), generator=draw)
    items, drawn = torch.randint(ITEMS, (2, size), generator=draw)
    loss, penalty = model.loss(Batch(users, items, torch.ones(size), (users, drawn)))
    scores = by_equation(model, form == "with biases")
    apart = scores[users, items] - scores[users, drawn]
    assert loss.item() == pytest.approx(np.log1p(np.exp(-apart)).mean(), rel=1e-4)

    own = weights(model)
    of_items = [own["item_factors.weight"]]
    if form == "with biases":
        of_items.append(own["item_bias.weight"])
    else:
        seen = own["modalities.text.linear.bias"]
        for name, rows in (("text", TEXTS), ("image", PICTURES)):
            seen = seen + rows @ own[f"modalities.{name}.linear.weight"].T
        of_items.append(seen)
    of_items = np.concatenate(of_items, axis=1)
    rows = own["user_factors.weight"][users], of_items[items], of_items[drawn]
    if penalised == "norms":
        expected = sum(np.linalg.norm(part) for part in rows) / size
    else:
        expected = sum(np.square(part).sum() for part in rows) / 2 / size
    assert penalty.item() == pytest.approx(0.3 * expected, rel=1e-4)
    assert vbpr(form=form).loss(Batch(users, items, torch.ones(size), (users, drawn)))[1] is None


@pytest.mark.parametrize("modalities", [(), ("text",), ("image",)])
@pytest.mark.parametrize("form", ["with biases", "without biases"])
def test_fewer_modalities_need_no_others(modalities, form):
    unread = {name: None for name in ("text", "image") if name not in modalities}
    model = vbpr(replace(INPUTS, **unread), modalities=modalities, form=form)
    loss, _ = model.loss(Batch(EVERYONE, EVERYONE % ITEMS, torch.ones(9), (EVERYONE, EVERYONE % 3)))
    loss.backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


def test_without_modalities_and_biases_it_is_bpr():
    model = vbpr(modalities=(), form="without biases")
    plain = build_model("bpr-mf", BPRMFConfig(factors=FACTORS), INPUTS, seed=0)
    plain.load_state_dict(model.state_dict())
    everything = (one.eval().score_all_items(EVERYONE) for one in (model, plain))
    torch.testing.assert_close(*everything)


def test_an_item_without_features_has_a_learned_vector():
    """In the place of E f_i and of b' . f_i in equation 1."""
    present = np.array([True] * 5 + [False] * 2)
    inputs = replace(INPUTS, image=features(PICTURES, present))
    model = vbpr(inputs, modalities=("image",))
    own = weights(model)
    p, theta = np.split(own["user_factors.weight"], 2, axis=1)
    missing = own["modalities.image.missing"][0]
    expected = p @ own["item_factors.weight"][6] + theta @ missing[:FACTORS]
    expected += own["item_bias.weight"][6] + missing[FACTORS]
    found = model.eval().score_all_items(EVERYONE)[:, 6]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_scores_equal_another_library(monkeypatch):
    """Equation 1, by Cornac, on the same weights and concatenated features."""
    monkeypatch.setitem(sys.modules, "powerlaw", types.ModuleType("powerlaw"))  # not used here
    other_library("cornac")
    from cornac.data import Dataset, ImageModality
    from cornac.models import VBPR

    model, everything = vbpr(), np.concatenate([TEXTS, PICTURES], axis=1)
    own = weights(model)
    p, theta = np.split(own["user_factors.weight"], 2, axis=1)
    e = np.concatenate(
        [own[f"modalities.{name}.linear.weight"] for name in ("text", "image")], axis=1
    ).T
    given = {
        "Bi": own["item_bias.weight"][:, 0], "Gu": p, "Gi": own["item_factors.weight"],
        "Tu": theta, "E": e[:, :FACTORS], "Bp": e[:, FACTORS:],
    }  # fmt: skip
    kept = {key: np.ascontiguousarray(value, np.float32) for key, value in given.items()}
    # every user and item has a pair, in order, so that both count alike
    pairs = [(user, user % ITEMS, 1.0) for user in range(USERS)]
    known = Dataset.from_uir(pairs)
    known.add_modalities(item_image=ImageModality(features=everything, ids=list(range(ITEMS))))
    known.item_image.build(id_map=known.iid_map)
    theirs = VBPR(k=FACTORS, k2=FACTORS, trainable=False, init_params=kept, verbose=False)
    theirs.fit(known)
    expected = np.stack([theirs.score(user) for user in range(USERS)])
    found = model.eval().score_all_items(EVERYONE)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
