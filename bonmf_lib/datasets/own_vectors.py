"""Vectors of its items that a folder brings: one file with a row per item, or one file per item.

``text.npy`` and ``image.npy`` hold a row for each row of ``items.csv``, in its order. A folder of
``<item>.npy``, each a vector, is what Ducho writes (Malitesta et al., 2023), below folders named
after library, network and layer: ``visual_embeddings/torch/ResNet50/avgpool/17.npy``. A row of
zeros, or no file, stands for a missing vector.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .places import place_of
from .settings import NAME
from .vectors import read_vector, read_vectors

_NAMES = {
    "text": ("text.npy", "text_feat.npy", "text", "text_vectors", "textual_embeddings"),
    "image": ("image.npy", "image_feat.npy", "image", "image_vectors", "visual_embeddings"),
}


def own_vectors(folder: Path, ids: pd.Series, declared: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Float32 (items, dim) by modality, in the order of ``items.csv``; what is missing is said.

    Args:
        ids: of the items, as they are written in ``items.csv``.
        declared: file or folder by modality, from the folder; else usual names are looked for.

    Raises:
        DatasetError: several could be meant; a file of another number of rows, of another length
            than the others, with NaN or infinity or none but zeros; no file for any item; a
            pickle, which is never read.
    """
    found = {}
    for modality, names in _NAMES.items():
        source = _source(folder, modality, names, declared.get(modality))
        if source is None:
            continue
        matrix = _by_row(source, len(ids)) if source.is_file() else _by_item(source, ids)
        missing = int((~matrix.any(axis=1)).sum())
        if missing == len(matrix):
            raise DatasetError(f"{source}: every vector is zero; give those of the items.")
        if missing:
            warnings.warn(
                f"{source}: {missing:,} of {len(ids):,} items have no vector or one of zeros, and "
                f"count as without {modality}.",
                stacklevel=2,
            )
        found[modality] = matrix
    return found


def _source(
    folder: Path, modality: str, names: tuple[str, ...], declared: str | None
) -> Path | None:
    """The file of a modality, or the folder that holds its files; None where there is neither."""
    root = folder.resolve()
    if declared is not None:
        path = place_of(root, declared)
        if path is None or not path.is_relative_to(root) or not path.exists():
            raise DatasetError(
                f"{folder / NAME}: {modality}_vectors names {declared[:80]!r}, which is not in the "
                "folder; give a path from there."
            )
        if path.is_file():
            return path
        names = (declared,)
    sources = [
        source
        for path in (root / name for name in names)
        for source in ([path] if path.is_file() else _leaves(path))
    ]
    if not sources and declared is not None:
        raise DatasetError(f"{folder / declared}: holds no .npy files; give one for each item.")
    if len(sources) > 1:
        first, second = (source.relative_to(root).as_posix() for source in sources[:2])
        raise DatasetError(
            f"{folder}: {first} and {second} both hold vectors; "
            f'write {modality}_vectors = "{first}" in {NAME}, or the other.'
        )
    return sources[0] if sources else None


def _leaves(path: Path) -> list[Path]:
    """The folders in or below one that hold ``.npy`` files."""
    return sorted({file.parent for file in path.rglob("*.npy")}) if path.is_dir() else []


def _by_row(path: Path, items: int) -> np.ndarray:
    matrix = read_vectors(path)
    if len(matrix) != items:
        raise DatasetError(
            f"{path}: holds {len(matrix):,} rows, and items.csv lists {items:,} items; give one "
            "row for each, in their order."
        )
    return matrix


def _by_item(folder: Path, ids: pd.Series) -> np.ndarray:
    files = {file.stem: file for file in sorted(folder.glob("*.npy"))}
    rows = {place: read_vector(files[name]) for place, name in enumerate(ids) if name in files}
    if not rows:
        raise DatasetError(
            f"{folder}: no file is named after an item ({ids.iloc[0]}.npy), the first is "
            f"{next(iter(files.values())).name}; name them by the ids of items.csv."
        )
    first = next(iter(rows))
    matrix = np.zeros((len(ids), len(rows[first])), np.float32)
    for place, row in rows.items():
        if len(row) != matrix.shape[1]:
            raise DatasetError(
                f"{folder}: {ids.iloc[first]}.npy holds {matrix.shape[1]} numbers and "
                f"{ids.iloc[place]}.npy {len(row)}; give vectors of one length."
            )
        matrix[place] = row
    if len(files) > len(rows):
        warnings.warn(
            f"{folder}: {len(files) - len(rows):,} of {len(files):,} files are named after no "
            "item and are not read.",
            stacklevel=3,
        )
    return matrix
