"""04: the second reading of the paper, on its own terms,
with ratings and with implicit feedback."""

from dataclasses import replace
from typing import Any

from ..evaluation.rules import FULL_RANKING, RATED_ITEMS, EvaluationRule
from ..models.rating.bias import UserItemBiasConfig
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.deepfm import DeepFMConfig
from ..models.rating.fm import FMConfig
from ..models.rating.wide_deep import WideDeepConfig
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.rules import Ratio
from .protocols import SPARSE, closed_form, fixed_epochs

REVIEW_TEST_SHARE = 0.2  # of the second reading, 80/20


_REVIEW_BASELINES: dict[str, tuple[str, Any]] = {
    "FM": ("fm", FMConfig(factors=32)),
    "Wide & Deep": ("wide-deep", WideDeepConfig(embedding_dim=32)),
    "DeepFM": ("deepfm", DeepFMConfig(factors=32)),
}


def _reviewed(
    run: Run,
    name: str,
    model: str,
    config: Any,
    evaluation: EvaluationRule = RATED_ITEMS,
    **training: Any,
) -> Variant:
    """A row on the second reading's terms; the weight decay is its "L2", whose size it does not
    give."""
    row = fixed_epochs(run, name, model, config, split=Ratio(REVIEW_TEST_SHARE))
    trained = replace(row.training, weight_decay=1e-6, **training)
    return replace(row, training=trained, evaluation=evaluation)


def review_rows(run: Run) -> list[Variant]:
    """The second reading of the paper: 80/20, dropout and L2, embeddings of 16 to 64, two or three
    layers of 64 to 128 units, and the baselines that it names. Where nothing else is said,
    embeddings have 32 dimensions."""
    small = BoNMFConfig(dropout=0.2, embedding_dim=32)
    changes = {
        "embedding 16": {"embedding_dim": 16},
        "embedding 32": {},
        "embedding 64": {"embedding_dim": 64},
        "3 layers": {"hidden": (128, 128, 64)},
        "demographics": {"use_demographics": True},
    }
    rows = [
        _reviewed(run, f"BoNMF, 80/20, {name}", "bonmf", replace(small, **c))
        for name, c in changes.items()
    ]
    ids_only = replace(small, modalities=())
    baselines = {"NMD (ID only)": ("bonmf", ids_only), **_REVIEW_BASELINES}
    rows += [_reviewed(run, f"{name}, 80/20", *baseline) for name, baseline in baselines.items()]
    sparse = {"split": Ratio(REVIEW_TEST_SHARE, SPARSE)}
    bias = closed_form(
        "User + item bias, 80/20, 10 % of ratings", "user-item-bias", UserItemBiasConfig(), **sparse
    )
    return [*rows, replace(rows[1], name="BoNMF, 80/20, 10 % of ratings", **sparse), bias]


def implicit_rows(run: Run) -> list[Variant]:
    """The second reading on implicit feedback: every rating a positive, as many unrated items
    negative, BCE."""
    bonmf = BoNMFConfig(dropout=0.2, embedding_dim=32)
    models: dict[str, tuple[str, Any]] = {
        "BoNMF": ("bonmf", bonmf),
        "NMD (ID only)": ("bonmf", replace(bonmf, modalities=())),
    }
    # the penalties of FM and DeepFM were found for ratings; here they have the weight decay of all
    # rows
    for name, (model, config) in _REVIEW_BASELINES.items():
        models[name] = model, replace(config, regularisation=0.0)
    terms = {"evaluation": FULL_RANKING, "loss": "bce", "negatives": 1}
    return [_reviewed(run, f"{name}, implicit", *model, **terms) for name, model in models.items()]
