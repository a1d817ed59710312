"""Execute one notebook of the pipeline with papermill, show its progress, and leave when the
pipeline is gone."""

import argparse
import logging
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_SECONDS_BETWEEN_LOOKS = 0.5
_SHOWN_OF_A_FAILURE = 15  # lines


def watch(progress: Path, terminal: TextIO, pipeline: int) -> None:
    """Pass on to the terminal what is written to a file; end this process, whatever it does, when
    its parent ``pipeline`` is gone. The notebook's kernel then ends itself, and so do its workers.
    """
    with progress.open(encoding="utf-8", errors="replace") as lines:
        while os.getppid() == pipeline:
            _say(lines.read(), terminal)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)


def _say(text: str, terminal: TextIO) -> None:
    with suppress(OSError):  # nobody listens any more; the work goes on
        terminal.write(text)
        terminal.flush()


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    pipeline = os.getppid()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--place", required=True, help="what it is called on the terminal")
    parser.add_argument(
        "--log", type=Path, required=True, help="gets what papermill says; .progress beside it"
    )
    parser.add_argument(
        "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "TEXT")
    )
    options = parser.parse_args(arguments)
    terminal, started = (
        os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8"),
        time.monotonic(),
    )
    _say(f"{options.place} starts\n", terminal)
    progress = options.log.absolute().with_suffix(".progress")
    progress.write_text("")
    os.environ["BONMF_PROGRESS"] = str(progress)
    threading.Thread(target=watch, args=(progress, terminal, pipeline), daemon=True).start()
    with options.log.open("w", encoding="utf-8") as log:
        for stream in (sys.stdout, sys.stderr):  # also what the kernel says, which inherits them
            os.dup2(log.fileno(), stream.fileno())
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        import papermill

        papermill.execute_notebook(
            options.notebook,
            options.output,
            dict(options.parameter),
            kernel_name="python3",
            progress_bar=False,
        )
    except Exception:
        traceback.print_exc()
        end = (
            options.log.read_text(encoding="utf-8", errors="replace")
            .rstrip()
            .splitlines()[-_SHOWN_OF_A_FAILURE:]
        )
        _say("\n".join([f"{options.place} failed; the end of {options.log}:", *end, ""]), terminal)
        return 1
    _say(f"{options.place} done after {time.monotonic() - started:.0f} s\n", terminal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
