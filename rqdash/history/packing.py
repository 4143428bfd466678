"""The compact form of one sample of one backend: a column a measure, each as narrow as its values, compressed together."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rqdash.history.tiers import COLUMNS, TOTALS, Value

VERSION = 1
HEAD = struct.Struct("<BII")
"""Version, endpoint version of the profile, how many queues."""
SUMS = struct.Struct(f"<{len(TOTALS)}d")
COLUMN = struct.Struct("<BB")
"""Bytes a value (0: the whole column is unknown), and by what the values are multiplied."""
LETTERS = {1: "B", 2: "H", 4: "I", 8: "Q"}
UNKNOWN = {width: 256**width - 1 for width in LETTERS}
"""The largest number of each width means unknown."""
TENTHS = 10
LEVEL = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """One backend in one slot. numbers are those of its queues, ascending; a column has a value for each of them.

    endpoint is the version of the profile's endpoint: two samples of different ones are of different servers.
    """

    endpoint: int
    totals: Mapping[str, Value]
    numbers: Sequence[int]
    columns: Mapping[str, Sequence[Value]]


class Packed:
    """A packed sample, of which only what is asked for is unpacked."""

    __slots__ = ("_body", "_opened", "count", "endpoint")

    def __init__(self, body: bytes) -> None:
        self._body = body
        head: tuple[int, int, int] = HEAD.unpack_from(body)
        version, self.endpoint, self.count = head
        if version != VERSION:
            raise ValueError(f"a sample of version {version}")
        self._opened: tuple[bytes, list[tuple[int, int, int]]] | None = None

    def total(self, name: str) -> Value:
        (value,) = struct.unpack_from("<d", self._body, HEAD.size + 8 * TOTALS.index(name))
        return None if math.isnan(value) else value

    def totals(self) -> dict[str, Value]:
        return {name: self.total(name) for name in TOTALS}

    def key(self) -> bytes:
        """The same for samples of the same queues, in the same order."""
        blob, columns = self._columns()
        at, width, _ = columns[0]
        return blob[at : at + width * self.count]

    def numbers(self) -> tuple[int, ...]:
        """The queues' numbers, ascending."""
        return tuple(accumulate(self._raw(0)))

    def column(self, name: str) -> Sequence[Value]:
        """A measure of every queue, in the order of numbers."""
        place = 1 + COLUMNS.index(name)
        _, width, factor = self._columns()[1][place]
        if not width:
            return (None,) * self.count
        raw, unknown = self._raw(place), UNKNOWN[width]
        if factor == 1 and unknown not in raw:
            return raw
        return [None if value == unknown else value / factor for value in raw]

    def value(self, name: str, index: int) -> Value:
        """A measure of the queue at a place among numbers."""
        blob, columns = self._columns()
        at, width, factor = columns[1 + COLUMNS.index(name)]
        if not width:
            return None
        (value,) = struct.unpack_from(f"<{LETTERS[width]}", blob, at + index * width)
        return None if value == UNKNOWN[width] else float(value / factor)

    def _raw(self, place: int) -> tuple[int, ...]:
        blob, columns = self._columns()
        at, width, _ = columns[place]
        return struct.unpack_from(f"<{self.count}{LETTERS[width]}", blob, at) if width else ()

    def _columns(self) -> tuple[bytes, list[tuple[int, int, int]]]:
        """What is compressed, and of each column where it begins, its width and its factor."""
        if self._opened is None:
            blob, found, at = zlib.decompress(self._body[HEAD.size + SUMS.size :]), [], 0
            for _ in range(len(COLUMNS) + 1):
                width, factor = COLUMN.unpack_from(blob, at)
                found.append((at + COLUMN.size, width, factor))
                at += COLUMN.size + width * self.count
            self._opened = (blob, found)
        return self._opened


def pack(sample: Sample) -> bytes:
    """The bytes of a sample. Values are never negative; those with a fraction are kept to a tenth."""
    numbers = sample.numbers
    steps = [number - before for number, before in zip(numbers, (0, *numbers), strict=False)]
    sums = [math.nan if (value := sample.totals.get(name)) is None else value for name in TOTALS]
    columns = [_column(sample.columns.get(name) or ()) for name in COLUMNS]
    unknown = COLUMN.pack(0, 1)
    # The sums lie before what is compressed: who reads those of a year unpacks nothing.
    head = HEAD.pack(VERSION, sample.endpoint % 2**32, len(numbers)) + SUMS.pack(*sums)
    return head + zlib.compress(b"".join([_column(steps) if steps else unknown, *columns]), LEVEL)


def _column(values: Sequence[Value]) -> bytes:
    known = [value for value in values if value is not None]
    if not known:
        return COLUMN.pack(0, 1)
    factor = 1 if all(float(value).is_integer() for value in known) else TENTHS
    most = max(known) * factor
    width = next((width for width, unknown in UNKNOWN.items() if most + 1 < unknown), 8)
    unknown = UNKNOWN[width]
    whole = [unknown if value is None else min(max(round(value * factor), 0), unknown - 1) for value in values]
    return COLUMN.pack(width, factor) + struct.pack(f"<{len(whole)}{LETTERS[width]}", *whole)
