"""12: rankers with text and pictures, and without: BM3, what it is compared with, and the controls
that tell content from more parameters.

The protocol is BM3's: all items compete that the user has no training rating of, validation items
too, and the epoch is the one with the best Recall@20 on validation ratings, which train no row.
Common code chooses settings by test pairs; here they never decide.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import ceil
from typing import Any

from ..encoders.features import MODALITIES
from ..encoders.preparation import Preparation
from ..evaluation.rules import FULL_RANKING, FullRanking
from ..models.ranking.score_mean import ScoreMeanConfig
from ..models.rating.bonmf import BoNMFConfig
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.by_time import GlobalTime, UserTime
from ..splits.given import Given
from ..splits.rules import PerUser, SplitRule
from ..training.config import TrainingConfig
from ..training.search import Search
from .multimodal_settings import (
    BM3_IN_CODE,
    EVERY_STEP,
    IN_CODE,
    KNOCK_OUTS,
    ON_DATA,
    RANKERS,
    Ranker,
)
from .protocols import closed_form, on_cold_items, on_control

FIXED_SETTINGS, TUNED = "fixed settings", "tuned"
CHOSEN_BY = FullRanking(watches="recall@20")  # what a search chooses, and when a training stops
PREPARATIONS: tuple[Preparation, ...] = ("native", "unit", "standardised")
DROPOUTS, PENALTIES = (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.01, 0.001, 0.0001)
LAYERS = (1, 2, 3, 4)
OTHER_TEXT = "other text encoder"
ENSEMBLES = ("LATTICE", "FREEDOM", "BM3")  # of few models, those whose vectors have their factors
MEAN = "mean of text only and picture only"
CORE = 5  # ratings that every user and item has at least
SMALL = ("BPR", "LightGCN", "VBPR", "LATTICE", "FREEDOM", "BM3")  # where few models are trained
SLOW = ("MMGCN", "GRCN", "DualGNN")  # an epoch takes five to forty times as long as LightGCN's
DENSE = "LATTICE, dense graph"
LOOKS_BEFORE_PRUNING = 10  # at validation, that every trial of a search gets


def data_sets(run: Run) -> list[Run]:
    """The run on its own data, in which everybody has five ratings, and on the others of its
    profile."""
    settings = run.settings
    names = [f"{settings.dataset}+core{CORE}", *settings.multimodal.also_on]
    return [run.on(name, settings.content) for name in names]


def data_sentence(run: Run) -> str:
    """What the run's data decide."""
    names = [sub.settings.dataset for sub in data_sets(run)]
    if any(name.startswith("amazon") for name in names):
        return f"Live run: {', '.join(names)}."
    return (
        f"Live run, a demonstration: {', '.join(names)} with few epochs; it decides no claim of "
        "the papers."
    )


def ranking_split(run: Run) -> SplitRule:
    """The parts that come with the data, else every user's pairs at random, 8:1:1."""
    return PerUser(odd="test") if run.dataset.given is None else Given()


def row(run: Run, name: str, ranker: Ranker, **changes: Any) -> Variant:
    """A row at a ranker's own settings but for ``changes`` of its configuration."""
    own = run.settings.multimodal
    usual = ON_DATA.get((name.partition(", ")[0], run.dataset.name), {})
    config, split = replace(ranker.config, **usual | changes), ranking_split(run)
    terms = {"split": split, "evaluation": FULL_RANKING, "holds_out": True}
    if ranker.loss == "solved":
        return closed_form(name, ranker.model, config, **terms)
    training = TrainingConfig(
        epochs=own.epochs,
        patience=own.patience,
        batch_size=batch_size(run),
        learning_rate=own.learning_rate,
        loss=ranker.loss,
        negatives=int(ranker.loss == "bpr"),
        negatives_over="trained" if ranker.loss == "bpr" else "unrated",
    )
    if ranker.reads_content:
        terms["feature_dim"] = run.settings.comparison.feature_dim
    return Variant(
        name, FIXED_SETTINGS, ranker.model, config, training, watched_by=_watched(run), **terms
    )


