"""The part that removes, in the background, what the audit log keeps no longer."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field

from rqdash.access.actor import RUNNER, Actor
from rqdash.access.audit import FORGOTTEN_AT_ONCE, Audit
from rqdash.store.leases import Leases

EVERY_S = 3600.0
LEASE = "activity"
LEASE_S = 300.0


@dataclass(slots=True)
class Keeper:
    """Looks once an hour; of all processes and hosts one removes, and says in the log itself how much. At most once a day there is any."""

    audit: Audit
    leases: Leases
    every_s: float = EVERY_S
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = "activity"

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.turn(stop)
            stop.wait(self.every_s)

    def turn(self, stop: threading.Event) -> None:
        """Removes what is too old, if anything is; a thousand rows at a time, as long as the lease is ours."""
        limit = self.audit.overdue()
        if limit is None or not self._is_mine():
            return
        try:
            with Actor(RUNNER, self.name, "", self.audit).recording("forget activity", values={"before": limit.isoformat()}) as record:
                removed = last = self.audit.forget(limit)
                while last == FORGOTTEN_AT_ONCE and not stop.is_set() and self._is_mine():
                    last = self.audit.forget(limit)
                    removed += last
                record.finish({"removed": removed})
        finally:
            self.leases.release(LEASE, self.owner)

    def _is_mine(self) -> bool:
        return self.leases.take(LEASE, self.owner, for_s=LEASE_S)
