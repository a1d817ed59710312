"""Every reasonable reading of the paper's recipe: the choices that it leaves open, and the
trainings that vary them.

A multiverse analysis (Steegen et al., 2016) of BoNMF: two centres, every choice varied alone around
each, and random combinations of all choices; every network also on shuffled features, in the
centres on noise too, on fewer splits.
"""

from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import product
from typing import Literal

import numpy as np

from ..config import config
from ..encoders.features import Modality
from ..encoders.preparation import PREPARATIONS, Preparation
from ..errors import ConfigError, unknown_name
from ..models.rating.bonmf import BoNMFConfig
from ..runs.profiles import Profile
from ..runs.run import Run
from ..runs.variant import Variant
from ..training.config import TrainingConfig
from .protocols import WITHOUT_PLOTS, fixed_epochs_protocol, without_plots

PROTOCOL = "specification"  # of the paper's epochs and rate, and features of full size
# the two centres, which may have more splits; the same on controls of one input; on noise; all the
# others; those of them that have more splits; the text encoder swapped in them
EXPERIMENTS = (
    "05_centres",
    "05_one_input",
    "05_noise",
    "05_specifications",
    "05_more_splits",
    "05_language_models",
)
PATIENCE = 3  # epochs without a better validation MSE, where the best epoch is kept
# An epoch of larger batches than the recipe's has fewer steps: trainings of 20 such epochs ended
# before their best one, and three without gain were noise.
LARGE_BATCH_EPOCHS, LARGE_BATCH_PATIENCE = 60, 10

# What the second reading names, and the L2 on embeddings that ablations try; sizes are ours where
# it gives none.
_REGULARISATIONS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "no regularisation": ({}, {}),
    "dropout 0.2, weight decay 1e-6": ({"dropout": 0.2}, {"weight_decay": 1e-6}),
    "L2 0.02 on embeddings": ({"regularisation": 0.02}, {}),
}
NETWORKS: dict[str, tuple[Modality, ...]] = {
    "IDs": (),
    "IDs + text": ("text",),
    "IDs + picture": ("image",),
    "IDs + text + picture": ("text", "image"),
}
CONTENTS = ("real", "shuffled", "noise")
PICTURE_SHUFFLED = "picture shuffled"  # a control of the picture alone, beside real texts
# Readings whose first split said the opposite of a centre's when it was read (2026-11-30): the
# profile gives them more splits, a number fixed beforehand.
_MORE_SPLITS = {"preparation": ("unit", "standardised"), "embedding_std": (1.0,)}


@config
class Specification:
    """One value of every choice.

    Attributes:
        batch: number of ratings and learning rate, which go together.
        stopping: after the profile's fixed number of epochs (the paper's ten), or at the best
        validation epoch.
        embedding_std: of the initial ID embeddings; the paper gives none, PyTorch's own is 1.
    """

    preparation: Preparation
    regularisation: str
    batch: tuple[int, float]
    stopping: Literal["fixed", "best epoch"]
    embedding_std: float
    text_encoder: str
    image_encoder: str

    def row_name(self, network: str, content: str = "real") -> str:
        """A name that tells all choices the network depends on."""
        parts = [network if network == "IDs" else f"{network}, {content}"]
        read = {"text": self.text_encoder, "image": self.image_encoder}
        parts += [self.preparation] if NETWORKS[network] else []
        parts += [read[modality] for modality in NETWORKS[network]]
        stop = "best epoch" if self.stopping == "best epoch" else "fixed epochs"
        return "; ".join(
            [
                *parts,
                self.regularisation,
                f"batch {self.batch[0]}",
                stop,
                f"std {self.embedding_std:g}",
            ]
        )

    def row(self, run: Run, network: str, content: str = "real") -> Variant:
        """The training of a network of ``NETWORKS`` on real features or on a control of them
        (``CONTENTS``, ``PICTURE_SHUFFLED``)."""
        settings = run.settings
        in_model, in_training = _REGULARISATIONS[self.regularisation]
        epochs, patience = self.epochs_and_patience(settings)
        training = TrainingConfig(
            batch_size=self.batch[0],
            learning_rate=self.batch[1],
            epochs=epochs,
            patience=patience,
            **in_training,
        )
        read = NETWORKS[network]
        model = BoNMFConfig(embedding_std=self.embedding_std, modalities=read, **in_model)
        of_both = f"-{content}" if content in CONTENTS[1:] else ""
        of_picture = "-shuffled" if content == PICTURE_SHUFFLED else of_both
        row = Variant(
            self.row_name(network, content),
            _protocol(run),
            "bonmf",
            model,
            training,
            text_encoder=self.text_encoder + of_both if "text" in read else None,
            image_encoder=self.image_encoder + of_picture if "image" in read else None,
            feature_dim=settings.comparison.feature_dim,
        )
        return row.prepared(self.preparation)

    def epochs_and_patience(self, settings: Profile) -> tuple[int, int | None]:
        """The most epochs of a training, and after how many without a better validation MSE it
        ends; no patience where the number of epochs is fixed."""
        if self.stopping == "fixed":
            return settings.comparison.epochs, None
        if self.batch[0] > settings.comparison.batch_size:
            return LARGE_BATCH_EPOCHS, LARGE_BATCH_PATIENCE
        return settings.recipe.early_stopping_epochs, PATIENCE

    def differences(self, other: "Specification") -> list[str]:
        """The choices in which the two differ."""
        mine, theirs = asdict(self), asdict(other)
        return [name for name in mine if mine[name] != theirs[name]]


