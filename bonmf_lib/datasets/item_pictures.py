"""Which picture file belongs to which item of a folder; none is opened here."""

import os
import warnings
from collections.abc import Collection
from pathlib import Path, PurePath

import pandas as pd

from ..errors import DatasetError
from .places import place_of
from .tables import line_of

FOLDER = "images"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_NAMED = 5  # pictures that a message names
_NO_PICTURES = ("thumbs.db", "desktop.ini")  # that systems leave in folders, besides hidden files


def picture_paths(folder: Path, path: Path, table: pd.DataFrame, ids: pd.Series) -> pd.Series:
    """Path of every item's picture, null where there is none.

    Named by the column ``image`` of ``items.csv`` (``path``), from the folder; without such a
    column, or where what it names is not there, by files of that name in ``images/`` or
    ``images/<item>.jpg`` (or another usual ending), which is said. What is named and does not exist
    counts as missing, with a warning; so does what lies in ``images/`` and is no item's picture.

    Raises:
        DatasetError: a path out of the folder, or two pictures of one item.
    """
    entries = _entries(folder / FOLDER)
    if "image" not in table:
        found = _by_id(folder / FOLDER, entries, ids)
        if found.notna().any():
            shown = Path(found.dropna().iloc[0]).name
            warnings.warn(
                f"{folder / FOLDER}: items.csv has no column image, so pictures are found by their "
                f"names: {found.notna().sum()} of {len(ids)} items have one, as {shown}.",
                stacklevel=2,
            )
        _warn_of_others(folder, entries, _used(folder, found), ids, named=False)
        return found
    named = table["image"].str.strip()
    root = folder.resolve()
    found = pd.Series([_inside(root, path, *row) for row in named.items()], ids.index, dtype="str")
    if (lost := (named != "") & found.isna()).any():
        inside = [_in_folder(root, name.removeprefix("/")) for name in named[lost]]
        others = pd.Series(inside, ids.index[lost], dtype="str")
        others = others.fillna(_by_id(folder / FOLDER, entries, ids[lost]))
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
    links = {  # a link is found under the name of what it leads to
        name.name
        for name in map(PurePath, named[found.notna()])
        if name.parent.name in ("", FOLDER)
    }
    _warn_of_others(folder, entries, _used(folder, found) | links, ids, named=True)
    return found


def _first(names: Collection[str]) -> str:
    shown = ", ".join(repr(name[:80]) for name in list(names)[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown}, and {more} more" if more > 0 else shown


def _entries(folder: Path) -> list[os.DirEntry]:
    """What lies in the folder of pictures, by name; nothing, with a warning, where it cannot be
    read or leads out of the data's folder."""
    try:
        if not folder.resolve().is_relative_to(folder.parent.resolve()):
            warnings.warn(
                f"{folder}: is a link out of the folder and is not read; move the pictures inside.",
                stacklevel=3,
            )
            return []
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, RuntimeError) as error:  # or a link to itself
        warnings.warn(f"{folder}: cannot be read ({error}); no picture is found.", stacklevel=3)
        return []


def _is_picture(entry: os.DirEntry) -> bool:
    """Whether a file in the folder of pictures may be one: neither a link nor of another ending."""
    return entry.name.lower().endswith(_SUFFIXES) and entry.is_file(follow_symlinks=False)


def _by_id(folder: Path, entries: list[os.DirEntry], ids: pd.Series) -> pd.Series:
    by_name: dict[str, Path] = {}
    known = set(ids)
    files = (folder / entry.name for entry in entries if _is_picture(entry))
    for file in (file for file in files if file.stem in known):
        if file.stem in by_name:
            raise DatasetError(
                f"{folder}: {by_name[file.stem].name} and {file.name} are both pictures of the "
                f"item {file.stem}; keep one."
            )
        by_name[file.stem] = file
    return ids.map(lambda name: str(by_name[name]) if name in by_name else None).astype("str")


def _used(folder: Path, found: pd.Series) -> set[str]:
    """Names of the entries of the folder of pictures that are items' pictures, or hold some."""
    places = [folder / FOLDER, folder.resolve() / FOLDER, os.path.realpath(folder / FOLDER)]
    bases = [f"{place}{os.sep}" for place in places]
    return {
        path.removeprefix(base).partition(os.sep)[0]
        for path in found.dropna()
        for base in bases
        if path.startswith(base)
    }


def _warn_of_others(
    folder: Path, entries: list[os.DirEntry], used: set[str], ids: pd.Series, named: bool
) -> None:
    """Say what lies in the folder of pictures and is no item's picture, and why.

    Args:
        used: names of the entries that are. named: whether a column names the pictures.
    """
    known, others = set(ids), {}
    seen = [
        entry
        for entry in entries
        if not entry.name.startswith(".") and entry.name.lower() not in _NO_PICTURES
    ]
    for entry in seen:
        if entry.name not in used:
            others.setdefault(_why_unread(entry, known), []).append(entry.name)
    if others and len(ids):
        said = ", ".join(f"{len(names)} {why} ({_first(names)})" for why, names in others.items())
        unlike = ids.str.contains(r"[/\\]")
        first = ids.iloc[0] if named or unlike.all() else ids[~unlike].iloc[0]
        how = "where the column image names it" if named else f"as {FOLDER}/{first}.jpg"
        where = "" if not named and unlike.all() else f" That of the item {first} is read {how}."
        if not named and unlike.any():
            where += (
                f" {unlike.sum():,} items have ids that no file can have, as {ids[unlike].iloc[0]};"
                " a column image can name their pictures."
            )
        warnings.warn(
            f"{folder / FOLDER}: {sum(map(len, others.values()))} of {len(seen)} files there are "
            f"no item's picture: {said}.{where}",
            stacklevel=3,
        )


def _why_unread(entry: os.DirEntry, known: set[str]) -> str:
    if entry.is_symlink():
        return "links"
    if entry.is_dir():
        return "folders"
    if not _is_picture(entry):
        return f"with another ending than {', '.join(_SUFFIXES)}"
    return (
        "that the column image does not name"
        if PurePath(entry.name).stem in known
        else "named after no item"
    )


def _in_folder(root: Path, name: str) -> str | None:
    """Path of a picture that is named without the folder of pictures that it lies in."""
    if not name or Path(name).name != name:
        return None
    path = root / FOLDER / name
    leads = place_of(root, f"{FOLDER}/{name}")
    inside = leads is not None and leads.is_file() and leads.is_relative_to(root)
    return str(path) if inside else None


def _inside(root: Path, listed: Path, line: int, name: str) -> str | None:
    """Path of a picture, or None where there is none; a path out of the folder is refused, but for
    a mere name behind a slash, ``/a.jpg``, as catalogues of films have it."""
    if not name:
        return None
    if (path := place_of(root, name)) is None:
        return None
    if path.parent == Path(path.anchor) and not path.exists():
        return None
    if not path.is_relative_to(root) or Path(name).is_absolute():
        raise DatasetError(
            f"{listed}, line {line}: the picture {name[:80]!r} lies outside the folder; "
            "move it inside and give its path from there."
        )
    return str(path) if path.is_file() else None
