"""Folders that were not made for this study: other names, separators and encodings, pairs rated
twice, reviews, no titles, vectors of one's own."""

import gzip
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bonmf_lib.datasets import load_dataset, settings
from bonmf_lib.datasets.cells import seconds
from bonmf_lib.datasets.kinds import kind
from bonmf_lib.datasets.lists import names_in
from bonmf_lib.datasets.summary import coverage
from bonmf_lib.datasets.tables import same_numbers
from bonmf_lib.datasets.vectors import GIVEN
from bonmf_lib.encoders import encode_items
from bonmf_lib.experiments import absent, multimodal_ranking, table1
from bonmf_lib.experiments.protocols import on_control
from bonmf_lib.experiments.registry import EXPERIMENTS
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.storage import project_root

USERS, ITEMS = 12, 10
# items.csv lists them in no order
ORDER = [7, 0, 9, 3, 1, 8, 2, 6, 5, 4]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def ratings(users: int = USERS, items: int = ITEMS) -> pd.DataFrame:
    """Nobody rates everything, and every rating from 1 to 5 is there."""
    rows = [
        (user, item, 1 + (3 * user + 2 * item) % 5, 1_600_000_000 + 60 * (user + item))
        for user in range(users)
        for item in range(items)
        if (user + item) % 4
    ]
    return pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])


def made(folder: Path, toml: str = "", **columns) -> Path:
    """Ratings, items and what is said of them."""
    folder.mkdir(exist_ok=True)
    ratings().to_csv(folder / "ratings.csv", index=False)
    table = pd.DataFrame({"item": ORDER, "title": [f"Café n° {item}" for item in ORDER]} | columns)
    table.to_csv(folder / "items.csv", index=False)
    (folder / "dataset.toml").write_text(toml)
    return folder


def load(folder: Path, content: str = "full", view: str = ""):
    return load_dataset(f"folder:{folder}{view}", content)


# Ids


def test_long_ids_that_floats_cannot_tell_apart_are_not_one_number():
    long = ["104889500000000000001", "104889500000000000002"]
    assert same_numbers(pd.Series(long)) == []
    assert same_numbers(pd.Series([*long, f"0{long[1]}"])) == [long[1], f"0{long[1]}"]
    assert same_numbers(pd.Series(["7", "8", "7.0"])) == ["7", "7.0"]


def test_unknown_cells_enter_no_text_and_lists_of_genres_are_read(tmp_path):
    plots = ["A tale", "nan", "None", *["Another tale"] * (ITEMS - 3)]
    genres = [
        """['Action', "Children's"]""",
        "[]",
        "Drama [TV]|Crime",
        "War; Crime;",
        "Action &amp; Adventure|R&B;Kids",
        *["None"] * (ITEMS - 5),
    ]
    items = load(made(tmp_path, plot=plots, genres=genres)).items.set_index("raw_id")
    assert items.loc[ORDER[0], "text"] == f"Café n° {ORDER[0]}. A tale. Action, Children's"
    assert items.loc[ORDER[1], "text"] == f"Café n° {ORDER[1]}"
    assert items.loc[ORDER[2], "text"] == f"Café n° {ORDER[2]}. Drama [TV], Crime"
    assert [items.loc[item, "genres"] for item in ORDER[:6]] == [
        ("Action", "Children's"), (), ("Crime", "Drama [TV]"), ("Crime", "War"),
        ("Action & Adventure", "Kids", "R&B"), (),
    ]  # fmt: skip


@pytest.mark.parametrize("form", [repr, json.dumps])
def test_of_tables_in_a_cell_the_names_are_read(tmp_path, form):
    genres = [form([{"id": 18, "name": "Drama"}, {"id": 3, "name": "Children's"}]), "[]"]
    cast = [form([[{"name": "Ann", "order": 0}], {"name": "Bob", "of": None}]), form([7, ["a b"]])]
    more = {"genres": genres + [""] * (ITEMS - 2), "cast": cast + ["[not] a list"] * (ITEMS - 2)}
    for toml in ("", 'text_columns = ["genres", "cast"]'):
        items = load(made(tmp_path, toml, **more)).items.set_index("raw_id")
        assert items.loc[ORDER[0], "genres"] == ("Children's", "Drama")
        assert items.loc[ORDER[1], "genres"] == ()
        said = [f"Café n° {item}" for item in ORDER[:3]]
        assert items.loc[ORDER[:3], "text"].tolist() == [
            f"{said[0]}. Drama, Children's. Ann, Bob", f"{said[1]}. 7, a b",
            f"{said[2]}. [not] a list",
        ]  # fmt: skip


