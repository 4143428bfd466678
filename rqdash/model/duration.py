"""Durations, sizes and counts as words a person reads at a glance."""

from __future__ import annotations

import math

NOTHING = "–"
"""Where there is no value; zero is a value."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_LONGEST = 1_000_000 * _DAY
_SIZES = ("KB", "MB", "GB", "TB")


def duration(seconds: float | None) -> str:
    """A duration in seconds, in two units at most: "1.4 ms", "0.4 s", "14 m 08 s", "1 h 02 m", "9 d 1 h".

    Under a minute an int stays whole ("30 s") and a float keeps a tenth ("30.0 s"), for the one was counted and the other measured.
    A negative one (clocks that differ) has a minus sign; a million days or more are "over 1,000,000 d".
    None and what is not finite are an en dash.
    """
    if seconds is None or (isinstance(seconds, float) and not math.isfinite(seconds)):
        return NOTHING
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds >= _LONGEST:
        return "over 1,000,000 d"
    if isinstance(seconds, int):
        return f"{seconds} s" if seconds < _MINUTE else _long(seconds)
    if round(seconds, 1) >= _MINUTE:
        return _long(round(seconds))
    # Both limits are where the smaller unit would round up to the larger one.
    if seconds >= 0.0995 or not seconds:
        return f"{seconds:.1f} s" if seconds else "0 s"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"


def _long(seconds: int) -> str:
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} m {seconds % _MINUTE:02d} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02d} m"
    return f"{number(seconds // _DAY)} d {seconds % _DAY // _HOUR} h"


def size(n_bytes: int | None) -> str:
    """A size in bytes, in units of 1,024: "512 B", "1.4 KB", "194 KB", "1 MB"; one decimal under ten. None is an en dash."""
    if n_bytes is None:
        return NOTHING
    if n_bytes < 1_024:
        return f"{n_bytes:,} B"
    scaled, unit = n_bytes / 1_024, 0
    # 1,023.5 would be written as 1,024 of the smaller unit.
    while scaled >= 1_023.5 and unit < len(_SIZES) - 1:
        scaled, unit = scaled / 1_024, unit + 1
    text = f"{scaled:.1f}".removesuffix(".0") if scaled < 9.95 else f"{scaled:,.0f}"
    return f"{text} {_SIZES[unit]}"


def number(n: int | None) -> str:
    """A count with commas: "194,681". None is an en dash."""
    return NOTHING if n is None else f"{n:,}"
