"""The part that samples every backend every ten seconds; one process of all hosts does, by a lease."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.orm import Session

from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.errors import StoreError
from rqdash.history import counting, latest, samples
from rqdash.history.archive import Archive
from rqdash.history.counting import Before
from rqdash.history.directory import Directory
from rqdash.history.packing import Sample, pack
from rqdash.history.rollup import upkeep
from rqdash.history.tiers import RAW, SLOT_S
from rqdash.model.census import Census
from rqdash.model.reply import Reply
from rqdash.queries.census import census
from rqdash.store.leases import Leases

LEASE = "recorder"
LEASE_S = 15.0
KEY = "census"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Recorder:
    """Samples all enabled backends side by side, in slots that begin at whole multiples of slot_s, whoever leads."""

    backends: Mapping[str, Backend]
    gatherer: Gatherer
    leases: Leases
    archive: Archive
    slot_s: int = SLOT_S
    lease_s: float = LEASE_S
    clock: Callable[[], float] = time.time
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = "recorder"
    _slot: int = 0
    _leads_until: float = 0.0
    _directory: Directory = field(init=False)
    _before: dict[str, Before] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._directory = Directory(self.archive)

    def run(self, stop: threading.Event) -> None:
        try:
            while not stop.wait(self.slot_s - self.clock() % self.slot_s):
                self.turn()
        finally:
            self._release()

    def turn(self) -> bool:
        """Samples the present slot if this process leads and has not yet; whether it did."""
        slot_s = int(self.clock()) // self.slot_s * self.slot_s
        # A timer may end a moment early, which is still in the slot before. A clock may also be set back, and goes on from there.
        if slot_s == self._slot:
            return False
        self._slot = slot_s
        try:
            return self._leads() and self.sample(slot_s)
        except StoreError as error:
            self._stand_down()
            log.warning("not recorded", extra={"slot": slot_s, "code": error.code})
            return False

    def sample(self, slot_s: int) -> bool:
        """Reads every backend and keeps what they say; nothing is kept when the lease has run out meanwhile."""
        live = [backend for name in tuple(self.backends) if (backend := self.backends.get(name)) is not None]
        now = datetime.fromtimestamp(self.clock(), UTC)
        replies = self.gatherer.gather(live, partial(census, now=now), key=KEY)
        if time.monotonic() >= self._leads_until:
            self._stand_down()
            return False
        self.archive.prepare()
        try:
            with self.archive.write() as session:
                self._keep(session, replies, slot_s)
        except BaseException:
            # What was numbered in this transaction has been taken back.
            self._directory.forget()
            raise
        if upkeep(self.archive, now_s=slot_s + self.slot_s):
            self._directory.forget()
        return True

    def _keep(self, session: Session, replies: Sequence[Reply[Census]], slot_s: int) -> None:
        numbered = [(self._directory.backend(session, key_of(reply), name=reply.name), reply) for reply in replies]
        counted = {number: self._counted(session, number, reply) for number, reply in numbered if reply.is_ok}
        bodies = [(number, pack(sample)) for number, sample in counted.items()]
        samples.add(session, self.archive, RAW, slot_s=slot_s, bodies=bodies)
        totals = {number: sample.totals for number, sample in counted.items()}
        latest.put(session, self.archive, slot_s=slot_s, replies=numbered, totals=totals)

    def _counted(self, session: Session, number: int, reply: Reply[Census]) -> Sample:
        found, endpoint, key = reply.value, reply.profile.endpoint_version, key_of(reply)
        assert found is not None  # noqa: S101  a reply without a problem has a value
        names = [queue.name for queue in found.queues]
        numbers = self._directory.queues(session, number, queues=names, now_s=int(found.as_of.timestamp()))
        sample = counting.sample(found, endpoint=endpoint, numbers=numbers, last=self._before.get(key))
        self._before[key] = counting.before(found, endpoint=endpoint)
        return sample

    def _leads(self) -> bool:
        asked = time.monotonic()
        if not self.leases.take(LEASE, self.owner, for_s=self.lease_s):
            self._stand_down()
            return False
        if not self._leads_until:
            log.info("recording", extra={"part": self.name})
        self._leads_until = asked + self.lease_s
        return True

    def _stand_down(self) -> None:
        """Another process may lead by now, and what this one knows grows old."""
        self._leads_until = 0.0
        self._directory.forget()
        self._before.clear()

    def _release(self) -> None:
        if self._leads_until:
            self._stand_down()
            # Without its database it ends by itself.
            with suppress(StoreError):
                self.leases.release(LEASE, self.owner)


def key_of(reply: Reply[Census]) -> str:
    """What a backend is known by in the history: its profile, whatever its name."""
    return reply.profile.id or reply.name
