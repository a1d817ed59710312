"""Where files live, and how they are written so that a crash never leaves half of one."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from .errors import ConfigError, SourceError


def cache_dir(*parts: str) -> Path:
    """Folder in the cache (``BONMF_CACHE``, default the platform's user cache), created if needed."""
    root = Path(os.environ.get("BONMF_CACHE") or platformdirs.user_cache_dir("bonmf"))
    folder = root.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(
            f"The cache folder {folder} cannot be created ({error.strerror}); "
            "set BONMF_CACHE to a folder you can write to."
        ) from error
    return folder


def mirror_dir() -> Path | None:
    """Folder of local copies of the public files (``BONMF_MIRROR``), or None when not set."""
    value = os.environ.get("BONMF_MIRROR")
    if not value:
        return None
    folder = Path(value)
    if not folder.is_dir():
        raise ConfigError(f"BONMF_MIRROR is {value!r}, which is not a folder; mend or unset it.")
    return folder.resolve()


def project_root() -> Path:
    """The checkout that holds ``papermill_runs/``: above the working directory, else above the library."""
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parent.parent):
        if (folder / "papermill_runs" / "profiles").is_dir():
            return folder
    raise ConfigError("No checkout of the study found: run from a folder inside it (one with papermill_runs/profiles).")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it to ``target`` when the block succeeds."""
    handle = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise SourceError(f"Cannot write below {target.parent}: {error.strerror}.") from error
    finally:
        if handle is not None:
            os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp gives 0600; a shared cache must be readable
        temporary.replace(target)
    except OSError as error:
        raise SourceError(
            f"Writing {target} failed: {error.strerror}; nothing was changed, free some space and run again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


_CONTENTS = ".contents.json"  # in a folder made in one step: the size of every file that it then held


def is_whole(folder: Path) -> bool:
    """Whether a folder of :func:`atomic_dir` still has every file it was made with, at its size."""
    try:
        sizes = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


@contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """As :func:`atomic_path`, for a whole folder; one that exists already is kept if nothing is missing in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        files = [path for path in sorted(temporary.rglob("*")) if path.is_file()]
        sizes = {path.relative_to(temporary).as_posix(): path.stat().st_size for path in files}
        (temporary / _CONTENTS).write_text(json.dumps(sizes, indent=0), encoding="utf-8")
        temporary.chmod(0o755)
        if not is_whole(target):
            shutil.rmtree(target, ignore_errors=True)
            temporary.replace(target)
    except OSError as error:
        raise SourceError(f"Writing the folder {target} failed: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write a small text file in one step."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_sha256(value: object) -> str:
    """Hex sha256 of a JSON-able value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