@pytest.mark.case(
    "hostile",
    "lists in cells that would run code, or that lie ten thousand deep",
    "they are read as values or stay text; nothing runs",
)
@pytest.mark.parametrize(
    "cell", ["[__import__('os').abort()]", "[" * 10_000 + "]" * 10_000, f"[{'-' * 90_000}1]"]
)
def test_lists_in_cells_run_nothing(tmp_path, cell):
    assert names_in(cell) is None
    genres = [cell, *["Drama"] * (ITEMS - 1)]
    assert load(made(tmp_path, genres=genres)).items["genres"].map(bool).all()


def test_an_item_without_a_title_has_no_packaged_content(tmp_path):
    folder = made(tmp_path)
    rows = (folder / "items.csv").read_text().splitlines()
    (folder / "items.csv").write_text("\n".join([rows[0], f"{ORDER[0]},", *rows[2:]]))
    items = load(folder, "packaged").items.set_index("raw_id")
    assert items.loc[ORDER[0], ["text", "image"]].isna().all()
    assert items.drop(ORDER[0])[["text", "image"]].notna().all(axis=None)


def test_packed_users_are_read(tmp_path):
    folder = made(tmp_path)
    with gzip.open(folder / "users.csv.gz", "wt") as file:
        file.write("user,age\n" + "".join(f"{user},{20 + user}\n" for user in range(USERS)))
    assert load(folder).users["age"].tolist() == [20 + user for user in range(USERS)]


# Tables


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "latin-1", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_one_catalogue_in_any_form_is_the_same_data(tmp_path, encoding, separator):
    whole = load(made(tmp_path / "whole"))
    other = made(tmp_path / "other", f"separator = {separator!r}\nencoding = '{encoding}'")
    names = {"user": "Customer-ID", "item": "asin", "rating": "Stars", "timestamp": "unix_time"}
    form = {"sep": separator, "index": False, "encoding": encoding}
    ratings().rename(columns=names).to_csv(other / "ratings.csv", **form)
    table = pd.read_csv(other / "items.csv")
    table.columns = ["Product ID", "name"]
    table.to_csv(other / "items.csv", **form)
    found = load(other)
    assert found.fingerprint == whole.fingerprint and found.times == whole.times
    assert found.order == whole.order
    assert found.items["title"].tolist() == [f"Café n° {item}" for item in range(ITEMS)]
    assert found.items["text"].tolist() == whole.items["text"].tolist()


@pytest.mark.parametrize("separator", [",", ";"])
def test_decimal_commas_are_read_as_the_same_numbers(tmp_path, separator):
    table, items = ratings(), {"year": [1990.0 + item for item in ORDER], "price": [1.5] * ITEMS}
    table["rating"] += 0.25
    whole = made(tmp_path / "whole", **items)
    table.to_csv(whole / "ratings.csv", index=False)
    other = made(tmp_path / "other", f"separator = {separator!r}\ndecimal = ','")
    form = {"sep": separator, "index": False, "decimal": ","}
    table.to_csv(other / "ratings.csv", **form)
    pd.read_csv(whole / "items.csv").to_csv(other / "items.csv", **form)
    found, known = load(other), load(whole)
    assert found.fingerprint == known.fingerprint and found.times == known.times
    assert found.ratings["rating"].iloc[0] == table["rating"].iloc[0]
    assert found.items[["year", "text"]].equals(known.items[["year", "text"]])


def test_packed_tables_in_another_encoding(tmp_path):
    folder = made(tmp_path / "toys", "encoding = 'cp1252'")
    text = (folder / "items.csv").read_text()
    (folder / "items.csv").unlink()
    (folder / "items.csv.gz").write_bytes(gzip.compress(text.encode("cp1252")))
    assert load(folder).items["title"].iloc[0] == "Café n° 0"


