"""What is trained on a catalogue: models without texts and pictures, of which the strongest is the
one to beat, and one model with them and on other items' ones."""

from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution

from ..encoders.features import MODALITIES
from ..errors import UnreadableError
from ..experiments.absent import sentence
from ..experiments.multimodal_ranking import CHOSEN_BY
from ..experiments.multimodal_settings import RANKERS
from ..experiments.protocols import closed_form, on_control
from ..models import item_fields
from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.bonmf_plus import BoNMFPlusConfig
from ..models.rating.content_bias import ContentBiasConfig
from ..parallel import in_parallel
from ..runs.records import fresh_wanted
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..training.config import TrainingConfig
from ..training.search import Search, Settings
from .situations import LISTED, Situation

MEAN, BIASES = "Mean rating", "User and item averages"
FACTORS, HISTORIES = "Matrix factorisation", "Factorisation with histories"
AVERAGES, FACTORISATION, RANKER = "Averages", "Factorisation", "VBPR"  # families that read content
CONTROL = "shuffled"  # other items' texts and pictures
QUESTIONS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("image",),
    "both": MODALITIES,
}
LEAST_ITEMS = 20  # rated ones that have what is asked about
_LOOKED_AT = 1000  # of them, to find what most have
LEAST_RANKED = 2 * LISTED  # where items are ranked: of fewer, any order finds most

Space = dict[str, BaseDistribution]
_RATE: Space = {"training.learning_rate": FloatDistribution(2e-3, 3e-2, log=True)}
_FACTORS: Space = _RATE | {"model.regularisation": FloatDistribution(0.02, 0.4, log=True)}
_BIASES: Space = {"model.regularisation": FloatDistribution(0.5, 50, log=True)}
_OF_CONTENT: Space = _BIASES | {
    "model.content_regularisation": FloatDistribution(3, 300, log=True),
    "model.taste_regularisation": FloatDistribution(10, 1000, log=True),
}
_SPACES: dict[str, Space] = {
    "user-item-bias": _BIASES,
    "content-bias": _OF_CONTENT,
    "biased-svd": _FACTORS,
    "bonmf+": _FACTORS,
}


def questions(run: Run) -> list[str]:
    """``text``, ``image`` and ``both``, as far as enough rated items have them."""
    return [what for what in QUESTIONS if lacking(run, what) is None]


def lacking(run: Run, what: str) -> str | None:
    """Why a question cannot be asked, without a full stop; None if it can."""
    dataset = run.dataset
    for modality in QUESTIONS[what]:
        if not dataset.offers(modality):
            return sentence(dataset, modality)
    words = dataset.words
    if not dataset.scale.rates and dataset.n_items < LEAST_RANKED:
        return f"lists of {LISTED} hold most of the {dataset.n_items:,} {words.items}"
    try:
        present = has(run, what)
    except UnreadableError:
        return f"none of its {words.picture}s can be read"
    rated = dataset.ratings["item"].unique()
    rated = np.sort(rated[present[rated]])
    if len(rated) < LEAST_ITEMS:
        asked = {"text": "a text", "image": f"a {words.picture}"}
        return f"only {len(rated)} rated {words.items} have " + (
            asked.get(what) or f"both a text and a {words.picture}"
        )
    for modality in QUESTIONS[what]:
        others = _unlike(run.features(modality).matrix[rated])
        if others + 1 < LEAST_ITEMS:  # items with one and the same count as one
            but = f"all but {others}" if others else "all"
            return f"{but} {'text' if modality == 'text' else words.picture}s are alike"
    return None


