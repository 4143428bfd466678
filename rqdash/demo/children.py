"""The demo's Python processes: started in sessions of their own, so that Ctrl-C reaches the parent alone, and ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rqdash.errors import SettingsError

WARM_S = 1.3
"""RQ takes a second signal within 1 s of the first for an echo; after it, a worker ends its job at once (rq 3.0, worker/base.py)."""
COLD_S = 5.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Child:
    """A process of the demo. stop_signal asks it to end soon; is_vital: without it the demo is over."""

    name: str
    process: subprocess.Popen[bytes] = field(repr=False)
    stop_signal: signal.Signals = signal.SIGTERM
    is_vital: bool = False


@dataclass(slots=True)
class Children:
    """The processes of one demo; their output goes to logs/<name>.log."""

    logs: Path
    environ: Mapping[str, str] = field(repr=False)
    running: list[Child] = field(default_factory=list)

    def start(self, name: str, arguments: Sequence[str], *, stop_signal: signal.Signals = signal.SIGTERM, is_vital: bool = False) -> None:
        """Starts python with arguments."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(Child(name, process, stop_signal, is_vital))

    def check(self) -> None:
        """Raises SettingsError when one has ended."""
        _refuse(child for child in self.running if child.process.poll() is not None)

    def check_vital(self) -> None:
        """Raises SettingsError when one has ended without which the demo is over; the others may be ended from the dashboard."""
        _refuse(child for child in self.running if child.is_vital and child.process.poll() is not None)

    def stop(self) -> None:
        """Ends all: asks, asks again, and after 6 s kills what is left with its group."""
        for wait_s in (WARM_S, COLD_S):
            for child in self._alive():
                child.process.send_signal(child.stop_signal)
            self._wait(wait_s)
        for child in self._alive():
            with suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()

    def _alive(self) -> list[Child]:
        return [child for child in self.running if child.process.poll() is None]

    def _wait(self, wait_s: float) -> None:
        deadline = time.monotonic() + wait_s
        while self._alive() and time.monotonic() < deadline:
            time.sleep(POLL_S)


def _refuse(ended: Iterable[Child]) -> None:
    names = [child.name for child in ended]
    if names:
        raise SettingsError(f"A part of the demo ended: {', '.join(names)}. Why is in logs/{names[0]}.log in the demo's data directory.")
