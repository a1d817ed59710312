"""The rows of the study's wide comparisons: models, settings and search spaces, in the order of the tables."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..evaluation.rules import FULL_RANKING, RATED_ITEMS, EvaluationRule
from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.bonmf_plus import BoNMFPlusConfig
from ..models.rating.deepfm import DeepFMConfig
from ..models.rating.early_fusion import EarlyFusionConfig
from ..models.rating.fm import FMConfig
from ..models.rating.svd import SVDConfig
from ..models.rating.svdpp import SVDppConfig
from ..models.rating.tensor_fusion import TensorFusionConfig
from ..models.rating.wide_deep import WideDeepConfig
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.rules import Ratio
from ..training.config import TrainingConfig
from ..training.search import Search

TRIAL_PATIENCE = 2  # epochs that a trial may go without a better validation MSE
RECIPE_PATIENCE = 3  # likewise of the early-stopped rows of 03
SPARSE = 0.1  # share of the training ratings that "sparse data" means

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


def published_protocol(run: Run) -> str:
    """``as published``, unless the profile shortens the trainings of wide comparisons."""
    s, paper = run.settings, TrainingConfig()
    ours = (s.comparison_epochs, s.comparison_batch_size, s.comparison_learning_rate, s.comparison_feature_dim)
    if ours == (paper.epochs, paper.batch_size, paper.learning_rate, None):
        return "as published"
    return f"{s.comparison_epochs} epochs of batch {s.comparison_batch_size}"


def published(run: Run, name: str, model: str, config: Any, **others: Any) -> Variant:
    """A row trained for the paper's fixed number of epochs on the whole training part; features standardised."""
    settings = run.settings
    training = TrainingConfig(
        epochs=settings.comparison_epochs,
        batch_size=settings.comparison_batch_size,
        learning_rate=settings.comparison_learning_rate,
    )
    dim = settings.comparison_feature_dim
    row = Variant(name, published_protocol(run), model, config, training, feature_dim=dim, **others)
    return row.prepared("standardised")


def closed_form(name: str, model: str, config: Any, **others: Any) -> Variant:
    """A row that is solved, not trained: there is only one protocol."""
    return Variant(name, "closed form", model, config, TrainingConfig(), **others)


def _large_batches(run: Run) -> TrainingConfig:
    settings = run.settings
    return TrainingConfig(
        epochs=settings.tuning_epochs,
        batch_size=settings.tuning_batch_size,
        learning_rate=settings.tuning_learning_rate,
        patience=TRIAL_PATIENCE,
    )


def early_stopped(run: Run, name: str, config: Any, model: str = "bonmf", **training: Any) -> Variant:
    """A row of an ablation: large batches, stopped at its best validation epoch; features standardised."""
    settings = replace(_large_batches(run), **training)
    dim, protocol = run.settings.comparison_feature_dim, f"early stopped, batch {settings.batch_size}"
    return Variant(name, protocol, model, config, settings, feature_dim=dim).prepared("standardised")


def tuned(run: Run, variant: Variant) -> Variant:
    """The same row with its settings chosen by a search on validation, every row with the same budget."""
    settings = run.settings
    training = _large_batches(run)
    search = Search(tuple(SPACES[variant.model].items()), settings.tuning_trials)
    return replace(variant, protocol="tuned", training=training, search=search)


def recipe_rows(run: Run) -> list[Variant]:
    """BoNMF and its IDs alone by the paper's recipe, as published and stopped at their best validation epoch; features
    standardised. Then two baselines without training."""
    s = run.settings
    fixed = TrainingConfig(epochs=s.epochs, batch_size=s.batch_size, learning_rate=s.learning_rate)
    stopped = replace(fixed, epochs=s.early_stopping_epochs, patience=RECIPE_PATIENCE)
    networks = {"BoNMF": BoNMFConfig(), "NMD (ID only)": BoNMFConfig(use_text=False, use_image=False)}
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


def native_rows(run: Run) -> list[Variant]:
    """The rows of :func:`table1_rows` that read texts or pictures, at the encoders' own scale; then the same on
    shuffled ones, every item with another's."""
    rows = [replace(row.prepared("native"), name=f"{row.name}, native") for row in _with_content(table1_rows(run))]
    return rows + control_rows(run, rows, ("shuffled",))


CONTROLS = ("shuffled", "noise")  # endings of their names


def control_rows(run: Run, rows: Sequence[Variant], endings: Sequence[str] = CONTROLS) -> list[Variant]:
    """Every row that reads texts or pictures, again on each control of them."""
    return [on_control(run, row, ending) for row in _with_content(rows) for ending in endings]


