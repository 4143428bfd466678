"""Turns what Redis holds into values, tolerantly: a field that makes no sense is None or "", never an error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from rqdash.errors import BackendError
from rqdash.model import names

SHOWN_BYTES = 2048
MINUS = ord("-")
LEGACY_TIMEOUT = re.compile(rb"(\d{1,9})([smhd]?)")
UNITS_S = {b"": 1, b"s": 1, b"m": 60, b"h": 3600, b"d": 86400}


def wire(name: str) -> bytes:
    """A key or name as Redis has it; names that are not UTF-8 come back as they were."""
    return names.encoded(name)


def name(raw: object) -> str:
    """The name of a queue or worker or the id of a job; bytes that are not UTF-8 survive."""
    return names.decoded(raw) if isinstance(raw, bytes) else ""


def text(raw: object, *, limit: int = SHOWN_BYTES) -> str:
    """Text for people: at most limit bytes, what is not UTF-8 replaced."""
    return raw[:limit].decode("utf-8", "replace") if isinstance(raw, bytes) else ""


def integer(raw: object) -> int | None:
    """A whole number of at most 18 digits."""
    if isinstance(raw, int):
        return raw
    if not isinstance(raw, bytes) or not 1 <= len(raw) <= 19:
        return None
    digits = raw[1:] if raw[0] == MINUS else raw
    return int(raw) if digits.isdigit() and len(digits) <= 18 else None


def decimal(raw: object) -> float | None:
    """A number; a registry's score may be infinite."""
    if isinstance(raw, int | float):
        return float(raw)
    if not isinstance(raw, bytes) or len(raw) > 40:
        return None
    try:
        number = float(raw)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def duration_s(raw: object) -> float | None:
    """A finite number of seconds."""
    seconds = decimal(raw)
    return seconds if seconds is not None and math.isfinite(seconds) else None


def when(raw: object) -> datetime | None:
    """A moment in RQ's ISO form, UTC; jobs of old versions have no fraction, and "" is a cleared field."""
    if not isinstance(raw, bytes) or not 19 <= len(raw) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(raw.decode("ascii"))
        # A "Z" is read as this very UTC; converting it again takes longer than reading it.
        if moment.tzinfo is UTC:
            return moment
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def at(epoch_s: object) -> datetime | None:
    """A moment in seconds since 1970; -1 and infinity, which mean never, are None."""
    seconds = decimal(epoch_s)
    if seconds is None or not 0 <= seconds < 1e11:
        return None
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)


def result_at(raw: object) -> datetime | None:
    """The time in the id of a result, "<milliseconds>-<number>"."""
    milliseconds, dash, _ = raw.partition(b"-") if isinstance(raw, bytes) else (b"", b"", b"")
    ms = integer(milliseconds) if dash else None
    # A date begins with its year, which would be some seconds of the year 1970.
    return at(ms / 1000) if ms is not None and len(milliseconds) > len("9999") else None


def timeout_s(raw: object) -> int | None:
    """A job's timeout in seconds; RQ 1.x also wrote "1h". None when there is none (-1) or it makes no sense."""
    if isinstance(raw, bytes) and raw.isdigit() and len(raw) <= 9:
        return int(raw)
    found = LEGACY_TIMEOUT.fullmatch(raw) if isinstance(raw, bytes) else None
    return int(found.group(1)) * UNITS_S[found.group(2)] if found else None


def many(reply: object) -> Sequence[object]:
    """A reply that should be a list; anything else is an empty one."""
    return reply if isinstance(reply, list | tuple) else ()


def members(reply: object) -> list[bytes]:
    """The byte strings of a list or set, in its order."""
    found: Iterable[object] = reply if isinstance(reply, list | tuple | set | frozenset) else ()
    return [member for member in found if isinstance(member, bytes)]


def scored(reply: object) -> list[tuple[bytes, float]]:
    """(member, score) of a sorted set; RESP3 nests the pairs, RESP2 and scripts do not."""
    flat: list[object] = []
    for item in many(reply):
        flat.extend(item) if isinstance(item, list | tuple) else flat.append(item)
    pairs = zip(flat[::2], flat[1::2], strict=False)
    return [(member, decimal(score) or 0.0) for member, score in pairs if isinstance(member, bytes)]


def entries(reply: object) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """(id, fields) of a stream, in its order; redis-py gives a dict of fields, scripts a flat list."""
    found = []
    for item in many(reply):
        parts = many(item)
        if len(parts) == 2 and isinstance(parts[0], bytes):
            found.append((parts[0], _mapping(parts[1])))
    return found


def lenient(reply: object) -> object:
    """A reply read with strict=False: a key of another type counts as absent, every other error is raised."""
    if not isinstance(reply, BackendError):
        return reply
    if reply.code == "wrong_type":
        return None
    raise reply


def _mapping(raw: object) -> dict[bytes, bytes]:
    if isinstance(raw, dict):
        return {key: value for key, value in raw.items() if isinstance(key, bytes) and isinstance(value, bytes)}
    flat = members(raw)
    return dict(zip(flat[::2], flat[1::2], strict=False))
