"""05: subsets of the inputs, and one change of the network or its training at a time."""

from itertools import combinations

from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.bonmf_plus import BoNMFPlusConfig
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.rules import Ratio
from .protocols import SPARSE, closed_form, early_stopped, fixed_epochs

MODALITIES = ("ID", "text", "picture")


def modality_rows(run: Run) -> dict[frozenset[str], Variant]:
    """BoNMF on every subset of its inputs; on none of them only the mean rating is left."""
    rows: dict[frozenset[str], Variant] = {
        frozenset(): closed_form("Global mean", "global-mean", GlobalMeanConfig())
    }
    for size in range(1, len(MODALITIES) + 1):
        for subset in map(frozenset, combinations(MODALITIES, size)):
            read = tuple(
                name
                for name, called in (("text", "text"), ("image", "picture"))
                if called in subset
            )
            config = BoNMFConfig(use_ids="ID" in subset, modalities=read)
            name = " + ".join(m for m in MODALITIES if m in subset)
            rows[subset] = early_stopped(run, f"BoNMF on {name}", config)
    return rows


def ablation_rows(run: Run) -> dict[str, list[Variant]]:
    """One list of rows per question; each starts with the network as the paper has it."""
    batch, rate = run.settings.tuning.batch_size, run.settings.tuning.learning_rate
    layers = {
        (128, 64): "MLP 128-64",
        (64, 32): "MLP 64-32",
        (128, 64, 32): "MLP 128-64-32",
        (128,): "MLP 128",
        (64,): "MLP 64",
    }
    return {
        "depth and width": [
            early_stopped(run, name, BoNMFConfig(hidden=hidden)) for hidden, name in layers.items()
        ],
        "embedding size": [
            early_stopped(run, f"embedding {size}", BoNMFConfig(embedding_dim=size))
            for size in (50, 16, 32, 64)
        ],
        "batch size and learning rate": [
            early_stopped(
                run, f"batch {b}, rate {r:.2g}", BoNMFConfig(), batch_size=b, learning_rate=r
            )
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


# rows that ablations refer to
ABLATION_BASES = (
    "BoNMF",
    "NMD (ID only)",
    "BoNMF, no picture",
    "BoNMF, no text",
)


def claimed_ablations(run: Run) -> list[Variant]:
    """The ablations that the papers make claims about, as published."""
    sparse = {"split": Ratio(keep=SPARSE)}
    return [
        fixed_epochs(run, "BoNMF, 3 layers", "bonmf", BoNMFConfig(hidden=(128, 64, 32))),
        fixed_epochs(run, "BoNMF, embedding 64", "bonmf", BoNMFConfig(embedding_dim=64)),
        fixed_epochs(run, "BoNMF, embedding 16", "bonmf", BoNMFConfig(embedding_dim=16)),
        fixed_epochs(run, "BoNMF, demographics", "bonmf", BoNMFConfig(use_demographics=True)),
        fixed_epochs(run, "BoNMF, 10 % of ratings", "bonmf", BoNMFConfig(), **sparse),
        closed_form(
            "User + item bias, 10 % of ratings", "user-item-bias", UserItemBiasConfig(), **sparse
        ),
    ]


def best_ablation_rows(run: Run) -> list[Variant]:
    """BoNMF+ at its default settings, with one part or group of parts changed at a time."""
    changes = {
        "BoNMF+": {},
        "BoNMF+, no content": {"modalities": (), "use_fields": False, "gate": False},
        "BoNMF+, no picture": {"modalities": ("text",)},
        "BoNMF+, no fields": {"use_fields": False},
        "BoNMF+, no gate": {"gate": False},
        "BoNMF+, cold-item dropout": {"cold_dropout": 0.1},
        "BoNMF+, no raters": {"use_item_history": False},
        "BoNMF+, no histories": {"use_item_history": False, "use_user_history": False},
        "BoNMF+, with MLP": {"hidden": (64,)},
    }
    return [
        early_stopped(run, name, BoNMFPlusConfig(**change), model="bonmf+")
        for name, change in changes.items()
    ]
