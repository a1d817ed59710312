"""The files of an audit that other programs read: who is recommended what, how every rating was
predicted, and vectors of the items."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ..integrity import write_arrays
from ..runs.table_files import csv_text
from ..storage import atomic_path
from .hand_on import Handed
from .measured import Measured

RECOMMENDATIONS, PREDICTIONS = "recommendations.csv", "predictions.csv"
VECTORS, VECTOR_IDS = "item_vectors.safetensors", "item_vectors.csv"
_USERS_AT_ONCE, _SCORES_AT_ONCE = 1024, 2**23  # of all items for these users; 32 MiB, a few times
IDS = ("user", "item")  # columns whose words stay as they are


def write_files(measured: Measured, handed: Handed, row: str) -> pd.DataFrame:
    """Write all of them into the run folder; vectors where the model handed on has some.

    Args:
        row: whose predictions are written, where ratings are predicted.

    Returns:
        index file; column rows, how many each has.
    """
    run = measured.run
    folder, listed = run.run_dir, run.settings.audit.listed
    counts = {RECOMMENDATIONS: _write(folder / RECOMMENDATIONS, _recommended(handed, listed))}
    if len(measured.predicted.columns):
        parts = iter([_predictions(measured, handed, row)])
        counts[PREDICTIONS] = _write(folder / PREDICTIONS, parts)
    if handed.scores.has_vectors:
        vectors = {"vectors": handed.scores.item_vectors, "bias": handed.scores.item_bias}
        write_arrays(folder / VECTORS, vectors, handed.settings["fingerprint"][:16])
        ids = handed.items.rename_axis("row").reset_index()
        counts[VECTORS] = counts[VECTOR_IDS] = _write(folder / VECTOR_IDS, iter([ids]))
    else:
        for name in (VECTORS, VECTOR_IDS):  # of another model that was handed on before
            (folder / name).unlink(missing_ok=True)
    return pd.DataFrame({"rows": counts}).rename_axis("file")


def _recommended(handed: Handed, count: int) -> Iterator[pd.DataFrame]:
    """Columns user, rank, item, title, score, best first; users in blocks."""
    ids, titles = (handed.items[name].to_numpy(object) for name in ("item", "title"))
    block = min(_USERS_AT_ONCE, max(1, _SCORES_AT_ONCE // len(handed.items)))
    for start in range(0, len(handed.users), block):
        users = np.arange(start, min(start + block, len(handed.users)))
        items, scores = handed.best(users, count)
        lines, ranks = np.nonzero(items >= 0)
        chosen = items[lines, ranks]
        yield pd.DataFrame(
            {
                "user": handed.users.to_numpy(object)[users[lines]],
                "rank": ranks + 1,
                "item": ids[chosen],
                "title": titles[chosen],
                "score": scores[lines, ranks],
            }
        )


def _predictions(measured: Measured, handed: Handed, row: str) -> pd.DataFrame:
    """Columns user, item, rating, predicted and fold: of every tested rating, by a model that had
    not seen it."""
    values = measured.tested
    return pd.DataFrame(
        {
            "user": handed.users.to_numpy(object)[values["user"]],
            "item": handed.items["item"].to_numpy(object)[values["item"]],
            "rating": values["rating"].astype(np.float64),
            "predicted": measured.predicted[row],
            "fold": values["seed"],
        }
    )


def _write(path: Path, parts: Iterator[pd.DataFrame]) -> int:
    """Write tables below one another, in one step; texts are kept from being read as formulas, ids
    that are single words stay as they are. How many rows they have."""
    count = 0
    with (
        atomic_path(path, durable=False) as temporary,
        temporary.open("w", encoding="utf-8") as out,
    ):
        for place, part in enumerate(parts):
            text = csv_text(part, "%.5g", IDS)
            out.write(text.partition("\n")[2] if place else text)
            count += len(part)
    return count
