"""Live tests, kept within limits: so many a minute for an account, so many at once for a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from rqdash.access.pace import Pace
from rqdash.backends.probe.report import Report
from rqdash.errors import Throttled
from rqdash.model.caller import Caller
from rqdash.model.profile import Profile, Secrets

A_MINUTE = 10
AT_ONCE = 4
BUSY_RETRY_S = 5.0
Probe = Callable[[Profile, Secrets], Report]


class Trials:
    """Runs live tests. Whoever may test could otherwise look for open ports with it, or keep every thread of the process busy."""

    def __init__(self, probe: Probe, pace: Pace) -> None:
        self._probe = probe
        self._pace = pace
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def run(self, profile: Profile, secrets: Secrets, *, by: Caller, now: datetime) -> Report:
        """The report of a test; it takes at most 8 s. Raises Throttled, with nothing tried."""
        if not self._places.acquire(blocking=False):
            raise Throttled(f"{AT_ONCE} tests are running already. Try again in {BUSY_RETRY_S:.0f} s.", retry_after_s=BUSY_RETRY_S)
        try:
            self._pace.take(by, now=now)
            return self._probe(profile, secrets)
        finally:
            self._places.release()
