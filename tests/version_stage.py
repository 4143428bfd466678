"""Brings a server into every state that a version of RQ brings it into, lets the dashboard act, and lets that version go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import redis

from rqdash.actions import resume, suspend
from rqdash.demo.servers import Server
from rqdash.model.outcome import Outcome
from rqdash.queries.workers import worker
from tests.actors import Witness
from tests.conftest import backend_of
from tests.processes import wait_until
from tests.version_acts import Sides
from tests.version_scenarios import ELSEWHERE, HELD, HOUR_S, LOST, STOPPED, Scenario, of
from tests.version_tasks import MENDED, RAN
from tests.versions import Rq, Worker, running

HERE, THERE = "live", "there"
JSON = ("--serializer", "rq.serializers.JSONSerializer", "--worker-class", "rq.SimpleWorker")
LISTENED = ("mail", ELSEWHERE, "long", "limited", "chained", "legacy", "cron", "abandoned", "stuck")
"""The queues of the worker that runs what the actions left."""
QUEUES = (*LISTENED, "emptied", "forgotten", "json", "json-2")


@dataclass(slots=True)
class Stage:
    """A server with the jobs of all scenarios of one version, as its workers left them; one of them still at work."""

    rq: Rq
    other: Server
    client: redis.Redis
    there: redis.Redis
    sides: Sides
    scenarios: tuple[Scenario, ...]
    at_work: Worker

    def lists(self) -> tuple[tuple[str, str], ...]:
        """The registries with jobs in them, and their queues."""
        return tuple(sorted({(scenario.made, scenario.queue) for scenario in self.scenarios if scenario.made != "limited"}))


@dataclass(slots=True)
class Ended:
    """What the actions said, by job, and what came of it: the log of the workers' next run, and who ran meanwhile, in order.

    ran_suspended: those that ran while the workers were suspended.
    """

    said: dict[str, tuple[Outcome, ...]]
    log: str
    ran_suspended: list[str]
    ran: list[str]
    ran_there: list[str]


@contextmanager
def stage(version: str, server: Server, other: Server, directory: Path) -> Iterator[Stage]:
    """Everything is made on the server; the other one stays empty. Both are ended by whoever started them."""
    with running(version, server, directory) as rq, server.client() as client, other.client() as there:
        sides = Sides(backend_of(server, name=HERE), backend_of(other, name=THERE))
        scenarios = of(version)
        at_work = _worked(rq, client, scenarios)
        _waiting(rq, client, scenarios)
        _abandoned(client, rq.worker("abandoned", name=LOST))
        try:
            yield Stage(rq, other, client, there, sides, scenarios, at_work)
        finally:
            sides.here.close()
            sides.there.close()


def acted(on: Stage) -> Ended:
    """Does every scenario's action, then lets the workers go on until nothing is left to be run."""
    on.client.delete(RAN)
    for client in (on.client, on.there):
        client.set(MENDED, 1)
    said = {scenario.id: scenario.act(on.sides, scenario.queue, scenario.id) for scenario in on.scenarios if scenario.act}
    for held in (LOST, STOPPED):
        on.client.rpush(f"release:{held}", 1)
    assert wait_until(lambda: on.client.hget(f"rq:job:{STOPPED}", "status") == b"finished")
    ran_suspended = _suspended(on)
    on.at_work.shut_down()
    workers = (
        on.at_work,
        on.rq.worker(*LISTENED, name="after", options=("--burst", "--with-scheduler")),
        on.rq.worker("json", "json-2", name="after-json", options=("--burst", *JSON)),
        on.rq.worker("mail", name="there", options=("--burst", "--with-scheduler"), server=on.other),
    )
    log = "".join(each.ended() for each in workers)
    return Ended(said, log, ran_suspended, _ran(on.client), _ran(on.there))


