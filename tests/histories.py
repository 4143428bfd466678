"""A history that is written in no time: a recorder whose clock a test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.history import samples
from rqdash.history.archive import Archive
from rqdash.history.directory import Directory
from rqdash.history.packing import Sample, pack
from rqdash.history.reading import Reading
from rqdash.history.recorder import Recorder
from rqdash.history.tiers import MEASURES, RAW
from rqdash.store import Store
from rqdash.store.leases import Leases

BEGIN = 1_800_000_000 // 3600 * 3600
"""A whole hour."""


@dataclass(slots=True)
class Recording:
    """Records backends into a store; now is the recorder's time, which only turn() moves."""

    store: Store
    backends: Mapping[str, Backend]
    now: float = BEGIN - 10
    archive: Archive = field(init=False)
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.archive = Archive(self.store)
        self.recorder = self.another()

    def another(self) -> Recorder:
        """The recorder of another process."""
        return Recorder(self.backends, Gatherer(), Leases(self.store), self.archive, clock=lambda: self.now)

    def turn(self, times: int = 1) -> None:
        """The next slots, ten seconds each."""
        for _ in range(times):
            self.now += 10
            assert self.recorder.turn()

    def reading(self) -> Reading:
        """What a page reads with, and nothing that was read before."""
        return Reading(self.archive, clock=lambda: self.now)


def stored_sample(
    recording: Recording, slot_s: int, queues: Mapping[str, Mapping[str, float]], *, endpoint: int = 1, **totals: float
) -> None:
    """Writes what a recorder would have found of the backend live: measures by queue, zero unless given."""
    directory = Directory(recording.archive)
    recording.archive.prepare()
    with recording.archive.write() as session:
        number = directory.backend(session, "live", name="live")
        numbers = directory.queues(session, number, queues=list(queues), now_s=slot_s)
        ordered = sorted(queues, key=lambda queue: numbers[queue])
        columns = {name: [queues[queue].get(name, 0.0) for queue in ordered] for name in MEASURES}
        sample = Sample(endpoint, totals, [numbers[queue] for queue in ordered], columns)
        samples.add(session, recording.archive, RAW, slot_s=slot_s, bodies=[(number, pack(sample))])
