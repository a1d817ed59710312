"""Folders in MMRec's layout: what is read, what is refused, and a ranker trained and tested on
them."""

import numpy as np
import pytest
import torch

from bonmf_lib.datasets import load_dataset
from bonmf_lib.datasets.dataset import UNRATED, RatingScale
from bonmf_lib.datasets.summary import summary
from bonmf_lib.encoders import encode_items
from bonmf_lib.errors import ConfigError, DatasetError
from bonmf_lib.evaluation.ranking import UnseenItems
from bonmf_lib.evaluation.rules import RATED_ITEMS, FullRanking
from bonmf_lib.experiments.absent import reason
from bonmf_lib.experiments.protocols import on_control
from bonmf_lib.models.ranking.bpr_mf import BPRMFConfig
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.training import Training
from bonmf_lib.runs.variant import Variant
from bonmf_lib.splits.by_time import GlobalTime, UserTime
from bonmf_lib.splits.given import Given
from bonmf_lib.training.config import TrainingConfig
from tests.conftest import CPU

HEAD = "userID\titemID\trating\ttimestamp\tx_label\n"
USERS, ITEMS, EACH = 12, 20, 8
# of every user's ratings, two test
LABELS = [0, 0, 0, 0, 0, 1, 2, 2]
MASK = FullRanking(("train",))


def rows(stars: bool = True) -> list[list]:
    draw = np.random.default_rng(0)
    return [
        [
            user,
            item,
            float(1 + (user + item) % 5) if stars else 1.0,
            1000 + user + 50 * place,
            label,
        ]
        for user in range(USERS)
        for place, (item, label) in enumerate(
            zip(draw.choice(ITEMS, EACH, replace=False), LABELS, strict=True)
        )
    ]


def write(folder, table: list[list], head: str = HEAD, name: str = "toys"):
    folder.mkdir(exist_ok=True)
    lines = "".join("\t".join(map(str, row)) + "\n" for row in table)
    (folder / f"{name}.inter").write_text(head + lines)
    return folder


@pytest.fixture
def folder(tmp_path):
    draw = np.random.default_rng(1)
    out = write(tmp_path / "toys", rows())
    np.save(out / "text_feat.npy", draw.standard_normal((ITEMS + 1, 5)))  # of an unrated item too
    np.save(out / "image_feat.npy", draw.standard_normal((ITEMS + 1, 7), np.float32))
    return out


def load(folder):
    return load_dataset(f"folder:{folder}", "full")


def test_the_layout_is_read(folder):
    data = load(folder)
    assert (data.n_users, data.n_items, len(data.ratings)) == (USERS, ITEMS + 1, USERS * EACH)
    assert data.name == "folder:toys" and data.scale == RatingScale(1, 5, 1)
    table = rows()
    for place, name in enumerate(("user", "item", "rating", "timestamp")):
        assert data.ratings[name].tolist() == [row[place] for row in table]
    assert data.given.part.tolist() == LABELS * USERS
    assert data.given.source == "split of toys.inter" and data.given.negatives is None
    for modality, dim in (("text", 5), ("image", 7)):
        found = encode_items(data, modality, "given-vectors")
        saved = np.load(folder / f"{modality}_feat.npy").astype(np.float32)
        assert found.matrix.shape == (ITEMS + 1, dim) and np.array_equal(found.matrix, saved)
        assert found.neighbours is None
    assert not data.has("text") and not data.has("image")


def test_items_keep_their_vectors_though_few_are_rated(folder):
    """Numbers of items are rows of vectors, also those of items that nobody rated."""
    table = [[*row[:4], label] for row, label in zip(rows()[:8], LABELS, strict=True)]
    data = load(write(folder, table))
    assert data.n_users == 1 and data.n_items == ITEMS + 1
    assert data.ratings["item"].tolist() == [row[1] for row in table]
    core = load_dataset(f"folder:{folder}+core1", "full")
    assert core.n_items == 8 and core.name == "folder:toys+core1"
    kept = sorted(row[1] for row in table)
    assert np.array_equal(core.vectors["text"].matrix, data.vectors["text"].matrix[kept])


