"""Real workers agree: what the pages did to jobs of RQ's own, a worker of RQ runs as it should, once; counts are RQ's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import time

import pytest
import redis

from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server
from rqdash.model import names
from rqdash.model.registry import EXPIRING
from tests.pages import Document, Form
from tests.site import Browser, Site, site
from tests.workers import counts, enqueue, work

COUNTED = ("queued", "started", "scheduled", "deferred", "failed", "finished", "canceled")


@pytest.fixture
def place(tmp_path: Path, backend: Backend) -> Site:
    return site(tmp_path / "data", {"live": backend})


@pytest.fixture
def browser(place: Site) -> Browser:
    return place.sign_in("operator")


def page(browser: Browser, queue: str, registry: str) -> Document:
    answer = browser.get(f"/b/live/queue?name={queue}&registry={registry}")
    assert answer.status_code == 200
    return Document(answer.get_data(as_text=True))


def do(browser: Browser, verb: str, ids: list[str], *, queue: str, registry: str, answers: Mapping[str, str] | None = None) -> str:
    """Ticks jobs on a queue's page, presses a button, answers the question with these fields; what the next page says was done."""
    form = page(browser, queue, registry).form(f"/jobs/{verb}")
    ticks = [pair for pair in form.ticks if pair in [("id", names.to_form(job_id)) for job_id in ids]]
    assert len(ticks) == len(ids), "every job is on the page"
    return sent(browser, form, verb, data=form.data(tick=ticks), answers=answers)


def sent(browser: Browser, form: Form, verb: str, *, data: Mapping[str, list[str]], answers: Mapping[str, str] | None = None) -> str:
    answer = browser.client.post(next(button.action for button in form.buttons if f"/jobs/{verb}" in button.action), data=data)
    if answer.status_code == 200:
        asks = Document(answer.get_data(as_text=True)).form(f"/jobs/{verb}")
        answer = browser.client.post(asks.action, data=asks.data(typed=answers))
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return Document(browser.get(answer.headers["Location"]).get_data(as_text=True)).text


def notes(client: redis.Redis, key: str) -> list[str]:
    """The ids that ran, in order, each as often as it ran."""
    return [job_id.decode() for job_id in client.lrange(key, 0, -1)]


def failing(server: Server, client: redis.Redis, *keys: str) -> list[str]:
    """Jobs that real RQ ran and that failed; they succeed from now on. Their ids."""
    for key in keys:
        client.set(f"{key}:fails", 1)
    ids = [enqueue(server, "mail", "tests.tasks.count_and_fail", key) for key in keys]
    work(server, "mail")
    for key in keys:
        client.delete(f"{key}:fails")
    return ids


def test_requeued_jobs_run_once_more_and_the_others_stay_failed(browser: Browser, server: Server, redis_client: redis.Redis) -> None:
    first, second, left = failing(server, redis_client, "ran-1", "ran-2", "ran-3")

    said = do(browser, "requeue", [first, second], queue="mail", registry="failed")
    work(server, "mail")

    assert "Requeued 2 jobs of mail" in said
    assert [int(redis_client.get(key)) for key in ("ran-1", "ran-2", "ran-3")] == [2, 2, 1]
    assert {link.href for link in page(browser, "mail", "failed").links if "/job?" in link.href} == {f"/b/live/job?id={left}"}
    assert page_counts(browser, "mail") == counts(server, "mail")


@pytest.mark.parametrize(("at_front", "place_of_it"), [("1", 0), ("", 1)])
def test_a_requeued_job_runs_first_or_last_as_asked(
    browser: Browser, server: Server, redis_client: redis.Redis, at_front: str, place_of_it: int
) -> None:
    again, waiting = (enqueue(server, "mail", "tests.tasks.note", "order") for _ in range(2))
    do(browser, "cancel", [again], queue="mail", registry="queued")
    form = page(browser, "mail", "canceled").form("/requeue")

    sent(browser, form, "requeue", data=form.data(tick=form.ticks, typed={"at_front": at_front}))
    work(server, "mail")

    assert notes(redis_client, "order").index(again) == place_of_it
    assert sorted(notes(redis_client, "order")) == sorted([again, waiting])


def test_moved_to_the_front_a_job_runs_first_and_to_the_back_last(browser: Browser, server: Server, redis_client: redis.Redis) -> None:
    here = [enqueue(server, "high", "tests.tasks.note", "order") for _ in range(2)]
    front, back = (enqueue(server, "mail", "tests.tasks.note", "order") for _ in range(2))
    to_high = {"to_queue": names.to_form("high")}

    do(browser, "move", [front], queue="mail", registry="queued", answers={**to_high, "at_front": "1"})
    do(browser, "move", [back], queue="mail", registry="queued", answers={**to_high, "at_front": ""})
    work(server, "high", "mail")

    assert notes(redis_client, "order") == [front, *here, back]


