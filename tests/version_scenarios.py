"""The jobs of the version matrix: what each one was when it was acted upon, what was done to it, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.version_acts import (
    Act,
    cancel,
    carry,
    delete,
    delete_queue,
    edit,
    empty,
    enqueue,
    in_turn,
    move,
    requeue,
    reschedule,
    rescue,
    stop,
)
from tests.versions import number

HOUR_S = 3600
ELSEWHERE = "other"
HELD, STOPPED, LOST = "held", "stopped", "lost"
RETRY = {"function": "fail", "retry": {"max": 2, "interval": HOUR_S}}
REPEAT = {"repeat": {"times": 3, "interval": HOUR_S}}
WEBHOOK = {"url": "http://127.0.0.1:9/", "job_status": "failed", "headers": {"X-Key": "hunter2"}}


def limit(key: str) -> dict[str, Any]:
    return {"rate_limit": {"key": key, "concurrency": 1}}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One job. made is the registry it is in before, ends the one after the workers' next run ("" = it is gone).

    said are the verdicts on what is done to it, in order; runs counts from then on; to is the queue whose registry holds it in the end,
    is_there whether on the other backend. options are the driver's, for making it.
    """

    id: str
    made: str
    act: Act | None = None
    said: str = "done"
    runs: int = 1
    ends: str = "finished"
    queue: str = "mail"
    to: str = ""
    is_there: bool = False
    since: str = "1.16.2"
    until: str = "3.0.0"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def ends_on(self) -> str:
        return self.to or self.queue

    def is_of(self, version: str) -> bool:
        return number(self.since) <= number(version) <= number(self.until)


