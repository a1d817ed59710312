"""SVD, biased SVD and SVD++ against numpy, scikit-learn, scikit-surprise and small cases by
hand."""

import dataclasses

import numpy as np
import pytest
import surprise
import torch
from sklearn.decomposition import TruncatedSVD

from bonmf_lib.datasets import load_dataset
from bonmf_lib.errors import ModelError
from bonmf_lib.models import Interactions, ModelInputs, build_model, get_model
from bonmf_lib.models.layers import SparseRows
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.models.rating.svd import SVDConfig
from bonmf_lib.models.rating.svdpp import SVDppConfig
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit, predict
from tests.conftest import CPU

CENTRES = ["none", "global", "user", "item"]


# Truncated SVD


@pytest.fixture(scope="module")
def ratings() -> np.ndarray:
    """12 users by 9 items, NaN where unknown; user 3 and item 5 have no rating at all."""
    random = np.random.default_rng(0)
    table = random.integers(1, 6, (12, 9)).astype(np.float64)
    table[random.random(table.shape) < 0.4] = np.nan
    table[3], table[:, 5] = np.nan, np.nan
    return table


def centres_of(ratings: np.ndarray, centre: str) -> np.ndarray:
    """What stands for an unknown rating, per cell."""
    mean = np.nanmean(ratings)
    if centre == "none":
        return np.zeros_like(ratings)
    if centre == "global":
        return np.full_like(ratings, mean)
    out = np.empty_like(ratings)
    for cell in np.ndindex(ratings.shape):
        line = ratings[cell[0]] if centre == "user" else ratings[:, cell[1]]
        known = line[~np.isnan(line)]
        out[cell] = known.mean() if len(known) else mean
    return out


def solved_svd(ratings: np.ndarray, factors: int, centre: str) -> np.ndarray:
    """Our predictions for every cell."""
    users, items = np.nonzero(~np.isnan(ratings))
    known = torch.from_numpy(ratings[users, items].astype(np.float32))
    inputs = ModelInputs(*ratings.shape, mean_rating=float(known.mean()))
    model = build_model("svd", SVDConfig(factors=factors, centre=centre), inputs, seed=0)
    model.solve(torch.from_numpy(users), torch.from_numpy(items), known)
    return model.score_all_items(torch.arange(len(ratings))).numpy()


@pytest.mark.parametrize("factors", [1, 3, 8])
@pytest.mark.parametrize("centre", CENTRES)
def test_truncated_svd_equals_numpy_on_the_filled_matrix(ratings, factors, centre):
    centres = centres_of(ratings, centre)
    filled = np.where(np.isnan(ratings), centres, ratings)
    left, values, right = np.linalg.svd(filled - centres)
    expected = centres + left[:, :factors] * values[:factors] @ right[:factors]
    np.testing.assert_allclose(solved_svd(ratings, factors, centre), expected, atol=1e-5)


def test_truncated_svd_equals_scikit_learn(ratings):
    filled = np.nan_to_num(ratings, nan=0.0)
    reference = TruncatedSVD(n_components=3, algorithm="randomized", n_iter=30, random_state=0)
    expected = reference.fit_transform(filled) @ reference.components_
    np.testing.assert_allclose(solved_svd(ratings, 3, "none"), expected, atol=1e-4)


def test_too_many_factors_are_cut_to_what_the_matrix_has(ratings):
    np.testing.assert_array_equal(solved_svd(ratings, 100, "user"), solved_svd(ratings, 8, "user"))


# The factorisations' formulas, with the parameters that scikit-surprise learned