def test_a_declared_column_comes_before_one_that_is_called_as_ours(tmp_path):
    folder = made(tmp_path / "toys", 'rating = "verdict"\nuser = "who"')
    table = ratings().rename(columns={"user": "who"})
    table["verdict"], table["rating"] = table["rating"], 5
    table.to_csv(folder / "ratings.csv", index=False)
    assert load(folder).fingerprint == load(made(tmp_path / "whole")).fingerprint


def test_one_name_may_be_the_users_here_and_the_items_there(tmp_path):
    folder = made(tmp_path / "toys", 'user = "id"\nitem = "id"')
    rows = (folder / "items.csv").read_text().replace("item,title", "id,title")
    (folder / "items.csv").write_text(rows)
    (folder / "users.csv").write_text("id\n" + "".join(f"{user}\n" for user in range(USERS)))
    assert load(folder).fingerprint == load(made(tmp_path / "whole")).fingerprint


def test_columns_that_change_their_names_with_one_another(tmp_path):
    folder = made(tmp_path / "toys", 'user = "item"\nitem = "user"')
    table = ratings().rename(columns={"user": "item", "item": "user"})
    table.to_csv(folder / "ratings.csv", index=False)
    rows = (folder / "items.csv").read_text().replace("item,title", "user,title")
    (folder / "items.csv").write_text(rows)
    assert load(folder).fingerprint == load(made(tmp_path / "whole")).fingerprint


def test_a_core_on_request_is_the_one_behind_the_name(tmp_path):
    folder = made(tmp_path / "toys")
    table = ratings()
    table = table[(table["item"] > 0) | (table["user"] < 3)]
    table.to_csv(folder / "ratings.csv", index=False)
    (folder / "dataset.toml").write_text("core = 5")
    asked = load(folder)
    (folder / "dataset.toml").unlink()
    named = load(folder, view="+core5")
    assert asked.name == named.name == "folder:toys+core5"
    assert asked.n_items == ITEMS - 1 and asked.fingerprint == named.fingerprint


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        # user 0's ratings of item 1, then of item 2
        ("first", [2.0, 1.0]),
        ("last", [5.0, 2.0]),
        ("latest", [3.0, 1.0]),
        # 10 / 3 is nearest to 3; 3 / 2, in the middle, goes to the even step above 1
        ("mean", [3.0, 1.0]),
    ],
)
def test_pairs_that_were_rated_again(tmp_path, rule, kept):
    folder = made(tmp_path / "toys", f"duplicates = '{rule}'\nscale = [1, 5, 1]")
    table = ratings()
    table = table[(table["user"] > 0) | (table["item"] > 2)]
    again = [(0, 1, 2, 10), (0, 1, 3, 30), (0, 2, 1, 9), (0, 1, 5, 20), (0, 2, 2, 8)]
    table = pd.concat([table, pd.DataFrame(again, columns=table.columns)])
    table.to_csv(folder / "ratings.csv", index=False)
    found = load(folder).ratings
    mine = found[(found["user"] == 0) & found["item"].isin([1, 2])].sort_values("item")
    assert mine["rating"].tolist() == kept
    assert len(found) == len(table) - 3 and not found.duplicated(["user", "item"]).any()
    if rule in ("latest", "mean"):
        assert mine["timestamp"].tolist() == [30, 9]
    others = found.drop(mine.index)[["user", "item", "rating"]]
    assert others.to_numpy().tolist() == table[:-5][["user", "item", "rating"]].to_numpy().tolist()


def test_days_are_read_as_seconds_and_nothing_else_is(tmp_path):
    cells = pd.Series(["2020-01-31", "", "2020-01-31T12:00:00+01:00", "1970-01-01 00:01:00"])
    assert seconds(tmp_path, cells).fillna(-1).tolist() == [1_580_428_800, -1, 1_580_468_400, 60]
    assert seconds(tmp_path, pd.Series(["20200131", "NA", " 7 "])).fillna(-1).tolist() == [
        20200131,
        -1,
        7,
    ]
    for bad in (["2020-01-31", "5"], ["2020-01-99", "2020-01-01"], ["2020-01-31", "soon"]):
        assert seconds(tmp_path, pd.Series(bad)).tolist() == bad


