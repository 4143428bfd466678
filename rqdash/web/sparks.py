"""Sparklines: the last hour of a figure as one small line, drawn on the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from rqdash.history.reading import Points

WIDTH, HEIGHT = 64, 18
EDGE, DOT = 2.5, 4.0
"""Room above and below a line, and for the dot at its end; pixels."""


@dataclass(frozen=True, slots=True)
class Spark:
    """A figure's last hour. line is an SVG path in a box of 64 by 18, broken where nothing was sampled; dot is where it ends.

    change is by how much the last slot differs from the first, None when one of them was not sampled. Bars stand for failures.
    """

    SHOWN_BY: ClassVar = ("says", "line")

    says: str
    line: str
    dot: tuple[float, float] | None
    low: float
    high: float
    last: float
    change: float | None
    is_bars: bool = False

    @property
    def newest(self) -> str:
        """The last slot's value in words, whole from ten on."""
        return shortly(self.last if self.last < 10 else round(self.last))


def level(label: str, points: Points) -> Spark | None:
    """A line scaled to its own range, None when nothing was sampled. label says what it is: "Queued"."""
    return _spark(label, points.values, is_bars=False)


def rate(label: str, points: Points) -> Spark | None:
    """Bars from zero, for what is quiet on good days."""
    return _spark(label, points.values, is_bars=True)


def summed(parts: Sequence[Points]) -> Points | None:
    """The sum slot by slot; a slot in which one of them was not sampled is a gap, for a sum must not leave out a part in silence."""
    if not parts:
        return None
    slots = zip(*(points.values for points in parts), strict=True)
    return Points(parts[0].start, parts[0].step, tuple(_sum(slot) for slot in slots))


def shortly(value: float) -> str:
    """A number with commas and one decimal at most: "1,204", "12.4"."""
    return f"{round(value, 1):,.1f}".removesuffix(".0")


def _sum(slot: Sequence[float | None]) -> float | None:
    known = [value for value in slot if value is not None]
    return sum(known) if len(known) == len(slot) else None


def _spark(label: str, values: Sequence[float | None], *, is_bars: bool) -> Spark | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    first, last = values[0], values[-1]
    places = _places(values, low=0.0 if is_bars else low, high=high)
    return Spark(
        says=_says(label, low, high, has_gaps=len(known) < len(values)),
        line="".join(_bars(places)) if is_bars else "".join(_runs(places)),
        dot=None if is_bars else next(place for place in reversed(places) if place),
        low=low,
        high=high,
        last=known[-1],
        change=None if first is None or last is None else last - first,
        is_bars=is_bars,
    )


def _says(label: str, low: float, high: float, *, has_gaps: bool) -> str:
    course = f"{shortly(low)} to {shortly(high)}" if shortly(low) != shortly(high) else f"{shortly(low)} throughout"
    return f"{label}, last hour: {course}{', not sampled all the time' if has_gaps else ''}"


Place = tuple[float, float] | None


def _places(values: Sequence[float | None], *, low: float, high: float) -> list[Place]:
    """Where each value stands in the box. What never changes lies at the bottom if it is zero, else in the middle."""
    pitch = (WIDTH - DOT - 1) / max(1, len(values) - 1)
    room = HEIGHT - 2 * EDGE

    def height(value: float) -> float:
        share = (value - low) / (high - low) if high > low else (0.5 if value else 0.0)
        return round(HEIGHT - EDGE - share * room, 1)

    return [None if value is None else (round(1 + index * pitch, 1), height(value)) for index, value in enumerate(values)]


def _runs(places: Sequence[Place]) -> Iterator[str]:
    """A piece of the path for each run of slots that were sampled; one alone is a point."""
    for is_gap, run in groupby(places, key=lambda place: place is None):
        if not is_gap:
            (x, y), *rest = (place for place in run if place)
            yield f"M{x:g} {y:g}" + ("L" + " ".join(f"{right:g} {down:g}" for right, down in rest) if rest else "h0")


def _bars(places: Sequence[Place]) -> Iterator[str]:
    for place in places:
        if place:
            yield f"M{place[0]:g} {HEIGHT}V{min(place[1] + EDGE, HEIGHT - 1):g}"
