"""Whether ratings are enough to be split and learnt from, or so few that they tell little."""

import warnings

import numpy as np
import pandas as pd

from ..errors import DatasetError

FEWEST_RATINGS = 8  # that can be split 7:3, with a tenth of the training part for validation
_FEW_RATINGS = 30  # below which they are loaded with a warning
_MANY_ONCE = 0.1  # of the users rated one item each: said


def is_enough(ratings: pd.DataFrame) -> bool:
    """Whether they are neither fewer than ``FEWEST_RATINGS`` nor all alike."""
    return len(ratings) >= FEWEST_RATINGS and not are_alike(ratings)


def are_alike(ratings: pd.DataFrame) -> bool:
    """Whether every rating is the same, as float32, which data sets hold."""
    with np.errstate(over="ignore"):  # what float32 does not hold is refused later
        return ratings["rating"].astype("float32").nunique() < 2


def check_enough(ratings: pd.DataFrame, source: str, left_by: str = "", rates: bool = True) -> None:
    """``DatasetError`` where ratings are not enough (:func:`is_enough`).

    Args:
        source: the file or data set to name.
        left_by: what left others out, as its owner wrote it; "" = nothing did.
        rates: whether they differ where they are enough; pairs without ratings do not.
    """
    if is_enough(ratings) or not (rates or len(ratings) < FEWEST_RATINGS):
        return
    mend = "leave out fewer" if left_by else "add some"
    if len(ratings) < FEWEST_RATINGS:
        raise DatasetError(
            f"{source}: {f'{left_by} leaves' if left_by else 'holds'} {len(ratings)} ratings; a "
            f"split in training, validation and test needs at least {FEWEST_RATINGS}, {mend}."
        )
    lowest = ratings["rating"].min()
    if left_by:
        raise DatasetError(
            f"{source}: {left_by} leaves ratings of {lowest:g} only; nothing can be learnt from a "
            f"constant, {mend}."
        )
    raise DatasetError(
        f"{source}: every rating is {lowest:g}; nothing can be learnt from a constant, supply the "
        "ratings that people gave. Clicks and purchases without ratings are read from a file "
        "name.inter, as MMRec has it."
    )


def warn_of_little(ratings: pd.DataFrame, source: str, left_by: str, mend: str) -> None:
    """Say where ratings are few, or many users left one each.

    Args:
        source, left_by: as of :func:`check_enough`. mend: what leaves such users out.
    """
    if len(ratings) < _FEW_RATINGS:
        warnings.warn(
            f"{source}: {f'{left_by} leaves' if left_by else 'holds'} {len(ratings)} ratings, too "
            f"few to tell anything; give at least {_FEW_RATINGS}, better thousands.",
            stacklevel=3,
        )
    counts = ratings["user"].value_counts()
    if (once := int((counts == 1).sum())) >= _MANY_ONCE * len(counts):
        warnings.warn(
            f"{source}: {once:,} of {len(counts):,} users left one rating each, which tells "
            f"nothing of their taste once it is tested; {mend} leaves them out.",
            stacklevel=3,
        )
