"""Every error a user can cause: one sentence that says what is wrong, where, and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class BonmfError(Exception):
    """Base of all errors raised on purpose by this library; a notebook shows one as its sentence,
    and ``%debug`` goes to where it was raised."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: lines that it prints below one another."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(BonmfError):
    """An unknown name or a bad value in a configuration, profile or notebook parameter."""


class SourceError(BonmfError):
    """A file could not be had, or is not the file it should be."""


class DatasetError(BonmfError):
    """The raw data break a rule of the data set; names file, row and mend."""


class SplitError(BonmfError):
    """A split is empty, overlapping or impossible on these data."""


class EncoderError(BonmfError):
    """A text or image encoder cannot do what was asked."""


class UnreadableError(EncoderError):
    """Not one of the pictures can be read."""


class ModelError(BonmfError):
    """A model got ids or inputs it was not built for."""


class TrainingError(BonmfError):
    """Training cannot start or went wrong (for instance a NaN loss)."""


class RecordError(BonmfError):
    """A record is malformed or contradicts one that is already there."""


class DamagedError(BonmfError):
    """A file of a run or of the cache is not as it was written."""


class OverlapError(BonmfError):
    """Overlap was asked of matrices that do not describe the same items."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Sentence for a name that is not registered, with the nearest known one."""
    known = sorted(known)
    near = get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}."
