"""What a notebook runs on: its parameters, completed by a profile and checked before anything starts."""

import ast
import os
from collections.abc import Mapping
from copy import copy
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from ..config import config, make_config
from ..datasets import CONTENTS, Dataset, load_dataset
from ..encoders import Features, encode_items, get_encoder
from ..encoders.controls import Shuffled
from ..errors import ConfigError, unknown_name
from ..splits import Split, cold_item_split, ratio_split
from ..storage import project_root


@config
class Profile:
    """One file of ``papermill_runs/profiles``: a complete set of choices."""

    dataset: str
    content: str  # packaged or full
    seeds: tuple[int, ...]  # each seed is one random split and one initialisation
    text_encoder: str
    image_encoder: str
    cnn_encoder: str  # the picture encoder of the paper's CNN-based row
    image_size: int = Field(ge=8)  # pixels; the side to which pictures are squeezed
    epochs: int = Field(gt=0)
    early_stopping_epochs: int = Field(gt=0)  # upper limit of the early-stopped runs
    batch_size: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    comparison_seeds: int = Field(gt=0)  # the first so many seeds are used where many models are compared (04, 05)
    ablation_seeds: int = Field(gt=0)  # likewise, for grids that no claim is judged on
    comparison_epochs: int = Field(gt=0)  # of their rows as published, likewise the next two
    comparison_batch_size: int = Field(gt=0)
    comparison_learning_rate: float = Field(gt=0)
    comparison_feature_dim: int | None = Field(gt=0)  # principal components of text and picture; null = all
    common_feature_dim: int = Field(gt=0)  # principal components of every encoder where encoders are compared (06, 07)
    compared_text_encoders: tuple[str, ...]  # besides text_encoder (06)
    compared_image_encoders: tuple[str, ...]  # besides image_encoder and its poolings (07)
    explained_pictures: int = Field(gt=0)  # pictures that are spoilt to see what predictions make of it (07)
    overlap_datasets: tuple[str, ...]  # besides dataset, with content full: where overlap is taken out as well (08)
    hub_encoders: bool  # compare also the language models that only a model hub has, as far as they can be had (06)
    tuning_batch_size: int = Field(gt=0)  # of searches and ablation grids
    tuning_learning_rate: float = Field(gt=0)  # where searches start
    tuning_epochs: int = Field(gt=0)  # upper limit of every trial
    tuning_trials: int = Field(gt=0)  # per model and seed
    ensemble_members: int = Field(gt=0)  # networks whose predictions BoNMF+'s ensemble averages


@config
class NotebookParameters:
    """The cell tagged ``parameters``; None = as the profile says."""

    profile: str
    dataset: str | None = None
    content: str | None = None
    seeds: tuple[int, ...] | None = None
    text_encoder: str | None = None
    image_encoder: str | None = None
    run_dir: str | None = None


def read_profile(name: str) -> Profile:
    """Profile by name; ``ConfigError`` for an unknown one or a bad file."""
    folder = project_root() / "papermill_runs" / "profiles"
    known = [path.stem for path in folder.glob("*.yaml")]
    if name not in known:
        raise ConfigError(unknown_name("profile", name, known))
    values = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    return make_config(Profile, values)


def runs_dir() -> Path:
    """Where run folders go: ``BONMF_RUNS``, default ``papermill_runs/runs`` of the checkout."""
    given = os.environ.get("BONMF_RUNS")
    return Path(given) if given else project_root() / "papermill_runs" / "runs"


