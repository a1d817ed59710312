"""``make bench``, third part: a folder of a million ratings, loaded and checked, beside what pandas
alone takes to read its two files (to be at most 3 seconds more), and the memory that it takes at
most. Seconds are the processor's, so that other programs do not count.

Ids are text in one folder and whole numbers in the other; the second one's titles stand in quotes,
so that its items are read row by row. Before anything is timed, both sides must have the same
ratings.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bonmf_lib.datasets.folder import load_folder

USERS, ITEMS = 50_000, 20_000
EXTRA = 3.0  # seconds over pandas' own reading


def write_folder(folder: Path, ratings: int, texts: bool) -> None:
    """Different random pairs with times, and titled items with a description."""
    draw = np.random.default_rng(0)
    keys = draw.permutation(np.unique(draw.integers(0, USERS * ITEMS, ratings * 11 // 10)))
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ratings", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = [bench_folder(options.ratings, texts, options.rounds) for texts in (False, True)]
    print(pd.DataFrame(table).to_string(index=False))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # KiB on Linux
    print(f"memory at most: {most:,.0f} MiB")


if __name__ == "__main__":
    main()
