"""A cron scheduler process: python -m rqdash.demo.cron LAYOUT BACKEND."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis
from rq.cron import CronScheduler

from rqdash.demo.layout import DemoBackend, connection, read_layout
from rqdash.demo.tasks import mail, media, orders

PAUSE_S = 2.0
RESULT_TTL_S = 600
FAILURE_TTL_S = 4 * 3600


@dataclass(frozen=True, slots=True)
class Entry:
    """A job that comes by the clock: every interval_s seconds, or by a cron line."""

    queue: str
    task: Callable[..., object]
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)
    interval_s: int | None = None
    line: str | None = None


ENTRIES = {
    "orders": (
        Entry("checkout", orders.refresh_exchange_rates, ("EUR",), line="*/15 * * * *"),
        Entry("fulfilment", orders.settle_day, ("2026-11-23", ["oslo", "lisbon"]), line="30 2 * * *"),
    ),
    "mail": (
        Entry("newsletter", mail.send_digest, ("9",), interval_s=60),
        Entry("bounces", mail.forget_address, ("old.list@example.com",), line="0 4 * * sun"),
    ),
    "media": (Entry("housekeeping", media.delete_orphans, ("uploads",), {"dry_run": True}, line="*/5 * * * *"),),
}
"""The cron jobs by backend."""


def main(layout: Path, name: str) -> None:
    """Schedules until it is ended; starts anew when the server was away."""
    backend = read_layout(layout)[name]
    while True:
        try:
            scheduler(backend).start()
        except redis.RedisError:
            time.sleep(PAUSE_S)
        else:
            return


def scheduler(backend: DemoBackend) -> CronScheduler:
    """RQ's own scheduler with the entries of a backend."""
    cron = CronScheduler(connection=connection(backend), logging_level="WARNING")
    for entry in ENTRIES[backend.name]:
        cron.register(
            entry.task,
            entry.queue,
            args=entry.args,
            kwargs=entry.kwargs,
            interval=entry.interval_s,
            cron=entry.line,
            result_ttl=RESULT_TTL_S,
            failure_ttl=FAILURE_TTL_S,
        )
    return cron


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
