"""Rankers as rows: how they are trained, what is refused, and rows that start from others."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bonmf_lib.config import config_hash
from bonmf_lib.errors import ConfigError
from bonmf_lib.evaluation.rules import FULL_RANKING, RATED_ITEMS, SampledRanking
from bonmf_lib.integrity import read_arrays
from bonmf_lib.models import build_model
from bonmf_lib.models.ranking.buir import BUIRConfig
from bonmf_lib.models.ranking.ease import EASEConfig
from bonmf_lib.models.ranking.gmf import GMFConfig
from bonmf_lib.models.ranking.mlp import MLPConfig
from bonmf_lib.models.ranking.neumf import NeuMFConfig
from bonmf_lib.models.ranking.popularity import PopularityConfig
from bonmf_lib.models.rating.bias import UserItemBiasConfig
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.runs import training as training_module
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.runner import run_variants, train_share
from bonmf_lib.runs.training import Training, trained_side_by_side
from bonmf_lib.runs.variant import Variant, training_hash, variant_hash
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training import loop
from bonmf_lib.training.batches import NegativeSampler, Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit
from bonmf_lib.training.search import Search
from tests.conftest import CPU

DRAWN = TrainingConfig(epochs=2, batch_size=512, loss="bce", negatives=2)
SGD = replace(DRAWN, optimiser="sgd", learning_rate=0.1)


def row(name: str, model: str, config, training=DRAWN, **values) -> Variant:
    values = {"evaluation": FULL_RANKING} | values
    return Variant(name, "as published", model, config, training, **values)


GMF = row("GMF", "gmf", GMFConfig(factors=4))
MLP = row("MLP", "mlp", MLPConfig(factors=4, hidden_layers=1))
SIZES = {"factors": 4, "hidden_layers": 1}
NEUMF = row("NeuMF", "neumf", NeuMFConfig(**SIZES), SGD)
FUSED = replace(NEUMF, name="NeuMF, pretrained", starts_from=(GMF, MLP))
ALONE = TrainingConfig(epochs=30, batch_size=512, learning_rate=0.01, loss="bootstrap", patience=1)
BUIR = row("BUIR", "buir", BUIRConfig(factors=4, layers=1), ALONE)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.delenv("BONMF_WORKERS", raising=False)
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path / "run")))


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """Labels of all trainings from here on."""
    found, real = [], training_module.fit
    monkeypatch.setattr(
        training_module,
        "fit",
        lambda *args, **more: found.append(more["label"].split(" (")[0]) or real(*args, **more),
    )
    return found


# Settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": "bpr"}, "must be positive with loss 'bce' or 'bpr'"),
        ({"loss": "bootstrap", "negatives": 1}, "and 0 with the others"),
        ({"negatives_over": "all"}, "none are drawn"),
        ({"batches_of": "examples"}, "separates drawn items from their rating"),
        ({"batches_of": "examples", "loss": "bpr", "negatives": 1}, "loss 'bpr' does not allow"),
    ],
)
def test_impossible_settings(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**values)


def test_switches_that_came_later_leave_older_hashes_alone():
    """As they were before there were these fields."""
    assert config_hash(TrainingConfig()) == "a09b4b983c89a656"
    assert config_hash(TrainingConfig(loss="bce", negatives=1)) == "22ce212143e7ffec"
    for values in (
        {"negatives_over": "all"},
        {"optimiser": "sgd"},
        {"batches_of": "examples"},
    ):
        assert config_hash(replace(DRAWN, **values)) != config_hash(DRAWN)


def test_plain_gradient_descent_by_hand(planted, split, inputs, monkeypatch):
    """One step over everything: weights move by the learning rate times the gradient."""
    drawn = {}

    class Noted(NegativeSampler):
        def draw(self, users):
            drawn["users"], drawn["pairs"] = users, super().draw(users)
            return drawn["pairs"]

    monkeypatch.setattr(loop, "NegativeSampler", Noted)
    model = build_model("gmf", GMFConfig(), inputs, seed=0)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    fit(model, planted, split, replace(SGD, epochs=1, batch_size=10**6), 0, CPU)
    for key, value in model.named_parameters():
        torch.testing.assert_close(value.detach(), before[key] - 0.1 * value.grad, msg=key)
        assert value.grad.any()


def test_negatives_over_all_items_may_be_rated_ones(planted, split, inputs):
    train = Triples.of(planted, split.train, CPU)
    model = build_model("gmf", GMFConfig(), inputs, seed=0)
    rated = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    for over, expected in (("unrated", 0), ("all", 0.25)):
        sampler = NegativeSampler(model, train, 5, over=over)
        users, items = sampler.draw(train.users)
        pairs = zip(users.tolist(), items.tolist(), strict=True)
        share = np.mean([pair in rated for pair in pairs])
        assert share == pytest.approx(expected, abs=0.05 if expected else 0)
    counts = torch.bincount(items, minlength=inputs.n_items)
    assert counts.min() > 0


@pytest.mark.parametrize(
    "changes", [{"negatives_over": "all"}, {"optimiser": "sgd"}, {"batches_of": "examples"}]
)
def test_bonmf_ranks_under_the_new_settings(planted, split, inputs, changes):
    """A model of ratings whose outputs are read as logits; the setting makes a difference."""
    scores = []
    for training in (DRAWN, replace(DRAWN, **changes)):
        model = build_model("bonmf", BoNMFConfig(), replace(inputs, mean_rating=0.0), seed=0)
        history = fit(model, planted, split, training, 0, CPU)
        assert np.isfinite(history.train_loss).all()
        scores.append(model.eval().score_all_items(torch.arange(5)))
    assert not torch.allclose(*scores)


@pytest.mark.parametrize(("loss", "negatives"), [("bpr", 1), ("bootstrap", 0)])
def test_models_of_ratings_have_no_loss_of_rankers(planted, split, inputs, loss, negatives):
    model = build_model("biased-svd", BiasedSVDConfig(), inputs, seed=0)
    with pytest.raises(ConfigError, match=f"BiasedSVD is trained by mse or bce, not by {loss}"):
        fit(model, planted, split, TrainingConfig(loss=loss, negatives=negatives), 0, CPU)


def test_a_ranker_in_closed_form_has_no_loss(planted, split, inputs):
    """None of ratings is made up for it; one of ratings has its squared error."""
    models = ("ease", EASEConfig(), False), ("user-item-bias", UserItemBiasConfig(), True)
    for name, config, rates in models:
        model = build_model(name, config, inputs, seed=0)
        history = fit(model, planted, split, TrainingConfig(), 0, CPU)
        for values in (history.train_loss, history.valid):
            assert [math.isfinite(value) for value in values] == [rates]
        assert history.best_epoch == 1


# Rows


def test_rankers_are_not_evaluated_as_ratings():
    for other in (
        lambda: row("EASE", "ease", EASEConfig(), TrainingConfig(), evaluation=RATED_ITEMS),
        lambda: replace(GMF, evaluation=RATED_ITEMS),
        lambda: replace(BUIR, evaluation=RATED_ITEMS),
    ):
        with pytest.raises(ConfigError, match="scores are no ratings; evaluate it by a ranking"):
            other()


def test_rows_without_negatives_are_stopped_by_the_ranking(run):
    """The watched values are NDCG@10 of the validation part, and the best epoch's are kept."""
    records = run_variants(run, "one", [BUIR], seeds=(0,))
    assert {"ndcg@10", "recall@10"} <= set(records["metric"])
    training = Training(run, BUIR, 0)
    history = training.history()
    assert history.higher_is_better
    assert len(history.valid) == history.best_epoch + 1 < ALONE.epochs
    watched = FULL_RANKING.watched(run.dataset, training.split, training.device)
    assert watched.of(training.model()) == pytest.approx(max(history.valid), abs=1e-12)


