"""The process that reads a file: nothing it could reach is there, and it cannot grow or last.

Its input is a line of JSON with the file's name, then the file; its output is one JSON object. It runs without an environment.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import resource
import signal
import sys
import unicodedata
from typing import Any

from rqdash.profiles.readers.detect import Content, read
from rqdash.profiles.readers.notes import Notes, Unreadable
from rqdash.profiles.readers.plain import plain_candidate, plain_finding

MEMORY_BYTES = 256 * 1024 * 1024
CPU_S = 1.5
FORBIDDEN = ("exec", "open", "import", "os.", "subprocess.", "socket.", "shutil.", "ctypes.", "pty.", "fcntl.")
ENCODINGS = ("utf-16", "utf-8-sig", "latin-1", "unicode_escape")
PRELOADED = (unicodedata,)
"""What the parser would load by itself when it meets a named character."""


def main() -> None:
    """Reads standard input and answers on standard output."""
    limit()
    head, _, content = sys.stdin.buffer.read().partition(b"\n")
    name = str(json.loads(head)["name"])
    for encoding in ENCODINGS:
        codecs.lookup(encoding)
    sys.addaudithook(_refuse)
    sys.stdout.write(json.dumps(answer(name, content)))
    sys.stdout.flush()


def limit() -> None:
    """Bounds this process for good: memory, time, and no files. macOS has no limit of memory."""
    for kind, amount in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, math.ceil(CPU_S)),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (amount, amount))
    # Its own seconds and not the clock's, so that a busy machine refuses nothing; RLIMIT_CPU only counts whole ones.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)


def answer(name: str, content: bytes) -> dict[str, Any]:
    """What a file was read as, as JSON values; also when it cannot be read."""
    notes = Notes()
    found = Content("", ())
    try:
        found = read(name, content, notes)
    except Unreadable as unreadable:
        notes.error(unreadable.at, unreadable.code, message=unreadable.message)
    except (RecursionError, MemoryError):
        notes.error(Unreadable("", "").at, "too-deep", message="The file is nested too deeply or too large. Import only the settings.")
    return {
        "format": found.format,
        "candidates": [plain_candidate(candidate) for candidate in found.candidates],
        "findings": [plain_finding(finding) for finding in notes.findings],
    }


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    """Ends the process before anything is run, opened or reached: reading a file needs none of it, so this is never a file's doing well."""
    if event.startswith(FORBIDDEN):
        raise SystemExit(3)
