"""What features know: nearest neighbours and a linear genre probe."""

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon
from sklearn.linear_model import RidgeClassifierCV
from sklearn.manifold import TSNE
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..encoders import Features

_LEAST_POSITIVES = 20


def nearest_neighbours(features: Features, item: int, most: int = 5) -> pd.DataFrame:
    """The items whose standardised features have the highest cosine similarity to the item's.

    Returns:
        columns item and similarity in [-1, 1], best first, without the item itself and without
        missing items.
    """
    return nearest(similarities(features, item), most)


def similarities(features: Features, item: int) -> np.ndarray:
    """Cosine similarity of every item's standardised features to one item's, (items,); -infinity of
    the item itself and of missing items."""
    matrix = features.standardized()
    norms = np.linalg.norm(matrix, axis=1)
    norms[norms == 0] = 1.0
    similarity = matrix @ matrix[item] / (norms * norms[item])
    similarity[~features.present] = -np.inf
    similarity[item] = -np.inf
    return similarity


def nearest(similarity: np.ndarray, most: int = 5) -> pd.DataFrame:
    """The items of the highest similarity as :func:`nearest_neighbours` gives them; those at
    -infinity are left out."""
    best = np.argsort(-similarity, kind="stable")[:most]
    best = best[np.isfinite(similarity[best])]
    return pd.DataFrame({"item": best, "similarity": similarity[best]})


def genre_probe(features: dict[str, Features], genres: pd.Series, seed: int = 0) -> pd.DataFrame:
    """How well a linear model reads each genre from features, against a random control of the same
    size.

    One-vs-rest ridge classifiers, 5-fold cross-validation over the items present in all features;
    average precision (area under the precision-recall curve). Chance is the genre's share of the
    items.

    Args:
        features: by name; a control of random normal vectors is added for the first one's
        dimension.
        genres: tuple of genres per item.

    Returns:
        columns features, genre, average_precision, share; empty when no genre is frequent enough.
    """
    present = np.logical_and.reduce([f.present for f in features.values()])
    rows = genres[present]
    labels = pd.DataFrame(
        {name: [name in row for row in rows] for name in sorted({g for row in rows for g in row})}
    )
    labels = labels.loc[
        :, (labels.sum() >= _LEAST_POSITIVES) & (labels.sum() <= len(labels) - _LEAST_POSITIVES)
    ]
    if labels.empty:
        return pd.DataFrame(columns=["features", "genre", "average_precision", "share"])
    first = next(iter(features.values()))
    inputs = {name: f.matrix[present] for name, f in features.items()}
    inputs["random control"] = np.random.default_rng(seed).standard_normal((len(labels), first.dim))
    folds = KFold(5, shuffle=True, random_state=seed)
    out = []
    for name, matrix in inputs.items():
        probe = make_pipeline(
            StandardScaler(), RidgeClassifierCV(alphas=(10.0, 100.0, 1000.0, 10000.0))
        )
        scores = cross_val_predict(
            probe, matrix, labels.to_numpy(int), cv=folds, method="decision_function"
        )
        for column, genre in enumerate(labels):
            out.append(
                {
                    "features": name,
                    "genre": genre,
                    "average_precision": average_precision_score(labels[genre], scores[:, column]),
                    "share": labels[genre].mean(),
                }
            )
    return pd.DataFrame(out)


def two_dimensional_map(features: Features, seed: int = 0) -> np.ndarray:
    """t-SNE of the present items' standardised features, (present items, 2)."""
    rows = features.standardized()[features.present]
    perplexity = min(30.0, (len(rows) - 1) / 3)
    return TSNE(random_state=seed, init="pca", perplexity=perplexity).fit_transform(rows)


def probe_sentence(probe: pd.DataFrame, name: str) -> str:
    """What the probe says of one kind of features: a paired test over genres against the random
    control."""
    if probe.empty:
        return (
            f"The {name} features cannot be probed: no genre has at least {_LEAST_POSITIVES} items "
            "with and without it."
        )
    scores = probe.pivot_table(index="genre", columns="features", values="average_precision")
    wins = int((scores[name] > scores["random control"]).sum())
    p_value = float(wilcoxon(scores[name], scores["random control"], alternative="greater").pvalue)
    verdict = "know" if p_value < 0.05 else "are not shown to know"
    return (
        f"The {name} features {verdict} genres: above the random control in {wins} of "
        f"{len(scores)} genres."
    )
