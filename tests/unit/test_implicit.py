"""Implicit feedback: which negatives are drawn, the loss by hand, penalties, and whether anything
is learned."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from bonmf_lib.errors import ConfigError, TrainingError
from bonmf_lib.evaluation.ranking import UnseenItems
from bonmf_lib.models import ModelInputs, build_model, get_model
from bonmf_lib.models.rating.biased_svd import BiasedSVDConfig
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.splits.split import Split
from bonmf_lib.training.batches import NegativeSampler, Triples, batches
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import Validation, fit
from tests.conftest import CPU

IMPLICIT = TrainingConfig(epochs=1, batch_size=100_000, loss="bce", negatives=2)
ALL_ROWS = 100_000  # a batch size that takes every rating at once


def triples(pairs: list[tuple[int, int]]) -> Triples:
    users, items = torch.tensor(pairs).T
    return Triples(users, items, torch.ones(len(pairs)))


def as_pairs(users: torch.Tensor, items: torch.Tensor) -> list[tuple[int, int]]:
    return list(zip(users.tolist(), items.tolist(), strict=True))


def sampler_of(pairs, n_users, n_items, per_positive, over="unrated") -> NegativeSampler:
    return NegativeSampler(
        SimpleNamespace(n_users=n_users, n_items=n_items), triples(pairs), per_positive, over
    )


# Negatives


def test_negatives_are_never_training_items(planted, split, inputs):
    train = Triples.of(planted, split.train, CPU)
    sampler = NegativeSampler(
        SimpleNamespace(n_users=inputs.n_users, n_items=inputs.n_items), train, 80
    )
    users, items = sampler.draw(train.users)
    assert torch.equal(users, train.users.repeat_interleave(80))
    rated = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    drawn = set(zip(users.tolist(), items.tolist(), strict=True))
    assert not rated & drawn
    # everything else does come up
    assert len(rated) + len(drawn) == inputs.n_users * inputs.n_items


@pytest.mark.parametrize("user", [0, 1, 2])
def test_negatives_are_uniform_over_the_rest(user):
    rated = {0: [0, 3, 7], 1: [9], 2: []}
    pairs = [(owner, item) for owner, items in rated.items() for item in items]
    sampler = sampler_of(pairs[::-1], 3, 10, 6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        _, items = sampler.draw(torch.full((50_000,), user))
    counts = np.bincount(items, minlength=10)
    rest = np.setdiff1d(np.arange(10), rated[user])
    assert counts[rest].sum() == 300_000
    assert stats.chisquare(counts[rest]).pvalue > 0.001


@pytest.mark.parametrize("rated", [[0, 1, 2, 5], [0, 2, 4, 6], [7, 8, 9], list(range(1, 9)), [4]])
def test_every_place_among_the_unrated_is_mapped_to_its_item(rated, monkeypatch):
    """The k-th unrated item for every k, the edges of the drawn numbers, and users of unlike
    histories in one batch."""
    rest = np.setdiff1d(np.arange(10), rated)
    sampler = sampler_of([(0, 9), *((1, item) for item in rated)], 3, 10, len(rest) + 2)
    places = [0, *(np.arange(len(rest)) + 0.5) / len(rest), 1 - 2**-53]
    drawn = torch.tensor([places] * 3, dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *shape, **kind: drawn)
    _, items = sampler.draw(torch.tensor([0, 1, 2]))
    assert items.view(3, -1)[1].tolist() == [rest[0], *rest, rest[-1]]


def test_repeated_training_pairs_count_once():
    sampler = sampler_of([(0, 1), (0, 1), (0, 1), (1, 0)], 2, 4, 300)
    users, items = sampler.draw(torch.tensor([0, 1]))
    assert set(items[users == 0].tolist()) == {0, 2, 3}
    assert set(items[users == 1].tolist()) == {1, 2, 3}


def test_batches_of_examples_shuffle_ratings_and_negatives_of_an_epoch():
    """Every rating once, as many drawn pairs as there are for each, none of them rated; a step has
    so many examples, and a rating's negatives stand apart from it."""
    pairs = [(user, item) for user in range(20) for item in range(user % 3, 12, 2)]
    train, sampler = triples(pairs), sampler_of(pairs, 20, 15, 4)
    torch.manual_seed(0)
    steps = list(batches(train, 32, sampler, "examples"))
    assert [step.examples for step in steps[:-1]] == [32] * (len(steps) - 1)
    assert sum(step.examples for step in steps) == 5 * len(pairs)
    rated = [pair for step in steps for pair in as_pairs(step.users, step.items)]
    drawn = [pair for step in steps for pair in as_pairs(*step.negatives)]
    assert sorted(rated) == sorted(pairs) and rated != pairs
    assert not set(drawn) & set(pairs)
    of_user = np.bincount([user for user, _ in drawn], minlength=20)
    assert of_user.tolist() == (4 * np.bincount([user for user, _ in pairs])).tolist()
    assert len({len(step) for step in steps[:-1]}) > 3  # not a fifth of every batch
    alone = [set(step.negatives[0].tolist()) - set(step.users.tolist()) for step in steps]
    assert any(alone)
    with pytest.raises(TrainingError, match="need negatives"):
        next(batches(train, 32, None, "examples"))


