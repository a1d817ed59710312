"""Planted data: ratings, texts and pictures generated from known latent factors.

Item factors have three blocks: shared (told by both text and picture), text-only and image-only.
The share of the shared block is the truth that overlap estimators must recover and the ratings use
all three blocks, so a model that reads a modality well must profit from it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from ..storage import atomic_dir, cache_dir, is_whole, json_sha256
from .dataset import Dataset, RatingScale, build_dataset, check_ratings

SCALE = RatingScale(1, 5, 1)
_TILE = 8  # pixels per picture tile
_NOUNS = [
    "storm",
    "harbour",
    "violin",
    "desert",
    "robot",
    "garden",
    "mirror",
    "castle",
    "engine",
    "river",
    "lantern",
    "forest",
]
_LEVELS = ("no", "faint", "some", "much", "vast")


@dataclass(frozen=True)
class PlantedTruth:
    """What the generator knows: item factors per block, shapes (items, block size), and the
    overlap."""

    shared: np.ndarray
    text_only: np.ndarray
    image_only: np.ndarray

    @property
    def overlap(self) -> float:
        """Share of a modality's factors that the other tells as well, in [0, 1]."""
        return self.shared.shape[1] / (self.shared.shape[1] + self.text_only.shape[1])


def load_planted(
    n_users: int = 120,
    n_items: int = 80,
    ratings_per_user: int = 30,
    factors: int = 6,
    shared: int = 2,
    seed: int = 0,
) -> tuple[Dataset, PlantedTruth]:
    """Generate a small data set and its truth; the same arguments give the same data.

    Args:
        factors: latent factors each modality tells (at most 12); ``shared`` of them are told by
        both.
    """
    random = np.random.default_rng([seed, n_users, n_items, ratings_per_user, factors, shared])
    blocks = [
        random.standard_normal((n_items, size))
        for size in (shared, factors - shared, factors - shared)
    ]
    truth = PlantedTruth(*blocks)
    taste = random.standard_normal((n_users, 2 * factors - shared)) / np.sqrt(2 * factors - shared)
    affinity = taste @ np.concatenate(blocks, axis=1).T
    biases = 0.4 * random.standard_normal((n_users, 1)) + 0.4 * random.standard_normal((1, n_items))
    noise = 0.3 * random.standard_normal((n_users, n_items))
    score = np.clip(np.rint(3.4 + biases + affinity + noise), SCALE.low, SCALE.high)
    chosen = np.argsort(random.random((n_users, n_items)), axis=1)[:, :ratings_per_user]
    users = np.repeat(np.arange(n_users), ratings_per_user)
    items = chosen.reshape(-1)
    ratings = pd.DataFrame(
        {
            "user": users,
            "item": items,
            "rating": score[users, items],
            "timestamp": range(len(users)),
        }
    )

    text = np.concatenate([truth.shared, truth.text_only], axis=1)
    pictures = np.concatenate([truth.shared, truth.image_only], axis=1)
    table = pd.DataFrame(
        {"raw_id": range(n_items), "title": [f"Planted {number}" for number in range(n_items)]}
    )
    table["year"] = pd.array(random.integers(1950, 2001, n_items), dtype="Int64")
    table["genres"] = [("Bright",) if row[0] > 0 else ("Dark",) for row in text]
    table["text"] = table["plot"] = [_describe(row) for row in text]
    table["image"] = _paint(pictures)
    people = pd.DataFrame({"raw_id": range(n_users), "gender": np.where(taste[:, 0] > 0, "F", "M")})
    people["age"] = random.integers(18, 70, n_users)
    people["occupation"] = random.choice(["artist", "baker", "clerk"], n_users)
    checked = check_ratings(ratings, SCALE, "planted", 1)
    return build_dataset("planted", "packaged", checked, people, table, SCALE, "planted"), truth


def _levels(row: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(row + 2), 0, 4).astype(int)


def _describe(row: np.ndarray) -> str:
    """One phrase per factor: five levels of a noun of its own."""
    phrases = [
        f"{_LEVELS[level]} {noun}" for level, noun in zip(_levels(row), _NOUNS, strict=False)
    ]
    return ", ".join(f"{phrase} {phrase.split()[0]}{phrase.split()[1]}" for phrase in phrases) + "."


def _paint(factors: np.ndarray) -> list[str]:
    """One tile per factor, its brightness the factor's value; files in the cache."""
    folder = cache_dir("planted") / json_sha256(np.round(factors, 6).tolist())[:16]
    if not is_whole(folder):
        with atomic_dir(folder) as temporary:
            for number, row in enumerate(factors):
                shades = np.clip(127.5 + 50 * row, 0, 255).astype(np.uint8)
                strip = np.kron(
                    np.stack([shades, shades[::-1]]), np.ones((_TILE * 2, _TILE), np.uint8)
                )
                Image.fromarray(strip).convert("RGB").save(temporary / f"{number}.png")
    return [str(folder / f"{number}.png") for number in range(len(factors))]
