"""For tests of actions: someone to act, who keeps the rows an audit log would, and what an action left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

from rqdash.errors import RqdashError
from rqdash.model.outcome import Outcome

HOSTILE = ("<script>", "a/b?c#d", "a//b", "../x", "/x", "", "new\nline", "x" * 4096, "🦊", "a:b:c", "no,commas", "%s %d %%")


@dataclass(slots=True)
class Row:
    """What one action left in the audit log."""

    verb: str
    backend: str
    queue: str
    values: Mapping[str, object]
    status: str = "done"
    outcomes: Mapping[str, int] = field(default_factory=dict)

    def finish(self, outcomes: Mapping[str, int]) -> None:
        self.outcomes = dict(outcomes)


@dataclass(slots=True)
class Witness:
    """An actor whose audit log is a list."""

    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def recording(self, verb: str, *, backend: str = "", queue: str = "", values: Mapping[str, object] | None = None) -> Iterator[Row]:
        row = Row(verb, backend, queue, values or {})
        self.rows.append(row)
        try:
            yield row
        except RqdashError as error:
            row.status = error.code
            raise


def verdicts(outcome: Outcome) -> list[str]:
    return [job.verdict.value for job in outcome.jobs]


def snapshot(client: redis.Redis) -> dict[bytes, bytes | None]:
    """Everything on a server, to see that nothing changed."""
    return {key: client.dump(key) for key in sorted(client.keys("*"))}


def write_job(client: redis.Redis, job_id: str, *, status: str, queue: str = "mail", **fields: str) -> None:
    """The hash of a job, as plain as workers accept it; in no list and no registry."""
    mapping = {"status": status, "origin": queue, "data": "x", "enqueued_at": "2026-01-01T00:00:00.000000Z", **fields}
    client.hset(f"rq:job:{job_id}", mapping=mapping)
