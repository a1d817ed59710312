"""Bring your own data: a folder with ratings, items and pictures.

Layout: ``ratings.csv[.gz]`` (user, item, rating[, timestamp]), ``items.csv[.gz]`` (item[, title][,
year][, genres or categories][, text columns...][, image]), ``images/`` and optionally ``users.csv``
(user[, gender, age, occupation]), vectors of the items (:mod:`~bonmf_lib.datasets.own_vectors`) and
``dataset.toml`` (:class:`~bonmf_lib.datasets.settings.FolderSettings`).

Files are UTF-8 with commas and a header, unless ``dataset.toml`` says otherwise; columns are called
as above, as it says, or by a usual other name (:mod:`~bonmf_lib.datasets.columns`). Ids and titles
stay as they are written: ``7``, ``007`` and ``7.0`` are three ids, and ``NA``, ``None`` or ``nan``
are ids and titles as any other; elsewhere they say that nothing is known. Ids are ordered as
numbers where all of them are plain whole numbers, else as text. Pictures are JPEG, PNG, WebP, GIF
or BMP; they are opened when they are encoded.
"""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .cells import (
    are_no_times,
    folded_ids,
    ids,
    rated,
    seconds,
    unknown,
    whole_numbers,
)
from .columns import ColumnNames, check_declared
from .dataset import Dataset, RatingScale, build_dataset, check_ratings
from .duplicates import check_once, resolved
from .enough import check_enough, is_enough, warn_of_little
from .implicit import implicit_view
from .item_pictures import FOLDER
from .item_table import read_items
from .levels import warn_of_unread
from .own_vectors import own_vectors
from .reviews import Reviews, check_no_item_text, taken_out
from .scales import observed_scale
from .settings import NAME, FolderSettings, read_settings
from .tables import are_whole_numbers, line_of, read_table, same_numbers
from .vectors import GIVEN, GivenVectors
from .words import given_words

_AGES = (0, 130)
_LIKE_IMAGES = {"images", "image", "pictures", "photos", "posters", "covers", "img", "imgs"}
_USERS = "users.csv", "users.csv.gz"
_DROPS = {"item": 'unknown_items = "drop"'}  # what leaves out ratings of what is not listed
_NEEDED = {"ratings": ("user", "item", "rating"), "items": ("item", "title")}


def load_folder(path: str, content: str, whole: bool = True) -> Dataset:
    """Load a folder as a :class:`Dataset`; see the module docstring for the layout.

    With ``content="full"`` an item's text is its title and its text columns; where these are empty,
    the title alone. A picture that is named and does not exist counts as missing, with a warning.
    Vectors that the folder brings are what models read; texts and pictures beside them are shown.
    With ``content="packaged"`` they are left aside, as descriptions and pictures are.

    Args:
        whole: whether no view of it is taken, which would then be warned of where it holds little.

    Raises:
        DatasetError: names the file, the line and the mend. Besides bad rows it refuses an inferred
            scale that cannot be (see :func:`~bonmf_lib.datasets.scales.observed_scale`), and, also
            where these are left by a rule or a core, a constant rating and fewer than
            ``FEWEST_RATINGS`` ratings.
    """
    folder, names = _opened(path)
    settings = read_settings(folder / NAME) if NAME in names else FolderSettings()
    source, listed = (_table(folder, names, kind) for kind in ("ratings", "items"))
    found: set[str] = set()  # columns that the settings name
    ratings, scale, reviews = _ratings(source, settings, found)
    settings = replace(settings, form=replace(settings.form, like=source.name))
    items, texts = read_items(listed, content, settings, reviews, found)
    of_users = _table(folder, names, "users") if {*_USERS} & names else None
    users = _users(of_users, settings, found) if of_users else None
    check_declared(settings.columns, found, folder / NAME)
    if settings.unknown_items == "drop":
        ratings = _without_unknown(ratings, items["raw_id"], source)
    for kind, table, file in (("item", items, listed), ("user", users, of_users)):
        if table is not None:
            _check_known(ratings, kind, table["raw_id"], source, file.name)
    vectors = own_vectors(folder, items["raw_id"], settings.vectors) if content == "full" else {}
    if users is None:
        users = pd.DataFrame({"raw_id": ratings["user"].cat.categories.astype("str")})
    for kind, table in (("item", items), ("user", users)):
        if are_whole_numbers(table["raw_id"]):  # every rated id is among these
            rated = ratings[kind].cat
            ratings[kind] = rated.categories.astype("int64").to_numpy()[rated.codes]
            table["raw_id"] = table["raw_id"].astype("int64")
        elif same := same_numbers(table["raw_id"]):
            warnings.warn(
                f"{folder}: the {kind}s {' and '.join(same[:2])} are one number written in two "
                "ways, and count as two; write them alike if they are one.",
                stacklevel=2,
            )
    ratings, items, users = (table.reset_index(drop=True) for table in (ratings, items, users))
    order = items["raw_id"].sort_values(kind="stable").index.to_numpy()
    if not items["image"].notna().any():
        _warn_of_pictures(folder, names)
    name = f"folder:{folder.resolve().name}"
    dataset = build_dataset(
        name,
        content,
        ratings,
        users,
        items,
        scale,
        str(folder),
        given_words(name, settings.words, str(folder / NAME)),
        vectors={
            modality: GivenVectors(GIVEN, matrix[order]) for modality, matrix in vectors.items()
        },
    )
    left_out = _pairs_of(reviews.left_out, dataset)
    dataset = replace(dataset, left_out=left_out, text_columns=texts)
    try:
        kept = implicit_view(dataset, core=settings.core)
    except DatasetError:
        raise DatasetError(
            f"{folder / NAME}: core = {settings.core} leaves no ratings, since no users and items "
            "have so many of one another; lower it."
        ) from None
    left_by = f"core = {settings.core}" if kept is not dataset else ""
    check_enough(kept.ratings, str(folder / NAME), left_by)
    if whole:
        warn_of_little(kept.ratings, str(source), left_by, f"core = 2 in {NAME}")
    return kept