def test_closed_forms_are_ranked_and_solved_once_for_all_evaluations(run, trained):
    first = row("Popularity", "popularity", PopularityConfig(), TrainingConfig())
    rows = [first, replace(first, evaluation=SampledRanking(20))]
    records = run_variants(run, "one", rows, seeds=(0,))
    assert trained == ["Popularity"]
    assert records.groupby("evaluation")["value"].count().min() > 3
    kept = read_arrays(Training(run, first, 0).predictions_path, Training(run, first, 0).key)
    assert kept["predicted"].max() > run.dataset.scale.high  # scores are not cut to a scale


# Rows that start from others


def test_a_row_starts_from_the_trained_weights_of_others(run, trained, monkeypatch):
    """With a learning rate of next to nothing it ends where it starts: at the mean of their
    logits."""
    still = replace(FUSED, training=replace(SGD, epochs=1, learning_rate=1e-12))
    run_variants(run, "one", [still], seeds=(0,))
    assert trained == ["GMF", "MLP", "NeuMF, pretrained"]
    users = torch.arange(20)
    gmf, mlp, fused = (
        Training(run, one, 0).model().score_all_items(users) for one in (GMF, MLP, still)
    )
    torch.testing.assert_close(fused, (gmf + mlp) / 2, atol=1e-5, rtol=1e-5)
    assert len(trained) == 3


def test_starts_are_trained_once_and_recorded_only_where_asked_for(run, trained):
    other = replace(FUSED, name="NeuMF, other", model_config=NeuMFConfig(**SIZES, alpha=0.2))
    records = run_variants(run, "one", [FUSED, GMF, NEUMF, other], seeds=(0, 1))
    assert sorted(trained) == sorted(
        2 * ["GMF", "MLP", "NeuMF", "NeuMF, other", "NeuMF, pretrained"]
    )
    assert set(records["variant"]) == {"NeuMF, pretrained", "GMF", "NeuMF", "NeuMF, other"}
    assert all(trained.index(name) < trained.index(FUSED.name) for name in ("GMF", "MLP"))
    run_variants(run, "two", [FUSED, MLP], seeds=(0, 1))
    assert len(trained) == 10