def test_a_failed_job_moved_to_a_new_queue_runs_there_once(browser: Browser, server: Server, redis_client: redis.Redis) -> None:
    (job_id,) = failing(server, redis_client, "ran")

    said = do(browser, "move", [job_id], queue="mail", registry="failed", answers={"to_queue_new": "mended"})
    work(server, "mail", "mended")

    assert "Moved 1 job of mail to mended" in said
    assert int(redis_client.get("ran")) == 2
    assert page_counts(browser, "mended") == counts(server, "mended")
    assert page_counts(browser, "mended")["finished"] == 1


def test_canceled_and_deleted_jobs_do_not_run_and_the_rest_runs_once(browser: Browser, server: Server, redis_client: redis.Redis) -> None:
    canceled, deleted, kept = (enqueue(server, "mail", "tests.tasks.note", "order") for _ in range(3))

    do(browser, "cancel", [canceled], queue="mail", registry="queued")
    do(browser, "delete", [deleted], queue="mail", registry="queued")
    work(server, "mail")
    ran_before = notes(redis_client, "order")
    do(browser, "requeue", [canceled], queue="mail", registry="canceled")
    work(server, "mail")

    assert ran_before == [kept]
    assert notes(redis_client, "order") == [kept, canceled]
    assert browser.get(f"/b/live/job?id={deleted}").status_code == 404
    assert page_counts(browser, "mail") == counts(server, "mail")


def test_emptying_deletes_what_waited_when_the_page_was_drawn_and_runs_what_came_after(
    browser: Browser, server: Server, redis_client: redis.Redis
) -> None:
    for _ in range(2):
        enqueue(server, "mail", "tests.tasks.note", "order")
    form = page(browser, "mail", "queued").form("/queue/empty")
    question = Document(browser.client.post(form.action, data=form.data()).get_data(as_text=True))
    late = enqueue(server, "mail", "tests.tasks.note", "order")
    asks = question.form("/queue/empty")

    answer = browser.client.post(asks.action, data=asks.data())
    work(server, "mail")

    assert "delete 2 waiting jobs" in question.text
    assert answer.status_code == 303
    assert notes(redis_client, "order") == [late]
    assert page_counts(browser, "mail") == counts(server, "mail")


def test_a_job_acted_on_twice_from_two_open_pages_runs_once(browser: Browser, server: Server, redis_client: redis.Redis) -> None:
    (job_id,) = failing(server, redis_client, "ran")
    form = page(browser, "mail", "failed").form("/requeue")
    data = form.data(tick=[("id", names.to_form(job_id))])

    first, second = (sent(browser, form, "requeue", data=data) for _ in range(2))
    work(server, "mail")

    assert "Requeued 1 job of mail" in first
    assert "Requeued 0 jobs of mail" in second
    assert int(redis_client.get("ran")) == 2


def test_counts_are_those_of_rq_after_its_cleanup_and_expired_entries_are_told_apart(
    browser: Browser, server: Server, redis_client: redis.Redis
) -> None:
    expired, kept = failing(server, redis_client, "ran-1", "ran-2")
    done = enqueue(server, "mail", "tests.tasks.count", "ran-3")
    work(server, "mail")
    redis_client.zadd("rq:failed:mail", {expired: time() - 100})
    redis_client.zadd("rq:finished:mail", {done: time() - 100})

    drawn = {registry.value: page(browser, "mail", registry.value) for registry in EXPIRING}
    shown = page_counts(browser, "mail")

    assert shown == counts(server, "mail")
    assert (shown["failed"], shown["finished"]) == (1, 0)
    for registry, job_id in (("failed", expired), ("finished", done)):
        assert "Expired, not counted 1" in drawn[registry].text
        assert "expired" in row_of(drawn[registry], job_id)
    assert "expired" not in row_of(drawn["failed"], kept)
    assert "Expired, not counted" not in drawn["started"].text


def page_counts(browser: Browser, queue: str) -> dict[str, int]:
    """What the tabs of a queue's page count, by registry."""
    links = page(browser, queue, "queued").links
    tabs = [link for link in links if link.href.startswith(f"/b/live/queue?name={queue}&registry=")]
    found = {link.href.rpartition("=")[2]: int(link.text.split()[-1].replace(",", "")) for link in tabs}
    return {name: found[name] for name in COUNTED}


def row_of(document: Document, job_id: str) -> str:
    """The words of a job's row, from its own link to the next job's."""
    ids = [link.href.partition("=")[2] for link in document.links if "/job?" in link.href]
    begin = document.text.index(job_id)
    following = [document.text.index(other) for other in ids if document.text.index(other) > begin]
    return document.text[begin : min(following, default=len(document.text))]
