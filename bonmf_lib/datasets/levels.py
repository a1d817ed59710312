"""Which values of a categorical column models read, where it has very many."""

import warnings
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

MOST_LEVELS = 100  # that are read without choice; of those published, games have most, 50 genres


def kept_levels(rows: Iterable[tuple]) -> list:
    """All levels in order; of more than ``MOST_LEVELS`` those of at least two rows, and of these
    the ``MOST_LEVELS`` of most rows, of equally many the first in order.

    Args:
        rows: the levels of each row, none of them twice.
    """
    counts = Counter(level for row in rows for level in row)
    levels = sorted(counts)
    if len(levels) > MOST_LEVELS:
        shared = [level for level in levels if counts[level] > 1]
        levels = sorted(sorted(shared, key=lambda level: -counts[level])[:MOST_LEVELS])
    return levels


def warn_of_unread(path: Path, rows: Collection[tuple], what: str, whose: str) -> None:
    """Say which of a file's ``what`` (of its ``whose``) are no fields, where not all are kept."""
    found, kept = {level for row in rows for level in row}, kept_levels(rows)
    if len(kept) < len(found):
        read = f"{len(kept)} of them as fields: those of most {whose}s, each of at least two"
        warnings.warn(
            f"{path}: holds {len(found):,} different {what}, and models read "
            f"{read if kept else f'none of them as fields: each is of one {whose}'}.",
            stacklevel=3,
        )