def _with_content(rows: Sequence[Variant]) -> list[Variant]:
    return [row for row in rows if row.uses("text") or row.uses("image")]


def on_control(run: Run, row: Variant, ending: str) -> Variant:
    """The row on controls of its encoders (:mod:`~bonmf_lib.encoders.controls`), by the ending of their names."""
    own = {"text": row.text_encoder or run.settings.text_encoder}
    own["image"] = row.image_encoder or run.settings.image_encoder
    encoders = {f"{name}_encoder": f"{encoder}-{ending}" for name, encoder in own.items() if row.uses(name)}
    return replace(row, name=f"{row.name}, {ending}", **encoders)


def fullest_row(rows: Sequence[Variant]) -> Variant:
    """BoNMF as the paper has it, or the row of the paper's table that is nearest to it among those that data allow."""
    by_name = {row.name: row for row in rows}
    return next(by_name[name] for name in ("BoNMF", "BoNMF, no picture", "NMD (ID only)") if name in by_name)


def initialisations_row(run: Run, row: Variant) -> Variant:
    """A row from several initial weights on one split: what of a difference between runs is not the split's."""
    members = run.settings.ensemble_members
    return replace(row, name=f"{row.name}, {members} initial weights", members=members)


def tuned_rows(run: Run) -> list[Variant]:
    """Every row of :func:`table1_rows` that has something to tune."""
    return [tuned(run, variant) for variant in table1_rows(run) if variant.model in SPACES]


def best_rows(run: Run) -> list[Variant]:
    """What we would build instead: one network, and the mean of several from the same search."""
    single = tuned(run, published(run, "BoNMF+", "bonmf+", BoNMFPlusConfig()))
    members = run.settings.ensemble_members
    return [single, replace(single, name=f"BoNMF+, {members} members", members=members)]


def best_ablation_rows(run: Run) -> list[Variant]:
    """BoNMF+ at its default settings, with one part or group of parts changed at a time."""
    changes = {
        "BoNMF+": {},
        "BoNMF+, no content": {"use_text": False, "use_image": False, "use_fields": False, "gate": False},
        "BoNMF+, no picture": {"use_image": False},
        "BoNMF+, no fields": {"use_fields": False},
        "BoNMF+, no gate": {"gate": False},
        "BoNMF+, cold-item dropout": {"cold_dropout": 0.1},
        "BoNMF+, no raters": {"use_item_history": False},
        "BoNMF+, no histories": {"use_item_history": False, "use_user_history": False},
        "BoNMF+, with MLP": {"hidden": (64,)},
    }
    return [early_stopped(run, name, BoNMFPlusConfig(**change), model="bonmf+") for name, change in changes.items()]


MODALITIES = ("ID", "text", "picture")


def modality_rows(run: Run) -> dict[frozenset[str], Variant]:
    """BoNMF on every subset of its inputs; on none of them only the mean rating is left."""
    rows: dict[frozenset[str], Variant] = {frozenset(): closed_form("Global mean", "global-mean", GlobalMeanConfig())}
    for size in range(1, len(MODALITIES) + 1):
        for subset in map(frozenset, combinations(MODALITIES, size)):
            config = BoNMFConfig(use_ids="ID" in subset, use_text="text" in subset, use_image="picture" in subset)
            name = " + ".join(m for m in MODALITIES if m in subset)
            rows[subset] = early_stopped(run, f"BoNMF on {name}", config)
    return rows


