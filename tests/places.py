"""Every page there is, with how a person gets to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from playwright.sync_api import Page

from rqdash.model import names
from rqdash.model.registry import TABS
from tests.browsed import DEAD, DISABLED, EMPTY, LIVE, ODD, PROTECTED, READ_ONLY, Shown
from tests.browser import press
from tests.operating import fail_jobs
from tests.stored import HOSTILE

Reach = Callable[[Page, Shown], object]
ADMIN, VIEWER, NEWCOMER, STRANGER = "admin", "viewer", "newcomer", "stranger"
"""Who looks: a newcomer is an admin who was given no backend to see, as on the first day."""
QUEUE = "webhooks"
WORKER = "webhooks-7d9f8c6b5d-x2kqp.1.af0123456789"
SETTINGS = """import os
SENTINEL: {
    'INSTANCES': [('sentinel-1.eu-central-1.internal.example', 26379), ('sentinel-2.eu-central-1.internal.example', 26379), 'bad host'],
    'MASTER_NAME': os.environ['ORDERS_MASTER'],
    'PASSWORD': 'hunter2',
    'socket_timeout': 3,
    'CONNECTION_KWARGS': {'ssl_ca_certs': '/etc/ssl/ca.pem'},
}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A page, who looks at it, and the status its document has."""

    name: str
    reach: Reach
    status: int = 200
    who: str = ADMIN


@dataclass(frozen=True, slots=True)
class At:
    """An address to go to."""

    path: str
    query: tuple[tuple[str, str], ...] = ()

    def __call__(self, page: Page, shown: Shown) -> None:
        page.goto(shown.address(self.path, **dict(self.query)))


def at(path: str, **query: str) -> At:
    return At(path, tuple(query.items()))


def of(backend: str, kind: str, **query: str) -> At:
    return at(f"/b/{backend}/{kind}", **query)


def asked(verb: str, *, backend: str = LIVE, registry: str = "queued") -> Reach:
    """The question an action asks: ticks two rows of a list and presses the verb."""

    def reach(page: Page, shown: Shown) -> None:
        page.goto(shown.of(backend, "queue", name=QUEUE, registry=registry))
        for row in (0, 1):
            page.locator("input[name=id]").nth(row).check()
        press(page, f"{verb}…", exact=False)

    return reach


def told(command: str, *, backend: str = LIVE) -> Reach:
    """The question that a command to a worker asks."""

    def reach(page: Page, shown: Shown) -> None:
        page.goto(shown.of(backend, "worker", name=WORKER))
        press(page, f"{command}…")

    return reach


def asked_of_many(page: Page, shown: Shown) -> None:
    """The question about ticked rows of a list over all backends."""
    page.goto(shown.address("/failures"))
    for row in (0, 1, 2):
        page.locator("input[name=id]").nth(row).check()
    press(page, "Delete…")


def emptying(page: Page, shown: Shown) -> None:
    page.goto(shown.of(LIVE, "queue", name=QUEUE))
    press(page, "Empty…", exact=False)


def named_wrongly(page: Page, shown: Shown) -> None:
    """The same question again, because the name typed is not the backend's."""
    asked("Delete", backend=PROTECTED, registry="failed")(page, shown)
    page.get_by_label("Type its name").fill("orders")
    press(page, "Delete 2 jobs", exact=False)


def previewed(verb: str, *, backend: str = LIVE, queue: str = QUEUE) -> Reach:
    """What follows a verb for all of a filtered list: the preview of an operation."""

    def reach(page: Page, shown: Shown) -> None:
        page.goto(shown.of(backend, "queue", name=queue, registry="failed", q="id:*-*1*"))
        press(page, f"{verb}…")

    return reach


def started(page: Page, shown: Shown) -> None:
    """An operation on jobs of its own."""
    with shown.redis(ODD) as client:
        fail_jobs(client, 12, queue="bulk")
    previewed("Delete", backend=ODD, queue="bulk")(page, shown)
    press(page, "Delete ", exact=False)


def tested(profile: str) -> Reach:
    def reach(page: Page, shown: Shown) -> None:
        page.goto(shown.address(f"/connections/{profile}/edit"))
        press(page, "Test")

    return reach


def tested_as_stored(page: Page, shown: Shown) -> None:
    page.goto(shown.address(f"/connections/{LIVE}"))
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_role("button", name="Test again").wait_for()


def imported(text: str) -> Reach:
    """What a pasted text offers."""

    def reach(page: Page, shown: Shown) -> None:
        page.goto(shown.address("/connections/import"))
        page.get_by_label("Or their text").fill(text)
        press(page, "Read")

    return reach


