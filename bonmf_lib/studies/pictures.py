"""What a model makes of pictures: where attention looks,
and what changes when pictures are spoilt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageFilter
from torch import nn

from ..datasets import Dataset
from ..device import pick_device
from ..encoders import Features
from ..encoders.image import GRID, VisionTransformer, decode, encode_png, pool_pictures
from ..encoders.masked_text import without_text
from ..encoders.preparation import prepare
from ..errors import ModelError
from ..evaluation import holm, mean_interval
from ..models import RatingModel
from ..models.layers import ProjectedFeatures
from ..models.rating.visual_fusion import RegionAttention, VisualFusion
from ..runs.run import Run
from ..runs.training import Training, trained_side_by_side
from ..runs.variant import Variant
from ..splits.split import Split
from ..training.batches import Triples
from ..training.loop import predict

_BLUR = 0.05  # standard deviation of the blur, as a share of the picture's shorter side
_ROWS = 20_000  # test ratings that attention to regions is averaged over


def blurred(pixels: np.ndarray) -> np.ndarray:
    """The picture (H, W, 3) without any detail:
    a Gaussian blur of a twentieth of its shorter side."""
    return np.asarray(
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(_BLUR * min(pixels.shape[:2])))
    )


def one_colour(pixels: np.ndarray) -> np.ndarray:
    """The picture's mean colour everywhere."""
    return np.broadcast_to(pixels.mean((0, 1)).astype(np.uint8), pixels.shape)


def occluded(pixels: np.ndarray, cell: int) -> np.ndarray:
    """One cell of the GRID x GRID (counted row by row) replaced by the picture's mean colour."""
    out = pixels.copy()
    row, column = divmod(cell, GRID)
    edges = [np.linspace(0, side, GRID + 1).round().astype(int) for side in pixels.shape[:2]]
    out[edges[0][row] : edges[0][row + 1], edges[1][column] : edges[1][column + 1]] = pixels.mean(
        (0, 1)
    )
    return out


SPOILINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "text masked": without_text,
    "blurred": blurred,
    "one colour": one_colour,
}


