"""Folders broken in every way that strangers' folders are: case -> files -> the whole sentence."""

import gzip
import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from bonmf_lib.datasets import load_dataset
from bonmf_lib.errors import DatasetError

USERS, ITEMS = "rstuvw", "abcdef"
ROWS = [
    f"{user},{item},{1 + (3 * place + 2 * number) % 5}"
    for number, user in enumerate(USERS)
    for place, item in enumerate(ITEMS)
]


def table(header: str, rows: list[str]) -> str:
    return "\n".join([header, *rows, ""])


def rated(*more: str, header: str = "user,item,rating", rows: list[str] = ROWS) -> dict:
    """36 ratings, the last on line 37, and more."""
    return {"ratings.csv": table(header, [*rows, *more])}


def dated(others: dict[int, str], usual: str = "2020-01-31") -> dict:
    """Ratings with dates; some, by their places from 0, have others."""
    rows = [f"{row},{others.get(place, usual)}" for place, row in enumerate(ROWS)]
    return rated(header="user,item,rating,date", rows=rows)


def listed(header: str = "item,title", **cells: str) -> dict:
    """An item a row, Alpha on line 2; cells follow the title."""
    names = dict(zip(ITEMS, ("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta"), strict=True))
    rows = [f"{item},{names[item]}{cells.get(item, cells.get('each', ''))}" for item in ITEMS]
    return {"items.csv": table(header, rows)}


def array(values, **options) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(values), **options)
    return out.getvalue()


def toml(text: str) -> dict:
    return {"dataset.toml": text}


@dataclass(frozen=True)
class Folder:
    """A whole folder with some files in place of its own (None: without, a path: a link to it);
    ``says`` is what is said, with ``{}`` for the folder."""

    case: str
    files: dict = field(hash=False)
    says: str
    content: str = "full"
    items: int = 6  # that an odd one holds
    view: str = ""  # behind the folder's name

    def written(self, path: Path) -> Path:
        folder = path / "toys"
        for name, content in (rated() | listed() | self.files).items():
            if content is None:
                continue
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                (folder / name).symlink_to(content)
            else:
                (folder / name).write_bytes(
                    content if isinstance(content, bytes) else content.encode()
                )
        return folder


LATIN = table("item,title", [f"{item},Café {item}" for item in ITEMS])
ONCE = [f"u{place},{ITEMS[2 + place % 4]},{1 + place % 5}" for place in range(40)]
NINE = [f"{user},{item},{rating}" for rating, user in enumerate("xyz", 1) for item in "abc"]
STAMPED = {"header": "user,item,rating,timestamp", "rows": [f"{row},1600000000" for row in ROWS]}
INTER = table(
    "userID\titemID\trating\tx_label",
    [f"{n}\t{p}\t{1 + (3 * p + 2 * n) % 5}\t{p // 2}" for n in range(6) for p in range(6)],
)
VECTORS = np.arange(1.0, 13).reshape(6, 2)
REVIEWS = (
    "comments", "user_reviews", "top_review", "review_headline", "reviews_text", "customerReview",
    "verified_reviews", "feedback", "topreview",
)  # fmt: skip
SAID = rated(
    header="user,item,rating,words,brand",
    rows=[f"{row},{row[0]} likes it as {row[2]},Acme {row[2]}" for row in ROWS],
) | listed(
    "item,title,about,maker",
    **{item: f",s likes it as {item},Acme {item}" for item in "ab"},
    each=",,",
)

