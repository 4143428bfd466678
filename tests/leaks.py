"""Marked secrets, and a sieve that everything said or stored goes through: nothing of a secret may be in it, in any writing."""

from __future__ import annotations

import base64
import gc
import logging
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from rqdash.errors import RqdashError

SPECIAL = "@/:#% ?&+'\"<é"
"""Between the two halves of a mark: whatever cuts a secret in two or writes it in another way leaves a half as it is."""

ORDINARY = frozenset(vars(logging.makeLogRecord({})))


def mark(name: str) -> str:
    """A secret with all that URLs, pages, JSON and Python write otherwise, between two halves that all of them leave as they are."""
    return f"{name}1{secrets.token_hex(5)}{SPECIAL}{name}2{secrets.token_hex(5)}"


def needles(secret: str) -> tuple[bytes, ...]:
    """What gives a secret away: its halves, or those of a token; plain or in base64 at each of the three places they can begin."""
    halves = secret.split(SPECIAL) if SPECIAL in secret else (secret, secret.removeprefix("rqd_")[:20])
    plain = tuple(half.encode() for half in halves)
    return plain + tuple(inside for half in plain for place in range(3) for inside in _base64(half, place))


def _base64(half: bytes, place: int) -> tuple[bytes, bytes]:
    """The middle of a text in base64 that begins at one of three places of a longer one, in both alphabets."""
    whole = bytes(place) + half
    end = len(whole) // 3 * 4
    start = 0 if place == 0 else 4
    return base64.b64encode(whole)[start:end], base64.urlsafe_b64encode(whole)[start:end]


@dataclass(slots=True)
class Sieve:
    """Remembers the secrets of a run, and looks for them in what comes out of it."""

    known: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    seen: int = 0

    def secret(self, value: str) -> str:
        """The value, which is a secret from now on."""
        self.known[value] = needles(value)
        return value

    def mark(self, name: str) -> str:
        return self.secret(mark(name))

    def look(self, place: str, said: object, *, belongs: str = "") -> None:
        """Looks through a text, bytes, or anything's repr; belongs is a secret that this place is for."""
        self.seen += 1
        content = said if isinstance(said, bytes) else (said if isinstance(said, str) else repr(said)).encode("utf-8", "backslashreplace")
        for secret, given_away_by in self.known.items():
            if secret != belongs and any(needle in content for needle in given_away_by):
                self.found.append(f"{place} holds {secret[:12]}...")

    def look_at_logs(self, records: list[logging.LogRecord]) -> None:
        """Each record as any formatter could write it: its message, its facts, its traceback."""
        for logger, said in {(record.name, _said(record)) for record in records}:
            self.look(f"log of {logger}", said)

    def look_at_objects(self) -> None:
        """The repr of every living value of ours and of redis-py."""
        gc.collect()
        for found in gc.get_objects():
            if str(type(found).__module__).partition(".")[0] in ("rqdash", "redis"):
                self.look(f"repr of {type(found).__qualname__}", found)


def _said(record: logging.LogRecord) -> str:
    """All of a record that differs from others by more than its time."""
    facts = {name: value for name, value in vars(record).items() if name not in ORDINARY or name == "args"}
    shown = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
    return f"{record.getMessage()} {facts!r} {shown}"


@contextmanager
def errors_kept(patch: pytest.MonkeyPatch) -> Iterator[list[RqdashError]]:
    """Every error of ours that is made meanwhile, also those that are caught again."""
    made: list[RqdashError] = []
    original = RqdashError.__init__

    def kept(self: RqdashError, *args: object, **options: object) -> None:
        original(self, *args, **options)  # type: ignore[arg-type]
        made.append(self)

    with patch.context() as patched:
        patched.setattr(RqdashError, "__init__", kept)
        yield made


def written(error: RqdashError) -> str:
    """An error as a log writes it, with what led to it, and everything it carries."""
    return f"{''.join(traceback.format_exception(error))} {error!r} {error.args!r} {vars(error)!r}"
