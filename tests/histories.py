"""A history that is written in no time: a recorder whose clock a test sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.history.archive import Archive
from rqdash.history.reading import Reading
from rqdash.history.recorder import Recorder
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
