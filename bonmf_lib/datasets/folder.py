"""Bring your own data: a folder with ratings, items and pictures.

Layout: ``ratings.csv[.gz]`` (user, item, rating[, timestamp]), ``items.csv`` (item, title[, year][, genres or
categories][, text columns...][, image]), ``images/`` and optionally ``users.csv`` (user[, gender, age,
occupation]) and ``dataset.toml`` (``scale = [low, high, step]``, ``text_columns = [...]``,
``words = {item = "wine", items = "wines", picture = "label", unit = "stars"}``).
"""

import html
import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .cards import title_cards
from .dataset import Dataset, RatingScale, build_dataset, check_ratings
from .texts import headline
from .words import given_words

_NO_TEXT = {"item", "id", "title", "year", "image", "image_source", "mal_id"}


def load_folder(path: str, content: str) -> Dataset:
    """Load a folder as a :class:`Dataset`; see the module docstring for the layout.

    Raises:
        DatasetError: names the file, the row and the mend.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DatasetError(f"folder:{path} is not a folder; give a path that exists.")
    settings = _settings(folder / "dataset.toml")
    scale = RatingScale(*settings["scale"]) if "scale" in settings else None
    source = next((folder / name for name in ("ratings.csv", "ratings.csv.gz") if (folder / name).is_file()), None)
    if source is None:
        raise DatasetError(f"{folder} holds no ratings.csv or ratings.csv.gz; add one with user, item, rating.")
    ratings = check_ratings(_csv(source), scale, str(source), first_line=2)
    items = _items(folder, content, settings.get("text_columns"))
    users_file = folder / "users.csv"
    if users_file.is_file():
        users = _csv(users_file).rename(columns={"user": "raw_id"})
        if "raw_id" not in users:
            raise DatasetError(f"{users_file}: the column 'user' is missing; the header must name it.")
    else:
        users = pd.DataFrame({"raw_id": ratings["user"].unique()})
    ratings["item"], items["raw_id"] = _comparable(ratings["item"], items["raw_id"])
    ratings["user"], users["raw_id"] = _comparable(ratings["user"], users["raw_id"])
    name = f"folder:{folder.resolve().name}"
    scale = scale or _observed_scale(ratings["rating"])
    words = given_words(name, settings.get("words", {}), str(folder / "dataset.toml"))
    return build_dataset(name, content, ratings, users, items, scale, str(folder), words)


def _comparable(one: pd.Series, other: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Ids of two files as numbers where both files have numbers only, else as text."""
    both_numbers = one.dtype.kind in "iuf" and other.dtype.kind in "iuf"
    return (one, other) if both_numbers else (one.astype(str), other.astype(str))


def _settings(path: Path) -> dict:
    if not path.is_file():
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DatasetError(f"{path} is no valid TOML: {error}.") from error
    unknown = set(settings) - {"scale", "text_columns", "words"}
    if unknown:
        raise DatasetError(f"{path}: unknown key {min(unknown)!r}; only scale, text_columns and words are known.")
    scale = settings.get("scale", [1, 2, 1])
    if not isinstance(scale, list) or len(scale) != 3 or not all(isinstance(x, int | float) for x in scale):
        raise DatasetError(f"{path}: scale must be [low, high, step].")
    if scale[0] >= scale[1] or scale[2] <= 0:
        raise DatasetError(f"{path}: scale {scale} must rise from low to high by a positive step.")
    columns = settings.get("text_columns", [])
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise DatasetError(f"{path}: text_columns must be a list of column names.")
    return settings


def _csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except pd.errors.EmptyDataError:
        raise DatasetError(f"{path}: is empty; supply a header and rows.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, EOFError, OSError) as error:
        raise DatasetError(f"{path}: cannot be read as CSV ({error}); mend or replace the file.") from error


def _observed_scale(rating: pd.Series) -> RatingScale:
    """Without a declared scale: from lowest to highest rating, stepping by the smallest gap between two."""
    values = np.sort(rating.unique())
    step = float(np.diff(values).min()) if len(values) > 1 else 1.0
    return RatingScale(float(values[0]), float(values[-1]), step)


def _items(folder: Path, content: str, text_columns: list[str] | None) -> pd.DataFrame:
    path = folder / "items.csv"
    if not path.is_file():
        raise DatasetError(f"{folder} holds no items.csv; add one with item, title.")
    table = _csv(path)
    for column in ("item", "title"):
        if column not in table:
            raise DatasetError(f"{path}: the column {column!r} is missing; the header must name item, title.")
        empty = table[column].isna()
        if empty.any():
            raise DatasetError(f"{path}, line {int(empty.idxmax()) + 2}: {column!r} is empty; fill it in.")
    absent = sorted(set(text_columns or []) - set(table.columns))
    if absent:
        raise DatasetError(f"{folder / 'dataset.toml'}: text column {absent[0]!r} is not in items.csv.")
    items = pd.DataFrame({"raw_id": table["item"]})
    items["title"] = table["title"].astype(str).map(html.unescape)
    items["year"] = pd.to_numeric(table.get("year", pd.Series(index=table.index)), errors="coerce")
    items["year"] = items["year"].round().astype("Int64")
    genres = table.get("genres", table.get("categories", pd.Series("", index=table.index))).astype("str").fillna("")
    items["genres"] = [tuple(sorted({g.strip() for g in re.split(r"[|,]", row) if g.strip()})) for row in genres]
    if content == "packaged":
        items["text"] = headline(items)
        items["image"] = title_cards(items)
        return items
    columns = text_columns or [c for c in table.columns if c not in _NO_TEXT and table[c].dtype.kind not in "if"]
    parts = table[columns].fillna("").astype(str).apply(lambda column: column.str.replace("|", ", ").str.strip())
    free_text = pd.Series([". ".join(filter(None, row)) for row in parts.to_numpy()], dtype="str")
    items["plot"] = free_text.map(html.unescape).where(free_text != "")
    items["text"] = (items["title"] + ". " + items["plot"]).fillna(items["title"])
    named = table.get("image", pd.Series(None, index=table.index, dtype="str"))
    items["image"] = [_picture(folder, name) for name in named]
    lost = named.notna() & items["image"].isna()
    if lost.any():
        warnings.warn(
            f"{path}: {lost.sum()} pictures named there do not exist and count as missing, "
            f"the first is {named[lost].iloc[0]!r} on line {int(lost.idxmax()) + 2}.",
            stacklevel=2,
        )
    return items


def _picture(folder: Path, name: object) -> str | None:
    """Path of an item's picture, or None where there is none; a path out of the folder is refused."""
    if not isinstance(name, str) or not name:
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DatasetError(f"{folder / 'items.csv'}: the picture {name!r} lies outside the folder; move it inside.")
    return str(path) if path.is_file() else None
