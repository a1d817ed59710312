"""11: NeuMF, its parts and what they are compared with, on implicit feedback: the latest rating of
every user among few given or drawn items, and among all.

What is watched to stop a training, and to choose settings, is each user's latest rating but one,
among 99 drawn items. No row trains on it, solved or searched, and it is known where all items are
ranked. Rows as published are the exception: they train on all ratings but the latest, for the
epochs of the authors' code. (That code chooses among these on the test ratings.)
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from ..evaluation.rules import ALL_KNOWN_MASKED, EvaluationRule, GivenNegatives, SampledRanking
from ..models.ranking.bpr_mf import BPRMFConfig
from ..models.ranking.ease import EASEConfig
from ..models.ranking.gmf import GMFConfig
from ..models.ranking.ials import IALSConfig
from ..models.ranking.item_knn import ItemKNNConfig
from ..models.ranking.logistic_mf import LogisticMFConfig
from ..models.ranking.mlp import MLPConfig
from ..models.ranking.neumf import NeuMFConfig
from ..models.ranking.neumf_shared import NeuMFSharedConfig
from ..models.ranking.popularity import PopularityConfig
from ..models.ranking.slim import SLIMConfig
from ..models.rating.bonmf import BoNMFConfig
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.by_time import LeaveOneOut
from ..splits.given import Given
from ..splits.rules import SplitRule
from ..training.config import TrainingConfig
from ..training.search import Search
from .protocols import closed_form, control_rows

NEGATIVES = 4  # per positive, in the paper's trainings
MF_NEGATIVES = 8  # of Rendle et al., drawn from all items
HIDDEN_LAYERS = 3  # of the MLP, where nothing else is said
EASE_PENALTIES = 250.0, 1320.0  # which of them is better depends on the evaluation
# what rows' names end in
IN_EXAMPLES, FROM_CHOSEN = ", batches of examples", ", from parts chosen on test"
BY_ADAM = ", gone on by Adam"
LONGER = 3  # times the epochs as published: GMF's, which is not at its best within those
AS_PUBLISHED, LARGE_BATCHES, TUNED = "as published", "large batches", "tuned"
# of plain gradient descent after pretraining, for each positive of a batch: 0.001 in the paper's
FINE_TUNING_RATE = 1e-3 / 51


def leave_one_out(run: Run) -> SplitRule:
    """The test part that comes with the data, else the latest rating of every user."""
    return LeaveOneOut() if run.dataset.given is None else Given()


def among_few(run: Run) -> EvaluationRule:
    """Each test item among the 99 that come with the data, else among as many drawn ones, or as
    many as every user left unrated."""
    if run.dataset.given is not None:
        return GivenNegatives()
    usual = SampledRanking()
    left = run.dataset.n_items - int(np.bincount(run.dataset.ratings["user"]).max())
    return replace(usual, negatives=max(1, min(usual.negatives, left)))


def naive_rows(run: Run) -> list[Variant]:
    """Rows without training, and the smallest network, as code ranks them that counts the items
    with at least the test item's score, so that it loses all ties: without the test item among its
    own negatives, and with it; none where no lists came with the data."""
    if run.dataset.given is None:
        return []
    network = gmf(run, run.settings.rankings.curve_factors[0], LARGE_BATCHES)
    return [
        replace(row, evaluation=counted, watched_by=row.watched_by or row.evaluation)
        for row in (*solved_rows(run), network)
        for counted in (GivenNegatives(ties="lost"), GivenNegatives(naive=True, ties="lost"))
    ]


def in_both_evaluations(run: Run, rows: Sequence[Variant]) -> list[Variant]:
    """Every row among few items and among all; a row is trained once, watched among few."""
    few = among_few(run)
    return [
        replace(row, evaluation=evaluation, watched_by=few)
        for row in rows
        for evaluation in (few, ALL_KNOWN_MASKED)
    ]


def _row(run: Run, name: str, protocol: str, model: str, config: Any, **training: Any) -> Variant:
    """A row trained by the paper's loss unless told otherwise: as published in the paper's batches
    for its epochs, else in large batches to the best epoch on validation."""
    own = run.settings.rankings
    published = protocol == AS_PUBLISHED
    terms = {
        "epochs": own.published_epochs if published else own.epochs,
        "patience": None if published else own.patience,
        "batch_size": own.batch_size if published else own.large_batch_size,
        "learning_rate": own.learning_rate if published else own.large_batch_rate,
        "loss": "bce",
        "negatives": NEGATIVES,
    }
    return Variant(
        name,
        protocol,
        model,
        config,
        TrainingConfig(**terms | training),
        split=leave_one_out(run),
        evaluation=among_few(run),
        holds_out=not published,
    )


def _solved(run: Run, name: str, model: str, config: Any) -> Variant:
    return closed_form(
        name, model, config, split=leave_one_out(run), evaluation=among_few(run), holds_out=True
    )


def solved_rows(run: Run) -> list[Variant]:
    """What is solved from counts and products of training pairs, at usual settings; then the same
    as other studies solve it, on all ratings but the latest."""
    rows = _solved_rows(run)
    return rows + [replace(row, protocol=AS_PUBLISHED, holds_out=False) for row in rows]


def _solved_rows(run: Run) -> list[Variant]:
    return [
        _solved(run, "Popularity", "popularity", PopularityConfig()),
        _solved(run, "ItemKNN", "item-knn", ItemKNNConfig(neighbours=50)),
        *(
            _solved(run, f"EASE, lambda {penalty:g}", "ease", EASEConfig(regularisation=penalty))
            for penalty in EASE_PENALTIES
        ),
    ]


# NeuMF and its parts


def gmf(run: Run, factors: int, protocol: str) -> Variant:
    """A product of two vectors, weighted and summed (He et al., equations 8 and 9)."""
    return _row(run, f"GMF, {factors} factors", protocol, "gmf", GMFConfig(factors=factors))


def mlp(run: Run, factors: int, protocol: str) -> Variant:
    """Two vectors through a tower of layers that ends in so many factors (equation 10)."""
    return _row(run, f"MLP, {factors} factors", protocol, "mlp", MLPConfig(factors=factors))


def neumf(run: Run, factors: int, protocol: str) -> Variant:
    """Both side by side, on tables of their own (equation 12)."""
    name = f"NeuMF, {factors} factors, from scratch"
    return _row(run, name, protocol, "neumf", NeuMFConfig(factors=factors))


def pretrained(run: Run, factors: int, protocol: str) -> Variant:
    """Fused from the trained parts, then trained on by plain gradient descent."""
    row = _row(
        run,
        f"NeuMF, {factors} factors, pretrained",
        protocol,
        "neumf",
        NeuMFConfig(factors=factors),
        optimiser="sgd",
    )
    descent = replace(row.training, learning_rate=FINE_TUNING_RATE * row.training.batch_size)
    parts = gmf(run, factors, protocol), mlp(run, factors, protocol)
    return replace(row, training=descent, starts_from=parts)


def neumf_rows(run: Run) -> list[Variant]:
    """The paper's table: its networks, trained in its batches."""
    return [
        make(run, factors, AS_PUBLISHED)
        for factors in run.settings.rankings.factors
        for make in (gmf, mlp, neumf, pretrained)
    ]


