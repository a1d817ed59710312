"""Amazon Baby and Amazon Sports as ratings: those of their pairs whose stars are known (87 and
88 %), with the vectors of :mod:`~bonmf_lib.datasets.multimodal`, and without the published split,
which is of all pairs."""

from dataclasses import replace

import numpy as np
import pandas as pd

from .dataset import Dataset, RatingScale, check_ratings
from .implicit import pairs_among
from .multimodal import load_multimodal, ratings_file

_WHOLE = {"amazon-baby-stars": "amazon-baby", "amazon-sports-stars": "amazon-sports"}
NAMES = tuple(_WHOLE)
STARS = RatingScale(1, 5, 1)


def load_starred(name: str, content: str) -> Dataset:
    """One of ``NAMES``: all products, and the users who gave at least one known number of stars,
    under new contiguous ids in the old order.

    Raises:
        DatasetError: ``content`` is not ``full``, or stars are off the scale. SourceError: a file
            is not below ``BONMF_MIRROR``, or is another one.
    """
    whole = load_multimodal(_WHOLE[name], content)
    path = ratings_file(_WHOLE[name])
    stars = pd.read_csv(path, usecols=["rating"])["rating"].to_numpy(np.float64)
    rows = np.flatnonzero(np.isfinite(stars))  # in the order of the whole's ratings, as read there
    rated = whole.ratings.iloc[rows].assign(rating=stars[rows])
    rated = check_ratings(rated.reset_index(drop=True), STARS, str(path), 2)
    kept = np.unique(rated["user"])
    others = np.delete(whole.known_pairs, rows, axis=1)  # bought, with stars that are not known
    rated["user"] = np.searchsorted(kept, rated["user"])
    return replace(
        whole,
        name=name,
        ratings=rated.astype({"rating": np.float32}),
        users=whole.users.iloc[kept].reset_index(drop=True),
        scale=STARS,
        given_parts=None,
        left_out=pairs_among(others, kept, np.arange(whole.n_items)),
    )
