"""The rows behind the paper's open questions: which language model (06), which use of the picture (07), and what to do
about overlap (08)."""

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
from ..models.rating.visual_fusion import VisualFusionConfig
from ..runs.records import fresh_wanted, keep_table, kept_table
from ..runs.run import Run
from ..runs.training import Training
from ..runs.variant import Variant
from ..splits.rules import ColdItems
from .comparisons import early_stopped, published
from .names import (
    FUSION_CONTROLS,
    FUSION_NO_PICTURE,
    FUSION_PLAIN,
    LATE,
    NO_PICTURE,
    NO_TEXT,
    OVERLAP_CONTROLS,
    SPLIT,
    TEXT_CONTROLS,
)

COST_TEXTS = 256  # texts that speed is measured on
COLD_ITEM_SHARE = 0.2  # of all items are held out where cold items are studied

HUB_MODELS = ("bert-base-uncased", "roberta-base", "xlnet-base-cased", "qwen3-embedding-0.6b")
KINDS = (
    dict.fromkeys(("minilm-l6", "minilm-l3"), "language model, from the package index")
    | {"mpnet-base": "language model of the paper's size, from the package index"}
    | dict.fromkeys(("distilbert-grammar", "t5-small-encoder"), "language model (int8), from the package index")
    | {"wordllama": "token embeddings of language models, from the package index"}
    | dict.fromkeys(HUB_MODELS, "language model, from a model hub")
    | {"tfidf": "word counts, no pretraining"}
    | dict.fromkeys(TEXT_CONTROLS, "control")
)


def text_encoders(run: Run) -> tuple[tuple[str, ...], dict[str, str]]:
    """The text encoders to be compared, the run's own first, and why others cannot be had, by name."""
    settings = run.settings
    names, lacking = [settings.text_encoder], {}
    for name in (*settings.compared_text_encoders, *(HUB_MODELS if settings.hub_encoders else ())):
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
    """BoNMF with all encoders' features reduced to one size, stopped at its best validation epoch."""
    row = early_stopped(run, f"BoNMF, {name}", BoNMFConfig())
    return replace(row, feature_dim=run.settings.common_feature_dim, **choices)


def no_text_row(run: Run) -> Variant:
    """The same network without any text."""
    row = early_stopped(run, NO_TEXT, BoNMFConfig(use_text=False))
    return replace(row, feature_dim=run.settings.common_feature_dim)


def encoder_rows(run: Run, encoders: tuple[str, ...]) -> list[Variant]:
    """One row per text encoder, then the network without text."""
    return [text_row(run, name, text_encoder=name) for name in encoders] + [no_text_row(run)]


NATIVE = "Native, "  # how the names of the next rows begin


def native_text_rows(run: Run, encoders: tuple[str, ...]) -> list[Variant]:
    """IDs and text at each encoder's own scale and size, without pictures; then, as controls, the run's own encoder
    shuffled, and no text."""
    names = [name for name in encoders if KINDS.get(name) != "control"]
    rows = [
        replace(early_stopped(run, NATIVE + name, BoNMFConfig(use_image=False)), feature_dim=None, text_encoder=name)
        for name in (*names, f"{names[0]}-shuffled")
    ]
    none = early_stopped(run, f"{NATIVE}no text", BoNMFConfig(use_text=False, use_image=False))
    return [row.prepared("native") for row in (*rows, none)]


def pooling_rows(run: Run) -> list[Variant]:
    """The run's text encoder with each of its poolings, its default first."""
    name = run.settings.text_encoder
    encoder = get_encoder(name, "text")
    poolings = sorted(encoder.poolings, key=lambda pooling: pooling != encoder.default_pooling)
    return [text_row(run, f"{name}, {pooling}", text_encoder=name, text_pooling=pooling) for pooling in poolings]


def content_rows(run: Run) -> list[Variant]:
    """The run's text encoder on ever more of what is known about items: title, genres, plot, people."""
    known = [part for part in TEXT_PARTS if part in available_parts(run.dataset.items)]
    grown = [tuple(known[:count]) for count in range(1, len(known) + 1)]
    return [text_row(run, " + ".join(parts), text_parts=parts) for parts in grown]


def dimension_rows(run: Run) -> list[Variant]:
    """The run's text encoder with ever fewer principal components (of text and picture alike), all of them first."""
    whole = run.features("text").dim
    sizes = [size for size in (16, 64, 256) if size < whole]
    rows = [replace(text_row(run, f"all {whole} dimensions"), feature_dim=None)]
    return rows + [replace(text_row(run, f"{size} dimensions"), feature_dim=size) for size in sizes[::-1]]


def on_cold_items(rows: list[Variant]) -> list[Variant]:
    """The same rows, tested on items that have no training rating."""
    return [replace(row, protocol=f"cold items, {row.protocol}", split=ColdItems(COLD_ITEM_SHARE)) for row in rows]


def claimed_language_models(run: Run, encoders: tuple[str, ...]) -> list[Variant]:
    """The paper's swap of language models, as published, with those of the hub's that can be had."""
    chosen = [name for name in encoders if name in HUB_MODELS]
    return [published(run, f"BoNMF, {name}", "bonmf", BoNMFConfig(), text_encoder=name) for name in chosen]


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


