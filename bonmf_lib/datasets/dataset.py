"""The one shape all data take: ratings, users and items with contiguous ids, validated once."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pandera.pandas as pa

from ..errors import DatasetError, unknown_name
from .given import GivenParts
from .vectors import GivenVectors
from .words import ITEMS, Words, words_of

CONTENTS = ("packaged", "full")
# fingerprint of ratings -> hash of their order, as the published and committed runs had it
PUBLISHED_ORDERS = {
    # ml-100k, of the wheel
    "79ad05663c1993f612231b6e0d94bbe019a1d24560058c71c8abadb98c764f0b": "87dd794ae741a8f0",
    # ml-1m
    "4006295d92ab367f0bc4893d8764771af8ee6d207f5905de2a7c1e10a9ec2ad2": "3cf8e043f602a485",
    # boardgames
    "94f919ebf1bdbfcf86c63dd45788ec96305ada26d85cae8eeb0ce7fe0b937165": "fdd9c141345f0db9",
    # planted
    "dedb201180502cc130b4c986aab331683fe50e890d2eb6c62618c8c5de4505f9": "eaf674f79e584de5",
}
ITEM_COLUMNS = ["raw_id", "title", "year", "genres", "plot", "people", "text", "image"]
USER_COLUMNS = ["raw_id", "gender", "age", "occupation"]
LATEST = 2**53  # floats tell whole numbers apart up to here; times in microseconds still pass
MODALITIES = ("text", "image", "genres", "demographics")


@dataclass(frozen=True)
class RatingScale:
    """Lowest and highest rating and the step between two neighbouring ones."""

    low: float
    high: float
    step: float

    @property
    def rates(self) -> bool:
        """Whether ratings differ; else a pair of a user and an item is all that is known."""
        return self.low < self.high

    def __str__(self) -> str:
        if not self.rates:
            return "none: pairs of users and items without ratings"
        return f"{self.low:g} to {self.high:g} in steps of {self.step:g}"


UNRATED = RatingScale(1, 1, 1)  # of implicit feedback: every pair counts as 1


@dataclass(frozen=True, eq=False)
class Dataset:
    """Ratings with what is known about users and items. Build with :func:`build_dataset`.

    Attributes:
        name: for instance ``ml-100k``.
        content: what items carry: ``packaged`` (title, year, genres; drawn title card) or ``full``
            (plot or description; real picture).
        ratings: columns user, item (contiguous int64 ids), rating (float32; 1 where nobody rated,
            see :data:`UNRATED`), timestamp (Int64, nullable): seconds since 1970, or see
            ``order_alone``.
        users: one row per user id: raw_id, gender, age, occupation (null where unknown).
        items: one row per item id: raw_id, title, year, genres (tuple), plot (or description),
            people (cast and crew), text (all that encoders read unless told otherwise), image
            (path); null = missing.
        scale: the rating scale.
        words: what items, pictures and ratings are called.
        given_parts: how its makers split it, or what reads that when it is first asked for.
        vectors: of items, by modality (``text``, ``image``), where it came with them in place of
            texts or pictures. No part of the fingerprint.
        part_of: the data set whose items these are some of, and which, int64 (items,): they are
            encoded together with the others.
        order_alone: whether timestamps order each user's ratings and tell no more, so that those of
            two users cannot be compared.
        left_out: users and items, int64 (2, N), of what they are known to have rated and
            ``ratings`` does not hold. No part of the fingerprint.
        text_columns: of the items' file, those that texts are made of; none where it is not known.

    Raises:
        DatasetError: the vectors are of another number of items.
    """

    name: str
    content: str
    ratings: pd.DataFrame
    users: pd.DataFrame
    items: pd.DataFrame
    scale: RatingScale
    words: Words = ITEMS
    given_parts: "GivenParts | Callable[[Dataset], GivenParts | None] | None" = None
    vectors: Mapping[str, GivenVectors] = field(default_factory=dict)
    part_of: "tuple[Dataset, np.ndarray] | None" = None
    order_alone: bool = False
    left_out: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), np.int64))
    text_columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for modality, vectors in self.vectors.items():
            if len(vectors.matrix) != self.n_items:
                raise DatasetError(
                    f"{self.name}: {len(vectors.matrix):,} {modality} vectors do not belong to "
                    f"{self.n_items:,} items; give one for each."
                )

    @property
    def n_users(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def known_pairs(self) -> np.ndarray:
        """Users and items, int64 (2, N), of all that is known to be rated: ``ratings`` and what is
        :attr:`left_out` of them."""
        rated = self.ratings[["user", "item"]].to_numpy(np.int64).T
        return np.concatenate([rated, self.left_out], axis=1)

    def has(self, modality: str) -> bool:
        """Whether anything is known of a modality: ``text`` or ``image`` (a picture file) or
        ``genres`` of any item, ``demographics`` (gender, age or occupation) of any user.

        Raises:
            DatasetError: the modality is none of these.
        """
        if modality not in MODALITIES:
            raise DatasetError(unknown_name("modality", modality, MODALITIES))
        if modality == "genres":
            return any(len(row) for row in self.items["genres"] if isinstance(row, tuple))
        if modality == "demographics":
            return bool(self.users[["gender", "age", "occupation"]].notna().to_numpy().any())
        return bool(self.items[modality].notna().any())

    def offers(self, modality: str) -> bool:
        """Whether a model can read anything of a modality: what it :meth:`has`, or vectors that it
        came with."""
        return modality in self.vectors or self.has(modality)

    @cached_property
    def given(self) -> GivenParts | None:
        """How its makers split it; None where they did not, or where their files cannot be had. No
        part of the fingerprint.

        Raises:
            DatasetError: the parts are of other ratings or items.
        """
        parts = self.given_parts(self) if callable(self.given_parts) else self.given_parts
        if parts is None:
            return None
        rivals = np.zeros(0, np.int64) if parts.negatives is None else parts.negatives.ravel()
        if (
            len(parts.part) != len(self.ratings)
            or not ((rivals >= 0) & (rivals < self.n_items)).all()
        ):
            raise DatasetError(
                f"{parts.source}: the parts are not those of the {len(self.ratings):,} ratings and "
                f"{self.n_items:,} items of {self.name}."
            )
        return parts

    def timed(self, across_users: bool = False) -> bool:
        """Whether every rating has a time; with ``across_users`` one that is comparable with other
        users'."""
        if across_users and self.order_alone:
            return False
        return bool(self.ratings["timestamp"].notna().all())

    @cached_property
    def times(self) -> str:
        """16 hex digits over the times of the ratings, for what goes by them; no part of the
        fingerprint, since copies of one data set differ in the times that they know."""
        known = self.ratings["timestamp"].fillna(-1).to_numpy(np.int64)
        return hashlib.sha256(known.astype("<i8").tobytes()).hexdigest()[:16]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the int32 rows (raw user, raw item, rating in steps), sorted by user, then
        item.

        Raw ids that are no numbers are replaced by their rank among all raw ids (:attr:`order`
        tells them apart), those that are numbers of another form or size likewise, and hashed
        themselves besides; data that int32 cannot hold are hashed as float64 rows, or as int64 ids
        and float64 ratings where float64 cannot hold the ids.
        """
        rated = {side: self.ratings[side].to_numpy() for side in ("user", "item")}
        ids, digest = {}, hashlib.sha256()
        for side, table in (("user", self.users), ("item", self.items)):
            numbers = _whole_numbers(table["raw_id"])
            if numbers is None:
                texts = table["raw_id"].astype(str)
                if pd.to_numeric(table["raw_id"], errors="coerce").notna().all():
                    digest.update(json.dumps([side, texts.tolist()]).encode())
                numbers = texts.rank(method="dense").to_numpy(np.int64)
            ids[side] = numbers[rated[side]]
        order = np.lexsort((ids["item"], ids["user"]))
        users, items = ids["user"][order], ids["item"][order]
        rating = self.ratings["rating"].to_numpy(np.float64)[order]
        steps = np.rint(rating / self.scale.step)
        whole = (
            self.scale.step >= 1e-3
            and np.abs(rating / self.scale.step - steps).max(initial=0) < 1e-3
        )
        if whole and all(_within(2**31, column) for column in (users, items, steps)):
            digest.update(np.stack([users, items, steps], axis=1).astype("<i4").tobytes())
        elif _within(2**53, users) and _within(2**53, items):
            digest.update(np.stack([users, items, rating], axis=1).astype("<f8").tobytes())
        else:
            digest.update(
                np.stack([users, items], axis=1).astype("<i8").tobytes()
                + rating.astype("<f8").tobytes()
            )
        return digest.hexdigest()

    @cached_property
    def order(self) -> tuple[str, ...]:
        """What tells these ratings from the same ones in another order, since splits and batches go
        by their order: nothing where it is the one that the published runs of these ratings had,
        else a hash of it."""
        digest = hashlib.sha256()
        for side, table in (("user", self.users), ("item", self.items)):
            digest.update(json.dumps(table["raw_id"].astype(str).tolist()).encode())
            digest.update(self.ratings[side].to_numpy().astype("<i4").tobytes())
        found = digest.hexdigest()[:16]
        return () if PUBLISHED_ORDERS.get(self.fingerprint) == found else (f"order {found}",)


def _within(limit: int, column: np.ndarray) -> bool:
    return not len(column) or bool(-limit <= column.min() and column.max() < limit)


_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")


def _whole_numbers(raw: pd.Series) -> np.ndarray | None:
    """Raw ids as int64 where all of them are whole numbers that it holds exactly, else None."""
    if raw.dtype.kind == "i":
        return raw.to_numpy(np.int64)
    if raw.dtype.kind == "f":
        values = raw.to_numpy(np.float64)
        whole = (
            np.isfinite(values).all()
            and (values == np.rint(values)).all()
            and (np.abs(values) < 2**53).all()
        )
        return values.astype(np.int64) if whole else None
    texts = raw.astype(str)
    return texts.astype(np.int64).to_numpy() if texts.map(_WHOLE.fullmatch).notna().all() else None


def check_ratings(
    ratings: pd.DataFrame,
    scale: RatingScale | None,
    source: str,
    first_line: int | None,
    unique: bool = True,
) -> pd.DataFrame:
    """Validate raw rating rows and return them typed.

    Args:
        ratings: columns user, item, rating[, timestamp] as read; row k stands on line ``first_line
            + k``, or, with None, on the line that the index names.
        scale: the allowed ratings; None skips that check (the scale is then inferred from the
        values).
        source: the file's name, for messages.
        unique: whether a user may rate an item but once.

    Raises:
        DatasetError: names the file, the line and the mend of the first bad row: an empty id, a
            rating that is no finite number or off the scale, a user and item rated twice, a
            timestamp out of 0 to ``LATEST``.
    """
    missing = [column for column in ("user", "item", "rating") if column not in ratings.columns]
    if missing:
        raise DatasetError(
            f"{source}: the column {missing[0]!r} is missing; "
            "the header must name user, item, rating."
        )
    if ratings.empty:
        raise DatasetError(f"{source}: holds no ratings; supply at least one row below the header.")
    lines = (
        ratings.index.to_numpy()
        if first_line is None
        else np.arange(first_line, first_line + len(ratings))
    )
    ratings = ratings.reset_index(drop=True)
    ratings["rating"] = pd.to_numeric(ratings["rating"], errors="coerce")
    on_scale = pa.Check(
        lambda r: _on_scale(r, scale),
        error=f"is off the scale {scale}; correct or drop the row",
    )
    finite = pa.Check(np.isfinite, error="the rating is infinite; correct or drop the row")
    schema = pa.DataFrameSchema(
        {
            "user": pa.Column(nullable=False),
            "item": pa.Column(nullable=False),
            "rating": pa.Column(
                "float64",
                nullable=False,
                coerce=True,
                checks=[finite, on_scale] if scale else [finite],
            ),
        },
        checks=pa.Check(
            lambda df: ~df.duplicated(["user", "item"]),
            error="the same user and item were rated before; keep one of the rows",
        )
        if unique
        else None,
    )
    try:
        schema.validate(ratings, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DatasetError(_first_failure(error.failure_cases, source, lines)) from None
    if "timestamp" not in ratings:
        ratings["timestamp"] = pd.NA
    known = ratings["timestamp"].notna()
    stamps = pd.to_numeric(ratings["timestamp"], errors="coerce")
    bad = known & ~stamps.between(0, LATEST)
    if bad.any():
        raise DatasetError(
            f"{source}, line {lines[bad.to_numpy().argmax()]}: 'timestamp' is no number of seconds "
            f"since 1970 (0 to {LATEST:,}); correct it (or write all as 2020-01-31), leave it "
            f"empty or drop the column ({bad.sum()} bad rows in all)."
        )
    ratings["timestamp"] = stamps.round().astype("Int64")
    return ratings[["user", "item", "rating", "timestamp"]]


def _on_scale(rating: pd.Series, scale: RatingScale) -> pd.Series:
    steps = (rating - scale.low) / scale.step
    return rating.between(scale.low, scale.high) & ((steps - steps.round()).abs() < 1e-6)


def _first_failure(cases: pd.DataFrame, source: str, lines: np.ndarray) -> str:
    first = cases.sort_values("index", kind="stable").iloc[0]
    line = lines[int(first["index"])]
    if first["check"] == "not_nullable":
        what = f"{first['column']!r} is empty or no number; fill it in or drop the row"
    else:
        what = str(first["check"])
        if what.startswith("is "):
            what = f"the rating {first['failure_case']:g} {what}"
    return f"{source}, line {line}: {what} ({cases['index'].nunique()} bad rows in all)."


def build_dataset(
    name: str,
    content: str,
    ratings: pd.DataFrame,
    users: pd.DataFrame,
    items: pd.DataFrame,
    scale: RatingScale,
    source: str,
    words: Words | None = None,
    given_parts: GivenParts | Callable[[Dataset], GivenParts | None] | None = None,
    vectors: Mapping[str, GivenVectors] | None = None,
    order_alone: bool = False,
) -> Dataset:
    """Give users and items contiguous ids (in the order of their raw ids) and join the ratings to
    them.

    Args:
        ratings: validated rows of :func:`check_ratings` (raw ids).
        users, items: raw_id plus any of ``USER_COLUMNS`` / ``ITEM_COLUMNS``; absent ones become
        null.
        source: the raw data's name, for messages.
        words: what items, pictures and ratings are called; None = those known by the data set's
        name.
        given_parts: how its makers split it, or what reads that.
        vectors: of the items by modality, in the order of their raw ids.
        order_alone: as in :class:`Dataset`.

    Raises:
        DatasetError: duplicate ids, or a rating of an unknown user or item.
    """
    tables = {}
    for kind, table, columns in (("user", users, USER_COLUMNS), ("item", items, ITEM_COLUMNS)):
        table = table.sort_values("raw_id", kind="stable").reset_index(drop=True)
        twice = table["raw_id"].duplicated()
        if twice.any():
            raise DatasetError(
                f"{source}: the {kind} {table['raw_id'][twice].iloc[0]} is listed twice; "
                "keep one row."
            )
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
    words = words or words_of(name)
    users, items = tables["user"][0], tables["item"][0]
    return Dataset(
        name, content, table, users, items, scale, words, given_parts, vectors or {},
        order_alone=order_alone,
    )  # fmt: skip
