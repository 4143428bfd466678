"""A breaker per backend: after three failures in a row it answers at once, and lets one probe through with growing pauses."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

OPENS_AFTER = 3
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0


class Breaker:
    """Thread-safe. clock is monotonic seconds; jitter gives 0..1 and spreads probes of many processes."""

    def __init__(self, *, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._failures = 0
        self._retry_at = 0.0
        self._is_probing = False

    def admit(self) -> float | None:
        """None when a call may go, else seconds until the next try. While open, one call at a time goes as the probe."""
        with self._lock:
            if self._failures < OPENS_AFTER:
                return None
            wait_s = self._retry_at - self._clock()
            if wait_s > 0:
                return wait_s
            if self._is_probing:
                return FIRST_PAUSE_S
            self._is_probing = True
            return None

    @property
    def is_open(self) -> bool:
        """Whether it fails calls at once, but for probes."""
        with self._lock:
            return self._failures >= OPENS_AFTER

    def pause_s(self) -> float:
        """Seconds until the next try, 0 when calls may go; asking takes no probe's place."""
        with self._lock:
            return max(0.0, self._retry_at - self._clock()) if self._failures >= OPENS_AFTER else 0.0

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._is_probing = False

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._is_probing = False
            if self._failures >= OPENS_AFTER:
                pause_s = min(FIRST_PAUSE_S * 2 ** (self._failures - OPENS_AFTER), LONGEST_PAUSE_S)
                self._retry_at = self._clock() + pause_s * (0.75 + self._jitter() / 2)

    def released(self) -> None:
        """A probe ended without an answer about the backend's health."""
        with self._lock:
            self._is_probing = False