BROKEN = [
    # columns
    Folder(
        "a needed column is missing",
        rated(header="user,thing,rating"),
        "{}/ratings.csv: the column 'item' is missing; the header must name user, "
        "item, rating, it names user, thing, rating.",
    ),
    Folder(
        "a declared column is missing",
        toml('rating = "grade"'),
        "{}/ratings.csv: has no column 'grade', which dataset.toml names as rating; "
        "it names user, item, rating.",
    ),
    Folder(
        "a column declared twice",
        toml('user = "user"\nitem = "user"'),
        "{}/ratings.csv: dataset.toml names the column 'user' as user and as item; name one for "
        "each.",
    ),
    Folder(
        "a needed column declared as another",
        toml('rating = "user"'),
        "{}/ratings.csv: dataset.toml names the column 'user' as rating, which leaves none as "
        "user; correct it, or name that one too.",
    ),
    Folder(
        "two columns could be the user",
        rated(header="customer_id,member,item,rating", rows=[f"x,{row}" for row in ROWS]),
        "{}/ratings.csv: 'customer_id' and 'member' could each be the user; write "
        'user = "customer_id" in dataset.toml, or the other.',
    ),
    Folder(
        "a column is there twice",
        rated(header="user,item,rating,rating"),
        "{}/ratings.csv: the header names the column 'rating' twice; rename or drop one.",
    ),
    Folder(
        "a declared column is there twice",
        rated(header="user,item,grade,grade", rows=[f"{row},1" for row in ROWS])
        | toml('rating = "grade"'),
        "{}/ratings.csv: the header names the column 'grade' twice; rename or drop one.",
    ),
    Folder(
        "a usual other name is there twice",
        rated(header="user,item,stars,stars", rows=[f"{row},1" for row in ROWS]),
        "{}/ratings.csv: the header names the column 'stars' twice; rename or drop one.",
    ),
    # how files are written
    Folder(
        "semicolons, not declared",
        {"ratings.csv": rated()["ratings.csv"].replace(",", ";")},
        "{}/ratings.csv: the fields are separated by semicolons; save the file with "
        "commas, or write separator = ';' in dataset.toml.",
    ),
    Folder(
        "commas in the ratings, semicolons among the items",
        {"items.csv": listed()["items.csv"].replace(",", ";")},
        "{}/items.csv: the fields are separated by semicolons; save the file with commas, as "
        "ratings.csv is.",
    ),
    Folder(
        "colons between the fields",
        {"ratings.csv": rated()["ratings.csv"].replace(",", "::")},
        "{}/ratings.csv: the fields are separated by '::'; save the file with commas.",
    ),
    Folder(
        "spaces between the fields",
        {"ratings.csv": rated()["ratings.csv"].replace(",", " ")},
        "{}/ratings.csv: the fields are separated by spaces; save the file with commas.",
    ),
    Folder(
        "a spreadsheet's separator in the first row",
        {"ratings.csv": "sep=,\n" + rated()["ratings.csv"]},
        "{}/ratings.csv: the first row tells a spreadsheet the separator; delete it.",
    ),
    Folder(
        "a comment in the first row",
        {"ratings.csv": "# of 2020, all\n" + rated()["ratings.csv"]},
        "{}/ratings.csv: the first row begins with '#', as a comment does; delete it, or the sign "
        "where columns are named behind it.",
    ),
    Folder(
        "no header",
        {"ratings.csv": table(ROWS[0], ROWS[1:])},
        "{}/ratings.csv: the first row, r, a, 1, names no columns; add one above it with user, "
        "item, rating.",
    ),
    Folder(
        "no header, and the same number twice in the first row",
        {"ratings.csv": table("1,1,5", ROWS)},
        "{}/ratings.csv: the first row, 1, 1, 5, names no columns; add one above it with user, "
        "item, rating.",
    ),
    Folder(
        "UTF-8 with a mark, declared as another encoding",
        {"ratings.csv": rated()["ratings.csv"].encode("utf-8-sig")} | toml('encoding = "cp1252"'),
        "{}/ratings.csv: begins as UTF-8 does, and dataset.toml names the encoding cp1252; drop it "
        "there, or save the file so.",
    ),
    Folder(
        "Latin-1, not declared",
        {"items.csv": LATIN.encode("latin-1")},
        "{}/items.csv, line 2: is not UTF-8 (byte 0xe9); save the file as UTF-8.",
    ),
    Folder(
        "UTF-16, not declared",
        {"items.csv": LATIN.encode("utf-16")},
        "{}/items.csv, line 1: holds NUL bytes (is it UTF-16?); save the file as UTF-8.",
    ),
    Folder(
        "another encoding than the declared one",
        {"items.csv": LATIN.encode("latin-1")} | toml('encoding = "ascii"'),
        "{}/items.csv, line 2: is not ascii, which dataset.toml names; correct the "
        "encoding there, or save the file as UTF-8.",
    ),
    Folder(
        "UTF-16 that is none",
        toml('encoding = "utf-16"'),
        "{}/ratings.csv, line 1: is not utf-16, which dataset.toml names; correct the "
        "encoding there, or save the file as UTF-8.",
    ),
    Folder(
        "an encoding that is none of texts",
        toml('encoding = "zip"'),
        "{}/dataset.toml: the encoding 'zip' is not known here; save the tables as UTF-8.",
    ),
    Folder(
        "a separator of two signs",
        toml('separator = "::"'),
        "{}/dataset.toml: separator must be one of ',', ';', '\\t', '|', got '::'.",
    ),
    Folder(
        "NUL bytes",
        rated("x,a,\0"),
        "{}/ratings.csv, line 38: holds NUL bytes (is it UTF-16?); save the file as UTF-8.",
    ),
    Folder(
        "an open quote",
        rated('x,"a,4', "y,b,4"),
        "{}/ratings.csv, line 38: in the row that begins here a quote is not closed "
        "or not alone in its field, or a field has more than 131,072 characters "
        "(unexpected end of data); mend it.",
    ),
    Folder(
        "a field too many",
        rated("x,a,4,4"),
        "{}/ratings.csv, line 38: has 4 fields where the header names 3; mend the "
        "row (a field that holds a comma must stand in double quotes).",
    ),
    Folder(
        "an empty file", {"ratings.csv": ""}, "{}/ratings.csv: is empty; supply a header and rows."
    ),
    Folder(
        "a header alone",
        rated(rows=[]),
        "{}/ratings.csv: holds no ratings; supply at least one row below the header.",
    ),
    Folder(
        "packed and not packed",
        {"ratings.csv.gz": gzip.compress(b"user,item,rating\n")},
        "{} holds both ratings.csv and ratings.csv.gz; keep one of them.",
    ),
    Folder(
        "ratings in two layouts",
        {"toys.inter": INTER},
        "{} holds both toys.inter and ratings.csv; keep one.",
    ),
    Folder(
        "a packed file that is none",
        {"ratings.csv": None, "ratings.csv.gz": b"user"},
        "{}/ratings.csv.gz: is a damaged gzip file (Not a gzipped file (b'us')); replace it.",
    ),
    Folder(
        "items without a row, beside pictures",
        {"items.csv": table("item,title", []), "images/a.jpg": b"x"},
        "{}/ratings.csv, line 2: the ratings name the item a, which items.csv lacks; add its row "
        'or drop its ratings, or write unknown_items = "drop" in dataset.toml (36 bad rows in '
        "all).",
    ),
    Folder(
        "a spreadsheet called CSV",
        {"ratings.csv": b"PK\x03\x04\x14\0\x06\0\n\0"},
        "{}/ratings.csv: is a packed file, as spreadsheets are; save it as CSV in UTF-8.",
    ),
    Folder(
        "ratings in a file of another form",
        {"ratings.csv": None, "Ratings.tsv": rated()["ratings.csv"].replace(",", "\t")},
        "{} holds no ratings.csv or ratings.csv.gz, and does not read Ratings.tsv; add one with "
        "user, item, rating.",
    ),
    Folder(
        "no items.csv",
        {"items.csv": None},
        "{} holds no items.csv or items.csv.gz; add one with item, title.",
    ),
    # ids
    Folder(
        "a rating of an unknown item",
        rated("x,z,4"),
        "{}/ratings.csv, line 38: the ratings name the item z, which items.csv "
        'lacks; add its row or drop its ratings, or write unknown_items = "drop" in dataset.toml '
        "(1 bad rows in all).",
    ),
    Folder(
        "an id in capitals",
        rated("x,A,4"),
        "{}/ratings.csv, line 38: the ratings name the item A, which items.csv lacks (it lists a: "
        'write ids alike); add its row or drop its ratings, or write unknown_items = "drop" in '
        "dataset.toml (1 bad rows in all).",
    ),
    Folder(
        "an id with a sign that cannot be seen",
        rated("x,a\u200b,4"),
        "{}/ratings.csv, line 38: the ratings name the item a\u200b, which items.csv lacks (it "
        "lists a: write ids alike); add its row or drop its ratings, or write unknown_items = "
        '"drop" in dataset.toml (1 bad rows in all).',
    ),
    Folder(
        "a declared column that no table has",
        toml('user = "customer"'),
        "{}/dataset.toml: no table has a column 'customer', which is named there as user; "
        "correct it.",
    ),
    Folder(
        "hardly any rating of a listed item, the others dropped",
        {"items.csv": table("item,title", ["a,Alpha"])}
        | toml('unknown_items = "drop"')
        | rated(
            rows=[f"u{place},{'a' if place < 3 else 'z'},{1 + place % 5}" for place in range(40)]
        ),
        "{}/ratings.csv: 37 ratings are of items that are not listed; the other 3 are too few or "
        "all alike. List them.",
    ),
    Folder(
        "ids written in two ways, all others dropped",
        rated(rows=[f"{place},{place}.0,{1 + place % 5}" for place in range(9)])
        | {"items.csv": table("item,title", [f"{place},T{place}" for place in range(9)])}
        | toml('unknown_items = "drop"'),
        "{}/ratings.csv: 9 ratings are of items that are not listed; the other 0 are too few or "
        "all alike. List them (it lists 0: write ids alike).",
    ),
    Folder(
        "users packed and not",
        {"users.csv": table("user,age", ["r,30"]), "users.csv.gz": b"x"},
        "{} holds both users.csv and users.csv.gz; keep one of them.",
    ),
    Folder(
        "one date written otherwise",
        dated({18: "2020/01/31"}),
        "{}/ratings.csv, line 20: the time '2020/01/31' is no date such as 2020-01-31, as most "
        "others are; write all alike, or leave it empty (1 bad rows in all).",
    ),
    Folder(
        "a day that no month has, seconds among dates, and a date that is not known",
        dated({4: "", 18: "2020-02-31", 20: "1600000000"}),
        "{}/ratings.csv, line 20: the time '2020-02-31' is no date such as 2020-01-31, as most "
        "others are; write all alike, or leave it empty (2 bad rows in all).",
    ),
    Folder(
        "one date among seconds",
        dated({18: "2020-01-31"}, "1600000000"),
        "{}/ratings.csv, line 20: 'timestamp' is no number of seconds since 1970 (0 to "
        "9,007,199,254,740,992); correct it (or write all as 2020-01-31), leave it empty or drop "
        "the column (1 bad rows in all).",
    ),
    Folder(
        "an unknown rule of items",
        toml('unknown_items = "forget"'),
        "{}/dataset.toml: Unknown rule of items 'forget'. Known: drop, refuse.",
    ),
    Folder(
        "an item twice, behind a cell of several lines",
        {"items.csv": table("item,title", ['a,"Al\n\npha"', *(f"{i},X" for i in "bcdefb")])},
        "{}/items.csv, line 10: the item b is listed twice, first on line 5; keep one row.",
    ),
    Folder(
        "a user whom users.csv lacks",
        {"users.csv": table("user,age", ["r,30"])},
        "{}/ratings.csv, line 8: the ratings name the user s, which users.csv lacks; "
        "add its row or drop its ratings (30 bad rows in all).",
    ),
    Folder(
        "numbers here, decimals there",
        rated(rows=[f"{place},{place}.0,{1 + place % 5}" for place in range(9)])
        | {"items.csv": table("item,title", [f"{place},T{place}" for place in range(9)])},
        "{}/ratings.csv, line 2: the ratings name the item 0.0, which items.csv "
        "lacks (it lists 0: write ids alike); add its row or drop its ratings, or write "
        'unknown_items = "drop" in dataset.toml (9 bad rows in all).',
    ),
    # ratings
    Folder(
        "a rating of inf",
        rated("x,a,inf"),
        "{}/ratings.csv, line 38: the rating is infinite; correct or drop the row (1 "
        "bad rows in all).",
    ),
    Folder(
        "a rating that is no number",
        rated("x,a,good"),
        "{}/ratings.csv, line 38: the rating 'good' is no number; correct it or drop the row (1 "
        "bad rows in all).",
    ),
    Folder(
        "a rating that is empty",
        rated("x,a,"),
        "{}/ratings.csv, line 38: 'rating' is empty or no number; fill it in or drop "
        "the row (1 bad rows in all).",
    ),
    Folder(
        "a rating that no float32 holds",
        rated("x,a,1e300"),
        "{}/ratings.csv, line 38: the rating 1e+300 lies far from most others, the next of which "
        "is 5; correct the row, or declare scale = [low, high, step] in dataset.toml.",
    ),
    Folder(
        "decimal commas, not declared",
        {"ratings.csv": table("user;item;rating", [f"{r.replace(',', ';')},5" for r in ROWS])}
        | {"items.csv": table("item;title", [f"{item};T" for item in ITEMS])}
        | toml('separator = ";"'),
        "{}/ratings.csv, line 2: the rating '1,5' has a decimal comma; write decimal = \",\" in "
        "dataset.toml (36 bad rows in all).",
    ),
    Folder(
        "a decimal comma among points",
        rated('x,a,"3,5"', "y,b,n.a.", "z,c,3.5"),
        "{}/ratings.csv, line 38: the rating '3,5' has a decimal comma, and others a point; write "
        "all alike (2 bad rows in all).",
    ),
    Folder(
        "a decimal comma beside a word with points",
        rated('x,a,"3,5"', "y,b,n.a."),
        "{}/ratings.csv, line 38: the rating '3,5' has a decimal comma; write decimal = \",\" in "
        "dataset.toml (2 bad rows in all).",
    ),
    Folder(
        "a decimal point among declared commas",
        rated("x,a,3.5") | toml('decimal = ","'),
        "{}/ratings.csv, line 38: the rating '3.5' has a decimal point, and dataset.toml says "
        'decimal = ","; write all alike (1 bad rows in all).',
    ),
    Folder(
        "decimals of another sign",
        toml('decimal = ";"'),
        '{}/dataset.toml: decimal must be "." or ",", got \';\'.',
    ),
    Folder(
        "ratings in percent",
        rated("x,a,80 %"),
        "{}/ratings.csv, line 38: the rating '80 %' is a percentage; write the number alone, 80 "
        "(1 bad rows in all).",
    ),
    Folder(
        "ratings that name their scale",
        rated("x,a,4/5", "y,a,4.5 out of 5"),
        "{}/ratings.csv, line 38: the rating '4/5' names its scale; write the number alone, 4, "
        "and the scale in dataset.toml (2 bad rows in all).",
    ),
    Folder(
        "a constant rating",
        rated(rows=[f"{row[:4]}4" for row in ROWS]),
        "{}/ratings.csv: every rating is 4; nothing can be learnt from a constant, "
        "supply the ratings that people gave. Clicks and purchases without ratings are "
        "read from a file name.inter, as MMRec has it.",
    ),
    Folder(
        "ratings that float32 cannot tell apart",
        rated(rows=[f"{row[:4]}3{'.00000001' * (row[0] == 'r')}" for row in ROWS]),
        "{}/ratings.csv: every rating is 3; nothing can be learnt from a constant, "
        "supply the ratings that people gave. Clicks and purchases without ratings are "
        "read from a file name.inter, as MMRec has it.",
    ),
    Folder(
        "seven ratings",
        rated(rows=ROWS[:7]),
        "{}/ratings.csv: holds 7 ratings; a split in training, validation and test "
        "needs at least 8, add some.",
    ),
    Folder(
        "1 to 5 and a 99999",
        rated("x,a,99999"),
        "{}/ratings.csv, line 38: the rating 99999 lies far from most others, the "
        "next of which is 5; correct the row, or declare scale = [low, high, step] "
        "in dataset.toml.",
    ),
    Folder(
        "a step of 0.00001",
        rated("x,a,3.00001"),
        "{}/ratings.csv, line 38: the rating 3.00001 is only 1e-05 from another, too "
        "narrow a step; correct the row, or declare scale = [low, high, step] in "
        "dataset.toml.",
    ),
    Folder(
        "a rating off the declared scale",
        toml("scale = [1, 4, 1]"),
        "{}/ratings.csv, line 5: the rating 5 is off the scale 1 to 4 in steps of 1; "
        "correct or drop the row (7 bad rows in all).",
    ),
    Folder(
        "half of the times bad",
        rated("x,a,4,yesterday", "y,a,4,-5", **STAMPED),
        "{}/ratings.csv, line 38: 'timestamp' is no number of seconds since 1970 (0 "
        "to 9,007,199,254,740,992); correct it (or write all as 2020-01-31), leave it "
        "empty or drop the column (2 bad rows in all).",
    ),
    Folder(
        "milliseconds among seconds",
        rated("x,a,4,1600000000000", "y,a,4,", **STAMPED),
        "{}/ratings.csv, line 38: the time 1600000000000 is of another unit than 1600000000 on "
        "line 2; give all of them in seconds.",
    ),
    Folder(
        "a pair rated twice",
        rated("r,a,3"),
        "{}/ratings.csv, line 38: the same user and item were rated before, on line "
        '2 (1 such rows in all); keep one of them, or write duplicates = "last" '
        "in dataset.toml.",
    ),
    Folder(
        "a pair rated twice, with times",
        rated("r,a,3,1600000001", **STAMPED),
        "{}/ratings.csv, line 38: the same user and item were rated before, on line "
        '2 (1 such rows in all); keep one of them, or write duplicates = "latest" '
        "in dataset.toml.",
    ),
    Folder(
        "the latest of two without times",
        rated("r,a,3") | toml('duplicates = "latest"'),
        '{}/ratings.csv, line 2: duplicates = "latest" needs the time of every '
        'rating that was given again; fill it in, or choose "last" or "mean".',
    ),
    Folder(
        "a core that nobody is in",
        toml("core = 20"),
        "{}/dataset.toml: core = 20 leaves no ratings, since no users and items have so many of "
        "one another; lower it.",
    ),
    Folder(
        "a core that nobody is in, by the name",
        rated(),
        "folder:toys: no rating of at least 5 is left of which every user and item has at least 4; "
        "ask for less.",
        view="+from5+core4",
    ),
    Folder(
        "a core of four equal ratings",
        rated("x,a,3", "x,b,3", "y,a,3", "y,b,3", rows=ONCE) | toml("core = 2"),
        "{}/dataset.toml: core = 2 leaves 4 ratings; a split in training, validation and test "
        "needs at least 8, leave out fewer.",
    ),
    Folder(
        "a core of equal ratings",
        rated(*(f"{user},{item},3" for user in "xyz" for item in "abc"), rows=ONCE)
        | toml("core = 2"),
        "{}/dataset.toml: core = 2 leaves ratings of 3 only; nothing can be learnt from a "
        "constant, leave out fewer.",
    ),
    Folder(
        "a core of equal ratings, by the name",
        rated(*(f"{user},{item},3" for user in "xyz" for item in "abc"), rows=ONCE),
        "folder:{}: +core2 leaves ratings of 3 only; nothing can be learnt from a constant, leave "
        "out fewer.",
        view="+core2",
    ),
    Folder(
        "hardly any of the highest rating, by the name",
        rated(),
        "folder:{}: +from5 leaves 7 ratings; a split in training, validation and test needs at "
        "least 8, leave out fewer.",
        view="+from5",
    ),
    Folder(
        "a core of few ratings, by the name",
        rated("x,a,3", "x,b,3", "y,a,3", "y,b,3", rows=ONCE),
        "folder:{}: +from2+core2 leaves 4 ratings; a split in training, validation and test needs "
        "at least 8, leave out fewer.",
        view="+from2+core2",
    ),
    Folder(
        "one pair again and again, by a rule",
        rated(rows=[f"r,a,{1 + place % 5}" for place in range(20)]) | toml('duplicates = "last"'),
        '{}/ratings.csv: duplicates = "last" leaves 1 ratings; a split in training, validation '
        "and test needs at least 8, leave out fewer.",
    ),
    # dataset.toml
    Folder(
        "no TOML",
        toml("scale = [1, 5"),
        "{}/dataset.toml is no valid TOML: Unclosed array (at end of document).",
    ),
    Folder(
        "an unknown key",
        toml('text_column = "plot"'),
        "{}/dataset.toml: Unknown key 'text_column'. Did you mean 'text_columns'? "
        "Known: age, core, decimal, duplicates, encoding, gender, genres, image, "
        "image_vectors, item, occupation, rating, reviews, scale, separator, "
        "text_columns, text_vectors, timestamp, title, unknown_items, user, words, year.",
    ),
    Folder(
        "an unknown rule",
        toml('duplicates = "newest"'),
        "{}/dataset.toml: Unknown rule for duplicates 'newest'. Known: first, last, "
        "latest, mean, refuse.",
    ),
    Folder(
        "a scale without whole steps",
        toml("scale = [1, 5, 3]"),
        "{}/dataset.toml: scale [1, 5, 3] does not reach its highest rating in whole "
        "steps; correct it.",
    ),
    Folder(
        "a text column that is not there",
        toml('text_columns = ["plot"]'),
        "{}/dataset.toml: text column 'plot' is not in items.csv, which names item, title.",
    ),
    Folder(
        "a review as an item's text",
        rated(header="user,item,rating,review", rows=[f"{row},fine" for row in ROWS])
        | toml('text_columns = ["review"]'),
        "{}/dataset.toml: 'review' is of the ratings, and as an item's text would "
        'tell the tested ones; write reviews = "review", which leaves those out '
        "that it reads.",
    ),
    Folder(
        "a comment as an item's text",
        rated(header="user,item,rating,user_comments", rows=[f"{row},fine" for row in ROWS])
        | toml('text_columns = ["user_comments"]'),
        "{}/dataset.toml: 'user_comments' is of the ratings, and as an item's text would "
        'tell the tested ones; write reviews = "user_comments", which leaves those out '
        "that it reads.",
    ),
    Folder(
        "what people wrote as an item's text, by another name",
        SAID | toml('text_columns = ["about"]'),
        "{}/dataset.toml: text column 'about' holds what people wrote with their ratings, in their "
        "column 'words', and would tell the tested ones; take it out.",
    ),
    Folder(
        "reviews that are not there",
        toml('reviews = "review"'),
        "{}/ratings.csv: has no column 'review', which dataset.toml names as "
        "reviews; it names user, item, rating.",
    ),
    # pictures
    Folder(
        "a picture outside",
        listed("item,title,image", each=",../x.jpg"),
        "{}/items.csv, line 2: the picture '../x.jpg' lies outside the folder; move "
        "it inside and give its path from there.",
    ),
    Folder(
        "two pictures of an item",
        {"images/a.jpg": b"x", "images/a.png": b"x"},
        "{}/images: a.jpg and a.png are both pictures of the item a; keep one.",
    ),
    # vectors
    Folder(
        "vectors of fewer items",
        {"text.npy": array(VECTORS[:5])},
        "{}/text.npy: holds 5 rows, and items.csv lists 6 items; give one row for "
        "each, in their order.",
    ),
    Folder(
        "a vector with NaN",
        {"text.npy": array([[1.0, np.nan]] * 6)},
        "{}/text.npy: row 0, counted from 0, holds NaN, infinity or a number too "
        "large for float32; correct it, or give zeros where the vector is missing.",
    ),
    Folder(
        "a pickle in place of vectors",
        {"text.npy": array(np.array([{}] * 6), allow_pickle=True)},
        "{}/text.npy: cannot be read as arrays of numbers (Array can't be "
        "memory-mapped: Python objects in dtype.); replace it.",
    ),
    Folder(
        "one number per item",
        {"image.npy": array(np.ones(6))},
        "{}/image.npy: holds no table of numbers; save one row of them per item.",
    ),
    Folder(
        "vectors of zeros",
        {"image.npy": array(np.zeros((6, 2)))},
        "{}/image.npy: every vector is zero; give those of the items.",
    ),
    Folder(
        "vectors of two lengths",
        {f"image/{item}.npy": array(np.ones(3 + (item == "d"))) for item in ITEMS},
        "{}/image: a.npy holds 3 numbers and d.npy 4; give vectors of one length.",
    ),
    Folder(
        "vectors of other items",
        {"image/z.npy": array(np.ones(3))},
        "{}/image: no file is named after an item (a.npy), the first is z.npy; name "
        "them by the ids of items.csv.",
    ),
    Folder(
        "a picture's map in place of a vector",
        {"image/a.npy": array(np.ones((2, 2)))},
        "{}/image/a.npy: holds no single vector of numbers; save one per file.",
    ),
    Folder(
        "vectors of two networks",
        {
            f"visual_embeddings/torch/{name}/avgpool/a.npy": array(np.ones(3))
            for name in ("ResNet18", "ResNet50")
        },
        "{}: visual_embeddings/torch/ResNet18/avgpool and "
        "visual_embeddings/torch/ResNet50/avgpool both hold vectors; write "
        'image_vectors = "visual_embeddings/torch/ResNet18/avgpool" in '
        "dataset.toml, or the other.",
    ),
    Folder(
        "vectors outside",
        toml('text_vectors = "../text.npy"'),
        "{}/dataset.toml: text_vectors names '../text.npy', which is not in the "
        "folder; give a path from there.",
    ),
    *(
        Folder(
            f"vectors that no file can hold: {what}",
            toml(f'text_vectors = "{written}"'),
            f"{{}}/dataset.toml: text_vectors names {said!r}, which is not in the folder; give a "
            "path from there.",
        )
        for what, written, said in (
            ("NUL", r"a\u0000b", "a\0b"),
            ("5,000 characters", "a" * 5000, "a" * 80),
        )
    ),
    Folder(
        "title cards without titles",
        {"items.csv": table("item,brand", [f"{item},Acme" for item in ITEMS])},
        "{}/items.csv: packaged content is made of titles, and there is no column "
        "title; add it, or load with content=full.",
        "packaged",
    ),
]

