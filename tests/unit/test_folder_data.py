"""Other people's folders: what is odd stays as it is or is refused with file, line and mend, and
nothing is guessed."""

import gzip
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest

from bonmf_lib.datasets import item_table, load_dataset, tables
from bonmf_lib.datasets.enough import FEWEST_RATINGS
from bonmf_lib.encoders.image import decode
from bonmf_lib.errors import BonmfError, DatasetError
from bonmf_lib.splits.rules import Ratio

RATINGS = ["1,a,5", "1,b,3", "2,a,1", "2,b,4", "3,a,2", "3,b,5", "4,a,3", "4,b,1"]
ITEMS = ["a,Alpha,Drama,A long tale,images/a.jpg", "b,Beta,,,"]


def made(
    tmp_path: Path,
    ratings=RATINGS,
    items=ITEMS,
    header="user,item,rating",
    listed="item,title,genres,plot,image",
):
    (tmp_path / "ratings.csv").write_text("\n".join([header, *ratings]) + "\n", encoding="utf-8")
    (tmp_path / "items.csv").write_text("\n".join([listed, *items]) + "\n", encoding="utf-8")
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "images" / "a.jpg").write_bytes(b"any")
    return tmp_path


def load(folder, content="full"):
    return load_dataset(f"folder:{folder}", content)


# ---- ratings


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(
            ["9,a,inf"], "line 10: the rating is infinite",
            marks=pytest.mark.case(
                "data", "a rating of inf, -inf or 1e400", "refused with file and line"
            ),
        ),
        (["9,a,-inf"], "line 10: the rating is infinite"),
        (["9,a,1e400"], "line 10: the rating is infinite"),
        (["9,a,nan"], "line 10: the rating 'nan' is no number"),
        (["9,a,NA"], "line 10: the rating 'NA' is no number"),
        (['9,a,"4,5"'], "line 10: the rating '4,5' has a decimal comma; write decimal ="),
        (['9,a,"4,5"', "9,b,4.0"], "line 10: the rating '4,5' has a decimal comma, and others a"),
        (["9,a,1_0"], "line 10: the rating '1_0' is no number"),
        (["9,,4"], "line 10: 'item' is empty"),
        (["  ,a,4"], "line 10: 'user' is empty"),
        pytest.param(
            ["9,a,99999"],
            "line 10: the rating 99999 lies far from most others, the next of which is 5; "
            ".*scale =",
            marks=pytest.mark.case(
                "data", "ratings of 1 to 5 and a 99999, no scale declared", "refused with the line"
            ),
        ),
        (
            ["9,a,-999"],
            "line 10: the rating -999 lies far from most others, the next of which is 1",
        ),
        (["9,a,99", "9,b,100"], "line 10: the rating 99 lies far from most others"),
        (
            ["9,a,12", *(f"{n},a,{n * n}" for n in range(10, 40))],
            "line 40: the rating 1521 is 1520 above the lowest",
        ),
        pytest.param(
            ["9,a,3.00001"],
            "line 10: the rating 3.00001 is only 1e-05 from another.*declare scale",
            marks=pytest.mark.case(
                "data", "steps of 1e-05 between a few ratings", "refused with the line"
            ),
        ),
        pytest.param(
            ["9,a"], "line 10: has 2 fields where the header names 3",
            marks=pytest.mark.case(
                "data", "rows with a field too few or too many", "refused with the line"
            ),
        ),
        (["9,a,4,4"], "line 10: has 4 fields where the header names 3"),
        pytest.param(
            ['9,"a,4', "9,b,4"], "line 10: in the row that begins here a quote is not closed",
            marks=pytest.mark.case(
                "data", "a quote that is not closed", "refused with the line where its row begins"
            ),
        ),
        (['9,"a"b,4'], "line 10: in the row that begins here a quote is not closed or not alone"),
        (["9," + "a" * 200_000 + ",4"], "line 10: .* more than 131,072 characters"),
        pytest.param(
            ["9,a\0,4"], "line 10: holds NUL bytes",
            marks=pytest.mark.case("data", "NUL bytes in a CSV file", "refused with the line"),
        ),
        pytest.param(
            ["9,c,4"], r"line 10: the ratings name the item c, which items\.csv lacks",
            marks=pytest.mark.case(
                "data", "a rating of an item that items.csv lacks", "refused with the line"
            ),
        ),
        (["1,b,4"], "line 10: the same user and item were rated before"),
    ],
)  # fmt: skip
def test_bad_rows_name_file_line_and_mend(tmp_path, rows, message):
    with pytest.raises(DatasetError, match=rf"ratings\.csv, {message}"):
        load(made(tmp_path, [*RATINGS, *rows]))


