"""Pictures without the text that is printed on them, as far as a text detector finds it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import onnxruntime
import torch
from PIL import Image
from scipy import ndimage

from ..sources import Artifact, fetch, packaged, read_member
from .image import decode, encode_png
from .onnx_session import open_graph
from .registry import get_encoder, register_encoder

_DETECTOR = Artifact(
    "text-detector",
    packaged(
        "rapidocr-onnxruntime",
        "1.4.4",
        "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
    ),
)
_MEMBER = "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx"
_SHORT_SIDE = (
    448  # pixels that the detector sees; posters are smaller, and their small print needs it
)
_STEP = 32  # its sides are multiples of this
THRESHOLD = 0.3  # of the probability of text, the detector's own
UNCLIP = 1.6  # how far found kernels are grown, times area / perimeter; the detector's own
_SMOOTHING = 0.05  # of the short side: how far the surroundings reach that fill the holes


@cache
def _detector() -> onnxruntime.InferenceSession:
    """PP-OCRv4's detector (Liao et al., 2020, differentiable binarization), one thread."""
    return open_graph(read_member(fetch(_DETECTOR), _MEMBER))


def text_mask(pixels: np.ndarray) -> np.ndarray:
    """Where text is printed: RGB uint8 (H, W, 3) -> bool (H, W).

    The detector marks the kernels of lines of text; each is grown by UNCLIP times its area over its
    perimeter, as the detector was trained to expect (Liao et al., 2020, section 3.5).
    """
    height, width = pixels.shape[:2]
    scale = _SHORT_SIDE / min(height, width)
    seen = tuple(max(_STEP, round(side * scale / _STEP) * _STEP) for side in (width, height))
    resized = np.asarray(Image.fromarray(pixels).resize(seen, Image.Resampling.BICUBIC), np.float32)
    batch = ((resized / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]
    session = _detector()
    probability = session.run(None, {session.get_inputs()[0].name: batch})[0][0, 0]  # (H', W')
    kernels = probability > THRESHOLD
    if not kernels.any():
        return np.zeros((height, width), bool)
    labels, count = ndimage.label(kernels)
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    edges = np.bincount(labels[kernels & ~ndimage.binary_erosion(kernels)], minlength=count + 1)
    reach = UNCLIP * areas / np.maximum(edges, 1)  # in pixels, by label
    distance, nearest = ndimage.distance_transform_edt(~kernels, return_indices=True)
    mask = distance <= reach[labels[tuple(nearest)]]
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def without_text(pixels: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) with text replaced by a smooth continuation of what surrounds it."""
    mask = text_mask(pixels)
    if not mask.any() or mask.all():
        return pixels
    known = (~mask)[..., None].astype(np.float32)
    spread = (_SMOOTHING * min(mask.shape), _SMOOTHING * min(mask.shape), 0)
    weight = ndimage.gaussian_filter(known, spread)
    smooth = ndimage.gaussian_filter(pixels * known, spread) / np.maximum(weight, 1e-6)
    far = weight[..., 0] < 1e-3  # nothing known nearby: the picture's mean colour
    smooth[far] = pixels[~mask].mean(0)
    return np.where(mask[..., None], smooth.clip(0, 255), pixels).astype(np.uint8)


@dataclass(frozen=True)
class TextMasked:
    """Another encoder on pictures :func:`without_text`."""

    base: str
    version: str = "1"
    image_size: int = 224
    default_pooling: str = "cls"
    poolings: tuple[str, ...] = ("cls", "mean")
    modality: str = "image"

    @property
    def name(self) -> str:
        return f"{self.base}-text-masked"

    @property
    def preprocessing(self) -> dict:
        base = get_encoder(self.base, "image")
        own = {
            "image_size": self.image_size,
            "detector": [_MEMBER, _SHORT_SIDE, THRESHOLD, UNCLIP, _SMOOTHING],
        }
        return {"base": base.version, **base.preprocessing, **own}

    def encode(self, pictures: Sequence[bytes], device: torch.device) -> dict[str, np.ndarray]:
        """Vectors of the masked pictures by pooling name, and ``present``."""
        base = replace(get_encoder(self.base, "image"), image_size=self.image_size)
        return base.encode(_Masked(pictures), device)


class _Masked(Sequence):
    """Pictures :func:`without_text`, made when they are asked for: all at once would fill the
    memory."""

    def __init__(self, pictures: Sequence[bytes]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self[number] for number in range(len(self))[place]]
        pixels = decode(self.pictures[place])
        return self.pictures[place] if pixels is None else encode_png(without_text(pixels))


register_encoder(TextMasked("dinov2-s"))
