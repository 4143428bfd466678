"""What the dashboard shows of a server that a version of RQ works on: every page, as a person and as a program is told it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from rqdash.model.registry import Registry
from rqdash.web.pages import ROUTES
from rqdash.web.route import Route, Scope
from tests.commands import written
from tests.site import Site
from tests.version_scenarios import ELSEWHERE
from tests.version_stage import HERE, QUEUES, Stage

PLAIN = "plain"
"""The same backend, for a user who may run no scripts."""
NO_SCRIPTS = "~rq:* +@read +@connection +info -@scripting -@write"
SECRET = b"hunter2"
UNSTEADY = ("backend", "mark", "as_of", "expires_in_s", "removed_at", "at", "share", "share_start")
ANY = "name=mail&id=failed-left&queue=mail&registry=failed"
"""What a page of one backend may want to be told."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pages showed. lists are by registry and queue, jobs by id, counts by queue and registry, statuses by address.

    tells_secret is whether any of them showed the key of a webhook; at the addresses in unlike a user who may run no scripts was shown
    something else; written are the commands that wrote meanwhile.
    """

    statuses: dict[str, int]
    lists: dict[tuple[str, str], dict[str, Any]]
    jobs: dict[str, dict[str, Any]]
    workers: dict[str, dict[str, Any]]
    overview: dict[str, Any]
    counts: dict[str, dict[str, int]]
    tells_secret: bool
    unlike: tuple[str, ...]
    written: frozenset[str]


def seen(on: Stage, place: Site, ids: Sequence[str]) -> Seen:
    """Asks for every page about the backend, and for those of these jobs."""
    browser, headers, api = place.sign_in("operator"), place.token("operator"), place.stranger()

    def told(address: str) -> dict[str, Any]:
        answer = api.get(f"/api/v1{address}", headers=headers)
        return answer.json if answer.status_code == 200 and isinstance(answer.json, dict) else {}

    on.client.config_resetstat()
    shown = {address: browser.get(address) for route in ROUTES for address in _addresses(route, on, ids)}
    lists = {(registry, queue): told(_list(registry, queue)) for registry, queue in on.lists()}
    jobs = {job_id: told(_job(job_id)) for job_id in ids}
    tabs = {queue: told(_list("queued", queue)).get("tabs", ()) for queue in QUEUES}
    values = {_list(*names): value for names, value in lists.items()} | {_job(job_id): value for job_id, value in jobs.items()}
    return Seen(
        {address: answer.status_code for address, answer in shown.items()},
        lists,
        jobs,
        {row["worker"]["name"]: row["worker"] for row in told(f"/workers?backend={HERE}")["rows"]},
        told(f"/?backend={HERE}"),
        {queue: {tab["registry"]: tab["count"] for tab in found} for queue, found in tabs.items()},
        any(SECRET in answer.get_data() for answer in shown.values()),
        tuple(address for address, value in values.items() if _steady(told(_to_plain(address))) != _steady(value)),
        frozenset(written(on.client)),
    )


def _addresses(route: Route, on: Stage, ids: Sequence[str]) -> Iterator[str]:
    """Where to ask for a route that is about queues, jobs or workers; none for any other."""
    path = route.rule.replace("<backend>", HERE)
    if route.method != "GET" or route.scope is Scope.NONE or path.startswith("/connections"):
        return
    if route.endpoint == "queue":
        asked = [*on.lists(), *((registry.value, queue) for registry in Registry for queue in ("mail", ELSEWHERE))]
        yield from dict.fromkeys(_list(*names) for names in asked if on.client.sismember("rq:queues", f"rq:queue:{names[1]}"))
    elif route.endpoint == "job":
        yield from map(_job, ids)
    elif route.endpoint == "worker":
        yield from (f"{path}?name={name}" for name in ("at-work",) if on.client.sismember("rq:workers", f"rq:worker:{name}"))
    elif route.endpoint == "cron":
        yield from (f"{path}?name={name.decode()}" for name in on.client.zrange("rq:cron_jobs", 0, -1))
    else:
        yield f"{path}?{ANY}"


def _steady(value: object) -> object:
    """A page's value without the backend's name, and without what goes on while it is read."""
    if isinstance(value, dict):
        return {name: _steady(item) for name, item in value.items() if name not in UNSTEADY}
    return [_steady(item) for item in value] if isinstance(value, list) else value


def _list(registry: str, queue: str) -> str:
    return f"/b/{HERE}/queue?name={queue}&registry={registry}&size=200"


def _job(job_id: str) -> str:
    return f"/b/{HERE}/job?id={quote(job_id, safe='')}"


def _to_plain(address: str) -> str:
    return address.replace(f"/b/{HERE}/", f"/b/{PLAIN}/")
