"""06: which language model, and what is made of its vectors."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import cycle, islice

import pandas as pd

from ..datasets.texts import TEXT_PARTS, available_parts
from ..encoders import get_encoder
from ..encoders.cost import encoding_cost
from ..errors import DamagedError, SourceError
from ..models.rating.bonmf import BoNMFConfig
from ..runs.records import fresh_wanted, keep_table, kept_table
from ..runs.run import Run
from ..runs.variant import Variant
from .names import (
    NO_TEXT,
    TEXT_CONTROLS,
)
from .protocols import early_stopped, fixed_epochs

COST_TEXTS = 256  # texts that speed is measured on
HUB_MODELS = ("bert-base-uncased", "roberta-base", "xlnet-base-cased", "qwen3-embedding-0.6b")
KINDS = (
    dict.fromkeys(("minilm-l6", "minilm-l3"), "language model, from the package index")
    | {"mpnet-base": "language model of the paper's size, from the package index"}
    | dict.fromkeys(
        ("distilbert-grammar", "t5-small-encoder"), "language model (int8), from the package index"
    )
    | {"wordllama": "token embeddings of language models, from the package index"}
    | dict.fromkeys(HUB_MODELS, "language model, from a model hub")
    | {"tfidf": "word counts, no pretraining"}
    | dict.fromkeys(TEXT_CONTROLS, "control")
)


def text_encoders(run: Run) -> tuple[tuple[str, ...], dict[str, str]]:
    """The text encoders to be compared, the run's own first,
    and why others cannot be had, by name."""
    settings = run.settings
    names, lacking = [settings.encoders.text], {}
    for name in (*settings.encoders.compared_text, *(HUB_MODELS if settings.encoders.hub else ())):
        if name in names:
            continue
        if name not in HUB_MODELS:
            names.append(name)
            continue
        try:
            get_encoder(name, "text").folder()
        except SourceError as error:
            lacking[name] = str(error)
        else:
            names.append(name)
    return tuple(names), lacking


def text_row(run: Run, name: str, **choices: object) -> Variant:
    """BoNMF with all encoders' features reduced to one size,
    stopped at its best validation epoch."""
    row = early_stopped(run, f"BoNMF, {name}", BoNMFConfig())
    return replace(row, feature_dim=run.settings.encoders.common_dim, **choices)


def no_text_row(run: Run) -> Variant:
    """The same network without any text."""
    row = early_stopped(run, NO_TEXT, BoNMFConfig(modalities=("image",)))
    return replace(row, feature_dim=run.settings.encoders.common_dim)


def encoder_rows(run: Run, encoders: tuple[str, ...]) -> list[Variant]:
    """One row per text encoder, then the network without text."""
    return [text_row(run, name, text_encoder=name) for name in encoders] + [no_text_row(run)]


NATIVE = "Native, "  # how the names of the next rows begin


def native_text_rows(run: Run, encoders: tuple[str, ...]) -> list[Variant]:
    """IDs and text at each encoder's own scale and size, without pictures; then, as controls, the
    run's own encoder shuffled, and no text."""
    names = [name for name in encoders if KINDS.get(name) != "control"]
    rows = [
        replace(
            early_stopped(run, NATIVE + name, BoNMFConfig(modalities=("text",))),
            feature_dim=None,
            text_encoder=name,
        )
        for name in (*names, f"{names[0]}-shuffled")
    ]
    none = early_stopped(run, f"{NATIVE}no text", BoNMFConfig(modalities=()))
    return [row.prepared("native") for row in (*rows, none)]


def pooling_rows(run: Run) -> list[Variant]:
    """The run's text encoder with each of its poolings, its default first."""
    name = run.settings.encoders.text
    encoder = get_encoder(name, "text")
    poolings = sorted(encoder.poolings, key=lambda pooling: pooling != encoder.default_pooling)
    return [
        text_row(run, f"{name}, {pooling}", text_encoder=name, text_pooling=pooling)
        for pooling in poolings
    ]


def content_rows(run: Run) -> list[Variant]:
    """The run's text encoder on ever more of what is known about items: title, genres, plot,
    people."""
    known = [part for part in TEXT_PARTS if part in available_parts(run.dataset.items)]
    grown = [tuple(known[:count]) for count in range(1, len(known) + 1)]
    return [text_row(run, " + ".join(parts), text_parts=parts) for parts in grown]


def dimension_rows(run: Run) -> list[Variant]:
    """The run's text encoder with ever fewer principal components (of text and picture alike), all
    of them first."""
    whole = run.features("text").dim
    sizes = [size for size in (16, 64, 256) if size < whole]
    rows = [replace(text_row(run, f"all {whole} dimensions"), feature_dim=None)]
    return rows + [
        replace(text_row(run, f"{size} dimensions"), feature_dim=size) for size in sizes[::-1]
    ]


def claimed_language_models(run: Run, encoders: tuple[str, ...]) -> list[Variant]:
    """The paper's swap of language models, as published,
    with those of the hub's that can be had."""
    chosen = [name for name in encoders if name in HUB_MODELS]
    return [
        fixed_epochs(run, f"BoNMF, {name}", "bonmf", BoNMFConfig(), text_encoder=name)
        for name in chosen
    ]


def encoder_costs(run: Run, encoders: Sequence[str]) -> pd.DataFrame:
    """Speed and memory of text encoders on the run's own texts, measured once per run folder.

    Returns:
        index text encoder; columns of :class:`~bonmf_lib.encoders.cost.EncodingCost`.
    """
    known = pd.DataFrame(columns=["text encoder"])
    if not fresh_wanted():
        with suppress(DamagedError):  # not measured yet, or not as it was written
            known = kept_table(run.run_dir, "encoder_costs")
    texts = list(islice(cycle(run.dataset.items["text"].dropna()), COST_TEXTS))
    for name in encoders:
        if name not in set(known["text encoder"]):
            row = {"text encoder": name, **asdict(encoding_cost(name, texts))}
            known = pd.concat([known, pd.DataFrame([row])], ignore_index=True)
            keep_table(run.run_dir, "encoder_costs", known)
    return known.set_index("text encoder").astype(float).loc[list(encoders)]
