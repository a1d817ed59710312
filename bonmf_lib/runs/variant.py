"""One row of a table: a model, its settings, how it is trained and evaluated; and what tells it
from other rows."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..config import config_hash
from ..datasets import Dataset
from ..datasets.vectors import GIVEN, REBUILT
from ..encoders import Features
from ..encoders.features import MODALITIES
from ..encoders.preparation import Preparation
from ..errors import ConfigError
from ..evaluation.rules import FULL_RANKING, RATED_ITEMS, EvaluationRule, identity
from ..models import RatingModel, get_model, user_fields
from ..splits.rules import FIXED, Ratio, SplitRule
from ..training.config import TrainingConfig
from ..training.search import Search
from .run import Run

PAPERS_SPLIT = Ratio(test=0.3)
VALID_SHARE = 0.1  # of the training part, where a protocol needs validation


@dataclass(frozen=True)
class Variant:
    """One row of a table: a model, its settings, how it is trained and evaluated.

    Attributes:
        name: the row's name; claims refer to it.
        protocol: how it is trained, such as ``as published`` (fixed epochs on the whole training
            part) or ``tuned``; rows of one name under several are told apart by it.
        model_config: may carry ``modalities``, ``use_demographics``, ``use_fields``; what it does
            not use is neither computed nor hashed.
        text_encoder, image_encoder: instead of the run's.
        text_pooling, image_pooling: instead of the encoder's default. text_parts: what texts are
        made of.
        residual_picture: pictures without what texts predict of them, learned from the training
        part's items.
        feature_dim: principal components of text and picture that it reads; None = the features
        themselves.
        split: the rule by which ratings train and test; the paper's 7:3 unless another is given.
        search: what is chosen on validation first, anew for every seed that tests other ratings;
            the model is then trained with the chosen settings on training and validation ratings
            together.
        holds_out: its last training leaves the validation ratings out even though it watches none,
            as those of rows do that stop by them.
        members: trainings from different initial weights whose predictions are averaged.
        evaluation: what its records hold; rows that differ in it alone are trained once, unless a
        training watches it. watched_by: what a training with patience, or a search of a ranker,
        watches instead.
        explained: a study looks into its weights on the run's first seed, where they are kept.
        starts_from: rows trained first, on the same training part and seed, whose weights its model
            starts from (:meth:`~bonmf_lib.models.Recommender.start_from`).
    """

    name: str
    protocol: str
    model: str
    model_config: Any
    training: TrainingConfig
    text_encoder: str | None = None
    image_encoder: str | None = None
    text_pooling: str | None = None
    image_pooling: str | None = None
    text_parts: tuple[str, ...] | None = None
    residual_picture: bool = False
    feature_dim: int | None = None
    split: SplitRule = PAPERS_SPLIT
    search: Search | None = None
    holds_out: bool = False
    members: int = 1
    evaluation: EvaluationRule = RATED_ITEMS
    explained: bool = False
    starts_from: tuple["Variant", ...] = ()
    watched_by: EvaluationRule | None = None

    def __post_init__(self) -> None:
        if not self.rates and self.evaluation == RATED_ITEMS:
            ranker, loss = f"is of the ranker {self.model}", self.training.loss
            why = f"is trained by {loss}" if self.training.is_implicit else ranker
            raise ConfigError(
                f"{self.name} {why}, so its scores are no ratings; evaluate it by a ranking."
            )
        if self.evaluation.reads_model and self.members > 1:
            raise ConfigError(
                f"{self.name}: an average of members needs ratings, but it is ranked by."
            )
        if self.search and self.evaluation.reads_model == self.rates:
            raise ConfigError(
                f"{self.name}: a search watches ratings of a model that predicts them, else a "
                f"ranking, not {self.evaluation.name}."
            )
        if self.explained and self.search:
            raise ConfigError(
                f"{self.name}: weights are kept of rows with given settings, not of a search."
            )
        if self.starts_from and (self.search or self.members > 1):
            raise ConfigError(
                f"{self.name} starts from other rows, so it has given settings and is one network."
            )
        for start in self.starts_from:
            if start.search or start.members > 1:
                raise ConfigError(
                    f"{self.name} starts from {start.name}, which is a search or several networks."
                )
            if (start.split, start.valid_share) != (self.split, self.valid_share):
                raise ConfigError(
                    f"{self.name} starts from {start.name}, which trains on other ratings."
                )

    @property
    def rates(self) -> bool:
        """Whether its scores are ratings."""
        of_ratings = issubclass(get_model(self.model).model, RatingModel)
        return of_ratings and not self.training.is_implicit

    @property
    def watches(self) -> EvaluationRule:
        """What decides when its training stops and what its search chooses."""
        return self.watched_by or self.evaluation

    def uses(self, what: str) -> bool:
        read = what in getattr(self.model_config, "modalities", ())
        return read or bool(getattr(self.model_config, f"use_{what}", False))

    def lacks(self, dataset: Dataset) -> list[str]:
        """What it, or a row that it starts from, reads of ``text``, ``image`` and ``demographics``
        that the data set has not; what is encoded for a row itself, vectors that the data came with
        do not replace, and demographics of which no field is read are lacking."""
        of_starts = {what for start in self.starts_from for what in start.lacks(dataset)}
        return [
            what
            for what in ("text", "image", "demographics")
            if what in of_starts or (self.uses(what) and not self._finds(what, dataset))
        ]

    def _finds(self, what: str, dataset: Dataset) -> bool:
        if what == "demographics":
            return bool(user_fields(dataset))
        return dataset.has(what) if self._encodes(what) else dataset.offers(what)

    def takes_apart(self, dataset: Dataset) -> list[str]:
        """Of ``text`` and ``image``, what it reads by parts, or pooled in a way of its own, where
        the data came with one vector of each item."""
        asked = {"text": (self.text_pooling, self.text_parts), "image": (self.image_pooling,)}
        return [
            what
            for what in MODALITIES
            if what in dataset.vectors
            and self.uses(what)
            and not self._encodes(what)
            and any(part not in (None, "vector") for part in asked[what])
        ]

    def _encodes(self, what: str) -> bool:
        """Whether it names an encoder that reads texts or pictures themselves."""
        name = {"text": self.text_encoder, "image": self.image_encoder}.get(what)
        return name is not None and not {name, name.rpartition("-")[0]} & {GIVEN, REBUILT}

    def features(self, run: Run, modality: str) -> Features | None:
        """The item features it reads, or None."""
        if not self.uses(modality):
            return None
        standardised = self.preparation(modality) in ("standardised", "whitened")
        pooling, encoder, parts = self.image_pooling, self.image_encoder, None
        if modality == "text":
            pooling, encoder, parts = self.text_pooling, self.text_encoder, self.text_parts
        return run.features(modality, pooling, encoder, self.feature_dim, parts, standardised)

    def preparation(self, modality: str) -> str:
        """How its model reads the features of ``text`` or ``image``."""
        return getattr(self.model_config, f"{modality}_preparation")

    def prepared(self, text: Preparation, image: Preparation | None = None) -> "Variant":
        """The same row with other preparations, the picture's being the text's unless it is given;
        as it is, where its model reads no features."""
        wanted = {"text_preparation": text, "image_preparation": image or text}
        known = {name: value for name, value in wanted.items() if hasattr(self.model_config, name)}
        return replace(self, model_config=replace(self.model_config, **known))

    @property
    def validates(self) -> bool:
        """Whether its training, once its settings are chosen, watches validation ratings."""
        return self.training.patience is not None and self.search is None

    @property
    def searched_once(self) -> bool:
        """Whether all seeds take their settings from one search: they test the same ratings."""
        return self.search is not None and self.split.test_part == FIXED

    @property
    def valid_share(self) -> float:
        """Of the training part, what its last training leaves out."""
        return VALID_SHARE if self.validates or self.holds_out else 0.0


def variant_hash(run: Run, variant: Variant) -> str:
    """Over everything that decides the numbers, besides the code and the seed."""
    features = [
        f.key for modality in MODALITIES if (f := variant.features(run, modality)) is not None
    ]
    scale = run.dataset.scale
    data = [
        run.dataset.fingerprint,
        run.dataset.content,
        run.dataset.n_users,
        run.dataset.n_items,
        asdict(scale),
    ]
    data += run.dataset.order  # splits and batches go by it
    if variant.uses("demographics") or variant.uses("fields"):
        data.append(run.dataset.users.to_csv())
    if variant.uses("fields"):
        data.append(run.dataset.items[["genres", "year"]].to_csv())
    valid = VALID_SHARE if variant.search else variant.valid_share
    split = variant.split.identity(valid)
    features += ["residual"] if variant.residual_picture else []
    names = [variant.name, variant.protocol, variant.model, variant.members]
    search = variant.search and variant.search.described()
    more = identity(variant.evaluation, variant.training)
    if variant.watched_by not in (None, variant.evaluation):
        more.append(["watched by", variant.watched_by.name])
    if read := variant.split.reads(run.dataset, valid):
        more.append(read)
    if variant.search and variant.holds_out:
        more.append("held out")
    if variant.searched_once:
        more.append("searched once")
    if variant.starts_from:
        more.append([training_hash(run, start) for start in variant.starts_from])
    return config_hash(
        names, data, split, features, _as_read(variant), variant.training, search, *more
    )


def _as_read(variant: Variant) -> Any:
    """The model's configuration; the preparation of what it does not read, without effect, is
    always the same."""
    unread = [f"{modality}_preparation" for modality in MODALITIES if not variant.uses(modality)]
    known = {name: "standardised" for name in unread if hasattr(variant.model_config, name)}
    return replace(variant.model_config, **known)


def training_hash(run: Run, variant: Variant) -> str:
    """Like :func:`variant_hash`, without what the row is called, and with what is watched in place
    of its evaluation: rows that share it are trained once."""
    usual = RATED_ITEMS if variant.rates else FULL_RANKING
    evaluation = variant.watches if variant.validates or variant.search else usual
    return variant_hash(
        run, replace(variant, name="", protocol="", evaluation=evaluation, watched_by=None)
    )