ODD = [
    Folder(
        "tables of one layout beside ratings of the other",
        {"ratings.csv": None, "toys.inter": INTER} | toml("core = 2"),
        "{}: is read as MMRec lays it out, because it holds toys.inter; items.csv, dataset.toml "
        "beside it are not read.",
    ),
    Folder(
        "usual other names of columns",
        rated(header="Customer ID,ASIN,stars") | listed("product_id,Product Name"),
        "{}/ratings.csv: reads 'Customer ID' as user, 'ASIN' as item, 'stars' as "
        "rating; name other columns in dataset.toml if that is wrong.\n"
        "{}/items.csv: reads 'product_id' as item, 'Product Name' as title; name "
        "other columns in dataset.toml if that is wrong.",
    ),
    Folder(
        "Amazon's times of reviews",
        rated(header="user,item,rating,reviewTime", rows=[f'{row},"09 13, 2009"' for row in ROWS]),
        "{}/ratings.csv: reads 'reviewTime' as timestamp; name other columns in dataset.toml if "
        "that is wrong.\n"
        "{}/ratings.csv: times such as '09 13, 2009' are read as dates, in UTC unless they name a "
        "zone.",
    ),
    Folder(
        "Amazon's times of reviews beside their seconds",
        rated(
            header="user,item,rating,reviewTime,unixReviewTime",
            rows=[f'{row},"09 13, 2009",1252800000' for row in ROWS],
        ),
        "{}/ratings.csv: reads 'unixReviewTime' as timestamp; name other columns in dataset.toml "
        "if that is wrong.",
    ),
    *(
        Folder(
            f"links of pictures in a column called {name}",
            listed(f"item,title,{name}", each=",http://toys/a.jpg"),
            f"{{}}/items.csv: reads '{name}' as image; name other columns in dataset.toml if that "
            "is wrong.\n"
            "{}/items.csv: 6 pictures named there do not exist and count as missing: "
            + ", ".join(["'http://toys/a.jpg'"] * 5)
            + ", and 1 more (the first on line 2). 6 are web addresses: fetch them as "
            "images/<item>.jpg first.",
        )
        for name in ("image_url", "img_url", "thumbnail")
    ),
    Folder(
        "names of pictures behind a slash, of which one was fetched",
        listed("item,title,poster_path", a=",/kqJ.jpg", b=",/xyZ.jpg", each=",")
        | {"images/kqJ.jpg": b"x"},
        "{}/items.csv: reads 'poster_path' as image; name other columns in dataset.toml if that "
        "is wrong.\n"
        "{}/items.csv: 1 pictures named there are found in images/, by their names or their items' "
        "ids, as kqJ.jpg.\n"
        "{}/items.csv: 1 pictures named there do not exist and count as missing: '/xyZ.jpg' (the "
        "first on line 3).",
    ),
    Folder(
        "a cover beside its link",
        listed("item,title,cover,image_url", each=",,http://toys/a.jpg"),
        "{}/items.csv: reads 'cover' as image; name other columns in dataset.toml if that is "
        "wrong.\n"
        "{}/items.csv: no part of the texts are 'image_url' (links); text_columns in dataset.toml "
        "chooses others.",
    ),
    Folder(
        "ids alone in the table of items",
        listed("id,title"),
        "{}/items.csv: reads 'id' as item; name other columns in dataset.toml if that is wrong.",
    ),
    Folder(
        "ratings of items that are not listed, dropped",
        rated("r,z,4", "s,z,5") | toml('unknown_items = "drop"'),
        "{}/ratings.csv: 2 ratings of 1 items that are not listed are left out.",
    ),
    Folder(
        "days that are no dates here",
        rated(header="user,item,rating,date", rows=[f"{row},31/01/2020" for row in ROWS]),
        "{}/ratings.csv: reads 'date' as timestamp; name other columns in dataset.toml if that is "
        "wrong.\n"
        "{}/ratings.csv: the column that was taken for timestamp holds no seconds since 1970 and "
        "no dates such as 2020-01-31, and is not read.",
    ),
    Folder(
        "minus one for not rated",
        rated(rows=[*ROWS[:-2], *(f"{row[:4]}-1" for row in ROWS[-2:])]),
        "{}/ratings.csv: 6% of the ratings are -1, which counts as the lowest rating; drop these "
        "rows if it means that nothing was rated.",
    ),
    Folder(
        "pictures in a folder of another name",
        {"posters/a.jpg": b"x"},
        "{}/posters: is not read; pictures are read from images/, named by their items or by a "
        "column image of items.csv.",
    ),
    Folder(
        "few ratings",
        rated(rows=ROWS[:12]),
        "{}/ratings.csv: holds 12 ratings, too few to tell anything; give at least "
        "30, better thousands.",
    ),
    Folder(
        "users who rated once",
        rated(rows=[f"u{place},{row[2:]}" for place, row in enumerate(ROWS)]),
        "{}/ratings.csv: 36 of 36 users left one rating each, which tells nothing of "
        "their taste once it is tested; core = 2 in dataset.toml leaves them out.",
    ),
    Folder(
        "few ratings that a core leaves",
        rated(*NINE, rows=ONCE) | toml("core = 2"),
        "{}/ratings.csv: core = 2 leaves 9 ratings, too few to tell anything; give at least 30, "
        "better thousands.",
        items=3,
    ),
    Folder(
        "few ratings that a view leaves",
        rated(*NINE, rows=ONCE),
        "folder:{}: +core2 leaves 9 ratings, too few to tell anything; give at least 30, better "
        "thousands.",
        items=3,
        view="+core2",
    ),
    Folder(
        "users of whose ratings a view leaves one",
        rated(
            rows=[
                f"u{place},{item},{4 + place % 2 if item == 'a' else 1}"
                for place in range(40)
                for item in "abc"
            ]
        ),
        "folder:{}: 40 of 40 users left one rating each, which tells nothing of their taste once "
        "it is tested; +core2 behind the name leaves them out.",
        view="+from4",
    ),
    Folder(
        "the highest rating alone, by the name",
        rated(rows=[f"{u},{i},{5 if u + i != 'ra' else 1}" for u in USERS for i in ITEMS]),
        "folder:{}: +from5 leaves ratings of 5 only, which are read as pairs without ratings: "
        "items are ranked, and no rating is predicted.",
        view="+from5",
    ),
    Folder(
        "users who rated once, left out",
        rated("q,a,3") | toml("core = 2"),
        "",
    ),
    Folder(
        "an item that was rated once, left out by the name",
        rated(rows=[row for row in ROWS if row[2] != "f" or row[0] == "r"]),
        "",
        items=5,
        view="+core2",
    ),
    Folder(
        "7 and 007",
        rated("7,a,1", "7,b,1", "007,a,2", "007,b,2"),
        "{}: the users 7 and 007 are one number written in two ways, and count as "
        "two; write them alike if they are one.",
    ),
    Folder(
        "days as times",
        rated(header=STAMPED["header"], rows=[f"{row},2020-01-31" for row in ROWS]),
        "{}/ratings.csv: times such as '2020-01-31' are read as dates, in UTC unless "
        "they name a zone.",
    ),
    Folder(
        "times in nanoseconds",
        rated(header=STAMPED["header"], rows=[f"{row},1600000000000000000" for row in ROWS]),
        "{}/ratings.csv: times such as 1600000000000000000 are read as nanoseconds since 1970.",
    ),
    Folder(
        "a pair rated twice, by a rule",
        rated("r,a,3") | toml('duplicates = "mean"'),
        '{}/ratings.csv: by duplicates = "mean" 36 of 37 ratings are kept, one for '
        "each user and item.",
    ),
    Folder(
        "reviews beside the ratings",
        rated(header="user,item,rating,reviewText", rows=[f"{row},fine" for row in ROWS]),
        "{}/ratings.csv: 'reviewText' is not read: what people write with a rating "
        'tells it, also when it is tested. reviews = "reviewText" in dataset.toml '
        "reads a fifth and leaves their ratings out.",
    ),
    Folder(
        "links and codes beside the titles",
        listed(
            "item,title,url,sku,price,brand",
            **{item: f",http://toys/{item},SKU-{ord(item)},1.5,Acme" for item in ITEMS},
        ),
        "{}/items.csv: no part of the texts are 'url' (links), 'sku' (codes); "
        "text_columns in dataset.toml chooses others.",
    ),
    Folder(
        "seven lost pictures",
        listed("item,title,image", **{i: f",{i}.jpg" for i in ITEMS}),
        "{}/items.csv: 6 pictures named there do not exist and count as missing: "
        "'a.jpg', 'b.jpg', 'c.jpg', 'd.jpg', 'e.jpg', and 1 more (the first on line "
        "2).",
    ),
    Folder(
        "pictures on the web",
        listed("item,title,image", a=",http://toys/a.jpg", each=","),
        "{}/items.csv: 1 pictures named there do not exist and count as missing: "
        "'http://toys/a.jpg' (the first on line 2). 1 are web addresses: fetch them "
        "as images/<item>.jpg first.",
    ),
    Folder(
        "pictures on the web that were fetched",
        listed("item,title,image", a=",http://toys/a.jpg", b=",blue.png", each=",")
        | {"images/a.jpg": b"x", "images/blue.png": b"x"},
        "{}/items.csv: 2 pictures named there are found in images/, by their names or their "
        "items' ids, as a.jpg.",
    ),
    Folder(
        "titles that were unknown before they were written",
        {
            "items.csv": table(
                "item,title", ["a,None", "b,nan", "c,nan", *(f"{item},T" for item in "def")]
            )
        },
        "{}/items.csv: 2 titles are 'nan', and are read as such; leave the cells empty if it means "
        "that they are unknown.",
    ),
    Folder(
        "titles that were unknown, in two cases",
        {
            "items.csv": table(
                "item,title", ["a,NaN", "b,nan", "c,None", *(f"{item},T" for item in "def")]
            )
        },
        "{}/items.csv: 2 titles are 'NaN' or 'nan', and are read as such; leave the cells empty if "
        "it means that they are unknown.",
    ),
    Folder(
        "an empty title",
        {"items.csv": table("item,title", [f"{item},{'x' * (item != 'b')}" for item in ITEMS])},
        "{}/items.csv: 1 titles are empty, the first on line 3; these items are called by their "
        "ids.",
    ),
    Folder(
        "links beside an unknown one",
        listed("item,title,site", each=",http://toys/x", a=",N/A"),
        "{}/items.csv: no part of the texts are 'site' (links); text_columns in dataset.toml "
        "chooses others.",
    ),
    Folder(
        "a price on request and an article without a number",
        {
            "items.csv": table(
                "item,title,price,sku",
                [f"{item},T,12.5,SKU-1" for item in (*ITEMS, *range(33))]
                + ["x,T,on request,GIFTCARD"],
            )
        },
        "{}/items.csv: no part of the texts are 'price' (numbers, but for 1 cells as 'on "
        "request'), 'sku' (codes, but for 1 cells as 'GIFTCARD'); text_columns in dataset.toml "
        "chooses others.",
        items=40,
    ),
    Folder(
        "a genre for each item",
        {
            "items.csv": table(
                "item,title,genres", [f"{item},T,{item}|g{item}" for item in (*ITEMS, *range(45))]
            )
        },
        "{}/items.csv: holds 102 different genres, and models read none of them as fields: each is "
        "of one item.",
        items=51,
    ),
    Folder(
        "an occupation for each user",
        {
            "users.csv": table(
                "user,occupation", [f"{user},job {user}" for user in (*USERS, *range(114))]
            )
        },
        "{}/users.csv: holds 120 different occupations, and models read none of them as fields: "
        "each is of one user.",
    ),
    Folder(
        "more genres than models read",
        {
            "items.csv": table(
                "item,title,genres",
                [
                    f"{item},T,no. {place}|no. {place + 1}"
                    for place, item in enumerate((*ITEMS, *range(114)))
                ],
            )
        },
        "{}/items.csv: holds 121 different genres, and models read 100 of them as fields: those of "
        "most items, each of at least two.",
        items=120,
    ),
    Folder(
        "tables without names beside the texts",
        listed(
            "item,title,crew",
            a=""",\"[{'id': 1, 'job': 'Cook'}]\"""",
            b=""",\"[{'name': 'Ann'}, {'na\"""",
            c=""",\"[{'name': 'Ann'}]\"""",
            each=",",
        ),
        "{}/items.csv: 2 cells of 'crew' hold tables without a name or cut off, the first on line "
        "2, which are not read.",
    ),
    Folder(
        "titles that are numbers",
        {"items.csv": table("item,title,about", [f"{item},{ord(item)},A toy" for item in ITEMS])},
        "{}/items.csv: the titles are numbers and no part of the texts; title in dataset.toml "
        "names another column.",
    ),
    Folder(
        "prices, flags and places of pictures beside the texts",
        listed("item,title,price,new,thumb,mail", each=",$ 3.99,True,/a.jpg,ann@toys.org"),
        "{}/items.csv: no part of the texts are 'thumb' (links), 'mail' (links); text_columns in "
        "dataset.toml chooses others.",
    ),
    Folder(
        "links with commas and apostrophes",
        listed("item,title,page", each=',"http://toys/Paris,_Texas"', a=",http://toys/Schindler's"),
        "{}/items.csv: no part of the texts are 'page' (links); text_columns in dataset.toml "
        "chooses others.",
    ),
    Folder(
        "many zeros",
        rated(rows=[f"{row[:4]}{0 if place % 2 else 3}" for place, row in enumerate(ROWS)]),
        "{}/ratings.csv: 50% of the ratings are 0, which counts as the lowest rating; drop these "
        "rows if it means that nothing was rated.",
    ),
    Folder(
        "several links in a cell",
        listed("item,title,sites", each=""",\"['https://toys/x.jpg', 'https://toys/y.jpg']\""""),
        "{}/items.csv: no part of the texts are 'sites' (links); text_columns in dataset.toml "
        "chooses others.",
    ),
    Folder(
        "means of ratings beside items",
        listed("item,title,avg_rating,reviews,score", each=",4.3 out of 5,I love it,4.3"),
        "{}/items.csv: no part of the texts are 'avg_rating' (tells ratings), 'reviews' (tells "
        "ratings); text_columns in dataset.toml chooses others.",
    ),
    *(
        Folder(
            f"reviews beside items, called {name}",
            listed(f"item,title,{name}", each=",I love it"),
            f"{{}}/items.csv: no part of the texts are '{name}' (tells ratings); text_columns in "
            "dataset.toml chooses others.",
        )
        for name in REVIEWS
    ),
    Folder(
        "names that are like those of reviews, and numbers of reviews",
        listed("item,title,preview,commentary,review_count", each=",a look,a word,17"),
        "",
    ),
    Folder(
        "comments, times and names of reviewers beside the ratings",
        rated(
            header="user,item,rating,reviewer_name,critic_review_date,review_id,user_comments",
            rows=[f"{row},Jo,2 March,R{place},fine" for place, row in enumerate(ROWS)],
        ),
        "{}/ratings.csv: 'user_comments' is not read: what people write with a rating "
        'tells it, also when it is tested. reviews = "user_comments" in dataset.toml '
        "reads a fifth and leaves their ratings out.",
    ),
    Folder(
        "what people wrote beside the items, and what each rating says of its item",
        SAID,
        "{}/items.csv: no part of the texts are 'about' (tells ratings); text_columns in "
        "dataset.toml chooses others.",
    ),
    Folder(
        "a part of what people wrote beside the items",
        SAID
        | listed("item,title,about", b=",Quote: r likes it as the b of old", each=",words")
        | rated(
            header="user,item,rating,words",
            rows=[f"{row},{row[0]} likes it as the {row[2]} of old" for row in ROWS],
        ),
        "{}/items.csv: no part of the texts are 'about' (tells ratings); text_columns in "
        "dataset.toml chooses others.",
    ),
    Folder(
        "all that people wrote of an item in one cell",
        rated(
            header="user,item,rating,words", rows=[f"{row},fine {row[0]}{row[2]}" for row in ROWS]
        )
        | listed("item,title,about", b=",fine sb; fine rb", each=",words"),
        "{}/items.csv: no part of the texts are 'about' (tells ratings); text_columns in "
        "dataset.toml chooses others.",
    ),
    Folder(
        "words of the raters that items share",
        rated(
            header="user,item,rating,country",
            rows=[f"{row},{'Peru' if row[0] < 't' else 'Cuba'}" for row in ROWS],
        )
        | listed("item,title,origin", a=",Peru", each=",Cuba"),
        "",
    ),
    Folder(
        "pictures named by the items",
        {"images/a.jpg": b"x", "images/z.jpg": b"x"},
        "{}/images: items.csv has no column image, so pictures are found by their "
        "names: 1 of 6 items have one, as a.jpg.\n"
        "{}/images: 1 of 2 files there are no item's picture: 1 named after no item ('z.jpg'). "
        "That of the item a is read as images/a.jpg.",
    ),
    Folder(
        "pictures named after nothing",
        {f"images/x{place}.jpg": b"x" for place in range(7)} | {"images/.hidden": b"x"},
        "{}/images: 7 of 7 files there are no item's picture: 7 named after no item ('x0.jpg', "
        "'x1.jpg', 'x2.jpg', 'x3.jpg', 'x4.jpg', and 2 more). That of the item a is read as "
        "images/a.jpg.",
    ),
    Folder(
        "pictures in folders, as ids with a slash name them",
        rated(rows=[row.replace(",a,", ",a/1,") for row in ROWS])
        | {"items.csv": listed()["items.csv"].replace("a,", "a/1,", 1)}
        | {"images/a/1.jpg": b"x", "images/b.jpg": b"x"},
        "{}/images: items.csv has no column image, so pictures are found by their names: 1 of 6 "
        "items have one, as b.jpg.\n"
        "{}/images: 1 of 2 files there are no item's picture: 1 folders ('a'). That of the item b "
        "is read as images/b.jpg. 1 items have ids that no file can have, as a/1; a column image "
        "can name their pictures.",
    ),
    Folder(
        "pictures with other endings, in a folder and in a link",
        {
            "images/a.avif": b"x",
            "images/b.tif": b"x",
            "images/sub/c.jpg": b"x",
            "images/d.jpg": Path("../items.csv"),
        },
        "{}/images: 4 of 4 files there are no item's picture: 2 with another ending than .jpg, "
        ".jpeg, .png, .webp, .gif, .bmp ('a.avif', 'b.tif'), 1 links ('d.jpg'), 1 folders ('sub'). "
        "That of the item a is read as images/a.jpg.",
    ),
    Folder(
        "pictures that a column does not name",
        listed("item,title,image", a=",images/a.jpg", c=",images/sub/c.jpg", each=",")
        | {f"images/{name}.jpg": b"x" for name in ("a", "b", "sub/c", "z")},
        "{}/images: 2 of 4 files there are no item's picture: 1 that the column image does not "
        "name ('b.jpg'), 1 named after no item ('z.jpg'). That of the item a is read where the "
        "column image names it.",
    ),
    Folder(
        "pictures that a column names, in a link inside the folder",
        listed("item,title,image", a=",images/a.jpg", c=",images/sub/c.jpg", each=",")
        | {"images": Path("covers.d"), "covers.d/a.jpg": b"x", "covers.d/sub/c.jpg": b"x"},
        "",
    ),
    Folder(
        "pictures in a link out of the folder",
        {"images": Path("/usr")},
        "{}/images: is a link out of the folder and is not read; move the pictures inside.",
    ),
    Folder(
        "a vector of zeros",
        {"text.npy": array(VECTORS * (VECTORS > 2))},
        "{}/text.npy: 1 of 6 items have no vector or one of zeros, and count as without text.",
    ),
    Folder(
        "two columns that could be the genres",
        listed("item,title,genre,category", each=",x,y"),
        "{}/items.csv: 'genre' and 'category' could each be the genres; write genres "
        '= "genre" in dataset.toml, or the other; neither is taken.',
    ),
]