def batch_size(run: Run) -> int:
    """The profile's, or so many times this that an epoch has no more steps than it wants."""
    own = run.settings.multimodal
    return own.batch_size * ceil(len(run.dataset.ratings) / (own.batch_size * own.most_steps))


def _watched(run: Run) -> FullRanking:
    return replace(CHOSEN_BY, every=run.settings.multimodal.validated_every)


def _named(run: Run, names: Iterable[str], **changes: Any) -> list[Variant]:
    return [row(run, name, RANKERS[name], **changes) for name in names]


def is_small(run: Run) -> bool:
    """Whether the profile trains few models on such data, at fixed settings only."""
    return run.dataset.name in run.settings.multimodal.small_on


def spares_slow(run: Run) -> bool:
    """Whether the profile trains slow rows on such data once, or not at all."""
    return run.dataset.name in run.settings.multimodal.fixed_on


def models(run: Run) -> tuple[str, ...]:
    """The models that the profile searches and varies on such data."""
    if is_small(run):
        return SMALL
    fixed = SLOW if spares_slow(run) else ()
    return tuple(name for name in RANKERS if name not in fixed)


def content_models(run: Run) -> list[str]:
    """Those of them that read texts or pictures."""
    return [name for name in models(run) if RANKERS[name].reads_content]


def compared_rows(run: Run) -> list[Variant]:
    """Every model once, at fixed settings."""
    return _named(run, SMALL if is_small(run) else RANKERS)


def strata_rows(run: Run) -> list[Variant]:
    """Few models, of which it is asked on which items they do well; those that read content on
    other items' too, where such rows are trained."""
    rows = _named(run, SMALL)
    reading = [] if is_small(run) else [one for one in rows if RANKERS[one.name].reads_content]
    return rows + [on_control(run, one, "shuffled") for one in reading]


def tuned_rows(run: Run) -> list[Variant]:
    """Every model that has settings to search, all with as many trials (a space that has fewer
    settings is tried whole)."""
    own = run.settings.multimodal
    trials = own.trials_on_fixed if spares_slow(run) else own.trials
    pruned = LOOKS_BEFORE_PRUNING * own.validated_every
    return [
        replace(
            one,
            protocol=TUNED,
            watched_by=_watched(run),  # solved rows are searched by it too
            search=Search(tuple(RANKERS[one.name].space.items()), trials, True, pruned),
        )
        for one in _named(run, models(run))
        if RANKERS[one.name].space
    ]


def timed_rows(run: Run, compared: Iterable[Variant]) -> list[Variant]:
    """Of the compared rows those that train, whose epochs are timed; and LATTICE with the whole
    matrix of items by items, as public code multiplies it, where the profile trains many models."""
    trained = [one for one in compared if one.training.patience]
    if is_small(run) or all(one.name != "LATTICE" for one in trained):
        return trained
    (sparse,) = (one for one in trained if one.name == "LATTICE")
    dense = replace(sparse.model_config, dense=True)
    return [*trained, replace(sparse, name=DENSE, model_config=dense)]


# Content or more parameters?


def knocked_out(run: Run, name: str) -> dict[str, Variant]:
    """A model on its content, on one modality, on none where that means something, on controls of
    both, and with other items' content in one modality; by what is left."""
    ranker = RANKERS[name]
    whole = row(run, name, ranker)
    kept = {
        "text only": ("text",),
        "picture only": ("image",),
    } | ({"no modality": ()} if ranker.without else {})
    rows = {"": whole} | {
        ending: row(run, f"{name}, {ending}", ranker, **_only(ranker, modalities))
        for ending, modalities in kept.items()
    }
    controls = [on_control(run, whole, ending) for ending in KNOCK_OUTS]
    controls += [on_control(run, whole, "shuffled", (modality,)) for modality in MODALITIES]
    return rows | {control.name.removeprefix(f"{name}, "): control for control in controls}