def not_picked(page: Page, shown: Shown) -> None:
    imported(SETTINGS)(page, shown)
    page.locator("input[name=pick]").first.uncheck()
    press(page, "Save the ticked", exact=False)


def tested_new(page: Page, shown: Shown) -> None:
    """A profile that cannot be read: what is wrong stands at its fields."""
    page.goto(shown.address("/connections/new"))
    page.get_by_label("Name", exact=True).fill("Not A Name")
    page.get_by_label("Port", exact=True).fill("many")
    press(page, "Test")


def of_a_sentinel(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/connections/new"))
    page.get_by_text("Sentinel", exact=True).click()
    page.get_by_label("Master name").wait_for()


def saved_too_late(page: Page, shown: Shown) -> None:
    """Somebody else saves between the page and the button."""
    page.goto(shown.address(f"/connections/{DISABLED}/edit"))
    stored = shown.site.profiles.get(DISABLED)
    other = "eu" if stored.environment != "eu" else "us"
    shown.site.profiles.update(DISABLED, replace(stored, environment=other), version=stored.version, by="noor")
    press(page, "Save")


def drawn_before(page: Page, shown: Shown) -> None:
    """A list drawn for another endpoint of the same name."""
    page.goto(shown.of(LIVE, "queue", name=QUEUE, registry="failed"))
    page.locator("input[name=id]").first.check()
    page.locator("input[name=endpoint_version]").last.evaluate("input => input.value = '9999'")
    press(page, "Requeue", exact=False)


def deleted_wrongly(page: Page, shown: Shown) -> None:
    page.goto(shown.address(f"/connections/{PROTECTED}/delete"))
    page.get_by_label("Type").fill("orders")
    press(page, "Delete the connection", exact=False)


def refused_at_the_door(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/sign-in"))
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("not the password")
    press(page, "Sign in", exact=False)


def spent(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/sign-in/link", token="used"))
    press(page, "Sign in", exact=False)


def two_passwords(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/account"))
    page.get_by_label("New password").fill("correct horse battery")
    page.get_by_label("The same again").fill("correct horse battle")
    press(page, "Change the password", exact=False)


def added(page: Page, shown: Shown) -> None:
    """A person who was just added, with the link that is shown once; each browser adds another."""
    page.goto(shown.address("/people"))
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.get_by_label("Name", exact=True).fill(f"nia-{width}")
    page.get_by_label("Backends", exact=True).fill("operator:orders-*, viewer:env:prod")
    press(page, "Add and make a link")


def opened_row(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/activity"))
    page.locator("tbody summary").first.click()


def a_person(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/people"))
    page.get_by_role("link", name=VIEWER, exact=True).click()
    page.get_by_role("heading", name="Role and backends").wait_for()


def the_last_admin(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/people"))
    page.get_by_role("link", name=ADMIN, exact=True).click()
    press(page, "Disable")


def token_made(page: Page, shown: Shown) -> None:
    page.goto(shown.address("/tokens"))
    width = page.viewport_size["width"] if page.viewport_size else 0
    page.get_by_label("Name", exact=True).fill(f"exporter-{width}")
    press(page, "Make the token")


LISTS = tuple(Place(f"queue, {registry}", of(LIVE, "queue", name=QUEUE, registry=registry.value)) for registry in TABS)
HOSTILE_LISTS = tuple(
    Place(f"queue {name[:12]!a}", of(ODD, "queue", name=names.ref(name), registry="failed"))
    for name in (HOSTILE[0], HOSTILE[7], HOSTILE[11])
)
PLACES = (
    Place("sign-in", at("/sign-in"), who=STRANGER),
    Place("sign-in, refused", refused_at_the_door, 401, STRANGER),
    Place("link", at("/sign-in/link", token="unused"), who=STRANGER),
    Place("link, spent", spent, 403, STRANGER),
    Place("404, nobody signed in", at("/nothing"), 404, STRANGER),
    Place("overview", at("/")),
    Place("overview, two chosen", at(f"/?backend={LIVE}&backend={EMPTY}")),
    Place("overview, no profile", at("/"), who=NEWCOMER),
    Place("overview, viewer", at("/"), who=VIEWER),
    Place("overview, all that needs attention", at("/", attention="all")),
    Place("overview, nothing needs attention", at("/", backend=EMPTY)),
    Place("queues", at("/queues")),
    Place("queues, sorted", at("/queues", sort="failed", backend=LIVE)),
    Place("queues, none", at("/queues", backend=EMPTY)),
    Place("failures", at("/failures")),
    Place("failures, groups", at("/failures", view="groups")),
    Place("failures, viewer", at("/failures", view="groups"), who=VIEWER),
    Place("failures, narrowed", at("/failures", q="error:ConnectionError")),
    Place("failures, mistaken", at("/failures", q="error:a nope:x")),
    Place("failures, no match", at("/failures", q="error:Nobody", backend=ODD)),
    Place("failures, none", at("/failures", backend=EMPTY)),
    Place("failures, unknown", at("/failures", backend=DEAD)),
    Place("failures, no profile", at("/failures"), who=NEWCOMER),
    *LISTS,
    *HOSTILE_LISTS,
    Place("queue, garbled", of(ODD, "queue", name="mail")),
    Place("queue, garbled failures", of(ODD, "queue", name="mail", registry="failed")),
    Place("queue, second page", of(ODD, "queue", name="long", page="2")),
    Place("queue, protected", of(PROTECTED, "queue", name=QUEUE, registry="failed")),
    Place("queue, read-only", of(READ_ONLY, "queue", name=QUEUE, registry="failed")),
    Place("queue, viewer", of(LIVE, "queue", name=QUEUE), who=VIEWER),
    Place("queue, filtered", of(LIVE, "queue", name=QUEUE, registry="failed", q='msg:"Max retries" -fn:app.noise')),
    Place("queue, filtered, more to scan", of(ODD, "queue", name="long", q="id:long-*")),
    Place("queue, filtered, nothing", of(LIVE, "queue", name=QUEUE, q="fn:nothing")),
    Place("queue, mistaken", of(LIVE, "queue", name=QUEUE, q="age:2h")),
    Place("queues, filtered", at("/queues", q="queue:web*")),
    Place("queues, mistaken", at("/queues", q="desc:web")),
    Place("jobs", at("/jobs")),
    Place("jobs, found", at("/jobs", q="status:failed error:ConnectionError")),
    Place("jobs, of hostile names", at("/jobs", backend=ODD, q="-queue:long")),
    Place("jobs, mistaken", at("/jobs", q="status:failed quene:mail")),
    Place("jobs, nothing", at("/jobs", q="fn:nothing")),
    Place("jobs, unknown id", at("/jobs", q="id:nobody")),
    Place("queue, unknown", of(EMPTY, "queue", name=QUEUE), 404),
    Place("queue, down", of(DEAD, "queue", name=QUEUE), 503),
    Place("job, failed", of(LIVE, "job", id="failed-7")),
    Place("job, full traceback", of(LIVE, "job", id="failed-7", trace="full")),
    Place("job, queued", of(LIVE, "job", id="waiting-1")),
    Place("job, running", of(LIVE, "job", id="running")),
    Place("job, finished", of(PROTECTED, "job", id="done-1")),
    Place("job, deferred", of(LIVE, "job", id="child")),
    Place("job, garbled", of(ODD, "job", id="garbled")),
    Place("job, hostile", of(ODD, "job", id=HOSTILE[0])),
    Place("job, unknown", of(LIVE, "job", id="nobody"), 404),
    Place("job, everything", of(LIVE, "job", id="rich")),
    Place("job, described", of(PROTECTED, "job", id="rich")),
    Place("job, hidden", of(READ_ONLY, "job", id="rich")),
    Place("job, runs of its function", of(LIVE, "job/runs", id="failed-7")),
    Place("find a job", at("/job")),
    Place("find a job, several", at("/job", id="failed-0")),
    Place("find a job, unknown", at("/job", id="nobody")),
    Place("operations, none", at("/operations"), who=NEWCOMER),
    Place("operation, where to", previewed("Move")),
    Place("operation, preview", previewed("Delete")),
    Place("operation, started", started),
    Place("operation, unknown", at("/operations/nobody"), 404),
    Place("operations", at("/operations")),
    Place("workers", at("/workers")),
    Place("workers, filtered", at("/workers", q="queue:webhooks -nothing")),
    Place("workers, lost", at("/workers", state="lost", backend=ODD)),
    Place("workers, none", at("/workers", backend=EMPTY)),
    Place("workers, by queue", at("/workers", group="queue")),
    Place("workers, by host", at("/workers", group="host", backend=ODD)),
    Place("workers, tiles", at("/workers", view="tiles")),
    Place("worker", of(LIVE, "worker", name=WORKER)),
    Place("worker, hostile", of(ODD, "worker", name=f"w {HOSTILE[0]}")),
    Place("worker, lost", of(ODD, "worker", name="lost-1")),
    Place("worker, viewer", of(LIVE, "worker", name=WORKER), who=VIEWER),
    Place("worker, unknown", of(LIVE, "worker", name="nobody"), 404),
    Place("worker, shut down", told("Shut down")),
    Place("worker, kill, protected", told("Kill work horse", backend=PROTECTED)),
    Place("schedule", at("/schedule")),
    Place("schedule, of hostile names", at("/schedule", backend=ODD)),
    Place("schedule, filtered", at("/schedule", q="queue:digests -nothing")),
    Place("schedule, mistaken", at("/schedule", q="age:>2h")),
    Place("schedule, none", at("/schedule", backend=EMPTY)),
    Place("schedule, unknown", at("/schedule", backend=DEAD)),
    Place("cron job", of(LIVE, "cron", name="nightly")),
    Place("cron job, unknown", of(LIVE, "cron", name="nobody"), 404),
    Place("groups", at("/groups")),
    Place("groups, viewer", at("/groups", q="partner"), who=VIEWER),
    Place("groups, none", at("/groups", backend=EMPTY)),
    Place("insights", at("/insights")),
    Place("insights, a queue", at("/insights", backend=ODD, queue=HOSTILE[0], range="24h")),
    Place("insights, no profile", at("/insights"), who=NEWCOMER),
    Place("queue, its history", of(LIVE, "queue", name=QUEUE, range="1h", rows="all")),
    Place("connections", at("/connections")),
    Place("connections, none", at("/connections"), who=NEWCOMER),
    Place("activity", at("/activity")),
    Place("activity, opened", opened_row),
    Place("activity, narrowed", at("/activity", verb="*", since="24h", on=LIVE)),
    Place("activity, mistaken", at("/activity", since="yesterday")),
    Place("activity, nothing", at("/activity", q="nobody did this")),
    Place("people", at("/people")),
    Place("people, added", added),
    Place("people, refused", at("/people"), 403, NEWCOMER),
    Place("person", a_person),
    Place("person, unknown", at("/people/nobody"), 404),
    Place("person, the last admin", the_last_admin, 409),
    Place("tokens", at("/tokens")),
    Place("tokens, made", token_made),
    Place("connections, refused", at("/connections"), 403, VIEWER),
    Place("connection", at(f"/connections/{PROTECTED}")),
    Place("connection, down", at(f"/connections/{DEAD}")),
    Place("connection, its revisions", at(f"/connections/{DISABLED}/revisions")),
    Place("connection, its use", at(f"/connections/{PROTECTED}/use")),
    Place("new", at("/connections/new")),
    Place("new, Sentinel", of_a_sentinel),
    Place("new, refused", tested_new, 400),
    Place("edit", at(f"/connections/{PROTECTED}/edit")),
    Place("edit, tested well", tested(LIVE)),
    Place("edit, tested badly", tested(DEAD)),
    Place("edit, stale", saved_too_late, 409),
    Place("connection", at(f"/connections/{PROTECTED}")),
    Place("connection, down", at(f"/connections/{DEAD}")),
    Place("connection, disabled", at(f"/connections/{DISABLED}")),
    Place("connection, tested", tested_as_stored),
    Place("revisions", at(f"/connections/{DISABLED}/revisions")),
    Place("use elsewhere", at(f"/connections/{PROTECTED}/use")),
    Place("import", at("/connections/import")),
    Place("import, nothing given", imported(""), 400),
    Place("import, read", imported(SETTINGS)),
    Place("import, nothing picked", not_picked, 400),
    Place("connection delete", at(f"/connections/{PROTECTED}/delete")),
    Place("connection delete, wrong name", deleted_wrongly, 400),
    Place("confirm delete", asked("Delete")),
    Place("confirm delete, of many", asked_of_many),
    Place("confirm cancel", asked("Cancel")),
    Place("confirm move", asked("Move", registry="failed")),
    Place("confirm move, protected", asked("Move", backend=PROTECTED)),
    Place("confirm delete, wrong name", named_wrongly, 400),
    Place("confirm empty", emptying),
    Place("action, endpoint moved", drawn_before, 409),
    Place("account", at("/account")),
    Place("account, passwords differ", two_passwords, 400),
    Place("404", at("/nothing"), 404),
    Place("health, live", at("/health/live"), who=STRANGER),
    Place("health, ready", at("/health/ready"), who=STRANGER),
)