@pytest.mark.case("data", "a constant rating", "refused: nothing can be learnt from it")
def test_a_constant_rating_is_refused(tmp_path):
    rows = [row[:-1] + "4" for row in RATINGS]
    with pytest.raises(DatasetError, match="every rating is 4; nothing"):
        load(made(tmp_path, rows))
    (tmp_path / "dataset.toml").write_text("scale = [1, 5, 1]")
    with pytest.raises(DatasetError, match="every rating is 4"):
        load(tmp_path)


@pytest.mark.case("data", "fewer ratings than a split needs", "refused, with the least number")
def test_the_fewest_ratings_are_those_that_a_split_needs(tmp_path):
    with pytest.raises(DatasetError, match=r"holds 7 ratings; .* needs at least 8"):
        load(made(tmp_path, RATINGS[:-1]))
    data = load(made(tmp_path, RATINGS))
    assert len(data.ratings) == FEWEST_RATINGS
    for seed in range(5):
        split = Ratio().split(data, seed, valid=0.1)
        assert len(split.train) and len(split.valid) and len(split.test)


def test_continuous_ratings_are_taken_with_a_warning(tmp_path):
    rows = [f"{n},a,{1 + n**1.1 / 60:.4f}" for n in range(90)]
    with pytest.warns(
        UserWarning, match=r"90 different ratings from 1 to 3\.3.* are taken to be continuous"
    ):
        assert len(load(made(tmp_path, rows)).ratings) == 90
    (tmp_path / "dataset.toml").write_text("scale = [1, 5, 0.0001]")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* taken to be continuous")
        load(tmp_path, "packaged")


@pytest.mark.parametrize(
    "scale",
    [
        range(1, 6),
        range(1, 11),
        range(101),
        [1, 1.5, 2, 5],
        [0, 1],
        [-10, 0, 10],
        [1, 10],
        [1, 4.5, 5],
    ],
)
def test_usual_scales_are_inferred(tmp_path, scale):
    rows = [f"{user},{item},{value}" for user, value in enumerate([*scale] * 4) for item in "ab"]
    found = load(made(tmp_path, rows)).scale
    assert (found.low, found.high) == (min(scale), max(scale))


# ---- timestamps


@pytest.mark.case(
    "data", "timestamps that are negative, 1e30 or text among numbers", "refused with the line"
)
@pytest.mark.parametrize(
    "stamp", ["-1", "1e30", "inf", "yesterday", "2020-01-01", "9007199254740993000"]
)
def test_bad_timestamps(tmp_path, stamp):
    rows = [f"{row},{n}" for n, row in enumerate(RATINGS)]
    rows[4] = f"{RATINGS[4]},{stamp}"
    with pytest.raises(
        DatasetError, match=r"ratings\.csv, line 6: 'timestamp' is no number of seconds since 1970"
    ):
        load(made(tmp_path, rows, header="user,item,rating,timestamp"))


def test_unknown_and_fractional_timestamps(tmp_path):
    stamps = ["0", "1368748800", "1.5", "", "NA", "nan", " 7 ", "99999999999"]
    rows = [f"{row},{stamp}" for row, stamp in zip(RATINGS, stamps, strict=True)]
    found = load(made(tmp_path, rows, header="user,item,rating,timestamp")).ratings["timestamp"]
    assert found.fillna(-1).tolist() == [0, 1368748800, 2, -1, -1, -1, 7, 99999999999]


