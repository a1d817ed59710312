"""Which values of a categorical column models read, where it has very many."""

from collections import Counter
from collections.abc import Iterable

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
