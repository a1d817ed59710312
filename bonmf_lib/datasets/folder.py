"""Bring your own data: a folder with ratings, items and pictures.

Layout: ``ratings.csv[.gz]`` (user, item, rating[, timestamp]), ``items.csv`` (item, title[, year][,
genres or categories][, text columns...][, image]), ``images/`` and optionally ``users.csv`` (user[,
gender, age, occupation]) and ``dataset.toml`` (``scale = [low, high, step]``, ``text_columns =
[...]``, ``words = {item = "wine", items = "wines", picture = "label", unit = "stars"}``).

Files are UTF-8 with commas and a header. Ids and texts stay as they are written: ``7``, ``007`` and
``7.0`` are three ids, and ``NA``, ``None`` or ``nan`` are ids and titles as any other. Ids are
ordered as numbers where all of them are plain whole numbers, else as text. Pictures are JPEG, PNG,
WebP, GIF or BMP; they are opened when they are encoded.
"""

import html
import math
import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .cards import title_cards
from .dataset import Dataset, RatingScale, build_dataset, check_ratings
from .tables import (
    are_whole_numbers,
    empty,
    is_numeric,
    line_of,
    read_table,
    same_numbers,
    stripped,
)
from .texts import headline
from .words import given_words

_NO_TEXT = {"item", "id", "title", "year", "image", "image_source", "mal_id"}
_UNKNOWN = (
    "",
    "na",
    "n/a",
    "nan",
    "null",
    "none",
    "<na>",
)  # of times and of what is known about users; any case
FEWEST_RATINGS = 8  # that can be split 7:3, with a tenth of the training part for validation
_YEARS = (-9999, 9999)  # other years count as unknown
_AGES = (0, 130)
_WIDEST = 1000  # range of ratings that is believed without a declared scale
_MOST_STEPS = 200  # of a scale that is believed without a declaration, but for
_CONTINUOUS = 50  # different ratings: then they are taken to be continuous
_LARGEST = 1e6  # number in a declared scale


def load_folder(path: str, content: str) -> Dataset:
    """Load a folder as a :class:`Dataset`; see the module docstring for the layout.

    With ``content="full"`` an item's text is its title and its text columns; where these are empty,
    the title alone. A picture that is named and does not exist counts as missing, with a warning.

    Raises:
        DatasetError: names the file, the line and the mend. Besides bad rows it refuses an inferred
            scale that cannot be (see :func:`observed_scale`), a constant rating, and fewer than
            ``FEWEST_RATINGS`` ratings.
    """
    if not path.strip():
        raise DatasetError("folder: names no folder; give a path, as in folder:my_data.")
    folder = Path(path)
    try:
        names = {entry.name for entry in folder.iterdir()}
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise DatasetError(
                f"folder:{path} cannot be read: {error.strerror}; allow reading it."
            ) from None
        raise DatasetError(f"folder:{path} is not a folder; give a path that exists.") from None
    settings = _settings(folder / "dataset.toml") if "dataset.toml" in names else {}
    scale = RatingScale(*settings["scale"]) if "scale" in settings else None
    sources = [folder / name for name in ("ratings.csv", "ratings.csv.gz") if name in names]
    if not sources:
        raise DatasetError(
            f"{folder} holds no ratings.csv or ratings.csv.gz; add one with user, item, rating."
        )
    if len(sources) > 1:
        raise DatasetError(f"{folder} holds both ratings.csv and ratings.csv.gz; keep one of them.")
    if "items.csv" not in names:
        raise DatasetError(f"{folder} holds no items.csv; add one with item, title.")
    ratings = _ratings(sources[0], scale)
    scale = scale or observed_scale(ratings["rating"], sources[0])
    items = _items(folder, content, settings.get("text_columns"))
    users = _users(folder / "users.csv") if "users.csv" in names else None
    for kind, table, file in (("item", items, "items.csv"), ("user", users, "users.csv")):
        if table is not None:
            _check_known(ratings, kind, table["raw_id"], sources[0], folder / file)
    if users is None:
        users = pd.DataFrame({"raw_id": ratings["user"].unique()})
    for kind, table in (("item", items), ("user", users)):
        if are_whole_numbers(table["raw_id"]):  # every rated id is among these
            ratings[kind], table["raw_id"] = (
                ratings[kind].astype("int64"),
                table["raw_id"].astype("int64"),
            )
        elif same := same_numbers(table["raw_id"]):
            warnings.warn(
                f"{folder}: the {kind}s {' and '.join(same[:2])} are one number written in two "
                "ways, and count as two; write them alike if they are one.",
                stacklevel=2,
            )
    ratings, items, users = (table.reset_index(drop=True) for table in (ratings, items, users))
    name = f"folder:{folder.resolve().name}"
    words = given_words(name, settings.get("words", {}), str(folder / "dataset.toml"))
    return build_dataset(name, content, ratings, users, items, scale, str(folder), words)


