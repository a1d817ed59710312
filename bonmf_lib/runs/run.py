"""What a notebook runs on: its parameters, completed by a profile and checked before anything
starts."""

import ast
import itertools
import json
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from ..config import config, make_config
from ..datasets import Dataset, load_dataset
from ..encoders import Features, encode_items, get_encoder
from ..encoders.controls import FeatureControl
from ..errors import ConfigError, unknown_name
from ..splits.rules import SplitRule
from ..splits.split import Split
from .profiles import (
    SEED_COUNT,
    Profile,
    Seed,
    check_folder,
    chosen_data,
    read_profile,
    run_folder,
    runs_dir,
)


@config
class NotebookParameters:
    """The cell tagged ``parameters``; None = as the profile says."""

    profile: str
    dataset: str | None = None
    content: str | None = None
    seeds: tuple[Seed, ...] | None = None
    text_encoder: str | None = None
    image_encoder: str | None = None
    run_dir: str | None = None


class Run:
    """One notebook run: the settled choices, the data and features (loaded on first use) and the
    run folder."""

    def __init__(self, parameters: NotebookParameters):
        chosen = read_profile(parameters.profile)
        dataset, content = chosen_data(chosen, parameters.dataset, parameters.content)
        given = {"dataset": dataset, "content": content}
        given |= {"seeds": parameters.seeds} if parameters.seeds is not None else {}
        values, named = (
            asdict(chosen),
            {"text": parameters.text_encoder, "image": parameters.image_encoder},
        )
        values["encoders"] |= {
            name: encoder for name, encoder in named.items() if encoder is not None
        }
        self.settings = make_config(Profile, values | given)
        self.profile = parameters.profile
        if not self.settings.seeds or len(set(self.settings.seeds)) < len(self.settings.seeds):
            raise ConfigError(
                f"seeds must be different whole numbers, got {list(self.settings.seeds)}."
            )
        own = self.settings.encoders
        for name in (own.text, own.other_text, *own.compared_text):
            get_encoder(name, "text")
        for name in (own.image, own.cnn, *own.compared_image):
            get_encoder(name, "image")
        for name, modality in ((own.text, "text"), (own.image, "image")):
            if isinstance(get_encoder(name, modality), FeatureControl):
                raise ConfigError(
                    f"{name} is a control for comparisons; "
                    "choose the encoder that it stands beside."
                )
        if parameters.run_dir is None:
            folder = run_folder(parameters.profile, chosen, dataset, content)
            self.run_dir = check_folder(folder, f"BONMF_RUNS ({runs_dir()})")
        else:
            if not parameters.run_dir.strip():
                raise ConfigError("run_dir is empty; name a folder, or leave it out.")
            self.run_dir = check_folder(Path(parameters.run_dir), f"run_dir {parameters.run_dir!r}")
        self._features: dict[tuple, Features] = {}
        self._splits: dict[tuple, Split] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_splits": {}}  # a worker makes the few that it needs

    def on(self, dataset: str, content: str = "full") -> "Run":
        """The same choices and run folder on other data."""
        other = copy(self)
        other.settings = make_config(
            Profile, asdict(self.settings) | {"dataset": dataset, "content": content}
        )
        other.__dict__.pop("dataset", None)
        other._features, other._splits = {}, {}
        return other

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.settings.dataset, self.settings.content)

    @property
    def comparison_seeds(self) -> tuple[int, ...]:
        """The seeds of wide comparisons."""
        return self.settings.seeds[: self.settings.comparison.seeds]

    @property
    def ablation_seeds(self) -> tuple[int, ...]:
        """The seeds of grids that no claim is judged on."""
        return self.settings.seeds[: self.settings.comparison.ablation_seeds]

    @property
    def centre_seeds(self) -> tuple[int, ...]:
        """The seeds of the readings that decide the headline: those of the profile, then the
        numbers that follow."""
        wanted = self.settings.specification.centre_seeds
        return (*self.settings.seeds, *self._later_seeds(wanted))[:wanted]

    @property
    def later_reading_seeds(self) -> tuple[int, ...]:
        """The profile's seeds of readings that have more splits, but those that all readings have;
        none where they have no more."""
        asked = self.settings.specification
        return self.settings.seeds[asked.seeds : asked.more_seeds]

    @property
    def fresh_seeds(self) -> tuple[int, ...]:
        """Seeds of splits by which nothing was chosen: the numbers that follow the profile's."""
        return self._later_seeds(self.settings.tuning.fresh.seeds)

    def _later_seeds(self, count: int) -> tuple[int, ...]:
        own = self.settings.seeds
        following = (number % SEED_COUNT for number in itertools.count(max(own) + 1))
        return tuple(itertools.islice((seed for seed in following if seed not in own), count))

    def encoder(self, modality: str) -> str:
        """What this run reads ``text`` or ``image`` by: the vectors that its data came with, or
        else its encoder."""
        given = self.dataset.vectors.get(modality)
        return getattr(self.settings.encoders, modality) if given is None else given.kind

    def features(
        self,
        modality: str,
        pooling: str | None = None,
        encoder: str | None = None,
        dim: int | None = None,
        text_parts: tuple[str, ...] | None = None,
        standardised: bool = True,
    ) -> Features:
        """Features of ``text`` or ``image``, by this run's :meth:`encoder` unless another is named;
        with ``dim`` only their first principal components, of standardised columns or of columns at
        their own scale. See :func:`~bonmf_lib.encoders.encode_items`."""
        encoder = encoder or self.encoder(modality)
        key = modality, pooling, encoder, dim, text_parts, standardised
        if key not in self._features:
            size = self.settings.encoders.image_size if modality == "image" else None
            found = encode_items(self.dataset, modality, encoder, pooling, size, text_parts)
            self._features[key] = found if dim is None else found.principal(dim, standardised)
        return self._features[key]

    def split(self, rule: SplitRule, seed: int, valid: float = 0.0) -> Split:
        """The split of a rule, made once."""
        key = self.dataset.fingerprint, rule, seed, valid
        if key not in self._splits:
            self._splits[key] = rule.split(self.dataset, seed, valid)
        return self._splits[key]

    def __str__(self) -> str:
        s = self.settings
        seeds = f"{len(s.seeds)} seed" + "s" * (len(s.seeds) > 1)
        encoders = f"{s.encoders.text}, {s.encoders.image}"
        return f"profile {self.profile}: {s.dataset}, content {s.content}, {seeds}, {encoders}"


