"""``make bench``, third part: a folder of a million ratings, loaded and checked, beside what pandas
alone takes to read its two files (to be at most 3 seconds more), and the memory that it takes at
most. Seconds are the processor's, so that other programs do not count.

Ids are text in one folder and whole numbers in the other; the second one's titles stand in quotes,
so that its items are read row by row. Before anything is timed, both sides must have the same
ratings.

A third folder's ratings are of ten times as many users. A process of its own loads it and solves
what of its audit grows most with users, the content biases, on vectors as long as the packaged
encoder's (to stay below 4 GiB).
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bonmf_lib.datasets.folder import load_folder
from bonmf_lib.encoders import Features
from bonmf_lib.memory import peak_mib
from bonmf_lib.models import ModelInputs, build_model, item_fields
from bonmf_lib.models.rating.content_bias import ContentBiasConfig

USERS, ITEMS = 50_000, 20_000
MANY_USERS = 10 * USERS
DIM = 384  # of the texts' vectors
EXTRA = 3.0  # seconds over pandas' own reading
MOST_MIB = 4 * 2**10


def write_folder(folder: Path, ratings: int, texts: bool, users: int = USERS) -> None:
    """Different random pairs with times, and titled items with a description."""
    draw = np.random.default_rng(0)
    keys = draw.permutation(np.unique(draw.integers(0, users * ITEMS, ratings * 11 // 10)))
    keys = keys[:ratings]
    table = pd.DataFrame({"user": keys // ITEMS, "item": keys % ITEMS})
    table["rating"] = draw.integers(1, 6, len(table))
    table["timestamp"] = draw.integers(1_500_000_000, 1_600_000_000, len(table))
    items = pd.DataFrame({"item": range(ITEMS)})
    items["title"] = [f"{'The ' * (n % 3)}item{', quoted' * (not texts)} {n}" for n in range(ITEMS)]
    items["plot"] = [f"Somebody meets number {n % 97} and they talk" for n in range(ITEMS)]
    if texts:
        table["user"], table["item"] = (
            "u" + table["user"].astype(str),
            "B0" + table["item"].astype(str),
        )
        items["item"] = "B0" + items["item"].astype(str)
    table.to_csv(folder / "ratings.csv", index=False)
    items.to_csv(folder / "items.csv", index=False)


def bench_folder(ratings: int, texts: bool, rounds: int) -> dict:
    """Seconds of both sides, in turn."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_folder(folder, ratings, texts)
        pairs = []
        for _ in range(rounds):
            started = time.process_time()
            plain = [pd.read_csv(folder / name) for name in ("ratings.csv", "items.csv")]
            read = time.process_time()
            data = load_folder(str(folder), "full")
            pairs.append((read - started, time.process_time() - read))
            np.testing.assert_array_equal(data.ratings["rating"], plain[0]["rating"])
            raw = data.users["raw_id"].to_numpy()[data.ratings["user"]]
            np.testing.assert_array_equal(raw.astype(str), plain[0]["user"].astype(str))
    alone, loaded = (sorted(times)[len(pairs) // 2] for times in zip(*pairs, strict=True))
    return {
        "what": f"folder of {ratings:,} ratings, ids {'text' if texts else 'numbers'}",
        "pandas, s": round(alone, 2),
        "library, s": round(loaded, 2),
        "more, s": round(loaded - alone, 2),
        "within 3 s": loaded - alone < EXTRA,
    }


def kept_by_an_audit(folder: str) -> dict:
    """The most memory that this process has taken once a folder is loaded, and once its content
    biases are solved on all of its ratings."""
    started = time.process_time()
    data = load_folder(folder, "full")
    loaded = peak_mib()
    vectors = np.random.default_rng(0).standard_normal((data.n_items, DIM), np.float32)
    text = Features(vectors, np.ones(data.n_items, bool), "made", "1", "key")
    inputs = ModelInputs(data.n_users, data.n_items, 3.0, text=text, item_fields=item_fields(data))
    model = build_model("content-bias", ContentBiasConfig(modalities=("text",)), inputs, 0)
    columns = (data.ratings[name].to_numpy() for name in ("user", "item", "rating"))
    model.solve(*map(torch.from_numpy, columns))
    return {
        "what": f"{len(data.ratings):,} ratings of {data.n_users:,} users",
        "loaded, MiB": round(loaded),
        "content biases, MiB": round(peak_mib()),
        "processor, s": round(time.process_time() - started, 1),
        "below 4 GiB": peak_mib() < MOST_MIB,
    }


def bench_memory(ratings: int) -> dict:
    """Of a fresh process, which has not yet taken any memory."""
    with tempfile.TemporaryDirectory() as temporary:
        write_folder(Path(temporary), ratings, False, MANY_USERS)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(kept_by_an_audit, (temporary,))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = [bench_folder(options.ratings, texts, options.rounds) for texts in (False, True)]
    print(pd.DataFrame(table).to_string(index=False))
    print(f"memory at most: {peak_mib():,.0f} MiB")
    print(pd.DataFrame([bench_memory(options.ratings)]).to_string(index=False))


if __name__ == "__main__":
    main()
