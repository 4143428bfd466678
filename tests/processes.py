"""What runs on this machine, for tests that nothing is left running."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process that has not ended; a zombie has."""

    pid: int
    parent: int
    command: str


def processes() -> tuple[Process, ...]:
    """All of them, from /proc, or from ps where there is none."""
    if (PROC / "self" / "stat").exists():
        return tuple(found for entry in PROC.iterdir() if entry.name.isdecimal() and (found := _of_proc(entry)))
    listed = subprocess.run(["ps", "-Aww", "-o", "pid=,ppid=,stat=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return tuple(Process(int(row[0]), int(row[1]), row[3]) for row in rows if len(row) == 4 and not row[2].startswith("Z"))


def descendants(pid: int) -> tuple[Process, ...]:
    """The children of a process, their children, and so on."""
    running = processes()
    found: list[Process] = []
    parents = {pid}
    while parents:
        born = [process for process in running if process.parent in parents]
        found += born
        parents = {process.pid for process in born}
    return tuple(found)


def alive(pids: set[int]) -> set[int]:
    return pids & {process.pid for process in processes()}


def wait_until(holds: Callable[[], object], *, within_s: float = 30.0) -> bool:
    """Whether it came to hold before the time was over."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.1)
    return False


def _of_proc(entry: Path) -> Process | None:
    try:
        # The program's name is in brackets and may hold anything, so the fields are counted from the last bracket.
        state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (OSError, ValueError):
        return None
    return None if state == "Z" else Process(int(entry.name), int(parent), command)
