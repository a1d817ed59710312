"""What the cells of a column are: words, or what tells a model of texts nothing."""

import re

import numpy as np
import pandas as pd

from .cells import numbers, unknown

_NEARLY_ALL = 0.95  # of a column's cells, which make it what they are
_FLAGS = ("true", "false", "yes", "no")
_CURRENCY = (
    r"(?:(?:US|CA|A)?\$|[€£¥₹₩₽]|USD|EUR|GBP|JPY|CHF|INR|AUD|CAD|CNY|RMB|BRL|SEK|NOK|DKK|PLN"
    r"|RUB|TRY|KRW)"
)
_AMOUNT = r"[-+]?\d(?:[\d.,'\s]*\d)?"
_PRICE = rf"{_CURRENCY}\s*{_AMOUNT}|{_AMOUNT}\s*(?:{_CURRENCY}|%)"
_CODE = r"(?=\S*\d)\S+"  # one word with a digit: SKU-17, B003D7NSPG, 2020-01-01
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\s*(?:[AP]M)?\s*(?:Z|UTC|GMT|[-+]\d\d:?\d\d)?"
_TIME = rf"\d{{1,4}}([-/.])\d{{1,2}}\1\d{{1,4}}[T\s]+{_CLOCK}"
_ADDRESS = r"[\['\",|]*(?:https?://|www\.|ftp://)\S+"
_DOMAIN = (
    r"(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|info|biz|io|co|app|dev|shop|tv|de|fr|uk|it|es|nl|pl"
    r"|ru|jp|cn|br|in|ca|au|eu|us|ch|at|se|dk|fi|be)(?:[:/]\S*)?"
)
_MAIL = r"[^\s@]+@[^\s@]+\.[a-z]+"
_LINK = re.compile(rf"{_ADDRESS}|{_DOMAIN}|{_MAIL}", re.IGNORECASE)
_FILE = re.compile(
    r"[^|]+\.(?:jpe?g|png|webp|gif|bmp|tiff?|svg|avif|heic|mp[34]|pdf)", re.IGNORECASE
)
_NO_WORDS = re.compile(_PRICE, re.IGNORECASE)
_CODES = re.compile(rf"{_CODE}|{_TIME}", re.IGNORECASE)


def kind(cells: pd.Series, decimal: str = ".") -> tuple[str, pd.Series]:
    """What at least ``_NEARLY_ALL`` of a column's known cells are, and those that are something
    else: ``numbers`` (also prices, percentages, and yes or no), ``links`` (also several in one
    cell, addresses of mail, names of picture files) or ``codes`` (one word with a digit each, or
    a time of a day), whichever most are; or else ``words``; of a column without any, ``nothing``.
    """
    filled = cells[~unknown(cells)].str.strip()
    codes, names = pd.factorize(filled)
    if not len(names):
        return "nothing", filled
    plain = numbers(pd.Series(names), decimal).notna().to_numpy()
    forms = {"numbers": _is_amount, "links": _are_links, "codes": _CODES.fullmatch}
    fits = {name: np.array([bool(form(cell)) for cell in names]) for name, form in forms.items()}
    fits["numbers"] |= plain
    what = max(fits, key=lambda name: fits[name][codes].sum())  # of equals the first
    fitting = fits[what][codes]
    if fitting.mean() < _NEARLY_ALL:
        return "words", filled[:0]
    return what, filled[~fitting]


def _is_amount(cell: str) -> bool:
    return cell.lower() in _FLAGS or _NO_WORDS.fullmatch(cell) is not None


def _are_links(cell: str) -> bool:
    if _FILE.fullmatch(cell):
        return True
    parts = [part.strip(",;") for part in re.split(r"[\s|]+", cell)]
    return all(_LINK.fullmatch(part) for part in parts if part) and any(parts)
