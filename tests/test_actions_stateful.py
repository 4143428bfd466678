"""Workers, the scheduler and operators at the same jobs, in whatever order: no job is lost, and none is in two places."""

from __future__ import annotations

import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from rqdash.actions import Order, carried_out
from rqdash.actions.jobs import ALLOWED
from rqdash.backends.backend import Backend
from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry
from tests.actors import write_job

QUEUES = ("mail", "slow")
SETS = ("wip", "scheduled", "deferred", "failed", "finished", "canceled")
LIMIT = "rq:rl:api"
WAYS = [(verb, registry) for verb in sorted(ALLOWED) for registry in ALLOWED[verb]]
EXECUTION = "0123456789abcdef0123456789abcdef"
PAST, FUTURE = 1e9, 4e9


class Traffic(RuleBasedStateMachine):
    """One queue that everybody works on, and one that jobs are moved to."""

    client: redis.Redis
    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        self.client.flushdb()
        self.client.hset(LIMIT, "concurrency", 1)
        self.jobs: list[str] = []
        self.deleted: set[str] = set()

    def made(self, status: str, **fields: str) -> str:
        self.jobs.append(f"job-{len(self.jobs)}")
        write_job(self.client, self.jobs[-1], status=status, created_at="2026-01-01T00:00:00.000000Z", **fields)
        return self.jobs[-1]

    @rule()
    def a_producer_enqueues(self) -> None:
        self.client.rpush("rq:queue:mail", self.made("queued"))

    @rule()
    def a_producer_enqueues_under_a_rate_limit(self) -> None:
        is_free = self.client.zcard(f"{LIMIT}:allowed") == 0
        job_id = self.made("queued" if is_free else "rate_limited", rate_limit_key="api")
        self.client.zadd(f"{LIMIT}:allowed" if is_free else f"{LIMIT}:rate_limited", {job_id: len(self.jobs)})
        if is_free:
            self.client.rpush("rq:queue:mail", job_id)

    @rule(registry=st.sampled_from(("scheduled", "deferred")))
    def a_producer_puts_off(self, registry: str) -> None:
        self.client.zadd(f"rq:{registry}:mail", {self.made(registry): FUTURE})

    @rule(starts=st.booleans())
    def a_worker_pops(self, *, starts: bool) -> None:
        raw = self.client.lmove("rq:queue:mail", "rq:queue:mail:intermediate", "LEFT", "RIGHT")
        if raw is not None and starts:
            job_id = raw.decode()
            self.client.lrem("rq:queue:mail:intermediate", 1, job_id)
            self.client.hset(f"rq:job:{job_id}", "status", "started")
            self.client.zadd("rq:wip:mail", {f"{job_id}:{EXECUTION}": FUTURE})
            self.client.zadd(f"rq:executions:{job_id}", {EXECUTION: FUTURE})

    @rule(ends=st.sampled_from(("finished", "failed", "abandoned")))
    def a_worker_ends(self, ends: str) -> None:
        running = self.client.zrangebyscore("rq:wip:mail", FUTURE, FUTURE, start=0, num=1)
        if not running:
            return
        job_id = running[0].decode().partition(":")[0]
        if ends == "abandoned":
            self.client.zadd("rq:wip:mail", {running[0]: PAST})
            self.client.zadd(f"rq:executions:{job_id}", {EXECUTION: PAST})
            return
        self.client.zrem("rq:wip:mail", running[0])
        self.client.delete(f"rq:executions:{job_id}")
        self.client.hset(f"rq:job:{job_id}", "status", ends)
        self.client.zadd(f"rq:{ends}:{self.client.hget(f'rq:job:{job_id}', 'origin').decode()}", {job_id: FUTURE})

    @rule(way=st.sampled_from(WAYS), picks=st.sets(st.integers(0, 40), min_size=1, max_size=6), at_front=st.booleans(), again=st.booleans())
    def an_operator_acts(self, way: tuple[str, Registry], picks: set[int], *, at_front: bool, again: bool) -> None:
        verb, registry = way
        ids = [self.jobs[pick] for pick in sorted(picks) if pick < len(self.jobs)] or ["nobody"]
        order = Order(verb, "mail", registry, to_queue="slow" if verb == "move" else "mail", at_front=at_front and verb != "cancel")
        journal = f"op:{self.client.incr('journals')}"
        outcome, failure = carried_out(self.backend, order, ids=ids, journal=journal)
        assert failure is None
        if again:
            assert carried_out(self.backend, order, ids=ids, journal=journal)[0].jobs == outcome.jobs
        if verb == "delete":
            self.deleted |= {job.job_id for job in outcome.jobs if job.verdict is Verdict.DONE}

    @invariant()
    def every_job_is_in_one_place_or_was_deleted(self) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for queue in QUEUES:
            pipeline.lrange(f"rq:queue:{queue}", 0, -1).lrange(f"rq:queue:{queue}:intermediate", 0, -1)
            for kind in SETS:
                pipeline.zrange(f"rq:{kind}:{queue}", 0, -1)
        pipeline.zrange(f"{LIMIT}:rate_limited", 0, -1)
        entries = [entry.decode().partition(":")[0] for part in pipeline.execute() for entry in part]
        kept = {key.decode().removeprefix("rq:job:") for key in self.client.scan_iter("rq:job:job-*", count=1000)}
        there = [job_id for job_id in self.jobs if job_id not in self.deleted]
        assert sorted(entries) == sorted(there)
        assert kept == set(there)

    @invariant()
    def nobody_waits_for_a_slot_that_is_free(self) -> None:
        holders = [raw.decode() for raw in self.client.zrange(f"{LIMIT}:allowed", 0, -1)]
        if self.client.zcard(f"{LIMIT}:rate_limited"):
            assert len(holders) == 1
            assert holders[0] not in self.deleted


def test_no_job_is_lost_and_none_is_in_two_places(redis_client: redis.Redis, backend: Backend) -> None:
    class Here(Traffic):
        client = redis_client

    Here.backend = backend
    run_state_machine_as_test(
        Here, settings=settings(max_examples=20, stateful_step_count=40, deadline=None, derandomize=True, database=None)
    )
