"""Items and users that are held out whole, but for a few revealed ratings: as far as data allow
it, and said."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..datasets.words import shown_name
from ..runs.notebooks import skip_rest
from ..runs.run import Run
from ..runs.variant import Variant
from ..splits.revealed import RevealedItems, RevealedUsers

HELD_OUT_SHARE = 0.2  # of the items (users) that can be held out
LEAST_HELD = 20  # items (users) that can be held out, below which nothing is
RULES = {"item": RevealedItems, "user": RevealedUsers}


def reserve(run: Run, side: str) -> int | None:
    """Ratings of a held-out item (user) that never test: the most revealed ones of the profile for
    which ``LEAST_HELD`` can be held out; None where that is too few for none revealed."""
    counts = np.bincount(run.dataset.ratings[side])
    tried = sorted(run.settings.cold_start.revealed, reverse=True)
    return next((most for most in tried if (counts > most).sum() >= LEAST_HELD), None)


def revealed(run: Run, side: str) -> tuple[int, ...]:
    """Numbers of revealed ratings that the data allow."""
    most = reserve(run, side)
    tried = sorted(run.settings.cold_start.revealed)
    return tuple(n for n in tried if most is not None and n <= most)


def protocol(side: str, count: int | str) -> str:
    """How rows with so many revealed ratings are called; a pattern where the count is one."""
    return f"{side}s held out, {count} revealed"


def counts_in(records: pd.DataFrame, side: str) -> tuple[int, ...]:
    """How many ratings of held-out items (users) are revealed in some of the records, ascending."""
    told = records["protocol"].str.extract(protocol(f"^{side}", r"(\d+)"))[0]
    return tuple(sorted({int(count) for count in told.dropna()}))


def held_out(run: Run, side: str, rows: Sequence[Variant], counts: Iterable[int]) -> list[Variant]:
    """The rows where so many ratings of held-out items (users) are revealed, all of a number
    together."""
    most = reserve(run, side)
    return [
        replace(row, protocol=protocol(side, count), split=RULES[side](count, most, HELD_OUT_SHARE))
        for count in counts
        for row in rows
    ]


def ends(run: Run, side: str) -> tuple[int, ...]:
    """The fewest and the most ratings that are revealed."""
    counts = revealed(run, side)
    return tuple(dict.fromkeys((*counts[:1], *counts[-1:])))


def rest_needs_held_out(run: Run) -> None:
    """Say so and skip the cells below in this notebook where nothing can be held out, or nobody
    rated."""
    words, name = run.dataset.words, shown_name(run.dataset.name)
    if not run.dataset.scale.rates:
        skip_rest(f"{name} holds pairs without ratings: cold start of rankers is a part of 12.")
    elif reserve(run, "item") is None:
        skip_rest(
            f"Fewer than {LEAST_HELD} {words.items} of {name} have ratings to hold out: "
            "what follows asks about these and is left out."
        )


def held_out_sentence(run: Run) -> str:
    """What is held out, and what is revealed of it."""
    said = []
    for side, name in (("item", run.dataset.words.items), ("user", "users")):
        counts, most = revealed(run, side), reserve(run, side)
        if most is None:
            said.append(f"Too few {name} have ratings to hold out.")
            continue
        able = int((np.bincount(run.dataset.ratings[side]) > most).sum())
        tried = ", ".join(map(str, counts))
        said.append(
            f"{able:,} {name} have more than {most} ratings; {HELD_OUT_SHARE:.0%} of them are held "
            f"out, with {tried} ratings revealed."
        )
    return "\n".join(said)
