"""Runs of variants: what is trained anew, what is used again, and that every setting of a row is
honoured."""

import shutil
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from bonmf_lib.datasets import Dataset
from bonmf_lib.encoders import registry
from bonmf_lib.encoders.image import PixelEncoder
from bonmf_lib.errors import ConfigError, DamagedError, TrainingError
from bonmf_lib.evaluation.rules import FULL_RANKING
from bonmf_lib.experiments.protocols import fixed_epochs_protocol, tuned
from bonmf_lib.experiments.table1 import best_rows, table1_rows, tuned_rows
from bonmf_lib.integrity import read_json, read_sealed_bytes
from bonmf_lib.models import build_model
from bonmf_lib.models.rating.bias import UserItemBiasConfig
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.runs import training as training_module
from bonmf_lib.runs.records import notes_name, read_published
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants
from bonmf_lib.runs.training import Training, trained_side_by_side
from bonmf_lib.runs.variant import Variant, variant_hash
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training import search as tuning
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit, predict
from bonmf_lib.training.search import Search
from tests.conftest import CPU, model_inputs

TRAINING = TrainingConfig(epochs=2, batch_size=256, learning_rate=0.005)
ROW = Variant("Biased SVD", "as published", "biased-svd", BiasedSVDConfig(factors=5), TRAINING)
BONMF = Variant(
    "BoNMF", "as published", "bonmf", BoNMFConfig(embedding_dim=4, hidden=(8,)), TRAINING
)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    # monkeypatched trainings stay in this process
    monkeypatch.delenv("BONMF_WORKERS", raising=False)
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))


@pytest.fixture
def trainings(monkeypatch) -> list[str]:
    """Labels of all trainings from here on, a search's trials included."""
    labels = []

    def noted(module, label):
        original = module.fit

        def fit_noted(*args, **kwargs):
            labels.append(label)
            return original(*args, **kwargs)

        monkeypatch.setattr(module, "fit", fit_noted)

    noted(training_module, "final")
    noted(tuning, "trial")
    return labels


def values(records) -> dict:
    return records.set_index(["variant", "seed", "metric"])["value"].to_dict()


# What is trained anew


def test_finished_runs_are_not_repeated(run, trainings):
    first = run_variants(run, "one", [ROW])
    assert trainings == ["final"] * 2  # the profile has two seeds
    assert values(run_variants(run, "one", [ROW])) == values(first)
    assert len(trainings) == 2


def test_another_experiment_evaluates_what_is_trained_already(run, monkeypatch):
    first = run_variants(run, "one", [ROW, BONMF], seeds=(0,))

    def refuse(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(training_module, "fit", refuse)
    second = run_variants(run, "two", [BONMF, ROW], seeds=(0,))
    assert values(second) == values(first)
    assert set(second["experiment"]) == {"two"}
    # in its own order
    assert second["variant"].drop_duplicates().tolist() == [
        "BoNMF",
        "Biased SVD",
    ]
    changes = {"training": replace(TRAINING, epochs=3)}, {"split": Ratio(keep=0.5)}, {"members": 2}
    for other in (replace(ROW, **change) for change in changes):
        with pytest.raises(AssertionError, match="trained again"):
            run_variants(run, "two", [other], seeds=(0,))
    with pytest.raises(AssertionError, match="trained again"):
        run_variants(run, "two", [ROW], seeds=(1,))


def test_rows_that_differ_in_name_only_are_trained_once(run, trainings):
    other = replace(ROW, name="the same again", protocol="early stopped")
    records = run_variants(run, "one", [ROW, other], seeds=(0,))
    assert trainings == ["final"]
    errors = records[records["metric"] == "mse"].set_index("variant")["value"]
    assert errors["Biased SVD"] == errors["the same again"]
    assert records["config"].nunique() == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [({"members": 2}, "needs ratings"), ({"search": Search((), 1)}, "a search watches ratings")],
)
def test_ratings_that_are_ranked_by_are_of_one_model_with_given_settings(change, said):
    with pytest.raises(ConfigError, match=rf"Biased SVD: .*{said}"):
        replace(ROW, evaluation=FULL_RANKING, **change)


def test_an_experiment_without_rows_has_no_records(run):
    run_variants(run, "one", [ROW], seeds=(0,))
    assert run_variants(run, "none", [], seeds=(0,)).empty


def test_workers_end_with_the_same_records(run, tmp_path, monkeypatch):
    other = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "workers")))
    rows = [ROW, BONMF, *(replace(row, members=2) for row in best_rows(run)[1:])]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = run_variants(run, "one", rows)
    torch.set_num_threads(threads)
    monkeypatch.setenv("BONMF_WORKERS", "2")
    assert values(run_variants(other, "one", rows)) == values(alone)