def attention_rollout(vit: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """How much each patch reaches the class token (Abnar & Zuidema, 2020, eq. 1): (B, 3, S, S) ->
    (B, side, side).

    The product over layers of (A + I) / 2, A being the mean attention over heads; each map sums to
    1.

    Args:
        vit: a timm Vision Transformer in evaluation mode. pixels: normalised as it expects.
    """
    found, hooks, fused = [], [], [block.attn.fused_attn for block in vit.blocks]
    for block in vit.blocks:
        block.attn.fused_attn = False  # only then is the attention matrix made
        hooks.append(
            block.attn.attn_drop.register_forward_hook(lambda _, __, out: found.append(out.mean(1)))
        )
    try:
        with torch.inference_mode():
            vit.forward_features(pixels)
    finally:
        for block, was, hook in zip(vit.blocks, fused, hooks, strict=True):
            block.attn.fused_attn = was
            hook.remove()
    identity = torch.eye(found[0].shape[-1], device=found[0].device)
    rolled = identity.expand_as(found[0])
    for attention in found:
        rolled = (attention + identity) / 2 @ rolled
    patches = rolled[:, 0, vit.num_prefix_tokens :]
    side = int(patches.shape[1] ** 0.5)
    return (patches / patches.sum(1, keepdim=True)).unflatten(1, (side, side))


def rollout_maps(encoder: VisionTransformer, pictures: Sequence[bytes]) -> np.ndarray:
    """:func:`attention_rollout` of pictures, read as the encoder reads them: (pictures, side,
    side); zero where a picture cannot be read."""
    device = pick_device()
    vit = encoder.model().to(device)
    mean, std = vit.pretrained_cfg["mean"], vit.pretrained_cfg["std"]

    def rollout(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"rollout": attention_rollout(vit, pixels).flatten(1)}

    maps = pool_pictures(rollout, pictures, encoder.image_size, mean, std, device, encoder.name)[
        "rollout"
    ]
    side = int(maps.shape[1] ** 0.5)
    return maps.reshape(-1, side, side)


def most_rated_pictures(run: Run, count: int) -> list[int]:
    """The most rated items whose picture can be read, at most ``count``, the most rated first."""
    readable = run.features("image").present
    popular = run.dataset.ratings["item"].value_counts().index
    return [int(item) for item in popular[readable[popular]][:count]]


def picture_files(dataset: Dataset, items: Sequence[int]) -> list[bytes]:
    """The items' pictures as their files hold them."""
    return [Path(dataset.items["image"].iloc[item]).read_bytes() for item in items]


@dataclass(frozen=True)
class Explained:
    """A trained network, the split it learned from, and the pictures' features it reads."""

    model: VisualFusion
    split: Split
    features: Features


def explained_models(run: Run, rows: list[Variant], seed: int) -> dict[str, Explained]:
    """The rows of fusions trained on one seed, by name without the prefix that all share."""
    trainings = [Training(run, row, seed) for row in rows]
    return {
        one.variant.name.removeprefix("Fusion, "): Explained(
            model, one.split, one.variant.features(run, "image")
        )
        for one, model in zip(trainings, trained_side_by_side(trainings), strict=True)
    }


def effects_by_model(dataset: Dataset, models: dict[str, Explained]) -> dict[str, pd.DataFrame]:
    """:func:`region_effects` of every network that attends to regions; empty where pictures have
    one vector each."""
    return {
        name: region_effects(one.model, dataset, one.split, one.features)
        for name, one in models.items()
        if one.model.config.fusion == "attention"
    }


def spoilt_pictures(run: Run, models: dict[str, Explained], encoder, pooling: str) -> pd.DataFrame:
    """:func:`spoiling_effects` of every way of spoiling and of another item's picture, on every
    network, over the same sample of items; one row per way and network, by these names.

    Raises:
        ModelError: there is no network.
    """
    if not models:
        raise ModelError("Spoilt pictures need a trained network that reads pictures, got none.")
    first = next(iter(models.values()))
    sample = sample_items(
        run.dataset, first.split, first.features, run.settings.studies.explained_pictures
    )
    spoilt = spoil(run.dataset, sample, encoder, pooling, SPOILINGS)
    spoilt["another item's"] = swapped(first.features, sample)
    predicted = {
        f"{how} ({name})": spoilt_predictions(
            one.model, run.dataset, one.split, one.features, changed
        )
        for name, one in models.items()
        for how, changed in spoilt.items()
    }
    return spoiling_effects(predicted).rename_axis("pictures")


def _sample(split: Split, seed: int) -> np.ndarray:
    rows = split.test
    return (
        rows
        if len(rows) <= _ROWS
        else np.sort(np.random.default_rng(seed).choice(rows, _ROWS, replace=False))
    )


@torch.no_grad()
def region_effects(
    model: VisualFusion, dataset: Dataset, split: Split, features: Features, seed: int = 0
) -> pd.DataFrame:
    """Attention to each region against what happens without it, over test ratings of items with a
    picture.

    Returns:
        one row per region (row by row over the grid): weight (mean attention; 1 / regions = no
        preference), spread (its standard deviation over ratings), change (mean absolute change of
        the predicted rating, when the region gets no attention and the others share it), agreement
        (Spearman correlation over ratings between the weight and the change; NaN when either is
        constant).
    """
    device = pick_device()
    rows = _sample(split, seed)
    rows = rows[features.present[dataset.ratings["item"].to_numpy()[rows]]]
    part = Triples.of(dataset, rows, device)
    model.to(device).eval()
    weights = torch.cat([
        model.attention(users, items)
        for users, items in zip(part.users.split(4096), part.items.split(4096), strict=True)
    ]).cpu().numpy()  # fmt: skip
    scale, out = dataset.scale, []
    base = predict(model, part.users, part.items).clamp(scale.low, scale.high)
    for region in range(features.regions):
        model.regions.left_out = region
        try:
            without = predict(model, part.users, part.items).clamp(scale.low, scale.high)
        finally:
            model.regions.left_out = None
        change = (without - base).abs().cpu().numpy()
        agreement = pd.Series(weights[:, region]).corr(pd.Series(change), method="spearman")
        own = weights[:, region]
        out.append(
            {
                "weight": own.mean(),
                "spread": own.std(),
                "change": change.mean(),
                "agreement": agreement,
            }
        )
    return pd.DataFrame(out).rename_axis("region")


@dataclass(frozen=True)
class Spoilt:
    """Features of some items' pictures after something was done to them: rows (items, dim) in the
    items' order."""

    items: np.ndarray
    matrix: np.ndarray


def spoil(
    dataset: Dataset,
    items: np.ndarray,
    encoder,
    pooling: str,
    changes: dict[str, Callable[[np.ndarray], np.ndarray]],
) -> dict[str, Spoilt]:
    """Encode the items' pictures after each of the changes to their pixels; unreadable pictures are
    left out."""
    decoded = {item: decode(Path(dataset.items["image"].iloc[item]).read_bytes()) for item in items}
    readable = {item: pixels for item, pixels in decoded.items() if pixels is not None}
    pictures = [
        encode_png(change(pixels)) for change in changes.values() for pixels in readable.values()
    ]
    # at once: loading takes longer
    encoded = np.split(encoder.encode(pictures, pick_device())[pooling], len(changes))
    return {
        name: Spoilt(np.array(list(readable)), matrix)
        for name, matrix in zip(changes, encoded, strict=True)
    }


def sample_items(
    dataset: Dataset, split: Split, features: Features, count: int, seed: int = 0
) -> np.ndarray:
    """Random items with a picture and with test ratings, sorted."""
    tested = np.unique(dataset.ratings["item"].to_numpy()[split.test])
    tested = tested[features.present[tested]]
    return np.sort(np.random.default_rng(seed).permutation(tested)[:count])


def swapped(features: Features, items: np.ndarray, seed: int = 0) -> Spoilt:
    """Each item with the features of another one of these items."""
    order = np.random.default_rng(seed).permutation(items)
    matrix = features.matrix.copy()
    matrix[order] = features.matrix[np.roll(order, 1)]
    return Spoilt(items, matrix[items])


def occlusion_maps(
    model: RatingModel,
    dataset: Dataset,
    split: Split,
    features: Features,
    items: np.ndarray,
    encoder,
    pooling: str,
) -> np.ndarray:
    """Mean absolute change of each item's predicted test ratings when one cell of its picture is
    covered: (items, GRID, GRID), NaN without test ratings."""
    maps = np.full((len(items), GRID * GRID), np.nan)
    changes = {str(cell): partial(occluded, cell=cell) for cell in range(GRID * GRID)}
    for cell, spoilt in enumerate(spoil(dataset, items, encoder, pooling, changes).values()):
        table = spoilt_predictions(model, dataset, split, features, spoilt)
        change = (table["after"] - table["before"]).abs().groupby(table["item"]).mean()
        maps[:, cell] = change.reindex(items)
    return maps.reshape(-1, GRID, GRID)


@torch.no_grad()
def spoilt_predictions(
    model: RatingModel, dataset: Dataset, split: Split, features: Features, spoilt: Spoilt
) -> pd.DataFrame:
    """Test ratings of the spoilt items with predictions before and after: columns item, rating,
    before, after.

    Args:
        features: what the model was built on; the spoilt rows are prepared like these.
    """
    rows = split.test[np.isin(dataset.ratings["item"].to_numpy()[split.test], spoilt.items)]
    part = Triples.of(dataset, rows, pick_device())
    holder = _holder(model)
    scale, whole = dataset.scale, holder.matrix
    before = predict(model, part.users, part.items).clamp(scale.low, scale.high)
    holder.matrix = whole.clone()
    spoilt_rows = prepare(features, spoilt.matrix, model.config.image_preparation)
    holder.matrix[torch.from_numpy(spoilt.items)] = torch.from_numpy(spoilt_rows).to(whole)
    try:
        after = predict(model, part.users, part.items).clamp(scale.low, scale.high)
    finally:
        holder.matrix = whole
    table = dataset.ratings.iloc[rows][["item", "rating"]].reset_index(drop=True)
    return table.assign(before=before.cpu().numpy(), after=after.cpu().numpy())


def _holder(model: RatingModel) -> ProjectedFeatures | RegionAttention:
    """The part of a visual-fusion model that holds the pictures' features."""
    if not isinstance(model, VisualFusion) or "image" not in model.config.modalities:
        raise ModelError(f"{type(model).__name__} does not read pictures as visual fusion does.")
    return model.regions if model.config.fusion == "attention" else model.projected["image"]


def spoiling_effects(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of :func:`spoilt_predictions` by what was done, summed up with 95 % intervals over
    items, each item counting alike.

    Returns:
        columns change, change_low, change_high (mean absolute change of a prediction, in the
        rating's unit), mse, mse_low, mse_high (change of the items' MSE in percent of their mean
        MSE before), p_holm (of that change, adjusted over the rows), items, ratings.
    """
    rows = {}
    for name, table in tables.items():
        errors = (table[["before", "after"]].sub(table["rating"], axis=0)) ** 2
        errors["change"] = (table["after"] - table["before"]).abs()
        means = errors.groupby(table["item"]).mean()
        means["mse"] = 100 * (means["after"] - means["before"]) / means["before"].mean()
        row = {"items": len(means), "ratings": len(table)}
        for kind in ("change", "mse"):
            found = mean_interval(means[kind].to_numpy(), test_share=0)
            row |= {
                kind: found.mean,
                f"{kind}_low": found.low,
                f"{kind}_high": found.high,
                "p_value": found.p_value,
            }
        rows[name] = row
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.assign(p_holm=holm(frame["p_value"].tolist())).drop(columns="p_value")


def spoiling_sentence(table: pd.DataFrame) -> str:
    """Which changes make predictions worse, in words chosen by the adjusted tests of
    :func:`spoiling_effects`."""
    worse = table.index[(table["p_holm"] < 0.05) & (table["mse"] > 0)]
    if not len(worse):
        return (
            "No way of spoiling pictures is shown to make predictions worse "
            "(one training each, Holm-adjusted)."
        )
    return (
        "Spoilt pictures make predictions worse (one training each, Holm-adjusted p < 0.05): "
        f"{', '.join(worse)}."
    )
