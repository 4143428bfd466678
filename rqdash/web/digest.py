"""Tells whether two values show the same: a digest that leaves out when they were read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from hashlib import blake2b
from operator import attrgetter

import orjson

MOMENTARY = frozenset(
    {"as_of", "elapsed_ms", "latency_ms", "expires_in_s", "suspended_for_s", "used_memory_bytes", "per_minute", "working_percent"}
)
"""Fields that differ at every reading though nothing has changed; a value may name more of its own as its momentary."""
SIZE = 12


def digest(*values: object) -> str:
    """24 hex digits that differ when anything but the moment of reading differs; some 0.3 ms for a page of 100 rows.

    Values are what pages are made of: dataclasses, sequences, mappings, enumerations, times, texts, numbers. Raises TypeError for others.
    """
    try:
        text = orjson.dumps(values, default=_plain, option=_OPTIONS)
    except TypeError:
        # A name of bytes that are not UTF-8, which JSON by UTF-8 cannot say; or a value that repr cannot tell either.
        text = repr(_without_moments(values)).encode("utf-8", "backslashreplace")
    return blake2b(text, digest_size=SIZE).hexdigest()


# By itself it would write the fields that do not count too.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS


def _plain(value: object) -> object:
    """The next step for what the encoder does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return repr(value)
    return _fields(value)


def _without_moments(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float | datetime | bytes | Enum):
        return value
    if isinstance(value, tuple | list):
        return [_without_moments(item) for item in value]
    if isinstance(value, Mapping):
        return [(key, _without_moments(item)) for key, item in value.items()]
    return [_without_moments(item) for item in _fields(value).values()]


def _fields(value: object) -> dict[str, object]:
    kind = type(value)
    reader = _READERS.get(kind)
    if reader is None:
        reader = _READERS[kind] = _reader(kind)
    return reader(value)


_READERS: dict[type, Callable[[object], dict[str, object]]] = {}
"""What _reader gave for each class."""


def _reader(kind: type) -> Callable[[object], dict[str, object]]:
    """What reads the fields of a dataclass that count. Raises TypeError for any other class: it has no place in a page value.

    A class with many values that some of its fields stand for names those in SHOWN_BY.
    """
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"no digest of {kind.__name__}")
    own: property | frozenset[str] = getattr(kind, "momentary", frozenset())
    left_out = MOMENTARY if isinstance(own, property) else MOMENTARY | own
    names = tuple(getattr(kind, "SHOWN_BY", ())) or tuple(field.name for field in dataclasses.fields(kind) if field.name not in left_out)
    read = _all_of(names)
    if not isinstance(own, property):
        return read
    return lambda value: {name: item for name, item in read(value).items() if name not in own.__get__(value)}


def _all_of(names: tuple[str, ...]) -> Callable[[object], dict[str, object]]:
    if len(names) < 2:
        return lambda value: {name: getattr(value, name) for name in names}
    read = attrgetter(*names)
    return lambda value: dict(zip(names, read(value), strict=True))
