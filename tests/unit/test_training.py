"""The training loop: resume, determinism, early stopping, and what it never looks at."""

import dataclasses

import numpy as np
import pytest
import torch

from bonmf_lib.errors import ConfigError, TrainingError
from bonmf_lib.models import build_model
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import History, Validation, fit, predict
from tests.conftest import CPU

SETTINGS = TrainingConfig(epochs=6, batch_size=128, learning_rate=0.005, patience=2)


def train(planted, split, inputs, settings=SETTINGS, checkpoint=None, seed=3):
    model = build_model("bonmf", BoNMFConfig(dropout=0.3), inputs, seed)
    history = fit(model, planted, split, settings, seed, CPU, checkpoint)
    return model, history


def same_weights(one, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_same_seed_same_weights_other_seed_other_weights(planted, split, inputs):
    (one, _), (again, _) = train(planted, split, inputs), train(planted, split, inputs)
    assert same_weights(one, again)
    assert not same_weights(one, train(planted, split, inputs, seed=4)[0])


def test_a_training_keeps_freed_memory(planted, split, inputs, monkeypatch):
    asked = []
    monkeypatch.setattr("platform.libc_ver", lambda: asked.append("libc") or ("", ""))
    train(planted, split, inputs)
    assert asked


def test_training_leaves_the_global_generator_alone(planted, split, inputs):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    train(planted, split, inputs)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.case(
    "processes",
    "a training that is stopped after any epoch",
    "goes on, and ends bit for bit the same",
)
@pytest.mark.parametrize("killed_after", [1, 3, 6])
def test_resumed_run_ends_bit_for_bit_like_an_undisturbed_one(
    planted, split, inputs, tmp_path, killed_after
):
    whole, history = train(planted, split, inputs)
    kept = tmp_path / "checkpoint.pt"
    train(planted, split, inputs, dataclasses.replace(SETTINGS, epochs=killed_after), kept)
    resumed, resumed_history = train(planted, split, inputs, checkpoint=kept)
    assert same_weights(whole, resumed)
    assert history.train_loss == resumed_history.train_loss
    assert history.valid == resumed_history.valid


def test_checkpoint_of_another_model_is_refused(planted, split, inputs, tmp_path):
    kept = tmp_path / "checkpoint.pt"
    train(planted, split, inputs, checkpoint=kept)
    other = build_model("bonmf", BoNMFConfig(embedding_dim=8), inputs, 3)
    with pytest.raises(TrainingError, match="does not fit this run"):
        fit(other, planted, split, SETTINGS, 3, CPU, kept)


def test_early_stopping_restores_the_best_epoch(planted, split, inputs):
    settings = dataclasses.replace(SETTINGS, epochs=40, patience=3, learning_rate=0.02)
    model, history = train(planted, split, inputs, settings)
    assert len(history.train_loss) < 40
    assert len(history.train_loss) == history.best_epoch + 3
    valid = Triples.of(planted, split.valid, CPU)
    mse = float((predict(model, valid.users, valid.items) - valid.ratings).square().mean())
    assert mse == pytest.approx(min(history.valid), rel=1e-5)


@pytest.mark.case(
    "numbers",
    "poisoned test ratings",
    "no weight, no chosen epoch changes: training never reads them",
)
def test_poisoned_test_ratings_change_nothing_that_was_learned(planted, split, inputs):
    """The strongest proof that training never reads the test part: other test ratings, same
    weights."""
    clean, clean_history = train(planted, split, inputs)
    poisoned = planted.ratings.copy()
    poisoned.loc[split.test, "rating"] = np.float32(99.0)
    model, history = train(dataclasses.replace(planted, ratings=poisoned), split, inputs)
    assert same_weights(clean, model)
    assert clean_history.best_epoch == history.best_epoch
    assert clean_history.valid == history.valid


@pytest.mark.parametrize("gain", [1e-6, 0.0])
def test_patience_starts_anew_with_any_gain_however_small(planted, split, inputs, gain):
    """Values that are watched are not rounded; one that is merely equal is no gain."""
    watched = Validation("value", lambda model: next(values), higher_is_better=True)
    settings = dataclasses.replace(SETTINGS, epochs=9, patience=2)
    values = iter([0.5, 0.4, 0.5 + gain, *[0.4] * 6])
    model = build_model("bonmf", BoNMFConfig(), inputs, seed=0)
    history = fit(model, planted, split, settings, 0, CPU, validation=watched)
    assert (history.best_epoch, len(history.valid)) == ((3, 5) if gain else (1, 3))


@pytest.mark.case(
    "numbers", "a loss that turns NaN", "an error that names the epoch and the learning rate"
)
def test_nan_loss_names_the_epoch_and_the_learning_rate(planted, split, inputs):
    with pytest.raises(TrainingError, match=r"epoch \d+; lower the learning rate \(now 1e\+30\)"):
        train(planted, split, inputs, dataclasses.replace(SETTINGS, learning_rate=1e30))


@pytest.mark.case(
    "parameters", "an infinite learning rate, or one that is no number", "refused before training"
)
@pytest.mark.parametrize("rate", [float("inf"), float("nan")])
def test_settings_are_finite(rate):
    with pytest.raises(ValueError, match="finite number"):
        TrainingConfig(learning_rate=rate)


def test_patience_without_validation_is_refused(planted, inputs):
    with pytest.raises(ConfigError, match="needs something to watch"):
        train(planted, Ratio().split(planted, valid=0.0), inputs)


def test_best_epoch_without_validation_is_the_last():
    assert History([1.0, 0.9], [float("nan")] * 2, [0.1] * 2).best_epoch == 2
    assert History([1.0, 0.9, 0.8], [1.0, 0.8, 0.9], [0.1] * 3).best_epoch == 2
