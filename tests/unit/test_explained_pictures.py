"""Rollout against the attention written out, regions left out by hand, and spoilt pictures whose
effect is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import timm
import torch

from bonmf_lib.encoders import Features, get_encoder
from bonmf_lib.encoders.image import decode
from bonmf_lib.errors import ModelError
from bonmf_lib.models import ModelInputs, build_model
from bonmf_lib.models.rating.bonmf import BoNMFConfig
from bonmf_lib.models.rating.visual_fusion import VisualFusionConfig
from bonmf_lib.report import picture_parts
from bonmf_lib.runs.run import NotebookParameters, Run
from bonmf_lib.runs.variant import Variant
from bonmf_lib.splits.rules import Ratio
from bonmf_lib.studies import pictures as explain
from bonmf_lib.training.config import TrainingConfig


def tiny_vit():
    torch.manual_seed(0)
    return timm.models.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=12, depth=3, num_heads=2
    ).eval()


def test_rollout_is_the_product_of_mixed_attentions():
    vit, pixels = tiny_vit(), torch.randn(2, 3, 32, 32)
    found = explain.attention_rollout(vit, pixels)
    tokens = vit._pos_embed(vit.patch_embed(pixels))
    rolled = np.stack([np.eye(17)] * 2)
    with torch.no_grad():
        for block in vit.blocks:
            query, key, _ = (
                block.attn.qkv(block.norm1(tokens)).view(2, 17, 3, 2, 6).permute(2, 0, 3, 1, 4)
            )
            attention = torch.softmax(query @ key.transpose(2, 3) / 6**0.5, -1).mean(1).numpy()
            rolled = (0.5 * attention + 0.5 * np.eye(17)) @ rolled
            tokens = block(tokens)
    expected = rolled[:, 0, 1:] / rolled[:, 0, 1:].sum(1, keepdims=True)
    np.testing.assert_allclose(found.numpy(), expected.reshape(2, 4, 4), rtol=1e-4)
    assert all(block.attn.fused_attn == timm.layers.use_fused_attn() for block in vit.blocks)


def test_rollout_maps_read_pictures_as_the_encoder_does(planted):
    encoder = replace(get_encoder("dinov2-s", "image"), image_size=28)
    pictures = [Path(path).read_bytes() for path in planted.items["image"][:2]]
    maps = explain.rollout_maps(encoder, [pictures[0], b"broken", pictures[1]])
    assert maps.shape == (3, 2, 2) and not maps[1].any()
    vit, size = encoder.model(), (28, 28)
    mean, std = (np.array(vit.pretrained_cfg[name]) for name in ("mean", "std"))
    pixels = np.stack(
        [(decode(picture, size) / 255 - mean) / std for picture in pictures]
    ).transpose(0, 3, 1, 2)
    expected = explain.attention_rollout(vit, torch.from_numpy(pixels).float()).numpy()
    np.testing.assert_allclose(maps[[0, 2]], expected, rtol=1e-3)


def test_spoilt_pixels_by_hand():
    pixels = np.zeros((90, 60, 3), np.uint8)
    pixels[:30, 20:40] = 90
    # 90 on a ninth of the picture
    assert np.array_equal(np.unique(explain.one_colour(pixels)), [10])
    covered = explain.occluded(pixels, 1)
    assert (
        (covered[:30, 20:40] == 10).all() and not covered[30:].any() and not covered[:, :20].any()
    )
    assert pixels[:30, 20:40].min() == 90  # the given picture stays as it is
    assert 0 < explain.blurred(pixels)[15, 19].mean() < 90


@pytest.fixture(scope="module")
def setting(planted):
    """Pictures of four regions; item 0 has none."""
    random = np.random.default_rng(0)
    split = Ratio().split(planted, 0)
    present = np.arange(planted.n_items) != 0
    features = [
        Features(
            (random.normal(size=(planted.n_items, dim)) * present[:, None]).astype(np.float32),
            present, name, "1", name, regions,
        )
        for name, dim, regions in (("text", 5, 1), ("image", 12, 4))
    ]  # fmt: skip
    inputs = ModelInputs(planted.n_users, planted.n_items, 3.4, text=features[0], image=features[1])
    return planted, split, inputs


def attending(inputs, **values):
    config = VisualFusionConfig(
        fusion="attention", embedding_dim=4, feature_dim=3, hidden=(8,), **values
    )
    model = build_model("visual-fusion", config, inputs, seed=0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    return model


def test_region_effects_are_those_of_the_other_regions_sharing(setting):
    data, split, inputs = setting
    model = attending(inputs)
    table = explain.region_effects(model, data, split, inputs.image)
    assert table["weight"].sum() == pytest.approx(1, abs=1e-5)
    rows = split.test[data.ratings["item"].to_numpy()[split.test] != 0]
    users, items = (torch.tensor(data.ratings[side].to_numpy()[rows]) for side in ("user", "item"))
    with torch.no_grad():
        before, weights = model(users, items), model.attention(users, items)
        weights[:, 2] = 0
        weights = weights / weights.sum(1, keepdim=True)
        values = model.regions.value(model.regions.matrix.unflatten(1, (4, -1)))[items]
        picture = (weights.unsqueeze(1) @ values).squeeze(1)
        text, own = model.projected["text"](items), model.item_embedding(items)
        after = model.head(
            model.user_embedding(users), model.head.item(torch.cat([own, text, picture], 1))
        )
    low, high = data.scale.low, data.scale.high
    change = (after.clamp(low, high) - before.clamp(low, high)).abs()
    assert table["change"][2] == pytest.approx(float(change.mean()), rel=1e-4)
    assert model.regions.left_out is None


def test_spoiling_nothing_changes_nothing_and_swapping_changes_the_swapped(setting):
    data, split, inputs = setting
    config = VisualFusionConfig(fusion="attention", embedding_dim=4, feature_dim=3, hidden=(8,))
    model = build_model("visual-fusion", config, inputs, seed=0)  # predictions stay on the scale
    items = explain.sample_items(data, split, inputs.image, 5)
    assert len(items) == 5 and 0 not in items
    same = explain.Spoilt(items, inputs.image.matrix[items])
    table = explain.spoilt_predictions(model, data, split, inputs.image, same)
    assert set(table["item"]) == set(items)
    np.testing.assert_allclose(table["before"], table["after"], atol=1e-6)
    swapped = explain.spoilt_predictions(
        model, data, split, inputs.image, explain.swapped(inputs.image, items)
    )
    assert (swapped["before"] - swapped["after"]).abs().groupby(swapped["item"]).max().min() > 0
    # the model itself is left as it was
    np.testing.assert_allclose(swapped["before"], table["before"])


def test_effects_count_every_item_alike():
    table = pd.DataFrame({"item": [1, 1, 2], "rating": [4.0, 4.0, 2.0], "before": [3.0, 5.0, 4.0]})
    table["after"] = table["before"] + [1.0, 1.0, -1.0]
    found = explain.spoiling_effects({"x": table}).loc["x"]
    assert found["change"] == pytest.approx(1) and found["items"] == 2 and found["ratings"] == 3
    before, after = [1, 4], [2, 1]  # squared errors per item
    assert found["mse"] == pytest.approx(100 * (np.mean(after) - np.mean(before)) / np.mean(before))


def test_only_changes_that_stand_up_to_adjustment_are_said_to_hurt():
    random = np.random.default_rng(2)
    table = pd.DataFrame({"item": range(60), "rating": 3.0, "before": 3 + random.normal(size=60)})
    same = table.assign(after=table["before"] + 0.01 * random.normal(size=60))
    worse, better = (table.assign(after=3 + (table["before"] - 3) * scale) for scale in (2.0, 0.5))
    found = explain.spoiling_effects({"same": same, "worse": worse, "better": better})
    assert explain.spoiling_sentence(found).endswith(
        "(one training each, Holm-adjusted p < 0.05): worse."
    )
    assert explain.spoiling_sentence(found.loc[["same", "better"]]).startswith("No way of spoiling")


def test_only_models_of_visual_fusion_are_explained(setting):
    data, split, inputs = setting
    model = build_model("bonmf", BoNMFConfig(), inputs, seed=0)
    with pytest.raises(ModelError, match="does not read pictures as visual fusion does"):
        explain.spoilt_predictions(
            model, data, split, inputs.image, explain.swapped(inputs.image, np.array([1, 2]))
        )


def test_covering_cells_needs_the_picture(setting):
    data, split, _ = setting
    encoder = get_encoder("pixels", "image")
    own = encoder.encode(
        [Path(path).read_bytes() for path in data.items["image"]], torch.device("cpu")
    )["mean"]
    features = Features(own, np.ones(data.n_items, bool), "pixels", "1", "pixels")
    inputs = ModelInputs(data.n_users, data.n_items, 3.4, image=features)
    config = VisualFusionConfig(fusion="sum", modalities=("image",))
    model = build_model("visual-fusion", config, inputs, seed=0)
    items = np.array([3, 7])
    maps = explain.occlusion_maps(model, data, split, features, items, encoder, "mean")
    same = explain.spoil(data, items, encoder, "mean", {"same": lambda pixels: pixels})["same"]
    np.testing.assert_allclose(same.matrix, own[items], atol=1e-6)
    assert maps.shape == (2, 3, 3) and np.isfinite(maps).all() and (maps.max((1, 2)) > 0).all()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    return Run(NotebookParameters(profile="smoke", run_dir=str(tmp_path_factory.mktemp("run"))))


def test_networks_are_explained_by_name(run, monkeypatch):
    monkeypatch.setenv("BONMF_WORKERS", "1")
    training = TrainingConfig(epochs=1, batch_size=512, learning_rate=0.005)
    kinds = ("sum", "concatenation")
    rows = [
        Variant(f"Fusion, {k}", "early", "visual-fusion", VisualFusionConfig(fusion=k), training)
        for k in kinds
    ]
    models = explain.explained_models(run, rows, 0)
    assert list(models) == list(kinds)
    assert models["sum"].model.config.fusion == "sum"
    assert explain.effects_by_model(run.dataset, models) == {}  # neither attends to regions
    encoder = get_encoder(run.settings.encoders.image, "image")
    spoilt = explain.spoilt_pictures(run, models, encoder, encoder.default_pooling)
    ways = [*explain.SPOILINGS, "another item's"]
    assert list(spoilt.index) == [f"{way} ({kind})" for kind in kinds for way in ways]
    assert spoilt.index.name == "pictures"
    assert len(set(spoilt["items"])) == 1
    with pytest.raises(ModelError, match="got none"):
        explain.spoilt_pictures(run, {}, encoder, encoder.default_pooling)


def test_most_rated_pictures_can_be_read(run):
    shown = explain.most_rated_pictures(run, 5)
    counts = run.dataset.ratings["item"].value_counts()
    assert len(shown) == 5
    assert counts[shown].is_monotonic_decreasing
    assert (
        explain.picture_files(run.dataset, shown)[1]
        == Path(run.dataset.items["image"][shown[1]]).read_bytes()
    )


def test_what_an_encoder_has_nothing_of_is_said(run):
    assert list(picture_parts.attention(run.dataset, [0], get_encoder("pixels", "image"))) == [
        "pixels is no Vision Transformer; it has no attention to show."
    ]
    assert list(picture_parts.regions({})) == [
        "No regions: this encoder gives one vector per picture."
    ]
    numbers = pd.DataFrame(
        {name: np.arange(9.0) for name in ("weight", "spread", "change", "agreement")}
    )
    effects = {"by text": numbers.rename_axis("region"), "by user": numbers.rename_axis("region")}
    means, figure = picture_parts.regions(effects)
    assert means.index.tolist() == ["by text", "by user"]
    assert len(figure.axes) == 6  # and two colour bars
    assert picture_parts.region_table(effects).columns[:2].tolist() == ["fusion", "region"]
    maps = np.stack([np.full((3, 3), np.nan), np.full((3, 3), 0.25)])
    assert picture_parts.cover_notes(maps) == {"covered": ["no ratings", "at most 0.250"]}