def rows_by_epoch(run: Run) -> list[Variant]:
    """The networks of the paper's table at its most factors, GMF for :data:`LONGER` times as many
    epochs, the pretrained one from parts whose epoch is chosen by the test ratings too; then all of
    them in batches of shuffled examples, as those of the authors' code are, and the pretrained one
    by Adam, as the command that they give has it in place of the paper's plain descent."""
    most = max(run.settings.rankings.factors)
    short, *rows, fused = [make(run, most, AS_PUBLISHED) for make in (gmf, mlp, neumf, pretrained)]
    epochs = LONGER * short.training.epochs
    long = replace(short, training=replace(short.training, epochs=epochs))
    starts = tuple(long if start == short else start for start in fused.starts_from)
    fused = replace(fused, name=f"{fused.name}{FROM_CHOSEN}", starts_from=starts)
    by_adam = replace(fused, name=f"{fused.name}{BY_ADAM}", training=rows[-1].training)
    rows = [long, *rows, fused]
    return [*rows, *map(in_examples, [*rows, by_adam])]


def in_examples(row: Variant) -> Variant:
    """The row, and what it starts from, in batches of as many examples as its own has positives:
    ratings and negatives are shuffled together. A step of plain descent goes as far for each."""
    own = row.training
    rate = own.learning_rate / (1 + own.negatives if own.optimiser == "sgd" else 1)
    return replace(
        row,
        name=f"{row.name}{IN_EXAMPLES}",
        training=replace(own, batches_of="examples", learning_rate=rate),
        starts_from=tuple(map(in_examples, row.starts_from)),
    )


