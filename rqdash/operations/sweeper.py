"""The part that finishes, in the background, moves between backends that nobody finished: after a crash, or when a backend is back."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from rqdash.access.actor import RUNNER, Actor
from rqdash.access.audit import Audit
from rqdash.actions.transfer import is_due, sweep
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError
from rqdash.store.leases import Leases

EVERY_S = 60.0
LEASE_S = 300.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Sweeper:
    """Looks after the moves of all enabled backends that may be written to; one process at a time looks after each."""

    backends: Mapping[str, Backend]
    leases: Leases
    audit: Audit
    every_s: float = EVERY_S
    owner: str = field(default_factory=lambda: str(uuid.uuid4()))
    name: str = "sweeper"

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self.turn(stop)
            stop.wait(self.every_s)

    def turn(self, stop: threading.Event) -> None:
        """Sweeps every backend once; one that does not answer is left for the next time."""
        for name in tuple(self.backends):
            backend = self.backends.get(name)
            if backend is None or backend.profile.read_only or stop.is_set():
                continue
            try:
                self._sweep(backend)
            except BackendError as error:
                # Pages say that a backend is down; here it is only a reason to come back.
                log.debug("not swept", extra={"backend": name, "code": error.code})

    def lookup(self, profile_id: str, name: str) -> Backend | None:
        """The backend that jobs were sent to: by its profile's id, which outlives a change of its name."""
        found = self.backends.get(name)
        if found is not None and found.profile.id == profile_id:
            return found
        return next((backend for backend in map(self.backends.get, self.backends) if backend and backend.profile.id == profile_id), None)

    def _sweep(self, backend: Backend) -> None:
        """Nothing is written down, and no lease taken, where nothing can be brought to an end."""
        lease = f"sweep:{backend.profile.id}"
        if not is_due(backend, self.lookup) or not self.leases.take(lease, self.owner, for_s=LEASE_S):
            return
        try:
            with Actor(RUNNER, self.name, "", self.audit).recording("finish moves", backend=backend.name) as row:
                outcome, failure = sweep(backend, self.lookup)
                row.finish({verdict.value: count for verdict, count in outcome.counts().items()})
        finally:
            self.leases.release(lease, self.owner)
        if failure is not None:
            log.debug("not swept to the end", extra={"backend": failure.backend, "code": failure.code})
