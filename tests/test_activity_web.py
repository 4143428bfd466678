"""The page of the audit log: who sees it, how it narrows, opens and goes on, and the files it gives."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from rqdash.access.actor import Actor
from rqdash.access.audit import Audit
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, free_port
from rqdash.model.caller import Role
from tests.conftest import backend_of
from tests.pages import Document
from tests.site import Browser, Site, site

FORMULA = '=HYPERLINK("http://evil.example","x")'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A dashboard of one backend that is down, with a log of actions of two people and a program."""
    backends: dict[str, Backend] = {"orders": backend_of(Server(Path(), free_port()), name="orders")}
    made = site(tmp_path_factory.mktemp("data"), backends)
    audit = made.access.audit
    for number in range(120):
        done(audit, "mira", "requeue", queue=f"mail-{number}", values={"jobs": number})
    done(audit, "ben", "empty", backend="gone", queue=FORMULA, values={"why": "<script>alert(1)</script>", "operation": "5f0c"})
    done(audit, "ci", "delete", kind="token", queue="+1\udcff", values={"name": "@SUM(1)"})
    return made


def done(audit: Audit, name: str, verb: str, *, kind: str = "account", backend: str = "orders", queue: str = "", **more: object) -> None:
    with Actor(kind, name, "192.0.2.1", audit).recording(verb, backend=backend, queue=queue, **more) as record:  # type: ignore[arg-type]
        record.finish({"done": 2, "gone": 1})


@pytest.fixture(scope="module")
def owner(place: Site) -> Browser:
    return place.sign_in("admin", name="root")


def shown(owner: Browser, **filter_: str) -> Document:
    answer = owner.get("/activity", query_string=filter_)
    assert answer.status_code == 200
    return Document(answer.text)


def test_every_action_opens_in_place_to_what_was_asked_and_what_came_of_it(owner: Browser) -> None:
    page = shown(owner, who="ben")

    assert "empty 2 done · 1 gone" in page.text
    assert "Why <script>alert(1)</script>" in page.text
    assert "ben, account, from 192.0.2.1" in page.text
    assert "/operations/5f0c" in [link.href for link in page.links]


def test_pages_go_on_and_keep_the_filter(owner: Browser) -> None:
    first = shown(owner, who="mira")
    older = next(link.href for link in first.links if "before=" in link.href)
    second = Document(owner.get(older).text)
    last = Document(owner.get(next(link.href for link in second.links if "before=" in link.href)).text)

    assert "who=mira" in older
    assert [page.text.count("2 done · 1 gone") // 2 for page in (first, second, last)] == [50, 50, 20]
    assert [link for link in last.links if "before=" in link.href] == []


def test_a_cell_narrows_and_a_chip_widens_again(owner: Browser) -> None:
    page = shown(owner, verb="requeue", who="mira")

    links = [link.href for link in page.links]
    assert "/activity?who=mira&verb=requeue&on=orders" in links
    assert "/activity?verb=requeue" in links


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"q": "mail-7"}, 11),
        ({"queue": "mail-7"}, 1),
        ({"on": "gone"}, 1),
        ({"since": "1h", "who": "c*"}, 1),
        ({"since": "2099-01-01"}, 0),
        ({"until": "2099-01-01T00:00", "who": "ben"}, 1),
        ({"status": "failed", "who": "mira"}, 0),
        ({"queue": "+1\\udcff"}, 1),
    ],
    ids=str,
)
def test_the_page_and_the_file_say_the_same(owner: Browser, given: dict[str, str], count: int) -> None:
    page = owner.get("/activity", query_string=given)
    lines = owner.get("/activity/export", query_string=given).text.splitlines()

    assert page.text.count("<details><summary") == count
    assert len(lines) == count


@pytest.mark.parametrize("given", [{"since": "yesterday"}, {"until": "2026-13-01"}, {"since": "d"}])
def test_a_time_that_is_none_is_explained_and_no_file_made_of_it(owner: Browser, given: dict[str, str]) -> None:
    page, file = shown(owner, **given), owner.get("/activity/export", query_string=given)

    assert "is no time. Give one such as" in page.text
    assert "The list stays unfiltered." in page.text
    assert "requeue" in page.text
    assert file.status_code == 400


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²"])
def test_a_garbled_place_is_the_first_page(owner: Browser, before: str) -> None:
    assert "delete" in shown(owner, before=before).text


def test_a_spreadsheet_runs_nothing_of_the_file(owner: Browser) -> None:
    answer = owner.get("/activity/export?format=csv&who=ben")

    head, row = csv.reader(io.StringIO(answer.text))
    cells = dict(zip(head, row, strict=True))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="activity.csv"'
    assert cells["queue"] == f"'{FORMULA}"
    assert (cells["who"], cells["verb"], cells["status"], cells["kind"]) == ("ben", "empty", "done", "account")
    assert json.loads(cells["outcomes"]) == {"done": 2, "gone": 1}
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


def test_the_lines_are_objects_with_all_there_is(owner: Browser) -> None:
    answer = owner.get("/activity/export?q=SUM")

    entry = json.loads(answer.text)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert (entry["who"], entry["kind"], entry["queue"], entry["values"]) == ("ci", "token", "+1\\udcff", {"name": "@SUM(1)"})
    assert entry["began_at"].endswith("Z")


def test_the_file_is_sent_as_it_is_read(place: Site, owner: Browser) -> None:
    answer = owner.client.get("/activity/export?who=mira", buffered=False)

    assert answer.is_streamed
    assert len(answer.get_data(as_text=True).splitlines()) == 120


@pytest.mark.parametrize("who", [("viewer", ("*",)), ("operator", ("*",)), ("admin", ("orders",))])
def test_it_is_for_admins_of_everything(place: Site, who: tuple[str, tuple[str, ...]]) -> None:
    browser = place.sign_in(who[0], grants=who[1])

    assert [browser.get(path).status_code for path in ("/activity", "/activity/export")] == [403, 403]
    assert place.stranger().get("/api/v1/activity", headers=place.token(who[0], grants=who[1])).status_code == 403


def test_a_program_reads_the_same(place: Site) -> None:
    body = place.stranger().get("/api/v1/activity?who=ben", headers=place.token("admin")).json

    assert [row["entry"]["verb"] for row in body["rows"]] == ["empty"]
    assert (body["older"], body["keep_days"]) == (None, 400)


def test_a_sign_in_is_told_of_whom_it_let_in(place: Site, owner: Browser) -> None:
    place.access.accounts.add("nia", role=Role.VIEWER, password="correct horse battery")
    stranger = place.stranger()
    form = Document(stranger.get("/sign-in").text).form("/sign-in")

    stranger.post("/sign-in", data=form.data(typed={"name": "nia", "password": "correct horse battery"}))

    entry = place.access.audit.entries(1)[0]
    assert (entry.verb, entry.kind, entry.name, entry.address) == ("sign-in", "account", "nia", "127.0.0.1")


def test_a_refused_sign_in_is_not_in_it(place: Site, owner: Browser) -> None:
    stranger = place.stranger()
    form = Document(stranger.get("/sign-in").text).form("/sign-in")

    stranger.post("/sign-in", data=form.data(typed={"name": "eve", "password": "hunter2 is my password"}))

    assert "Nothing matches" in shown(owner, q="eve").text