FAILED = (
    Scenario("failed-requeued", "failed", requeue("failed")),
    Scenario("failed-requeued-first", "failed", requeue("failed", at_front=True)),
    Scenario("failed-requeued-elsewhere", "failed", requeue("failed", to_queue=ELSEWHERE), to=ELSEWHERE),
    Scenario("failed-requeued-twice", "failed", in_turn(requeue("failed"), requeue("failed")), said="done raced"),
    Scenario("failed-moved", "failed", move("failed", ELSEWHERE), to=ELSEWHERE),
    Scenario("failed-deleted", "failed", delete("failed"), runs=0, ends=""),
    Scenario("failed-edited", "failed", edit("failed", timeout=120, failure_ttl=600), runs=0, ends="failed"),
    Scenario("failed-left", "failed", runs=0, ends="failed"),
    Scenario("failed-parent", "failed", requeue("failed")),
    Scenario("failed-with-lifetime", "failed", requeue("failed"), options={"failure_ttl": 600}),
    Scenario("failed-for-ever", "failed", requeue("failed"), options={"failure_ttl": -1}),
    # Workers of RQ 2.8 and later end when they meet such an id, so it is put on no queue; RQ before 2.0 has no rule for ids.
    Scenario("failed.with @odd/id", "failed", requeue("failed"), said="bad_id", runs=0, ends="failed", until="2.6.1"),
    Scenario("failed:with:colons", "failed", requeue("failed"), said="bad_id", runs=0, ends="failed", until="1.16.2"),
    Scenario("failed-in-json", "failed", requeue("failed"), queue="json"),
    Scenario("failed-in-its-hash", "failed", requeue("failed"), queue="legacy", until="2.0.0"),
    Scenario("failed-with-limit", "failed", requeue("failed"), "rate_limited", 0, "failed", since="3.0.0", options=limit("once")),
    Scenario(STOPPED, "failed", requeue("failed"), queue="long", options={"function": "hold"}),
)
FINISHED = (
    Scenario("finished-left", "finished", runs=0, options={"arguments": ["Ada", 7], "meta": {"by": "Ada"}}),
    Scenario("finished-deleted", "finished", delete("finished"), runs=0, ends=""),
    Scenario("finished-for-ever", "finished", runs=0, options={"result_ttl": -1}),
    Scenario("finished-in-json", "finished", runs=0, queue="json", options={"arguments": ["Ada", 7]}),
    Scenario("finished-in-its-hash", "finished", runs=0, queue="legacy", until="2.0.0"),
    Scenario("grouped-left", "finished", runs=0, since="2.0.0"),
    Scenario("grouped-deleted", "finished", delete("finished"), runs=0, ends="", since="2.0.0"),
    Scenario("parent-of-ready", "finished", runs=0, queue="chained", since="3.0.0"),
    Scenario("with-webhook", "finished", runs=0, since="2.12.0", options={"webhooks": [WEBHOOK]}),
)
QUEUED = (
    Scenario("queued-left", "queued"),
    Scenario("queued-moved", "queued", move("queued", ELSEWHERE), to=ELSEWHERE),
    Scenario("queued-moved-first", "queued", move("queued", "mail", at_front=True)),
    Scenario("queued-canceled", "queued", cancel("queued"), runs=0, ends="canceled"),
    Scenario("queued-deleted", "queued", delete("queued"), runs=0, ends=""),
    Scenario("queued-edited", "queued", edit("queued", timeout=120, result_ttl=-1)),
    Scenario("queued-with-lifetime", "queued", move("queued", ELSEWHERE), to=ELSEWHERE, options={"ttl": 600}),
    Scenario("queued-parent", "queued", in_turn(delete("queued"), carry("queued")), said="has_dependents has_dependents"),
    Scenario("queued-in-json", "queued", move("queued", "json-2"), queue="json", to="json-2"),
    Scenario("emptied", "queued", empty(), runs=0, ends="", queue="emptied"),
    Scenario("emptied-too", "queued", runs=0, ends="", queue="emptied"),
    Scenario("forgotten", "queued", delete_queue(), runs=0, ends="", queue="forgotten"),
    Scenario("forgotten-too", "canceled", runs=0, ends="", queue="forgotten"),
)
WAITING = (
    Scenario("scheduled-left", "scheduled", runs=0, ends="scheduled"),
    Scenario("scheduled-canceled", "scheduled", cancel("scheduled"), runs=0, ends="canceled"),
    Scenario("scheduled-deleted", "scheduled", delete("scheduled"), runs=0, ends=""),
    Scenario("scheduled-moved", "scheduled", move("scheduled", ELSEWHERE), runs=0, ends="scheduled", to=ELSEWHERE),
    Scenario("scheduled-enqueued", "scheduled", enqueue("scheduled")),
    Scenario("scheduled-made-due", "scheduled", reschedule(-5)),
    Scenario("overdue-left", "scheduled", options={"in_s": -60}),
    Scenario("overdue-moved", "scheduled", move("scheduled", ELSEWHERE), to=ELSEWHERE, options={"in_s": -60}),
    Scenario("overdue-enqueued", "scheduled", enqueue("scheduled"), options={"in_s": -60}),
    Scenario("overdue-put-off", "scheduled", reschedule(HOUR_S), runs=0, ends="scheduled", options={"in_s": -60}),
    Scenario("retried-left", "scheduled", runs=0, ends="scheduled", options=RETRY),
    Scenario("retried-canceled", "scheduled", cancel("scheduled"), runs=0, ends="canceled", options=RETRY),
    Scenario("retried-enqueued", "scheduled", enqueue("scheduled"), options=RETRY),
    Scenario("repeated-left", "scheduled", runs=0, ends="scheduled", since="2.6.1", options=REPEAT),
    Scenario("repeated-canceled", "scheduled", cancel("scheduled"), runs=0, ends="canceled", since="2.6.1", options=REPEAT),
    Scenario("repeated-deleted", "scheduled", delete("scheduled"), runs=0, ends="", since="2.6.1", options=REPEAT),
    # It runs now, and is due again an hour later.
    Scenario("repeated-enqueued", "scheduled", enqueue("scheduled"), ends="scheduled", since="2.6.1", options=REPEAT),
    Scenario("deferred-left", "deferred"),
    Scenario("deferred-canceled", "deferred", cancel("deferred"), runs=0, ends="canceled"),
    Scenario("deferred-deleted", "deferred", delete("deferred"), runs=0, ends=""),
    Scenario("deferred-enqueued", "deferred", enqueue("deferred")),
    Scenario("deferred-canceled-requeued", "deferred", in_turn(cancel("deferred"), requeue("canceled")), said="done done"),
    Scenario("deferred-of-failed", "deferred", options={"depends_on": ["failed-parent"]}),
    Scenario("ready-left", "ready", queue="chained", since="3.0.0"),
    Scenario("stuck-left", "intermediate", runs=0, ends="intermediate", queue="stuck"),
    Scenario("stuck-rescued", "intermediate", rescue(), queue="stuck"),
    # A worker of its queue is alive and may be about to start it.
    Scenario("stuck-just-now", "intermediate", rescue(), said="early", runs=0, ends="intermediate", queue="long"),
)
LIMITED = (
    # Each has a limit of its own, of one job at a time; the second of each waits for the first.
    Scenario("limited-canceled", "queued", cancel("queued"), "done", 0, "canceled", "limited", since="3.0.0", options=limit("a")),
    Scenario("limited-let-in", "limited", queue="limited", since="3.0.0", options=limit("a")),
    Scenario("limited-queued", "queued", queue="limited", since="3.0.0", options=limit("b")),
    Scenario("limited-left", "limited", queue="limited", since="3.0.0", options=limit("b")),
    Scenario("limited-deleted", "limited", delete("queued"), "done", 0, "", "limited", since="3.0.0", options=limit("b")),
    Scenario("limited-not-carried", "queued", carry("queued"), "rate_limited", queue="limited", since="3.0.0", options=limit("c")),
)
CANCELED = (
    Scenario("canceled-left", "canceled", runs=0, ends="canceled"),
    Scenario("canceled-requeued", "canceled", requeue("canceled")),
    Scenario("canceled-requeued-first", "canceled", requeue("canceled", at_front=True)),
    Scenario("canceled-moved", "canceled", move("canceled", ELSEWHERE), to=ELSEWHERE),
    Scenario("canceled-deleted", "canceled", delete("canceled"), runs=0, ends=""),
)
STARTED = (
    Scenario(HELD, "started", in_turn(delete("started"), requeue("started"), stop()), "running running done", 0, "failed", "long"),
    Scenario(LOST, "started", requeue("started"), queue="abandoned"),
)
CARRIED = (
    Scenario("failed-carried", "failed", carry("failed"), is_there=True),
    Scenario("failed-carried-first", "failed", carry("failed", at_front=True), is_there=True),
    Scenario("failed-copied", "failed", carry("failed", copy=True), runs=0, ends="failed"),
    Scenario("queued-carried", "queued", carry("queued"), is_there=True),
    Scenario("canceled-carried", "canceled", carry("canceled"), is_there=True),
    Scenario("scheduled-carried", "scheduled", carry("scheduled"), runs=0, ends="scheduled", is_there=True),
    Scenario("overdue-carried", "scheduled", carry("scheduled"), is_there=True, options={"in_s": -60}),
    Scenario("retried-carried", "scheduled", carry("scheduled"), runs=0, ends="scheduled", is_there=True, options=RETRY),
    Scenario("repeated-carried", "scheduled", carry("scheduled"), "done", 0, "scheduled", is_there=True, since="2.6.1", options=REPEAT),
    Scenario("grouped-carried", "failed", carry("failed"), is_there=True, since="2.0.0", options={"function": "fail"}),
)
SCENARIOS = (*FAILED, *FINISHED, *QUEUED, *WAITING, *LIMITED, *CANCELED, *STARTED, *CARRIED)


def of(version: str) -> tuple[Scenario, ...]:
    return tuple(scenario for scenario in SCENARIOS if scenario.is_of(version))
