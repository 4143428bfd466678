"""A job on its way from one backend to another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class InTransit:
    """A job taken out of a queue whose destination has not confirmed it yet. destination is the name its profile had then."""

    job_id: str
    queue: str
    destination: str
    to_queue: str
    since: datetime
