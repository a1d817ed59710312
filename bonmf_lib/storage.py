"""Where files live, and how they are written so that a crash never leaves half of one."""

import errno
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from .errors import ConfigError, SourceError


def cache_dir(*parts: str) -> Path:
    """Folder in the cache (``BONMF_CACHE``, default the platform's user cache), created if
    needed."""
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
    """The checkout that holds ``papermill_runs/``: above the working directory, else above the
    library."""
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parent.parent):
        if (folder / "papermill_runs" / "profiles").is_dir():
            return folder
    raise ConfigError(
        "No checkout of the study found: run from a folder inside it "
        "(one with papermill_runs/profiles)."
    )


_STALE_SECONDS = (
    3600.0  # a half-written file that nothing has touched for so long was left by a crash
)
_swept: set[Path] = set()


@contextmanager
def atomic_path(target: Path, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside ``target``; rename it to ``target`` when the block succeeds.

    Its permissions are those of any new file (umask).

    Args:
        durable: have the file on the disk before it has its name, so that not even a power loss
            leaves an empty one; takes some milliseconds.

    Raises:
        SourceError: it cannot be written, for instance because the disk is full.
    """
    temporary = _beside(target)
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(target)
        if durable:
            _sync(target.parent)
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _beside(target: Path) -> Path:
    """A new hidden name in the target's folder, which is made if needed and rid of what crashes
    left in it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.parent not in _swept:
            _swept.add(target.parent)
            sweep(target.parent)
    except OSError as error:
        raise SourceError(f"Cannot write below {target.parent}: {error.strerror}.") from error
    return target.parent / f".{target.name[:100]}.{secrets.token_hex(6)}{_PART}"


_PART = ".part"


def sweep(folder: Path) -> None:
    """Remove files and folders that a crash left half-written in ``folder``, by their age."""
    for path in folder.glob(f".*{_PART}"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError:  # another process was quicker, or it is another user's
            continue


def _sync(path: Path) -> None:
    """Have the system write a file's bytes, or a folder's names, to the disk."""
    if os.name == "nt":  # folders cannot be opened there
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _not_written(target: Path, error: OSError) -> SourceError:
    return SourceError(
        f"Writing {target} failed: {error.strerror or error}; nothing was changed, "
        "free some space and run again."
    )


_CONTENTS = (
    ".contents.json"  # in a folder made in one step: the sha256 of every file that it then held
)


def is_whole(folder: Path) -> bool:
    """Whether a folder of :func:`atomic_dir` still has every file it was made with, byte for
    byte."""
    try:
        digests = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        return all(file_sha256(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def atomic_dir(target: Path) -> Iterator[Path]:
    """As :func:`atomic_path`, for a whole folder; one that exists already is kept if nothing is
    missing in it.

    Its files are not forced to the disk one by one: :func:`is_whole` tells when a crash or a power
    loss lost some.
    """
    temporary = _beside(target)
    try:
        temporary.mkdir()
        yield temporary
        files = [path for path in sorted(temporary.rglob("*")) if path.is_file()]
        digests = {path.relative_to(temporary).as_posix(): file_sha256(path) for path in files}
        (temporary / _CONTENTS).write_text(json.dumps(digests, indent=0), encoding="utf-8")
        _sync(temporary / _CONTENTS)
        _take_place(temporary, target)
        _sync(target.parent)
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _take_place(folder: Path, target: Path) -> None:
    """Rename a folder to ``target`` unless a whole one is there; other processes may be doing the
    same."""
    for _ in range(100):
        if is_whole(target):
            return
        try:
            folder.replace(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
        else:
            return
        damaged = _beside(target)
        try:
            target.rename(damaged)
        except FileNotFoundError:  # another process was quicker
            continue
        shutil.rmtree(damaged, ignore_errors=True) if damaged.is_dir() else damaged.unlink()
    raise SourceError(f"{target} could not be put in its place; remove it and run again.")


def write_text(target: Path, text: str) -> None:
    """Write a small text file in one step."""
    write_bytes(target, text.encode())


def write_bytes(target: Path, data: bytes, durable: bool = True) -> None:
    """Write a file in one step; see :func:`atomic_path`."""
    with atomic_path(target, durable) as temporary:
        temporary.write_bytes(data)


def keep_text(target: Path, text: str) -> None:
    """Like :func:`write_text`, but a file that says the same already is left alone: a finished run
    can be read where nothing can be written."""
    try:
        if target.read_bytes() == text.encode():
            return
    except OSError:
        pass
    write_text(target, text)


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_sha256(value: object) -> str:
    """Hex sha256 of a JSON-able value in canonical form (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