def factor_rows(run: Run) -> list[Variant]:
    """The paper's curves by factors, in large batches."""
    return [
        make(run, factors, LARGE_BATCHES)
        for factors in run.settings.rankings.curve_factors
        for make in (gmf, mlp, neumf, pretrained)
    ]


def layer_rows(run: Run) -> list[Variant]:
    """MLP by its number of hidden layers, for every number of factors at its end."""
    own = run.settings.rankings
    return [
        _row(
            run,
            f"MLP, {factors} factors, {layers} hidden layers",
            LARGE_BATCHES,
            "mlp",
            MLPConfig(factors=factors, hidden_layers=layers),
        )
        for factors in own.curve_factors
        for layers in own.curve_layers
    ]


def negative_rows(run: Run) -> list[Variant]:
    """NeuMF by the number of negatives for every positive."""
    own = run.settings.rankings
    return [
        _row(
            run,
            f"NeuMF, {own.factors[0]} factors, {negatives} negatives",
            LARGE_BATCHES,
            "neumf",
            NeuMFConfig(factors=own.factors[0]),
            negatives=negatives,
        )
        for negatives in own.curve_negatives
    ]


def shared_rows(run: Run) -> list[Variant]:
    """The listing with one table for all four inputs, and the network that it declares."""
    factors = run.settings.rankings.factors[0]
    return [
        _row(
            run,
            name,
            LARGE_BATCHES,
            "neumf-shared",
            NeuMFSharedConfig(factors=factors, tables=tables),
        )
        for name, tables in (("NeuMF, shared table", "one"), ("NeuMF, four tables", "four"))
    ]


# What NeuMF is compared with


def dot_product_rows(run: Run) -> list[Variant]:
    """Dot products as their authors set them: Rendle et al.'s, BPR's and alternating least
    squares."""
    own = run.settings.rankings
    large, small = own.dot_product_factors, own.factors[-1]  # the networks' own size too
    matrix = _row(
        run, "MF, tuned", LARGE_BATCHES, "logistic-mf", LogisticMFConfig(factors=large),
        negatives=MF_NEGATIVES, negatives_over="all",
    )  # fmt: skip
    rows = [matrix]
    for ending, factors in (("", large), (f", {small} factors", small)):
        config = BPRMFConfig(factors=factors, regularisation=1e-3)
        terms = {"loss": "bpr", "negatives": 1}
        rows += [
            _row(run, f"BPR-MF{ending}", LARGE_BATCHES, "bpr-mf", config, **terms),
            _solved(run, f"iALS{ending}", "ials", IALSConfig(factors=factors)),
        ]
    return rows