# ---- ids and texts


@pytest.mark.case("data", "007, NA, None, nan, null or 1.0 as ids or titles", "stay themselves")
def test_ids_and_titles_stay_as_they_are_written(tmp_path):
    odd = ["007", "NA", "None", "nan", "null", "1.0", "inf", "True", "1e3", "#N/A"]
    data = load(
        made(
            tmp_path,
            [f"{u},{i},{1 + n % 5}" for n, u in enumerate(odd) for i in odd],
            [f"{i},{i},,," for i in odd],
        )
    )
    assert data.items["raw_id"].tolist() == data.users["raw_id"].tolist() == sorted(odd)
    assert data.items["title"].tolist() == data.items["text"].tolist() == sorted(odd)
    assert len(data.ratings) == 100


def test_whole_numbers_are_ordered_as_numbers_and_all_else_as_text(tmp_path):
    rows = [f"{user},{item},{1 + user % 5}" for user in (10, 9, -1, 100) for item in (2, 10)]
    data = load(made(tmp_path, rows, ["10,Ten,,,", "2,Two,,,"]))
    assert data.users["raw_id"].tolist() == [-1, 9, 10, 100]
    assert data.items["raw_id"].tolist() == [2, 10]
    assert data.ratings["user"].tolist()[:2] == [2, 2]
    data = load(made(tmp_path, [*rows, "x,2,1"], ["10,Ten,,,", "2,Two,,,", f"{2**63},Vast,,,"]))
    assert data.users["raw_id"].tolist() == ["-1", "10", "100", "9", "x"]
    assert data.items["raw_id"].tolist() == ["10", "2", str(2**63)]


@pytest.mark.case(
    "data",
    "7 and 007, or 1 and 1.0, as ids",
    "two ids, with a warning; refused where a table lacks one",
)
def test_one_number_written_in_two_ways_counts_as_two_with_a_warning(tmp_path):
    with pytest.warns(
        UserWarning,
        match="the users 7 and 007 are one number written in two ways, and count as two",
    ):
        data = load(made(tmp_path, [*RATINGS, "7,a,1", "007,a,2"]))
    assert {"7", "007"} < set(data.users["raw_id"])
    with pytest.raises(
        DatasetError,
        match=r"name the item 1\.0, which items\.csv lacks \(it lists 1: write ids alike\)",
    ):
        load(made(tmp_path, [f"{n},1.0,{1 + n % 5}" for n in range(9)], ["1,One,,,"]))


def test_spaces_around_ids_and_names_of_columns_do_not_count(tmp_path):
    rows = [row.replace(",", ", ") for row in RATINGS]
    data = load(made(tmp_path, rows, header="user, item, rating"))
    assert (data.n_users, data.n_items) == (4, 2)
    assert data.users["raw_id"].dtype == "int64"


@pytest.mark.case(
    "data", "an item whose description is empty, or no text columns at all", "its title is its text"
)
def test_the_title_remains_the_text(tmp_path):
    assert load(made(tmp_path)).items["text"].tolist() == ["Alpha. Drama. A long tale", "Beta"]
    made(tmp_path, items=["a,Alpha", "b,Beta"], listed="item,title")
    (tmp_path / "images/a.jpg").unlink()
    data = load(tmp_path)
    assert data.items["text"].tolist() == ["Alpha", "Beta"]
    assert data.items["plot"].isna().all()
    assert (
        data.has("text")
        and not data.has("image")
        and not data.has("genres")
        and not data.has("demographics")
    )
    (made(tmp_path) / "dataset.toml").write_text("text_columns = []")
    assert load(tmp_path).items["text"].tolist() == ["Alpha", "Beta"]


