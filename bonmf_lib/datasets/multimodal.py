"""Implicit feedback with vectors of items: Amazon Baby and Amazon Sports (He and McAuley, 2016;
5-cores), and TikTok, as multimodal rankers are compared on them.

Every pair of a user and an item counts as 1, since part of the Amazon pairs have no known stars and
TikTok has none. No pair has a time; those of Amazon Sports are known in their order, user by user.
The Amazon vectors are rebuilt from published lists of neighbours, which come along as they were
published; TikTok's picture vectors are the original ones. TikTok's sound vectors are left out:
models here read texts and pictures, and sound is neither. The split is the one published with
DiffMM (Jiang et al., 2024).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from ..sources import Artifact, Mirror, fetch
from .dataset import UNRATED, Dataset, build_dataset, check_ratings
from .given import GivenParts
from .vectors import GIVEN, REBUILT, GivenVectors, read_neighbours, read_vectors

SPLIT = "split published with DiffMM"


@dataclass(frozen=True)
class _Source:
    """What kind of vectors, the sha256 of every file that is read, and the column of pairs that
    orders each user's, if any."""

    kind: str
    files: dict[str, str]
    order: str | None = None


_SOURCES = {
    "amazon-baby": _Source(
        REBUILT,
        {
            "ratings.csv.gz": "f95bcfe90c166cfc39bfeb6a0d3742b97bbc299344742fbadeaa70578b3e0c7c",
            "items.csv": "4ca32cee1d3d38a8250b489deece7387193a071a4e1c34bc1adcc5fec4ce4f11",
            "text_feat.npy": "92f28cb1e1393adadfe340f99c41e6da26ae10f87386ee7038edb52e22e67496",
            "text_knn10.npz": "eb983774b5274f46680671b690f684f742ab4fe03cdca8e4325c15e17073af03",
            "image_feat.npy": "375a96eb3d6c5cb49f0320886426e357ddfb42992a8f62442a10c4c4e3c7d2f8",
            "image_knn10.npz": "0d3034e5030aa64c29f5aa571788846dddfb94c92020c5c6e81635a202e12941",
        },
    ),
    "amazon-sports": _Source(
        REBUILT,
        {
            "ratings.csv.gz": "fe702eec8802762a71fd6d85082c6cc681799dd5c4956af55b0a740dc9cf0c99",
            "items.csv": "f9bc5f508865c45625464f838950d00ba4873c2f271c17e8c4003ecbf26da627",
            "text_feat.npy": "82406a6f32064505a4b7fba850281fd18fefc40eb3e9a9b9050d7ec4c8fb83b9",
            "text_knn10.npz": "3a6e94efd33f4342bfe339a19b61889855132831404cdeb3f3a12c408e165cce",
            "image_feat.npy": "c5092fc5e4ef66a3b02d44d09d44e56d1b5cf7241b4946a31875e66396190d23",
            "image_knn10.npz": "d122602dd2fd383f1913c25339365f24feab41bfb660c28363903f03c8e5d37f",
        },
        order="seq",
    ),
    "tiktok": _Source(
        GIVEN,
        {
            "ratings.csv.gz": "b73af3321c40646420eefe6b21e6ffc055bd56bbbcc4f42f95a80a21ba044313",
            "items.csv": "3ee91d13600434dc1aecf65f79fa201464b370a2870a9370c3e9f64086d14efa",
            "image_feat.npy": "f6c1ec1726ed2aa80315411199ab2143bee6333821bf58c5f00bd3f5b462efc2",
        },
    ),
}
NAMES = tuple(_SOURCES)
# what stands between their content and that of printed numbers
APART_FROM_PRINT = {
    name: "rebuilt vectors" if source.kind == REBUILT else "pictures alone"
    for name, source in _SOURCES.items()
}


def load_multimodal(name: str, content: str) -> Dataset:
    """One of ``NAMES``. The title of an item is its id in the source (an ASIN); the text of a
    product of Amazon Sports is its category words, where they are known.

    Raises:
        DatasetError: ``content`` is not ``full``. SourceError: a file is not below
            ``BONMF_MIRROR``, or is another one.
    """
    check_full(name, content)
    source = _SOURCES[name]
    paths = {file: _fetched(name, file) for file in source.files}
    known = ["user", "item", "split", *filter(None, [source.order])]
    pairs = pd.read_csv(paths["ratings.csv.gz"], usecols=known, dtype=np.int64)
    if source.order:
        pairs = pairs.rename(columns={source.order: "timestamp"})
    told = pd.read_csv(paths["items.csv"], usecols=["item", "id", "text"], dtype="str")
    items = pd.DataFrame({"raw_id": told["item"].astype(np.int64), "title": told["id"]})
    items["text"], items["genres"] = told["text"], [()] * len(told)
    users = pd.DataFrame({"raw_id": pairs["user"].unique()})
    ratings = check_ratings(pairs.assign(rating=1), UNRATED, str(paths["ratings.csv.gz"]), 2)
    parts = GivenParts(pairs["split"].to_numpy(np.int8), SPLIT)
    vectors = _vectors(source.kind, paths)
    return build_dataset(
        name, content, ratings, users, items, UNRATED, name, given_parts=parts, vectors=vectors,
        order_alone=source.order is not None,
    )  # fmt: skip


def ratings_file(name: str) -> Path:
    """The checked file of pairs of one of ``NAMES``; ``SourceError`` when it cannot be had."""
    return _fetched(name, "ratings.csv.gz")


def _fetched(name: str, file: str) -> Path:
    place = Mirror(f"{name}/{file}", _SOURCES[name].files[file])
    return fetch(Artifact(f"{name}-{file}", (place,)))


def check_full(name: str, content: str) -> None:
    """``DatasetError`` unless the content of data with vectors is ``full``."""
    if content != "full":
        raise DatasetError(
            f"{name} comes with vectors of its items, beside which no title cards are drawn; "
            "load it with content=full."
        )


def _vectors(kind: str, paths: dict[str, Path]) -> dict[str, GivenVectors]:
    """Those of the files that are there, by modality."""
    found = {}
    for modality in ("text", "image"):
        if f"{modality}_feat.npy" in paths:
            graph = paths.get(f"{modality}_knn10.npz")
            found[modality] = GivenVectors(
                kind,
                read_vectors(paths[f"{modality}_feat.npy"]),
                None if graph is None else read_neighbours(graph),
            )
    return found
