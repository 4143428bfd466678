"""The page of one job: what comes next for it, its relatives as far as they are shown, its limits and hooks, and runs like it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model.job import JobDetail, Prospect, RateLimit, Webhook
from rqdash.queries.job import job
from rqdash.queries.job_runs import runs
from tests.conftest import backend_of
from tests.pages import Document
from tests.rich import SECRETS, rich
from tests.round_trips import counted_backend, spent
from tests.site import Browser, site
from tests.stored import EXECUTION, NOW, NOW_S, Stored, ago

NO_SCRIPTS = "~rq:* +@read +@connection -@scripting -info -@write"


@pytest.fixture
def stored(redis_client: redis.Redis) -> Stored:
    return Stored(redis_client)


@pytest.fixture
def browser(tmp_path: Path, backend: Backend) -> Browser:
    return site(tmp_path / "data", {"live": backend}).sign_in("viewer")


def detail(backend: Backend, job_id: str = "job") -> JobDetail:
    return job(backend, job_id, now=NOW)


def said(backend: Backend, job_id: str = "job") -> list[str]:
    return [prospect.text for prospect in detail(backend, job_id).prospects]


def attended(stored: Stored, queue: str = "mail") -> None:
    """A live worker and a scheduler of a queue."""
    stored.worker("worker", queues=queue)
    stored.client.set(stored.keys.scheduler_lock(queue), "abc")


# What comes next.


def test_a_waiting_job_says_how_many_start_before_it(stored: Stored, backend: Backend) -> None:
    attended(stored)
    for job_id in ("first", "second", "third"):
        stored.waiting(job_id)

    assert said(backend, "first") == ["It is the next of its queue to start."]
    assert said(backend, "third") == ["It starts after 2 other jobs of its queue."]


def test_what_keeps_a_waiting_job_from_starting_is_said(stored: Stored, backend: Backend) -> None:
    stored.waiting("job")
    stored.client.sadd(stored.keys.queue_workers("mail"), stored.keys.worker("lost"))
    stored.client.set(stored.keys.suspended, "1")

    found = detail(backend).prospects

    assert [prospect.text for prospect in found if prospect.is_warning] == [
        "The workers are suspended: none takes another job until they are resumed.",
        "No worker listens to its queue.",
    ]


def test_a_job_that_says_queued_and_is_in_no_queue_says_so(stored: Stored, backend: Backend) -> None:
    attended(stored)
    stored.job("job")

    assert said(backend) == ["It says that it is queued and is not in its queue: no worker will find it."]


def test_a_job_that_may_expire_in_its_queue_says_when(stored: Stored, backend: Backend) -> None:
    attended(stored)
    stored.waiting("job", ttl=600)
    stored.client.expire(stored.keys.job("job"), 600)

    (_, last) = detail(backend).prospects

    assert last.text == "It is removed from Redis, started or not."
    assert last.at is not None
    assert abs(last.at - NOW - timedelta(minutes=10)) < timedelta(seconds=30)


def test_a_job_that_waits_for_its_retry_says_when_and_how_many_are_left(stored: Stored, backend: Backend) -> None:
    attended(stored)
    stored.entry("scheduled", "job", NOW_S + 40)
    stored.job("job", status="scheduled", started_at=ago(30), ended_at=ago(20), retries_left=1, number_of_retries=1)

    assert detail(backend).prospects == (Prospect("It is tried again, with 1 retry left after that", NOW + timedelta(seconds=40)),)


def test_a_job_that_repeats_says_so_though_it_has_retries(stored: Stored, backend: Backend) -> None:
    attended(stored)
    stored.entry("scheduled", "job", NOW_S + 40)
    stored.job("job", status="scheduled", started_at=ago(30), ended_at=ago(20), retries_left=1, repeats_left=2, repeat_intervals="[60, 90]")
    stored.client.xadd(stored.keys.results("job"), {"type": 1})

    assert said(backend) == [
        "It runs again, as it was told to repeat",
        "After it succeeds it runs again 2 times, after 1 m 00 s and 1 m 30 s.",
    ]


def test_a_scheduled_job_that_nobody_will_enqueue_says_so(stored: Stored, backend: Backend) -> None:
    stored.worker("worker", queues="mail")
    stored.entry("scheduled", "job", NOW_S - 60)
    stored.job("job", status="scheduled")

    overdue, unwatched = detail(backend).prospects

    assert (overdue.text, overdue.at) == ("It is put on its queue. It is overdue since", NOW - timedelta(seconds=60))
    assert unwatched.text.startswith("No scheduler watches its queue")
    assert overdue.is_warning
    assert unwatched.is_warning


def test_a_deferred_job_says_for_how_many_it_waits_and_which_will_not_end_well(stored: Stored, backend: Backend) -> None:
    stored.entry("deferred", "job", float("inf"))
    stored.job("job", status="deferred", dependency_ids='["running", "broken", "done", "gone"]')
    stored.job("running", status="started")
    stored.job("broken", status="failed")
    stored.job("done", status="finished")

    assert said(backend) == [
        "It is put on its queue when 2 jobs it waits for have ended.",
        "1 of these ended without finishing: it goes on waiting until they are run again and finish.",
    ]
    stored.client.hset(stored.keys.job("job"), "allow_dependency_failures", 1)
    assert said(backend) == ["It is put on its queue when 2 jobs it waits for have ended."]


def test_a_deferred_job_whose_dependencies_are_over_is_stuck(stored: Stored, backend: Backend) -> None:
    stored.entry("deferred", "job", float("inf"))
    stored.job("job", status="deferred", dependency_ids='["done"]')
    stored.job("done", status="finished")

    assert said(backend) == ["All it waited for is over and nothing puts it on its queue by itself."]


def test_a_running_job_says_when_it_times_out_and_when_it_counts_as_abandoned(stored: Stored, backend: Backend) -> None:
    stored.running(stored.worker("worker", state="busy"), "job")
    stored.client.hset(stored.keys.job("job"), mapping={"retries_left": 2, "retry_intervals": "[5]"})

    timeout, abandoned, again = detail(backend).prospects

    assert (timeout.text, timeout.at) == ("Its timeout ends it, if it still runs.", NOW + timedelta(seconds=150))
    assert (abandoned.text, abandoned.at) == ("It counts as abandoned, unless its worker reports before.", NOW + timedelta(seconds=60))
    assert again.text == "If it fails, it is tried again 2 times, after 5 s."


def test_a_running_job_whose_worker_is_gone_is_abandoned(stored: Stored, backend: Backend, browser: Browser) -> None:
    stored.running("gone", "job")

    (found,) = detail(backend).prospects
    page = Document(browser.get("/b/live/job?id=job").get_data(as_text=True)).text

    assert found.text == "It is abandoned: the next clean-up by a worker of its queue moves it to the failed registry."
    assert "The worker that ran this is gone." in page


@pytest.mark.parametrize(
    ("waits", "text"),
    [(1, "It gets the next free slot of its rate limit; 2 of 2 are held, 3 wait."), (3, "It gets a slot after 2 others of its rate limit")],
)
def test_a_rate_limited_job_says_how_many_wait_before_it(stored: Stored, backend: Backend, waits: int, text: str) -> None:
    attended(stored)
    rich(stored)
    stored.job("job", status="rate_limited", rate_limit_key="acme")
    stored.client.zadd(stored.keys.rate_limit_waiting("acme"), {{1: "first", 3: "third"}[waits]: waits, "job": waits})
    stored.client.zrem(stored.keys.rate_limit_waiting("acme"), {1: "first", 3: "third"}[waits])

    assert said(backend)[0].startswith(text)


def test_a_failed_job_says_what_it_still_holds_and_who_waits_for_it(stored: Stored, backend: Backend) -> None:
    rich(stored, dependents=2)

    assert said(backend, "rich")[:3] == [
        "It still holds a slot of its rate limit.",
        "It does not run again unless somebody requeues it.",
        "2 jobs wait for this one; what did not allow it to fail stays deferred.",
    ]


def test_an_ended_job_says_until_when_it_is_kept(stored: Stored, backend: Backend) -> None:
    stored.entry("finished", stored.job("kept", status="finished", ended_at=ago(3)), float("inf"))
    stored.entry("finished", stored.job("going", status="finished", ended_at=ago(3)), NOW_S + 500)
    stored.client.expire(stored.keys.job("going"), 500)

    assert said(backend, "kept") == ["It is done and does not run again.", "It is kept until somebody deletes it."]
    assert said(backend, "going") == ["It is done and does not run again.", "It is removed from Redis."]


def test_a_status_that_rq_does_not_have_has_no_future(stored: Stored, backend: Backend) -> None:
    stored.job("job", status="paused")

    assert said(backend) == ["RQ has no status 'paused': what becomes of it is unknown."]


# Its facts.


def test_limits_group_callbacks_and_webhooks_are_facts(stored: Stored, backend: Backend) -> None:
    rich(stored)

    found = detail(backend, "rich")

    limit = found.around.limit
    assert isinstance(limit, RateLimit)
    assert (limit.key, limit.concurrency, limit.holders, limit.waiters, limit.is_holder, limit.position) == ("acme", 2, 2, 3, True, None)
    assert (found.group_id, found.around.group_size) == ("night-run", 2)
    assert [(callback.event, callback.function, callback.timeout_s) for callback in found.callbacks] == [
        ("failure", "app.hooks.notify", 30)
    ]
    url = "https://…@hooks.example/done?token=<hidden by the rule *token*>"
    assert found.webhooks == (Webhook(url, "failed", "POST", ("Authorization",)),)
    assert (found.policies.retries_left, found.policies.retry_intervals) == (0, (60, 300))


def test_relatives_are_counted_where_not_all_are_shown(stored: Stored, backend: Backend, browser: Browser) -> None:
    rich(stored)

    found = detail(backend, "rich")
    page = Document(browser.get("/b/live/job?id=rich").get_data(as_text=True))

    assert (len(found.dependents), found.dependents_total) == (100, 132)
    assert "Waiting for this job: 100 of 132 shown" in page.text
    assert [relative.status for relative in found.dependents] == sorted((other.status for other in found.dependents), reverse=True)


def test_a_relative_is_found_through_its_link_though_its_id_travels_as_a_digest(stored: Stored, browser: Browser) -> None:
    long_id = "j" * 2000
    stored.waiting("job")
    stored.client.sadd(stored.keys.dependents("job"), long_id)
    stored.entry("deferred", stored.job(long_id, queue="other", status="deferred", description="app.tasks.later()"), 1, queue="other")

    page = Document(browser.get("/b/live/job?id=job").get_data(as_text=True))
    link = next(link.href for link in page.links if "later" in link.text)
    answer = browser.get(link)

    assert "~" in link
    assert answer.status_code == 200
    assert "app.tasks.send" in answer.get_data(as_text=True)


def test_the_timeline_tells_deferred_from_scheduled_and_the_wait_for_a_retry_from_the_wait_in_the_queue(
    stored: Stored, backend: Backend
) -> None:
    stored.job("waited", status="finished", dependency_ids='["x"]', enqueued_at=ago(500), started_at=ago(400), ended_at=ago(390))
    stored.job("timed", status="finished", enqueued_at=ago(500), started_at=ago(400), ended_at=ago(390))
    rich(stored)

    labels = {job_id: [step.label for step in detail(backend, job_id).timeline] for job_id in ("waited", "timed", "rich")}
    spent_s = detail(backend, "rich").spent

    assert labels["waited"] == ["Deferred", "Waited in mail", "Attempt 1"]
    assert labels["timed"] == ["Scheduled", "Waited in mail", "Attempt 1"]
    attempts = [f"Attempt {number}, ValueError" for number in (1, 2, 3)]
    assert labels["rich"] == ["Waited in webhooks", attempts[0], "Waited for retry", attempts[1], "Waited for retry", attempts[2]]
    assert [round(part or 0) for part in (spent_s.waited_s, spent_s.between_s, spent_s.ran_s, spent_s.whole_s)] == [192, 360, 30, 582]
    assert spent_s.attempts == 3


def test_raw_fields_are_as_stored_but_for_what_is_hidden(stored: Stored, backend: Backend) -> None:
    rich(stored)
    stored.client.hset(stored.keys.job("rich"), "note", "see token=abc, please")

    fields = dict(detail(backend, "rich").fields)

    assert (fields["custom_secret"], fields["origin"]) == ("hidden by the rule *secret*", "webhooks")
    assert fields["note"] == "see token=<hidden by the rule *token*>"
    assert [secret for secret in SECRETS if secret in json.dumps(fields)] == []


def test_a_page_without_scripts_says_the_same(server: Server, stored: Stored, backend: Backend) -> None:
    rich(stored)
    stored.waiting("waiting", queue="webhooks")
    stored.worker("worker", queues="webhooks")
    stored.entry("wip", f"rich:{EXECUTION}", NOW_S)
    stored.client.execute_command("ACL", "SETUSER", "plain", "reset", "on", "nopass", *NO_SCRIPTS.split())
    plain = backend_of(server, username="plain")

    assert detail(plain, "rich").around == detail(backend, "rich").around
    assert detail(plain, "waiting").around == detail(backend, "waiting").around
    assert said(plain, "waiting") == said(backend, "waiting")
    plain.close()
    stored.client.execute_command("ACL", "DELUSER", "plain")


def test_a_job_with_everything_still_costs_two_round_trips(server: Server, stored: Stored) -> None:
    rich(stored)
    counted, tally = counted_backend(server)
    job(counted, "rich", now=NOW)

    _, cost = spent(tally, lambda: job(counted, "rich", now=NOW))

    assert cost.round_trips == 2
    counted.close()


# Runs of the same function.


@pytest.fixture
def ran(stored: Stored) -> Callable[..., None]:
    """ran(job_id, function, ...) is a job that finished, or failed, so many seconds ago."""

    def _ran(job_id: str, *, s_ago: float, status: str = "finished", queue: str = "mail", **fields: object) -> None:
        stored.queue(queue)
        stored.job(job_id, queue=queue, status=status, started_at=ago(s_ago + 5), ended_at=ago(s_ago), **fields)
        stored.entry("failed" if status == "stopped" else status, job_id, NOW_S + 1000 - s_ago, queue=queue)

    return _ran


def test_recent_runs_are_those_of_the_same_function_newest_first(ran: Callable[..., None], backend: Backend) -> None:
    ran("old", s_ago=300)
    ran("failed", s_ago=100, status="failed")
    ran("elsewhere", s_ago=200, queue="other")
    ran("stopped", s_ago=250, status="stopped")
    ran("unlike", s_ago=1, data=None)

    found = runs(backend, "app.tasks.send", queue="mail", now=NOW)

    assert [row.id for row in found.rows] == ["failed", "elsewhere", "stopped", "old"]
    assert (found.is_whole, found.text) == (True, "fn:app.tasks.send")
    assert found.total == found.scanned == 5


def test_a_function_with_any_name_is_searched_for_as_it_is(stored: Stored, backend: Backend) -> None:
    name = 'app "x", y*'

    assert runs(backend, name, queue="a,b", now=NOW).rows == ()
    assert runs(backend, "", queue="mail", now=NOW).text == ""


def test_runs_are_shown_when_they_are_asked_for(ran: Callable[..., None], browser: Browser) -> None:
    ran("before", s_ago=300)
    ran("job", s_ago=100, status="failed")

    plain = Document(browser.get("/b/live/job?id=job").get_data(as_text=True))
    link = next(link.href for link in plain.links if link.text == "Show its recent runs")
    page = Document(browser.get(link).get_data(as_text=True))

    assert "Looked at all 2 jobs that run or ran and are kept." in page.text
    assert [link.href for link in page.links if "id=before" in link.href]
    assert [link.href for link in page.links if "q=fn" in link.href]
