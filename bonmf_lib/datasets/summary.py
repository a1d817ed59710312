"""Tables that describe a data set."""

import numpy as np
import pandas as pd

from .dataset import Dataset


def summary(dataset: Dataset) -> pd.DataFrame:
    """Sizes, density and coverage, one row per fact (column ``value``, as text)."""
    ratings = dataset.ratings
    per_user, per_item = activity(dataset, "user"), activity(dataset, "item")
    facts = {
        "ratings": f"{len(ratings):,}",
        "users": f"{dataset.n_users:,}",
        "items": f"{dataset.n_items:,} ({int((per_item > 0).sum()):,} rated)",
        "rating scale": str(dataset.scale),
        **({"mean rating": f"{ratings['rating'].mean():.3f}"} if dataset.scale.rates else {}),
        "density of the rating matrix": f"{len(ratings) / dataset.n_users / dataset.n_items:.2%}",
        "ratings per user, median (least to most)": (
            f"{per_user.median():.0f} ({per_user.min()} to {per_user.max()})"
        ),
        "ratings per item, median (least to most)": (
            f"{per_item.median():.0f} ({per_item.min()} to {per_item.max()})"
        ),
        "items with fewer than 5 ratings": f"{(per_item < 5).mean():.1%}",
        "ratings on the top 10 % of items": f"{top_share(per_item, 0.1):.1%}",
        f"ratings with a known {'order' if dataset.order_alone else 'time'}": (
            f"{ratings['timestamp'].notna().mean():.1%}"
        ),
    }
    return pd.DataFrame({"value": facts}).rename_axis("fact")


def coverage(dataset: Dataset) -> pd.DataFrame:
    """Share of items, and of ratings on items, that have a text or a picture, or a vector that the
    data came with."""
    rated = dataset.ratings["item"].to_numpy()
    known = {
        "text": dataset.items["text"].notna().to_numpy(),
        "picture": dataset.items["image"].notna().to_numpy(),
    }
    called = {"text": "vector of the text", "image": "vector of the picture"}
    known |= {called[modality]: given.present for modality, given in dataset.vectors.items()}
    rows = {}
    for modality, present in known.items():
        rows[modality] = {
            "items": int(present.sum()),
            "share of items": float(present.mean()),
            "share of ratings": float(present[rated].mean()),
        }
    return pd.DataFrame(rows).T.astype({"items": int}).rename_axis("modality")


def activity(dataset: Dataset, side: str) -> pd.Series:
    """Ratings per ``user`` or ``item``, all ids included."""
    total = dataset.n_users if side == "user" else dataset.n_items
    return pd.Series(np.bincount(dataset.ratings[side], minlength=total), name="ratings")


def top_share(counts: pd.Series, share: float) -> float:
    """Share of all ratings that the most active ``share`` of ids holds."""
    ordered = counts.sort_values(ascending=False).to_numpy()
    return float(ordered[: max(1, round(share * len(ordered)))].sum() / ordered.sum())


def missing_examples(dataset: Dataset, modality: str, most: int = 5) -> pd.DataFrame:
    """The most rated items without a text or picture."""
    column = "image" if modality == "picture" else modality
    table = dataset.items[["title", "year"]].assign(ratings=activity(dataset, "item"))
    return table[dataset.items[column].isna()].nlargest(most, "ratings")
