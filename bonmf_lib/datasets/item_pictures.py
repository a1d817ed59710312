"""Which picture file belongs to which item of a folder; none is opened here."""

import warnings
from pathlib import Path

import pandas as pd

from ..errors import DatasetError
from .tables import line_of

FOLDER = "images"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_NAMED = 5  # pictures that a message names


def picture_paths(folder: Path, path: Path, table: pd.DataFrame, ids: pd.Series) -> pd.Series:
    """Path of every item's picture, null where there is none.

    Named by the column ``image`` of ``items.csv`` (``path``), from the folder; without such a
    column, or where what it names is not there, by files of that name in ``images/`` or
    ``images/<item>.jpg`` (or another usual ending), which is said. What is named and does not exist
    counts as missing, with a warning.

    Raises:
        DatasetError: a path out of the folder, or two pictures of one item.
    """
    if "image" not in table:
        found = _by_id(folder / FOLDER, ids)
        if found.notna().any():
            shown = Path(found.dropna().iloc[0]).name
            warnings.warn(
                f"{folder / FOLDER}: items.csv has no column image, so pictures are found by their "
                f"names: {found.notna().sum()} of {len(ids)} items have one, as {shown}.",
                stacklevel=2,
            )
        return found
    named = table["image"].str.strip()
    root = folder.resolve()
    found = pd.Series([_inside(root, path, *row) for row in named.items()], ids.index, dtype="str")
    if (lost := (named != "") & found.isna()).any():
        inside = [_in_folder(root, name) for name in named[lost]]
        others = pd.Series(inside, ids.index[lost], dtype="str")
        others = others.fillna(_by_id(folder / FOLDER, ids[lost]))
        if others.notna().any():
            warnings.warn(
                f"{path}: {others.notna().sum()} pictures named there are found in {FOLDER}/, by "
                f"their names or their items' ids, as {Path(others.dropna().iloc[0]).name}.",
                stacklevel=2,
            )
        found = found.fillna(others)
    if (lost := (named != "") & found.isna()).any():
        links = named[lost].str.match(r"(?i)https?://").sum()
        mend = (
            f" {links} are web addresses: fetch them as {FOLDER}/<item>.jpg first." if links else ""
        )
        warnings.warn(
            f"{path}: {lost.sum()} pictures named there do not exist and count as missing: "
            f"{_first(named[lost])} (the first on line {line_of(lost)}).{mend}",
            stacklevel=2,
        )
    return found


def _first(names: pd.Series) -> str:
    shown = ", ".join(repr(name[:80]) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown}, and {more} more" if more > 0 else shown


def _by_id(folder: Path, ids: pd.Series) -> pd.Series:
    nothing = pd.Series(None, ids.index, dtype="str")
    try:
        files = sorted(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in _SUFFIXES and not file.is_symlink() and file.is_file()
        )
        if not folder.resolve().is_relative_to(folder.parent.resolve()):
            return nothing
    except OSError:
        return nothing
    by_name: dict[str, Path] = {}
    known = set(ids)
    for file in (file for file in files if file.stem in known):
        if file.stem in by_name:
            raise DatasetError(
                f"{folder}: {by_name[file.stem].name} and {file.name} are both pictures of the "
                f"item {file.stem}; keep one."
            )
        by_name[file.stem] = file
    return ids.map(lambda name: str(by_name[name]) if name in by_name else None).astype("str")


def _in_folder(root: Path, name: str) -> str | None:
    """Path of a picture that is named without the folder of pictures that it lies in."""
    if not name or Path(name).name != name:
        return None
    path = root / FOLDER / name
    try:
        return str(path) if path.is_file() and path.resolve().is_relative_to(root) else None
    except (OSError, ValueError, RuntimeError):
        return None


def _inside(root: Path, listed: Path, line: int, name: str) -> str | None:
    """Path of a picture, or None where there is none; a path out of the folder is refused."""
    if not name:
        return None
    try:
        path = (root / name).resolve()
        inside = path.is_relative_to(root) and not Path(name).is_absolute()
        found = inside and path.is_file()
    except (OSError, ValueError, RuntimeError):  # a name too long, or a link to itself
        return None
    if not inside:
        raise DatasetError(
            f"{listed}, line {line}: the picture {name[:80]!r} lies outside the folder; "
            "move it inside and give its path from there."
        )
    return str(path) if found else None
