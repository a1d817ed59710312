"""Overlap measures against closed forms, other implementations, and planted data whose overlap is
known."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import ortho_group, spearmanr
from sklearn.neighbors import NearestNeighbors
from statsmodels.multivariate.cancorr import CanCorr

from bonmf_lib.datasets import load_planted
from bonmf_lib.encoders import Features, encode_items
from bonmf_lib.errors import OverlapError
from bonmf_lib.evaluation.overlap import (
    ESTIMATORS,
    canonical_correlations,
    hsic_test,
    information_shares,
    item_overlap,
    linear_cka,
    mutual_knn,
    residual,
    ridge_r2,
)

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 5))
INDEPENDENT = RANDOM.normal(size=(300, 7))
# shrinkage costs the two something
WHOLE = dict.fromkeys(ESTIMATORS, 0.999) | {
    "shrunk CCA": 0.85,
    "SVCCA": 0.9,
}
every = pytest.mark.parametrize("name", sorted(ESTIMATORS))


@every
def test_identical_inputs_overlap_wholly(name):
    assert WHOLE[name] <= ESTIMATORS[name](X, X) <= 1 + 1e-9


@every
def test_rotation_shift_and_scale_change_nothing(name):
    rotated = 3 * X @ ortho_group.rvs(5, random_state=0) + 7
    assert WHOLE[name] <= ESTIMATORS[name](X, rotated) <= 1 + 1e-9


CHANCE = {"mutual kNN": 10 / 299, "HSIC alignment": 0.05}  # what is not 0 for independent inputs


@every
def test_independent_inputs_are_at_chance(name):
    assert ESTIMATORS[name](X, INDEPENDENT) == pytest.approx(CHANCE.get(name, 0), abs=0.05)


@every
def test_order_of_items_and_of_arguments_do_not_matter(name):
    mixed = X[:, :3] @ RANDOM.normal(size=(3, 4)) + 0.5 * INDEPENDENT[:, :4]
    order = RANDOM.permutation(300)
    if name != "ridge R2":  # its folds follow the order of items
        assert ESTIMATORS[name](X[order], mixed[order]) == pytest.approx(
            ESTIMATORS[name](X, mixed), abs=1e-9
        )
    assert ESTIMATORS[name](mixed, X) == pytest.approx(ESTIMATORS[name](X, mixed), abs=1e-9)
    assert 0.05 < ESTIMATORS[name](X, mixed) < 0.95


def test_debiased_cka_by_the_definition_over_quadruples():
    """Song et al. (2012), eq. 2: the mean over all distinct i, j, q, r of k_ij (l_ij + l_qr - 2
    l_iq)."""
    x, y = X[:7, :2], X[:7, 1:4] + INDEPENDENT[:7, :3]

    def hsic(a, b):
        k, other = a @ a.T, b @ b.T
        terms = [
            k[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
            for i, j, q, r in permutations(range(7), 4)
        ]
        return np.mean(terms)

    expected = hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))
    assert linear_cka(x, y) == pytest.approx(expected, abs=1e-12)


def test_canonical_correlations_are_those_of_statsmodels_when_shrinkage_vanishes():
    x = np.random.default_rng(1).normal(size=(20_000, 3))
    y = x @ np.array([[1.0, 0], [0.5, 1], [0, 0.2]]) + np.random.default_rng(2).normal(
        size=(20_000, 2)
    )
    np.testing.assert_allclose(
        canonical_correlations(x, y), np.sort(CanCorr(y, x).cancorr)[::-1], atol=2e-3
    )


def test_mutual_neighbours_are_those_of_scikit_learn():
    y = X + 0.7 * INDEPENDENT[:, :5]
    near = [
        NearestNeighbors(n_neighbors=5).fit(matrix).kneighbors(return_distance=False)
        for matrix in (X, y)
    ]
    expected = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(*near, strict=True)])
    assert mutual_knn(X, y, k=5) == pytest.approx(expected)


def test_ridge_predicts_the_share_of_variance_that_was_planted():
    """y = x + noise of equal variance: half of it can be known; nothing of x's other half from y's
    copy alone."""
    x = np.random.default_rng(3).normal(size=(4000, 4))
    noise = np.random.default_rng(4).normal(size=(4000, 4))
    assert ridge_r2(x, x + noise) == pytest.approx(0.5, abs=0.03)
    assert ridge_r2(x[:, :2], x) == pytest.approx(0.5, abs=0.01)
    assert ridge_r2(x, x[:, :2]) == pytest.approx(1, abs=0.01)


def test_independence_test_sees_what_correlation_does_not():
    angle = np.random.default_rng(5).uniform(0, 2 * np.pi, 200)
    x, y = np.cos(angle)[:, None], np.sin(angle)[:, None]
    assert abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]) < 0.15
    assert hsic_test(x, y).p_value == pytest.approx(1 / 201)


def test_p_values_of_independent_inputs_are_uniform():
    random = np.random.default_rng(6)
    pairs = random.normal(size=(100, 2, 40, 2))
    found = [
        hsic_test(x, y, permutations=99, seed=seed).p_value for seed, (x, y) in enumerate(pairs)
    ]
    assert np.mean(np.array(found) <= 0.1) == pytest.approx(0.1, abs=0.09)
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


@every
def test_planted_overlap_is_ranked_as_it_was_planted(name):
    truth, found = [], []
    for seed in range(2):
        for shared in range(7):
            dataset, planted = load_planted(
                n_users=20, n_items=300, ratings_per_user=10, factors=6, shared=shared, seed=seed
            )
            features = (
                encode_items(dataset, "text", "tfidf"),
                encode_items(dataset, "image", "pixels"),
            )
            truth.append(planted.overlap)
            found.append(ESTIMATORS[name](*(matrix.standardized() for matrix in features)))
    assert spearmanr(truth, found)[0] >= 0.95


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((1.0, 0.6, 0.6, 0.6), (0.4, 0, 0, 0)),  # two copies
        # independent parts: MMI counts what both gain as shared
        (
            (1.0, 0.7, 0.8, 0.5),
            (0.2, 0.1, 0, 0.2),
        ),
        ((1.0, 1.0, 1.0, 0.0), (0, 0, 0, 1)),  # exclusive or
        ((1.0, 0.6, 1.0, 0.7), (0, 0.4, 0, -0.1)),  # the second input only hurts
    ],
)
def test_information_shares(losses, expected):
    found = information_shares(*losses)
    shares = (found.redundant, found.unique_x, found.unique_y, found.synergy)
    assert shares == pytest.approx(expected)
    assert sum(shares) == pytest.approx(losses[0] - losses[3])


def test_residual_holds_nothing_that_the_other_predicts():
    random = np.random.default_rng(7)
    shared, own = random.normal(size=(2, 600, 4))
    present = np.arange(600) != 5
    text = Features(np.float32(shared), np.ones(600, bool), "text", "1", "t")
    matrix = (
        np.float32(np.concatenate([shared @ random.normal(size=(4, 4)), own], 1)) * present[:, None]
    )
    image = Features(np.float32(matrix), present, "image", "1", "i")
    rest = residual(image, text, np.arange(300))
    later = np.arange(300, 600)  # not learned from
    assert ridge_r2(shared[later], image.standardized()[later]) > 0.4
    assert ridge_r2(shared[later], rest.matrix[later]) < 0.02
    assert ridge_r2(own[later], rest.matrix[later][:, 4:]) > 0.98
    assert not rest.matrix[5].any()
    assert rest.key != residual(image, text, later).key
    with pytest.raises(OverlapError, match="too few"):
        residual(image, text, np.array([5]))


def test_items_overlap_where_one_modality_predicts_the_other():
    random = np.random.default_rng(8)
    x, noise = random.normal(size=(2, 400, 5))
    told = np.arange(400) < 200  # the others' pictures have nothing to do with their texts
    y = np.where(told[:, None], x @ random.normal(size=(5, 5)), noise)
    y[7] = x[7] = 0
    present = np.arange(400) != 7
    text, image = (
        Features(np.float32(matrix), present, name, "1", name)
        for matrix, name in ((x, "t"), (y, "i"))
    )
    found = item_overlap(image, text, np.arange(50, 400))
    assert np.isnan(found[7]) and np.nanmax(np.abs(found)) <= 1 + 1e-6
    assert np.nanmean(found[told]) > 0.8 and abs(np.nanmean(found[~told])) < 0.1
    assert np.nanmean(found[:50]) > 0.8  # not learned from


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, X[:10], "same items"),
        (X[:2], X[:2], "too few"),
        (X[:, 0], X, "matrix of finite"),
        (np.full((300, 2), np.nan), X, "matrix of finite"),
        (np.ones((300, 2)), X, "All items have the same x"),
    ],
)
def test_bad_inputs(x, y, message):
    with pytest.raises(OverlapError, match=message):
        linear_cka(x, y)