@pytest.mark.parametrize("given", ["no ratings", "one value"])
def test_pairs_without_stars_do_not_look_rated(folder, given):
    table = [[row[0], row[1], 5.0, row[4]] for row in rows()]
    head = "userID\titemID\trating\tx_label\n"
    if given == "no ratings":
        head, table = "userID\titemID\tx_label\n", [[*row[:2], row[3]] for row in table]
    data = load(write(folder, table, head))
    assert data.scale == UNRATED and (data.ratings["rating"] == 1).all()
    assert data.ratings["timestamp"].isna().all()
    assert str(data.scale) == "none: pairs of users and items without ratings"
    assert "mean rating" not in summary(data).index
    assert "mean rating" in summary(load(write(folder, rows()))).index


def test_without_vectors_the_items_are_those_that_are_rated(tmp_path):
    table = [[user, item + 7, label] for user, item, _, _, label in rows()]
    data = load(write(tmp_path / "bare", table, "userID\titemID\tx_label\n"))
    assert data.items["raw_id"].tolist() == sorted({row[1] for row in table})
    assert not data.vectors and not data.offers("text")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([0, 3, 1.0, 5, 3], "line 98: x_label must be 0"),
        ([0, 3, 1.0, 5, ""], "line 98: x_label must be 0"),
        ([0, -3, 1.0, 5, 0], "line 98: itemID must be a whole number from 0, got '-3'"),
        (["u", 3, 1.0, 5, 0], "line 98: userID must be a whole number from 0, got 'u'"),
        ([0, 21, 1.0, 5, 0], "line 98: .*_feat.npy holds 21 rows, none for the item 21"),
        ([0, 10**17, 1.0, 5, 0], "line 98: .*_feat.npy holds 21 rows, none for the item 1000"),
        ([0, 3, "", 5, 0], "line 98: 'rating' is empty or no number"),
        ([99, 3, 1.0, -5, 0], "line 98: 'timestamp' is no number of seconds"),
        ([0, 3, 1.0, 5], "line 98: has 4 fields where the header names 5"),
        (rows()[0], "line 98: the same user and item were rated before"),
    ],
)
def test_bad_rows_name_file_line_and_mend(folder, bad, message):
    write(folder, [*rows(), bad])
    with pytest.raises(DatasetError, match=message) as error:
        load(folder)
    assert "toys.inter" in str(error.value)


def test_what_is_no_such_folder_is_refused(folder):
    with pytest.raises(DatasetError, match="load it with content=full"):
        load_dataset(f"folder:{folder}", "packaged")
    text = (folder / "toys.inter").read_text()
    (folder / "toys.inter").write_text(text.replace("\t", ","))
    with pytest.raises(DatasetError, match="separated by commas; save the file with tabs"):
        load(folder)
    (folder / "toys.inter").write_text(text.replace("x_label", "label"))
    with pytest.raises(DatasetError, match="the column 'x_label' is missing"):
        load(folder)
    (folder / "toys.inter").write_text(HEAD)
    with pytest.raises(DatasetError, match="holds no ratings"):
        load(folder)
    write(folder, [[*row[:4], 0] for row in rows()])
    with pytest.raises(DatasetError, match="at least one rating must test"):
        load(folder)
    write(folder, rows(), name="more")
    with pytest.raises(DatasetError, match=r"holds both more\.inter"):
        load(folder)


def test_vectors_of_two_numbers_of_items_are_refused(folder):
    np.save(folder / "image_feat.npy", np.ones((ITEMS, 3)))
    with pytest.raises(DatasetError, match="21 text vectors do not belong to 20 items"):
        load(folder)


# As rows of the study


TRAINING = TrainingConfig(epochs=1, batch_size=64, loss="bpr", negatives=1)
BPR = Variant(
    "BPR", "as published", "bpr-mf", BPRMFConfig(factors=4), TRAINING, split=Given(),
    evaluation=MASK,
)  # fmt: skip
BONMF = Variant("BoNMF", "as published", "bonmf", BoNMFConfig(), TrainingConfig(epochs=1))


