"""03: BoNMF by the paper's recipe."""

from dataclasses import replace

from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.bonmf import BoNMFConfig
from ..runs.run import Run
from ..runs.variant import Variant
from ..training.config import TrainingConfig

RECIPE_PATIENCE = 3  # epochs without a better validation MSE


def recipe_rows(run: Run) -> list[Variant]:
    """BoNMF and its IDs alone by the paper's recipe, as published and stopped at their best
    validation epoch; features standardised. Then two baselines without training."""
    s = run.settings
    fixed = TrainingConfig(
        epochs=s.recipe.epochs, batch_size=s.recipe.batch_size, learning_rate=s.recipe.learning_rate
    )
    stopped = replace(fixed, epochs=s.recipe.early_stopping_epochs, patience=RECIPE_PATIENCE)
    networks = {"BoNMF": BoNMFConfig(), "NMD (ID only)": BoNMFConfig(modalities=())}
    rows = [
        Variant(name, protocol, "bonmf", config, training).prepared("standardised")
        for protocol, training in (("as published", fixed), ("early stopped", stopped))
        for name, config in networks.items()
    ]
    solved = {
        "User + item bias": ("user-item-bias", UserItemBiasConfig()),
        "Global mean": ("global-mean", GlobalMeanConfig()),
    }
    return rows + [Variant(name, "closed form", *model, fixed) for name, model in solved.items()]
