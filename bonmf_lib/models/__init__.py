"""Networks: one file per model, parts that several share, and the registry of names."""

from .base import (
    Batch,
    ClosedFormModel,
    Interactions,
    ModelInputs,
    RatingModel,
    Recommender,
    build_model,
    get_model,
    list_models,
    register,
)
from .fields import item_fields, user_fields
from .ranking import (  # noqa: F401 - importing them registers the models
    bpr_mf,
    dualgnn,
    ease,
    gmf,
    grcn,
    ials,
    item_knn,
    logistic_mf,
    mlp,
    mmgcn,
    neumf,
    neumf_shared,
    popularity,
)
from .rating import (  # noqa: F401 - importing them registers the models
    bias,
    biased_svd,
    bonmf,
    bonmf_plus,
    deepfm,
    early_fusion,
    fm,
    svd,
    svdpp,
    tensor_fusion,
    visual_fusion,
    wide_deep,
)

__all__ = [
    "Batch",
    "ClosedFormModel",
    "Interactions",
    "ModelInputs",
    "RatingModel",
    "Recommender",
    "build_model",
    "get_model",
    "item_fields",
    "list_models",
    "register",
    "user_fields",
]
