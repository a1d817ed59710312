"""What every registered ranker must do, each by what it is trained by; models in closed form
too."""

import copy
from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bonmf_lib.errors import ConfigError, ModelError
from bonmf_lib.evaluation.candidates import rank_candidates
from bonmf_lib.evaluation.rules import FullRanking, SampledRanking
from bonmf_lib.models import get_model, list_models
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import Validation, fit, predict
from tests.conftest import CPU
from tests.contracts.kinds import (
    BY_BCE,
    BY_BOOTSTRAP,
    BY_BPR,
    CLOSED,
    ENSEMBLES,
    ON_GRAPHS,
    RANKERS,
    RATING_MODELS,
    TRAINED_RANKERS,
    default_model,
    fitted_ranker,
    own_settings,
    random_batch,
    small_batch,
)

every = pytest.mark.parametrize("name", RANKERS)
trained = pytest.mark.parametrize("name", TRAINED_RANKERS)

# another choice of features
READ = {
    "modalities": ("image",), "text_preparation": "standardised", "image_preparation": "unit",
}  # fmt: skip
# another value of every field of every configuration
OTHER = {
    "popularity": {},
    "score-mean": {"factors": 6},
    "item-knn": {"neighbours": 3, "shrinkage": 20.0},
    "ease": {"regularisation": 10.0},
    "slim": {"l1": 0.1, "l2": 5.0},
    "bpr-mf": {"factors": 3, "regularisation": 0.5, "penalised": "norms"},
    "ials": {
        "factors": 3, "regularisation": 1.0, "confidence": 1.0, "frequency_scaling": 0.0,
        "iterations": 1,
    },
    "logistic-mf": {"factors": 3, "regularisation": 0.5, "embedding_std": 0.5},
    "gmf": {"factors": 3, "regularisation": 0.5},
    "mlp": {"factors": 4, "hidden_layers": 1},
    "neumf": {"factors": 4, "hidden_layers": 1, "alpha": 0.9},
    "neumf-shared": {"factors": 4, "alpha": 0.9, "tables": "four"},
    "mmgcn": {
        "factors": 3, "layers": 1, "concat": False, "text_projection": 4, "image_projection": None,
        "frozen_preferences": True, "regularisation": 0.5, **READ,
    },
    "grcn": {
        "factors": 3, "content_factors": 3, "layers": 1, "routings": 0, "regularisation": 0.5,
        **READ,
    },
    "dualgnn": {"factors": 3, "layers": 1, "neighbours": 5, "regularisation": 0.5, **READ},
    "freedom": {
        "factors": 3, "layers": 1, "item_layers": 2, "neighbours": 3, "image_share": 0.5,
        "pruned": 0.0, "content_weight": 0.5, "features": "trained", **READ,
    },
    "lattice": {
        "factors": 3, "layers": 1, "item_layers": 2, "projected": 3, "neighbours": 3,
        "frozen_share": 0.1, "regularisation": 0.5, "built": "every step", "dense": True,
        "features": "trained", **READ,
    },
    "lightgcn": {
        "factors": 3, "layers": 1, "regularisation": 0.5, "penalised": "norms",
        "initial": "xavier",
    },
    "buir": {"factors": 3, "layers": 1, "momentum": 0.5, "edge_dropout": 0.9},
    "vbpr": {
        "factors": 3, "regularisation": 0.5, "penalised": "norms", "form": "without biases",
        **READ,
    },
    "bm3": {
        "factors": 3, "layers": 2, "dropout": 0.1, "regularisation": 2.0,
        "penalised": "norms of all", "aligned": ("text",), "masked": (), "auxiliary_weight": 2.0,
        "features": "trained", **READ,
    },
}  # fmt: skip
# what a field needs beside it before it can have an effect
BESIDE = {(name, "penalised"): {"regularisation": 0.5} for name in ("bpr-mf", "lightgcn", "vbpr")}
# what it needs to learn from so few ratings; equation 12's penalty shrinks BM3's vectors, which
# cosines hold at no length, until its predictor's bias is left
LEARNING = {"ials": {"regularisation": 0.3}, "bm3": {"penalised": "norms of all"}}
# of trained networks: tests/unit/test_neural_cf.py; the same result: test_item_graph_rankers.py
ELSEWHERE = {("neumf", "alpha"), ("lattice", "dense")}