def start_run(namespace: Mapping[str, Any]) -> Run:
    """Read a notebook's parameters out of its ``globals()``.

    Raises:
        ConfigError: papermill passed a parameter that the notebooks do not know, or a value is bad.
    """
    known = [field.name for field in fields(NotebookParameters)]  # type: ignore[arg-type]
    for name in _injected(namespace.get("In", [])):
        if name not in known:
            raise ConfigError(unknown_name("notebook parameter", name, known))
    given = {name: namespace[name] for name in known if name in namespace}
    return Run(
        make_config(NotebookParameters, given | {"seeds": _as_list("seeds", given.get("seeds"))})
    )


def _as_list(name: str, value: object) -> object:
    """A list that came as text: ``papermill -p seeds '[0, 1]'`` passes ``"[0, 1]"``."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if value is not None and not isinstance(value, list | tuple):
        raise ConfigError(f"{name} must be a list, for instance [0, 1], got {value!r}.")
    return value


def _injected(cells: list[str]) -> list[str]:
    """Names that papermill set: it injects one cell of assignments under the comment ``#
    Parameters``."""
    names = []
    for cell in cells:
        if cell.startswith("# Parameters"):
            for node in ast.parse(cell).body:
                if isinstance(node, ast.Assign):
                    names += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return names
