"""Ticked rows of lists over many backends: each is acted on where it is, and the list comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from werkzeug.test import TestResponse

from rqdash.demo.servers import HOST, Server
from rqdash.model import names
from rqdash.model.profile import Profile
from tests.editing import registry
from tests.pages import Document, Form
from tests.site import Browser, Site, site
from tests.stored import HOSTILE, NOW_S, TRACE, Stored

SEARCH = "/jobs?q=status:failed,queued&backend=plain&backend=precious"


@pytest.fixture
def other(server: Server) -> Iterator[redis.Redis]:
    with redis.Redis(host=HOST, port=server.port, db=1) as client:
        client.flushdb()
        yield client


@pytest.fixture
def place(tmp_path: Path, server: Server, redis_client: redis.Redis, other: redis.Redis) -> Site:
    """A plain backend with failed and waiting jobs, a protected one with failed ones of hostile queues, and the first read-only."""
    Stored(other).queue(HOSTILE[7])
    for client in (redis_client, other):
        Stored(client).queue("mail")
        Stored(client).failed("failed-1", score=float("inf"))
    Stored(redis_client).failed("failed-2", score=float("inf"))
    Stored(redis_client).waiting("waiting-1")
    Stored(other).failed("odd", queue=HOSTILE[7], score=float("inf"))
    found = site(tmp_path / "data")
    for name, policy in {"plain": {}, "precious": {"db": 1, "protected": True}, "frozen": {"read_only": True}}.items():
        registry(found).create(Profile(name, host=HOST, port=server.port, **policy), by="test")
    return found


@pytest.fixture
def operator(place: Site) -> Browser:
    return place.sign_in("operator", name="ada")


def listed(browser: Browser, address: str) -> Form:
    """The form around the rows of a list."""
    page = Document(browser.get(address).get_data(as_text=True))
    return next(form for form in page.forms if any(name == "drawn" for name, _ in form.fields))


def box(backend: str, job_id: str, *, queue: str = "mail", where: str = "failed") -> tuple[str, str]:
    return "id", f"{backend}.{names.to_form(queue)}.{where}.{names.to_form(job_id)}"


def sent(browser: Browser, form: Form, verb: str, *ticks: tuple[str, str], **typed: str) -> TestResponse:
    button = form.button(verb)
    assert {tick for tick in ticks if form.ticks} <= set(form.ticks)
    return browser.client.post(button.action or form.action, data=form.data(tick=ticks, typed=typed))


def said(browser: Browser, answer: TestResponse) -> str:
    """The words of the page that an action leads to."""
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return browser.get(answer.headers["Location"]).get_data(as_text=True)


def queued(client: redis.Redis, queue: str = "mail") -> list[bytes]:
    return client.lrange(b"rq:queue:" + names.encoded(queue), 0, -1)


def test_ticked_failures_of_two_backends_are_requeued_where_they_are(
    operator: Browser, redis_client: redis.Redis, other: redis.Redis
) -> None:
    form = listed(operator, "/failures?backend=plain&backend=precious&q=fn:*")
    odd = box("precious", "odd", queue=HOSTILE[7])

    answer = sent(operator, form, "Requeue", box("plain", "failed-2"), box("precious", "failed-1"), odd)

    address = urlsplit(answer.headers["Location"])
    assert (address.path, parse_qs(address.query)) == ("/failures", {"q": ["fn:*"], "backend": ["plain", "precious"]})
    assert "Requeued 3 jobs: 1 on plain, 2 on precious." in said(operator, answer)
    assert (queued(redis_client), queued(other)) == ([b"waiting-1", b"failed-2"], [b"failed-1"])
    assert queued(other, HOSTILE[7]) == [b"odd"]


def test_deleting_asks_with_the_places_and_the_names_of_protected_backends(
    operator: Browser, redis_client: redis.Redis, other: redis.Redis
) -> None:
    ticks = (box("plain", "failed-1"), box("precious", "failed-1"))
    asked = sent(operator, listed(operator, SEARCH), "Delete", *ticks)
    question = Document(asked.get_data(as_text=True)).forms[-1]
    refused = sent(operator, question, "Delete 2 jobs from plain, precious", typed="plain")

    answer = sent(operator, question, "Delete 2 jobs from plain, precious", typed="precious")

    assert (asked.status_code, refused.status_code) == (200, 400)
    assert "Type precious to go on" in refused.get_data(as_text=True)
    assert "Deleted 2 jobs: 1 on plain, 1 on precious." in said(operator, answer)
    assert [client.exists("rq:job:failed-1") for client in (redis_client, other)] == [0, 0]
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["q"] == ["status:failed,queued"]


def test_jobs_where_an_action_is_none_are_left_alone_and_counted(operator: Browser, redis_client: redis.Redis) -> None:
    form = listed(operator, SEARCH)

    answer = sent(operator, form, "Requeue", box("plain", "failed-1"), box("plain", "waiting-1", where="queued"))

    page = said(operator, answer)
    nothing = sent(operator, form, "Requeue", box("plain", "waiting-1", where="queued"))
    assert "Requeued 1 job on plain." in page
    assert "1 job of queued on plain left alone." in page
    assert nothing.status_code == 400
    assert queued(redis_client) == [b"waiting-1", b"failed-1"]


def test_a_backend_that_fails_is_tried_once_and_said_once_however_many_queues_are_ticked(place: Site, operator: Browser) -> None:
    dead = registry(place).create(Profile("dead", host=HOST, port=1), by="test")
    ticks = [box("dead", "failed-1", queue=f"queue-{number}")[1] for number in range(3)]
    waiting = [box("plain", "waiting-1", queue=f"queue-{number}", where="queued")[1] for number in range(3)]
    drawn = [f"{name}:{registry(place).get(name).endpoint_version}" for name in ("plain", "dead")]

    answer = operator.post("/jobs/ticked/requeue", {"id": [*ticks, box("plain", "failed-1")[1], *waiting], "drawn": drawn})

    page = said(operator, answer)
    assert [row.backend for row in place.access.audit.entries() if row.verb == "requeue"] == ["plain", dead.name]
    assert page.count("dead: ") == 1
    assert "2 jobs on dead not tried. 3 jobs of queued on plain left alone." in page


def test_nothing_is_done_where_a_name_points_elsewhere_or_may_not_be_changed(
    place: Site, operator: Browser, redis_client: redis.Redis
) -> None:
    form = listed(operator, SEARCH)
    data = form.data(tick=[box("plain", "failed-1")], typed={"drawn": "plain:999"})
    strangers = place.sign_in("operator", grants=("precious",))
    viewer = place.sign_in("viewer")
    version = registry(place).get("frozen").endpoint_version
    mine = {**form.data(tick=[box("plain", "failed-1")]), "csrf_token": strangers.token()}

    answers = [
        operator.client.post("/jobs/ticked/requeue", data=data),
        strangers.client.post("/jobs/ticked/requeue", data=mine),
        viewer.post("/jobs/ticked/requeue", {"id": box("plain", "failed-1")[1], "drawn": "plain:1"}),
        operator.post("/jobs/ticked/requeue", {"id": box("frozen", "failed-1")[1], "drawn": f"frozen:{version}"}),
        operator.post("/jobs/ticked/requeue", {"id": "plain.garbled", "drawn": "plain:1"}),
        operator.post("/jobs/ticked/requeue", {"drawn": "plain:1"}),
    ]

    assert [answer.status_code for answer in answers] == [409, 404, 403, 409, 400, 400]
    assert "frozen is read-only here" in answers[3].get_data(as_text=True)
    assert queued(redis_client) == [b"waiting-1"]


def test_rows_of_those_who_may_not_act_have_no_boxes(place: Site) -> None:
    viewer, operator = place.sign_in("viewer"), place.sign_in("operator", grants=("frozen",))

    pages = [browser.get(path).get_data(as_text=True) for browser in (viewer, operator) for path in (SEARCH.partition("&")[0], "/failures")]

    assert ["failed-1" in page and 'name="id"' not in page for page in pages] == [True] * 4


def test_a_filtered_list_of_a_queue_comes_back_after_an_action_as_it_was(operator: Browser) -> None:
    page = Document(operator.get("/b/plain/queue?name=mail&registry=failed&q=id:failed-*&size=100").get_data(as_text=True))
    form = next(form for form in page.forms if form.ticks)
    ticks = [("id", names.to_form("failed-1"))]

    requeued = operator.client.post(form.button("Requeue").action, data=form.data(tick=ticks))
    asked = operator.client.post(form.button("Delete").action, data=form.data(tick=[("id", names.to_form("failed-2"))]))
    question = Document(asked.get_data(as_text=True))
    deleted = operator.client.post(question.forms[-1].action, data=question.forms[-1].data())

    kept = {"name": ["mail"], "registry": ["failed"], "q": ["id:failed-*"], "size": ["100"]}
    assert [parse_qs(urlsplit(answer.headers["Location"]).query) for answer in (requeued, deleted)] == [kept, kept]
    assert next(parse_qs(urlsplit(link.href).query) for link in question.links if link.text == "Keep them") == kept


def test_a_failure_without_an_end_says_what_its_moment_is(operator: Browser, redis_client: redis.Redis) -> None:
    redis_client.hset("rq:job:failed-1", "ended_at", "")
    redis_client.delete("rq:results:failed-1")
    redis_client.xadd("rq:results:failed-1", {"type": 2, "exc_string": ""}, id=f"{(NOW_S - 50) * 1000}-0")
    redis_client.hset("rq:job:failed-2", "ended_at", "")
    redis_client.delete("rq:results:failed-2")
    redis_client.hset("rq:job:failed-2", "exc_info", TRACE)

    pages = [
        operator.get(path).get_data(as_text=True)
        for path in ("/b/plain/queue?name=mail&registry=failed", SEARCH, "/failures?backend=plain")
    ]

    assert [(page.count("noticed <time"), page.count("created <time")) for page in pages] == [(1, 1)] * 3


def test_a_failed_row_opens_to_the_last_frames_of_its_error(operator: Browser, redis_client: redis.Redis) -> None:
    far = "".join(f'  File "/srv/app/far_{number}.py", line {number}, in call\n    again()\n' for number in range(99))
    redis_client.xadd("rq:results:failed-1", {"type": 2, "exc_string": f"Traceback (most recent call last):\n{far}app.Gone: no 17\n"})

    pages = [operator.get(path).get_data(as_text=True) for path in ("/b/plain/queue?name=mail&registry=failed", SEARCH)]

    assert [("far_98.py" in page, "far_96.py" in page, "far_95.py" in page, "no 17" in page) for page in pages] == [
        (True, True, False, True)
    ] * 2


def test_the_error_of_an_older_attempt_opens_on_the_jobs_page(operator: Browser, redis_client: redis.Redis) -> None:
    redis_client.delete("rq:results:failed-2")
    for number, said in enumerate(("first of all", "then this", "at last"), start=1):
        text = (
            f'Traceback (most recent call last):\n  File "/srv/app/older_{number}.py", line 7, in call\n    again()\nValueError: {said}\n'
        )
        redis_client.xadd("rq:results:failed-2", {"type": 4, "exc_string": text}, id=f"{number}-0")

    page = operator.get("/b/plain/job?id=failed-2").get_data(as_text=True)

    assert [words in page for words in ("older_1.py", "first of all", "older_2.py", "then this")] == [True] * 4


def test_all_that_match_can_go_to_the_front(operator: Browser) -> None:
    page = Document(operator.get("/jobs?q=status:failed&backend=plain").get_data(as_text=True))
    form = next(form for form in page.forms if form.action == "/operations")
    button = form.button("Requeue…")
    assert button.field is not None

    answer = operator.client.post(form.action, data=form.data(tick=[("at_front", "1"), button.field]))

    assert "Requeue, to the front of its queue" in operator.get(answer.headers["Location"]).get_data(as_text=True)
