"""What the forms of actions on jobs hold, parsed, and the fields that repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from rqdash.actions.changes import LIMITS
from rqdash.backends.backend import Backend
from rqdash.errors import Invalid
from rqdash.model import names
from rqdash.model.registry import Registry
from rqdash.queries import job as job_query
from rqdash.web.confirming import Limit
from rqdash.web.forms import Raw, kept, queue_choice, required, whole

IDS_AT_MOST = 200
ADDRESS = ("q", "page", "size")
"""What of a queue's address is kept beside the queue and its registry."""
FOREVER = ("-1", "forever", "never")


@dataclass(frozen=True, slots=True)
class Params:
    """What a form asks. confirmed: the confirmation was seen; typed: the names typed there. back is "job" or "queue".

    given and before: limits as typed, and as they were shown; at and minutes: a new time as typed. asked_of: whose queues the form
    offered, once another connection was chosen, which then pointed where to_endpoint_version says.
    """

    now: datetime = field(repr=False)
    queue: str
    registry: Registry
    ids: tuple[str, ...]
    to_queue: str | None
    at_front: bool
    confirmed: bool
    typed: tuple[str, ...]
    back: str
    is_json: bool = False
    at: str = ""
    minutes: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    to_backend: str = ""
    asked_of: str = ""
    to_endpoint_version: str = ""
    copies: bool = False
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def changed(self) -> dict[str, int | None]:
        """The limits that differ from what was shown, in seconds; -1 is no end, None is RQ's default. Raises Invalid."""
        changed = {name: text for name, text in self.given.items() if text != self.before.get(name, None)}
        return {name: _seconds(text, name) for name, text in changed.items()}


def parse(raw: Raw) -> Params:
    """Raises Invalid when nothing is ticked, or too much."""
    assert raw.now is not None  # noqa: S101  the seam always sets it
    ids = raw.all_names("id")
    if not ids:
        raise Invalid("No job is ticked. Tick the jobs you mean and try again.", problems={"id": "none ticked"})
    if len(ids) > IDS_AT_MOST:
        raise Invalid(f"At most {IDS_AT_MOST} jobs at once.", problems={"id": f"more than {IDS_AT_MOST}"})
    return Params(
        now=raw.now,
        queue=raw.name("queue"),
        registry=required(raw.text("registry"), Registry, field_name="registry"),
        ids=ids,
        to_queue=queue_choice(raw),
        at_front=raw.ticked("at_front"),
        confirmed=raw.ticked("confirmed") or raw.is_json,
        typed=tuple(raw.form.get("typed", ())),
        back=raw.text("back"),
        is_json=raw.is_json,
        at=raw.text("at").strip(),
        minutes=raw.text("minutes").strip(),
        given={name: raw.text(name).strip() for name in LIMITS if name in raw.form},
        before={name: raw.text(f"was_{name}") for name in LIMITS if f"was_{name}" in raw.form},
        to_backend=raw.text("to_backend"),
        asked_of=raw.text("asked_of"),
        to_endpoint_version=raw.text("to_endpoint_version"),
        copies=raw.ticked("copies"),
        kept=kept(raw.text("kept"), ADDRESS),
    )


def fields(params: Params) -> tuple[tuple[str, str], ...]:
    """The hidden fields that repeat a request."""
    return (
        ("queue", names.to_form(params.queue)),
        ("registry", params.registry.value),
        ("back", params.back),
        ("kept", urlencode(params.kept, doseq=True)),
        *(("id", names.to_form(job_id)) for job_id in params.ids),
    )


def back(backend: Backend, params: Params, *, verb: str) -> tuple[str, Mapping[str, Any]]:
    """Where the browser goes next: back to the job it came from, unless that is gone now; else to the list."""
    if params.back == "job" and verb != "delete" and len(params.ids) == 1 and not names.is_digest(names.ref(params.ids[0])):
        return "job", {"backend": backend.name, "id": params.ids[0]}
    return "queue", {**params.kept, "backend": backend.name, "name": names.ref(params.queue), "registry": params.registry.value}


def moment_of(params: Params) -> datetime:
    """The new time: so many minutes from now, or the time typed, which a form gives in UTC. Raises Invalid."""
    if params.minutes:
        return params.now + timedelta(minutes=min(abs(whole(params.minutes, field_name="minutes")), 10_000_000))
    try:
        at = datetime.fromisoformat(params.at)
    except ValueError:
        raise Invalid("The new time is missing, or is not one.", problems={"at": "a date and a time"}) from None
    if at.tzinfo is None and params.is_json:
        raise Invalid("at has no zone.", problems={"at": "an ISO 8601 time with a zone"})
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def limits(backend: Backend, params: Params) -> tuple[Limit, ...]:
    """The limits to edit, with what the job has now, or what was typed. Two round trips for a single job, none for several."""
    if len(params.ids) > 1 or params.given:
        return tuple(Limit(name, params.given.get(name, ""), params.before.get(name, "")) for name in LIMITS)
    job = job_query.job(backend, params.ids[0], now=params.now)
    policies = job.policies
    now = {
        "timeout": job.row.timeout_s,
        "ttl": policies.ttl_s,
        "result_ttl": policies.result_ttl_s,
        "failure_ttl": policies.failure_ttl_s,
    }
    shown = {name: "" if seconds is None else str(seconds) for name, seconds in now.items()}
    return tuple(Limit(name, shown[name], shown[name]) for name in LIMITS)


def _seconds(text: str, name: str) -> int | None:
    if text.lower() in FOREVER:
        return -1
    return None if text.lower() in ("", "default") else whole(text, field_name=name)
