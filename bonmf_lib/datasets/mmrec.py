"""A folder in the layout that MMRec, BM3's own code base, reads: ``<name>.inter`` (tab-separated:
userID, itemID, x_label[, rating][, timestamp]) and, in the order of the items, ``text_feat.npy``
and ``image_feat.npy``.

Ids are whole numbers, those of items the rows of the vectors, from 0; ``x_label`` is 0 for a pair
that trains, 1 for one that validates, 2 for one that tests. A row of zeros stands for a missing
vector.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .dataset import UNRATED, Dataset, RatingScale, build_dataset, check_ratings
from .given import GivenParts
from .multimodal import check_full
from .scales import observed_scale
from .settings import NAME
from .tables import TableForm, empty, line_of, read_table
from .vectors import GIVEN, GivenVectors, read_vectors

_IDS = {"user": "userID", "item": "itemID"}
_PART = "x_label"
_ID = r"0|[1-9][0-9]{0,17}"  # int64 holds it
# of the other layout of a folder: what holds its ratings, and what says more of them
_RATINGS = ("ratings.csv", "ratings.csv.gz")
_MORE = ("items.csv", "items.csv.gz", "users.csv", "users.csv.gz", "images", NAME)


def interaction_files(path: str) -> list[Path]:
    """The ``.inter`` files of a folder; none where it is no folder that can be read."""
    try:
        return sorted(Path(path).glob("*.inter"))
    except (OSError, ValueError):
        return []


def load_mmrec(path: str, content: str) -> Dataset:
    """Load such a folder. Where no ratings are given, or none differs from another, every pair
    counts as 1. An item's title is its number. Files of the other layout beside it are not read,
    with a warning.

    Raises:
        DatasetError: names the file, the line and the mend: several ``.inter`` files or a
            ``ratings.csv`` beside one, a bad row, a pair that stands there twice, an item without
            its row of vectors, no pair that tests, or a ``content`` that is not ``full``.
    """
    folder = Path(path)
    name = f"folder:{folder.resolve().name}"
    check_full(name, content)
    source, *more = interaction_files(path)
    if more:
        raise DatasetError(f"{folder} holds both {source.name} and {more[0].name}; keep one.")
    _check_alone(folder, source.name)
    table = read_table(source, (*_IDS.values(), _PART), TableForm("\t"))
    pairs = pd.DataFrame({kind: _ids(source, table[column]) for kind, column in _IDS.items()})
    ratings, scale = _ratings(source, table, pairs)
    vectors = _vectors(folder)
    items = pairs["item"].unique()
    for modality, given in vectors.items():
        items = np.arange(len(given.matrix))
        _check_rows(source, pairs["item"], f"{modality}_feat.npy", len(items))
    return build_dataset(
        name,
        content,
        ratings,
        pd.DataFrame({"raw_id": pairs["user"].unique()}),
        pd.DataFrame({"raw_id": items, "title": items.astype(str), "genres": [()] * len(items)}),
        scale,
        str(source),
        given_parts=GivenParts(_parts(source, table[_PART]), f"split of {source.name}"),
        vectors=vectors,
    )


def _check_alone(folder: Path, name: str) -> None:
    """``DatasetError`` where the ratings could be meant to come from another file; says what else
    is not read."""
    for other in _RATINGS:
        if (folder / other).exists():
            raise DatasetError(f"{folder} holds both {name} and {other}; keep one.")
    if unread := [other for other in _MORE if (folder / other).exists()]:
        warnings.warn(
            f"{folder}: is read as MMRec lays it out, because it holds {name}; "
            f"{', '.join(unread)} beside it are not read.",
            stacklevel=2,
        )


def _vectors(folder: Path) -> dict[str, GivenVectors]:
    paths = {modality: folder / f"{modality}_feat.npy" for modality in ("text", "image")}
    return {
        modality: GivenVectors(GIVEN, read_vectors(path))
        for modality, path in paths.items()
        if path.exists()
    }


def _check_rows(source: Path, items: pd.Series, file: str, rows: int) -> None:
    if (beyond := items >= rows).any():
        raise DatasetError(
            f"{source}, line {line_of(beyond)}: {file} holds {rows} rows, none for the item "
            f"{items[beyond].iloc[0]}; add its vector or drop the row."
        )


def _ids(source: Path, cells: pd.Series) -> pd.Series:
    bad = ~cells.str.fullmatch(_ID)
    if bad.any():
        raise DatasetError(
            f"{source}, line {line_of(bad)}: {cells.name} must be a whole number from 0, "
            f"got {cells[bad].iloc[0][:40]!r}; correct it."
        )
    return cells.astype(np.int64)


def _parts(source: Path, cells: pd.Series) -> np.ndarray:
    """int8 (N,)."""
    if (bad := ~cells.isin(["0", "1", "2"])).any():
        raise DatasetError(
            f"{source}, line {line_of(bad)}: {_PART} must be 0 (trains), 1 (validates) or 2 "
            f"(tests), got {cells[bad].iloc[0][:40]!r}; correct it."
        )
    return cells.to_numpy().astype(np.int8)


def _ratings(
    source: Path, table: pd.DataFrame, pairs: pd.DataFrame
) -> tuple[pd.DataFrame, RatingScale]:
    """The checked ratings, and their scale."""
    rows = pairs.assign(rating=table.get("rating", 1))
    if "timestamp" in table:
        rows["timestamp"] = table["timestamp"].mask(empty(table["timestamp"]))
    ratings = check_ratings(rows, None, str(source), first_line=None)
    if ratings["rating"].min() == ratings["rating"].max():
        return ratings.assign(rating=1.0), UNRATED
    return ratings, observed_scale(ratings["rating"].set_axis(table.index), source)