def _unlike(matrix: np.ndarray) -> int:
    """How many rows are not the one that more than half of them are, but for rounding; all, where
    there is none."""
    middle = np.median(matrix[:: len(matrix) // _LOOKED_AT + 1], axis=0)
    sizes = np.abs(matrix).max(axis=0)
    alike = (np.abs(matrix - middle) <= 1e-5 * sizes + 1e-7 * sizes.max(initial=0)).all(axis=1)
    return int((~alike).sum()) if alike.mean() > 0.5 else len(matrix)


def has(run: Run, what: str):
    """Which items have what a question is about, bool (items,)."""
    present = [run.features(modality).present for modality in QUESTIONS[what]]
    return present[0] if len(present) == 1 else present[0] & present[1]


def fields_name(family: str) -> str:
    """The row of a family that reads genres and years, but no text and no picture."""
    return f"{family} with fields"


def row_name(family: str, what: str, control: bool = False) -> str:
    """The row of a family for a question, or its control."""
    read = {"text": "text", "image": "picture", "both": "text and picture"}[what]
    return f"{family} with {read}" + f", {CONTROL}" * control


def without_name(run: Run, family: str) -> str:
    """The row that the rows of a family with content are but for their content."""
    if family == RANKER:
        return f"{RANKER} without content"
    if item_fields(run.dataset):
        return fields_name(family)
    return BIASES if family == AVERAGES else HISTORIES


def candidates(run: Run, situation: Situation) -> list[str]:
    """Names of the models without texts and pictures that may be the one to beat."""
    if situation.ranking is not None:
        return list(_PAIR_BASELINES)
    # of new items a factorisation knows no more than averages do
    plain = [BIASES] if situation.is_new else [BIASES, FACTORS, HISTORIES]
    read = families(situation) if item_fields(run.dataset) else ()
    return [*plain, *map(fields_name, read)]


def families(situation: Situation) -> tuple[str, ...]:
    """Of models that read content; on new items a factorisation learns nothing of its own."""
    if situation.ranking is not None:
        return (RANKER,)
    return (AVERAGES,) if situation.is_new else (AVERAGES, FACTORISATION)


def rows(run: Run, situation: Situation) -> list[Variant]:
    """Each at settings that validation ratings of the first fold choose, by as many trials; a
    factorisation reads content at those that it has without, and a control at its row's."""
    if situation.ranking is not None:
        return _pair_rows(run, situation)
    plain = {
        BIASES: _solved(BIASES, "user-item-bias", UserItemBiasConfig(), situation),
        FACTORS: _trained(run, FACTORS, "biased-svd", _factors(run, BiasedSVDConfig), situation),
        HISTORIES: _of_family(run, situation, FACTORISATION, HISTORIES, (), fields=False),
    } | {
        fields_name(family): _of_family(run, situation, family, fields_name(family), ())
        for family in (AVERAGES, FACTORISATION)
    }
    own = [plain[name] for name in candidates(run, situation)]
    asked = questions(run)
    averages = [
        _of_family(run, situation, AVERAGES, row_name(AVERAGES, what), QUESTIONS[what])
        for what in asked
    ]
    found = {row.name: row for row in _searched(run, situation, [*own, *averages])}
    content = [found[row.name] for row in averages]
    if FACTORISATION in families(situation):
        like = found[without_name(run, FACTORISATION)]
        content += [
            _reading(like, row_name(FACTORISATION, what), QUESTIONS[what]) for what in asked
        ]
    mean = _solved(MEAN, "global-mean", GlobalMeanConfig(), situation)
    controls = [on_control(run, row, CONTROL) for row in content]
    return [mean, *(found[row.name] for row in own), *content, *controls]


def _solved(name: str, model: str, config: Any, situation: Situation, **given: Any) -> Variant:
    return closed_form(name, model, config, split=situation.split, holds_out=True, **given)


def _trained(run: Run, name: str, model: str, config: Any, situation: Situation) -> Variant:
    own = run.settings.audit
    training = TrainingConfig(
        epochs=own.epochs,
        batch_size=own.batch_size,
        learning_rate=own.learning_rate,
        patience=own.patience,
    )
    protocol = f"early stopped, batch {own.batch_size}"
    return Variant(
        name, protocol, model, config, training, split=situation.split, feature_dim=own.feature_dim
    )


def _factors(run: Run, config: type, **given: Any) -> Any:
    return config(factors=run.settings.audit.factors, **given)


def _of_family(
    run: Run,
    situation: Situation,
    family: str,
    name: str,
    modalities: tuple[str, ...],
    fields: bool = True,
) -> Variant:
    """A row of a family that reads texts or pictures or not, and genres and years where there are
    any."""
    given = {"modalities": modalities, "use_fields": fields and bool(item_fields(run.dataset))}
    if family == AVERAGES:
        dim = run.settings.audit.feature_dim
        config = ContentBiasConfig(**given)
        return _solved(name, "content-bias", config, situation, feature_dim=dim)
    given["gate"] = bool(modalities) or given["use_fields"]
    row = _trained(run, name, "bonmf+", _factors(run, BoNMFPlusConfig, **given), situation)
    return row.prepared("standardised")


def _reading(row: Variant, name: str, modalities: tuple[str, ...]) -> Variant:
    """A factorisation's row with content besides."""
    return replace(
        row, name=name, model_config=replace(row.model_config, modalities=modalities, gate=True)
    )


def _searched(run: Run, situation: Situation, found: list[Variant]) -> list[Variant]:
    """The rows at the settings that the first fold's validation ratings choose; how long they train
    is left to every fold."""
    trials = run.settings.audit.trials
    searches = [
        replace(row, search=Search(tuple(_SPACES[row.model].items()), trials)) for row in found
    ]
    jobs = [(Training(run, row, situation.seeds[0]),) for row in searches]
    return [
        replace(
            row,
            model_config=chosen.model_config,
            training=replace(row.training, learning_rate=chosen.training.learning_rate),
        )
        for row, chosen in zip(found, in_parallel(_chosen, jobs), strict=True)
    ]


def _chosen(training: Training) -> Settings:
    if fresh_wanted():
        training.trials_path.unlink(missing_ok=True)
    return training.settings()


# Data without ratings

_PAIR_BASELINES = ("Popularity", "EASE", "BPR", "LightGCN")


def _pair_rows(run: Run, situation: Situation) -> list[Variant]:
    own = run.settings.audit
    terms = {"split": situation.split, "evaluation": situation.ranking, "holds_out": True}
    training = TrainingConfig(
        epochs=own.epochs, patience=own.patience, batch_size=own.batch_size,
        learning_rate=own.learning_rate, loss="bpr", negatives=1,
    )  # fmt: skip

    def trained(name: str, model: str, config: Any) -> Variant:
        protocol = f"early stopped, batch {own.batch_size}"
        return Variant(
            name, protocol, model, config, training, watched_by=CHOSEN_BY,
            feature_dim=own.feature_dim, **terms,
        )  # fmt: skip

    plain = [
        closed_form(name, RANKERS[name].model, RANKERS[name].config, **terms)
        if RANKERS[name].loss == "solved"
        else trained(name, RANKERS[name].model, RANKERS[name].config)
        for name in candidates(run, situation)
    ]
    ranker = RANKERS[RANKER]

    def reading(name: str, modalities: tuple[str, ...]) -> Variant:
        return trained(name, ranker.model, replace(ranker.config, modalities=modalities))

    twin = reading(without_name(run, RANKER), ())
    content = [reading(row_name(RANKER, what), QUESTIONS[what]) for what in questions(run)]
    controls = [on_control(run, row, CONTROL) for row in content]
    return [*plain, twin, *content, *controls]
