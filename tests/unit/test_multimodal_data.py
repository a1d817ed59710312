"""Amazon Baby, Amazon Sports and TikTok against their published facts, and MovieLens as implicit
feedback."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from bonmf_lib.datasets import load_dataset
from bonmf_lib.datasets.dataset import UNRATED
from bonmf_lib.datasets.implicit import implicit_view
from bonmf_lib.datasets.multimodal import NAMES
from bonmf_lib.datasets.summary import coverage
from bonmf_lib.encoders import encode_items
from bonmf_lib.errors import ConfigError, DatasetError, SourceError, SplitError
from bonmf_lib.runs.profiles import chosen_data, read_profile
from bonmf_lib.splits.by_time import GlobalTime, UserTime
from bonmf_lib.splits.given import Given
from bonmf_lib.splits.rules import PerUser
from bonmf_lib.splits.split import PARTS

AMAZON = ("amazon-baby", "amazon-sports")
SIZES = {  # users, items, pairs; of these train, valid, test
    "amazon-baby": (19_445, 7_050, 160_792, [118_551, 21_682, 20_559]),
    "amazon-sports": (35_598, 18_357, 296_337, [218_409, 40_029, 37_899]),
    "tiktok": (9_308, 6_710, 68_722, [59_541, 3_051, 6_130]),
}
FINGERPRINTS = {  # of the pairs, of the parts
    "amazon-baby": ("ff5544566e98be6e", "c9999ff2a33310ea"),
    "amazon-sports": ("d7f608bf414ccd06", "80ab21c7ee9ea899"),
    "tiktok": ("775c530546acb9bd", "39e7a9a8656f0802"),
}


@pytest.fixture(scope="module")
def loaded():
    return {name: load_dataset(name, "full") for name in NAMES}


def sizes_by_user(data, split) -> dict[str, np.ndarray]:
    users = data.ratings["user"].to_numpy()
    return {
        part: np.bincount(users[getattr(split, part)], minlength=data.n_users) for part in PARTS
    }


@pytest.mark.mirror
@pytest.mark.parametrize("name", NAMES)
def test_data_are_the_published_ones(loaded, name):
    data, (users, items, pairs, parts) = loaded[name], SIZES[name]
    assert (data.n_users, data.n_items, len(data.ratings)) == (users, items, pairs)
    assert data.name == name and data.content == "full"
    split = Given().split(data, valid=0.1)
    assert [len(getattr(split, part)) for part in PARTS] == parts
    assert split.rule == "given(split published with DiffMM, valid=0.1)"
    assert (data.fingerprint[:16], data.given.fingerprint) == FINGERPRINTS[name]
    assert data.ratings[["user", "item"]].nunique().tolist() == [users, items]


@pytest.mark.mirror
@pytest.mark.parametrize("name", NAMES)
def test_no_pair_looks_rated(loaded, name):
    data = loaded[name]
    assert data.scale == UNRATED and (data.ratings["rating"] == 1).all()
    with pytest.raises(SplitError, match="needs the time of every rating"):
        GlobalTime().split(data)
    if name != "amazon-sports":
        with pytest.raises(SplitError, match="needs the time of every rating"):
            UserTime().split(data)


@pytest.mark.mirror
def test_pairs_of_amazon_sports_are_ordered_within_users(loaded):
    data = loaded["amazon-sports"]
    split = UserTime().split(data, valid=0.1)
    order = data.ratings["timestamp"].to_numpy(np.int64)
    users = data.ratings["user"].to_numpy()
    assert len(np.unique([users, order], axis=1).T) == len(users)
    assert order.max() == np.bincount(users).max() - 1
    last = np.full(data.n_users, -1)
    for part in (split.train, split.valid, split.test):
        first = np.full(data.n_users, order.max() + 1)
        np.minimum.at(first, users[part], order[part])
        assert (first > last).all()
        np.maximum.at(last, users[part], order[part])
    assert abs(len(split.test) / len(users) - 0.2) < 0.01
    few = UserTime(0.1).split(data, valid=0.1)
    for part in (few.train, few.valid, few.test):
        assert len(np.unique(users[part])) == data.n_users


@pytest.mark.mirror
@pytest.mark.parametrize("name", AMAZON)
def test_the_amazon_split_is_eight_to_one_to_one_of_every_user(loaded, name):
    """Its sizes are those of LATTICE's rule, by which the odd held-out rating validates."""
    data = loaded[name]
    for side in ("user", "item"):
        assert data.ratings[side].value_counts().min() == 5
    given = sizes_by_user(data, Given().split(data, valid=0.1))
    drawn = sizes_by_user(data, PerUser(odd="valid").split(data, 0, valid=0.1))
    other = sizes_by_user(data, PerUser(odd="test").split(data, 0, valid=0.1))
    for part in PARTS:
        assert np.array_equal(given[part], drawn[part])
    assert given["test"].sum() < other["test"].sum()
    assert implicit_view(data, core=5) is data