def test_starts_side_by_side_are_trained_once(run, monkeypatch):
    """By two workers; what their groups train is told by the files' codes and times."""
    monkeypatch.setenv("BONMF_WORKERS", "2")
    rows = [FUSED, replace(FUSED, name="again", model_config=NeuMFConfig(**SIZES, alpha=0.9))]
    records = run_variants(run, "one", rows, seeds=(0,))
    assert set(records["variant"]) == {FUSED.name, "again"}
    monkeypatch.delenv("BONMF_WORKERS")
    side_by_side = {path.name for path in (run.run_dir / "weights").iterdir()}
    assert side_by_side == {Training(run, one, 0).weights_path.name for one in (GMF, MLP, *rows)}
    alone = Run(NotebookParameters(profile="smoke", run_dir=str(run.run_dir.parent / "alone")))
    again = run_variants(alone, "one", rows, seeds=(0,))
    columns = ["variant", "metric", "value"]
    assert records[columns].equals(again[columns])


def test_weights_that_a_rating_row_does_not_keep_are_kept_for_who_starts_from_them(
    run, trained, monkeypatch
):
    """A row that no evaluation reads the weights of is still trained once."""
    svd = Variant("SVD", "p", "biased-svd", BiasedSVDConfig(factors=4), TrainingConfig(epochs=1))
    monkeypatch.setattr(
        "bonmf_lib.models.rating.biased_svd.BiasedSVD.start_from",
        lambda self, models: self.load_state_dict(models[0].state_dict()),
        raising=False,
    )
    more = replace(svd, name="more", starts_from=(svd,))
    run_variants(run, "one", [svd, more], seeds=(0,))
    assert trained == ["SVD", "more"]


def test_a_share_holds_what_its_rows_start_from(run, trained):
    rows = [FUSED, replace(NEUMF, name="alone"), GMF]
    assert [train_share(run, rows, (0,), part, 3) for part in (1, 2, 3)] == [3, 1, 0]
    assert trained == ["GMF", "MLP", "NeuMF, pretrained", "alone"]
    run_variants(run, "one", rows, seeds=(0,))
    assert len(trained) == 4


def test_models_asked_for_side_by_side_share_what_they_start_from(run, trained):
    other = replace(FUSED, model_config=NeuMFConfig(**SIZES, alpha=0.2))
    trained_side_by_side([Training(run, one, 0) for one in (FUSED, other)])
    assert trained == ["GMF", "MLP", "NeuMF, pretrained", "NeuMF, pretrained"]


def test_fresh_trains_starts_once(run, trained, monkeypatch):
    run_variants(run, "one", [GMF, FUSED], seeds=(0,))
    monkeypatch.setenv("BONMF_FRESH", "1")
    run_variants(run, "one", [GMF, FUSED], seeds=(0,))
    assert trained == 2 * ["GMF", "MLP", "NeuMF, pretrained"]


def test_what_a_row_starts_from_is_part_of_its_hash(run):
    longer = replace(MLP, training=replace(DRAWN, epochs=3))
    rows = [NEUMF, FUSED, replace(FUSED, starts_from=(GMF, longer))]
    rows = [replace(one, name="same") for one in rows]
    assert len({variant_hash(run, one) for one in rows}) == 3
    assert len({training_hash(run, one) for one in rows}) == 3
    renamed = replace(FUSED, starts_from=(replace(GMF, name="other"), MLP))
    assert variant_hash(run, renamed) == variant_hash(run, FUSED)  # a name trains nothing


def test_what_the_split_reads_is_part_of_the_hash(run, monkeypatch):
    before = variant_hash(run, GMF)
    monkeypatch.setattr(Ratio, "reads", lambda self, dataset, valid: ["parts"])
    assert variant_hash(run, GMF) != before


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (replace(GMF, split=Ratio(test=0.2)), "trains on other ratings"),
        (replace(GMF, training=replace(DRAWN, patience=1)), "trains on other ratings"),
        (replace(GMF, evaluation=FULL_RANKING), None),
    ],
)
def test_starts_must_train_on_the_same_ratings(start, message):
    if message is None:
        replace(FUSED, starts_from=(start, MLP))
        return
    with pytest.raises(ConfigError, match=f"starts from GMF, which {message}"):
        replace(FUSED, starts_from=(start, MLP))


def test_searches_and_means_do_not_start_from_others_nor_do_others_from_them():
    svd = Variant("SVD", "tuned", "biased-svd", BiasedSVDConfig(), TrainingConfig())
    search = Search((), 1)
    for changes in ({"search": search}, {"members": 2}):
        with pytest.raises(ConfigError, match="given settings and is one network"):
            replace(svd, starts_from=(svd,), **changes)
        with pytest.raises(ConfigError, match="is a search or several networks"):
            replace(svd, starts_from=(replace(svd, **changes),))