def choices(settings: Profile) -> dict[str, tuple]:
    """The values of every choice on a profile, the paper's recipe's first; of a choice that the
    profile does not vary, only this."""
    batches = (
        (settings.comparison.batch_size, settings.comparison.learning_rate),
        (settings.tuning.batch_size, settings.tuning.learning_rate),
    )
    values: dict[str, tuple] = {
        "preparation": PREPARATIONS,
        "regularisation": tuple(_REGULARISATIONS),
        "batch": tuple(dict.fromkeys(batches)),
        "stopping": ("fixed", "best epoch"),
        "embedding_std": (0.05, 0.01, 1.0),
        "text_encoder": tuple(
            dict.fromkeys((settings.encoders.text, settings.encoders.other_text))
        ),
        "image_encoder": tuple(dict.fromkeys((settings.encoders.image, settings.encoders.cnn))),
    }
    for name in settings.specification.choices:
        if name not in values:
            raise ConfigError(unknown_name("choice of the recipe", name, list(values)))
    return {
        name: found if name in settings.specification.choices else found[:1]
        for name, found in values.items()
    }


def centres(settings: Profile) -> dict[str, Specification]:
    """The paper's recipe, read plainly; and the same stopped at its best validation epoch."""
    first = Specification(**{name: values[0] for name, values in choices(settings).items()})
    return {"paper's recipe": first, "early stopped": replace(first, stopping="best epoch")}


def neighbours(settings: Profile, centre: Specification) -> list[Specification]:
    """The centre with one choice changed, each value of each choice in turn."""
    own = asdict(centre)
    return [
        replace(centre, **{name: value})
        for name, values in choices(settings).items()
        for value in values
        if value != own[name]
    ]


def around_centres(settings: Profile) -> list[Specification]:
    """Both centres, then their neighbours, each once."""
    middle = list(centres(settings).values())
    return list(
        dict.fromkeys(
            [*middle, *(near for centre in middle for near in neighbours(settings, centre))]
        )
    )


def random_combinations(settings: Profile) -> list[Specification]:
    """As many of all other combinations as the profile says, drawn once and for all."""
    known, values = set(around_centres(settings)), choices(settings)
    every = [
        Specification(**dict(zip(values, combination, strict=True)))
        for combination in product(*values.values())
    ]
    others = [combination for combination in every if combination not in known]
    drawn = np.random.default_rng(0).permutation(len(others))[: settings.specification.random]
    return [others[place] for place in drawn]


def all_readings(settings: Profile) -> list[Specification]:
    """The centres, what is varied around them, and the random combinations."""
    return around_centres(settings) + random_combinations(settings)


def other_language_models(run: Run) -> list[Variant]:
    """IDs and text in every specification around the centres, by every text encoder but the
    centres', which the profile varies: what claim (f) compares with the same by the centres'. Those
    that other specifications train are left to them; none where text encoders are not varied."""
    first, *others = choices(run.settings)["text_encoder"]
    known = {row.name for row in rows_of(run, all_readings(run.settings))}
    swapped = (
        replace(specification, text_encoder=other).row(run, "IDs + text")
        for specification in around_centres(run.settings)
        if specification.text_encoder == first
        for other in others
    )
    return _once(row for row in swapped if row.name not in known)


def rows_of(run: Run, specifications: list[Specification]) -> list[Variant]:
    """All trainings of the specifications, each once: IDs alone, then every network on real and on
    shuffled features."""
    return _once(
        one.row(run, network, content)
        for one in specifications
        for network, modalities in NETWORKS.items()
        for content in (CONTENTS[:2] if modalities else CONTENTS[:1])
    )


def one_input_rows(run: Run) -> list[Variant]:
    """In the centres: IDs, text and another item's picture; and, where items have plots, IDs and
    the text without them."""
    rows = []
    for one in centres(run.settings).values():
        rows.append(one.row(run, "IDs + text + picture", PICTURE_SHUFFLED))
        called = one.row_name("IDs + text", WITHOUT_PLOTS)
        rows += without_plots(run, one.row(run, "IDs + text"), called)
    return rows


def more_splits_rows(run: Run) -> list[Variant]:
    """All trainings of the readings around the centres that have more splits."""
    chosen = [
        one
        for one in around_centres(run.settings)
        if any(getattr(one, choice) in values for choice, values in _MORE_SPLITS.items())
    ]
    return rows_of(run, chosen)


def noise_rows(run: Run) -> list[Variant]:
    """Every network that reads features, on noise, in the centres."""
    networks = [network for network, modalities in NETWORKS.items() if modalities]
    middle = centres(run.settings).values()
    return _once(one.row(run, network, "noise") for one in middle for network in networks)


def _protocol(run: Run) -> str:
    """``PROTOCOL``, which claims name, unless the profile shortens the trainings."""
    fixed = fixed_epochs_protocol(run)
    return PROTOCOL if fixed == "as published" else f"{PROTOCOL}, {fixed}"


def _once(rows: Iterable[Variant]) -> list[Variant]:
    return list({row.name: row for row in rows}.values())