def load(folder: Path, content: str = "full", view: str = ""):
    return load_dataset(f"folder:{folder}{view}", content)


def names(cases: list[Folder]) -> list[str]:
    return [case.case for case in cases]


@pytest.mark.case(
    "data",
    "more than thirty folders, each broken in its own way",
    "each refused in one sentence that names file, line and mend; all of it is compared",
)
@pytest.mark.parametrize("broken", BROKEN, ids=names(BROKEN))
def test_a_broken_folder_is_refused_in_one_sentence(tmp_path, broken):
    folder = broken.written(tmp_path)
    with pytest.raises(DatasetError) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)  # RuntimeWarning and others are none of ours
        load(folder, broken.content, broken.view)
    assert str(caught.value) == broken.says.replace("{}", str(folder))


@pytest.mark.case(
    "data",
    "folders that are odd but can be read",
    "loaded, with a sentence on what was taken for what",
)
@pytest.mark.parametrize("odd", ODD, ids=names(ODD))
def test_an_odd_folder_is_read_with_a_sentence(tmp_path, odd):
    folder = odd.written(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert load(folder, odd.content, odd.view).n_items == odd.items
    said = "\n".join(str(warning.message) for warning in caught)
    assert said == odd.says.replace("{}", str(folder))


def test_the_whole_folder_says_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load(Folder("whole", {}, "").written(tmp_path))
    assert (data.n_users, data.n_items, len(data.ratings)) == (6, 6, 36)
    assert len(BROKEN) > 30 and len({*names(BROKEN), *names(ODD)}) == len(BROKEN) + len(ODD)