@pytest.mark.mirror
def test_tiktok_tests_one_video_of_a_user_and_trains_on_nothing_of_some(loaded):
    data = loaded["tiktok"]
    sizes = sizes_by_user(data, Given().split(data, valid=0.1))
    assert sizes["test"].max() == 1 and (sizes["train"] == 0).sum() == 10
    trained = data.ratings["item"].to_numpy()[data.given.part == 0]
    assert data.n_items - len(np.unique(trained)) == 465


@pytest.mark.mirror
@pytest.mark.parametrize("name", AMAZON)
@pytest.mark.parametrize("modality", ["text", "image"])
def test_amazon_vectors_are_rebuilt_and_their_neighbours_exact(loaded, name, modality):
    data = loaded[name]
    found = encode_items(data, modality, "rebuilt-features")
    assert found.encoder == "rebuilt-features/vector"
    assert found.matrix.shape == (data.n_items, 128) and found.present.all()
    graph = found.neighbours
    assert graph.items.shape == (data.n_items, 10)
    own = (graph.items == np.arange(data.n_items)[:, None]).any(1)
    assert own.mean() > 0.99  # ten others of equal vectors push an item out
    assert (np.diff(np.sort(graph.items, axis=1)) > 0).all()
    assert (np.diff(graph.cosines, axis=1) <= 0).all() and graph.cosines.max() <= 1
    rows = found.matrix / np.linalg.norm(found.matrix, axis=1, keepdims=True)
    cosines = np.einsum("id,ikd->ik", rows, rows[graph.items])
    assert np.sqrt(np.square(cosines - graph.cosines).mean()) < 0.02


@pytest.mark.mirror
def test_tiktok_has_pictures_and_no_text(loaded):
    data = loaded["tiktok"]
    assert data.offers("image") and not data.offers("text")
    found = encode_items(data, "image", "given-vectors")
    assert found.matrix.shape == (6_710, 128) and found.neighbours is None
    assert found.encoder == "given-vectors/vector"
    assert 30 < found.mean_norm < 40  # not of unit length as the rebuilt ones are


@pytest.mark.mirror
def test_category_words_of_sports_are_its_texts(loaded):
    assert coverage(loaded["amazon-sports"])["items"].tolist()[:2] == [18_204, 0]
    assert coverage(loaded["amazon-baby"])["items"].tolist()[:2] == [0, 0]
    assert loaded["amazon-sports"].items["title"].iloc[0] == "1881509818"


@pytest.mark.mirror
@pytest.mark.case(
    "damage", "a changed file of a data set that comes with vectors", "refused before it is read"
)
@pytest.mark.parametrize("file", ["ratings.csv.gz", "image_feat.npy"])
def test_other_files_than_the_published_are_refused(file, tmp_path, monkeypatch):
    source = Path(os.environ["BONMF_MIRROR"], "tiktok")
    copy = tmp_path / "tiktok"
    copy.mkdir()
    for path in source.iterdir():
        shutil.copyfile(path, copy / path.name)
    changed = bytearray((copy / file).read_bytes())
    changed[-100] ^= 1
    (copy / file).write_bytes(changed)
    monkeypatch.setenv("BONMF_MIRROR", str(tmp_path))
    with pytest.raises(SourceError, match=f"{file} has sha256"):
        load_dataset("tiktok", "full")


