"""What a process has read of an SQLite database since anybody last committed to it, which is therefore still true."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")

MOST = 1000
"""More are forgotten all together: strangers can ask for what is not there as often as they like."""
VERSION = "PRAGMA data_version"


class Memory:
    """Answers again what was read already, until the next commit by any connection of any process; threads share it.

    A look at SQLite's data_version before each answer, some 10 µs, tells of commits: nobody sees what is no longer so. It counts the
    commits of other connections, so the one that looks never writes.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._looking: sqlite3.Connection | None = None
        self._pid = 0
        self._of_parents: list[sqlite3.Connection] = []
        self._version = -1
        self._kept: dict[Hashable, object] = {}

    def get(self, key: Hashable, read: Callable[[], T]) -> T:
        """What read gave for this key since the last commit, or gives now. Raises what read raises, and sqlite3.Error."""
        kept = self._current()
        if key not in kept:
            # Read after the look: should somebody commit in between, it is newer than it must be, and forgotten at the next look.
            kept[key] = read()
        return kept[key]  # type: ignore[return-value]  # what read gave for this very key

    def close(self) -> None:
        with self._lock:
            if self._looking is not None and self._pid == os.getpid():
                self._looking.close()
            self._looking, self._kept, self._version = None, {}, -1

    def _current(self) -> dict[Hashable, object]:
        """What is kept under the present version of the data; one that is replaced is not changed for those who still hold it."""
        with self._lock:
            (version,) = self._look().execute(VERSION).fetchone()
            if version != self._version or len(self._kept) >= MOST:
                self._version, self._kept = version, {}
            return self._kept

    def _look(self) -> sqlite3.Connection:
        if self._looking is None or self._pid != os.getpid():
            if self._looking is not None:
                # Closed by a forked child, it would end the locks that SQLite holds for its parent.
                self._of_parents.append(self._looking)
            self._looking, self._pid, self._version = self._connect(), os.getpid(), -1
        return self._looking