@pytest.fixture(scope="module")
def liked(planted):
    """Only high ratings, so that what was rated tells of taste."""
    kept = planted.ratings[planted.ratings["rating"] >= 4].reset_index(drop=True)
    return replace(planted, ratings=kept)


@pytest.fixture(scope="module")
def liked_split(liked):
    return Ratio().split(liked, 0, valid=0.1)


@pytest.fixture(scope="module")
def liked_inputs(inputs, liked, liked_split):
    train = liked.ratings.iloc[liked_split.train]
    read = {f"{name}s": train[name].to_numpy() for name in ("user", "item", "rating")}
    return replace(inputs, interactions=replace(inputs.interactions, **read))


def everything(model, inputs) -> torch.Tensor:
    return model.eval().score_all_items(torch.arange(inputs.n_users))


def test_every_model_is_of_a_kind_that_is_tested():
    kinds = [
        *RATING_MODELS,
        *BY_BCE,
        *BY_BPR,
        *BY_BOOTSTRAP,
        *(name for name in CLOSED if name in RANKERS),
    ]
    assert sorted(kinds) == list_models()


@every
def test_scores_are_finite_and_one_number_per_pair(name, inputs):
    model = default_model(name, inputs)
    out = model.score(torch.tensor([0, 1, 2]), torch.tensor([3, 3, 3]))
    assert out.shape == (3,)
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


# Learning


@every
def test_lists_are_better_than_chance(name, liked, liked_split, liked_inputs):
    """And the loss falls where there is one."""
    model = default_model(name, liked_inputs, **LEARNING.get(name, {}))
    if name in ENSEMBLES:
        parts = (fitted_ranker("lightgcn", liked, liked_split, liked_inputs, s) for s in (0, 1))
        model.start_from([part for part, _ in parts])
    settings = own_settings(name)
    if name in TRAINED_RANKERS:
        settings = replace(settings, epochs=25)
    history = fit(model, liked, liked_split, settings, 0, CPU)
    if name in TRAINED_RANKERS:
        first, last = history.train_loss[0], history.train_loss[-1]
        assert last < first - 0.02 * abs(first)
    else:
        assert np.isnan(history.train_loss).all()
    draw = torch.Generator().manual_seed(0)
    chance = ranked(lambda users: torch.rand(len(users), 100, generator=draw), liked, liked_split)
    own = ranked(model.eval().score_all_items, liked, liked_split)
    assert own["ndcg@10"] > 1.15 * chance["ndcg@10"]


def ranked(score_all_items, dataset, split, rule=None) -> dict[str, float]:
    """Metrics of the test part by a model's scores."""
    model = SimpleNamespace(
        score_all_items=score_all_items,
        score=lambda users, items: score_all_items(users)[torch.arange(len(users)), items],
    )
    asked = SimpleNamespace(dataset=dataset, split=split, device=CPU, model=lambda: model)
    return (rule or FullRanking()).of(asked)


@every
def test_same_seed_same_scores(name, planted, split, inputs):
    one, again = (
        everything(fitted_ranker(name, planted, split, inputs)[0], inputs) for _ in range(2)
    )
    assert torch.equal(one, again)


@pytest.mark.parametrize("name", [*TRAINED_RANKERS, "ials"])
def test_other_seed_other_scores(name, planted, split, inputs):
    one, other = (
        everything(fitted_ranker(name, planted, split, inputs, seed)[0], inputs) for seed in (0, 1)
    )
    assert not torch.equal(one, other)


@every
def test_each_option_changes_the_output(name, planted, split, inputs):
    own = {field.name for field in fields(get_model(name).config)}
    assert own == set(OTHER[name]), "another value for each"
    usual = everything(fitted_ranker(name, planted, split, inputs)[0], inputs)
    for field in own:
        if (name, field) in ELSEWHERE:
            continue
        beside, one = BESIDE.get((name, field), {}), usual
        if beside:
            one = everything(fitted_ranker(name, planted, split, inputs, **beside)[0], inputs)
        values = beside | {field: OTHER[name][field]}
        other = everything(fitted_ranker(name, planted, split, inputs, **values)[0], inputs)
        assert not torch.allclose(one, other), field


# Losses and gradients


