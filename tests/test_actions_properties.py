"""Whatever state the jobs are in, and whichever are named: every id gets one verdict, and nobody else is touched."""

from __future__ import annotations

import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rqdash.actions import cancel, delete, enqueue, move, requeue, rescue
from rqdash.actions.jobs import ALLOWED
from rqdash.backends.backend import Backend
from rqdash.model.outcome import Outcome, Verdict
from rqdash.model.registry import STATUSES, Registry
from tests.actors import Witness, snapshot, write_job

IDS = [f"job-{number}" for number in range(8)]
PLACES = ("queued", "intermediate", "scheduled", "deferred", "failed", "finished", "canceled")
LISTS = {"queued": "rq:queue:mail", "intermediate": "rq:queue:mail:intermediate"}
STATE = st.fixed_dictionaries(
    {
        "status": st.sampled_from(("", *STATUSES, "unheard-of")),
        "places": st.sets(st.sampled_from(PLACES), max_size=2),
        "is_running": st.booleans(),
        "is_gone": st.booleans(),
        "dependents": st.sets(st.sampled_from(IDS), max_size=2),
        "rate_limit_key": st.sampled_from(("", "", "", "api")),
    }
)


def rescued(backend: Backend, actor: Witness, *, queue: str, registry: Registry, ids: list[str]) -> Outcome:
    return rescue(backend, actor, queue=queue, ids=ids)


VERBS = {"requeue": requeue, "enqueue": enqueue, "rescue": rescued, "cancel": cancel, "delete": delete, "move": move}


def lay_out(client: redis.Redis, job_id: str, state: dict[str, object]) -> None:
    if not state["is_gone"]:
        write_job(client, job_id, status=str(state["status"]), rate_limit_key=str(state["rate_limit_key"]))
    for place in sorted(state["places"]):  # type: ignore[call-overload]
        if place in LISTS:
            client.rpush(LISTS[place], job_id)
        else:
            client.zadd(f"rq:{place}:mail", {job_id: 4e9})
    if state["is_running"]:
        client.zadd(f"rq:executions:{job_id}", {"live": 4e9})
    for child in state["dependents"]:  # type: ignore[attr-defined]
        client.sadd(f"rq:job:{job_id}:dependents", child)
        client.sadd(f"rq:job::{child}:dependencies", job_id)


def holding(client: redis.Redis, job_id: str) -> set[str]:
    """Where a job is now, among the places of both queues."""
    raw, places = job_id.encode(), set()
    for queue in ("mail", "slow"):
        places |= {f"queued:{queue}"} if raw in client.lrange(f"rq:queue:{queue}", 0, -1) else set()
        places |= {f"intermediate:{queue}"} if raw in client.lrange(f"rq:queue:{queue}:intermediate", 0, -1) else set()
        places |= {f"{place}:{queue}" for place in PLACES[2:] if client.zscore(f"rq:{place}:{queue}", raw) is not None}
    return places


def others(client: redis.Redis, named: set[str]) -> dict[str, object]:
    """The hash and the places of every job that was not named, and the order in which they wait."""
    rest = [job_id for job_id in IDS if job_id not in named]
    waiting = [raw for raw in client.lrange("rq:queue:mail", 0, -1) if raw.decode() in rest]
    return {job_id: (client.hgetall(f"rq:job:{job_id}"), holding(client, job_id)) for job_id in rest} | {"waiting": waiting}


@settings(max_examples=50, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    states=st.lists(STATE, min_size=len(IDS), max_size=len(IDS)),
    named=st.lists(st.sampled_from((*IDS, "nobody")), min_size=1, max_size=6),
    way=st.sampled_from([(verb, registry) for verb in sorted(VERBS) for registry in ALLOWED[verb]]),
)
def test_every_id_gets_one_verdict_and_nobody_else_is_touched(
    redis_client: redis.Redis, backend: Backend, states: list[dict[str, object]], named: list[str], way: tuple[str, Registry]
) -> None:
    verb, registry = way
    redis_client.flushdb()
    for job_id, state in zip(IDS, states, strict=True):
        lay_out(redis_client, job_id, state)
    options = {"to_queue": "slow"} if verb == "move" else {}
    untouched = others(redis_client, set(named))

    outcome = VERBS[verb](backend, Witness(), queue="mail", registry=registry, ids=named, **options)  # type: ignore[operator]

    assert [job.job_id for job in outcome.jobs] == list(dict.fromkeys(named))
    assert sum(outcome.counts().values()) == len(set(named))
    assert others(redis_client, set(named)) == untouched
    for job in outcome.jobs:
        if job.verdict in (Verdict.DONE, Verdict.GONE) and registry is not Registry.STARTED:
            assert f"{registry.value}:mail" not in holding(redis_client, job.job_id)
    before = snapshot(redis_client)
    again = VERBS[verb](backend, Witness(), queue="mail", registry=registry, ids=named, **options)  # type: ignore[operator]
    assert again.done == 0 or any(job.verdict is Verdict.HAS_DEPENDENTS for job in outcome.jobs)
    assert again.done or snapshot(redis_client) == before