@pytest.mark.case(
    "hostile",
    "titles of 100,000 letters, control signs, emoji, letters from right to left",
    "drawn on cards",
)
def test_odd_titles_are_drawn(tmp_path, empty_cache):
    odd = [
        "x" * 100_000,
        "\x1b[31m\x07",
        "\u202eabc",
        "\U0001f3ac" * 40,
        "a\u0300" * 500,
        "&#1;b",
        "%s{}$\\frac{$",
        "\u2028",
    ]
    items = [f'i{n},"{title} t"' for n, title in enumerate(odd)]
    rows = [f"u,i{n},{1 + n % 5}" for n in range(len(odd))]
    data = load(made(tmp_path, rows, items, listed="item,title"), "packaged")
    assert all(decode(Path(card).read_bytes()) is not None for card in data.items["image"])
    with pytest.warns(UserWarning, match="1 titles are empty, the first on line 2"):
        data = load(made(tmp_path, rows, ["i0,&#1; &nbsp;", *items[1:]], listed="item,title"))
    (untitled,) = data.items[data.items["raw_id"] == "i0"].itertuples()
    assert untitled.title == "i0" and untitled.text != untitled.text


# ---- tables


@pytest.mark.case(
    "data",
    "fields that hold newlines, and empty lines between rows",
    "messages still name the right line",
)
def test_lines_are_right_behind_newlines_in_fields_and_empty_lines(tmp_path):
    items = ['a,"Al\npha\n",,,', "", "", "b,Beta,,,", '"c","",,,']
    with pytest.warns(UserWarning, match=r"items\.csv: 1 titles are empty, the first on line 8"):
        load(made(tmp_path, items=items))
    with pytest.raises(
        DatasetError, match=r"items\.csv, line 8: the item b is listed twice, first on line 7"
    ):
        load(made(tmp_path, items=[*items[:4], "b,Beta,,,"]))
    for end in ("\r\n", "\r"):
        text = end.join(["item,title", "a,Alpha", "", "b,", ""])
        (tmp_path / "items.csv").write_bytes(text.encode())
        with pytest.warns(
            UserWarning, match=r"items\.csv: 1 titles are empty, the first on line 4"
        ):
            load(tmp_path)
    with pytest.raises(DatasetError, match=r"ratings\.csv, line 12: the rating is infinite"):
        load(made(tmp_path, ["", *RATINGS, "  ", "9,a,inf"]))


def test_lines_longer_than_what_is_read_at_once(tmp_path):
    plot = "long " * 20_000
    items = [f'i{n},"Title{end}{n}",,{plot},' for n, end in enumerate(["\r\n", "\n", "\r"] * 8)]
    folder = made(tmp_path, [f"u{n},i{n},{1 + n % 5}" for n in range(24)], items)
    data = load(folder)
    assert data.n_items == 24
    assert data.items["plot"].str.len().eq(len(plot.strip())).all()
    (folder / "items.csv").write_bytes((folder / "items.csv").read_bytes() + b"x,,,,\n")
    with pytest.warns(UserWarning, match="1 titles are empty, the first on line 50"):
        load(folder)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        pytest.param(
            "latin-1", r"items\.csv, line 3: is not UTF-8 \(byte 0xe9\); save the file as UTF-8",
            marks=pytest.mark.case(
                "data", "a file in Latin-1 or UTF-16", "save as UTF-8, with the first bad line"
            ),
        ),
        (
            "utf-16",
            r"items\.csv, line 1: holds NUL bytes \(is it UTF-16\?\); save the file as UTF-8",
        ),
    ],
)  # fmt: skip
def test_other_encodings(tmp_path, encoding, message):
    folder = made(tmp_path)
    (folder / "items.csv").write_text("item,title\na,Alpha\nb,Amélie\n", encoding=encoding)
    with pytest.raises(DatasetError, match=message):
        load(folder)
    (folder / "items.csv").write_text("item,title\na,Alpha\nb,Amélie\n", encoding="utf-8-sig")
    assert load(folder).items["title"].tolist() == ["Alpha", "Amélie"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        pytest.param(
            "user,thing,verdict",
            "'item' is missing; the header must name user, item, rating, "
            "it names user, thing, verdict",
            marks=pytest.mark.case(
                "data", "a column that is missing", "the columns that were found are listed"
            ),
        ),
        pytest.param(
            "user;item;rating", "the fields are separated by semicolons; save the file with commas",
            marks=pytest.mark.case("data", "fields separated by semicolons or tabs", "said so"),
        ),
        ("user\titem\trating", "separated by tabs"),
        ("user,item,rating,rating", "names the column 'rating' twice"),
    ],
)  # fmt: skip
def test_bad_headers(tmp_path, header, message):
    with pytest.raises(DatasetError, match=message):
        load(made(tmp_path, header=header))