def _pairs_of(raw: pd.DataFrame, dataset: Dataset) -> np.ndarray:
    """Places of users and items, (2, N), of rows of their raw ids as texts; without those that the
    data lack."""
    tables = {"user": dataset.users, "item": dataset.items}
    ids = [
        pd.Index(table["raw_id"].astype("str")).get_indexer(raw[kind])
        for kind, table in tables.items()
    ]
    places = np.stack(ids).astype(np.int64)
    return places[:, (places >= 0).all(axis=0)]


def _opened(path: str) -> tuple[Path, set[str]]:
    """A folder and the names of what is in it."""
    if not path.strip():
        raise DatasetError("folder: names no folder; give a path, as in folder:my_data.")
    folder = Path(path)
    try:
        return folder, {entry.name for entry in folder.iterdir()}
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise DatasetError(
                f"folder:{path} cannot be read: {error.strerror}; allow reading it."
            ) from None
        raise DatasetError(f"folder:{path} is not a folder; give a path that exists.") from None


def _table(folder: Path, names: set[str], kind: str) -> Path:
    """The file of the ratings, the items or the users, packed or not."""
    found = [name for name in (f"{kind}.csv", f"{kind}.csv.gz") if name in names]
    if not found:
        like = sorted(name for name in names if name.casefold().partition(".")[0] == kind)
        beside = f", and does not read {like[0]}" if like else ""
        raise DatasetError(
            f"{folder} holds no {kind}.csv or {kind}.csv.gz{beside}; "
            f"add one with {', '.join(_NEEDED[kind])}."
        )
    if len(found) > 1:
        raise DatasetError(f"{folder} holds both {found[0]} and {found[1]}; keep one of them.")
    return folder / found[0]


def _warn_of_pictures(folder: Path, names: set[str]) -> None:
    """Say where pictures may lie that are not read."""
    others = sorted(name for name in names if name.casefold() in _LIKE_IMAGES and name != FOLDER)
    if others and (folder / others[0]).is_dir():
        warnings.warn(
            f"{folder / others[0]}: is not read; pictures are read from {FOLDER}/, named by their "
            "items or by a column image of items.csv.",
            stacklevel=3,
        )


