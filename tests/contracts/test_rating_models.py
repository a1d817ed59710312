"""What every registered model of ratings must do."""

import pytest
import torch
from torch.nn import functional as F

from bonmf_lib.datasets import load_dataset
from bonmf_lib.errors import ModelError
from bonmf_lib.evaluation import rating_errors
from bonmf_lib.models import ClosedFormModel, build_model, get_model
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.training.batches import Triples
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import fit, predict
from tests.conftest import CPU, model_inputs
from tests.contracts.kinds import RATING_MODELS

pytestmark = pytest.mark.parametrize("name", RATING_MODELS)
SETTINGS = TrainingConfig(epochs=8, batch_size=128, learning_rate=0.003)


def default_config(name):
    return get_model(name).config()


def fitted(name, planted, split, inputs, seed=0):
    model = build_model(name, default_config(name), inputs, seed)
    return model, fit(model, planted, split, SETTINGS, seed, CPU)


def test_output_is_finite_and_one_number_per_row(name, inputs):
    model = build_model(name, default_config(name), inputs, seed=0)
    out = model(torch.tensor([0, 1, 2]), torch.tensor([3, 3, 3]))
    assert out.shape == (3,)
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


def test_a_gradient_reaches_every_declared_parameter(name, planted, split, inputs):
    model = build_model(name, default_config(name), inputs, seed=0)
    if isinstance(model, ClosedFormModel):
        assert not list(model.parameters())
        return
    train = Triples.of(planted, split.train, CPU)
    F.mse_loss(model(train.users, train.items), train.ratings).backward()
    silent = [
        key
        for key, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert not silent


def test_training_error_falls_on_planted_data(name, planted, split, inputs):
    model, history = fitted(name, planted, split, inputs)
    train = Triples.of(planted, split.train, CPU)
    constant = float(train.ratings.var(correction=0))
    assert history.train_loss[-1] <= constant + 1e-6
    if not isinstance(model, ClosedFormModel):
        assert history.train_loss[-1] < 0.9 * history.train_loss[0]


def test_same_seed_same_predictions(name, planted, split, inputs):
    test = Triples.of(planted, split.test, CPU)
    one, again = (
        predict(fitted(name, planted, split, inputs)[0], test.users, test.items) for _ in range(2)
    )
    assert torch.equal(one, again)


@pytest.mark.parametrize("batch", [150, 40_000])  # few rows, and enough of them for several threads
@pytest.mark.usefixtures("several_threads")
def test_same_gradients_with_several_threads(name, inputs, batch):
    generator = torch.Generator().manual_seed(0)
    users, items = (
        torch.randint(n, (batch,), generator=generator) for n in (inputs.n_users, inputs.n_items)
    )
    model = build_model(name, default_config(name), inputs, seed=0).eval()
    gradients = []
    for _ in range(4):
        model.zero_grad()
        loss = model(users, items).square().mean()
        penalty = model.penalty(users, items)
        if loss.requires_grad:
            (loss if penalty is None else loss + penalty).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for again in gradients[1:]:
        assert all(torch.equal(one, other) for one, other in zip(gradients[0], again, strict=True))


def test_predictions_with_their_penalty_are_both_of_them(name, inputs):
    """In values and gradients; a trained model may share work between the two."""
    model = build_model(name, default_config(name), inputs, seed=0).eval()
    users, items = torch.arange(40) % inputs.n_users, torch.arange(40) % 7
    results = []
    for predicted, penalty in (
        model.with_penalty(users, items),
        (model(users, items), model.penalty(users, items)),
    ):
        loss = predicted.square().mean() + (0 if penalty is None else penalty)
        model.zero_grad()
        if loss.requires_grad:
            loss.backward()
        results.append(
            [
                predicted.detach(),
                loss.detach(),
                *(parameter.grad for parameter in model.parameters()),
            ]
        )
    torch.testing.assert_close(*results)


def test_save_and_load_round_trip(name, planted, split, inputs, tmp_path):
    model, _ = fitted(name, planted, split, inputs)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other = build_model(name, default_config(name), inputs, seed=99)
    other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    test = Triples.of(planted, split.test, CPU)
    assert torch.equal(
        predict(model, test.users, test.items), predict(other, test.users, test.items)
    )


def test_all_items_scoring_agrees_with_forward(name, planted, split, inputs):
    model, _ = fitted(name, planted, split, inputs)
    model.eval()
    users = torch.tensor([5, 0])
    scores = model.score_all_items(users)
    assert scores.shape == (2, inputs.n_items)
    items = torch.arange(inputs.n_items)
    torch.testing.assert_close(
        scores[0], model(torch.full_like(items, 5), items), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("users", "items", "message"), [([0], [10_000], "item id 10000"), ([-1], [0], "user id -1")]
)
def test_unknown_ids_are_named(name, inputs, users, items, message):
    model = build_model(name, default_config(name), inputs, seed=0)
    with pytest.raises(ModelError, match=f"Unknown {message}"):
        predict(model, torch.tensor(users), torch.tensor(items))


def test_beats_its_floor_on_ml_100k(name):
    """One seed, packaged content: every trained model beats the user and item biases, these the
    global mean; SVD of the zero-filled matrix, as in the paper's table, is worse than always
    guessing the mean."""
    data = load_dataset("ml-100k", "packaged")
    split = Ratio().split(data, 0, valid=0.1)
    inputs = model_inputs(data, split, "minilm-l6", "pixels")
    test = Triples.of(data, split.test, CPU)
    settings = TrainingConfig(epochs=15, batch_size=1024, learning_rate=2e-3, patience=3)
    errors = {}
    for other in {name, "global-mean", "user-item-bias"}:
        model = build_model(other, default_config(other), inputs, seed=0)
        fit(model, data, split, settings, 0, CPU)
        errors[other] = rating_errors(
            test.ratings.numpy(), predict(model, test.users, test.items).numpy()
        )["mse"]
    if name == "global-mean":
        assert errors[name] == pytest.approx(1.27, abs=0.03)  # the variance of the ratings
    elif name == "svd":
        assert errors[name] > 2 * errors["global-mean"]
    elif name == "user-item-bias":
        assert errors[name] < 0.75 * errors["global-mean"]
    elif name in ("item-mean", "genre-mean", "content-ridge"):  # know no user, or no item's ratings
        assert errors["user-item-bias"] < errors[name] < 0.99 * errors["global-mean"]
    else:
        assert errors[name] < errors["user-item-bias"]
