"""What a view over many backends is handed: the backends in its scope, and one way to ask them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from rqdash.backends.backend import Backend
from rqdash.backends.gather import Gatherer
from rqdash.model.reply import Reply

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Many:
    """The backends of one request, in the registry's order; max_age_s is 0 but for polls. read_at: when each value was read."""

    backends: Sequence[Backend]
    gatherer: Gatherer
    max_age_s: float = 0.0
    chosen: tuple[str, ...] = ()
    read_at: list[datetime] = field(default_factory=list, compare=False)

    def gather(self, query: Callable[[Backend], T], *, key: str) -> tuple[Reply[T], ...]:
        """One reply a backend within the deadline; never raises for one of them."""
        replies = self.gatherer.gather(self.backends, query, key=key, max_age_s=self.max_age_s)
        self.read_at.extend(reply.as_of for reply in replies if reply.is_ok and reply.as_of is not None)
        return replies
