"""What scale features have when a model reads them: a choice that decides how much of them it
hears.

An encoder gives vectors of its own length (a MiniLM vector is about 2 long, an ID embedding at the
start 0.4); the same vector standardised column by column is about 20 long. What is fitted (means,
deviations, components) is fitted on the features of all items, test items included; it never sees a
rating.
"""

from typing import Literal, get_args

import numpy as np
from sklearn.decomposition import PCA

from .features import Features

# native: what the encoder gives, the plain reading of "concatenated". unit: each vector at length
# 1. standardised: each column at mean 0 and variance 1. whitened: principal components, each at
# variance 1. layer norm: native rows at mean 0 and variance 1, times a learned scale, plus a
# learned shift (Ba et al., 2016, eq. 4; the model's part).
Preparation = Literal["native", "unit", "standardised", "whitened", "layer norm"]
PREPARATIONS: tuple[str, ...] = get_args(Preparation)
_NO_VARIANCE = 1e-6  # components with less of the first one's variance are rounding, not features


def prepared(features: Features, preparation: Preparation) -> np.ndarray:
    """The matrix as a model reads it, float32 (items, dim; whitened ones may be fewer columns);
    missing rows are 0."""
    out = prepare(features, features.matrix, preparation)
    out[~features.present] = 0.0
    return out


def prepare(features: Features, rows: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Other rows (N, dim), as the present items' are: with their means, deviations and components.
    Regions are prepared each by itself where rows count (unit, whitened), by their place where
    columns do (standardised)."""
    if preparation == "standardised":
        return features.standardize(rows)
    if preparation in ("native", "layer norm"):
        return rows.astype(np.float32)
    size = features.dim // features.regions
    parts = rows.reshape(-1, size).astype(np.float64)  # one row per region
    if preparation == "unit":
        lengths = np.linalg.norm(parts, axis=1, keepdims=True)
        parts /= np.where(lengths > 0, lengths, 1.0)
    else:
        parts = _whiten(
            features.matrix[features.present].reshape(-1, size).astype(np.float64), parts
        )
    return parts.reshape(len(rows), -1).astype(np.float32)


def _whiten(seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of one row, or of equal ones, nothing is left
        pca = PCA(svd_solver="full").fit(seen)
    variance = pca.explained_variance_
    kept = variance > _NO_VARIANCE * max(variance[0], 1e-12)
    return (rows - pca.mean_) @ pca.components_[kept].T / np.sqrt(variance[kept])
