"""Typed, frozen configurations: a wrong type or an unknown key is an error, never a surprise."""

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as pydantic_dataclass

from .errors import ConfigError, unknown_name
from .storage import json_sha256

T = TypeVar("T")


def config(cls: type[T]) -> type[T]:
    """Class decorator: a frozen, keyword-only dataclass whose fields are checked on construction;
    its numbers are finite."""
    checks = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return pydantic_dataclass(frozen=True, kw_only=True, config=checks)(cls)


def make_config(cls: type[T], values: dict[str, Any]) -> T:
    """Build a configuration from plain values (YAML, JSON or notebook parameters).

    Raises:
        ConfigError: one sentence that names the key, what is wrong with it, and the nearest known
        key.
    """
    _check_keys(cls, values, cls.__name__)
    try:
        # Through JSON, so that a list may stand for a tuple while types stay strict.
        return TypeAdapter(cls).validate_json(json.dumps(values))
    except TypeError as error:
        raise ConfigError(
            f"{cls.__name__}: values must be plain numbers, texts or lists ({error})."
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or cls.__name__
        raise ConfigError(
            f"{cls.__name__}.{where}: {first['msg']} (got {first['input']!r})."
        ) from None


def _check_keys(cls: type, values: dict[str, Any], called: str) -> None:
    known = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in known:
            raise ConfigError(unknown_name(f"key of {called}", key, list(known)))
        if is_dataclass(known[key]) and isinstance(value, dict):
            _check_keys(known[key], value, f"{called}.{key}")


# Fields that came after the first published hashes, at the value that stands for how it was before:
# hashes leave them out there, so that published rows keep theirs.
_AS_BEFORE = {
    "text_preparation": "standardised",
    "image_preparation": "standardised",
    "negatives_over": "unrated",
    "batches_of": "ratings",
    "optimiser": "adam",
}


def config_hash(*parts: Any) -> str:
    """16 hex digits over configurations and plain values."""
    return json_sha256(
        [_hashed(part) if hasattr(part, "__dataclass_fields__") else part for part in parts]
    )[:16]


def _hashed(part: Any) -> dict[str, Any]:
    values = asdict(part)
    if "modalities" in values:  # there was a switch for each
        modalities = values.pop("modalities")
        values |= {f"use_{name}": name in modalities for name in ("text", "image")}
    return {
        name: value
        for name, value in values.items()
        if name not in _AS_BEFORE or value != _AS_BEFORE[name]
    }
