"""How much two modalities say the same, and how to take it out.

Measures compare two matrices x (n, p) and y (n, q) whose rows are the same items: float arrays
without missing values. They ignore the means of columns and the order of items, and are symmetric
unless they say otherwise. Closer to 1 = the same, 0 = nothing in common, up to the chance level
that the docstring names.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import RidgeCV
from sklearn.metrics import pairwise_distances
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from ..encoders import Features
from ..errors import OverlapError
from ..storage import json_sha256

NOTHING_LEFT = 0.01  # share of a column's variance
# penalties that ridge regressions choose from, on the scale of standardised columns
ALPHAS = np.logspace(-1, 6, 15)


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Centred kernel alignment of linear kernels (Kornblith et al., 2019, eq. 4), debiased; in
    about [0, 1].

    HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))  with K = x x^T, L = y y^T and the unbiased HSIC of
    Song et al. (2012, eq. 5), so that independent inputs have mean 0 however many columns they
    have. 1 for inputs that are equal up to rotation, shift and scale.
    """
    x, y = _checked(x, y, least=4)
    kernels = [matrix @ matrix.T for matrix in (x, y)]
    cross, *own = (
        _unbiased_hsic(a, b)
        for a, b in ((kernels[0], kernels[1]), *zip(kernels, kernels, strict=True))
    )
    return float(cross / np.sqrt(own[0] * own[1]))


def _unbiased_hsic(k: np.ndarray, l: np.ndarray) -> float:  # noqa: E741 - the paper's names
    """Song et al. (2012), eq. 5: (n, n), (n, n) -> scalar."""
    n = len(k)
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    trace = (
        np.sum(k * l)
        + k.sum() * l.sum() / ((n - 1) * (n - 2))
        - 2 * (k.sum(0) @ l.sum(0)) / (n - 2)
    )
    return float(trace / (n * (n - 3)))