def surprise_trainset(dataset, rows) -> surprise.Trainset:
    table = dataset.ratings.iloc[rows][["user", "item", "rating"]]
    scale = surprise.Reader(rating_scale=(dataset.scale.low, dataset.scale.high))
    return surprise.Dataset.load_from_df(table, scale).build_full_trainset()


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("biased-svd", surprise.SVD(n_factors=7, n_epochs=5, init_std_dev=0.3, random_state=0)),
        ("svd++", surprise.SVDpp(n_factors=7, n_epochs=3, init_std_dev=0.3, random_state=0)),
    ],
)
def test_predictions_equal_scikit_surprises_with_its_parameters(
    planted, split, inputs, name, algorithm
):
    trainset = surprise_trainset(planted, split.train)
    algorithm.fit(trainset)
    config = get_model(name).config(factors=7)
    model = build_model(
        name, config, dataclasses.replace(inputs, mean_rating=trainset.global_mean), seed=0
    )
    raw_users = [trainset.to_raw_uid(inner) for inner in trainset.all_users()]
    raw_items = [trainset.to_raw_iid(inner) for inner in trainset.all_items()]
    # every id has a row of its own
    assert (len(raw_users), len(raw_items)) == (
        inputs.n_users,
        inputs.n_items,
    )
    with torch.no_grad():
        model.user_factors.weight[raw_users] = torch.from_numpy(algorithm.pu).float()
        model.item_factors.weight[raw_items] = torch.from_numpy(algorithm.qi).float()
        model.user_bias[raw_users] = torch.from_numpy(algorithm.bu).float()
        model.item_bias[raw_items] = torch.from_numpy(algorithm.bi).float()
        if name == "svd++":
            model.implicit_factors.weight[raw_items] = torch.from_numpy(algorithm.yj).float()
    test = Triples.of(planted, split.test, CPU)
    pairs = zip(test.users.tolist(), test.items.tolist(), strict=True)
    expected = [algorithm.predict(user, item, clip=False).est for user, item in pairs]
    np.testing.assert_allclose(predict(model, test.users, test.items).numpy(), expected, atol=1e-5)


# Accuracy


@pytest.fixture(scope="module")
def movielens():
    data = load_dataset("ml-100k", "packaged")
    split = Ratio().split(data, 0, valid=0.1)
    train = data.ratings.iloc[split.train]
    parts = (train[name].to_numpy() for name in ("user", "item", "rating"))
    mean = float(train["rating"].mean())
    return (
        data,
        split,
        ModelInputs(data.n_users, data.n_items, mean, interactions=Interactions(*parts)),
    )


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("biased-svd", surprise.SVD(random_state=0)),
        ("svd++", surprise.SVDpp(random_state=0, cache_ratings=True)),
    ],
)
def test_not_worse_than_scikit_surprise_on_ml_100k(movielens, name, reference):
    """Same training rows; ours stops early on validation ratings, scikit-surprise has its
    defaults."""
    data, split, inputs = movielens
    reference.fit(surprise_trainset(data, split.train))
    rows = data.ratings.iloc[split.test]
    theirs = [
        reference.predict(user, item).est
        for user, item in zip(rows["user"], rows["item"], strict=True)
    ]
    model = build_model(name, get_model(name).config(), inputs, seed=0)
    settings = TrainingConfig(epochs=30, batch_size=1024, learning_rate=3e-3, patience=3)
    history = fit(model, data, split, settings, 0, CPU)
    assert len(history.train_loss) < settings.epochs  # it did stop early
    test = Triples.of(data, split.test, CPU)
    ours = predict(model, test.users, test.items).clip(data.scale.low, data.scale.high).numpy()
    truth = rows["rating"].to_numpy()
    assert np.mean((ours - truth) ** 2) < np.mean((theirs - truth) ** 2) + 0.02


# SVD++'s two paths, its penalty, its inputs


def shaken(name, inputs, **values):
    """A model none of whose parameters is at a special value."""
    model = build_model(name, get_model(name).config(**values), inputs, seed=0)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw) * 0.3)
    return model


@pytest.fixture
def bare() -> ModelInputs:
    """Three users, three items; user 0 rated items 0 and 1, user 1 item 2, user 2 nothing. In no
    order."""
    rated = Interactions(np.array([0, 1, 0]), np.array([1, 2, 0]), np.float32([5, 1, 3]))
    return ModelInputs(3, 3, 3.0, interactions=rated)


def test_svdpp_by_hand_with_a_user_who_rated_nothing(bare):
    model = shaken("svd++", bare, factors=2)
    p, q, y = (
        table.weight.detach()
        for table in (model.user_factors, model.item_factors, model.implicit_factors)
    )
    vectors = [p[0] + (y[0] + y[1]) / 2**0.5, p[1] + y[2], p[2]]
    biases = model.user_bias.detach().unsqueeze(1) + model.item_bias.detach()
    expected = 3.0 + biases + torch.stack(vectors) @ q.T
    torch.testing.assert_close(model.score_all_items(torch.arange(3)), expected)
    for batch in ([2], [1, 0], [0, 0]):  # below the table threshold
        users = torch.tensor(batch)
        torch.testing.assert_close(model(users, torch.ones_like(users)), expected[users, 1])


