"""Texts and pictures -> :class:`Features`, by any registered encoder, through one cache; and
vectors that data came with, as they are."""

import textwrap
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..datasets import Dataset
from ..datasets.texts import compose_texts
from ..device import pick_device
from ..errors import EncoderError, UnreadableError, unknown_name
from ..storage import json_sha256
from . import cnn, controls, given, image, masked_text, onnx_text, text  # noqa: F401 - importing them registers the encoders
from .features import Features, cached_poolings
from .picture_files import PictureFiles
from .registry import Encoder, get_encoder, list_encoders, register_encoder

__all__ = ["Features", "encode_items", "get_encoder", "list_encoders", "register_encoder"]

_SHOWN = 5  # unreadable pictures that are named


def encode_items(
    dataset: Dataset,
    modality: str,
    encoder: str | Encoder,
    pooling: str | None = None,
    image_size: int | None = None,
    text_parts: tuple[str, ...] | None = None,
    device: str = "auto",
) -> Features:
    """Encode every item's text or picture; those of a part of a data set with the whole of it.

    Args:
        modality: ``text`` or ``image``.
        encoder: a registered name, or an encoder object.
        pooling: one of the encoder's poolings; None = its default.
        image_size: side in pixels to which pictures are squeezed; None = the encoder's default.
        text_parts: what texts are made of (see :func:`~bonmf_lib.datasets.texts.compose_texts`);
            None = the items' column ``text``.

    Raises:
        EncoderError: unknown encoder or pooling, nothing to encode, or vectors that the data came
            with are asked for where there are none, or of parts of texts. SourceError: weights
            cannot be had.
    """
    if isinstance(encoder, str):
        encoder = get_encoder(encoder, modality)
    if image_size is not None:
        if modality != "image" or not isinstance(image_size, int) or not 8 <= image_size <= 1024:
            raise EncoderError(
                f"image_size must be a whole number of pixels (8 to 1024), got {image_size!r}."
            )
        encoder = replace(encoder, image_size=image_size)
    pooling = pooling or encoder.default_pooling
    if pooling not in encoder.poolings:
        raise EncoderError(unknown_name(f"pooling of {encoder.name}", pooling, encoder.poolings))
    if isinstance(encoder, controls.FeatureControl):
        return encoder.dealt(
            encode_items(dataset, modality, encoder.base, pooling, image_size, text_parts, device)
        )
    if isinstance(encoder, given.GivenEncoder):
        if text_parts is not None:
            raise EncoderError(f"{encoder.name} are of whole items, not of parts of their texts.")
        return encoder.features(dataset)
    if dataset.part_of is not None:
        whole, items = dataset.part_of
        return encode_items(whole, modality, encoder, pooling, None, text_parts, device).of(items)
    contents = _contents(dataset, modality, text_parts)
    description = {"encoder": encoder.name, "version": encoder.version, **encoder.preprocessing}

    def encode(positions: list[int]) -> dict[str, np.ndarray]:
        if isinstance(contents, list):
            texts = [contents[place].decode() for place in positions]
            return encoder.encode(texts, pick_device(device))
        chosen = contents.of(positions)
        if all(image.unreadable(picture) for picture in chosen):  # before any weights are fetched
            raise UnreadableError(
                f"{dataset.name}: none of the {len(chosen)} pictures can be read; the first is "
                f"{_named(dataset, positions[0], chosen[0])}."
            )
        return encoder.encode(chosen, pick_device(device))

    arrays, present, key = cached_poolings(description, contents, encode)
    broken = np.flatnonzero(contents.there & ~present) if modality == "image" else []
    if len(broken):
        first = ", ".join(_named(dataset, place, contents[place]) for place in broken[:_SHOWN])
        warnings.warn(
            f"{dataset.name}: {len(broken)} unreadable pictures count as missing: {first}"
            f"{f', and {len(broken) - _SHOWN} more' if len(broken) > _SHOWN else ''}.",
            stacklevel=2,
        )
    if pooling != encoder.default_pooling:
        # one cache file holds all poolings; features are told apart
        key = json_sha256([key, pooling])
    regions = int(pooling.removeprefix("grid")) ** 2 if pooling.startswith("grid") else 1
    return Features(
        arrays[pooling], present, f"{encoder.name}/{pooling}", encoder.version, key, regions
    )


def _contents(
    dataset: Dataset, modality: str, text_parts: tuple[str, ...] | None
) -> list[bytes | None] | PictureFiles:
    """UTF-8 of every item's text, or the files of their pictures."""
    if modality == "image":
        paths = dataset.items["image"]
        return PictureFiles([row if isinstance(row, str) else None for row in paths])
    texts = (
        dataset.items["text"] if text_parts is None else compose_texts(dataset.items, text_parts)
    )
    return [row.encode() if isinstance(row, str) else None for row in texts]


def _named(dataset: Dataset, item: int, picture: bytes) -> str:
    """An unreadable picture by its item's title and file, and why it is unreadable."""
    row = dataset.items.iloc[item]
    title = textwrap.shorten(str(row["title"]), 40, placeholder="...")
    return f"that of {title!r} ({Path(row['image']).name[:60]}: {image.unreadable(picture)})"
