"""The pictures of items as files, read when they are asked for: all at once would fill the
memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from ..errors import EncoderError
from .image import read_picture


class PictureFiles(Sequence):
    """Bytes of every item's picture (:func:`~bonmf_lib.encoders.image.read_picture`), None where
    it has none.

    Args:
        paths: of the pictures, None where there is none.

    Raises:
        EncoderError: when a picture is asked for again and its file has changed since, so that it
            is no longer the one that was hashed.
    """

    def __init__(self, paths: Sequence[str | None]) -> None:
        self._paths = paths
        self._read: dict[str, tuple[int, int] | None] = {}  # time and size when read first

    def of(self, places: Sequence[int]) -> "PictureFiles":
        """Those at some places, which must be as these have read them."""
        chosen = PictureFiles([self._paths[place] for place in places])
        chosen._read = self._read
        return chosen

    @property
    def there(self) -> np.ndarray:
        """Which items have a file, bool (items,); whether it can be read is another matter."""
        return np.array([path is not None for path in self._paths], bool)

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, place: int) -> bytes | None: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes | None]: ...
    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[number] for number in range(len(self))[place]]
        path = self._paths[place]
        if path is None:
            return None
        state = _state(path)
        if self._read.setdefault(path, state) != state:
            raise EncoderError(f"{path} was changed while it was encoded; run again.")
        return read_picture(path)


def _state(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