class Run:
    """One notebook run: the settled choices, the data and features (loaded on first use) and the run folder."""

    def __init__(self, parameters: NotebookParameters):
        chosen = read_profile(parameters.profile)
        given = {key: value for key, value in asdict(parameters).items() if value is not None}
        if str(given.get("dataset", "")).startswith("folder:"):
            given.setdefault("content", "full")  # a user's own texts and pictures are there to be used
        changes = {key: value for key, value in given.items() if key not in ("profile", "run_dir")}
        self.settings = make_config(Profile, asdict(chosen) | changes)
        self.profile = parameters.profile
        if self.settings.content not in CONTENTS:
            raise ConfigError(unknown_name("content", self.settings.content, CONTENTS))
        if not self.settings.seeds or len(set(self.settings.seeds)) < len(self.settings.seeds):
            raise ConfigError(f"seeds must be different whole numbers, got {list(self.settings.seeds)}.")
        for name in (self.settings.text_encoder, *self.settings.compared_text_encoders):
            get_encoder(name, "text")
        for name in (self.settings.image_encoder, *self.settings.compared_image_encoders):
            get_encoder(name, "image")
        get_encoder(self.settings.cnn_encoder, "image")
        for own, modality in ((self.settings.text_encoder, "text"), (self.settings.image_encoder, "image")):
            if isinstance(get_encoder(own, modality), Shuffled):
                raise ConfigError(f"{own} is a control for comparisons; choose the encoder that it shuffles.")
        self.run_dir = self._folder(parameters.run_dir, chosen)
        self._features: dict[tuple, Features] = {}
        self._splits: dict[tuple, Split] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_splits": {}}  # a worker makes the few that it needs

    def on(self, dataset: str, content: str = "full") -> "Run":
        """The same choices and run folder on other data."""
        other = copy(self)
        other.settings = make_config(Profile, asdict(self.settings) | {"dataset": dataset, "content": content})
        other.__dict__.pop("dataset", None)
        other._features, other._splits = {}, {}
        return other

    def _folder(self, given: str | None, chosen: Profile) -> Path:
        if given is not None:
            return Path(given)
        name = self.profile
        if (self.settings.dataset, self.settings.content) != (chosen.dataset, chosen.content):
            name += f"-{self.settings.dataset.replace(':', '-').replace('/', '-')}-{self.settings.content}"
        return runs_dir() / name

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.settings.dataset, self.settings.content)

    @property
    def comparison_seeds(self) -> tuple[int, ...]:
        """The seeds of wide comparisons."""
        return self.settings.seeds[: self.settings.comparison_seeds]

    @property
    def ablation_seeds(self) -> tuple[int, ...]:
        """The seeds of grids that no claim is judged on."""
        return self.settings.seeds[: self.settings.ablation_seeds]

    def features(
        self,
        modality: str,
        pooling: str | None = None,
        encoder: str | None = None,
        dim: int | None = None,
        text_parts: tuple[str, ...] | None = None,
    ) -> Features:
        """Features of ``text`` or ``image``, by this run's encoder unless another is named; with ``dim`` only their
        first principal components. See :func:`~bonmf_lib.encoders.encode_items`."""
        encoder = encoder or (self.settings.text_encoder if modality == "text" else self.settings.image_encoder)
        key = modality, pooling, encoder, dim, text_parts
        if key not in self._features:
            size = self.settings.image_size if modality == "image" else None
            found = encode_items(self.dataset, modality, encoder, pooling, size, text_parts)
            self._features[key] = found if dim is None else found.principal(dim)
        return self._features[key]

    def split(self, test: float, valid: float, seed: int, keep: float = 1.0, cold_items: bool = False) -> Split:
        """The split of :func:`~bonmf_lib.splits.ratio_split` or :func:`~bonmf_lib.splits.cold_item_split`, made
        once."""
        key = self.dataset.fingerprint, test, valid, seed, keep, cold_items
        if key not in self._splits:
            self._splits[key] = (
                cold_item_split(self.dataset, test, valid, seed)
                if cold_items
                else ratio_split(self.dataset, test, valid, seed, keep)
            )
        return self._splits[key]

    def __str__(self) -> str:
        s = self.settings
        seeds = f"{len(s.seeds)} seed" + "s" * (len(s.seeds) > 1)
        return f"profile {self.profile}: {s.dataset}, content {s.content}, {seeds}, {s.text_encoder}, {s.image_encoder}"


def start_run(namespace: Mapping[str, Any]) -> Run:
    """Read a notebook's parameters out of its ``globals()``.

    Raises:
        ConfigError: papermill passed a parameter that the notebooks do not know, or a value is bad.
    """
    known = [field.name for field in fields(NotebookParameters)]  # type: ignore[arg-type]
    for name in _injected(namespace.get("In", [])):
        if name not in known:
            raise ConfigError(unknown_name("notebook parameter", name, known))
    return Run(make_config(NotebookParameters, {name: namespace[name] for name in known if name in namespace}))


def _injected(cells: list[str]) -> list[str]:
    """Names that papermill set: it injects one cell of assignments under the comment ``# Parameters``."""
    names = []
    for cell in cells:
        if cell.startswith("# Parameters"):
            for node in ast.parse(cell).body:
                if isinstance(node, ast.Assign):
                    names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
