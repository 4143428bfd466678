"""For tests of operations: a store with them, jobs to act on, a backend on which something happens at a chosen write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis

from rqdash.access.actor import Actor, command_line
from rqdash.access.audit import Audit
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Call
from rqdash.demo.servers import Server
from rqdash.operations import requests
from rqdash.operations.records import Records
from rqdash.operations.requests import Operations
from rqdash.operations.runner import Planner, Runner
from rqdash.operations.values import Asked, Operation, State, Who
from rqdash.store import open_store
from tests.conftest import backend_of
from tests.stored import iso, packed

NEVER = threading.Event()
OP_KEYS = b":rqdash:op:"


class Eventful(Backend):
    """A backend that calls after(number, call) after each write that acts, counted from 1, before its answer is given."""

    after: Callable[[int, Call], object] = staticmethod(lambda _number, _call: None)
    writes = 0

    def write_ahead(self, calls: Iterator[Call]) -> Generator[object]:
        """One after the other, so that each is an event of its own."""
        for call in calls:
            yield self.write(call)

    def write(self, call: Call) -> object:
        reply = super().write(call)
        self.writes += 1
        self.after(self.writes, call)
        return reply


def eventful(server: Server, *, name: str = "live", **profile: Any) -> Eventful:
    plain = backend_of(server, name=name)
    return Eventful(plain.profile, reader=plain.reader, writer=plain.writer)


def opened(data_dir: Path, backends: Mapping[str, Backend], *, url: str = "") -> Operations:
    """Operations over these backends, in a store that is made if there is none."""
    store = open_store(url, data_dir=data_dir)
    return Operations(Records(store), backends, Audit(store))


def mira(operations: Operations) -> Actor:
    return command_line("mira", operations.audit)


def fail_jobs(client: redis.Redis, number: int, *, queue: str = "mail", prefix: str = "job", fails_at: datetime | None = None) -> list[str]:
    """Failed jobs of a queue, one a second up to fails_at (now), the first the oldest."""
    at = (fails_at or datetime.now(UTC)).timestamp()
    ids = [f"{prefix}-{index:05d}" for index in range(number)]
    with client.pipeline(transaction=False) as pipe:
        pipe.sadd("rq:queues", f"rq:queue:{queue}")
        for index, job_id in enumerate(ids):
            moment = iso(datetime.fromtimestamp(at - (number - index), UTC))
            fields = {"status": "failed", "origin": queue, "data": packed("app.tasks.send"), "description": "send()"}
            pipe.hset(f"rq:job:{job_id}", mapping=fields | {"created_at": moment, "enqueued_at": moment, "ended_at": moment})
            pipe.zadd(f"rq:failed:{queue}", {job_id: at + index})
        pipe.execute()
    return ids


def asked(verb: str = "requeue", *, on: tuple[str, ...] = ("live",), search: str = "status:failed", **more: Any) -> Asked:
    return Asked(verb, on, search, more.pop("as_of", datetime.now(UTC)), Who("account", "mira", "10.0.3.7"), **more)


def planned(operations: Operations, wish: Asked) -> Operation:
    """An operation with its preview, however long planning takes here."""
    operation = requests.ask(operations, mira(operations), wish)
    while operation.state is State.PLANNING:
        Planner(operations).turn(NEVER)
        operation = operations.records.get(operation.id)
    return operation


def started(operations: Operations, wish: Asked) -> Operation:
    operation = planned(operations, wish)
    return requests.start(operations, mira(operations), operation.id, typed=requests.protected(operations, operation))


def run(operations: Operations, operation: Operation, runner: Runner | None = None) -> Operation:
    """The operation after a runner had nothing more to do."""
    runner = runner or Runner(operations, first_wait_s=0.01)
    while runner.turn(NEVER):
        pass
    return operations.records.get(operation.id)


def waiting(client: redis.Redis, queue: str = "mail") -> list[str]:
    return [job_id.decode() for job_id in client.lrange(f"rq:queue:{queue}", 0, -1)]


def outcomes(operation: Operation) -> dict[str, int]:
    return {verdict.value: count for verdict, count in operation.tally.items()}
