"""Progress that is visible both in JupyterLab and in a batch run.

``BONMF_PROGRESS`` chooses: unset = tqdm bars (a widget in a notebook), ``off`` = nothing, anything
else = a file that gets one plain line at a time (the pipeline follows it on the terminal).
"""

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

from tqdm import tqdm as text_tqdm
from tqdm.auto import tqdm as auto_tqdm

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 5.0


class _Lines:
    """File-like object that turns tqdm's carriage-return redraws into whole lines, appended to a
    file."""

    def __init__(self, path: str):
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115 - lives as long as the bar

    def write(self, text: str) -> None:
        text = text.replace("\x1b[A", "").strip()  # nested bars move the cursor; a file has none
        if text:
            self._file.write(text + "\n")

    def flush(self) -> None:
        self._file.flush()


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Iterate over ``items`` while showing how far it is and how long it will take."""
    mode = os.environ.get("BONMF_PROGRESS", "")
    if mode == "off":
        return iter(items)
    if mode:
        sink: TextIO = _Lines(mode)  # type: ignore[assignment]
        layout = "  {desc}: {n_fmt}/{total_fmt}, {elapsed} gone, {remaining} to go"
        return iter(
            text_tqdm(
                items,
                label,
                total,
                file=sink,
                bar_format=layout,
                mininterval=_SECONDS_BETWEEN_LINES,
                leave=False,
            )
        )
    return iter(auto_tqdm(items, label, total, leave=False))


def announce(message: str) -> None:
    """Say what starts now, on the same channel as :func:`progress`."""
    mode = os.environ.get("BONMF_PROGRESS", "")
    if mode == "off":
        return
    if mode:
        _Lines(mode).write(f"  {message}")
    elif sys.stderr.isatty():
        print(message, file=sys.stderr)