def test_models_trained_side_by_side_are_the_same(run, monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    trainings = [Training(run, row, 0) for row in (ROW, BONMF)]
    alone = [training.model() for training in trainings]
    torch.set_num_threads(threads)
    shutil.rmtree(run.run_dir / "weights")
    monkeypatch.setenv("BONMF_WORKERS", "2")
    for model, expected in zip(trained_side_by_side(trainings), alone, strict=True):
        assert type(model) is type(expected)
        for name, weights in expected.state_dict().items():
            assert torch.equal(model.state_dict()[name], weights), name
        users, items = torch.arange(5), torch.arange(5)
        # features too
        assert torch.equal(predict(model, users, items), predict(expected, users, items))


def test_error_of_a_worker_arrives(run, monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "2")
    diverging = replace(ROW, training=replace(TRAINING, learning_rate=1e30, epochs=3))
    with pytest.raises(TrainingError, match="lower the learning rate"):
        run_variants(run, "one", [ROW, diverging])


@pytest.mark.parametrize("given", ["0", "two", "-1"])
def test_bad_number_of_workers(run, monkeypatch, given):
    monkeypatch.setenv("BONMF_WORKERS", given)
    with pytest.raises(ConfigError, match="BONMF_WORKERS must be"):
        run_variants(run, "one", [ROW])


def test_fresh_searches_again(run, trainings, monkeypatch):
    single, several = best_rows(run)
    rows = [single, replace(several, members=2)]
    first = run_variants(run, "one", rows, seeds=(0,))
    monkeypatch.setenv("BONMF_FRESH", "1")
    again = run_variants(run, "one", rows, seeds=(0,))
    # the two rows share one search
    assert trainings == (["trial"] * single.search.trials + ["final"] * 3) * 2
    assert values(again) == values(first)


def test_only_the_papers_recipe_is_called_as_published(tmp_path):
    paper, smoke = (
        Run(
            NotebookParameters(profile=name, dataset="ml-1m", content="full", run_dir=str(tmp_path))
        )
        for name in ("paper", "smoke")
    )
    assert fixed_epochs_protocol(paper) == "as published"
    assert fixed_epochs_protocol(smoke) == "4 epochs of batch 64"


def test_fresh_trains_again_and_ends_with_the_same_numbers(run, trainings, monkeypatch):
    first = run_variants(run, "one", [ROW], seeds=(0,))
    monkeypatch.setenv("BONMF_FRESH", "1")
    again = run_variants(run, "one", [ROW], seeds=(0,))
    assert trainings == ["final"] * 2
    assert values(again) == values(first)


def test_training_killed_between_epochs_goes_on_from_its_checkpoint(run, tmp_path, monkeypatch):
    longer = replace(ROW, training=replace(TRAINING, epochs=4))
    other = Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "undisturbed")))
    whole = run_variants(other, "one", [longer], seeds=(0,))

    def killed(*args, **kwargs):
        def after_two(history):
            if len(history.train_loss) == 2:
                raise KeyboardInterrupt
            return False

        return fit(*args, **kwargs, stop=after_two)

    with monkeypatch.context() as patch:
        patch.setattr(training_module, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            run_variants(run, "one", [longer], seeds=(0,))
    (checkpoint,) = (run.run_dir / "checkpoints").iterdir()
    kept = torch.load(read_sealed_bytes(checkpoint), weights_only=True)
    assert len(kept["history"]["train_loss"]) == 2
    assert values(run_variants(run, "one", [longer], seeds=(0,))) == values(whole)
    assert not list((run.run_dir / "checkpoints").iterdir())


def test_rows_of_one_search_share_its_trials(run, trainings):
    single, several = best_rows(run)
    several = replace(several, members=2)
    run_variants(run, "one", [single], seeds=(0,))
    assert trainings == ["trial"] * single.search.trials + ["final"]
    run_variants(run, "one", [single, several], seeds=(0,))
    assert trainings[single.search.trials + 1 :] == ["final"] * 2
    assert Training(run, single, 0).trials_path == Training(run, several, 0).trials_path


# What a run is


def reordered(run: Run, folder) -> Run:
    """The same run on the same ratings in another order of rows."""
    other = Run(NotebookParameters(profile="smoke", run_dir=str(folder)))
    ratings = run.dataset.ratings.sample(frac=1, random_state=0).reset_index(drop=True)
    other.dataset = replace(run.dataset, ratings=ratings)
    return other


@pytest.mark.case(
    "numbers", "the same ratings with their rows reordered", "another run: splits go by the order"
)
def test_reordered_ratings_are_another_run_with_predictions_of_their_own(run):
    bias = Variant("Bias", "closed form", "user-item-bias", UserItemBiasConfig(), TRAINING)
    other = reordered(run, run.run_dir)
    assert other.dataset.fingerprint == run.dataset.fingerprint
    first = run_variants(run, "one", [bias], seeds=(0,)).set_index("metric")["value"]["mse"]
    second = run_variants(other, "one", [bias], seeds=(0,)).set_index("metric")["value"]["mse"]
    for each, found in ((run, first), (other, second)):
        table = Training(each, bias, 0).predictions()
        training = Training(each, bias, 0)
        test = Triples.of(each.dataset, training.split.test, CPU)
        expected = predict(training.model(), test.users, test.items).numpy().clip(1, 5)
        np.testing.assert_allclose(table["predicted"], expected, atol=1e-6)
        assert found == pytest.approx(
            np.mean((expected - table["rating"].to_numpy()) ** 2), rel=1e-5
        )


def test_kept_predictions_of_other_rows_are_refused(run, monkeypatch):
    bias = Variant("Bias", "closed form", "user-item-bias", UserItemBiasConfig(), TRAINING)
    run_variants(run, "one", [bias], seeds=(0,))
    other = reordered(run, run.run_dir)
    monkeypatch.setattr(Dataset, "order", ())  # as if the order were no part of a run's identity
    with pytest.raises(DamagedError, match="of other test ratings"):
        Training(other, bias, 0).predictions()


@pytest.mark.mirror
@pytest.mark.case(
    "numbers",
    "the settings hashes of what is published for MovieLens-1M",
    "this code gives the same ones",
)
def test_published_hashes_are_those_of_todays_rows(tmp_path):
    run = Run(NotebookParameters(profile="paper", run_dir=str(tmp_path)))
    asked = (
        "NMD (ID only)",
        "SVD",
        "Biased SVD",
        "SVD++",
        "FM",
        "Wide & Deep",
        "DeepFM",
        "Global mean",
    )
    # those without features
    rows = [row for row in (*table1_rows(run), *tuned_rows(run)) if row.name in asked]
    published = read_published()
    published = published[published["experiment"].isin(["04_table1", "04_tuned"])]
    known = published.drop_duplicates(["variant", "protocol"]).set_index(["variant", "protocol"])[
        "config"
    ]
    assert len(rows) >= 14
    assert {(row.name, row.protocol): variant_hash(run, row) for row in rows} == {
        (row.name, row.protocol): known[row.name, row.protocol] for row in rows
    }


@pytest.mark.case(
    "numbers",
    "predictions that turn NaN with the last step of a training",
    "an error, nothing is kept",
)
def test_predictions_that_are_not_finite_are_not_kept(run, monkeypatch):
    monkeypatch.setattr(training_module, "predict", lambda *args: predict(*args) * float("nan"))
    with pytest.raises(
        TrainingError, match=r"predictions of test ratings are not finite; lower the learning rate"
    ):
        run_variants(run, "one", [replace(ROW, explained=True)], seeds=(0,))
    assert not list((run.run_dir).rglob("*.safetensors"))
    monkeypatch.undo()
    assert len(run_variants(run, "one", [ROW], seeds=(0,)))


# What a row's settings do


def test_members_are_averaged_and_differ_in_their_seeds(run):
    several = replace(BONMF, members=2)
    run_variants(run, "one", [several], seeds=(7,))
    split = Ratio().split(run.dataset, 7)
    inputs = model_inputs(run.dataset, split, "tfidf", "pixels")
    test = Triples.of(run.dataset, split.test, CPU)
    predictions = []
    for seed in (7, int(np.random.SeedSequence([7, 1]).generate_state(1)[0])):
        model = build_model("bonmf", several.model_config, inputs, seed)
        fit(model, run.dataset, split, TRAINING, seed, CPU)
        predictions.append(predict(model, test.users, test.items).numpy())
    assert np.abs(predictions[0] - predictions[1]).mean() > 0.005
    found = Training(run, several, 7).predictions()["predicted"].to_numpy()
    low, high = run.dataset.scale.low, run.dataset.scale.high
    np.testing.assert_allclose(found, np.mean(predictions, axis=0).clip(low, high), atol=1e-5)
    np.testing.assert_allclose(
        Training(run, several, 7).members(), np.clip(predictions, low, high), atol=1e-5
    )


@dataclass(frozen=True)
class Mirrored(PixelEncoder):
    """Another picture encoder: the pixels the other way round."""

    name: str = "mirrored-pixels"

    def encode(self, pictures, device):
        found = super().encode(pictures, device)
        return found | {"mean": found["mean"][:, ::-1] ** 2}


def test_picture_encoder_of_a_row_replaces_the_runs(run, empty_cache, monkeypatch):
    monkeypatch.setitem(registry._ENCODERS, "mirrored-pixels", Mirrored())
    other = replace(BONMF, image_encoder="mirrored-pixels")
    ours, theirs = (variant.features(run, "image") for variant in (BONMF, other))
    assert ours.encoder != theirs.encoder
    assert ours.key != theirs.key
    assert not np.array_equal(ours.matrix, theirs.matrix)
    assert np.array_equal(BONMF.features(run, "text").matrix, other.features(run, "text").matrix)
    records = [
        run_variants(run, variant.image_encoder or "own", [variant], seeds=(0,))
        for variant in (BONMF, other)
    ]
    # equal names and settings otherwise
    assert set(records[0]["config"]).isdisjoint(records[1]["config"])
    one, two = (Training(run, variant, 0).predictions()["predicted"] for variant in (BONMF, other))
    assert not np.array_equal(one, two)
    noted = read_json(run.run_dir / "encoders" / notes_name("mirrored-pixels", run.dataset))[
        "encoders"
    ]
    assert [note["key"] for note in noted] == [other.features(run, "text").key, theirs.key]


def test_encoder_of_what_a_row_does_not_use_changes_nothing(run, empty_cache, monkeypatch):
    monkeypatch.setitem(registry._ENCODERS, "mirrored-pixels", Mirrored())
    blind = replace(BONMF, model_config=replace(BONMF.model_config, modalities=("text",)))
    assert blind.features(run, "image") is None
    first = run_variants(run, "one", [blind], seeds=(0,))
    second = run_variants(run, "one", [replace(blind, image_encoder="mirrored-pixels")], seeds=(0,))
    assert first["config"].unique().tolist() == second["config"].unique().tolist()


@pytest.mark.parametrize(
    ("changes", "rule", "share"),
    [
        ({}, "ratio(test=0.3, valid=0)", 0.3),
        ({"split": Ratio(0.2)}, "ratio(test=0.2, valid=0)", 0.2),
        ({"split": Ratio(keep=0.1)}, "ratio(test=0.3, valid=0, keep=0.1)", 0.3 / 0.37),
        ({"training": replace(TRAINING, patience=1)}, "ratio(test=0.3, valid=0.1)", 0.3),
        ({"split": Ratio(0.4, 0.5)}, "ratio(test=0.4, valid=0, keep=0.5)", 0.4 / 0.7),
    ],
)
def test_split_of_a_row_is_recorded_and_used(run, monkeypatch, changes, rule, share):
    used = []
    monkeypatch.setattr(
        training_module, "fit", lambda *args, **kwargs: used.append(args[2]) or fit(*args, **kwargs)
    )
    variant = replace(ROW, **changes)
    records = run_variants(run, "one", [variant], seeds=(0,))
    assert set(records["split"]) == {rule}
    assert records["test_share"].unique() == pytest.approx([share], abs=1e-3)
    valid = 0.1 if variant.training.patience else 0.0
    expected = variant.split.split(run.dataset, 0, valid=valid)
    (split,) = used
    for part in ("train", "valid", "test", "unused"):
        assert np.array_equal(getattr(split, part), getattr(expected, part))
    assert len(Training(run, variant, 0).predictions()) == len(expected.test)


def test_search_of_a_sparse_row_sees_only_the_kept_ratings(run, monkeypatch):
    used = []
    monkeypatch.setattr(
        tuning, "fit", lambda *args, **kwargs: used.append(args[2]) or fit(*args, **kwargs)
    )
    sparse = tuned(run, replace(ROW, model_config=BiasedSVDConfig(), split=Ratio(keep=0.5)))
    run_variants(run, "one", [sparse], seeds=(0,))
    expected = Ratio(keep=0.5).split(run.dataset, 0, valid=0.1)
    assert len(used) == sparse.search.trials
    for split in used:
        assert np.array_equal(split.train, expected.train)
        assert np.array_equal(split.valid, expected.valid)


def test_records_hold_errors_of_the_predictions_and_of_cold_items(run):
    sparse = replace(ROW, split=Ratio(keep=0.1))
    found = run_variants(run, "one", [sparse], seeds=(0,)).set_index("metric")["value"]
    table = Training(run, sparse, 0).predictions()
    error = (table["predicted"].astype(float) - table["rating"]) ** 2
    assert found["mse"] == pytest.approx(error.mean())
    train = run.dataset.ratings.iloc[Training(run, sparse, 0).split.train]
    cold = table["item"].map(train["item"].value_counts()).fillna(0) < 5
    assert 0 < cold.sum() < len(cold)
    assert found["mse-cold-items"] == pytest.approx(error[cold].mean())
    assert (
        found["best_epoch"] == len(Training(run, sparse, 0).history().train_loss) == TRAINING.epochs
    )


def test_implicit_rows_record_rankings_only(run):
    implicit = replace(
        ROW, training=replace(TRAINING, loss="bce", negatives=1), evaluation=FULL_RANKING
    )
    metrics = set(run_variants(run, "one", [implicit], seeds=(0,))["metric"])
    assert {"recall@10", "ndcg@10", "hr@10"} <= metrics
    assert not {"mse", "rmse", "mae"} & metrics
