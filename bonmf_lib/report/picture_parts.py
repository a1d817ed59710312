"""What an explanation of pictures shows, or one sentence where encoder or network have nothing of
the kind to show."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ..datasets import Dataset
from ..encoders.image import VisionTransformer
from ..studies.pictures import picture_files, rollout_maps
from .figures.pictures import region_heat, wall
from .published import Part


def attention(dataset: Dataset, items: Sequence[int], encoder) -> Iterator[Part]:
    """Attention rollout over the items' pictures, of encoders that have attention."""
    if isinstance(encoder, VisionTransformer):
        maps = {"rollout": rollout_maps(encoder, picture_files(dataset, items))}
        yield wall(dataset, items, maps, "Attention rollout of the picture encoder", {})
    else:
        yield f"{encoder.name} is no Vision Transformer; it has no attention to show."


def regions(effects: dict[str, pd.DataFrame]) -> Iterator[Part]:
    """How evenly networks attend to regions, and what leaving one out changes; not of pictures of
    one vector each.

    Args:
        effects: tables of :func:`bonmf_lib.studies.pictures.region_effects` by name.
    """
    if not effects:
        yield "No regions: this encoder gives one vector per picture."
        return
    yield (
        region_table(effects).groupby("fusion", sort=False)[["spread", "agreement"]].mean().round(4)
    )
    yield region_heat(effects)


def region_table(effects: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All tables of :func:`regions` below each other, their name in the column fusion, to be kept
    with the records."""
    return pd.concat(effects, names=["fusion"]).reset_index()


def cover_notes(changes: np.ndarray) -> dict[str, list[str]]:
    """The largest change of each item's map (items, height, width) of covered cells, in words for
    :func:`wall`."""
    return {
        "covered": [
            f"at most {values.max():.3f}" if values.max() >= 0 else "no ratings"
            for values in changes
        ]
    }