def run_of(folder, tmp_path) -> Run:
    where = str(tmp_path / "run")
    return Run(NotebookParameters(profile="smoke", dataset=f"folder:{folder}", run_dir=where))


def test_the_given_split_ranks_several_test_items_of_a_user(folder, tmp_path):
    """Per user against lists sorted by hand; validation items compete, training items do not."""
    run = run_of(folder, tmp_path)
    training = Training(run, BPR, 0)
    training.train()
    split, table = training.split, run.dataset.ratings
    assert (len(split.train), len(split.valid), len(split.test)) == (60, 12, 24)
    metrics, values = training.metrics(), training.user_values()
    assert values["user"].tolist() == list(range(USERS))
    scores = training.model().score_all_items(torch.arange(USERS)).numpy()
    for user in range(USERS):
        trained, tested = (
            table.iloc[part].query(f"user == {user}")["item"].to_numpy()
            for part in (split.train, split.test)
        )
        scores[user, trained] = -np.inf
        best = np.argsort(-scores[user])[:10]
        hits = np.isin(best, tested)
        assert values["recall@10"][user] == pytest.approx(hits.sum() / 2)
        gains = hits / np.log2(np.arange(10) + 2)
        assert values["ndcg@10"][user] == pytest.approx(gains.sum() / (1 + 1 / np.log2(3)))
    assert metrics["recall@10"] == pytest.approx(values["recall@10"].mean())


def test_validation_watches_the_validation_part_alone(folder, tmp_path):
    run = run_of(folder, tmp_path)
    split = run.split(Given(), 0, 0.1)
    model = Training(run, BPR, 0).untrained()
    pairs = {
        part: tuple(
            run.dataset.ratings[side].to_numpy()[getattr(split, part)] for side in ("user", "item")
        )
        for part in ("train", "valid")
    }
    sizes = run.dataset.n_users, run.dataset.n_items
    unseen = UnseenItems(pairs["train"], pairs["valid"], *sizes, CPU)
    expected = unseen.rank(model.score_all_items)
    watched = MASK.watched(run.dataset, split, CPU)
    assert watched.of(model) == expected.metrics["ndcg@10"]


def test_rows_read_the_vectors_and_their_controls(folder, tmp_path):
    run = run_of(folder, tmp_path)
    assert run.encoder("text") == run.encoder("image") == "given-vectors"
    own = run.features("text")
    assert own.encoder == "given-vectors/vector" and not BONMF.lacks(run.dataset)
    for ending in ("shuffled", "noise", "constant"):
        row = on_control(run, BONMF, ending)
        assert row.text_encoder == row.image_encoder == f"given-vectors-{ending}"
        dealt = row.features(run, "text")
        assert dealt.matrix.shape == own.matrix.shape and dealt.key != own.key


def test_pairs_without_stars_have_no_rating_errors(folder, tmp_path):
    rated = run_of(folder, tmp_path)
    assert reason(rated, BONMF) is None
    write(folder, rows(stars=False))
    run = run_of(folder, tmp_path)
    assert reason(run, BONMF) == "toys holds pairs without ratings"
    assert reason(run, BPR) is None
    split = Given().split(run.dataset, valid=0.1)
    with pytest.raises(ConfigError, match="pairs without ratings"):
        RATED_ITEMS.watched(run.dataset, split, CPU)
    with pytest.raises(ConfigError, match="pairs without ratings"):
        Training(run, BONMF, 0).metrics()


def test_splits_by_time_work_where_times_are_known(folder):
    data = load(folder)
    own = UserTime(0.25).split(data, valid=0.2)
    times = data.ratings["timestamp"].to_numpy(np.int64)
    users = data.ratings["user"].to_numpy()
    assert np.bincount(users[own.test]).tolist() == [2] * USERS
    for user in range(USERS):
        parts = [times[part[users[part] == user]] for part in (own.train, own.valid, own.test)]
        assert parts[0].max() < parts[1].min() <= parts[1].max() < parts[2].min()
    everyone = GlobalTime(0.25).split(data)
    assert times[everyone.train].max() <= times[everyone.test].min()
