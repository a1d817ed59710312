"""Profiles, and which folder a run of one goes to."""

import hashlib
import os
import re
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from ..config import config, make_config
from ..datasets import _NAMES, CONTENTS, split_view
from ..errors import ConfigError, unknown_name
from ..storage import project_root

SEED_COUNT = 2**32
Seed = Annotated[int, Field(ge=0, lt=SEED_COUNT)]  # what every generator that is seeded takes
_Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


_Count = Annotated[int, Field(gt=0)]


@config
class Encoders:
    text: str
    image: str
    cnn: str  # the picture encoder of the paper's CNN-based row
    other_text: str  # besides text, where every choice of the recipe is varied (05)
    image_size: int = Field(ge=8)  # pixels; the side to which pictures are squeezed
    common_dim: _Count  # principal components of every encoder where encoders are compared (06, 07)
    compared_text: tuple[str, ...]  # besides text (06)
    compared_image: tuple[str, ...]  # besides image and its poolings (07)
    # compare also the language models that only a model hub has, as far as they can be had (06)
    hub: bool


@config
class Recipe:
    """The paper's recipe (03)."""

    epochs: _Count
    early_stopping_epochs: _Count  # upper limit of the early-stopped runs
    batch_size: _Count
    learning_rate: _Rate


@config
class Comparison:
    """Where many models are compared (04, 05), and their rows as published."""

    seeds: _Count
    ablation_seeds: _Count  # likewise, for grids that no claim is judged on
    epochs: _Count
    batch_size: _Count
    learning_rate: _Rate
    feature_dim: int | None = Field(gt=0)  # principal components of text and picture; null = all
    # on every split, where their share in a number is looked into (04)
    initial_weights: int = Field(gt=1)
    ensemble_members: _Count  # networks whose predictions an ensemble averages


@config
class Specifications:
    """Where the choices of the recipe are varied (05)."""

    choices: tuple[str, ...]  # those that are varied alone; see specifications.choices
    random: int = Field(ge=0)  # random combinations of all choices, besides
    seeds: _Count  # the first so many
    more_seeds: _Count  # of readings whose first split says the opposite of a centre's
    centre_seeds: (
        _Count  # of the two readings around which choices are varied: seeds, then the next numbers
    )


@config
class WideSearch:
    """Searches over all that a model's makers would try, meant as an upper bound of it."""

    small_batch: _Count  # tried beside the large one
    epochs: _Count  # upper limit of every trial
    patience: _Count  # epochs without a better validation MSE
    trials: _Count  # per model and seed


@config
class FreshSearch(WideSearch):
    """Searches of the best models, on splits that no choice of this study has seen."""

    seeds: _Count  # the numbers that follow the profile's


@config
class Tuning:
    """Searches, and the trainings of ablation grids."""

    batch_size: _Count
    learning_rate: _Rate  # where searches start
    epochs: _Count  # upper limit of every trial
    trials: _Count  # per model and seed
    wide: WideSearch | None  # of the rows of 04; null = as said above
    fresh: FreshSearch

    @property
    def searched_epochs(self) -> int:
        """Upper limit of a trial of 04's searches."""
        return (self.wide or self).epochs

    @property
    def searched_trials(self) -> int:
        """Of each of 04's searches."""
        return (self.wide or self).trials


@config
class Rankings:
    """Where items are ranked by implicit feedback (11)."""

    seeds: _Count  # the first so many
    published_epochs: _Count  # of the paper's table, none of them chosen
    epochs: _Count  # upper limit of every other training
    patience: _Count  # epochs without a better ranking of validation items
    # of positives, in the paper's table; its code counts their negatives in the batch too
    batch_size: _Count
    learning_rate: _Rate
    large_batch_size: _Count  # everywhere else
    large_batch_rate: _Rate
    factors: tuple[_Count, ...]  # of the paper's table; curves have the first's
    curve_factors: tuple[_Count, ...]
    curve_layers: tuple[int, ...]
    curve_negatives: tuple[_Count, ...]
    dot_product_factors: _Count
    searched: tuple[str, ...]  # models whose settings are searched
    trials: _Count  # of every search