def test_one_batch_of_all_examples_is_one_of_all_ratings(planted, split, inputs):
    """The gradient of a mean does not depend on the order of what is summed."""
    found, train = [], Triples.of(planted, split.train, CPU)
    for of in ("ratings", "examples"):
        model = build_model("gmf", get_model("gmf").config(), inputs, seed=0).double()
        torch.manual_seed(0)
        sampler = NegativeSampler(model, train, 2)
        drawn = sampler.draw(train.users)
        sampler.draw = lambda users, drawn=drawn: drawn
        (batch,) = batches(train, 10**6, sampler, of)
        assert (len(batch), batch.examples) == (len(train), 3 * len(train))
        loss, _ = model.loss(batch)
        loss.backward()
        found.append([loss.detach(), *(one.grad for one in model.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_negatives_over_all_items_are_not_rejected():
    """Every item as often, rated or not; nobody is refused for having rated all."""
    sampler = sampler_of([(0, item) for item in range(10)], 1, 10, 5, "all")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        users, items = sampler.draw(torch.zeros(20_000, dtype=torch.long))
    assert users.shape == items.shape == (100_000,)
    assert stats.chisquare(np.bincount(items, minlength=10)).pvalue > 0.001


def test_negatives_over_trained_items_are_uniform_over_those_that_the_user_did_not_rate():
    """Items 4 and 8 have no training pair."""
    rated = {0: [0, 3, 7], 1: [9, 1], 2: [2, 5, 6]}
    pairs = [(user, item) for user in rated for item in rated[user]]
    sampler = sampler_of(pairs, 3, 10, 6, "trained")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        users, items = sampler.draw(torch.arange(3).repeat(20_000))
    for user, own in rated.items():
        counts = np.bincount(items[users == user], minlength=10)
        rest = np.setdiff1d(np.arange(10), [*own, 4, 8])
        assert counts[rest].sum() == 120_000
        assert stats.chisquare(counts[rest]).pvalue > 0.001
    with pytest.raises(TrainingError, match="User 1 rated every trained item"):
        sampler_of([(0, 1), (1, 1), (1, 4)], 3, 10, 6, "trained")


def test_one_unrated_item_is_found_among_many():
    sampler = sampler_of([(0, item) for item in range(50) if item != 17], 1, 50, 4)
    assert sampler.draw(torch.zeros(3, dtype=torch.long))[1].tolist() == [17] * 12


def test_users_do_not_answer_for_each_other():
    """Keys of user and item must not collide: what user 0 rated last is not what user 1 rated
    first."""
    sampler = sampler_of([(0, 2), (1, 1)], 2, 3, 200)
    users, items = sampler.draw(torch.tensor([0, 1]))
    assert set(items[users == 0].tolist()) == {0, 1}
    assert set(items[users == 1].tolist()) == {0, 2}


def test_user_who_rated_everything_is_named():
    with pytest.raises(TrainingError, match="User 1 rated every item"):
        sampler_of([(0, 0), (1, 0), (1, 1), (1, 2)], 3, 3, 1)


# Settings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": "bce"}, "must be positive with loss 'bce'"),
        ({"negatives": 1}, "and 0 with the others"),
        ({"loss": "mse", "negatives": 3}, "and 0 with the others"),
    ],
)
def test_impossible_settings(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**values)


def test_patience_needs_a_metric_where_negatives_are_drawn(planted, split, inputs):
    model = build_model("biased-svd", BiasedSVDConfig(), inputs, seed=0)
    with pytest.raises(ConfigError, match="give a metric as validation"):
        fit(model, planted, split, replace(IMPLICIT, patience=1), 0, CPU)


@pytest.mark.parametrize("higher", [True, False])
def test_patience_watches_any_metric_in_its_own_direction(planted, split, inputs, higher):
    """The best of given values decides, whichever way is up, and its weights are kept."""
    values, seen = iter([0.1, 0.5, 0.2, 0.3, 0.9]), []

    def of(model) -> float:
        assert not model.training
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(values) * (1 if higher else -1)

    model = build_model("biased-svd", BiasedSVDConfig(), inputs, seed=0)
    settings = replace(IMPLICIT, epochs=5, patience=2)
    history = fit(
        model, planted, split, settings, 0, CPU, validation=Validation("made up", of, higher)
    )
    assert len(history.train_loss) == 4 and history.best_epoch == 2
    assert all(torch.equal(value, seen[1][name]) for name, value in model.state_dict().items())


def test_between_two_looks_at_validation_the_last_value_stands(planted, split, inputs):
    """Every third epoch from the first; patience counts epochs, as ever."""
    values, looked = iter([0.3, 0.5, 0.4, 0.4]), []

    def of(model) -> float:
        looked.append({name: value.clone() for name, value in model.state_dict().items()})
        return next(values)

    model = build_model("biased-svd", BiasedSVDConfig(), inputs, seed=0)
    settings = replace(IMPLICIT, epochs=20, patience=5)
    watched = Validation("made up", of, True, every=3)
    history = fit(model, planted, split, settings, 0, CPU, validation=watched)
    assert history.valid == [0.3, 0.3, 0.3, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4]
    assert len(looked) == 3 and history.best_epoch == 4
    assert all(torch.equal(value, looked[1][name]) for name, value in model.state_dict().items())


# Loss and penalty


class Recorded:
    """Stands in for the sampler: the negatives are given, so that the loss can be written down."""

    def __init__(self, users, items):
        self.users, self.items = torch.tensor(users), torch.tensor(items)

    def __call__(self, model, train, per_positive, over="unrated"):
        return SimpleNamespace(draw=lambda users: (self.users, self.items))


def small_model(regularisation: float):
    """Four users by five items, and 6 of their ratings; a user's logit for an item is far from
    0."""
    inputs = ModelInputs(4, 5, mean_rating=0.5)
    model = build_model(
        "biased-svd", BiasedSVDConfig(factors=3, regularisation=regularisation), inputs, seed=0
    )
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw))
    return model


