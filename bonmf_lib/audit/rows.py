"""What is trained on a catalogue: models without texts and pictures, of which the strongest is the
one to beat, and one model with them and on other items' ones."""

from dataclasses import replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ..encoders.features import MODALITIES
from ..experiments.absent import sentence
from ..experiments.multimodal_ranking import CHOSEN_BY
from ..experiments.multimodal_settings import RANKERS
from ..experiments.protocols import closed_form, on_control
from ..models import item_fields
from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.bonmf_plus import BoNMFPlusConfig
from ..parallel import in_parallel
from ..runs.records import fresh_wanted
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..training.config import TrainingConfig
from ..training.search import Search
from .situations import Situation

MEAN, BIASES = "Mean rating", "User and item averages"
FACTORS, HISTORIES = "Matrix factorisation", "Factorisation with histories"
FIELDS = "Factorisation with histories and fields"
CONTROL = "shuffled"  # other items' texts and pictures
QUESTIONS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("image",),
    "both": MODALITIES,
}
LEAST_ITEMS = 20  # rated ones that have what is asked about

Space = dict[str, BaseDistribution]
_RATE: Space = {"training.learning_rate": FloatDistribution(2e-3, 3e-2, log=True)}
_L2: Space = {"model.regularisation": FloatDistribution(0.02, 0.4, log=True)}
_SPACES: dict[str, Space] = {
    BIASES: {"model.regularisation": FloatDistribution(0.5, 50, log=True)},
    FACTORS: _RATE | _L2,
    HISTORIES: _RATE | _L2,
}
_DROPOUT: Space = {"model.cold_dropout": CategoricalDistribution([0.0, 0.1, 0.3])}


def questions(run: Run) -> list[str]:
    """``text``, ``image`` and ``both``, as far as enough rated items have them."""
    return [what for what in QUESTIONS if lacking(run, what) is None]


def lacking(run: Run, what: str) -> str | None:
    """Why a question cannot be asked, without a full stop; None if it can."""
    dataset = run.dataset
    for modality in QUESTIONS[what]:
        if not dataset.offers(modality):
            return sentence(dataset, modality)
    if (found := int(has(run, what)[dataset.ratings["item"].unique()].sum())) < LEAST_ITEMS:
        words = dataset.words
        asked = {"text": "a text", "image": f"a {words.picture}"}
        return f"only {found} rated {words.items} have " + (
            asked.get(what) or f"both a text and a {words.picture}"
        )
    return None


def has(run: Run, what: str):
    """Which items have what a question is about, bool (items,)."""
    present = [run.features(modality).present for modality in QUESTIONS[what]]
    return present[0] if len(present) == 1 else present[0] & present[1]


def candidates(run: Run, situation: Situation) -> list[str]:
    """Names of the models without texts and pictures that may be the one to beat."""
    if situation.ranking is not None:
        return [name for name in RANKERS if name in _PAIR_BASELINES]
    fields = [FIELDS] if item_fields(run.dataset) else []
    # of new items a plain factorisation knows no more than averages do
    return [BIASES, *([] if situation.is_new else [FACTORS]), HISTORIES, *fields]


def without_name(run: Run, situation: Situation) -> str:
    """The row that the rows with content are but for their content."""
    if situation.ranking is not None:
        return f"{_PAIR_MODEL}, no content"
    return FIELDS if item_fields(run.dataset) else HISTORIES


def row_name(what: str, control: bool = False) -> str:
    """The row of a question, or its control."""
    read = {"text": "text", "image": "picture", "both": "text and picture"}[what]
    return f"With {read}" + f", {CONTROL}" * control


def rows(run: Run, situation: Situation) -> list[Variant]:
    """All rows of a situation, at settings that validation ratings of its first fold chose."""
    if situation.ranking is not None:
        return _pair_rows(run, situation)
    plain = [
        _solved(BIASES, "user-item-bias", UserItemBiasConfig(), situation),
        _trained(run, FACTORS, "biased-svd", _factors(run, BiasedSVDConfig), situation),
        _trained(run, HISTORIES, "bonmf+", _ours(run, modalities=(), fields=False), situation),
    ]
    plain = [row for row in plain if row.name in candidates(run, situation)]
    asked = questions(run)
    fullest = [_with_content(run, situation, asked[-1])] if asked and situation.is_new else []
    fields = [_fields(run, situation)] if item_fields(run.dataset) else []
    # on rated items, content has to earn its gain at settings that were chosen without it
    to_search = [*plain, *(fields if situation.is_new else []), *fullest]
    found = _searched(run, situation, to_search)
    chosen = {row.name: row for row in found}
    if fields and not situation.is_new:
        chosen[FIELDS] = _at_settings_of(fields[0], chosen[HISTORIES])
    like = chosen[fullest[0].name] if fullest else chosen[HISTORIES]
    content = [_at_settings_of(_with_content(run, situation, what), like) for what in asked]
    controls = [on_control(run, row, CONTROL) for row in content]
    own = [chosen[name] for name in candidates(run, situation)]
    return [_solved(MEAN, "global-mean", GlobalMeanConfig(), situation), *own, *content, *controls]


def _solved(name: str, model: str, config: Any, situation: Situation) -> Variant:
    return closed_form(name, model, config, split=situation.split, holds_out=True)


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


def _ours(run: Run, modalities: tuple[str, ...], fields: bool) -> BoNMFPlusConfig:
    content = bool(modalities) or fields
    given = {"modalities": modalities, "use_fields": fields, "gate": content}
    return _factors(run, BoNMFPlusConfig, **given)


def _fields(run: Run, situation: Situation) -> Variant:
    return _trained(run, FIELDS, "bonmf+", _ours(run, (), True), situation)


def _with_content(run: Run, situation: Situation, what: str) -> Variant:
    config = _ours(run, QUESTIONS[what], bool(item_fields(run.dataset)))
    return _trained(run, row_name(what), "bonmf+", config, situation)


def _at_settings_of(row: Variant, other: Variant) -> Variant:
    """A row with the searched settings of another row of the same model."""
    config = replace(
        row.model_config,
        regularisation=other.model_config.regularisation,
        cold_dropout=other.model_config.cold_dropout,
    )
    return replace(row, model_config=config, training=other.training)


def _searched(run: Run, situation: Situation, found: list[Variant]) -> list[Variant]:
    """The rows at the settings that the first fold's validation ratings choose, each by as many
    trials; how long they train is left to every fold."""
    trials = run.settings.audit.trials
    spaces = {
        row.name: _SPACES.get(row.name) or _RATE | _L2 | (_DROPOUT if situation.is_new else {})
        for row in found
    }
    searches = [
        replace(row, search=Search(tuple(spaces[row.name].items()), trials)) for row in found
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


def _chosen(training: Training):
    if fresh_wanted():
        training.trials_path.unlink(missing_ok=True)
    return training.settings()


# Data without ratings

_PAIR_BASELINES, _PAIR_MODEL = ("Popularity", "EASE", "BPR", "LightGCN"), "VBPR"


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
    ranker = RANKERS[_PAIR_MODEL]

    def reading(name: str, modalities: tuple[str, ...]) -> Variant:
        return trained(name, ranker.model, replace(ranker.config, modalities=modalities))

    twin = reading(without_name(run, situation), ())
    content = [reading(row_name(what), QUESTIONS[what]) for what in questions(run)]
    controls = [on_control(run, row, CONTROL) for row in content]
    return [*plain, twin, *content, *controls]
