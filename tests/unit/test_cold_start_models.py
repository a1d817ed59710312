"""Means, ridges and neighbours for items with few ratings, by hand and by independent code; what
stands in for embeddings that nothing has trained."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from bonmf_lib.encoders import Features
from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.models import Interactions, ModelInputs, build_model
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.models.rating.bonmf_stand_in import STAND_INS, BoNMFStandInConfig
from bonmf_lib.models.rating.content_neighbours import ContentNeighboursConfig
from bonmf_lib.models.rating.content_ridge import ContentRidgeConfig
from bonmf_lib.models.rating.genre_mean import GenreMeanConfig
from bonmf_lib.models.rating.item_mean import ItemMeanConfig

USERS, ITEMS, COLD = 12, 30, (27, 28, 29)  # the last items are never rated


def features(dim: int = 4, seed: int = 0) -> Features:
    matrix = np.random.default_rng(seed).standard_normal((ITEMS, dim)).astype(np.float32)
    return Features(matrix, np.ones(ITEMS, bool), "by hand", "1", f"key{seed}")


@pytest.fixture
def rated():
    """Users, items (none of them cold) and ratings."""
    draw = np.random.default_rng(1)
    users, items = np.divmod(draw.permutation(USERS * (ITEMS - 3))[:150], ITEMS - 3)
    return users, items, draw.uniform(1, 5, 150).astype(np.float32)


def inputs_of(rated, **more) -> ModelInputs:
    users, items, ratings = rated
    known = Interactions(users, items, ratings)
    values = {"text": features(), "image": features(3, 5), "interactions": known} | more
    return ModelInputs(USERS, ITEMS, float(ratings.mean()), **values)


def solved(name, config, rated, **more):
    model = build_model(name, config, inputs_of(rated, **more), 0)
    model.solve(*(torch.from_numpy(np.asarray(part)) for part in rated))
    return model.eval()


def predicted(model, user: int, items) -> np.ndarray:
    items = torch.as_tensor(items)
    return model(torch.full_like(items, user), items).numpy()


def test_item_means_are_shrunk_by_hand():
    rated = np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([5.0, 4.0, 3.0], np.float32)
    model = solved("item-mean", ItemMeanConfig(shrinkage=2.0), rated)
    assert predicted(model, 0, [0, 1, 2]) == pytest.approx([4 + 1 / 4, 4 - 1 / 3, 4])


def test_genre_means_are_shared_by_items_that_have_several():
    genres = np.zeros((ITEMS, 2), np.float32)
    genres[0] = 1, 0
    genres[1] = 0.5, 0.5
    genres[2] = 0, 1
    rated = np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([5.0, 4.0, 3.0], np.float32)
    config = GenreMeanConfig(shrinkage=1.0)
    model = solved("genre-mean", config, rated, item_fields={"genres": genres})
    first, second = (1 + 0 - 0.5) / (2.5 + 1), -0.5 / (0.5 + 1)
    both = 4 + (first + second) / 2
    assert predicted(model, 0, [0, 1, 2, 5]) == pytest.approx([4 + first, both, 4 + second, 4])
    off = GenreMeanConfig(use_fields=False)
    plain = solved("genre-mean", off, rated)  # rows that read no fields are given none
    assert predicted(plain, 0, [0, 1]) == pytest.approx([4, 4])
    with pytest.raises(ModelError, match="no item has a genre"):
        solved("genre-mean", config, rated)


def planted_by_content(noise: float = 0.0):
    """Ratings that user biases and content decide, and the truth of all items."""
    draw, x = np.random.default_rng(2), features().standardized().astype(np.float64)
    item = x @ np.array([0.5, -0.3, 0.2, 0.0])
    user = draw.normal(0, 0.3, USERS)
    users, items = np.divmod(np.arange(USERS * (ITEMS - 3)), ITEMS - 3)
    ratings = 3 + user[users] + item[items] + noise * draw.standard_normal(len(users))
    return (users, items, ratings.astype(np.float32)), 3 + user[:, None] + item[None]


@pytest.mark.parametrize("item_bias", [False, True])
def test_a_ridge_finds_what_content_decides_also_of_items_without_ratings(item_bias):
    rated, truth = planted_by_content()
    config = ContentRidgeConfig(modalities=("text",), item_bias=item_bias, shrinkage=0.01)
    model = solved("content-ridge", config, rated)
    for user in (0, 7):
        assert predicted(model, user, list(COLD)) == pytest.approx(truth[user, list(COLD)], abs=0.1)


def test_the_ridge_is_the_one_of_scikit_learn_on_items_means(rated):
    """With users that are as good as equal: weights n / (n + lambda) and the alpha it chose."""
    _users, items, ratings = rated
    config = ContentRidgeConfig(modalities=("text", "image"), shrinkage=1e9, sweeps=1)
    model = solved("content-ridge", config, rated)
    counts = np.bincount(items, minlength=ITEMS)
    means = np.bincount(items, ratings - ratings.mean(), minlength=ITEMS) / counts.clip(1)
    x = np.concatenate([features().standardized(), features(3, 5).standardized()], axis=1)
    seen = counts > 0
    closest = np.inf
    for alpha in np.logspace(0, 6, 13):
        fit = Ridge(alpha).fit(x[seen], means[seen], sample_weight=counts[seen] / 1e9)
        own = x @ fit.coef_ + ratings.mean()
        off = np.abs(own - predicted(model, 0, np.arange(ITEMS))).max()
        closest = min(closest, off)
    assert closest < 1e-3


def test_own_ratings_move_an_item_away_from_its_content(rated):
    users, items, ratings = rated
    far = ratings.copy()
    far[items == 3] = 5.0
    rows = {}
    for item_bias in (False, True):
        config = ContentRidgeConfig(modalities=("text",), item_bias=item_bias)
        rows[item_bias] = predicted(solved("content-ridge", config, (users, items, far)), 0, [3])
    assert rows[True] > rows[False]


def reference_neighbours(rated, k, shrinkage, damping, biases):
    """Equation by equation, in loops."""
    _users, items, _ratings = rated
    mean, user_bias, item_bias = biases
    x = features().standardized()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine, counts = x @ x.T, np.bincount(items, minlength=ITEMS)
    known = {(u, i): r for u, i, r in zip(*rated, strict=True)}
    out, mean_item = np.zeros((USERS, ITEMS)), item_bias[counts > 0].mean()
    for i in range(ITEMS):
        others = [j for j in range(ITEMS) if j != i and counts[j]]
        near = sorted(others, key=lambda j: -cosine[i, j])[:k]
        near = [j for j in near if cosine[i, j] > 0]
        weight = sum(cosine[i, j] for j in near)
        usual = sum(cosine[i, j] * (item_bias[j] - mean_item) for j in near) / weight
        own = sum(known[u, i] - mean - user_bias[u] for u in range(USERS) if (u, i) in known)
        start = (own + shrinkage * usual) / (counts[i] + shrinkage)
        for u in range(USERS):
            said = [j for j in near if (u, j) in known]
            up = sum(
                cosine[i, j] * (known[u, j] - mean - user_bias[u] - item_bias[j]) for j in said
            )
            down = sum(cosine[i, j] for j in said) + damping
            out[u, i] = mean + user_bias[u] + start + up / down
    return out


def test_neighbours_are_those_of_the_equation(rated):
    config = ContentNeighboursConfig(neighbours=6, shrinkage=2.0, damping=0.5)
    model = solved("content-neighbours", config, rated)
    own = model.biases
    biases = float(own.mean), own.user_bias.numpy(), own.item_bias.numpy()
    expected = reference_neighbours(rated, 6, 2.0, 0.5, biases)
    with torch.no_grad():
        found = model.score_all_items(torch.arange(USERS)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("config", [ContentRidgeConfig, ContentNeighboursConfig])
def test_content_is_needed(rated, config):
    name = {ContentRidgeConfig: "content-ridge"}.get(config, "content-neighbours")
    with pytest.raises(ConfigError, match="name at least one"):
        solved(name, config(modalities=()), rated)
    with pytest.raises(ModelError, match="got no text features"):
        solved(name, config(modalities=("text",)), rated, text=None)


# Stand-ins


def stand_in(rated, **values):
    config = BoNMFStandInConfig(**values)
    return build_model("bonmf-stand-in", config, inputs_of(rated), 0)


def test_unseen_items_have_the_stand_in_and_seen_ones_their_own_embedding(rated):
    seen = np.setdiff1d(np.unique(rated[1]), COLD)
    for name in STAND_INS:
        model = stand_in(rated, stand_in=name).eval()
        own = model.item_embedding.weight.detach()
        rows = model.id_rows("item", None).detach()
        assert torch.equal(rows[seen], own[seen])
        expected = {"random": own[list(COLD)], "zero": torch.zeros(3, 50),
                    "mean": own[seen].mean(0).expand(3, -1)}[name]  # fmt: skip
        torch.testing.assert_close(rows[list(COLD)], expected)


def test_untrained_random_stand_ins_are_bonmf(rated):
    plain = build_model("bonmf", BoNMFConfig(), inputs_of(rated), 0).eval()
    model = stand_in(rated, stand_in="random", id_dropout=0.0).eval()
    users = torch.arange(USERS)
    with torch.no_grad():
        torch.testing.assert_close(model.score_all_items(users), plain.score_all_items(users))


@pytest.mark.parametrize("name", STAND_INS)
def test_ids_are_dropped_in_training_as_often_as_asked(rated, name):
    model = stand_in(rated, stand_in=name, id_dropout=0.3).train()
    own = model.user_embedding.weight
    ids = torch.arange(USERS).repeat(2000)
    rows = model.id_rows("user", ids)
    changed = (rows != own[ids]).any(1).float().mean()
    assert float(changed) == pytest.approx(0.3, abs=0.02)
    rows.sum().backward()  # kept rows are trained; the mean trains none
    share = own.grad / 2000
    assert float(share.mean()) == pytest.approx(0.7, abs=0.02)


def test_stand_ins_are_of_ids():
    empty = ModelInputs(3, 3, 3.0)
    with pytest.raises(ConfigError, match="use_ids must be on"):
        build_model("bonmf-stand-in", BoNMFStandInConfig(use_ids=False, modalities=(),
                    use_demographics=True), ModelInputs(3, 3, 3.0, user_fields={
                        "gender": np.ones((3, 1), np.float32)}), 0)  # fmt: skip
    with pytest.raises(ModelError, match="pass interactions"):
        build_model("bonmf-stand-in", BoNMFStandInConfig(modalities=()), empty, 0)