def _ratings(source: Path, scale: RatingScale | None) -> pd.DataFrame:
    """The checked ratings, ids as text, the index the line of each."""
    table = read_table(source, ("user", "item", "rating"))
    for column in ("user", "item"):
        ids = stripped(table[column])
        table[column] = ids.mask(ids == "")
    if "timestamp" in table:
        table["timestamp"] = table["timestamp"].mask(_unknown(table["timestamp"]))
    checked = check_ratings(table, scale, str(source), first_line=None).set_axis(table.index)
    if len(checked) < FEWEST_RATINGS:
        raise DatasetError(
            f"{source}: holds {len(checked)} ratings; a split in training, validation and test "
            f"needs at least {FEWEST_RATINGS}, add some."
        )
    if checked["rating"].min() == checked["rating"].max():
        raise DatasetError(
            f"{source}: every rating is {checked['rating'].iloc[0]:g}; nothing can be learnt from "
            "a constant, supply the ratings that people gave."
        )
    return checked


def observed_scale(rating: pd.Series, source: Path) -> RatingScale:
    """Without a declared scale: from lowest to highest rating, stepping by the smallest gap between
    two.

    Many different ratings, or some on no even steps, are taken to be continuous, with a warning.

    Args:
        rating: finite ratings; the index holds their lines.

    Raises:
        DatasetError: a scale that cannot be: wider than 1,000; with ratings far from all others
            (over a gap of more than ten times any other and three times all others together); or of
            more than 200 steps of which fewer than 50 are used.
    """
    values = np.sort(rating.unique())
    gaps = np.diff(values)
    scale = RatingScale(float(values[0]), float(values[-1]), float(gaps.min()))
    mend = "correct the row, or declare scale = [low, high, step] in dataset.toml"

    def at(value: float) -> str:
        return f"{source}, line {line_of(rating == value)}: the rating {value:g}"

    widest, others = int(gaps.argmax()), np.delete(gaps, int(gaps.argmax()))
    if len(others) and gaps[widest] > max(10 * others.max(), 3 * others.sum()):
        few, many = values[widest + 1], values[widest]
        if (rating > many).mean() > 0.5:
            few, many = many, few
        raise DatasetError(
            f"{at(few)} lies far from most others, the next of which is {many:g}; {mend}."
        )
    if scale.high - scale.low > _WIDEST:
        raise DatasetError(
            f"{at(scale.high)} is {scale.high - scale.low:g} above the lowest; {mend}."
        )
    narrow = scale.high - scale.low > _MOST_STEPS * scale.step
    steps = np.zeros(1) if narrow else (values - scale.low) / scale.step
    if narrow or np.abs(steps - steps.round()).max() > 1e-6:
        if narrow and len(values) < _CONTINUOUS:
            raise DatasetError(
                f"{at(values[int(gaps.argmin()) + 1])} is only {scale.step:g} from another, "
                f"too narrow a step; {mend}."
            )
        warnings.warn(
            f"{source}: {len(values)} different ratings from {scale.low:g} to {scale.high:g}, "
            f"as little as {scale.step:.1g} apart, lie on no plain steps and are taken to be "
            "continuous; correct those between the steps, or declare scale = [low, high, step] "
            "in dataset.toml.",
            stacklevel=2,
        )
    return scale


def _settings(path: Path) -> dict:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8; save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no valid TOML: {error}.") from error
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); mend or replace it."
        ) from error
    unknown = set(settings) - {"scale", "text_columns", "words"}
    if unknown:
        raise DatasetError(
            f"{path}: unknown key {min(unknown)!r}; only scale, text_columns and words are known."
        )
    if "scale" in settings:
        _check_scale(path, settings["scale"])
    columns = settings.get("text_columns", [])
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise DatasetError(f"{path}: text_columns must be a list of column names.")
    return settings


def _check_scale(path: Path, scale: object) -> None:
    if (
        not isinstance(scale, list)
        or len(scale) != 3
        or not all(type(x) in (int, float) for x in scale)
    ):
        raise DatasetError(f"{path}: scale must be [low, high, step], three numbers.")
    if not all(abs(x) <= _LARGEST for x in scale):  # NaN neither
        raise DatasetError(f"{path}: scale {scale} must be finite, no number beyond {_LARGEST:g}.")
    if scale[0] >= scale[1] or scale[2] <= 0:
        raise DatasetError(f"{path}: scale {scale} must rise from low to high by a positive step.")
    steps = (scale[1] - scale[0]) / scale[2]
    if not math.isfinite(steps) or steps < 1 or abs(steps - round(steps)) > 1e-6 * steps:
        raise DatasetError(
            f"{path}: scale {scale} does not reach its highest rating in whole steps; correct it."
        )


def _unknown(cells: pd.Series) -> pd.Series:
    return cells.str.strip().str.lower().isin(_UNKNOWN)


