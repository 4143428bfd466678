"""What every stage of a test gets: the profile, its secrets, the board it writes on, and how much time is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import redis

from rqdash.backends.connect import connect
from rqdash.backends.policy import TargetPolicy
from rqdash.backends.probe.report import Board
from rqdash.model.profile import Kind, Node, Profile, Secrets

STAGE_S = 1.0
DNS_S = 2.0


class Clock:
    """Counts down a budget in seconds, and times stages in milliseconds."""

    def __init__(self, budget_s: float) -> None:
        self._started_s = time.monotonic()
        self._deadline_s = self._started_s + budget_s

    def left(self, limit_s: float) -> float:
        """Seconds a step may take: limit_s, or what the budget still holds, but never nothing."""
        return max(0.05, min(limit_s, self._deadline_s - time.monotonic()))

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline_s

    @property
    def took_ms(self) -> float:
        return ms_since(self._started_s)


def ms_since(started_s: float) -> float:
    return (time.monotonic() - started_s) * 1000


@dataclass(frozen=True, slots=True)
class Context:
    """One test. profile has timeouts short enough for a test; its kind is standalone once a master has been found."""

    profile: Profile
    secrets: Secrets
    policy: TargetPolicy
    board: Board
    clock: Clock
    now: Callable[[], datetime]

    @property
    def user(self) -> str:
        return self.profile.username or "default"

    def client(self, *, db: int | None = None, secrets: Secrets | None = None, username: str | None = None) -> redis.Redis:
        """A client of the profile's server as pages use it, or with another database or other credentials; no I/O."""
        profile = replace(
            self.profile,
            db=self.profile.db if db is None else db,
            username=self.profile.username if username is None else username,
            connect_timeout_s=self.clock.left(STAGE_S * 2),
            read_timeout_s=self.clock.left(STAGE_S),
        )
        return connect(profile, self.secrets if secrets is None else secrets, policy=self.policy, writes=False)

    def at(self, master: Node) -> Context:
        """The same test at a master that the sentinels named."""
        return replace(self, profile=replace(self.profile, kind=Kind.STANDALONE, host=master.host, port=master.port))