@pytest.fixture
def small_data(planted):
    """Six training ratings, none of them 1, and a test rating."""
    rows = [(0, 0), (0, 1), (1, 2), (2, 0), (3, 4), (3, 3), (2, 2)]
    table = planted.ratings.iloc[: len(rows)].copy()
    table["user"], table["item"] = np.array(rows).T
    table["rating"] = np.float32([5, 2, 3, 4, 2, 5, 3])
    dataset = replace(
        planted, ratings=table, users=planted.users.iloc[:4], items=planted.items.iloc[:5]
    )
    return dataset, Split(np.arange(6), np.arange(0), np.array([6]), "by hand", 0, 7)


NEGATIVES = ([0, 1, 2, 3, 0, 1], [3, 0, 1, 2, 4, 4])


def test_loss_by_hand(small_data, monkeypatch):
    """- log sigmoid(x) of ratings, whatever their stars, and - log(1 - sigmoid(x)) of negatives;
    the mean of all."""
    monkeypatch.setattr("bonmf_lib.training.loop.NegativeSampler", Recorded(*NEGATIVES))
    dataset, split = small_data
    model = small_model(0.1)
    logits = model.score_all_items(torch.arange(4)).double().numpy()
    pairs = dataset.ratings[["user", "item"]].to_numpy()[split.train]
    terms = [math.log1p(math.exp(-logits[user, item])) for user, item in pairs]
    terms += [
        math.log1p(math.exp(logits[user, item])) for user, item in zip(*NEGATIVES, strict=True)
    ]
    history = fit(model, dataset, split, replace(IMPLICIT, negatives=1), 0, CPU)
    assert history.train_loss == [pytest.approx(np.mean(terms), rel=1e-5)]  # without the penalty