def _ids(path: Path, table: pd.DataFrame, column: str) -> pd.Series:
    """A column of ids without spaces around them, none of them empty or there twice."""
    ids = stripped(table[column])
    if (ids == "").any():
        raise DatasetError(f"{path}, line {line_of(ids == '')}: {column!r} is empty; fill it in.")
    twice = ids.duplicated()
    if twice.any():
        name = ids[twice].iloc[0]
        raise DatasetError(
            f"{path}, line {line_of(twice)}: the {column} {name} is listed twice, first on line "
            f"{line_of(ids == name)}; keep one row."
        )
    return ids


def _check_known(
    ratings: pd.DataFrame, kind: str, known: pd.Series, source: Path, listed: Path
) -> None:
    stranger = ~ratings[kind].isin(known)
    if stranger.any():
        name = ratings.loc[stranger, kind].iloc[0]
        alike = same_numbers(pd.concat([pd.Series([name]), known]))
        hint = f" (it lists {alike[1]}: write ids alike)" if alike and alike[0] == name else ""
        raise DatasetError(
            f"{source}, line {line_of(stranger)}: the ratings name the {kind} {name}, "
            f"which {listed.name} lacks{hint}; add its row or drop its ratings."
        )


def _numbers(path: Path, cells: pd.Series, bounds: tuple[int, int], what: str) -> pd.Series:
    """Whole numbers within bounds; others count as unknown, with a warning."""
    unknown = _unknown(cells)
    numbers = pd.to_numeric(cells.mask(unknown), errors="coerce")
    bad = ~unknown & ~numbers.between(*bounds)
    if bad.any():
        warnings.warn(
            f"{path}: {bad.sum()} {what} are no numbers from {bounds[0]} to {bounds[1]} and count "
            f"as unknown, the first is {cells[bad].iloc[0][:40]!r} on line {line_of(bad)}.",
            stacklevel=2,
        )
    return numbers.mask(bad).round().astype("Int64")


def _users(path: Path) -> pd.DataFrame:
    table = read_table(path, ("user",))
    users = pd.DataFrame({"raw_id": _ids(path, table, "user")})
    for column in ("gender", "occupation"):
        if column in table:
            users[column] = table[column].str.strip().mask(_unknown(table[column]))
    if "age" in table:
        users["age"] = _numbers(path, table["age"], _AGES, "ages")
    return users


def _items(folder: Path, content: str, text_columns: list[str] | None) -> pd.DataFrame:
    """The items, ids as text, the index the line of each."""
    path = folder / "items.csv"
    table = read_table(path, ("item", "title"))
    items = pd.DataFrame({"raw_id": _ids(path, table, "item")})
    items["title"] = table["title"].map(html.unescape).astype("str")
    if empty(items["title"]).any():
        raise DatasetError(
            f"{path}, line {line_of(empty(items['title']))}: 'title' is empty; fill it in."
        )
    absent = sorted(set(text_columns or []) - set(table.columns))
    if absent:
        raise DatasetError(
            f"{folder / 'dataset.toml'}: text column {absent[0]!r} is not in items.csv."
        )
    items["year"] = _numbers(
        path, table.get("year", pd.Series("", index=table.index, dtype="str")), _YEARS, "years"
    )
    genres = table.get("genres", table.get("categories", pd.Series("", index=table.index)))
    items["genres"] = [
        tuple(sorted({g.strip() for g in re.split(r"[|,]", row) if g.strip()})) for row in genres
    ]
    if content == "packaged":
        items["text"] = headline(items)
        items["image"] = title_cards(items)
        return items
    if text_columns is None:
        text_columns = [
            column for column in table if column not in _NO_TEXT and not is_numeric(table[column])
        ]
    parts = table[text_columns].apply(lambda column: column.str.replace("|", ", ").str.strip())
    free_text = pd.Series(
        [html.unescape(". ".join(filter(None, row))) for row in parts.to_numpy()], items.index
    )
    items["plot"] = free_text.astype("str").mask(free_text.str.strip() == "")
    items["text"] = (items["title"] + ". " + items["plot"]).fillna(items["title"])
    named = table.get("image", pd.Series("", index=table.index, dtype="str")).str.strip()
    root = folder.resolve()
    items["image"] = pd.Series(
        [_picture(root, path, *row) for row in named.items()], items.index, dtype="str"
    )
    lost = (named != "") & items["image"].isna()
    if lost.any():
        warnings.warn(
            f"{path}: {lost.sum()} pictures named there do not exist and count as missing, "
            f"the first is {named[lost].iloc[0][:80]!r} on line {line_of(lost)}.",
            stacklevel=2,
        )
    return items


def _picture(root: Path, listed: Path, line: int, name: str) -> str | None:
    """Path of an item's picture, or None where there is none; a path out of the folder is
    refused."""
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
