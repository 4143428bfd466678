"""Dates, times, identifiers and paths of the standard library, written as a person writes them, from their pickled descriptions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from rqdash.model.pickled import BROKEN
from rqdash.model.symbols import NAME_CHARS, Object, fields, printable, resolved

_MAX_PARTS = 100


def known(value: Object, path: str) -> str | None:
    """One line for an object of these classes: "2026-11-23 17:30:08 UTC", "UUID('…')"; None for any other and what does not fit."""
    writer = _WRITERS.get(path)
    if writer is None:
        return None
    try:
        return writer(*(resolved(item) for _, item in zip(range(_MAX_PARTS), (item for _, item in fields(value)), strict=False)))
    except BROKEN:
        return None


def type_name(path: str) -> str:
    """The public name of the class of an object with this maker: time zones have a function for one, Python 3.13.0 a private module."""
    return "zoneinfo.ZoneInfo" if path == "zoneinfo.ZoneInfo._unpickle" else path.replace("pathlib._local.", "pathlib.", 1)


def _datetime(state: object, zone: object = None) -> str:
    year, month, day, hour, minute, second, micro = _numbers(state, 10)
    # From Python 3.6 on the top bit of the month is the fold of an ambiguous hour (datetime._getstate).
    moment = datetime(year, month & 0x7F, day, hour, minute, second, micro, tzinfo=UTC)
    return f"{moment.replace(tzinfo=None)}{_suffix(zone)}"


def _time(state: object, zone: object = None) -> str:
    hour, minute, second, micro = _numbers(b"\0\0\0\0" + _raw(state), 10)[3:]
    return f"{time(hour & 0x7F, minute, second, micro)}{_suffix(zone)}"


def _date(state: object) -> str:
    year, month, day = _numbers(_raw(state) + bytes(6), 10)[:3]
    return str(date(year, month, day))


def _raw(state: object) -> bytes:
    # Python 2 stored a str.
    raw = state.encode("latin-1") if isinstance(state, str) and len(state) <= 10 else state
    if not isinstance(raw, bytes) or len(raw) > 10:
        raise TypeError
    return raw


def _numbers(state: object, length: int) -> tuple[int, ...]:
    raw = _raw(state)
    if len(raw) != length:
        raise ValueError
    return (int.from_bytes(raw[:2]), *raw[2:7], int.from_bytes(raw[7:]))


def _suffix(zone: object) -> str:
    """A time zone as it follows a time: " UTC", " +02:00", " Europe/Zurich"; "" when there is none."""
    if zone is None:
        return ""
    if not isinstance(zone, Object):
        raise TypeError
    named = _ZONES.get(zone.path)
    text = named(*(item for _, item in fields(zone))) if named else zone.path
    return f" {text}"


def _timedelta(days: object = 0, seconds: object = 0, micros: object = 0) -> str:
    return str(_delta(days, seconds, micros))


def _delta(days: object, seconds: object, micros: object) -> timedelta:
    if not isinstance(days, int) or not isinstance(seconds, int) or not isinstance(micros, int):
        raise TypeError
    return timedelta(days, seconds, micros)


def _timezone(offset: object, name: object = None) -> str:
    if isinstance(name, str):
        return printable(name)
    if not isinstance(offset, Object):
        raise TypeError
    delta = _delta(*(item for _, item in fields(offset)))
    sign, ahead = ("-", -delta) if delta < timedelta() else ("+", delta)
    return f"{sign}{str(ahead).rjust(8, '0').removesuffix(':00')}" if delta else "UTC"


def _zone_key(key: object, *_: object) -> str:
    return printable(key) if isinstance(key, str) else "a time zone"


def _zone_info(key: object, *_: object) -> str:
    return f"ZoneInfo({_zone_key(key)!r})"


def _utc(*_: object) -> str:
    return "UTC"


def _uuid(number: object, *_: object) -> str:
    if not isinstance(number, int):
        raise TypeError
    return f"UUID('{uuid.UUID(int=number)}')"


def _path(name: str) -> Callable[..., str]:
    separator = "\\" if "Windows" in name else "/"

    def writer(*parts: object) -> str:
        texts = [part[:NAME_CHARS] for part in parts if isinstance(part, str)]
        # The first part of an absolute path is its root, which ends in the separator.
        rooted = texts[0] + separator.join(texts[1:]) if texts and texts[0].endswith(separator) else separator.join(texts)
        return f"{name}({rooted or '.'!r})"

    return writer


_ZONES: dict[str, Callable[..., str]] = {
    "datetime.timezone": _timezone,
    "zoneinfo.ZoneInfo._unpickle": _zone_key,
    "pytz._UTC": _utc,
    "pytz._p": _zone_key,
    "dateutil.tz.tz.tzutc": _utc,
}

_WRITERS: dict[str, Callable[..., str]] = {
    "datetime.datetime": _datetime,
    "datetime.date": _date,
    "datetime.time": _time,
    "datetime.timedelta": _timedelta,
    "datetime.timezone": _timezone,
    "zoneinfo.ZoneInfo._unpickle": _zone_info,
    "uuid.UUID": _uuid,
    **{
        f"{module}.{name}": _path(name)
        for module in ("pathlib", "pathlib._local")
        for name in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath")
    },
}