def _only(ranker: Ranker, modalities: tuple[str, ...]) -> dict[str, Any]:
    """What a configuration says where only these modalities are read."""
    terms = ("modalities", "aligned", "masked")
    return {term: modalities for term in terms if hasattr(ranker.config, term)}


def knock_out_rows(run: Run) -> list[Variant]:
    """Of every model that reads content."""
    return [one for name in content_models(run) for one in knocked_out(run, name).values()]


def preparation_rows(run: Run) -> list[Variant]:
    """Every model that reads content, by how its features are prepared; native is its own. Few of
    them on other items' content too, where it is standardised, and without any."""
    rows = [
        _prepared(one, preparation)
        for one in _named(run, content_models(run))
        for preparation in PREPARATIONS
    ]
    for name in SMALL:
        if RANKERS[name].reads_content:
            forms = knocked_out(run, name)
            rows.append(on_control(run, _prepared(forms[""], "standardised"), "shuffled"))
            rows += [forms["no modality"]] if RANKERS[name].without else []
    return rows


def _prepared(one: Variant, preparation: Preparation) -> Variant:
    name = one.name if preparation == "native" else f"{one.name}, {preparation} features"
    return replace(one.prepared(preparation), name=name)


def encoder_rows(run: Run) -> list[Variant]:
    """Few models that read content, by the encoder of their texts: the run's, and its other one,
    which is larger on ``paper``."""
    rows = _named(run, [name for name in SMALL if RANKERS[name].reads_content])
    other = run.settings.encoders.other_text
    return rows + [
        replace(one, name=f"{one.name}, {OTHER_TEXT}", text_encoder=other) for one in rows
    ]


def ensemble_rows(run: Run) -> list[Variant]:
    """Models that join texts and pictures, and the mean of two that read one each, which trained
    apart; of other items' content too, since a mean alone may help."""
    rows = []
    for name in ENSEMBLES:
        forms = knocked_out(run, name)
        parts = forms["text only"], forms["picture only"]
        shuffled = tuple(on_control(run, part, "shuffled") for part in parts)
        rows += [
            forms[""],
            _mean_of(run, f"{name}, {MEAN}", parts),
            _mean_of(run, f"{name}, {MEAN}, shuffled", shuffled),
        ]
    return rows


def _mean_of(run: Run, name: str, parts: tuple[Variant, ...]) -> Variant:
    config = ScoreMeanConfig(factors=sum(part.model_config.factors for part in parts))
    mean = closed_form(
        name, "score-mean", config, split=ranking_split(run), evaluation=FULL_RANKING,
        holds_out=True,
    )  # fmt: skip
    return replace(mean, starts_from=parts)


# BM3's own tables and figures


def _bm3(run: Run, ending: str, **changes: Any) -> Variant:
    name = f"BM3, {ending}" if ending else "BM3"
    return row(run, name, RANKERS["BM3"], **changes)


def term_rows(run: Run) -> list[Variant]:
    """BM3 without the terms that align modalities with items, that mask modalities, or both."""
    return [
        _bm3(run, ""),
        _bm3(run, "no alignment", aligned=()),
        _bm3(run, "no mask", masked=()),
        _bm3(run, "no modality", **_only(RANKERS["BM3"], ())),
    ]


def layer_rows(run: Run) -> list[Variant]:
    """BM3 and LightGCN by their number of layers."""
    return [
        row(run, name if layers == usual else f"{name}, {_layers(layers)}", RANKERS[name],
            layers=layers)
        for name, usual in usual_layers().items()
        for layers in LAYERS
    ]  # fmt: skip


def usual_layers() -> dict[str, int]:
    """Layers of the rows that do not name them."""
    return {name: RANKERS[name].config.layers for name in ("BM3", "LightGCN")}


def _layers(count: int) -> str:
    return f"{count} layer{'s' * (count > 1)}"