def _ratings(
    source: Path, settings: FolderSettings, found: set[str]
) -> tuple[pd.DataFrame, RatingScale, Reviews]:
    """The checked ratings, ids as categories of texts, the index the line of each; their scale; and
    what people wrote with them."""
    needed = _NEEDED["ratings"]
    naming = ColumnNames("ratings", needed, settings.columns, found)
    header: list[str] = []  # as the file has it

    def named(path: Path, columns: list[str]) -> list[str]:
        header.extend(columns)
        return naming(path, columns)

    table = read_table(source, needed, settings.form, named, ("timestamp",))
    check_no_item_text(settings.text_columns or (), table, source.parent / NAME)
    table, reviews = taken_out(table, settings.reviews, str(source))
    for column in ("user", "item"):
        table[column] = folded_ids(table[column])
    table["rating"] = rated(source, table["rating"], settings.decimal)
    if "timestamp" in table:
        table["timestamp"] = seconds(source, table["timestamp"])
        guessed = "timestamp" not in header and "timestamp" not in settings.columns
        if guessed and are_no_times(table["timestamp"]):
            warnings.warn(
                f"{source}: the column that was taken for timestamp holds no seconds since 1970 "
                "and no dates such as 2020-01-31, and is not read.",
                stacklevel=2,
            )
            del table["timestamp"]
    checked = check_ratings(table, settings.scale, str(source), None, unique=False)
    checked = checked.set_axis(table.index)
    if settings.duplicates == "refuse":
        check_once(checked, str(source))
    check_enough(checked, str(source))
    scale = settings.scale or observed_scale(checked["rating"], source)
    checked = resolved(checked, settings.duplicates, scale, str(source))
    check_enough(checked, str(source), f'duplicates = "{settings.duplicates}"')
    for column in ("user", "item"):
        checked[column] = checked[column].cat.remove_unused_categories()
    return checked, scale, reviews


def _check_known(
    ratings: pd.DataFrame, kind: str, known: pd.Series, source: Path, listed: str
) -> None:
    stranger = ~ratings[kind].isin(known)
    if stranger.any():
        name = ratings.loc[stranger, kind].iloc[0]
        raise DatasetError(
            f"{source}, line {line_of(stranger)}: the ratings name the {kind} {name}, "
            f"which {listed} lacks{_alike(name, known)}; add its row or drop its ratings"
            + (f", or write {_DROPS[kind]} in {NAME}" if kind in _DROPS else "")
            + f" ({stranger.sum():,} bad rows in all)."
        )


def _alike(name: str, known: pd.Series) -> str:
    """Which listed id is the same number or, but for case and signs that cannot be seen, the same
    text, if any."""
    alike = same_numbers(pd.concat([pd.Series([name]), known]))
    same = alike[1:] if alike and alike[0] == name else known[known.map(_seen) == _seen(name)]
    return f" (it lists {next(iter(same))}: write ids alike)" if len(same) else ""


def _seen(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable()).casefold()


def _without_unknown(ratings: pd.DataFrame, known: pd.Series, source: Path) -> pd.DataFrame:
    """The ratings of listed items; how many others are left out is said."""
    fits = ratings["item"].isin(known)
    if fits.all():
        return ratings
    strangers = ratings.loc[~fits, "item"].nunique()
    hint = _alike(str(ratings.loc[~fits, "item"].iloc[0]), known)
    if not is_enough(ratings[fits]):
        raise DatasetError(
            f"{source}: {(~fits).sum():,} ratings are of items that are not listed; the other "
            f"{fits.sum():,} are too few or all alike. List them{hint}."
        )
    warnings.warn(
        f"{source}: {(~fits).sum():,} ratings of {strangers:,} items that are not listed are left "
        "out.",
        stacklevel=3,
    )
    left = ratings[fits].copy()
    for column in ("user", "item"):
        left[column] = left[column].cat.remove_unused_categories()
    return left


def _users(path: Path, settings: FolderSettings, found: set[str]) -> pd.DataFrame:
    naming = ColumnNames("users", ("user",), settings.columns, found)
    table = read_table(path, ("user",), settings.form, naming)
    users = pd.DataFrame({"raw_id": ids(path, table, "user")})
    for column in ("gender", "occupation"):
        if column in table:
            users[column] = table[column].str.strip().mask(unknown(table[column]))
            known = [(value,) for value in users[column].dropna()]
            warn_of_unread(path, known, f"{column}s", "user")
    if "age" in table:
        users["age"] = whole_numbers(path, table["age"], _AGES, "ages", settings.decimal)
    return users
