"""Over what every row of the wide comparison may be tuned."""

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..runs.profiles import Profile
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


def large_batches(settings: Profile, epochs: int) -> TrainingConfig:
    """At most so many epochs of large batches, stopped at the best validation epoch."""
    return TrainingConfig(
        epochs=epochs,
        batch_size=settings.tuning.batch_size,
        learning_rate=settings.tuning.learning_rate,
        patience=TRIAL_PATIENCE,
    )