@pytest.mark.parametrize(("unit", "divisor"), [(10**3, 1), (10**6, 1), (10**9, 1000)])
@pytest.mark.parametrize("unknown", [[], [""]])
def test_times_of_finer_units_keep_their_order(tmp_path, unit, divisor, unknown):
    times = [1_600_000_000 * unit + number for number in (5000, 0, 9000)]
    found = seconds(tmp_path, pd.Series([*map(str, times), *unknown]))
    expected = [time // divisor for time in times]
    assert np.abs(found[:3] - expected).max() <= (1 if unknown else 0)  # floats hold 2**53
    assert found[3:].isna().all()


def test_nanoseconds_are_read_as_such_also_beside_a_zero(tmp_path):
    cells = pd.Series(["0", "1600000000000000000", "1600000000000005000"])
    with pytest.warns(UserWarning, match="times such as 1600000000000000000 are read as nano"):
        found = seconds(tmp_path, cells)
    assert found.tolist() == [0, 1_600_000_000_000_000, 1_600_000_000_000_005]


# What its owner says of a folder


def test_the_documented_settings_can_be_read_and_are_all(tmp_path):
    manual = (project_root() / "papermill_runs/README.md").read_text(encoding="utf-8")
    example = manual.partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "dataset.toml").write_text(example, encoding="utf-8")
    assert settings.read_settings(tmp_path / "dataset.toml").decimal == ","
    assert set(settings._SETTINGS) <= set(re.findall(r"\w+", example))


# Texts


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (["1", "2.5", ""], "numbers"),
        (["http://a.b/c", "https://d.e/f?g=h"], "links"),
        (["www.a.b", ""], "links"),
        (["SKU-1", "B003D7NSPG"], "codes"),
        (["2020-01-31", "978-3-16"], "codes"),
        (["TV", "Movie"], "words"),
        (["see http://a.b", "http://a.b"], "words"),
        (["SKU-1", "see SKU-2"], "words"),
        (["2 players", "3"], "words"),
        (["", " "], "nothing"),
        (["-", "?", "Unknown", "\\N"], "nothing"),
        (["$ 3.99", "0.99 EUR", "1.234,50 €", "US$5", "12 %"], "numbers"),
        (["True", "false", "yes"], "numbers"),
        (["2020-01-01 10:00:00", "31/12/2020 10:00"], "codes"),
        (["toys.com", "www.toys.org/a?b", "shop.toys.co.uk"], "links"),
        (["/kqJ.jpg", "images/my picture.PNG"], "links"),
        (["ann@toys.org", "b.c@d.e.com"], "links"),
        (["https://a/b|https://c/d", "https://a/b, https://c/d"], "links"),
        (["Yes Man", "No"], "words"),
        (["Dr.No", "St.Petersburg", "Monsters, Inc."], "words"),
        (["5 kg", "Fahrenheit 451"], "words"),
        (["a 3.99 deal", "EUR"], "words"),
        # 95 % of what is filled
        (["12.5"] * 19 + ["on request", "", "N/A"], "numbers"),
        (["12.5"] * 18 + ["on request", ""], "words"),
        (["SKU-1"] * 19 + ["GIFTCARD"], "codes"),
        (["17"] * 19 + ["A17"], "codes"),
        (["http://a.b"] * 19 + ["see elsewhere"], "links"),
        (["http://a.b", "see elsewhere"] * 20, "words"),
    ],
)
def test_what_a_column_holds(cells, what):
    found, odd = kind(pd.Series(cells, dtype="str"))
    assert found == what
    left = {"see elsewhere", "on request", "GIFTCARD"} & set(cells) if what != "words" else set()
    assert odd.tolist() == sorted(left)


