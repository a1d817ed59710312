"""Biases that lean on content: against the plain biases, the normal equations, and made data."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.encoders import Features
from bonmf_lib.models import ModelInputs, build_model
from bonmf_lib.models.rating import content_bias
from bonmf_lib.models.rating.bias import UserItemBiasConfig
from bonmf_lib.models.rating.content_bias import ContentBiasConfig
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit
from tests.conftest import CPU

PLAIN = {"modalities": (), "use_fields": False}


def triples(seed: int = 0, users: int = 12, items: int = 9):
    random = np.random.default_rng(seed)
    user, item = (random.random((users, items)) < 0.6).nonzero()
    rating = random.normal(3, 1, len(user)).astype(np.float32)
    return torch.from_numpy(user), torch.from_numpy(item), torch.from_numpy(rating)


def of_texts(matrix: np.ndarray, present: np.ndarray | None = None) -> ModelInputs:
    present = np.ones(len(matrix), bool) if present is None else present
    text = Features(matrix.astype(np.float32), present, "made", "1", "key")
    return ModelInputs(12, len(matrix), 3.0, text=text)


def solved(inputs: ModelInputs, data, **given):
    model = build_model("content-bias", ContentBiasConfig(**given), inputs, 0)
    model.solve(*data)
    return model


def test_without_content_it_is_the_model_of_user_and_item_biases():
    data, inputs = triples(), ModelInputs(12, 9, 3.0)
    ours = solved(inputs, data, regularisation=3.0, sweeps=200, **PLAIN)
    theirs = build_model("user-item-bias", UserItemBiasConfig(regularisation=3.0, sweeps=200),
                         inputs, 0)  # fmt: skip
    theirs.solve(*data)
    users = torch.arange(12)
    torch.testing.assert_close(ours.score_all_items(users), theirs.score_all_items(users))


def test_the_solution_is_that_of_the_normal_equations():
    data, random = triples(), np.random.default_rng(1)
    given = {"modalities": ("text",), "use_fields": False, "tastes": 2, "sweeps": 3000}
    terms = {"regularisation": 2.0, "content_regularisation": 0.5, "taste_regularisation": 1.5}
    model = solved(of_texts(random.normal(size=(9, 4))), data, **given, **terms)
    user, item, rating = (part.numpy() for part in data)
    of_user, of_item = np.eye(12)[user], np.eye(9)[item]
    axes = model.axes.numpy()[item]
    tastes = (of_user[:, :, None] * axes[:, None, :]).reshape(len(user), -1)
    design = np.hstack([of_user, of_item, model.content[item], tastes])
    penalties = np.concatenate(
        [np.full(12 + 9, 2.0), np.full(4, 0.5), np.full(tastes.shape[1], 1.5)]
    )
    centred = rating - rating.mean(dtype=np.float64)
    weights = np.linalg.solve(design.T @ design + np.diag(penalties), design.T @ centred)
    assert np.allclose(weights[:12], model.user_bias, atol=1e-4)
    effect = weights[12:21] + model.content @ weights[21:25]
    assert np.allclose(effect, model.item_effect, atol=1e-4)
    assert np.allclose(weights[25:].reshape(12, 2), model.tastes, atol=1e-4)


def test_users_without_ratings_take_no_room_and_change_nothing(monkeypatch):
    """Twelve users of whom some rated, among a hundred thousand who did not."""
    monkeypatch.setattr(content_bias, "_BLOCK", 5)
    user, item, rating = triples()
    texts = of_texts(np.random.default_rng(1).normal(size=(9, 4)))
    given = {"modalities": ("text",), "use_fields": False}
    few = solved(texts, (user, item, rating), **given)
    spread = 1000 + 7000 * user
    tracemalloc.start()
    many = solved(replace(texts, n_users=100_000), (spread, item, rating), **given)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 100_000 * 10 * 8 * 4  # bytes; of every user 5 x 5 numbers would be more
    apart = torch.ones(100_000, dtype=torch.bool)
    apart[1000 + 7000 * torch.arange(12)] = False
    assert not many.user_bias[apart].any() and not many.tastes[apart].any()
    assert torch.equal(many.user_bias[~apart], few.user_bias)
    assert torch.equal(many.tastes[~apart], few.tastes)
    assert torch.equal(many.item_effect, few.item_effect)


def test_an_unrated_item_is_judged_by_its_content_alone():
    """Two kinds of items, of which one is liked; the last of each kind is not rated."""
    kinds = np.repeat([[1.0], [-1.0]], 10, axis=0)
    random = np.random.default_rng(0)
    user, item = (
        part.ravel() for part in np.meshgrid(np.arange(12), np.delete(np.arange(20), [9, 19]))
    )
    rating = 3 + kinds[item, 0] + random.normal(0, 0.1, len(item))
    data = torch.from_numpy(user), torch.from_numpy(item), torch.from_numpy(rating).float()
    given = {"modalities": ("text",), "use_fields": False, "content_regularisation": 0.1}
    scores = solved(of_texts(kinds), data, **given).score_all_items(torch.arange(12))
    assert scores[:, 9].min() > 3.7 and scores[:, 19].max() < 2.3
    unknown = np.ones(20, bool)
    unknown[[9, 19]] = False
    scores = solved(of_texts(kinds, unknown), data, **given).score_all_items(torch.arange(12))
    torch.testing.assert_close(scores[:, 9], scores[:, 19])  # nothing is known of either


def test_tastes_tell_users_apart_where_their_tastes_do():
    kinds = np.repeat([[1.0], [-1.0]], 10, axis=0)
    user, item = (part.ravel() for part in np.meshgrid(np.arange(12), np.arange(20)))
    likes = np.where(user < 6, 1, -1) * kinds[item, 0]
    rows = np.random.default_rng(0).permutation(len(item))[:150]
    data = (torch.from_numpy(user[rows]), torch.from_numpy(item[rows]),
            torch.from_numpy(3 + likes[rows]).float())  # fmt: skip
    given = {"modalities": ("text",), "use_fields": False}
    scores = solved(of_texts(kinds), data, taste_regularisation=0.5, **given)
    scores = scores.score_all_items(torch.arange(12))
    assert scores[0, 0] > 3.5 > 2.5 > scores[0, 19] and scores[11, 0] < 2.5
    plain = solved(of_texts(kinds), data, tastes=0, **given).score_all_items(torch.arange(12))
    assert abs(float(plain[0, 0] - plain[11, 0])) < 0.7


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_scale_of_vectors_changes_nothing(scale):
    data, matrix = triples(), np.random.default_rng(2).normal(size=(9, 4))
    given = {"modalities": ("text",), "use_fields": False}
    one, other = (
        solved(of_texts(values), data, **given).score_all_items(torch.arange(12))
        for values in (matrix, scale * matrix)
    )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_test_ratings_change_nothing(planted, split, inputs):
    changed = planted.ratings.copy()
    changed.loc[split.test, "rating"] = planted.scale.low
    scores = []
    for ratings in (planted.ratings, changed):
        model = build_model("content-bias", ContentBiasConfig(), inputs, 0)
        fit(model, replace(planted, ratings=ratings), split, TrainingConfig(), 0, CPU)
        scores.append(model.score_all_items(torch.arange(5)))
    assert torch.equal(*scores)
