"""07: how the picture is read and joined to the text."""

from collections.abc import Sequence
from dataclasses import replace

from ..encoders import get_encoder
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.visual_fusion import VisualFusionConfig
from ..runs.run import Run
from ..runs.variant import Variant
from .names import (
    FUSION_CONTROLS,
    FUSION_NO_PICTURE,
    FUSION_PLAIN,
    LATE,
    NO_PICTURE,
)
from .protocols import early_stopped


def picture_encoder_rows(run: Run) -> list[Variant]:
    """BoNMF with the picture read in different ways; the run's encoder with all its poolings first,
    no picture last."""
    own = run.settings.encoders.image
    encoder = get_encoder(own, "image")
    names = [
        (own, pooling)
        for pooling in sorted(encoder.poolings, key=lambda p: p != encoder.default_pooling)
    ]
    names += [(name, None) for name in run.settings.encoders.compared_image if name != own]
    rows = []
    for name, pooling in names:
        shown = name if pooling is None else f"{name}, {pooling}"
        row = early_stopped(run, f"BoNMF, {shown}", BoNMFConfig())
        rows.append(replace(row, image_encoder=name, image_pooling=pooling))
    rows.append(early_stopped(run, NO_PICTURE, BoNMFConfig(modalities=("text",))))
    return [replace(row, feature_dim=run.settings.encoders.common_dim) for row in rows]


def fusion_rows(run: Run) -> list[Variant]:
    """Ways to join the picture to the text, controls with other items' pictures, and no picture."""
    kinds = ("concatenation", "sum", "gated", "bilinear", "late", "residual")
    rows = [fusion_row(run, f"Fusion, {kind}", VisualFusionConfig(fusion=kind)) for kind in kinds]
    rows += attention_rows(run)
    rows += with_shuffled_pictures(run, rows, (FUSION_PLAIN, LATE), FUSION_CONTROLS)
    return [
        *rows,
        fusion_row(
            run, FUSION_NO_PICTURE, VisualFusionConfig(fusion="concatenation", modalities=("text",))
        ),
    ]


def attention_rows(run: Run) -> list[Variant]:
    """Attention over the picture's regions, asked by text, item or user, after all regions side by
    side without any; nothing where the encoder gives no regions."""
    pooling = region_pooling(run)
    if pooling is None:
        return []
    rows = [
        fusion_row(run, "Fusion, regions side by side", VisualFusionConfig(fusion="concatenation"))
    ]
    for query in ("text", "item", "user"):
        config = VisualFusionConfig(fusion="attention", query=query)
        rows.append(fusion_row(run, f"Fusion, attention by {query}", config))
    return [replace(row, image_pooling=pooling) for row in rows]


def explained_rows(run: Run) -> list[Variant]:
    """Rows whose use of pictures is looked into, on the encoder's own features; a sum where there
    are no regions."""
    rows = attention_rows(run)[1:] or [
        fusion_row(run, "Fusion, sum", VisualFusionConfig(fusion="sum"))
    ]
    return [replace(row, feature_dim=None) for row in rows]


def region_pooling(run: Run) -> str | None:
    """The picture encoder's pooling into regions."""
    poolings = get_encoder(run.settings.encoders.image, "image").poolings
    return next((pooling for pooling in poolings if pooling.startswith("grid")), None)


def with_shuffled_pictures(
    run: Run, rows: list[Variant], names: Sequence[str], controls: Sequence[str]
) -> list[Variant]:
    """The named rows on other items' pictures, under the controls' names."""
    shuffled = f"{run.settings.encoders.image}-shuffled"
    by_name = {row.name: row for row in rows}
    return [
        replace(by_name[name], name=control, image_encoder=shuffled)
        for name, control in zip(names, controls, strict=True)
    ]


def fusion_row(run: Run, name: str, config: VisualFusionConfig) -> Variant:
    """A way to join text and picture, both reduced to one size."""
    row = early_stopped(run, name, config, model="visual-fusion")
    return replace(row, feature_dim=run.settings.encoders.common_dim)
