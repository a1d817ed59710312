"""Over what every row of the wide comparison may be tuned."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..encoders.features import MODALITIES
from ..encoders.preparation import PREPARATIONS
from ..runs.profiles import Profile
from ..runs.variant import Variant
from ..training.config import TrainingConfig

TRIAL_PATIENCE = 2  # epochs that a trial may go without a better validation MSE
Space = dict[str, BaseDistribution]
_RATE: Space = {"training.learning_rate": FloatDistribution(1e-3, 2e-2, log=True)}
_L2: Space = {"model.regularisation": CategoricalDistribution([0.0, 0.01, 0.02, 0.05, 0.1])}
_DROPOUT: Space = {"model.dropout": CategoricalDistribution([0.0, 0.2, 0.4])}


def _width(name: str, *sizes: int) -> Space:
    return {f"model.{name}": CategoricalDistribution(sizes)}


_FACTORISATION: Space = {"model.regularisation": FloatDistribution(0.02, 0.2, log=True)}


SPACES: dict[str, Space] = {
    "bonmf": _RATE | _L2 | _DROPOUT | _width("embedding_dim", 16, 32, 50, 64),
    "tensor-fusion": _RATE | _L2 | _DROPOUT | _width("embedding_dim", 4, 8, 12),
    "early-fusion": _RATE | _L2 | _DROPOUT | _width("embedding_dim", 16, 32, 50, 64),
    "fm": _RATE | _L2 | _width("factors", 16, 32, 50, 64),
    "wide-deep": _RATE | _L2 | _DROPOUT | _width("embedding_dim", 16, 32, 50, 64),
    "deepfm": _RATE | _L2 | _DROPOUT | _width("factors", 16, 32, 50, 64),
    "bonmf+": _RATE
    | {"model.regularisation": FloatDistribution(0.03, 0.15, log=True)}
    | {"model.cold_dropout": CategoricalDistribution([0.0, 0.1])}
    | _width("factors", 64, 128, 256),
    "biased-svd": _RATE | _FACTORISATION | _width("factors", 50, 100, 200),
    "svd++": _RATE | _FACTORISATION | _width("factors", 20, 50, 100),
    "svd": _width("factors", 2, 5, 10, 20, 50)
    | {"model.centre": CategoricalDistribution(["none", "global", "user", "item"])},
    "user-item-bias": {"model.regularisation": FloatDistribution(0.5, 50, log=True)},
}


_WIDE_RATE: Space = {"training.learning_rate": FloatDistribution(3e-4, 3e-2, log=True)}
_WIDE_L2: Space = {
    "model.regularisation": CategoricalDistribution([0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2])
}
_WIDE_FACTORISATION: Space = {"model.regularisation": FloatDistribution(0.005, 0.5, log=True)}
_NETWORK = _WIDE_RATE | _WIDE_L2 | _DROPOUT
_SIZES = (16, 32, 50, 64, 128, 256)

WIDE_SPACES: dict[str, Space] = {
    "bonmf": _NETWORK | _width("embedding_dim", *_SIZES),
    # the product grows with its third power
    "tensor-fusion": _NETWORK | _width("embedding_dim", 4, 8, 12, 16),
    "early-fusion": _NETWORK | _width("embedding_dim", *_SIZES),
    "fm": _WIDE_RATE | _WIDE_L2 | _width("factors", *_SIZES),
    "wide-deep": _NETWORK | _width("embedding_dim", *_SIZES),
    "deepfm": _NETWORK | _width("factors", *_SIZES),
    "bonmf+": _WIDE_RATE
    | _WIDE_FACTORISATION
    | {"model.cold_dropout": CategoricalDistribution([0.0, 0.1, 0.2])}
    | _width("factors", *_SIZES),
    "biased-svd": _WIDE_RATE | _WIDE_FACTORISATION | _width("factors", 20, 50, 100, 200, 400),
    "svd++": _WIDE_RATE
    | _WIDE_FACTORISATION
    | _width("factors", 16, 20, 32, 50, 64, 100, 128, 256),
    "svd": SPACES["svd"],
    "user-item-bias": SPACES["user-item-bias"],
}
# They sum all histories in every step, so small batches would take them hours.
_OF_LARGE_BATCHES = ("bonmf+", "svd++")


def wide_space(row: Variant, batch_sizes: tuple[int, ...]) -> Space:
    """Equally wide for all models that are trained: rate, L2, weight decay, width, batch, and how
    each of the row's contents is prepared."""
    space = dict(WIDE_SPACES[row.model])
    for modality in MODALITIES:
        if row.uses(modality):
            space[f"model.{modality}_preparation"] = CategoricalDistribution(PREPARATIONS)
    if "training.learning_rate" not in space:  # solved
        return space
    space["training.weight_decay"] = CategoricalDistribution([0.0, 1e-6, 1e-5, 1e-4])
    if row.model not in _OF_LARGE_BATCHES:
        space["training.batch_size"] = CategoricalDistribution(batch_sizes)
    return space


def large_batches(settings: Profile, epochs: int) -> TrainingConfig:
    """At most so many epochs of large batches, stopped at the best validation epoch."""
    return TrainingConfig(
        epochs=epochs,
        batch_size=settings.tuning.batch_size,
        learning_rate=settings.tuning.learning_rate,
        patience=TRIAL_PATIENCE,
    )