@pytest.mark.case(
    "data",
    "columns of links, article codes and numbers beside the descriptions",
    "no part of the texts unless they are named",
)
def test_links_codes_and_numbers_are_texts_only_when_they_are_named(tmp_path):
    folder = made(
        tmp_path / "toys",
        url=[f"http://toys/{item}" for item in ORDER],
        sku=[f"A{item}" for item in ORDER],
        price=[f"{item}.5" for item in ORDER],
        brand=["Acme"] * ITEMS,
    )
    assert load(folder).items["text"].iloc[3] == "Café n° 3. Acme"
    (folder / "dataset.toml").write_text('text_columns = ["sku", "price"]')
    assert load(folder).items["text"].iloc[3] == "Café n° 3. A3. 3.5"


@pytest.mark.case(
    "data",
    "prices, times, flags, picture paths, tables of links, tags of web pages among descriptions",
    "no part of the texts; the columns that are are named",
)
def test_what_is_no_text_enters_none(tmp_path):
    urls = json.dumps({"small": "http://toys/s.jpg", "large": "http://toys/l.jpg"})
    folder = made(
        tmp_path / "toys",
        cost=["0.99 EUR"] * ITEMS, seen=["2020-01-01 10:00:00"] * ITEMS, new=["True"] * ITEMS,
        backdrop=["/a b.jpg"] * ITEMS, links=[urls] * ITEMS, mail=["ann@toys.org"] * ITEMS,
        site=["toys.com"] * ITEMS, maker=["unknown", "-", "?", *["Acme"] * (ITEMS - 3)],
        about=["<p>Fine &amp;<br/>3 < 4 <i>and</i> <3</p>"] * ITEMS,
    )  # fmt: skip
    data = load(folder)
    assert data.text_columns == ("title", "maker", "about")
    texts = data.items.set_index("raw_id")["text"]
    assert texts[ORDER[0]] == f"Café n° {ORDER[0]}. Fine & 3 < 4 and <3"
    assert texts[ORDER[3]] == f"Café n° {ORDER[3]}. Acme. Fine & 3 < 4 and <3"
    table = pd.read_csv(folder / "items.csv").assign(title=[f"http://toys/{i}" for i in ORDER])
    table[["item", "title"]].to_csv(folder / "items.csv", index=False)
    assert not load(folder).has("text") and load(folder).text_columns == ()
    (folder / "dataset.toml").write_text('text_columns = ["title"]')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert load(folder).has("text")
    assert not caught and load(folder).text_columns == ("title",)


def test_columns_are_named_as_texts_by_their_names_in_the_file(tmp_path):
    folder = made(tmp_path / "toys", 'text_columns = ["Name", "brand"]', brand=["Acme"] * ITEMS)
    text = (folder / "items.csv").read_text().replace("item,title", "item,Name")
    (folder / "items.csv").write_text(text)
    assert load(folder).items["plot"].iloc[3] == "Café n° 3. Acme"


@pytest.mark.case(
    "data",
    "reviews beside the ratings, named as texts of the items",
    "a fifth is read and their ratings left out: no tested rating has its words in a text",
)
def test_no_rating_that_is_left_has_its_review_in_a_text(tmp_path):
    folder = made(tmp_path / "toys", 'reviews = "review"')
    table = ratings()
    table["review"] = [f"u{u}i{i} said" for u, i in zip(table["user"], table["item"], strict=True)]
    table.loc[::7, "review"] = ""
    table.to_csv(folder / "ratings.csv", index=False)
    data = load(folder)
    said = {item: set(text.split()) for item, text in enumerate(data.items["text"])}
    pairs = [
        (data.users["raw_id"][user], item)
        for user, item in zip(data.ratings["user"], data.ratings["item"], strict=True)
    ]
    assert not [pair for pair in pairs if f"u{pair[0]}i{pair[1]}" in said[pair[1]]]
    words = [word for text in said.values() for word in text if word.startswith("u")]
    assert len(words) + len(pairs) == len(table) and 0.1 < len(words) / len(table) < 0.3
    assert all(word.endswith(f"i{item}") for item, text in said.items() for word in text & {*words})
    # users and items stand in the order of their ids, which are whole numbers from 0
    assert {f"u{user}i{item}" for user, item in data.left_out.T} == {*words}
    (folder / "dataset.toml").write_text("")
    assert not any("said" in text for text in load(folder).items["text"])


