"""Titles of figures: what was found, in words chosen from the numbers that the figure draws."""

from collections.abc import Mapping

import pandas as pd

from ...claims.judge import LEAST_SEEDS

_NAMED = 2  # so many names are listed, of more only the number
_LONG = 140  # letters of a sentence that names none


def splits(number: float) -> str:
    """``5 splits``."""
    return f"{number:.0f} split{'' if number == 1 else 's'}"


def listed(names: list[str], most: int = 8) -> str:
    """``a, b and c``; of more than ``most`` names the first ones, and how many more there are."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def against(
    reference: str,
    kinds: pd.Series,
    controls: pd.Series,
    phrases: Mapping[str, str],
    what: str,
    seeds: float,
) -> str:
    """How rows stand against a reference, and apart from them their controls.

    Args:
        kinds: each row's outcome, index name. controls: which rows are controls, same index.
        phrases: words by outcome; rows of any other outcome are told apart in no way.
        what: was measured, for the end of the sentence. seeds: number of them.
    """
    if seeds < LEAST_SEEDS:
        return (
            f"Against {reference}: {splits(seeds)}, too few to tell {len(kinds)} "
            f"row{'s' * (len(kinds) != 1)} apart ({what})"
        )
    for named in (_NAMED, 0):
        parts = [
            _counted(kinds[chosen], phrases, noun, named)
            for chosen, noun in ((~controls, "row"), (controls, "control"))
            if chosen.any()
        ]
        said = f"Against {reference}: {'; '.join(parts)} ({what}, {splits(seeds)})"
        if len(said) <= _LONG:
            break
    return said


def _counted(kinds: pd.Series, phrases: Mapping[str, str], noun: str, most: int) -> str:
    number = len(kinds)
    nouns = noun + "s" * (number != 1)
    parts = []
    for kind, phrase in phrases.items():
        names = list(kinds.index[kinds == kind])
        if names:
            named = f" ({listed(names)})" if len(names) <= min(most, number - 1) else ""
            parts.append(f"{len(names)} of {number} {nouns} {phrase}{named}")
    return ", ".join(parts) or f"none of {number} {nouns} differs clearly"