def _suspended(on: Stage) -> list[str]:
    """Suspends the workers, and resumes them when the one that waits has noticed; the jobs that it ran meanwhile.

    An idle worker looks only when it has had a job, and `rq worker` does not even start while workers are suspended.
    """
    before = len(_ran(on.client))
    suspend(on.sides.here, Witness(), for_s=60)
    on.rq.driver("enqueue", id="suspended-taken", queue="long")
    assert wait_until(lambda: worker(on.sides.here, "at-work", now=datetime.now(UTC)).state == "suspended")
    on.rq.driver("enqueue", id="suspended-left", queue="long")
    ran = _ran(on.client)[before:]
    resume(on.sides.here, Witness())
    return ran


def _ran(client: redis.Redis) -> list[str]:
    return [job_id.decode() for job_id in client.lrange(RAN, 0, -1)]


def _worked(rq: Rq, client: redis.Redis, scenarios: tuple[Scenario, ...]) -> Worker:
    """Makes what must have run before. Answers the worker that is in the middle of a job."""
    for scenario in scenarios:
        if _has_run(scenario):
            _enqueue(rq, scenario)
    at_work = rq.worker("long", name="at-work")
    bursts = (rq.worker("mail", name="before", options=("--burst",)), rq.worker("json", name="before-json", options=("--burst", *JSON)))
    if not rq.has("2.6.1"):
        rq.driver("work_as_before_streams", queue="legacy")
    if rq.has("3.0.0"):
        rq.driver("enqueue", id="ready-left", queue="chained", depends_on=["parent-of-ready"])
        rq.driver("work_until_ready", queue="chained")
    assert wait_until(lambda: client.exists(f"running:{STOPPED}"))
    rq.driver("stop", id=STOPPED)
    assert wait_until(lambda: client.exists(f"running:{HELD}"))
    for burst in bursts:
        burst.ended()
    return at_work


def _has_run(scenario: Scenario) -> bool:
    return scenario.made in ("failed", "finished", "started") or scenario.id.startswith(("retried", "repeated"))


def _enqueue(rq: Rq, scenario: Scenario) -> None:
    """Makes a job; its options may name another function than the one that fits."""
    functions = {"failed": "fail", "started": "hold"}
    options = {"function": functions.get(scenario.made, "note"), **scenario.options}
    if scenario.id.startswith("grouped"):
        rq.driver("group", name="pair", ids=[scenario.id], queue=scenario.queue, function=options["function"])
    else:
        rq.driver("enqueue", id=scenario.id, queue=scenario.queue, json=scenario.queue == "json", **options)


def _waiting(rq: Rq, client: redis.Redis, scenarios: tuple[Scenario, ...]) -> None:
    """Makes what has not run yet: nobody works on these queues now."""
    defaults = {"scheduled": {"in_s": HOUR_S}, "deferred": {"depends_on": ["queued-parent"]}}
    for scenario in scenarios:
        if not _has_run(scenario) and scenario.made != "ready":
            _enqueue(rq, replace(scenario, options=defaults.get(scenario.made, {}) | scenario.options))
        if scenario.made == "canceled":
            rq.driver("cancel", id=scenario.id)
        if scenario.made == "intermediate":
            # What a worker of one queue does, which then ends before the job has begun.
            client.lmove(f"rq:queue:{scenario.queue}", f"rq:queue:{scenario.queue}:intermediate", "LEFT", "LEFT")
    if rq.has("2.6.1"):
        assert rq.driver("cron", name="host:7:abcdef") == 1


def _abandoned(client: redis.Redis, killed: Worker) -> None:
    """Kills a worker in the middle of its job, and takes away what Redis would take away 90 s later."""
    assert wait_until(lambda: client.exists(f"running:{LOST}"))
    killed.kill()
    for key in ("rq:wip:abandoned", f"rq:executions:{LOST}"):
        for member in client.zrange(key, 0, -1):
            client.zadd(key, {member: 1_000_000_000})
    for key in (f"rq:worker:{LOST}", f"rq:worker:{LOST}:executions", *client.scan_iter(f"rq:execution:{LOST}:*")):
        client.delete(key)