def canonical_correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Canonical correlations (min(p, q),), falling, with shrunk covariances; each in [0, 1].

    Hotelling (1936): the singular values of  S_xx^-1/2 S_xy S_yy^-1/2.  S of the joint matrix
    is shrunk towards a multiple of the identity as Ledoit & Wolf (2004) choose, which keeps them
    below 1 when columns are as many as items.
    """
    x, y = _checked(x, y)
    joint = StandardScaler().fit_transform(np.concatenate([x, y], axis=1))
    covariance = LedoitWolf().fit(joint).covariance_
    p = x.shape[1]
    left, right = (np.linalg.cholesky(block) for block in (covariance[:p, :p], covariance[p:, p:]))
    whitened = solve_triangular(left, covariance[:p, p:], lower=True)
    whitened = solve_triangular(right, whitened.T, lower=True)
    return np.linalg.svd(whitened, compute_uv=False).clip(0, 1)


def shrunk_cca(x: np.ndarray, y: np.ndarray) -> float:
    """Mean squared :func:`canonical_correlations`, in [0, 1]; shrinkage keeps it somewhat below 1
    for equal inputs."""
    return float(np.mean(canonical_correlations(x, y) ** 2))


def svcca(x: np.ndarray, y: np.ndarray, variance: float = 0.99) -> float:
    """Mean canonical correlation of the principal components that hold a share of the variance
    (Raghu et al., 2017, section 2), with shrinkage; in [0, 1], somewhat below 1 for equal inputs.
    """
    x, y = _checked(x, y)
    return float(np.mean(canonical_correlations(_principal(x, variance), _principal(y, variance))))


def _principal(x: np.ndarray, variance: float) -> np.ndarray:
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    share = np.cumsum(values**2) / np.sum(values**2)
    return (left * values)[:, : int(np.searchsorted(share, variance)) + 1]


def mutual_knn(x: np.ndarray, y: np.ndarray, k: int = 10) -> float:
    """Mean share of an item's k nearest neighbours (Euclidean) that both matrices agree on (Huh et
    al., 2024, eq. 11 of the appendix); in [0, 1], by chance k / (n - 1)."""
    x, y = _checked(x, y, least=k + 2)
    near = []
    for matrix in (x, y):
        distance = pairwise_distances(matrix)
        np.fill_diagonal(distance, np.inf)
        near.append(np.argsort(distance, axis=1, kind="stable")[:, :k])
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)]))


def ridge_r2(x: np.ndarray, y: np.ndarray, folds: int = 5) -> float:
    """Share of the variance of y's principal directions that x predicts on held-out items; not
    symmetric.

    Cross-validated ridge regression on standardised columns, the penalty chosen inside each
    training part; 1 - sum (y - y^)^2 / sum (y - mean)^2 over all columns (Kornblith et al., 2019,
    table 1, held out). At most 1; about 0, or a little below, for independent inputs.
    """
    x, y = _checked(x, y, least=2 * folds)
    x, y = (StandardScaler().fit_transform(matrix) for matrix in (x, y))
    predicted = cross_val_predict(
        RidgeCV(ALPHAS), x, y, cv=KFold(folds, shuffle=True, random_state=0)
    )
    return float(1 - np.sum((y - predicted) ** 2) / np.sum(y**2))


def mutual_r2(x: np.ndarray, y: np.ndarray) -> float:
    """Mean of :func:`ridge_r2` in both directions."""
    return (ridge_r2(x, y) + ridge_r2(y, x)) / 2


@dataclass(frozen=True)
class Dependence:
    """Result of an independence test.

    Attributes:
        alignment: kernel alignment, in [0, 1].
        p_value: share of permutations (itself included) at least as dependent.
    """

    alignment: float
    p_value: float


def hsic_test(x: np.ndarray, y: np.ndarray, permutations: int = 200, seed: int = 0) -> Dependence:
    """Independence test with Gaussian kernels of median bandwidth (Gretton et al., 2005; 2008,
    section 3).

    The biased HSIC, tr(K H L H) / (n - 1)^2, is compared with its values after random permutations
    of y's items. The alignment is HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)); it is above 0 for
    independent inputs, its p-value is not biased by that.
    """
    x, y = _checked(x, y)
    k, l = (_centred_gaussian(matrix) for matrix in (x, y))  # noqa: E741
    found = np.vdot(k, l)
    random = np.random.default_rng(seed)
    orders = (random.permutation(len(y)) for _ in range(permutations))
    as_dependent = sum(np.vdot(k, l[np.ix_(order, order)]) >= found for order in orders)
    alignment = found / np.sqrt(np.sum(k * k) * np.sum(l * l))
    return Dependence(float(alignment), (1 + int(as_dependent)) / (1 + permutations))


def hsic_alignment(x: np.ndarray, y: np.ndarray) -> float:
    """Alignment of :func:`hsic_test`, without the test."""
    return hsic_test(x, y, permutations=0).alignment


def _centred_gaussian(x: np.ndarray) -> np.ndarray:
    squares = pairwise_distances(x, metric="sqeuclidean")
    bandwidth = np.median(squares[np.triu_indices(len(x), 1)])
    kernel = np.exp(-squares / max(bandwidth, np.finfo(float).tiny))
    kernel = kernel - kernel.mean(0)
    return kernel - kernel.mean(1, keepdims=True)


@dataclass(frozen=True)
class InformationShares:
    """How two inputs share what they tell of a third thing, in the unit of the losses; the four sum
    to the gain of both inputs together. Synergy may be negative: then the pair does worse than the
    better input alone."""

    redundant: float
    unique_x: float
    unique_y: float
    synergy: float

    @property
    def co_information(self) -> float:
        """Gain of x + gain of y - gain of both: redundancy less synergy (McGill, 1954, interaction
        information)."""
        return self.redundant - self.synergy


def information_shares(none: float, x: float, y: float, both: float) -> InformationShares:
    """Decompose the gain of two inputs (Williams & Beer, 2010, figure 2), losses standing in for
    information.

    Redundancy is the smaller of the single gains (minimum mutual information; Barrett, 2015, eq.
    9), the largest that both could share: two inputs that tell equally much of different things
    count as redundant and synergetic. Where gains of different things add up,
    :attr:`InformationShares.co_information` is nearer to what both really share.

    Args:
        none, x, y, both: a loss, lower is better, of a model on no input, on one, and on both.
    """
    gain_x, gain_y = none - x, none - y
    redundant = min(gain_x, gain_y)
    return InformationShares(
        redundant, gain_x - redundant, gain_y - redundant, none - both - max(gain_x, gain_y)
    )


def residual(features: Features, given: Features, rows: np.ndarray) -> Features:
    """What ``given`` does not predict of the standardised features: ridge residuals, same shape and
    mask. A column of which hardly anything is left becomes zero, since models would blow its rest
    up to unit variance.

    Predictions are cross-validated for the items that are learned from, so that theirs are as good
    as the others'.

    Args:
        rows: items (N,) that the ridge regression may learn from, for instance those with training
            ratings; of them, items that have both are used. Items without ``given`` keep their
            standardised features.
    """
    y, predicted, both, learn = _ridge_predictions(features, given, rows)
    matrix = y.copy()
    matrix[both] -= predicted[both]
    matrix[:, matrix[learn].var(axis=0) < NOTHING_LEFT * y[learn].var(axis=0)] = 0
    key = json_sha256([features.key, given.key, np.unique(rows).tolist()])
    name = f"{features.encoder} without {given.encoder}"
    return replace(features, matrix=matrix, encoder=name, key=key, neighbours=None)


def item_overlap(features: Features, given: Features, rows: np.ndarray) -> np.ndarray:
    """How near each item's standardised features are to what ``given`` predicts of them, (items,);
    NaN without both.

    The cosine of y_i and its ridge prediction y^_i, in [-1, 1]: 1 = predicted in all directions
    alike, 0 = unrelated. Predictions are cross-validated for the items in ``rows``, and made from
    all of ``rows`` for the others.

    Args:
        rows: items (N,) that the regression may learn from.
    """
    y, predicted, _, _ = _ridge_predictions(features, given, rows)
    norms = np.linalg.norm(y, axis=1) * np.linalg.norm(predicted, axis=1)
    return np.sum(y * predicted, axis=1) / np.maximum(norms, np.finfo(np.float32).tiny)


def _ridge_predictions(
    features: Features, given: Features, rows: np.ndarray, folds: int = 5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Standardised features, their ridge predictions from ``given`` (NaN without both), which items
    have both, and which of these were learned from: these have cross-validated predictions, if they
    are enough for that."""
    both = features.present & given.present
    learn = np.intersect1d(rows, np.flatnonzero(both))
    if len(learn) < 3:
        raise OverlapError(
            f"{len(learn)} items have both modalities; too few to predict one from the other."
        )
    x, y = given.standardized(), features.standardized()
    predicted = np.full_like(y, np.nan)
    predicted[both] = RidgeCV(ALPHAS).fit(x[learn], y[learn]).predict(x[both])
    if len(learn) >= 2 * folds:
        order = KFold(folds, shuffle=True, random_state=0)
        predicted[learn] = cross_val_predict(RidgeCV(ALPHAS), x[learn], y[learn], cv=order)
    return y, predicted, both, learn


def _checked(x: np.ndarray, y: np.ndarray, least: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 with centred columns."""
    for name, matrix in (("x", x), ("y", y)):
        if matrix.ndim != 2 or not np.isfinite(matrix).all():
            raise OverlapError(f"{name} must be a matrix of finite numbers, items by columns.")
    if len(x) != len(y):
        raise OverlapError(f"x has {len(x)} items and y has {len(y)}; rows must be the same items.")
    if len(x) < least:
        raise OverlapError(f"{len(x)} items are too few, {least} are needed.")
    out = tuple(
        np.asarray(matrix, np.float64) - matrix.mean(axis=0, dtype=np.float64) for matrix in (x, y)
    )
    for name, matrix in zip("xy", out, strict=True):
        if not matrix.any():
            raise OverlapError(f"All items have the same {name}; overlap is not defined.")
    return out


ESTIMATORS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "linear CKA": linear_cka,
    "shrunk CCA": shrunk_cca,
    "SVCCA": svcca,
    "mutual kNN": mutual_knn,
    "ridge R2": mutual_r2,
    "HSIC alignment": hsic_alignment,
}