def test_svdpp_table_path_equals_row_path_in_values_penalty_and_gradients(inputs):
    draw = torch.Generator().manual_seed(0)
    users, items = (
        torch.randint(n, (600,), generator=draw) for n in (inputs.n_users, inputs.n_items)
    )
    results = []
    for size in (600, 50):  # of 200 users: all histories at once, or only the batch's
        model = shaken("svd++", inputs, regularisation=0.1)
        values, penalties = [], []
        for batch in zip(users.split(size), items.split(size), strict=True):
            values.append(model(*batch))
            penalties.append(model.penalty(*batch) * size / 600)
            (values[-1].square().sum() / 600 + penalties[-1]).backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        results.append((torch.cat(values), torch.stack(penalties).sum(), gradients))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1])
    assert results[0][2].keys() == results[1][2].keys() >= {"implicit_factors.weight"}
    for name, gradient in results[0][2].items():
        assert gradient.any()
        torch.testing.assert_close(gradient, results[1][2][name], atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("name", ["biased-svd", "svd++"])
def test_penalty_by_hand(bare, name):
    model = build_model(name, get_model(name).config(factors=2, regularisation=0.1), bare, seed=0)
    with torch.no_grad():
        model.user_factors.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]))
        model.item_factors.weight.copy_(torch.tensor([[0.0, 1.0], [2.0, 2.0], [1.0, 0.0]]))
        model.user_bias.copy_(torch.tensor([0.5, 1.0, 2.0]))
        model.item_bias.copy_(torch.tensor([2.0, 0.0, 1.0]))
        if name == "svd++":
            model.implicit_factors.weight.copy_(torch.tensor([[1.0, 1.0], [0.0, 2.0], [3.0, 0.0]]))
    # users: 1 + 4 + 0.25 = 5.25, 9 + 1 = 10, 0 + 4 = 4; items: 1 + 4 = 5, 4 + 4 = 8, 1 + 1 = 2
    users, items = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 1, 1, 2])
    rows = np.array([5.25 + 5, 10 + 8, 4 + 8, 5.25 + 2])
    if name == "svd++":  # histories: (2 + 4) / 2 = 3, 9 / 1 = 9, nothing
        rows += [3, 9, 0, 3]
    # through the table
    assert model.penalty(users, items).item() == pytest.approx(0.1 * rows.mean())
    for row in range(4):
        one = slice(row, row + 1)
        assert model.penalty(users[one], items[one]).item() == pytest.approx(0.1 * rows[row])


def test_svdpp_needs_the_training_ratings(inputs):
    with pytest.raises(ModelError, match="pass them as interactions"):
        build_model("svd++", SVDppConfig(), dataclasses.replace(inputs, interactions=None), seed=0)
    build_model(
        "biased-svd", BiasedSVDConfig(), dataclasses.replace(inputs, interactions=None), seed=0
    )


def test_sparse_rows_equal_the_dense_product_and_its_gradient():
    draw = torch.Generator().manual_seed(0)
    # row 2 has column 1 twice
    rows, columns = (
        torch.tensor([0, 4, 2, 0, 2, 4]),
        torch.tensor([3, 0, 1, 1, 1, 2]),
    )
    values = torch.randn(6, generator=draw)
    dense = torch.zeros(5, 4).index_put((rows, columns), values, accumulate=True)
    table = torch.randn(4, 3, generator=draw)
    upstream = torch.randn(5, 3, generator=draw)
    ours, theirs = table.clone().requires_grad_(), table.clone().requires_grad_()
    product = SparseRows(rows, columns, values, (5, 4))(ours)
    torch.testing.assert_close(product, dense @ theirs)
    product.backward(upstream)
    (dense @ theirs).backward(upstream)
    torch.testing.assert_close(ours.grad, theirs.grad)
    ours, theirs = upstream.clone().requires_grad_(), upstream.clone().requires_grad_()
    back = SparseRows(rows, columns, values, (5, 4)).transposed(ours)
    torch.testing.assert_close(back, dense.T @ theirs)
    back.backward(table)
    (dense.T @ theirs).backward(table)
    torch.testing.assert_close(ours.grad, theirs.grad)