@trained
def test_a_gradient_reaches_every_declared_parameter(name, inputs):
    model = default_model(name, inputs)
    loss, penalty = model.loss(random_batch(inputs, 5000))
    (loss if penalty is None else loss + penalty).backward()
    silent = [
        key
        for key, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert not silent
    assert model.trained_by


@trained
def test_every_parameter_moves_in_training(name, planted, split, inputs):
    before = dict(default_model(name, inputs).named_parameters())
    model, _ = fitted_ranker(name, planted, split, inputs)
    still = [
        key for key, parameter in model.named_parameters() if torch.equal(parameter, before[key])
    ]
    assert not still


@trained
def test_no_gradient_reaches_who_is_not_in_the_batch(name, inputs):
    """Rows of users and items from 5 on; the batch has none of them. On graphs it reaches their
    neighbours."""
    model = default_model(name, inputs)
    loss, penalty = model.loss(small_batch())
    (loss if penalty is None else loss + penalty).backward()
    tables = [p for p in model.parameters() if len(p.shape) and len(p) >= inputs.n_items]
    assert tables
    assert all(bool(table.grad[5:].any()) == (name in ON_GRAPHS) for table in tables)


@pytest.mark.parametrize("name", [name for name in CLOSED if name in RANKERS])
def test_closed_forms_have_nothing_to_train(name, inputs):
    model = default_model(name, inputs)
    assert not list(model.parameters())
    assert model.trained_by == ()
    assert not everything(model, inputs).requires_grad


@trained
def test_batch_and_inputs_are_unchanged_by_the_loss(name, inputs):
    batch, untouched = small_batch(), small_batch()
    kept, content = copy.deepcopy(inputs.interactions), copy.deepcopy((inputs.text, inputs.image))
    model = default_model(name, inputs)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    held = {key: value.clone() for key, value in model.named_buffers()}
    loss, penalty = model.loss(batch)
    (loss if penalty is None else loss + penalty).backward()
    for part in ("users", "items", "ratings"):
        assert torch.equal(getattr(batch, part), getattr(untouched, part))
        assert np.array_equal(getattr(inputs.interactions, f"{part}"), getattr(kept, f"{part}"))
    assert all(map(torch.equal, batch.negatives, untouched.negatives))
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    for one, before in zip((inputs.text, inputs.image), content, strict=True):
        assert np.array_equal(one.matrix, before.matrix)
        assert np.array_equal(one.present, before.present)
    now = dict(model.named_buffers())
    assert all(torch.equal(dense(now[key]), dense(value)) for key, value in held.items())


def dense(value: torch.Tensor) -> torch.Tensor:
    return value if value.layout == torch.strided else value.to_dense()


@trained
def test_what_hooks_leave_behind_has_no_gradient(name, inputs):
    """Targets, learnt graphs and features that a model holds beside its parameters, after a step
    and its hooks."""
    model = default_model(name, inputs).train()
    model.start_epoch(0)
    loss, penalty = model.loss(random_batch(inputs, 500))
    (loss if penalty is None else loss + penalty).backward()
    model.after_step()
    model.start_epoch(1)
    held = list(held_tensors(model))
    assert not [where for where, value in held if value.requires_grad or value.grad is not None]
    if name in ON_GRAPHS:
        assert held


def held_tensors(model: torch.nn.Module):
    """Tensors that are no parameters, by where they are held: buffers, and those in attributes of
    any module."""
    usual = vars(torch.nn.Module())
    for path, module in model.named_modules():
        yield from _tensors(path, dict(module.named_buffers(recurse=False)))
        yield from _tensors(path, {k: value for k, value in vars(module).items() if k not in usual})


def _tensors(where: str, value: object):
    if isinstance(value, torch.nn.Parameter | torch.nn.Module):
        return
    if isinstance(value, torch.Tensor):
        yield where, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _tensors(f"{where}.{key}", one)
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from _tensors(f"{where}.{place}", one)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _tensors(where, vars(value))


@pytest.mark.parametrize("name", BY_BCE)
def test_cross_entropy_is_that_of_the_scores(name, inputs):
    model, batch = default_model(name, inputs), small_batch()
    rated = model.score(batch.users, batch.items).double()
    drawn = model.score(*batch.negatives).double()
    terms = torch.cat([torch.log1p(torch.exp(-rated)), torch.log1p(torch.exp(drawn))])
    assert model.loss(batch)[0].item() == pytest.approx(terms.mean().item(), rel=1e-6)


@pytest.mark.parametrize("name", BY_BPR)
def test_bpr_compares_each_rated_item_with_its_own_negatives(name, inputs):
    model, batch = default_model(name, inputs), small_batch()
    scores = model.score_all_items(torch.arange(2)).double()
    triples = [(0, 2, 1), (0, 2, 0), (1, 3, 0), (1, 3, 1), (1, 4, 2), (1, 4, 1)]
    terms = [torch.log1p(torch.exp(scores[u, j] - scores[u, i])) for u, i, j in triples]
    assert model.loss(batch)[0].item() == pytest.approx(sum(terms).item() / 6, rel=1e-6)


@trained
def test_losses_of_others_are_refused(name, planted, split, inputs):
    model = default_model(name, inputs)
    for loss in {"mse", "bce", "bpr", "bootstrap"} - set(model.trained_by):
        settings = TrainingConfig(loss=loss, negatives=int(loss in ("bce", "bpr")))
        with pytest.raises(ConfigError, match=f"not by {loss}"):
            fit(model, planted, split, settings, 0, CPU)


@trained
@pytest.mark.parametrize("batch", [150, 40_000])  # few rows, and enough of them for several threads
@pytest.mark.usefixtures("several_threads")
def test_same_gradients_with_several_threads(name, inputs, batch):
    drawn, model = random_batch(inputs, batch), default_model(name, inputs)
    gradients = []
    for _ in range(4):
        model.zero_grad()
        torch.manual_seed(0)
        model.start_epoch(0)
        loss, penalty = model.loss(drawn)
        (loss if penalty is None else loss + penalty).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for again in gradients[1:]:
        assert all(torch.equal(one, other) for one, other in zip(gradients[0], again, strict=True))


# Evaluation


@every
def test_all_items_scoring_agrees_with_single_scores(name, planted, split, inputs):
    model, _ = fitted_ranker(name, planted, split, inputs)
    users = torch.tensor([5, 0, 199])
    scores = model.eval().score_all_items(users)
    assert scores.shape == (3, inputs.n_items)
    items = torch.arange(inputs.n_items).repeat(3)
    single = model.score(users.repeat_interleave(inputs.n_items), items)
    torch.testing.assert_close(scores.flatten(), single, atol=1e-5, rtol=1e-5)
    shuffled = torch.randperm(len(single), generator=torch.Generator().manual_seed(0))
    asked = users.repeat_interleave(inputs.n_items)[shuffled], items[shuffled]
    torch.testing.assert_close(model.score(*asked), single[shuffled], atol=1e-5, rtol=1e-5)


@every
def test_evaluation_is_that_of_a_fresh_model_with_the_same_weights(
    name, planted, split, inputs, tmp_path
):
    """Nothing that a training left behind is ranked by; and what is saved is all."""
    model, _ = fitted_ranker(name, planted, split, inputs)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    fresh = default_model(name, inputs, seed=99)
    fresh.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert torch.equal(everything(model, inputs), everything(fresh, inputs))


@trained
def test_watching_a_training_does_not_change_it(name, planted, split, inputs):
    watched = Validation("spread", lambda model: float(everything(model, inputs).std()), True)
    models = [default_model(name, inputs) for _ in range(2)]
    for model, validation in zip(models, (None, watched), strict=True):
        fit(model, planted, split, own_settings(name), 0, CPU, validation=validation)
    assert torch.equal(*(everything(model, inputs) for model in models))


@every
@pytest.mark.parametrize(
    ("users", "items", "message"), [([0], [10_000], "item id 10000"), ([-1], [0], "user id -1")]
)
def test_unknown_ids_are_named(name, inputs, users, items, message):
    with pytest.raises(ModelError, match=f"Unknown {message}"):
        predict(default_model(name, inputs), torch.tensor(users), torch.tensor(items))


def test_equal_scores_never_hit_where_ties_are_lost(planted, split):
    lists = SampledRanking(20).lists(planted, split, split.test)
    found = rank_candidates(
        lambda users, items: torch.zeros(items.shape), lists, CPU, ties="lost"
    ).metrics
    assert found["hr@10"] == found["ndcg@10"] == 0


@pytest.mark.parametrize("rule", [FullRanking(), SampledRanking(20)])
def test_equal_scores_hit_by_chance_alone(planted, split, rule):
    """Not always, as where ties go to the test item."""
    found = ranked(lambda users: torch.zeros(len(users), 100), planted, split, rule)
    if isinstance(rule, SampledRanking):
        assert found["hr@1"] == pytest.approx(1 / 21)
        assert found["hr@10"] == pytest.approx(10 / 21)
    else:
        assert found["precision@10"] < 0.3  # 12 of about 70 candidates
