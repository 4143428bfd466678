"""Tells whether two values show the same: a digest that leaves out when they were read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from hashlib import blake2b

MOMENTARY = frozenset(
    {"as_of", "elapsed_ms", "latency_ms", "expires_in_s", "suspended_for_s", "used_memory_bytes", "per_minute", "working_percent"}
)
"""Fields that differ at every reading though nothing has changed."""
SIZE = 12


def digest(*values: object) -> str:
    """24 hex digits that differ when anything but the moment of reading differs; some 1 ms for a page of 200 rows.

    Values are what pages are made of: dataclasses, tuples, mappings, enumerations, times, texts, numbers.
    """
    parts: list[str] = []
    for value in values:
        _write(value, parts.append)
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=SIZE).hexdigest()


def _write(value: object, say: Callable[[str], None]) -> None:
    if value is None or isinstance(value, str | bool | int | float | datetime | bytes):
        # An enumeration of texts is a text; its repr names it.
        say(repr(value))
    elif isinstance(value, tuple | list):
        say(f"({len(value)}")
        for item in value:
            _write(item, say)
    elif isinstance(value, Mapping):
        say(f"{{{len(value)}")
        for key, item in value.items():
            _write(key, say)
            _write(item, say)
    elif isinstance(value, Enum):
        say(repr(value))
    else:
        _write_fields(value, say)


def _write_fields(value: object, say: Callable[[str], None]) -> None:
    kind = type(value)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = _names(value)
    say(kind.__name__)
    for name in names:
        _write(getattr(value, name), say)


_NAMES: dict[type, tuple[str, ...]] = {}
"""What _names said of each class: it says the same of every value of a class."""


def _names(value: object) -> tuple[str, ...]:
    """The fields of a dataclass that count. Raises TypeError for anything else: it has no place in a page value.

    A class with many values that some of its fields stand for names those in SHOWN_BY.
    """
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"no digest of {type(value).__name__}")
    if shown_by := getattr(value, "SHOWN_BY", ()):
        return tuple(shown_by)
    return tuple(field.name for field in dataclasses.fields(value) if field.name not in MOMENTARY)