@pytest.mark.case(
    "data", "pictures and no texts, not even titles", "items are called by their ids, no text"
)
def test_a_folder_of_pictures_without_texts(tmp_path):
    folder = made(tmp_path / "toys")
    pd.DataFrame({"item": ORDER}).to_csv(folder / "items.csv", index=False)
    (folder / "images").mkdir()
    for item in (0, 3):
        Image.new("RGB", (8, 8), (item, 9, 9)).save(folder / f"images/{item}.PNG")
    (folder / "images/4.png").symlink_to(tmp_path)
    (folder / "images/5.txt").write_text("")
    data = load(folder)
    assert data.items["title"].tolist() == [str(item) for item in range(ITEMS)]
    assert not data.has("text") and data.has("image")
    assert np.flatnonzero(data.items["image"].notna()).tolist() == [0, 3]
    assert encode_items(data, "image", "pixels").present.sum() == 2


# Vectors


def saved_by_item(folder: Path, matrix: np.ndarray, shape: tuple[int, ...]) -> None:
    folder.mkdir(parents=True)
    for item, row in enumerate(matrix):
        if row.any():
            np.save(folder / f"{item}.npy", row.reshape(shape))


@pytest.fixture
def matrix() -> np.ndarray:
    """By item from 0; the fourth has none."""
    out = np.random.default_rng(0).standard_normal((ITEMS, 5)).astype(np.float32)
    out[3] = 0
    return out


@pytest.mark.parametrize(
    ("layout", "toml"),
    [
        ("rows", ""),
        ("files", ""),
        ("Ducho", ""),
        ("named", 'image_vectors = "mine/v.npy"'),
        ("named folder", 'image_vectors = "mine"'),
    ],
)
def test_vectors_belong_to_their_items(tmp_path, matrix, layout, toml):
    folder = made(tmp_path / "toys", toml)
    if layout == "rows":
        np.save(folder / "image.npy", matrix[ORDER])
    elif layout == "files":
        saved_by_item(folder / "image", matrix, (5,))
    elif layout == "Ducho":
        saved_by_item(folder / "visual_embeddings/torch/ResNet50/avgpool", matrix, (1, 5))
    elif layout == "named":
        (folder / "mine").mkdir()
        np.save(folder / "mine/v.npy", matrix[ORDER])
    else:
        saved_by_item(folder / "mine/here", matrix, (5,))
    data = load(folder)
    found = encode_items(data, "image", GIVEN)
    assert np.array_equal(found.matrix, matrix) and data.vectors["image"].kind == GIVEN
    assert found.present.tolist() == [item != 3 for item in range(ITEMS)]
    assert data.offers("image") and not data.has("image") and set(data.vectors) == {"image"}
    assert data.items["title"].iloc[3] == "Café n° 3"
    assert coverage(data)["items"].to_dict() == {
        "text": ITEMS,
        "picture": 0,
        "vector of the picture": ITEMS - 1,
    }
    assert data.fingerprint == load(made(tmp_path / "bare")).fingerprint
    assert not load(folder, "packaged").vectors


def test_folders_of_texts_and_pictures_are_no_vectors(tmp_path):
    folder = made(tmp_path / "toys")
    for name in ("text", "image"):
        (folder / name).mkdir()
        (folder / name / "0.txt").write_text("one")
    assert not load(folder).vectors


def run_on(folder: Path, tmp_path: Path) -> Run:
    return Run(
        NotebookParameters(
            profile="smoke",
            dataset=f"folder:{folder}",
            seeds=(0,),
            run_dir=str(tmp_path / "run"),
        )
    )


def with_vectors(tmp_path: Path, bare: bool) -> Run:
    """24 items with vectors of text and picture, and the texts and pictures too unless ``bare``."""
    folder = made(tmp_path / "toys", 'words = {item = "toy", items = "toys", picture = "photo"}')
    items, random = 24, np.random.default_rng(0)
    ratings(30, items).to_csv(folder / "ratings.csv", index=False)
    table = pd.DataFrame({"item": range(items)})
    (folder / "images").mkdir()
    if not bare:
        table["title"] = [f"Toy {item} for {item % 5} hands" for item in range(items)]
        table["genres"] = ["Indoor", "Outdoor|Wet"] * (items // 2)
        for item in range(items):
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"images/{item}.png")
    table.to_csv(folder / "items.csv", index=False)
    for modality, dim in (("text", 6), ("image", 4)):
        np.save(folder / f"{modality}.npy", random.standard_normal((items, dim)))
    return run_on(folder, tmp_path)


