"""RQ's cron as it is read: schedulers of all versions, what is doubled, overdue or unattended, and histories."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
from rq.cron import CronScheduler

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.errors import NotFound
from rqdash.model.cron import Cron, CronState
from rqdash.model.names import ref
from rqdash.model.profile import Profile
from rqdash.queries import cron as query
from tests.commands import written
from tests.conftest import backend_of
from tests.round_trips import counted_backend, spent
from tests.stored import HOSTILE, NOW, Stored
from tests.timed import Timed, both_ways


@pytest.fixture
def timed(redis_client: redis.Redis) -> Timed:
    return Timed(Stored(redis_client))


def cron(backend: Backend, *, now: datetime = NOW) -> Cron:
    return query.cron(backend, now=now)


def states(found: Cron) -> dict[str, CronState]:
    return {job.name: job.state for job in found.jobs}


def test_a_live_scheduler_shows_its_jobs_with_their_times_and_options(backend: Backend, timed: Timed) -> None:
    jobs = [
        timed.cron_job("sync", args='["eu"]', kwargs='{"dry": true}', job_timeout=60, meta='{"a": 1}'),
        timed.cron_job("nightly", interval=None, cron="0 3 * * *", queue_name="slow", last_s=None, next_s=3600),
    ]
    timed.cron("host:41:aa", jobs)

    found = cron(backend)

    sync, nightly = found.jobs
    assert (sync.state, sync.function, sync.queue, sync.interval_s) == (CronState.SCHEDULED, "app.tasks.send", "mail", 60)
    assert sync.arguments == "'eu', dry=True"
    assert sync.options == (("job_timeout", "60 s"), ("result_ttl", "500 s"), ("meta", "set"))
    assert (sync.latest_at, sync.next_at) == (NOW - timedelta(seconds=30), NOW + timedelta(seconds=30))
    assert (nightly.cron, nightly.queue, nightly.latest_at, nightly.interval_s) == ("0 3 * * *", "slow", None, None)
    (scheduler,) = found.schedulers
    assert (scheduler.hostname, scheduler.pid, scheduler.config, scheduler.jobs, scheduler.is_live) == ("host", 41, "app.cron", 2, True)


def test_two_live_schedulers_with_the_same_job_double_it_and_a_dead_one_does_not(backend: Backend, timed: Timed) -> None:
    both, other = timed.cron_job("both"), timed.cron_job("other", queue_name="slow")
    timed.cron("a", [both, other])
    timed.cron("b", [both, timed.cron_job("other", queue_name="fast")])
    timed.cron("c", [other], beat_s=121)

    found = cron(backend)

    assert sorted((job.name, job.queue, job.state) for job in found.jobs) == [
        ("both", "mail", CronState.DOUBLED),
        ("other", "fast", CronState.SCHEDULED),
        ("other", "slow", CronState.SCHEDULED),
    ]
    assert found.jobs[0].schedulers == ("a", "b")
    assert {scheduler.name: scheduler.is_live for scheduler in found.schedulers} == {"a": True, "b": True, "c": False}


def test_a_scheduler_that_was_killed_and_started_anew_doubles_nothing(backend: Backend, timed: Timed) -> None:
    timed.cron("killed", [timed.cron_job("job")], beat_s=100)
    timed.cron("anew", [timed.cron_job("job")])

    found = cron(backend)

    assert states(found) == {"job": CronState.SCHEDULED}
    assert found.live == 2


def test_one_scheduler_that_has_a_job_twice_is_not_two_schedulers(backend: Backend, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("same"), timed.cron_job("same")])

    assert [job.state for job in cron(backend).jobs] == [CronState.SCHEDULED]


@pytest.mark.parametrize(("late_s", "state"), [(59, CronState.SCHEDULED), (61, CronState.OVERDUE)])
def test_a_job_is_overdue_when_its_time_is_past_by_a_minute(backend: Backend, timed: Timed, late_s: float, state: CronState) -> None:
    timed.cron("a", [timed.cron_job("late", next_s=-late_s)])

    assert states(cron(backend)) == {"late": state}


def test_jobs_without_a_live_scheduler_are_an_alarm(backend: Backend, timed: Timed) -> None:
    timed.cron("dead", [timed.cron_job("held")], beat_s=600)
    timed.known("only a name", last_s=600)

    found = cron(backend)

    assert states(found) == {"held": CronState.UNATTENDED, "only a name": CronState.UNATTENDED}
    assert found.is_unattended
    assert {job.name: job.is_only_a_name for job in found.jobs} == {"held": False, "only a name": True}


def test_a_name_that_live_schedulers_do_not_have_was_dropped_unless_one_does_not_say(backend: Backend, timed: Timed) -> None:
    timed.known("old", last_s=600)
    timed.cron("a", [timed.cron_job("new")])
    dropped = cron(backend)

    timed.cron("of 2.6", None)
    unknown = cron(backend)

    assert states(dropped)["old"] is CronState.DROPPED
    assert states(unknown)["old"] is CronState.UNKNOWN
    assert not dropped.is_unattended


@pytest.mark.parametrize("raw", [None, b"\xff\xfe", b"{}", b"[" * 5000, b"[" + b"1," * 70_000 + b"1]"])
def test_a_list_that_is_absent_garbled_or_too_large_is_unknown(backend: Backend, timed: Timed, raw: bytes | None) -> None:
    timed.cron("a", raw)

    (scheduler,) = cron(backend).schedulers

    assert scheduler.is_live
    assert scheduler.jobs is None
    assert scheduler.problem


def test_entries_that_make_no_sense_are_left_out_or_read_as_far_as_they_go(backend: Backend, timed: Timed) -> None:
    odd = timed.cron_job(
        "odd \ud800",
        queue_name=7,
        args="[",
        kwargs="<not JSON serializable>",
        interval="often",
        cron=None,
        latest_enqueue_time="9",
        webhooks=7,
    )
    raw = json.dumps([1, None, {}, {"func_name": ""}, odd, {"func_name": "app.bare"}]).encode()
    timed.cron("a", raw)

    found = {job.name: job for job in cron(backend).jobs}

    assert set(found) == {"odd ?", "app.bare"}
    assert found["odd ?"].arguments == "arguments that are not JSON"
    assert (found["odd ?"].queue, found["odd ?"].interval_s, found["odd ?"].latest_at) == ("", None, None)


def test_what_a_profile_hides_is_not_in_cron_jobs_either(server: Server, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync", args='["eu"]', kwargs='{"password": "hush"}')])
    live = backend_of(server)
    profile = live.profile

    shown = cron(Backend(with_policy(profile, "shown"), reader=live.reader, writer=live.writer)).jobs[0]
    hidden = cron(Backend(with_policy(profile, "hidden"), reader=live.reader, writer=live.writer)).jobs[0]

    assert "eu" in shown.arguments
    assert "hush" not in shown.arguments
    assert hidden.arguments == ""
    live.close()


def with_policy(profile: Profile, arguments: str) -> Profile:
    return replace(profile, arguments=arguments, redact=("*password*",))


def test_the_package_rq_scheduler_is_noticed(backend: Backend, timed: Timed) -> None:
    client = timed.stored.client
    client.zadd("rq:scheduler:scheduled_jobs", {"a": 1, "b": 2})

    without = cron(backend)
    client.set("rq:scheduler_lock", "1")
    running = cron(backend)

    assert (without.foreign, without.has_foreign) == (2, False)
    assert (running.foreign, running.has_foreign) == (2, True)


def test_a_history_is_the_newest_jobs_with_their_status(backend: Backend, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync")])
    timed.stored.job("new", status="started")
    timed.stored.job("old", status="finished")
    timed.known("sync", "new", "old", "expired")

    found = query.history(backend, "sync", now=NOW)

    assert [(job.id, job.status, job.exists) for _, job in found.spawned] == [
        ("new", "started", True),
        ("old", "finished", True),
        ("expired", "", False),
    ]
    assert found.spawned[0][0] == NOW - timedelta(seconds=30)
    assert found.total == 3
    assert [job.state for job in found.jobs] == [CronState.SCHEDULED]


def test_hostile_names_are_found_again_by_their_references(backend: Backend, timed: Timed) -> None:
    for name in HOSTILE:
        timed.known(name, timed.stored.job(f"made by {name}"))

    found = [query.history(backend, ref(name), now=NOW) for name in HOSTILE]

    assert [history.name for history in found] == list(HOSTILE)
    assert all(len(history.spawned) == 1 for history in found)


def test_a_name_that_nobody_has_is_not_found(backend: Backend) -> None:
    with pytest.raises(NotFound):
        query.history(backend, "nobody", now=NOW)


def test_both_ways_of_reading_agree_and_neither_writes(server: Server, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync")])
    timed.cron("b", b"\xff", beat_s=500)
    timed.cron("c", None)
    timed.known("sync", timed.stored.job("made"), "gone")
    timed.known("\udcff")
    timed.stored.client.set(timed.stored.keys.cron_scheduler("wrong"), "no hash")
    timed.stored.client.zadd(timed.stored.keys.cron_schedulers, {"wrong": timed.now_s})
    with both_ways(server) as backends:
        timed.stored.client.config_resetstat()

        found = [(cron(backend), query.history(backend, "sync", now=NOW)) for backend in backends]

        assert found[0] == found[1]
        assert written(timed.stored.client) == set()


def test_cron_costs_one_round_trip(server: Server, timed: Timed) -> None:
    timed.cron("a", [timed.cron_job("sync")])
    backend, tally = counted_backend(server)
    cron(backend)

    _, sent = spent(tally, lambda: cron(backend))

    assert (sent.round_trips, sent.commands) == (1, 1)
    backend.close()


def test_rqs_own_schedulers_are_read_as_they_write(server: Server, backend: Backend, redis_client: redis.Redis) -> None:
    schedulers = [CronScheduler(connection=redis_client, logging_level="ERROR") for _ in range(2)]
    for scheduler in schedulers:
        scheduler.register(print, "mail", args=("eu",), interval=3600, name="every hour")
        scheduler.register(print, "mail", cron="0 3 * * *", name="at three")
        scheduler.register_birth()
        scheduler.enqueue_jobs()
        scheduler.save()
    now = datetime.now(UTC)

    doubled = cron(backend, now=now)
    schedulers[0].register_death()
    single = cron(backend, now=now)
    schedulers[1].register_death()
    none = cron(backend, now=now)
    history = query.history(backend, "every hour", now=now)

    assert states(doubled) == {"every hour": CronState.DOUBLED, "at three": CronState.DOUBLED}
    assert states(single) == {"every hour": CronState.SCHEDULED, "at three": CronState.SCHEDULED}
    assert {scheduler.name for scheduler in single.schedulers} == {schedulers[1].name}
    assert states(none) == {"every hour": CronState.UNATTENDED}
    hourly = next(job for job in single.jobs if job.name == "every hour")
    assert (hourly.function, hourly.arguments, hourly.interval_s) == ("builtins.print", "'eu'", 3600)
    assert hourly.next_at == schedulers[1].get_jobs()[0].next_enqueue_time
    assert [job.status for _, job in history.spawned] == ["queued", "queued"]
