"""What counts where a user rated an item more than once."""

import warnings

import numpy as np
import pandas as pd

from ..errors import DatasetError
from .dataset import RatingScale
from .tables import line_of

RULES = ("refuse", "first", "last", "latest", "mean")  # the first: what holds unless one is named
_PAIR = ["user", "item"]


def check_once(ratings: pd.DataFrame, source: str) -> None:
    """``DatasetError`` where a user and an item are there twice; names both lines, which the index
    holds, of the first such rows."""
    twice = ratings.duplicated(_PAIR)
    if twice.any():
        line = line_of(twice)
        rule = "latest" if ratings["timestamp"].notna().all() else "last"
        first = (ratings[_PAIR] == ratings.loc[line, _PAIR]).all(axis=1)
        raise DatasetError(
            f"{source}, line {line}: the same user and item were rated before, on line "
            f"{line_of(first)} ({twice.sum()} such rows in all); keep one of them, or write "
            f'duplicates = "{rule}" in dataset.toml.'
        )


def resolved(ratings: pd.DataFrame, rule: str, scale: RatingScale, source: str) -> pd.DataFrame:
    """The ratings with one row for each user and item; how many rows go is said as a warning.

    Args:
        ratings: checked rows (user, item, rating, timestamp); the index holds their lines.
        rule: ``first`` or ``last`` row of the file; ``latest`` by time (of equal times the last
            row); ``mean`` of a pair's rows, rounded to the scale's steps (half a step to the even
            one), in place of the first, with the latest time; ``refuse``: see :func:`check_once`.
        scale: the rating scale.
        source: the file's name, for messages.

    Raises:
        DatasetError: ``latest`` where a pair that was rated again has a row without its time.
    """
    if rule == "refuse":
        return ratings
    again = ratings.duplicated(_PAIR, keep=False)
    if not again.any():
        return ratings
    if rule == "latest":
        if (unknown := again & ratings["timestamp"].isna()).any():
            raise DatasetError(
                f'{source}, line {line_of(unknown)}: duplicates = "latest" needs the time of every '
                'rating that was given again; fill it in, or choose "last" or "mean".'
            )
        by_time = ratings.sort_values("timestamp", kind="stable")
        kept = by_time[~by_time.duplicated(_PAIR, keep="last")].sort_index()
    elif rule == "mean":
        pairs = ratings[again].groupby(_PAIR, sort=False)
        steps = (pairs["rating"].transform("mean") - scale.low) / scale.step
        mean, latest = (
            scale.low + np.rint(steps.round(6)) * scale.step,
            pairs["timestamp"].transform("max"),
        )
        kept = ratings.assign(
            rating=mean.reindex(ratings.index).fillna(ratings["rating"]),
            timestamp=latest.reindex(ratings.index).fillna(ratings["timestamp"]),
        )
        kept = kept[~kept.duplicated(_PAIR)]
    else:
        kept = ratings[~ratings.duplicated(_PAIR, keep=rule)]
    warnings.warn(
        f'{source}: by duplicates = "{rule}" {len(kept):,} of {len(ratings):,} ratings are kept, '
        "one for each user and item.",
        stacklevel=2,
    )
    return kept
