"""What a data set's items, pictures and ratings are called in generated sentences and figures."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import DatasetError


@dataclass(frozen=True)
class Words:
    """One item, several of them, one of their pictures, and the unit of a rating (plural)."""

    item: str = "item"
    items: str = "items"
    picture: str = "picture"
    unit: str = "points"


ITEMS = Words()
_MOVIES = Words("movie", "movies", "poster", "stars")
_PRODUCTS = Words("product", "products", "photograph", "stars")
_KNOWN = {
    "ml-100k": _MOVIES,
    "ml-1m": _MOVIES,
    "boardgames": Words("game", "games", "cover", "points"),
    "anime": Words("anime", "anime", "poster", "points"),
    "amazon-office": _PRODUCTS,
    "amazon-baby": _PRODUCTS,
    "amazon-sports": _PRODUCTS,
    "amazon-baby-stars": _PRODUCTS,
    "amazon-sports-stars": _PRODUCTS,
    "tiktok": Words("video", "videos", "cover", "points"),
    "xwines": Words("wine", "wines", "label", "stars"),
}


def shown_name(dataset: str) -> str:
    """A data set's name for readers: records of a folder's data call it ``folder:<name>``."""
    return dataset.removeprefix("folder:")


def words_of(dataset: str) -> Words:
    """The words of a data set by its name; of data that nobody gave words for, general ones."""
    return _KNOWN.get(shown_name(dataset), ITEMS)


def upper_first(text: str) -> str:
    """Text as it begins a sentence; its other letters stay as they are."""
    return text[:1].upper() + text[1:]


def given_words(dataset: str, given: Any, source: str) -> Words:
    """The words of a data set with those that its owner gave, a table of texts by the names of
    :class:`Words`.

    Raises:
        DatasetError: another key, or no text; ``source`` is the file to name.
    """
    known = asdict(words_of(dataset))
    if not isinstance(given, dict) or not all(
        isinstance(word, str) and word.strip() for word in given.values()
    ):
        raise DatasetError(
            f'{source}: words must be a table of texts, for instance {{item = "wine"}}.'
        )
    if unknown := set(given) - set(known):
        raise DatasetError(
            f"{source}: unknown word {min(unknown)!r}; only {', '.join(known)} are known."
        )
    return replace(words_of(dataset), **given)
