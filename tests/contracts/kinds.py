"""The registered models by what they are, so that each is held to what fits it."""

import numpy as np
import torch

from bonmf_lib.datasets import Dataset
from bonmf_lib.models import (
    Batch,
    ClosedFormModel,
    ModelInputs,
    RatingModel,
    Recommender,
    build_model,
    get_model,
    list_models,
)
from bonmf_lib.splits.split import Split
from bonmf_lib.training.config import TrainingConfig
from bonmf_lib.training.loop import History, fit
from tests.conftest import CPU


def _of_kind(*kinds: type) -> list[str]:
    return [name for name in list_models() if issubclass(get_model(name).model, kinds)]


RATING_MODELS, CLOSED = _of_kind(RatingModel), _of_kind(ClosedFormModel)
RANKERS = [name for name in list_models() if name not in RATING_MODELS]
TRAINED_RANKERS = [name for name in RANKERS if name not in CLOSED]
BY_BCE, BY_BPR, BY_BOOTSTRAP = (
    [name for name in TRAINED_RANKERS if loss in get_model(name).model.trained_by]
    for loss in ("bce", "bpr", "bootstrap")
)
ENSEMBLES = ["score-mean"]
# vectors of a batch are made of neighbours' too
ON_GRAPHS = ["bm3", "buir", "dualgnn", "freedom", "grcn", "lattice", "lightgcn", "mmgcn"]


def default_model(name: str, inputs: ModelInputs, seed: int = 0, **values) -> Recommender:
    """One that starts from others starts from untrained ones: LightGCN's vectors hold what the
    graph's neighbours say."""
    model = build_model(name, get_model(name).config(**values), inputs, seed)
    if name in ENSEMBLES:
        half = model.of_users.shape[1] // 2
        model.start_from([default_model("lightgcn", inputs, s, factors=half) for s in (seed, -1)])
    return model


def own_settings(name: str, **values) -> TrainingConfig:
    """A short training by the first loss that a ranker owns."""
    if name in CLOSED:
        return TrainingConfig()
    (loss, *_), usual = get_model(name).model.trained_by, {"epochs": 4, "learning_rate": 0.01}
    negatives = 0 if loss == "bootstrap" else 2
    return TrainingConfig(loss=loss, negatives=negatives, batch_size=256, **usual | values)


def fitted_ranker(
    name: str, dataset: Dataset, split: Split, inputs: ModelInputs, seed: int = 0, **values
) -> tuple[Recommender, History]:
    """A ranker after a short training; ``values`` are of its configuration."""
    model = default_model(name, inputs, seed, **values)
    return model, fit(model, dataset, split, own_settings(name), seed, CPU)


def small_batch(users=(0, 1, 1), items=(2, 3, 4), negatives=(1, 0, 0, 1, 2, 1)) -> Batch:
    """Three rated pairs with two negatives each; users and items from 0 to 4."""
    users, items = torch.tensor(users), torch.tensor(items)
    per_positive = len(negatives) // len(users)
    drawn = users.repeat_interleave(per_positive), torch.tensor(negatives)
    return Batch(users, items, torch.ones(len(users)), drawn)


def random_batch(inputs: ModelInputs, size: int, seed: int = 0) -> Batch:
    """``size`` pairs with one negative each."""
    draw = np.random.default_rng(seed)
    users, items, drawn = (
        draw.integers(0, limit, size) for limit in (inputs.n_users, inputs.n_items, inputs.n_items)
    )
    return small_batch(users.tolist(), items.tolist(), drawn.tolist())
