"""08: ways to take the overlap of text and picture out, or to live with it."""

from dataclasses import replace

from ..errors import SourceError
from ..models.rating.visual_fusion import VisualFusionConfig
from ..runs.run import Run
from ..runs.variant import Variant
from .names import (
    FUSION_NO_PICTURE,
    FUSION_PLAIN,
    OVERLAP_CONTROLS,
    SPLIT,
)
from .visual_fusion import fusion_row, with_shuffled_pictures


def overlap_rows(run: Run) -> list[Variant]:
    """Ways to take the overlap of text and picture out, or to live with it; plain concatenation
    first, then, where the encoder has them, controls with other items' pictures, and no picture
    last."""
    configs = {
        FUSION_PLAIN: VisualFusionConfig(fusion="concatenation"),
        "Fusion, decorrelated, 0.1": VisualFusionConfig(fusion="concatenation", decorrelation=0.1),
        "Fusion, decorrelated, 1": VisualFusionConfig(fusion="concatenation", decorrelation=1.0),
        SPLIT: VisualFusionConfig(fusion="shared-private", alignment=0.1, decorrelation=0.1),
        "Fusion, gated by overlap": VisualFusionConfig(fusion="overlap-gated"),
        FUSION_NO_PICTURE: VisualFusionConfig(fusion="concatenation", modalities=("text",)),
    }
    rows = [fusion_row(run, name, config) for name, config in configs.items()]
    rows.insert(1, replace(rows[0], name="Fusion, residual picture", residual_picture=True))
    return [
        *rows[:-1],
        *with_shuffled_pictures(run, rows, (FUSION_PLAIN, SPLIT), OVERLAP_CONTROLS),
        rows[-1],
    ]


def overlap_runs(run: Run) -> tuple[dict[str, Run], dict[str, str]]:
    """The run itself and, by name, the same on the profile's other data; and why some of these
    cannot be had."""
    runs, lacking = {run.dataset.name: run}, {}
    for name in run.settings.studies.overlap_datasets:
        other = run.on(name)
        try:
            runs.setdefault(other.dataset.name, other)
        except SourceError as error:
            lacking[name] = str(error)
    return runs, lacking
