"""The rankers of 12: settings, and what a search varies.

Spaces lie within the published grids, with these exceptions: LATTICE's learning rate goes on to
twice its published maximum of 5e-3; no source is known for the choices of BUIR's momentum; those of
ItemKNN and EASE are usual ones. Learning rates are any between two ends, not points of a grid.
"""

from dataclasses import dataclass
from typing import Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..models.ranking.bm3 import BM3Config
from ..models.ranking.bpr_mf import BPRMFConfig
from ..models.ranking.buir import BUIRConfig
from ..models.ranking.dualgnn import DualGNNConfig
from ..models.ranking.ease import EASEConfig
from ..models.ranking.freedom import FREEDOMConfig
from ..models.ranking.grcn import GRCNConfig
from ..models.ranking.item_knn import ItemKNNConfig
from ..models.ranking.lattice import LATTICEConfig
from ..models.ranking.lightgcn import LightGCNConfig
from ..models.ranking.mmgcn import MMGCNConfig
from ..models.ranking.popularity import PopularityConfig
from ..models.ranking.vbpr import VBPRConfig

KNOCK_OUTS = ("shuffled", "noise", "constant")  # controls of content, by the ending of their names

_RATE = FloatDistribution(1e-4, 1e-2, log=True)
_L2 = CategoricalDistribution((1e-2, 1e-3, 1e-4, 1e-5, 1e-6))


@dataclass(frozen=True)
class Ranker:
    """A model as rows have it.

    Attributes:
        config: at the settings that its authors chose on Amazon Baby or, where they are not known,
        at usual ones. space: what a search varies. loss: that it is trained by, ``solved`` where it
        is not trained. without: that it means something without any content.
    """

    model: str
    config: Any
    space: dict[str, BaseDistribution]
    loss: Literal["bpr", "bootstrap", "solved"] = "bpr"
    without: bool = False

    @property
    def reads_content(self) -> bool:
        return hasattr(self.config, "modalities")


# What differs on some data: BM3's published choice there; no projection to more dimensions than the
# vectors have.
ON_DATA: dict[tuple[str, str], dict[str, Any]] = {
    ("BM3", "amazon-sports"): {"regularisation": 0.01},
    ("MMGCN", "amazon-baby"): {"image_projection": None},
}

RANKERS = {
    "Popularity": Ranker("popularity", PopularityConfig(), {}, "solved"),
    "ItemKNN": Ranker(
        "item-knn",
        ItemKNNConfig(neighbours=100),
        {
            "model.neighbours": CategoricalDistribution((50, 100, 200, 500, 1000)),
            "model.shrinkage": CategoricalDistribution((0.0, 10.0, 100.0, 1000.0)),
        },
        "solved",
    ),
    "EASE": Ranker(
        "ease",
        EASEConfig(regularisation=250.0),
        {"model.regularisation": CategoricalDistribution((1.0, 10.0, 100.0, 250.0, 1e3, 1e4))},
        "solved",
    ),
    "BPR": Ranker(
        "bpr-mf",
        BPRMFConfig(regularisation=1e-3),
        {"model.regularisation": CategoricalDistribution((1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5))},
    ),
    "LightGCN": Ranker(
        "lightgcn",
        LightGCNConfig(layers=2, initial="xavier"),  # as BM3's paper starts all models
        {"model.layers": CategoricalDistribution((1, 2, 3, 4)), "model.regularisation": _L2},
    ),
    "BUIR": Ranker(
        "buir",
        BUIRConfig(layers=2),
        {
            "model.layers": CategoricalDistribution((1, 2, 3, 4)),
            "model.momentum": CategoricalDistribution((0.99, 0.995, 0.999)),
        },
        "bootstrap",
    ),
    "VBPR": Ranker(
        "vbpr",
        VBPRConfig(regularisation=1e-3),
        {"model.regularisation": CategoricalDistribution((1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5))},
        without=True,
    ),
    "MMGCN": Ranker(
        "mmgcn",
        MMGCNConfig(regularisation=1e-3),
        {
            "model.regularisation": CategoricalDistribution((0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
            "training.learning_rate": _RATE,
        },
    ),
    "GRCN": Ranker(
        "grcn",
        GRCNConfig(regularisation=1e-3),
        {
            "model.regularisation": CategoricalDistribution((1e-1, 1e-2, 1e-3, 1e-4, 1e-5)),
            "training.learning_rate": _RATE,
        },
    ),
    "DualGNN": Ranker(
        "dualgnn",
        DualGNNConfig(regularisation=1e-3),
        {
            "model.regularisation": CategoricalDistribution((1e-1, 1e-2, 1e-3, 1e-4, 1e-5)),
            "training.learning_rate": _RATE,
        },
    ),
    "LATTICE": Ranker(
        "lattice",
        LATTICEConfig(),
        {
            "model.regularisation": CategoricalDistribution((0.0, 1e-5, 1e-4, 1e-3)),
            "training.learning_rate": _RATE,
        },
    ),
    "FREEDOM": Ranker(
        "freedom",
        FREEDOMConfig(),
        {
            "model.content_weight": CategoricalDistribution((0.0, 1e-5, 1e-4, 1e-3)),
            "model.pruned": CategoricalDistribution((0.8, 0.9)),
        },
        without=True,
    ),
    "BM3": Ranker(
        "bm3",
        # the published choice of lambda belongs to the penalty of the authors' code
        BM3Config(penalised="norms of all"),
        {
            "model.layers": CategoricalDistribution((1, 2)),
            "model.dropout": CategoricalDistribution((0.3, 0.5)),
            "model.regularisation": CategoricalDistribution((0.1, 0.01)),
        },
        "bootstrap",
        without=True,
    ),
}

# Where equations and common code differ: a row's name -> whose form it is, and what it changes

EVERY_STEP = "LATTICE, rebuilt in every step"
BM3_IN_CODE = "BM3, as its code has it"
IN_CODE: dict[str, tuple[str, dict[str, Any]]] = {
    "BM3, trained features": ("BM3", {"features": "trained"}),
    "BM3, auxiliary terms doubled": ("BM3", {"auxiliary_weight": 2.0}),
    BM3_IN_CODE: ("BM3", {"features": "trained", "auxiliary_weight": 2.0}),
    "BM3, penalty of equation 12": ("BM3", {"penalised": "squared norms"}),
    "LightGCN, norms penalised": ("LightGCN", {"penalised": "norms"}),
    "LightGCN, its authors' start": ("LightGCN", {"initial": "normal"}),
    "VBPR, without biases": ("VBPR", {"form": "without biases", "penalised": "norms"}),
    "BUIR, edges dropped": ("BUIR", {"edge_dropout": 1.0}),
    "MMGCN, frozen preferences": ("MMGCN", {"frozen_preferences": True}),
    "GRCN, no routing": ("GRCN", {"routings": 0}),
    "LATTICE, trained features": ("LATTICE", {"features": "trained"}),
    EVERY_STEP: ("LATTICE", {"built": "every step"}),
    "FREEDOM, trained features": ("FREEDOM", {"features": "trained"}),
    "FREEDOM, all edges": ("FREEDOM", {"pruned": 0.0}),
}
