"""The one shape all data take: ratings, users and items with contiguous ids, validated once."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pandera.pandas as pa

from ..errors import DatasetError

CONTENTS = ("packaged", "full")
ITEM_COLUMNS = ["raw_id", "title", "year", "genres", "plot", "people", "text", "image"]
USER_COLUMNS = ["raw_id", "gender", "age", "occupation"]


@dataclass(frozen=True)
class RatingScale:
    """Lowest and highest rating and the step between two neighbouring ones."""

    low: float
    high: float
    step: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} in steps of {self.step:g}"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with what is known about users and items. Build with :func:`build_dataset`.

    Attributes:
        name: for instance ``ml-100k``.
        content: what items carry: ``packaged`` (title, year, genres; drawn title card) or ``full``
            (plot or description; real picture).
        ratings: columns user, item (contiguous int64 ids), rating (float32), timestamp (Int64, nullable).
        users: one row per user id: raw_id, gender, age, occupation (null where unknown).
        items: one row per item id: raw_id, title, year, genres (tuple), plot (or description), people (cast and
            crew), text (all that encoders read unless told otherwise), image (path); null = missing.
        scale: the rating scale.
    """

    name: str
    content: str
    ratings: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    scale: RatingScale

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the int32 rows (raw user, raw item, rating in steps), sorted by user, then item.

        Raw ids that are no integers are replaced by their rank among all raw ids; data that int32 cannot hold
        are hashed as float64 rows.
        """
        columns = [_integer_ids(self.users["raw_id"])[self.ratings["user"].to_numpy()]]
        columns.append(_integer_ids(self.items["raw_id"])[self.ratings["item"].to_numpy()])
        columns.append(np.rint(self.ratings["rating"].to_numpy(np.float64) / self.scale.step))
        exact = np.stack(columns, axis=1)
        rows = exact.astype(np.int32)
        if not np.array_equal(rows, exact) or self.scale.step < 1e-3:  # ids or ratings that int32 cannot hold
            columns[2] = self.ratings["rating"].to_numpy(np.float64)
            rows = np.stack(columns, axis=1)
            rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
            return hashlib.sha256(np.ascontiguousarray(rows, dtype="<f8").tobytes()).hexdigest()
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        return hashlib.sha256(np.ascontiguousarray(rows, dtype="<i4").tobytes()).hexdigest()


def _integer_ids(raw: pd.Series) -> np.ndarray:
    numbers = pd.to_numeric(raw, errors="coerce")
    if numbers.notna().all() and (numbers == numbers.round()).all():
        return numbers.to_numpy(np.int64)
    return raw.astype(str).rank(method="dense").to_numpy(np.int64)


def check_ratings(ratings: pd.DataFrame, scale: RatingScale | None, source: str, first_line: int) -> pd.DataFrame:
    """Validate raw rating rows and return them typed.

    Args:
        ratings: columns user, item, rating[, timestamp] as read; row k stands on line ``first_line + k``.
        scale: the allowed ratings; None skips that check (the scale is then inferred from the values).
        source: the file's name, for messages.

    Raises:
        DatasetError: names the file, the line and the mend of the first bad row.
    """
    missing = [column for column in ("user", "item", "rating") if column not in ratings.columns]
    if missing:
        raise DatasetError(f"{source}: the column {missing[0]!r} is missing; the header must name user, item, rating.")
    if ratings.empty:
        raise DatasetError(f"{source}: holds no ratings; supply at least one row below the header.")
    ratings = ratings.reset_index(drop=True)
    ratings["rating"] = pd.to_numeric(ratings["rating"], errors="coerce")
    on_scale = pa.Check(
        lambda r: _on_scale(r, scale),
        error=f"the rating is off the scale {scale}; correct or drop the row",
    )
    schema = pa.DataFrameSchema(
        {
            "user": pa.Column(nullable=False),
            "item": pa.Column(nullable=False),
            "rating": pa.Column("float64", nullable=False, coerce=True, checks=[on_scale] if scale else []),
        },
        checks=pa.Check(
            lambda df: ~df.duplicated(["user", "item"]),
            error="the same user and item were rated before; keep one of the rows",
        ),
    )
    try:
        schema.validate(ratings, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DatasetError(_first_failure(error.failure_cases, source, first_line)) from None
    if "timestamp" not in ratings:
        ratings["timestamp"] = pd.NA
    if ratings["timestamp"].notna().any() and pd.to_numeric(ratings["timestamp"], errors="coerce").isna().all():
        raise DatasetError(f"{source}: 'timestamp' holds no numbers; give seconds since 1970 or drop the column.")
    ratings["timestamp"] = pd.to_numeric(ratings["timestamp"], errors="coerce").round().astype("Int64")
    return ratings[["user", "item", "rating", "timestamp"]]


def _on_scale(rating: pd.Series, scale: RatingScale) -> pd.Series:
    steps = (rating - scale.low) / scale.step
    return rating.between(scale.low, scale.high) & ((steps - steps.round()).abs() < 1e-6)


def _first_failure(cases: pd.DataFrame, source: str, first_line: int) -> str:
    first = cases.sort_values("index", kind="stable").iloc[0]
    line = int(first["index"]) + first_line
    if first["check"] == "not_nullable":
        what = f"{first['column']!r} is empty or no number; fill it in or drop the row"
    else:
        what = str(first["check"])
    return f"{source}, line {line}: {what} ({cases['index'].nunique()} bad rows in all)."


def build_dataset(
    name: str,
    content: str,
    ratings: pd.DataFrame,
    users: pd.DataFrame,
    items: pd.DataFrame,
    scale: RatingScale,
    source: str,
) -> Dataset:
    """Give users and items contiguous ids (in the order of their raw ids) and join the ratings to them.

    Args:
        ratings: validated rows of :func:`check_ratings` (raw ids).
        users, items: raw_id plus any of ``USER_COLUMNS`` / ``ITEM_COLUMNS``; absent ones become null.
        source: the raw data's name, for messages.

    Raises:
        DatasetError: duplicate ids, or a rating of an unknown user or item.
    """
    tables = {}
    for kind, table, columns in (("user", users, USER_COLUMNS), ("item", items, ITEM_COLUMNS)):
        table = table.sort_values("raw_id", kind="stable").reset_index(drop=True)
        twice = table["raw_id"].duplicated()
        if twice.any():
            raise DatasetError(f"{source}: the {kind} {table['raw_id'][twice].iloc[0]} is listed twice; keep one row.")
        index = pd.Index(table["raw_id"])
        ids = index.get_indexer(ratings[kind])
        if (ids < 0).any():
            stranger = ratings.loc[ids < 0, kind].iloc[0]
            raise DatasetError(
                f"{source}: the ratings name the {kind} {stranger}, which the {kind} table lacks; "
                "add its row or drop its ratings."
            )
        tables[kind] = (table.reindex(columns=columns), ids.astype(np.int64))
    table = pd.DataFrame(
        {
            "user": tables["user"][1],
            "item": tables["item"][1],
            "rating": ratings["rating"].to_numpy(np.float32),
            "timestamp": ratings["timestamp"].to_numpy(),
        }
    )
    table["timestamp"] = table["timestamp"].astype("Int64")
    return Dataset(name, content, table, tables["user"][0], tables["item"][0], scale)
