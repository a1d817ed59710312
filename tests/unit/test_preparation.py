"""Preparations of features: what models read, what hashes hold, and that each finds text that
matters."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bonmf_lib.config import config_hash, make_config
from bonmf_lib.datasets import load_planted
from bonmf_lib.encoders import encode_items
from bonmf_lib.encoders.features import Features
from bonmf_lib.encoders.preparation import PREPARATIONS, prepare, prepared
from bonmf_lib.errors import ConfigError
from bonmf_lib.experiments.protocols import fixed_epochs
from bonmf_lib.experiments.table1 import table1_rows
from bonmf_lib.models import ModelInputs, build_model, get_model
from bonmf_lib.models.layers import FeatureTable, ProjectedFeatures
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.variant import variant_hash
from bonmf_lib.splits.rules import ColdItems
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit, predict
from tests.conftest import CPU


@pytest.fixture(scope="module")
def features() -> Features:
    """Correlated columns of very different scales; the last item has no text."""
    draw = np.random.default_rng(0)
    matrix = (
        draw.standard_normal((60, 6)) @ draw.standard_normal((6, 6)) * [1, 10, 0.1, 1, 1, 5] + 3
    )
    matrix[-1] = 0
    return Features(matrix.astype(np.float32), np.arange(60) < 59, "x", "1", "k")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_missing_items_stay_zero_and_others_are_prepared_as_the_items_are(features, preparation):
    found = prepared(features, preparation)
    assert found.dtype == np.float32
    assert not found[-1].any()
    np.testing.assert_allclose(
        prepare(features, features.matrix[3:5], preparation), found[3:5], rtol=1e-5
    )


def test_each_preparation_is_what_its_name_says(features):
    seen = features.present
    assert np.array_equal(prepared(features, "native"), features.matrix)
    assert np.array_equal(prepared(features, "standardised"), features.standardized())
    unit = prepared(features, "unit")[seen]
    lengths = np.sqrt((features.matrix[seen] ** 2).sum(1))[:, None]
    np.testing.assert_allclose(unit, features.matrix[seen] / lengths, rtol=1e-5)
    white = prepared(features, "whitened")[seen].astype(np.float64)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(6), atol=1e-4)
    centred = features.matrix[seen].astype(np.float64) - features.matrix[seen].mean(
        0, dtype=np.float64
    )
    precision = np.linalg.inv(np.cov(centred, rowvar=False))
    # Mahalanobis's, however components are turned
    distances = np.einsum("ij,jk,ik->i", centred, precision, centred)
    np.testing.assert_allclose((white**2).sum(1), distances, rtol=1e-3)


def test_whitening_leaves_out_directions_without_variance(features):
    doubled = Features(np.repeat(features.matrix, 2, axis=1), features.present, "x", "1", "k")
    assert prepared(doubled, "whitened").shape == (60, 6)


@pytest.mark.filterwarnings("error")
def test_features_that_do_not_differ_have_nothing_to_whiten():
    for matrix in (np.ones((5, 3), np.float32), np.eye(1, 3, dtype=np.float32)):
        alike = Features(matrix, np.ones(len(matrix), bool), "x", "1", "k")
        assert prepared(alike, "whitened").shape == (len(matrix), 0)
        assert not prepared(alike, "standardised").any()


def test_regions_are_prepared_each_by_itself():
    draw = np.random.default_rng(0)
    matrix = draw.standard_normal((40, 3 * 4)).astype(np.float32) * 7
    regions = Features(matrix, np.ones(40, bool), "x", "1", "k", regions=3)
    lengths = np.linalg.norm(prepared(regions, "unit").reshape(-1, 4), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    white = prepared(regions, "whitened").reshape(-1, 4)
    np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(4), atol=1e-4)
    table = FeatureTable(regions, 5, "layer norm")
    parts = table.rows(None).unflatten(1, (3, 4))
    torch.testing.assert_close(
        parts, F.layer_norm(torch.from_numpy(matrix).unflatten(1, (3, 4)), (4,))
    )


def test_a_learned_scale_starts_as_layer_norm_learns_and_leaves_missing_items_to_their_vector(
    features,
):
    table = ProjectedFeatures(features, 3, "layer norm")
    rows = table.rows(None)
    torch.testing.assert_close(
        rows[:-1], F.layer_norm(torch.from_numpy(features.matrix[:-1]), (6,))
    )
    with torch.no_grad():
        table.norm.bias.fill_(1.0)
        table.missing.fill_(2.0)
    assert not table.rows(torch.tensor([59])).any()
    torch.testing.assert_close(table(torch.tensor([59])), torch.full((1, 3), 2.0))
    table(None).square().sum().backward()
    assert table.norm.weight.grad.all() and table.norm.bias.grad.all()


@pytest.mark.parametrize(
    "name", ["bonmf", "tensor-fusion", "early-fusion", "bonmf+", "visual-fusion"]
)
def test_every_model_of_text_and_pictures_reads_them_as_its_configuration_says(inputs, name):
    users, items = torch.arange(30), torch.arange(30)
    found = []
    for choice in ({}, {"text_preparation": "standardised"}, {"image_preparation": "standardised"}):
        model = build_model(name, get_model(name).config(**choice), inputs, seed=1).eval()
        found.append(model(users, items))
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_an_unknown_preparation_is_one_sentence():
    with pytest.raises(ConfigError, match="text_preparation"):
        make_config(BoNMFConfig, {"text_preparation": "standardized"})


def test_hashes_of_rows_on_standardised_features_are_as_before_there_was_a_choice(run):
    rows = {row.name: row for row in table1_rows(run)}
    assert variant_hash(run, rows["BoNMF"]) == "8eff0a243d7cdad2"
    assert variant_hash(run, rows["NMD (ID only)"]) == "3d38688b9ab1e4d1"
    assert config_hash(BoNMFConfig(text_preparation="standardised")) != config_hash(BoNMFConfig())


def test_hashes_tell_preparations_apart_where_features_are_read(run):
    both = fixed_epochs(run, "x", "bonmf", BoNMFConfig())
    hashes = {
        variant_hash(run, both.prepared(text, image))
        for text in PREPARATIONS
        for image in PREPARATIONS
    }
    assert len(hashes) == len(PREPARATIONS) ** 2
    ids = fixed_epochs(run, "x", "bonmf", BoNMFConfig(modalities=()))
    other = BoNMFConfig(modalities=(), text_preparation="unit")
    assert variant_hash(run, ids) == variant_hash(run, fixed_epochs(run, "x", "bonmf", other))


def test_components_of_native_features_keep_their_scale(features):
    own, even = features.principal(2, standardised=False), features.principal(2)
    assert own.key != even.key
    seen = features.present
    variance = np.linalg.eigvalsh(np.cov(features.matrix[seen].astype(np.float64), rowvar=False))[
        ::-1
    ][:2]
    np.testing.assert_allclose(own.matrix[seen].var(axis=0, ddof=1), variance, rtol=1e-4)


@pytest.fixture(scope="module")
def gain_from_text():
    """Percent of the test error on new items that text takes away from IDs, on generated data whose
    text tells all."""
    data = load_planted(n_users=120, n_items=240, ratings_per_user=100, factors=3, shared=1)[0]
    split = ColdItems(0.3).split(data, 0, valid=0.1)
    test = Triples.of(data, split.test, CPU)
    settings = TrainingConfig(epochs=60, batch_size=128, learning_rate=0.005, patience=5)
    mean = float(data.ratings["rating"].iloc[split.train].mean())

    def error(encoder: str | None, preparation: str) -> float:
        text = encode_items(data, "text", encoder) if encoder else None
        inputs = ModelInputs(data.n_users, data.n_items, mean_rating=mean, text=text)
        config = BoNMFConfig(
            embedding_dim=16,
            hidden=(64,),
            modalities=("text",) if encoder else (),
            text_preparation=preparation,
        )
        model = build_model("bonmf", config, inputs, 0)
        fit(model, data, split, settings, 0, CPU)
        return float(F.mse_loss(predict(model, test.users, test.items), test.ratings))

    without = error(None, "native")
    return lambda encoder, preparation: 100 * (without - error(encoder, preparation)) / without


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_every_preparation_finds_text_that_matters_and_none_finds_shuffled_text(
    gain_from_text, preparation
):
    assert gain_from_text("tfidf", preparation) > 20
    assert abs(gain_from_text("tfidf-shuffled", preparation)) < 5
    assert abs(gain_from_text("tfidf-noise", preparation)) < 5