@config
class Multimodal:
    """Where rankers read text and pictures (12)."""

    also_on: tuple[str, ...]  # data sets besides the run's own
    small_on: tuple[str, ...]  # those where few models are trained, at fixed settings only
    fixed_on: tuple[str, ...]  # those where slow models are neither searched nor varied
    seeds: _Count  # the first so many
    side_seeds: _Count  # likewise, where one model is varied, few are, or all seeds test alike
    epochs: _Count  # upper limit of every training
    patience: _Count  # epochs without a better ranking of validation items
    validated_every: _Count  # epochs
    batch_size: _Count  # or so many times this that an epoch has no more steps than
    most_steps: _Count
    learning_rate: _Rate
    trials: _Count  # of every search
    trials_on_fixed: _Count  # likewise, on data of ``fixed_on``
    grown_from: _Count  # pairs of the smallest random data that a step's growth is timed on


@config
class ColdStart:
    """Where items and users have few ratings or none (09)."""

    seeds: _Count  # the first so many
    side_seeds: _Count  # likewise, for users, stand-ins and rankers
    # ratings of a held-out item or user that train; the largest is put aside and never tests
    revealed: tuple[Annotated[int, Field(ge=0)], ...] = Field(min_length=2)
    epochs: _Count  # upper limit of every training
    patience: _Count  # epochs without a better validation error
    # on random splits, of all but BoNMF+, whose steps sum whole histories
    batch_size: _Count
    learning_rate: _Rate  # likewise
    # where whole items or users are held out, likewise: networks are at their best there before an
    # epoch of small batches ends
    held_out_batch_size: _Count
    held_out_rate: _Rate
    ranking_epochs: _Count  # upper limit of rankers' epochs


@config
class Domains:
    """Where other data are asked the same (10)."""

    also_on: tuple[str, ...]  # data sets besides the run's own, with content full
    seeds: _Count  # the first so many
    epochs: _Count  # upper limit of every training
    steps: _Count  # of an epoch, at least; the batch follows from the number of ratings
    learning_rate: _Rate
    # shares of known pairs to which denser data are thinned
    densities: tuple[Annotated[float, Field(gt=0, lt=1)], ...]


@config
class Studies:
    explained_pictures: _Count  # pictures that are spoilt to see what predictions make of it (07)
    # besides dataset, with content full: where overlap is taken out as well (08)
    overlap_datasets: tuple[str, ...]


@config
class Audit:
    """Where a catalogue of one's own is asked what its texts and pictures are worth (15)."""

    folds: int = Field(ge=2)  # every rating tests in one of them
    epochs: _Count  # upper limit of every training
    patience: _Count  # epochs without a better validation value
    batch_size: _Count
    learning_rate: _Rate  # where searches start
    factors: _Count  # of every factorisation
    feature_dim: _Count  # principal components of text and picture
    trials: _Count  # of every search
    most_ratings: _Count  # of larger data, whole users are sampled where models are compared
    listed: _Count  # items recommended to every user


@config
class Profile:
    """One file of ``papermill_runs/profiles``: a complete set of choices."""

    dataset: str
    content: str  # packaged or full
    seeds: tuple[Seed, ...]  # each seed is one random split and one initialisation
    encoders: Encoders
    recipe: Recipe
    comparison: Comparison
    specification: Specifications
    tuning: Tuning
    rankings: Rankings
    multimodal: Multimodal
    cold_start: ColdStart
    domains: Domains
    studies: Studies
    audit: Audit


class _OneKeyOnce(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error; PyYAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} stands twice", node.value[place][0].start_mark
                )
        return super().construct_mapping(node, deep)