@pytest.mark.case(
    "data", "both ratings.csv and ratings.csv.gz", "refused: which one counts is not guessed"
)
def test_two_files_of_ratings(tmp_path):
    (made(tmp_path) / "ratings.csv.gz").write_bytes(
        gzip.compress((tmp_path / "ratings.csv").read_bytes())
    )
    with pytest.raises(
        DatasetError, match=r"holds both ratings\.csv and ratings\.csv\.gz; keep one"
    ):
        load(tmp_path)
    (tmp_path / "ratings.csv").unlink()
    assert len(load(tmp_path).ratings) == 8


@pytest.mark.case("data", "a packed file that is cut, changed or not packed at all", "one sentence")
def test_damaged_packed_files(tmp_path):
    whole = gzip.compress((made(tmp_path) / "ratings.csv").read_bytes())
    (tmp_path / "ratings.csv").unlink()
    flipped = bytearray(whole)
    flipped[-6] ^= 1  # of the checksum
    broken = whole[:12] + b"\xff" * 20 + whole[32:]
    for data in (whole[:-20], whole[:5], bytes(flipped), broken, b"user,item,rating\n"):
        (tmp_path / "ratings.csv.gz").write_bytes(data)
        with pytest.raises(DatasetError, match=r"ratings\.csv\.gz: is a damaged gzip file"):
            load(tmp_path)


@pytest.mark.case("hostile", "a packed table that unpacks without end", "refused at a stated limit")
def test_a_table_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_BYTES", 2**21)
    folder = made(tmp_path)
    (folder / "ratings.csv").unlink()
    (folder / "ratings.csv.gz").write_bytes(gzip.compress(b"user,item,rating\n" + bytes(2**22)))
    with pytest.raises(DatasetError, match="holds more than 2,097,152 bytes in all"):
        load(folder)
    monkeypatch.setattr(tables, "_LONGEST_LINE", 2**19)
    with pytest.raises(DatasetError, match="524,288 in a line"):
        load(folder)


# ---- pictures, years, users, settings, the folder itself


@pytest.mark.case(
    "hostile",
    "pictures named by absolute paths, .. or links out of the folder",
    "refused with the line",
)
@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret.jpg", "images/../../secret.jpg", "link.jpg", "inside"]
)
def test_pictures_outside_the_folder(tmp_path, name):
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    made(
        folder,
        items=[ITEMS[0], f"b,Beta,,,{folder / 'images/a.jpg' if name == 'inside' else name}"],
    )
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(
        DatasetError, match=r"items\.csv, line 3: the picture '.*' lies outside the folder"
    ):
        load(folder)


@pytest.mark.case(
    "data",
    "pictures named by 300 characters, a folder, a link to itself",
    "missing, counted and named",
)
@pytest.mark.parametrize(
    "name",
    ["x" * 300, "images", "loop.jpg", "images/a.jpg/b", "NA", "\\\\host\\a.jpg", "\u202e.jpg"],
)
def test_pictures_that_cannot_be_files_count_as_missing(tmp_path, name):
    made(tmp_path, items=[ITEMS[0], f"b,Beta,,,{name}"])
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    with pytest.warns(
        UserWarning, match=r"items\.csv: 1 pictures named there do not exist .* on line 3"
    ):
        assert load(tmp_path).items["image"].isna().tolist() == [False, True]


