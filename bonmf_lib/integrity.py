"""Files that tell when they are not as they were written: a flipped bit, a cut line, another run's
file.

Every file carries the sha256 of its content. This guards against damage, not against forgery: who
can write the file can write its checksum too.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .errors import DamagedError
from .storage import json_sha256, write_bytes, write_text

_SHA256 = "sha256"
_TEXT_HEAD = "# sha256 "
_BYTES_HEAD = b"sha256 "


def write_json(target: Path, value: dict[str, Any], of: str = "") -> None:
    """Write a JSON object with its checksum under the key ``sha256``, in one step.

    Args:
        of: what it belongs to, for instance a settings hash and a seed.
    """
    write_text(target, json_text(value, of))


def json_text(value: dict[str, Any], of: str = "") -> str:
    """A JSON object with its checksum, as :func:`write_json` writes it."""
    # as it will be read: tuples are lists
    plain = json.loads(json.dumps({"of": of, **value} if of else value))
    return json.dumps({_SHA256: json_sha256(plain), **plain}, indent=2) + "\n"


def read_json(path: Path, of: str = "") -> dict[str, Any]:
    """The object of :func:`write_json`; ``DamagedError`` when it is not as written, or belongs to
    something else."""
    try:
        value = json.loads(_bytes(path))
        digest = value.pop(_SHA256)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise _damaged(path) from error
    if digest != json_sha256(value) or value.get("of", "") != of:
        raise _damaged(path)
    return value


def sealed_text(text: str) -> str:
    """Text under a first line with its checksum."""
    return f"{_TEXT_HEAD}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


def read_sealed_text(path: Path) -> str:
    """The text of :func:`sealed_text`; ``DamagedError`` when it is not as it was written."""
    try:
        head, _, text = _bytes(path).decode().partition("\n")
    except UnicodeDecodeError as error:
        raise _damaged(path) from error
    if head != f"{_TEXT_HEAD}{hashlib.sha256(text.encode()).hexdigest()}":
        raise _damaged(path)
    return text


def write_arrays(target: Path, arrays: dict[str, np.ndarray], of: str) -> None:
    """Write arrays as safetensors in one step.

    Args:
        of: what they belong to, for instance a settings hash and a seed.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(target, save(arrays, metadata={"of": of, _SHA256: _arrays_sha256(arrays)}))


def read_arrays(path: Path, of: str) -> dict[str, np.ndarray]:
    """Arrays of :func:`write_arrays`; ``DamagedError`` when they are not as written, or belong to
    something else."""
    try:
        with safe_open(path, framework="numpy") as file:
            noted = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise _damaged(path) from error
    if noted.get("of") != of or noted.get(_SHA256) != _arrays_sha256(arrays):
        raise _damaged(path)
    return arrays


def _arrays_sha256(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()


def sealed_bytes(data: bytes) -> bytes:
    """Bytes after a first line with their checksum."""
    return _BYTES_HEAD + hashlib.sha256(data).hexdigest().encode() + b"\n" + data


def read_sealed_bytes(path: Path) -> io.BytesIO:
    """The bytes of :func:`sealed_bytes`, to read from; ``DamagedError`` when they are not as they
    were written."""
    head, _, data = _bytes(path).partition(b"\n")
    if head != _BYTES_HEAD + hashlib.sha256(data).hexdigest().encode():
        raise _damaged(path)
    return io.BytesIO(data)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror}).") from error


def _damaged(path: Path) -> DamagedError:
    return DamagedError(
        f"{path} is not as it was written (damaged, cut or edited); delete it and run again."
    )