def dropout_rows(run: Run) -> list[Variant]:
    """BM3 by dropout and penalty."""
    return [
        _bm3(run, dropout_name(dropout, penalty), dropout=dropout, regularisation=penalty)
        for dropout in DROPOUTS
        for penalty in PENALTIES
    ]


def dropout_name(dropout: float, penalty: float) -> str:
    usual = penalty == RANKERS["BM3"].config.regularisation
    return f"dropout {dropout:g}" + ("" if usual else f", penalty {penalty:g}")


# Where equations and common code differ


def code_rows(run: Run) -> list[Variant]:
    """Every model of which it is known that common code does something else, both ways; and BM3 as
    its code has it on other items' content, since that form may gain without reading it."""
    slow = [EVERY_STEP] if spares_slow(run) else []
    known = {
        name: found
        for name, found in IN_CODE.items()
        if found[0] in models(run) and name not in slow
    }
    bases = dict.fromkeys(base for base, _ in known.values())
    rows = _named(run, bases) + [
        row(run, name, RANKERS[base], **changes) for name, (base, changes) in known.items()
    ]
    controlled = [one for one in rows if one.name == BM3_IN_CODE]
    return rows + [on_control(run, one, "shuffled") for one in controlled]


# Other parts of the data


def time_rows(run: Run) -> list[Variant]:
    """Few models where the latest ratings of every user, or of everybody, test; in small the one
    whose paper does so."""
    share = 0.1  # of ratings that test, as at random
    rules = {"user-time split": UserTime(share), "global-time split": GlobalTime(share)}
    return [
        replace(one, name=f"{one.name}, {said}", split=rule)
        for one in _named(run, ["BM3"] if is_small(run) else SMALL)
        for said, rule in rules.items()
    ]


def cold_rows(run: Run) -> list[Variant]:
    """Models that read content, their content shuffled, and what reads none, tested on items that
    have no training rating."""
    rows = _named(run, [name for name in SMALL if not RANKERS[name].reads_content])
    for one in _named(run, content_models(run)):
        rows += [one, on_control(run, one, "shuffled")]
    return on_cold_items(rows)


def bonmf_rows(run: Run) -> list[Variant]:
    """The network that this study is about, as a ranker under the same protocol; it scores every
    pair by itself, which takes minutes where there are many."""
    if spares_slow(run):
        return []
    own = run.settings.multimodal
    training = TrainingConfig(
        epochs=own.epochs, patience=own.patience, batch_size=batch_size(run),
        learning_rate=own.learning_rate, loss="bce", negatives=4, negatives_over="trained",
    )  # fmt: skip
    whole = Variant(
        "BoNMF as ranker", FIXED_SETTINGS, "bonmf", BoNMFConfig(), training,
        split=ranking_split(run), evaluation=FULL_RANKING, holds_out=True, watched_by=_watched(run),
        feature_dim=run.settings.comparison.feature_dim,
    ).prepared("native")  # fmt: skip
    ids = replace(
        whole,
        name="BoNMF as ranker, IDs only",
        model_config=replace(whole.model_config, modalities=()),
    )
    return [whole, ids, on_control(run, whole, "shuffled")]


def _unless_small(rows: Callable[[Run], list[Variant]]) -> Callable[[Run], list[Variant]]:
    return lambda run: [] if is_small(run) else rows(run)


QUESTIONS: dict[str, Callable[[Run], list[Variant]]] = {
    "models": compared_rows,
    "times": time_rows,
} | {
    name: _unless_small(rows)
    for name, rows in {
        "tuned": tuned_rows,
        "knock_outs": knock_out_rows,
        "preparations": preparation_rows,
        "encoders": encoder_rows,
        "ensembles": ensemble_rows,
        "terms": term_rows,
        "layers": layer_rows,
        "dropout": dropout_rows,
        "code": code_rows,
        "cold": cold_rows,
        "bonmf": bonmf_rows,
    }.items()
}
SIDE_QUESTIONS = (
    "preparations", "encoders", "ensembles", "terms", "layers", "dropout", "code", "times",
    "cold", "bonmf",
)  # fmt: skip
