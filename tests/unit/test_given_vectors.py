"""Vectors that data came with: their files, features made of them, controls, and the neighbours
that go with them."""

from dataclasses import replace

import numpy as np
import pytest

from bonmf_lib.datasets import load_dataset
from bonmf_lib.datasets.implicit import implicit_view
from bonmf_lib.datasets.vectors import (
    GIVEN,
    REBUILT,
    GivenVectors,
    Neighbours,
    read_neighbours,
    read_vectors,
)
from bonmf_lib.encoders import encode_items, get_encoder, list_encoders
from bonmf_lib.encoders.preparation import PREPARATIONS, prepared
from bonmf_lib.errors import DatasetError, EncoderError
from bonmf_lib.evaluation.overlap import residual


def nearest(matrix: np.ndarray, k: int) -> Neighbours:
    """By all cosines at once; nobody has the same vector."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    rows = matrix / np.where(lengths > 0, lengths, 1)
    cosines = rows @ rows.T
    items = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return Neighbours(items, np.take_along_axis(cosines, items, axis=1))


def vectors_of(n_items: int, kind: str = REBUILT, seed: int = 0) -> GivenVectors:
    """Random ones, the third of which is missing."""
    matrix = np.random.default_rng(seed).standard_normal((n_items, 6), np.float32)
    matrix[2] = 0
    return GivenVectors(kind, matrix, nearest(matrix, 4))


@pytest.fixture
def data(planted):
    vectors = {"text": vectors_of(100), "image": vectors_of(100, seed=1)}
    return replace(planted, vectors=vectors)


def with_rare_items(data):
    """Every third item is rated by the first two users only."""
    table = data.ratings
    kept = (table["item"] % 3 > 0) | (table["user"] < 2)
    return replace(data, ratings=table[kept].reset_index(drop=True))


# Files


def test_vectors_are_read_as_they_were_saved(tmp_path):
    rows = np.array([[0.5, -2], [0, 0], [3, 1]])
    for dtype in (np.float16, np.float32, np.float64, np.int64):
        np.save(tmp_path / "v.npy", rows.astype(dtype))
        found = read_vectors(tmp_path / "v.npy")
        assert found.dtype == np.float32 and np.array_equal(found, rows.astype(dtype))
    assert GivenVectors(GIVEN, found).present.tolist() == [True, False, True]


@pytest.mark.case(
    "hostile",
    "a .npy file that holds a pickle, a false size, NaN, or is cut",
    "refused, one sentence names the file; nothing is unpickled",
)
def test_bad_vectors_name_file_and_mend(tmp_path):
    path = tmp_path / "v.npy"
    for wrong, message in (
        (np.array([[{}]]), "cannot be read as arrays of numbers"),
        (np.array([["a"]]), "no table of numbers"),
        (np.zeros(3), "no table of numbers"),
        (np.array([[1.0], [np.nan]]), "row 1, counted from 0, holds NaN"),
        (np.array([[1e300]]), "too large for float32"),
    ):
        np.save(path, wrong)
        with pytest.raises(DatasetError, match=message) as error:
            read_vectors(path)
        assert str(path) in str(error.value)
    np.save(path, np.zeros((9, 9)))
    whole = path.read_bytes()
    cut, endless, open_header = (
        whole[:40],
        whole.replace(b"(9, 9)", b"(9,9999999999)"),
        whole.replace(b"}", b"("),
    )
    for damaged in (b"", whole[:-8], cut, endless, open_header):
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match="cannot be read"):
            read_vectors(path)
    np.savez(tmp_path / "v.npz", np.zeros((2, 2)))
    with pytest.raises(DatasetError, match="no table of numbers"):
        read_vectors(tmp_path / "v.npz")


def test_neighbours_are_read_and_checked(tmp_path):
    path = tmp_path / "knn.npz"
    np.savez(path, idx=np.array([[0, 1], [1, 0]], np.int32), cos=np.float16([[1, 0.5], [1, 0.5]]))
    found = read_neighbours(path)
    assert found.items.dtype == np.int64 and found.cosines.dtype == np.float32
    for idx, cos in (([[0, 2], [1, 0]], [[1, 0.5]] * 2), ([[0], [1]], [[1, 0.5]] * 2)):
        np.savez(path, idx=np.array(idx), cos=np.array(cos))
        with pytest.raises(DatasetError, match="do not belong together"):
            read_neighbours(path)
    np.savez(path, idx=np.array([[0]]))
    with pytest.raises(DatasetError, match="cannot be read"):
        read_neighbours(path)


# In a data set


def test_vectors_of_other_items_are_refused(planted):
    with pytest.raises(DatasetError, match="99 text vectors do not belong to 100 items"):
        replace(planted, vectors={"text": vectors_of(99)})


def test_a_data_set_offers_its_vectors_and_does_not_pretend_to_have_texts(data):
    bare = replace(data, items=data.items.assign(text=None, image=None))
    assert bare.offers("text") and not bare.has("text")
    assert data.fingerprint == replace(data, vectors={}).fingerprint


def test_vectors_follow_the_items_of_a_core(data):
    """Under new ids each item keeps its own vector; who its neighbours would be is not known."""
    view = implicit_view(with_rare_items(data), core=5)
    assert 0 < view.n_items < data.n_items
    places = {raw: place for place, raw in enumerate(data.items["raw_id"])}
    old = np.array([places[raw] for raw in view.items["raw_id"]])
    for modality, vectors in view.vectors.items():
        assert np.array_equal(vectors.matrix, data.vectors[modality].matrix[old])
        assert vectors.neighbours is None and vectors.kind == REBUILT
    found = encode_items(view, "text", REBUILT)
    assert np.array_equal(found.matrix, data.vectors["text"].matrix[old])
    assert found.key != encode_items(data, "text", REBUILT).key


def test_items_that_all_stay_keep_their_neighbours(data):
    view = implicit_view(data, at_least=4)
    assert len(view.ratings) < len(data.ratings) and view.n_items == data.n_items
    assert view.vectors["text"] is data.vectors["text"]


def test_encoded_texts_and_pictures_follow_the_items_of_a_core(planted):
    view = implicit_view(with_rare_items(planted), core=5)
    old = np.flatnonzero(planted.items["raw_id"].isin(view.items["raw_id"]))
    assert 0 < len(old) == view.n_items < planted.n_items
    whole, kept = (encode_items(data, "image", "colours") for data in (planted, view))
    assert np.array_equal(kept.matrix, whole.matrix[old])


# As features


def test_features_are_the_vectors(data):
    found = encode_items(data, "image", REBUILT)
    given = data.vectors["image"]
    assert np.array_equal(found.matrix, given.matrix)
    assert found.present.tolist() == [item != 2 for item in range(100)]
    assert found.neighbours is given.neighbours
    assert found.encoder == "rebuilt-features/vector"
    assert found.key != encode_items(data, "text", REBUILT).key


def test_what_tells_vectors_apart_tells_in_the_key(data):
    given = data.vectors["text"]
    other = given.matrix.copy()
    other[0, 0] += 1
    graph = Neighbours(given.neighbours.items, given.neighbours.cosines * np.float32(0.5))
    changed = [
        given,
        replace(given, matrix=other),
        replace(given, neighbours=None),
        replace(given, neighbours=graph),
        replace(given, kind=GIVEN),
    ]
    keys = {
        encode_items(replace(data, vectors={"text": one}), "text", one.kind).key for one in changed
    }
    assert len(keys) == len(changed)


def test_vectors_that_are_not_there_are_refused(data, planted):
    with pytest.raises(EncoderError, match="has rebuilt-features of its text, not given-vectors"):
        encode_items(data, "text", GIVEN)
    with pytest.raises(EncoderError, match="has no vectors of its image, not rebuilt-features"):
        encode_items(planted, "image", REBUILT)
    with pytest.raises(EncoderError, match="not of parts of their texts"):
        encode_items(data, "text", REBUILT, text_parts=("title",))
    with pytest.raises(EncoderError, match="Unknown pooling"):
        encode_items(data, "text", REBUILT, pooling="cls")


def test_no_list_of_encoders_shows_them():
    for modality in ("text", "image"):
        assert get_encoder(REBUILT, modality).modality == modality
        assert not {GIVEN, REBUILT} & set(list_encoders(modality))


def test_neighbours_are_of_the_vectors_as_they_are(data):
    text, image = (encode_items(data, modality, REBUILT) for modality in ("text", "image"))
    assert text.principal(3).neighbours is None
    assert text.principal(99).neighbours is text.neighbours
    assert residual(image, text, np.arange(100)).neighbours is None
    with pytest.raises(EncoderError, match="neighbours of 100 items and 99 vectors"):
        replace(text, matrix=text.matrix[1:], present=text.present[1:])


# Controls


def test_shuffled_neighbours_are_those_of_the_shuffled_vectors(data):
    """The graph of the dealt vectors, worked out from them anew."""
    found = encode_items(data, "text", f"{REBUILT}-shuffled")
    expected, here = nearest(found.matrix, 4), found.present
    assert np.array_equal(found.neighbours.items[here], expected.items[here])
    np.testing.assert_allclose(found.neighbours.cosines[here], expected.cosines[here], atol=1e-6)
    own = data.vectors["text"]
    assert not (found.matrix == own.matrix)[here].all(axis=1).any()
    assert not np.array_equal(found.neighbours.items, own.neighbours.items)


@pytest.mark.parametrize("ending", ["noise", "constant"])
def test_controls_without_content_have_no_neighbours(data, ending):
    found = encode_items(data, "text", f"{REBUILT}-{ending}")
    assert found.neighbours is None and found.encoder == f"{REBUILT}/vector, {ending}"


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_a_constant_tells_no_items_apart(data, preparation):
    own, found = (encode_items(data, "text", REBUILT + ending) for ending in ("", "-constant"))
    np.testing.assert_allclose(found.matrix[0], own.matrix[own.present].mean(0), atol=1e-6)
    assert np.array_equal(found.present, own.present) and not found.matrix[2].any()
    rows = prepared(found, preparation)[found.present]
    assert (rows == rows[0]).all()
    assert rows.any() == (preparation not in ("standardised", "whitened"))


def test_a_core_is_encoded_with_the_whole_data_set():
    whole = load_dataset("planted")
    part = implicit_view(whole, 4, core=5)
    assert 0 < part.n_items < whole.n_items
    kept = np.flatnonzero(np.isin(whole.items["raw_id"], part.items["raw_id"]))
    ours, theirs = (encode_items(data, "text", "tfidf") for data in (part, whole))
    np.testing.assert_array_equal(ours.matrix, theirs.matrix[kept])
    np.testing.assert_array_equal(ours.present, theirs.present[kept])
    assert ours.key != theirs.key
    fewer = implicit_view(whole, 5, core=5)
    assert encode_items(fewer, "text", "tfidf").key != ours.key
    shuffled = encode_items(part, "text", "tfidf-shuffled")
    assert sorted(map(tuple, shuffled.matrix)) == sorted(map(tuple, ours.matrix))