_L2 = FloatDistribution(1e-8, 1e-4, log=True)
_RATE = FloatDistribution(1e-3, 2e-2, log=True)
_SPACES: dict[str, dict[str, BaseDistribution]] = {
    "item-knn": {
        "model.neighbours": IntDistribution(20, 500, log=True),
        "model.shrinkage": FloatDistribution(0.0, 100.0),
    },
    "ease": {"model.regularisation": FloatDistribution(10.0, 10_000.0, log=True)},
    "slim": {
        "model.l1": FloatDistribution(0.1, 100.0, log=True),
        "model.l2": FloatDistribution(10.0, 10_000.0, log=True),
    },
    "ials": {
        "model.regularisation": FloatDistribution(1e-4, 1e-1, log=True),
        "model.confidence": FloatDistribution(1.0, 100.0, log=True),
    },
    "bpr-mf": {
        "model.regularisation": FloatDistribution(1e-5, 1e-1, log=True),
        "training.learning_rate": _RATE,
    },
    "logistic-mf": {
        "model.regularisation": FloatDistribution(1e-5, 1e-1, log=True),
        "training.learning_rate": _RATE,
    },
    "gmf": {"training.weight_decay": _L2, "training.learning_rate": _RATE},
    "mlp": {"training.weight_decay": _L2, "training.learning_rate": _RATE},
    "neumf": {"training.weight_decay": _L2, "training.learning_rate": _RATE},
}


def tuned_rows(run: Run) -> list[Variant]:
    """Networks with the most factors of the rows as published, and what they are compared with,
    their settings searched on validation with as many trials each."""
    own = run.settings.rankings
    decay = {"weight_decay": 1e-6}  # where searches start
    _, neighbours, ease, _ = _solved_rows(run)
    rows = [
        neighbours,
        replace(ease, name="EASE"),
        _solved(run, "SLIM", "slim", SLIMConfig()),
        *dot_product_rows(run)[:3],
        *(
            replace(row, training=replace(row.training, **decay))
            for row in (make(run, max(own.factors), LARGE_BATCHES) for make in (gmf, mlp, neumf))
        ),
    ]
    return [
        replace(row, protocol=TUNED, search=Search(tuple(_SPACES[row.model].items()), own.trials))
        for row in rows
        if row.model in own.searched
    ]


# The paper that this study is about, as a ranker


def bonmf_rows(run: Run) -> list[Variant]:
    """BoNMF's network on features at their own scale, by what it reads; then on shuffled ones."""
    subsets = {
        "": ("text", "image"),
        ", no picture": ("text",),
        ", no text": ("image",),
        ", IDs only": (),
    }
    dim = run.settings.comparison.feature_dim
    rows = [
        replace(
            _row(
                run,
                f"BoNMF as ranker{ending}",
                LARGE_BATCHES,
                "bonmf",
                BoNMFConfig(modalities=modalities),
            ),
            feature_dim=dim,
        ).prepared("native")
        for ending, modalities in subsets.items()
    ]
    return rows + control_rows(run, rows, ("shuffled",))


# What is shown of them


def compared_rows(run: Run) -> list[Variant]:
    """One row of every kind, for the two evaluations side by side; networks as published, and the
    largest that keep their best epoch, as what they are compared with does."""
    shared, _ = shared_rows(run)
    whole, *_ = bonmf_rows(run)
    most = run.settings.rankings.curve_factors[-1]
    stopped = [make(run, most, LARGE_BATCHES) for make in (gmf, mlp, neumf, pretrained)]
    published = [*_solved_rows(run), *neumf_rows(run)]
    return in_both_evaluations(run, [*published, *stopped, *dot_product_rows(run), shared, whole])


def pairs(rows: Sequence[Variant]) -> list[tuple[Variant, Variant]]:
    """Every two of some rows that are evaluated alike."""
    return [(one, two) for one, two in combinations(rows, 2) if one.evaluation == two.evaluation]


# rows of the paper's tables, as regular expressions -> what curves call them
PRINTED: dict[str, dict[str, str]] = {
    "factors": {
        r"MLP, \d+ factors, 3 hidden layers": "MLP",
        r"NeuMF, \d+ factors, from scratch": "NeuMF, from scratch",
        r"NeuMF, \d+ factors, pretrained": "NeuMF, pretrained",
    },
    "layers": {
        rf"MLP, {factors} factors, \d hidden layers": f"MLP, {factors} factors"
        for factors in (8, 16, 32, 64)
    },
    "negatives": {},
}
