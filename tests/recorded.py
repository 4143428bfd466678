"""A history as a recorder would have left it: samples of a past that a test makes up, kept by the archive's own means."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rqdash.history import samples
from rqdash.history.archive import Archive
from rqdash.history.directory import Directory
from rqdash.history.packing import Sample, pack
from rqdash.history.rollup import upkeep
from rqdash.history.tiers import MEASURES, RAW, SLOT_S

SUMMED = ("queued", "started", "failed")
Queues = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Slot:
    """What was found in the ten seconds from slot_s on: measures by queue, zero unless given, and a backend's own totals."""

    slot_s: int
    queues: Queues
    totals: Mapping[str, float] = field(default_factory=dict)


def record(archive: Archive, backend: str, slots: Iterable[Slot], *, key: str = "") -> None:
    """Keeps the samples of a backend in one go; sums are those of its queues unless its totals say otherwise."""
    archive.prepare()
    directory = Directory(archive)
    with archive.write() as session:
        number = directory.backend(session, key or backend, name=backend)
        for slot in slots:
            numbers = directory.queues(session, number, queues=list(slot.queues), now_s=slot.slot_s)
            ordered = sorted(slot.queues, key=lambda queue: numbers[queue])
            columns = {name: [slot.queues[queue].get(name, 0) for queue in ordered] for name in MEASURES}
            sample = Sample(1, _totals(columns) | dict(slot.totals), [numbers[queue] for queue in ordered], columns)
            samples.add(session, archive, RAW, slot_s=slot.slot_s, bodies=[(number, pack(sample))])


def settle(archive: Archive, *, now_s: int) -> None:
    """Makes the coarser samples, as the recorder's turns do little by little."""
    while upkeep(archive, now_s=now_s):
        pass


def past(now_s: float, queues: Sequence[str], *, span_s: int = 3600, gap: tuple[int, int] = (1500, 900)) -> Iterator[Slot]:
    """A span up to now that goes up and down, but for a gap from so many seconds ago to so many."""
    last = int(now_s) // SLOT_S * SLOT_S
    for slot_s in range(last - span_s, last, SLOT_S):
        if not last - gap[0] <= slot_s < last - gap[1]:
            yield Slot(slot_s, {queue: _at(slot_s, place, last) for place, queue in enumerate(queues)}, _rates(slot_s, last))


def _totals(columns: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {name: sum(values) if name in SUMMED else max(values, default=0) for name, values in columns.items()}
    return found


def _at(slot_s: int, place: int, last: int) -> dict[str, float]:
    """One queue: the day's tide, a ripple, and failures that pile up in the last quarter of an hour."""
    tide = 1 + math.sin(slot_s / 13751 + place) * 0.6
    ripple = 1 + math.sin(slot_s / 97 * (place + 1)) * 0.15 + math.sin(slot_s / 311 + place) * 0.1
    queued = round(400 / (place + 1) * tide * ripple)
    failed = 60 + (slot_s // 600) % 40 + max(0, slot_s - last + 900) // 4
    busy = min(8, 2 + round(3 * tide * ripple))
    return {"queued": queued, "oldest_s": round(queued / 2.3), "started": busy, "failed": failed, "busy": busy, "workers": 8}


def _rates(slot_s: int, last: int) -> dict[str, float]:
    failing = 14 + slot_s % 7 if slot_s >= last - 900 else (slot_s // 10) % 2
    return {"finished_per_min": round(220 + 90 * math.sin(slot_s / 13751) + slot_s % 23, 2), "failed_per_min": failing}