def picture_encoder_rows(run: Run) -> list[Variant]:
    """BoNMF with the picture read in different ways; the run's encoder with all its poolings first, no picture last."""
    own = run.settings.image_encoder
    encoder = get_encoder(own, "image")
    names = [(own, pooling) for pooling in sorted(encoder.poolings, key=lambda p: p != encoder.default_pooling)]
    names += [(name, None) for name in run.settings.compared_image_encoders if name != own]
    rows = []
    for name, pooling in names:
        shown = name if pooling is None else f"{name}, {pooling}"
        row = early_stopped(run, f"BoNMF, {shown}", BoNMFConfig())
        rows.append(replace(row, image_encoder=name, image_pooling=pooling))
    rows.append(early_stopped(run, NO_PICTURE, BoNMFConfig(use_image=False)))
    return [replace(row, feature_dim=run.settings.common_feature_dim) for row in rows]


def fusion_rows(run: Run) -> list[Variant]:
    """Ways to join the picture to the text, controls with other items' pictures, and no picture."""
    kinds = ("concatenation", "sum", "gated", "bilinear", "late", "residual")
    rows = [_fusion(run, f"Fusion, {kind}", VisualFusionConfig(fusion=kind)) for kind in kinds]
    rows += attention_rows(run)
    rows += _with_shuffled_pictures(run, rows, (FUSION_PLAIN, LATE), FUSION_CONTROLS)
    return [*rows, _fusion(run, FUSION_NO_PICTURE, VisualFusionConfig(fusion="concatenation", use_image=False))]


def attention_rows(run: Run) -> list[Variant]:
    """Attention over the picture's regions, asked by text, item or user, after all regions side by side without any;
    nothing where the encoder gives no regions."""
    pooling = region_pooling(run)
    if pooling is None:
        return []
    rows = [_fusion(run, "Fusion, regions side by side", VisualFusionConfig(fusion="concatenation"))]
    for query in ("text", "item", "user"):
        config = VisualFusionConfig(fusion="attention", query=query)
        rows.append(_fusion(run, f"Fusion, attention by {query}", config))
    return [replace(row, image_pooling=pooling) for row in rows]


def explained_rows(run: Run) -> list[Variant]:
    """Rows whose use of pictures is looked into, on the encoder's own features; a sum where there are no regions."""
    rows = attention_rows(run)[1:] or [_fusion(run, "Fusion, sum", VisualFusionConfig(fusion="sum"))]
    return [replace(row, feature_dim=None) for row in rows]


def region_pooling(run: Run) -> str | None:
    """The picture encoder's pooling into regions."""
    poolings = get_encoder(run.settings.image_encoder, "image").poolings
    return next((pooling for pooling in poolings if pooling.startswith("grid")), None)


def overlap_rows(run: Run) -> list[Variant]:
    """Ways to take the overlap of text and picture out, or to live with it; plain concatenation first, then, where the
    encoder has them, controls with other items' pictures, and no picture last."""
    configs = {
        FUSION_PLAIN: VisualFusionConfig(fusion="concatenation"),
        "Fusion, decorrelated, 0.1": VisualFusionConfig(fusion="concatenation", decorrelation=0.1),
        "Fusion, decorrelated, 1": VisualFusionConfig(fusion="concatenation", decorrelation=1.0),
        SPLIT: VisualFusionConfig(fusion="shared-private", alignment=0.1, decorrelation=0.1),
        "Fusion, gated by overlap": VisualFusionConfig(fusion="overlap-gated"),
        FUSION_NO_PICTURE: VisualFusionConfig(fusion="concatenation", use_image=False),
    }
    rows = [_fusion(run, name, config) for name, config in configs.items()]
    rows.insert(1, replace(rows[0], name="Fusion, residual picture", residual_picture=True))
    return [*rows[:-1], *_with_shuffled_pictures(run, rows, (FUSION_PLAIN, SPLIT), OVERLAP_CONTROLS), rows[-1]]


def _with_shuffled_pictures(
    run: Run, rows: list[Variant], names: Sequence[str], controls: Sequence[str]
) -> list[Variant]:
    """The named rows on other items' pictures, under the controls' names."""
    shuffled = f"{run.settings.image_encoder}-shuffled"
    by_name = {row.name: row for row in rows}
    return [
        replace(by_name[name], name=control, image_encoder=shuffled)
        for name, control in zip(names, controls, strict=True)
    ]


def overlap_runs(run: Run) -> tuple[dict[str, Run], dict[str, str]]:
    """The run itself and, by name, the same on the profile's other data; and why some of these cannot be had."""
    runs, lacking = {run.dataset.name: run}, {}
    for name in run.settings.overlap_datasets:
        other = run.on(name)
        try:
            runs.setdefault(other.dataset.name, other)
        except SourceError as error:
            lacking[name] = str(error)
    return runs, lacking


def _fusion(run: Run, name: str, config: VisualFusionConfig) -> Variant:
    row = early_stopped(run, name, config, model="visual-fusion")
    return replace(row, feature_dim=run.settings.common_feature_dim)


def parameter_counts(run: Run, rows: Sequence[Variant]) -> pd.Series:
    """Trainable parameters by row name."""
    counts = {}
    for row in rows:
        counts[row.name] = sum(parameter.numel() for parameter in Training(run, row, 0).untrained().parameters())
    return pd.Series(counts, name="parameters")
