"""What one backend answered when several were asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from rqdash.model.profile import Profile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a backend has no value: code (unreachable, slow, denied, switching, ...), a sentence, what to do, since when, next try.

    Each process notices and tries again by itself, so the moments are momentary: no news to who looks at the page.
    """

    momentary: ClassVar[frozenset[str]] = frozenset({"since", "retry_at"})
    code: str
    message: str
    hint: str = ""
    since: datetime | None = None
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """One backend's answer: a value, or a problem with the last good value, which is then stale. as_of is when value was read.

    caution is what Sentinel says though the backend answers: switching, degraded, blind.
    """

    profile: Profile
    value: T | None
    problem: Problem | None = None
    as_of: datetime | None = None
    elapsed_ms: float | None = None
    caution: Problem | None = None

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def is_ok(self) -> bool:
        return self.problem is None

    @property
    def is_stale(self) -> bool:
        return self.problem is not None and self.value is not None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the backends asked a total speaks for."""

    answered: int
    asked: int

    @property
    def is_whole(self) -> bool:
        return self.answered == self.asked

    def __str__(self) -> str:
        return f"{self.answered} of {self.asked}"


def coverage(replies: Sequence[Reply[T]]) -> Coverage:
    return Coverage(sum(1 for reply in replies if reply.is_ok), len(replies))