def ablation_rows(run: Run) -> dict[str, list[Variant]]:
    """One list of rows per question; each starts with the network as the paper has it."""
    batch, rate = run.settings.tuning_batch_size, run.settings.tuning_learning_rate
    layers = {
        (128, 64): "MLP 128-64",
        (64, 32): "MLP 64-32",
        (128, 64, 32): "MLP 128-64-32",
        (128,): "MLP 128",
        (64,): "MLP 64",
    }
    return {
        "depth and width": [early_stopped(run, name, BoNMFConfig(hidden=hidden)) for hidden, name in layers.items()],
        "embedding size": [
            early_stopped(run, f"embedding {size}", BoNMFConfig(embedding_dim=size)) for size in (50, 16, 32, 64)
        ],
        "batch size and learning rate": [
            early_stopped(run, f"batch {b}, rate {r:.2g}", BoNMFConfig(), batch_size=b, learning_rate=r)
            for b, r in (
                (batch, rate),
                (batch, rate / 3),
                (batch, rate * 3),
                (batch // 4, rate),
                (batch // 4, rate / 3),
            )
        ],
        "regularisation": [
            early_stopped(run, "none", BoNMFConfig()),
            early_stopped(run, "dropout 0.2", BoNMFConfig(dropout=0.2)),
            early_stopped(run, "dropout 0.5", BoNMFConfig(dropout=0.5)),
            early_stopped(run, "L2 0.01 on embeddings", BoNMFConfig(regularisation=0.01)),
            early_stopped(run, "L2 0.1 on embeddings", BoNMFConfig(regularisation=0.1)),
            early_stopped(run, "weight decay 1e-5", BoNMFConfig(), weight_decay=1e-5),
        ],
        "side information": [
            early_stopped(run, "none", BoNMFConfig()),
            early_stopped(run, "demographics", BoNMFConfig(use_demographics=True)),
        ],
    }


ABLATION_BASES = ("BoNMF", "NMD (ID only)", "BoNMF, no picture", "BoNMF, no text")  # rows that ablations refer to


def claimed_ablations(run: Run) -> list[Variant]:
    """The ablations that the papers make claims about, as published."""
    sparse = {"split": Ratio(keep=SPARSE)}
    return [
        published(run, "BoNMF, 3 layers", "bonmf", BoNMFConfig(hidden=(128, 64, 32))),
        published(run, "BoNMF, embedding 64", "bonmf", BoNMFConfig(embedding_dim=64)),
        published(run, "BoNMF, embedding 16", "bonmf", BoNMFConfig(embedding_dim=16)),
        published(run, "BoNMF, demographics", "bonmf", BoNMFConfig(use_demographics=True)),
        published(run, "BoNMF, 10 % of ratings", "bonmf", BoNMFConfig(), **sparse),
        closed_form("User + item bias, 10 % of ratings", "user-item-bias", UserItemBiasConfig(), **sparse),
    ]


REVIEW_TEST_SHARE = 0.2  # of the second reading, 80/20
_REVIEW_BASELINES: dict[str, tuple[str, Any]] = {
    "FM": ("fm", FMConfig(factors=32)),
    "Wide & Deep": ("wide-deep", WideDeepConfig(embedding_dim=32)),
    "DeepFM": ("deepfm", DeepFMConfig(factors=32)),
}


def _reviewed(
    run: Run, name: str, model: str, config: Any, evaluation: EvaluationRule = RATED_ITEMS, **training: Any
) -> Variant:
    """A row on the second reading's terms; the weight decay is its "L2", whose size it does not give."""
    row = published(run, name, model, config, split=Ratio(REVIEW_TEST_SHARE))
    trained = replace(row.training, weight_decay=1e-6, **training)
    return replace(row, training=trained, evaluation=evaluation)


def review_rows(run: Run) -> list[Variant]:
    """The second reading of the paper: 80/20, dropout and L2, embeddings of 16 to 64, two or three layers of 64 to 128
    units, and the baselines that it names. Where nothing else is said, embeddings have 32 dimensions."""
    small = BoNMFConfig(dropout=0.2, embedding_dim=32)
    changes = {
        "embedding 16": {"embedding_dim": 16},
        "embedding 32": {},
        "embedding 64": {"embedding_dim": 64},
        "3 layers": {"hidden": (128, 128, 64)},
        "demographics": {"use_demographics": True},
    }
    rows = [_reviewed(run, f"BoNMF, 80/20, {name}", "bonmf", replace(small, **c)) for name, c in changes.items()]
    ids_only = replace(small, use_text=False, use_image=False)
    baselines = {"NMD (ID only)": ("bonmf", ids_only), **_REVIEW_BASELINES}
    rows += [_reviewed(run, f"{name}, 80/20", *baseline) for name, baseline in baselines.items()]
    sparse = {"split": Ratio(REVIEW_TEST_SHARE, SPARSE)}
    bias = closed_form("User + item bias, 80/20, 10 % of ratings", "user-item-bias", UserItemBiasConfig(), **sparse)
    return [*rows, replace(rows[1], name="BoNMF, 80/20, 10 % of ratings", **sparse), bias]


def implicit_rows(run: Run) -> list[Variant]:
    """The second reading on implicit feedback: every rating a positive, as many unrated items negative, BCE."""
    bonmf = BoNMFConfig(dropout=0.2, embedding_dim=32)
    models: dict[str, tuple[str, Any]] = {
        "BoNMF": ("bonmf", bonmf),
        "NMD (ID only)": ("bonmf", replace(bonmf, use_text=False, use_image=False)),
    }
    # the penalties of FM and DeepFM were found for ratings; here they have the weight decay of all rows
    for name, (model, config) in _REVIEW_BASELINES.items():
        models[name] = model, replace(config, regularisation=0.0)
    terms = {"evaluation": FULL_RANKING, "loss": "bce", "negatives": 1}
    return [_reviewed(run, f"{name}, implicit", *model, **terms) for name, model in models.items()]
