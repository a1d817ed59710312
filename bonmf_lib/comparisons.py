"""The rows of the study's wide comparisons: models, settings and search spaces, in the order of the tables."""

from dataclasses import replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from .experiments import Variant
from .models.bias import GlobalMeanConfig, UserItemBiasConfig
from .models.biased_svd import BiasedSVDConfig
from .models.bonmf import BoNMFConfig
from .models.deepfm import DeepFMConfig
from .models.early_fusion import EarlyFusionConfig
from .models.fm import FMConfig
from .models.svd import SVDConfig
from .models.svdpp import SVDppConfig
from .models.tensor_fusion import TensorFusionConfig
from .models.wide_deep import WideDeepConfig
from .study.parameters import Run
from .training import TrainingConfig
from .tuning import Search

TRIAL_PATIENCE = 2  # epochs that a trial may go without a better validation MSE

Space = dict[str, BaseDistribution]
_RATE: Space = {"training.learning_rate": FloatDistribution(5e-4, 1e-2, log=True)}
_L2: Space = {"model.regularisation": CategoricalDistribution([0.0, 0.003, 0.01, 0.03, 0.1])}
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
    "biased-svd": _RATE | _FACTORISATION | _width("factors", 50, 100, 200),
    "svd++": _RATE | _FACTORISATION | _width("factors", 20, 50, 100),
    "svd": _width("factors", 2, 5, 10, 20, 50)
    | {"model.centre": CategoricalDistribution(["none", "global", "user", "item"])},
    "user-item-bias": {"model.regularisation": FloatDistribution(0.5, 50, log=True)},
}


def published_protocol(run: Run) -> str:
    """``as published``, unless the profile trains wide comparisons in larger batches to save time."""
    settings = run.settings
    same = settings.comparison_batch_size == settings.batch_size
    return "as published" if same else f"batch {settings.comparison_batch_size}"


def published(run: Run, name: str, model: str, config: Any, **others: Any) -> Variant:
    """A row trained for the paper's fixed number of epochs on the whole training part."""
    settings = run.settings
    training = TrainingConfig(
        epochs=settings.epochs,
        batch_size=settings.comparison_batch_size,
        learning_rate=settings.comparison_learning_rate,
    )
    return Variant(name, published_protocol(run), model, config, training, **others)


def closed_form(name: str, model: str, config: Any, **others: Any) -> Variant:
    """A row that is solved, not trained: there is only one protocol."""
    return Variant(name, "closed form", model, config, TrainingConfig(), **others)


def tuned(run: Run, variant: Variant) -> Variant:
    """The same row with its settings chosen by a search on validation, every row with the same budget."""
    settings = run.settings
    training = TrainingConfig(
        epochs=settings.tuning_epochs,
        batch_size=settings.tuning_batch_size,
        learning_rate=settings.comparison_learning_rate,
        patience=TRIAL_PATIENCE,
    )
    search = Search(tuple(SPACES[variant.model].items()), settings.tuning_trials)
    return replace(variant, protocol="tuned", training=training, search=search)


def table1_rows(run: Run) -> list[Variant]:
    """The paper's seven rows, then the baselines that it lacks."""
    bonmf, cnn = BoNMFConfig(), run.settings.cnn_encoder
    ids_only = BoNMFConfig(use_text=False, use_image=False)
    return [
        published(run, "BoNMF", "bonmf", bonmf),
        published(run, "NMD (ID only)", "bonmf", ids_only),
        closed_form("SVD", "svd", SVDConfig()),
        published(run, "Tensor product", "tensor-fusion", TensorFusionConfig()),
        published(run, "Text Early Fusion", "early-fusion", EarlyFusionConfig()),
        published(run, "CNN-based", "bonmf", bonmf, image_encoder=cnn),
        published(run, "BoNMF, no picture", "bonmf", BoNMFConfig(use_image=False)),
        published(run, "BoNMF, no text", "bonmf", BoNMFConfig(use_text=False)),
        closed_form("Global mean", "global-mean", GlobalMeanConfig()),
        closed_form("User + item bias", "user-item-bias", UserItemBiasConfig()),
        published(run, "Biased SVD", "biased-svd", BiasedSVDConfig()),
        published(run, "SVD++", "svd++", SVDppConfig()),
        published(run, "FM", "fm", FMConfig()),
        published(run, "Wide & Deep", "wide-deep", WideDeepConfig()),
        published(run, "DeepFM", "deepfm", DeepFMConfig()),
    ]


def tuned_rows(run: Run) -> list[Variant]:
    """Every row of :func:`table1_rows` that has something to tune."""
    return [tuned(run, variant) for variant in table1_rows(run) if variant.model in SPACES]