@pytest.mark.case(
    "data",
    "a year of 1e30, abcd or 1994.5 BC",
    "unknown, with a warning that names the first and its line",
)
@pytest.mark.parametrize("year", ["1e30", "abcd", "inf", "-12000", "1994 BC"])
def test_years_that_cannot_be(tmp_path, year):
    folder = made(tmp_path, items=["a,Alpha,1994", f"b,Beta,{year}"], listed="item,title,year")
    with pytest.warns(
        UserWarning, match=rf"items\.csv: 1 years are no numbers .* '{year}' on line 3"
    ):
        data = load(folder, "packaged")
    assert data.items["year"].fillna(0).tolist() == [1994, 0]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".* years are no numbers")
        made(tmp_path, items=["a,Alpha,NA", "b,Beta,-2200"], listed="item,title,year")
        assert load(folder).items["year"].fillna(0).tolist() == [0, -2200]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["1,F,30,baker", "2,F,30,baker"],
            r"ratings\.csv, line 6: the ratings name the user 3, which users\.csv lacks",
        ),
        (
            ["1,F,30,baker", "1,F,30,baker"],
            r"users\.csv, line 3: the user 1 is listed twice, first on line 2",
        ),
        (["1,F,30,baker", ",F,30,baker"], r"users\.csv, line 3: 'user' is empty"),
    ],
)
def test_bad_users(tmp_path, rows, message):
    (made(tmp_path) / "users.csv").write_text("\n".join(["user,gender,age,occupation", *rows]))
    with pytest.raises(DatasetError, match=message):
        load(tmp_path)


def test_what_is_unknown_of_users(tmp_path):
    rows = ["1,F,30,NA", "2,,-5,baker", "3,nan,abc,baker", "4,M,,"]
    (made(tmp_path) / "users.csv").write_text("\n".join(["user,gender,age,occupation", *rows]))
    with pytest.warns(UserWarning, match=r"users\.csv: 2 ages are no numbers .* '-5' on line 3"):
        users = load(tmp_path).users
    assert users["gender"].fillna("?").tolist() == ["F", "?", "?", "M"]
    assert users["age"].fillna(0).tolist() == [30, 0, 0, 0]
    assert users["occupation"].fillna("?").tolist() == ["?", "baker", "baker", "?"]


@pytest.mark.case(
    "data", "a declared scale of inf, nan, true, text or unreachable steps", "refused with the file"
)
@pytest.mark.parametrize(
    ("scale", "message"),
    [
        ("[1, inf, 1]", "must be finite"),
        ("[nan, 5, 1]", "must be finite"),
        ("[1, 1e300, 1e299]", "must be finite, no number beyond"),
        ("[true, 5, 1]", "three numbers"),
        ('["1", 5, 1]', "three numbers"),
        ("[1, 5]", "three numbers"),
        ("{low = 1}", "three numbers"),
        ("[1, 5, 3]", "does not reach its highest rating in whole steps"),
        ("[1, 5, 8]", "does not reach its highest rating in whole steps"),
        ("[1, 5, 5e-324]", "does not reach its highest rating in whole steps"),
        ("[5, 1, 1]", "must rise"),
        ("[1, 5, 1" + "0" * 5000 + "]", "no valid TOML"),
        ("[" * 5000, "no valid TOML"),
        ("[1, 5, 1]\0", "no valid TOML"),
    ],
)
def test_bad_scales(tmp_path, scale, message):
    (made(tmp_path) / "dataset.toml").write_text(f"scale = {scale}")
    with pytest.raises(DatasetError, match=rf"dataset\.toml.*{message}"):
        load(tmp_path)


