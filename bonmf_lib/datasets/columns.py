"""What strangers call their columns: names that the owner gives, and the usual ones."""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DatasetError

# Ours, and what else they are often called; letters and digits alone, any case.
_USER = (
    "userid", "uid", "username", "customer", "customerid", "reviewer", "reviewerid", "member",
    "memberid",
)  # fmt: skip
_ITEM = (
    "itemid", "product", "productid", "asin", "parentasin", "isbn", "movieid", "filmid", "bookid",
    "gameid", "animeid", "wineid", "recipeid", "businessid", "songid", "trackid", "articleid",
)  # fmt: skip
ALIASES: dict[str, dict[str, tuple[str, ...]]] = {
    "ratings": {
        "user": _USER,
        "item": _ITEM,
        "rating": (
            "stars", "starrating", "score", "overall", "rate", "userrating", "reviewrating",
            "bookrating", "movierating",
        ),
        "timestamp": ("time", "date", "datetime", "unixtime", "unixreviewtime", "ratedat"),
    },
    "items": {
        "item": _ITEM,
        "title": (
            "name", "itemname", "itemtitle", "productname", "producttitle", "movietitle",
            "booktitle", "gamename", "winename",
        ),
        "year": ("releaseyear", "yearpublished", "publicationyear", "yearofpublication"),
        "genres": ("genre", "category"),
        "image": (
            "picture", "photo", "poster", "cover", "img", "imagepath", "imagefile", "picturepath",
        ),
    },
    "users": {
        "user": _USER,
        "gender": ("sex",),
        "age": (),
        "occupation": ("job", "profession"),
    },
}  # fmt: skip
_ELSE = {  # taken where none of the above is there
    "timestamp": ("reviewtime", "reviewdate"),
    "image": (
        "thumbnail", "posterpath", "imageurl", "imgurl", "pictureurl", "photourl", "posterurl",
        "coverurl",
    ),
}  # fmt: skip
OURS = tuple(dict.fromkeys(name for table in ALIASES.values() for name in table))
KEYS = {"items": "item", "users": "user"}  # what "id" alone means in a table
_IN_SEVERAL = ("user", "item")  # tables, which may call them differently


def plain(name: str) -> str:
    """A column's name as it is compared: its letters and digits alone, in one case."""
    return re.sub(r"[\W_]", "", name).casefold()


@dataclass(frozen=True)
class ColumnNames:
    """Gives the columns of one of a folder's tables our names.

    Attributes:
        table: ``ratings``, ``items`` or ``users``.
        needed: of our names, those that the table must have.
        declared: the file's names by ours, from ``dataset.toml``: they come before the same name
            written as ours, which comes before the usual other names.
        found: of ``declared``, what tables had; filled by calls, and shared by tables whose columns
            may be called differently (:func:`check_declared`).
    """

    table: str
    needed: tuple[str, ...]
    declared: Mapping[str, str] = field(default_factory=dict)
    found: set[str] = field(default_factory=set)

    def __call__(self, path: Path, header: list[str]) -> list[str]:
        """Our names in place of the file's; empty for a column that another one was declared in
        place of. Which usual names were taken for ours is said as a warning.

        Raises:
            DatasetError: a declared column is not there, or declared twice or in place of a needed
                one; or several usual names could be a needed one.
        """
        names = list(header)
        declared = self._declared_of(path, header)
        for ours, theirs in self.declared.items():
            if ours not in ALIASES[self.table]:
                continue
            if theirs == ours:
                self.found.add(ours)
                continue
            if theirs in header:
                self.found.add(ours)
                names = ["" if name == ours else name for name in names]
                names[header.index(theirs)] = ours
            elif ours not in _IN_SEVERAL:
                raise DatasetError(
                    f"{path}: has no column {theirs!r}, which dataset.toml names as {ours}; "
                    f"it names {', '.join(filter(None, header))[:300]}."
                )
        taken = {}
        for ours, aliases in ALIASES[self.table].items():
            if ours in names:
                continue
            free = {
                place: plain(name)
                for place, name in enumerate(names)
                if name == header[place] and name not in OURS
            }
            found = [place for place, name in free.items() if name in (ours, *aliases)]
            found = found or [p for p, name in free.items() if name in _ELSE.get(ours, ())]
            if not found and ours == KEYS.get(self.table):
                found = [place for place, name in enumerate(names) if plain(name) == "id"]
            if len(found) == 1:
                taken[names[found[0]]] = ours
                names[found[0]] = ours
            elif found:
                self._several(path, ours, [names[place] for place in found])
        if taken:
            said = ", ".join(f"{theirs!r} as {ours}" for theirs, ours in taken.items())
            warnings.warn(
                f"{path}: reads {said}; name other columns in dataset.toml if that is wrong.",
                stacklevel=2,
            )
        for ours in self.needed:
            if ours not in names and ours in declared:
                raise DatasetError(
                    f"{path}: dataset.toml names the column {ours!r} as {declared[ours]}, which "
                    f"leaves none as {ours}; correct it, or name that one too."
                )
        return names

    def _declared_of(self, path: Path, header: list[str]) -> dict[str, str]:
        """Our names by those of the file's columns that were declared as ours; ``DatasetError``
        where one was declared twice."""
        of: dict[str, str] = {}
        for ours, theirs in self.declared.items():
            if ours in ALIASES[self.table] and theirs in header:
                if theirs in of:
                    raise DatasetError(
                        f"{path}: dataset.toml names the column {theirs!r} as {of[theirs]} and as "
                        f"{ours}; name one for each."
                    )
                of[theirs] = ours
        return of

    def _several(self, path: Path, ours: str, names: list[str]) -> None:
        said = (
            f"{path}: {' and '.join(map(repr, names[:2]))} could each be the {ours}; "
            f'write {ours} = "{names[0]}" in dataset.toml'
        )
        if ours in self.needed:
            raise DatasetError(f"{said}, or the other.")
        warnings.warn(f"{said}, or the other; neither is taken.", stacklevel=3)


def check_declared(declared: Mapping[str, str], found: set[str], settings: Path) -> None:
    """``DatasetError`` where a column of users or items is declared that no table has."""
    for ours in _IN_SEVERAL:
        if ours in declared and ours not in found:
            raise DatasetError(
                f"{settings}: no table has a column {declared[ours]!r}, which is named there as "
                f"{ours}; correct it."
            )
