"""One file per model: the network and its equations, nothing else."""

from . import bias, bonmf  # noqa: F401 - importing them registers the models
from .base import (
    ClosedFormModel,
    ModelInputs,
    RatingModel,
    build_model,
    get_model,
    list_models,
    one_hot_demographics,
    register,
)

__all__ = [
    "ClosedFormModel",
    "ModelInputs",
    "RatingModel",
    "build_model",
    "get_model",
    "list_models",
    "one_hot_demographics",
    "register",
]