def read_profile(name: str) -> Profile:
    """Profile by name; ``ConfigError`` for an unknown one or a bad file."""
    folder = project_root() / "papermill_runs" / "profiles"
    known = [path.stem for path in folder.glob("*.yaml")]
    if name not in known:
        raise ConfigError(unknown_name("profile", name, known))
    path = folder / f"{name}.yaml"
    where = f"papermill_runs/profiles/{name}.yaml"
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _OneKeyOnce)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"{where} cannot be read as YAML: {' '.join(str(error).split())}."
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must hold one line `key: value` for every choice.")
    if missing := _missing(Profile, values):
        raise ConfigError(f"{where} lacks {', '.join(missing)}; see quick.yaml beside it.")
    try:
        return make_config(Profile, values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _missing(cls: type, values: dict) -> list[str]:
    """Keys that are not there, those of sections as ``section.key``."""
    found = []
    for field in fields(cls):
        if field.name not in values:
            found.append(field.name)
        elif is_dataclass(field.type) and isinstance(values[field.name], dict):
            found += [f"{field.name}.{key}" for key in _missing(field.type, values[field.name])]
    return found


def chosen_data(chosen: Profile, dataset: str | None, content: str | None) -> tuple[str, str]:
    """Data set and content of a run; None = as the profile says, and ``full`` for a folder of one's
    own, whose texts and pictures are there to be used.

    Raises:
        ConfigError: an unknown name, or a folder that is not there.
    """
    own = str(dataset or "").startswith("folder:")
    dataset = chosen.dataset if dataset is None else dataset
    content = ("full" if own else chosen.content) if content is None else content
    if content not in CONTENTS:
        raise ConfigError(unknown_name("content", content, CONTENTS))
    whole, *_ = split_view(dataset)
    if whole.startswith("folder:"):
        path = whole.removeprefix("folder:")
        # os.path.isdir: False, too, for a name that is too long
        if not path or "\0" in path or not os.path.isdir(path):  # noqa: PTH112
            raise ConfigError(
                f"dataset {dataset!r}: {path!r} is not a folder; "
                "give folder:<path> with one that exists."
            )
    elif whole not in _NAMES:
        raise ConfigError(unknown_name("dataset", whole, _NAMES))
    return dataset, content


def runs_dir() -> Path:
    """Where run folders go: ``BONMF_RUNS``, default ``papermill_runs/runs`` of the checkout."""
    given = os.environ.get("BONMF_RUNS")
    return Path(given) if given else project_root() / "papermill_runs" / "runs"


def run_folder(profile: str, chosen: Profile, dataset: str, content: str) -> Path:
    """The run folder of a profile, which is ``chosen``, on its own or other data and content.

    Its name is the profile's and what differs from it. A folder of one's own is named with eight
    hex digits over its path, since two folders of the same name must not share a run.
    """
    parts = [profile]
    if dataset != chosen.dataset:
        parts.append(_plain(dataset))
    if (dataset, content) != (chosen.dataset, chosen.content):
        parts.append(content)
    return runs_dir() / "-".join(parts)


def _plain(dataset: str) -> str:
    kind, colon, path = dataset.partition(":")
    if not colon:
        return dataset
    place = Path(path).resolve()
    digest = hashlib.sha256(str(place).encode()).hexdigest()[:8]
    return f"{kind}-{re.sub('[^A-Za-z0-9_.-]+', '_', place.name)[:40]}-{digest}"


def check_folder(folder: Path, given: str) -> Path:
    """The folder, if a run can go there; ``given`` says in the error where the path comes from.

    Raises:
        ConfigError: it cannot be a folder, or does not exist and cannot be made.
    """
    try:
        if "\0" in str(folder):
            raise ValueError("it holds a NUL")
        existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    except (OSError, ValueError) as error:  # or is too long
        raise ConfigError(f"{given} is no path that can be used: {error}.") from None
    if not existing.is_dir():
        raise ConfigError(f"{given}: {existing} is a file; name a folder.")
    if existing != folder and not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(f"{given}: {existing} cannot be written to; name a folder that can.")
    return folder


def check_for_notebooks(folder: Path, cannot: str) -> None:
    """``ConfigError`` where notebooks cannot be executed into a folder, since what executes them
    reads braces in paths; ``cannot`` says who cannot, and the mend."""
    if set("{}\n") & set(str(folder)):
        raise ConfigError(f"{str(folder)!r} holds a brace or a line break, which {cannot}.")


@dataclass(frozen=True)
class PipelineRun:
    """What one run of the whole pipeline is about, and the folder that it goes to."""

    profile: str
    dataset: str
    content: str
    folder: Path


def pipeline_run(profile: object, dataset: object = None, content: object = None) -> PipelineRun:
    """Check what a run of all notebooks was asked for; None or empty = as the profile says (its
    default: ``quick``).

    A folder of one's own becomes an absolute path.

    Raises:
        ConfigError: an unknown name, or what is no text at all, as ``dataset=5``.
    """
    asked = {"profile": profile, "dataset": dataset, "content": content}
    for name, value in asked.items():
        if value not in (None, "") and not isinstance(value, str):
            raise ConfigError(f"{name} must be a name, got {value!r}.")
    name = asked["profile"] or "quick"
    chosen = read_profile(name)
    data, items = chosen_data(chosen, asked["dataset"] or None, asked["content"] or None)
    if data.startswith("folder:"):
        data = f"folder:{Path(data.removeprefix('folder:')).resolve()}"
    folder = check_folder(run_folder(name, chosen, data, items), f"BONMF_RUNS ({runs_dir()})")
    check_for_notebooks(folder, "the pipeline cannot; set BONMF_RUNS")
    return PipelineRun(name, data, items, folder)
