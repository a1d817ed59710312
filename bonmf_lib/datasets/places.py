"""Where the names of files that a folder's tables and settings give lead to."""

from pathlib import Path


def place_of(root: Path, name: str) -> Path | None:
    """Where a name below a folder leads, links followed, whether or not anything is there; None
    where no file can have it: a NUL in it, too long, or a link to itself."""
    try:
        path = (root / name).resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError):
        return None
    return path
