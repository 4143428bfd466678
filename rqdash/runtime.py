"""What a process does beside answering requests: its threads, with one owner, started by the first request."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from typing import Protocol

STOP_S = 5.0
AGAIN_S = 5.0

log = logging.getLogger(__name__)


class Part(Protocol):
    """One thing that goes on in the background, such as running operations. run returns soon after stop is set."""

    @property
    def name(self) -> str: ...

    def run(self, stop: threading.Event) -> None: ...


class Runtime:
    """Owns a thread for each part. A forked process starts its own; nothing starts before ensure_started is called."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._lock = threading.Lock()
        self._pid = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def ensure_started(self) -> None:
        """Starts the threads of this process unless they run; costs nothing after the first time."""
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid == os.getpid():
                return
            self._stop = threading.Event()
            self._threads = [
                threading.Thread(target=_kept_going, args=(part, self._stop), name=f"rqdash-{part.name}", daemon=True)
                for part in self._parts
            ]
            for thread in self._threads:
                thread.start()
            self._pid = os.getpid()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Asks every part to end, and waits for them timeout_s in all; what is cut short goes on elsewhere once its lease is over."""
        with self._lock:
            self._stop.set()
            threads, self._threads, self._pid = self._threads, [], 0
        for thread in threads:
            thread.join(timeout_s / max(1, len(threads)))


def _kept_going(part: Part, stop: threading.Event) -> None:
    """A part that fails is a bug of ours, or the database's trouble: it is logged and started again, for nobody looks at threads."""
    while not stop.is_set():
        try:
            part.run(stop)
        except Exception:
            log.exception("a background part failed", extra={"part": part.name})
            stop.wait(AGAIN_S)
        else:
            return