def test_they_need_the_mirror_and_draw_no_title_cards(monkeypatch):
    monkeypatch.delenv("BONMF_MIRROR", raising=False)
    with pytest.raises(SourceError, match=r"put amazon-baby/ratings\.csv\.gz into a folder"):
        load_dataset("amazon-baby", "full")
    with pytest.raises(DatasetError, match="load it with content=full"):
        load_dataset("amazon-baby", "packaged")


# Views by name


def test_a_name_can_ask_for_high_ratings_and_a_core():
    whole = load_dataset("planted")
    for name, how in (
        ("planted+from4+core2", {"at_least": 4, "core": 2}),
        ("planted+from4", {"at_least": 4}),
        ("planted+from3.5+core5", {"at_least": 3.5, "core": 5}),
    ):
        data = load_dataset(name)
        assert data.name == name == implicit_view(whole, **how).name
        assert data.fingerprint == implicit_view(whole, **how).fingerprint != whole.fingerprint
        assert chosen_data(read_profile("smoke"), name, None)[0] == name


@pytest.mark.parametrize(
    "name", ["planted+core", "planted+core0", "planted+core5+from4", "x+core5"]
)
def test_unknown_views_are_refused(name):
    with pytest.raises(ConfigError, match="Unknown dataset"):
        load_dataset(name)
    with pytest.raises(ConfigError, match="Unknown dataset"):
        chosen_data(read_profile("smoke"), name, None)


@pytest.mark.mirror
@pytest.mark.parametrize(
    ("name", "users", "items", "pairs", "posters", "plots"),
    [("ml-100k", 943, 1_349, 99_287, 1_295, 1_343), ("ml-1m", 6_040, 3_416, 999_611, 3_256, 3_410)],
)
def test_movielens_as_a_five_core_keeps_posters_and_plots(
    name, users, items, pairs, posters, plots
):
    whole, data = load_dataset(name, "full"), load_dataset(f"{name}+core5", "full")
    assert (data.n_users, data.n_items, len(data.ratings)) == (users, items, pairs)
    assert [int(data.items[what].notna().sum()) for what in ("image", "plot")] == [posters, plots]
    assert data.ratings["item"].value_counts().min() >= 5
    by_id = whole.items.set_index("raw_id").loc[data.items["raw_id"]]
    for what in ("title", "text", "image"):
        assert by_id[what].fillna("").tolist() == data.items[what].fillna("").tolist()
    rated = [
        set(zip(table.users["raw_id"].to_numpy()[table.ratings["user"]],
                table.items["raw_id"].to_numpy()[table.ratings["item"]], strict=True))
        for table in (whole, data)
    ]  # fmt: skip
    assert len(rated[1]) == pairs and rated[1] <= rated[0]


@pytest.mark.mirror
def test_movielens_splits_by_time_where_times_are_known():
    """ML-1M's mirrored copy lacks times, and says so."""
    data = load_dataset("ml-100k+core5", "full")
    users, times = data.ratings["user"].to_numpy(), data.ratings["timestamp"].to_numpy(np.int64)
    own, everyone = (rule(0.1).split(data, valid=0.1) for rule in (UserTime, GlobalTime))
    assert len(np.unique(users[own.test])) == data.n_users
    last = np.zeros(data.n_users, np.int64)
    np.maximum.at(last, users[own.train], times[own.train])
    assert (times[own.valid] >= last[users[own.valid]]).all()
    assert (times[own.test] >= last[users[own.test]]).all()
    assert times[everyone.train].max() <= times[everyone.valid].min()
    assert times[everyone.valid].max() <= times[everyone.test].min()
    with pytest.raises(SplitError, match=r"needs the time of every rating, which ml-1m\+core5"):
        UserTime().split(load_dataset("ml-1m+core5", "full"))
