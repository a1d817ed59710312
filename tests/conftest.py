"""Shared fixtures: small planted data with its features, quiet progress, the mirror marker."""

import os
from pathlib import Path

import pytest
import torch

from bonmf_lib.datasets import Dataset, load_planted
from bonmf_lib.encoders import encode_items
from bonmf_lib.models import Interactions, ModelInputs, item_fields, user_fields
from bonmf_lib.splits import Split, ratio_split

os.environ.setdefault("BONMF_PROGRESS", "off")
ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device("cpu")


def pytest_collection_modifyitems(items):
    if os.environ.get("BONMF_MIRROR"):
        return
    skip = pytest.mark.skip(reason="needs real posters and plots (BONMF_MIRROR)")
    for item in items:
        if "mirror" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def planted() -> Dataset:
    return load_planted(n_users=200, n_items=100, ratings_per_user=40)[0]


@pytest.fixture(scope="session")
def split(planted) -> Split:
    return ratio_split(planted, test=0.3, valid=0.1, seed=0)


def model_inputs(dataset: Dataset, split: Split, text_encoder: str, image_encoder: str) -> ModelInputs:
    """Everything a model may look at, from the training ratings only."""
    train = dataset.ratings.iloc[split.train]
    return ModelInputs(
        dataset.n_users,
        dataset.n_items,
        mean_rating=float(train["rating"].mean()),
        text=encode_items(dataset, "text", text_encoder),
        image=encode_items(dataset, "image", image_encoder),
        user_fields=user_fields(dataset),
        item_fields=item_fields(dataset),
        interactions=Interactions(*(train[name].to_numpy() for name in ("user", "item", "rating"))),
    )


@pytest.fixture(scope="session")
def inputs(planted, split) -> ModelInputs:
    return model_inputs(planted, split, "tfidf", "pixels")


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """A cache of its own for one test."""
    monkeypatch.setenv("BONMF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
