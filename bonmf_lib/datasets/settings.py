"""``dataset.toml``: what the owner of a folder says of its tables, checked before they are read."""

import codecs
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DatasetError, unknown_name
from .columns import OURS
from .dataset import RatingScale
from .duplicates import RULES
from .tables import SEPARATORS, UTF8, TableForm

NAME = "dataset.toml"
_LARGEST = 1e6  # number in a declared scale
# others than UTF-8 that strangers' tables are often in; all decode text, none runs code
_ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (
        *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii", "latin-1"),
        *("iso8859-2", "iso8859-15", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255"),
        *("cp1256", "cp437", "cp850", "koi8-r", "mac-roman", "shift-jis", "cp932", "euc-jp"),
        *("euc-kr", "cp949", "gb18030", "gbk", "big5"),
    )
)
_SETTINGS = (
    "scale", "text_columns", "words", "separator", "encoding", "core", "duplicates", "reviews",
    "text_vectors", "image_vectors", "unknown_items", "decimal",
)  # fmt: skip
_UNKNOWN_ITEMS = "refuse", "drop"
_DECIMALS = ".", ","


@dataclass(frozen=True)
class FolderSettings:
    """What a folder's owner may say; all of it may be left out.

    Attributes:
        scale: of the ratings; None = the observed one.
        text_columns: of items.csv that make the texts, by the names in the file; None = those that
            hold words.
        words: what items, pictures and ratings are called
            (:func:`~bonmf_lib.datasets.words.given_words` checks them).
        columns: the file's names of columns by ours: ``{"user": "customer_id"}``.
        form: how the tables are written.
        decimal: the sign before the decimals of ratings, years, ages and what counts as a number
            among texts, ``.`` or ``,``.
        core: users and items with fewer ratings are left out, again and again; 0 = none are.
        duplicates: what counts where a user rated an item again, one of
            :data:`~bonmf_lib.datasets.duplicates.RULES`.
        reviews: the column of the ratings whose texts become items' texts
            (:mod:`~bonmf_lib.datasets.reviews`); None = none.
        vectors: file or folder of the items' own vectors by modality, from the folder.
        unknown_items: whether ratings of items that items.csv does not list are refused, or left
            out.
    """

    scale: RatingScale | None = None
    text_columns: tuple[str, ...] | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    form: TableForm = UTF8
    decimal: str = _DECIMALS[0]
    core: int = 0
    duplicates: str = RULES[0]
    reviews: str | None = None
    vectors: Mapping[str, str] = field(default_factory=dict)
    unknown_items: str = _UNKNOWN_ITEMS[0]


def read_settings(path: Path) -> FolderSettings:
    """The settings of a ``dataset.toml``.

    Raises:
        DatasetError: no TOML in UTF-8, an unknown key (names the nearest known one), or a value
            that cannot be; names the file and the mend.
    """
    found = _toml(path)
    for key in found:
        if key not in _SETTINGS and key not in OURS:
            raise DatasetError(f"{path}: {unknown_name('key', key, (*_SETTINGS, *OURS))}")
    texts = ("separator", "encoding", "duplicates", "reviews", "text_vectors", "image_vectors")
    for key in (*texts, *OURS):
        if key in found and not (isinstance(found[key], str) and found[key]):
            raise DatasetError(f"{path}: {key} must be a text in quotes, got {found[key]!r}.")
    if (core := found.get("core", 0)) is not None and (type(core) is not int or core < 0):
        raise DatasetError(f"{path}: core must be a whole number from 0, got {core!r}.")
    rule = found.get("duplicates", RULES[0])
    if rule not in RULES:
        raise DatasetError(f"{path}: {unknown_name('rule for duplicates', rule, RULES)}")
    unknown = found.get("unknown_items", _UNKNOWN_ITEMS[0])
    if unknown not in _UNKNOWN_ITEMS:
        raise DatasetError(f"{path}: {unknown_name('rule of items', unknown, _UNKNOWN_ITEMS)}")
    if (decimal := found.get("decimal", _DECIMALS[0])) not in _DECIMALS:
        raise DatasetError(f'{path}: decimal must be "." or ",", got {decimal!r}.')
    columns = found.get("text_columns")
    if columns is not None and not (
        isinstance(columns, list) and all(isinstance(column, str) for column in columns)
    ):
        raise DatasetError(f"{path}: text_columns must be a list of column names.")
    return FolderSettings(
        scale=_scale(path, found["scale"]) if "scale" in found else None,
        text_columns=None if columns is None else tuple(columns),
        words=found.get("words", {}),
        columns={ours: found[ours].strip() for ours in OURS if ours in found},
        form=_form(path, found.get("separator", ","), found.get("encoding", "utf-8")),
        decimal=decimal,
        core=core,
        duplicates=rule,
        reviews=found.get("reviews"),
        vectors={
            modality: found[f"{modality}_vectors"]
            for modality in ("text", "image")
            if f"{modality}_vectors" in found
        },
        unknown_items=unknown,
    )


def _toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: is not UTF-8; save it as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no valid TOML: {error}.") from error
    except OSError as error:
        raise DatasetError(
            f"{path}: cannot be read ({error.strerror}); mend or replace it."
        ) from error


def _form(path: Path, separator: str, encoding: str) -> TableForm:
    separator = "\t" if separator == "\\t" else separator  # in TOML's single quotes
    if separator not in SEPARATORS:
        known = ", ".join(repr(sign) for sign in SEPARATORS)
        raise DatasetError(f"{path}: separator must be one of {known}, got {separator!r}.")
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        name = ""
    if name not in _ENCODINGS:
        raise DatasetError(
            f"{path}: the encoding {encoding[:40]!r} is not known here; save the tables as UTF-8."
        )
    return TableForm(separator, name)


def _scale(path: Path, scale: object) -> RatingScale:
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
    return RatingScale(*scale)