def test_loss_in_batches_of_examples_is_the_mean_of_all(small_data, monkeypatch):
    """However unevenly ratings and negatives fall into batches; nearly nothing is learned."""
    monkeypatch.setattr("bonmf_lib.training.loop.NegativeSampler", Recorded(*NEGATIVES))
    dataset, split = small_data
    settings = replace(IMPLICIT, negatives=1, learning_rate=1e-30)
    whole, *cut = (
        fit(small_model(0), dataset, split, changed, 0, CPU).train_loss
        for changed in (
            settings,
            replace(settings, batches_of="examples"),
            replace(settings, batches_of="examples", batch_size=3),
        )
    )
    assert cut == [[pytest.approx(whole[0], rel=1e-6)]] * 2


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_penalty_is_added_to_the_loss(small_data, monkeypatch, loss):
    """The gradient of the only step is the loss's plus the penalty's; the penalty is that of the
    batch's ratings."""
    monkeypatch.setattr("bonmf_lib.training.loop.NegativeSampler", Recorded(*NEGATIVES))
    dataset, split = small_data
    settings = TrainingConfig(
        epochs=1, batch_size=ALL_ROWS, loss=loss, negatives=int(loss == "bce")
    )
    gradients = {}
    for regularisation in (0.0, 0.5):
        model = small_model(regularisation)
        fit(model, dataset, split, settings, 0, CPU)
        gradients[regularisation] = {
            name: parameter.grad for name, parameter in model.named_parameters()
        }
    model = small_model(0.5)
    train = Triples.of(dataset, split.train, CPU)
    model.penalty(train.users, train.items).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.any()
        torch.testing.assert_close(
            gradients[0.5][name], gradients[0.0][name] + parameter.grad, msg=name
        )


def test_every_epoch_draws_other_negatives_and_the_same_seed_the_same(
    planted, split, inputs, monkeypatch
):
    drawn = []

    class Noted(NegativeSampler):
        def draw(self, users):
            drawn.append(super().draw(users))
            return drawn[-1]

    monkeypatch.setattr("bonmf_lib.training.loop.NegativeSampler", Noted)
    for seed in (3, 3, 4):
        model = build_model("biased-svd", BiasedSVDConfig(factors=4), inputs, seed=0)
        fit(model, planted, split, replace(IMPLICIT, epochs=2), seed, CPU)
    items = [items for _, items in drawn]
    assert len(items) == 6
    assert torch.equal(items[0], items[2])
    assert torch.equal(items[1], items[3])
    assert not torch.equal(items[0], items[1])
    assert not torch.equal(items[0], items[4])


# Learning


@pytest.mark.parametrize("model", ["biased-svd", "bonmf"])
def test_training_beats_random_and_untrained_ranking(planted, inputs, model):
    """Only high ratings are kept, so that what was rated tells of taste; which items are rated at
    all is random."""
    liked = replace(
        planted, ratings=planted.ratings[planted.ratings["rating"] >= 4].reset_index(drop=True)
    )
    split = Ratio().split(liked, 0)
    users, items = liked.ratings["user"].to_numpy(), liked.ratings["item"].to_numpy()
    train, test = ((users[rows], items[rows]) for rows in (split.train, split.test))

    unseen = UnseenItems(train, test, inputs.n_users, inputs.n_items, CPU)

    def ndcg(score) -> float:
        return unseen.rank(score).metrics["ndcg@10"]

    built = build_model(model, get_model(model).config(), replace(inputs, mean_rating=0.0), seed=0)
    before = ndcg(built.score_all_items)
    draw = torch.Generator().manual_seed(0)
    random = ndcg(lambda users: torch.rand(len(users), inputs.n_items, generator=draw))
    history = fit(
        built,
        liked,
        split,
        replace(IMPLICIT, epochs=15, batch_size=256, learning_rate=0.005),
        0,
        CPU,
    )
    built.eval()
    assert history.train_loss[-1] < history.train_loss[0]
    assert ndcg(built.score_all_items) > 1.25 * max(random, before)