@pytest.mark.case(
    "data",
    "vectors of one's own, with and without the texts and pictures themselves",
    "models read the vectors; rows that need texts or pictures themselves, or parts, are listed",
)
@pytest.mark.parametrize("bare", [True, False], ids=["vectors alone", "with texts and pictures"])
def test_every_list_of_rows_reads_vectors_or_says_why_not(tmp_path, capsys, bare):
    run = with_vectors(tmp_path, bare)
    data = run.dataset
    assert data.has("text") == data.has("image") == (not bare)
    assert run.encoder("text") == run.encoder("image") == GIVEN
    encoders = set()
    for name, experiment in EXPERIMENTS.items():
        rows = experiment.rows(run)
        capsys.readouterr()
        chosen = experiment.adapt(run, rows)
        said = capsys.readouterr().out
        for row in rows:
            assert row.name in said or "do without" in said or row in chosen, (name, row.name)
        for row in chosen:
            for modality in ("text", "image"):
                found = row.features(run, modality)
                if found is not None:
                    assert np.isfinite(found.matrix).all() and found.present.any()
                    encoders.add(found.encoder.partition("/")[0])
    assert GIVEN in encoders
    assert ({"tfidf", "pixels"} <= encoders) == (not bare)


def test_the_highest_rating_alone_is_ranked_and_not_predicted(tmp_path, capsys):
    made(tmp_path)
    mostly = ratings().assign(rating=lambda table: 5 - table["item"] % 5 // 4)  # or 4
    mostly.to_csv(tmp_path / "ratings.csv", index=False)
    run = Run(
        NotebookParameters(
            profile="smoke",
            dataset=f"folder:{tmp_path}+from5",
            content="full",
            run_dir=str(tmp_path / "run"),
        )
    )
    data, whole = run.dataset, load(tmp_path)
    assert not data.scale.rates and data.ratings["rating"].eq(1).all()
    assert len(data.ratings) == (whole.ratings["rating"] == 5).sum()
    assert data.known_pairs.shape[1] == len(whole.ratings)
    assert absent.leave_out(run, table1.table1_rows(run)) == []
    assert "+from5 holds pairs without ratings" in capsys.readouterr().out
    ranker = multimodal_ranking.row(run, "BPR", multimodal_ranking.RANKERS["BPR"])
    assert np.isfinite(run_variants(run, "e", [ranker], (0,))["value"]).all()


def test_a_row_is_trained_on_vectors_of_ones_own(tmp_path, capsys):
    run = with_vectors(tmp_path, bare=True)
    rows = absent.leave_out(run, table1.table1_rows(run))
    own = table1.fullest_row(rows)
    assert own.name == "BoNMF" and own.features(run, "text").dim == 6
    shuffled = on_control(run, own, "shuffled")
    records = run_variants(run, "04_table1", [own, shuffled], [0])
    assert np.isfinite(records["value"]).all() and records["variant"].nunique() == 2


def test_other_vectors_are_another_run(tmp_path, matrix):
    keys = set()
    for scale in (1, 2):
        folder = made(tmp_path / "toys")
        np.save(folder / "text.npy", scale * matrix)
        keys.add(encode_items(load(folder), "text", GIVEN).key)
    assert len(keys) == 2


def test_what_was_taken_for_what_is_said_once(tmp_path):
    folder = made(tmp_path / "toys")
    text = (folder / "ratings.csv").read_text().replace("user,item", "customer_id,asin")
    (folder / "ratings.csv").write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load(folder)
    said = [str(warning.message) for warning in caught]
    assert [text.partition(": ")[2] for text in said] == [
        "reads 'customer_id' as user, 'asin' as item; name other columns in dataset.toml if that "
        "is wrong."
    ]
