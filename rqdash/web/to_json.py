"""Page values as JSON: the same value that the page shows, under /api/v1."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def to_json(value: object) -> Json:
    """Plain JSON of a frozen value: fields by name, times as ISO 8601 UTC. Secrets are never part of a page value.

    Names of bytes that are not UTF-8 carry lone surrogates (\\udcXX), which JSON can say and Python reads back.
    """
    if value is None or isinstance(value, bool | int):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [to_json(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return shown | {name: to_json(getattr(value, name)) for name in getattr(value, "SAYS", ())}
    raise TypeError(f"no JSON form for {type(value).__name__}")