@pytest.mark.case("data", "folder: alone, a file, a folder that may not be read", "one sentence")
@pytest.mark.parametrize("name", ["", "  ", "absent", "x" * 5000, "nul\0", "file.txt"])
def test_folders_that_are_none(tmp_path, monkeypatch, name):
    (tmp_path / "file.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match="give a path"):
        load(name)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def forbidden(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(DatasetError, match="cannot be read: Permission denied; allow reading it"):
        load(made(tmp_path))


def test_folders_where_files_should_be(tmp_path):
    (made(tmp_path) / "items.csv").unlink()
    (tmp_path / "items.csv").mkdir()
    with pytest.raises(DatasetError, match=r"items\.csv: cannot be read \(Is a directory\)"):
        load(tmp_path)


# ---- what must stay, and what must never happen


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [
        ("boardgames", "94f919ebf1bd"),
        ("anime", "15ad5cddaaa4"),
        ("amazon-office", "18a465ffc354"),
        ("xwines", "8ec80e3b1172"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*are taken to be continuous")
def test_published_folders_keep_their_rows(name, fingerprint):
    """Published runs depend on these: the fingerprint, the scale, and the order of ids and rows."""
    data = load(Path(os.environ["BONMF_MIRROR"]) / name)
    assert data.fingerprint.startswith(fingerprint)
    first = data.ratings[["user", "item", "rating"]].head(3).to_numpy().tolist()
    sizes = (data.n_users, data.n_items, len(data.ratings))
    assert (sizes, first, data.items["raw_id"].head(3).tolist()) == PUBLISHED[name]
    assert (
        data.items["raw_id"].is_monotonic_increasing
        and data.users["raw_id"].is_monotonic_increasing
    )


PUBLISHED = {
    "boardgames": ((199, 402, 59_293), [[0, 112, 1.0], [0, 113, 1.0], [0, 208, 1.0]], [3, 5, 10]),
    "anime": ((4714, 7157, 419_943), [[0, 0, 8.0], [0, 2, 5.0], [0, 4, 9.0]], [1, 2, 3]),
    "amazon-office": ((4905, 2420, 53_258), [[0, 0, 5.0], [0, 1, 5.0], [0, 2, 1.0]], [0, 1, 2]),
    "xwines": ((10_561, 1007, 150_000), [[0, 54, 3.5], [0, 98, 4.5], [0, 204, 5.0]], [0, 1, 2]),
}
ODD = [
    "",
    '"',
    ",",
    "\n",
    "\r",
    "\0",
    "inf",
    "nan",
    "NA",
    "-1",
    "1e400",
    "007",
    "é",
    ";",
    "\t",
    "\ufeff",
    "..",
    "/",
    "a" * 300,
]


@pytest.mark.case(
    "data",
    "CSV files, settings, vectors and packed files with random changes",
    "loaded or one sentence, never a traceback",
)
@pytest.mark.parametrize("seed", range(3))
def test_random_changes_load_or_give_one_sentence(tmp_path, empty_cache, monkeypatch, seed):
    monkeypatch.setattr(item_table, "title_cards", lambda items: ["card.png"] * len(items))
    chance = random.Random(seed)
    (made(tmp_path) / "users.csv").write_text(
        "user,gender,age\n" + "".join(f"{user},F,30\n" for user in range(1, 5))
    )
    (tmp_path / "dataset.toml").write_text(
        'scale = [1, 5, 1]\nseparator = ","\nencoding = "utf-8"\nduplicates = "mean"\ncore = 1\n'
    )
    np.save(tmp_path / "text.npy", np.ones((2, 3)))
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    whole["ratings.csv.gz"] = gzip.compress(whole["ratings.csv"])
    loaded = 0
    for number in range(200):
        changed = dict(whole)
        changed.pop("ratings.csv" if number % 5 == 0 else "ratings.csv.gz")
        for name in chance.sample(sorted(changed), 1 + number % 2):
            data = changed[name]
            for _ in range(chance.randint(1, 3)):
                start = chance.randrange(len(data) + 1)
                new = (
                    chance.choice(ODD).encode()
                    if chance.random() < 0.7
                    else chance.randbytes(chance.randint(1, 4))
                )
                data = data[:start] + new + data[start + chance.randint(0, 6) :]
            changed[name] = data
        for name in whole:
            (tmp_path / name).unlink(missing_ok=True)
        for name, data in changed.items():
            (tmp_path / name).write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                found = load(tmp_path, chance.choice(["full", "packaged"]))
                assert found.ratings["rating"].between(found.scale.low, found.scale.high).all()
                assert len(found.fingerprint) == 64
        except BonmfError as error:
            assert "\n" not in str(error).strip() or "TOML" in str(error)
            continue
        loaded += 1
    assert 0 < loaded < 200
