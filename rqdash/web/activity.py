"""Activity: the audit log, the newest first, narrowed by a filter, and as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

from rqdash.access.access import Access
from rqdash.access.audit import LOOKED_AT, Entry
from rqdash.access.finding import Wanted
from rqdash.backends.backend import Backend
from rqdash.errors import Invalid
from rqdash.model.caller import Caller, Permission
from rqdash.web import spreadsheets
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Download, Page, Route

PAGE = 50
LONGEST_TEXT = 300
AGES = {"h": 3600, "d": 86400}
HEAD = ("id", "began_at", "ended_at", "kind", "who", "address", "verb", "backend", "queue", "status", "values", "outcomes")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter as it stands in the address; since and until are times (UTC without a zone) or ages such as 24h and 7d."""

    q: str = ""
    who: str = ""
    verb: str = ""
    on: str = ""
    queue: str = ""
    status: str = ""
    since: str = ""
    until: str = ""

    def given(self) -> dict[str, str]:
        """What is not empty, by the names it has in the address."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name))}


@dataclass(frozen=True, slots=True)
class ActivityRow:
    """One action; mark is its backend's, None where it has none, several, or one that is gone."""

    entry: Entry
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class ActivityPage(Page):
    """older is what to give as before for the next page, None at the end; looked_at is how many rows the filter went through, None when
    it could go through all that it might hit. problem is why the filter cannot be used: then it is not.
    """

    rows: tuple[ActivityRow, ...]
    asked: Asked
    given: dict[str, str]
    older: int | None
    keep_days: int
    looked_at: int | None = None
    is_first: bool = True
    problem: str = ""

    @property
    def is_polled(self) -> bool:
        """An older page stays what it was; what is looked for in all texts is not looked for every two seconds."""
        return self.is_first and not self.asked.q


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    asked: Asked
    before: int | None = None
    is_csv: bool = False

    def wanted(self) -> Wanted:
        """Raises Invalid for a time that is none."""
        asked = self.asked
        since, until = _moment(asked.since, "since", self.now), _moment(asked.until, "until", self.now)
        return Wanted(asked.who, asked.verb, asked.on, asked.queue, asked.status, asked.q, since, until)


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    asked = Asked(**{each.name: raw.arg(each.name).strip()[:LONGEST_TEXT] for each in fields(Asked)})
    before = raw.arg("before")
    is_id = before.isascii() and before.isdigit() and len(before) <= 18
    return Params(raw.now, asked, int(before) if is_id else None, raw.arg("format") == "csv")


def view(params: Params, caller: Caller, *, access: Access, backends: dict[str, Backend]) -> ActivityPage:  # noqa: ARG001
    """A few short queries of the dashboard's own database."""
    wanted, problem = Wanted(), ""
    try:
        wanted = params.wanted()
    except Invalid as error:
        problem = error.message
    found = access.audit.found(PAGE, before=params.before, wanted=wanted)
    return ActivityPage(
        rows=tuple(ActivityRow(entry, _mark(backends, entry.backend)) for entry in found.entries),
        asked=params.asked,
        given=params.asked.given(),
        older=found.older,
        looked_at=LOOKED_AT if found.is_cut else None,
        keep_days=access.audit.keep.days,
        is_first=params.before is None,
        problem=problem,
    )


def export(params: Params, caller: Caller, *, access: Access) -> Download:  # noqa: ARG001
    """All that the filter lets through, as CSV or as a JSON object a line. Raises Invalid for a filter that cannot be used."""
    wanted = params.wanted()
    if params.is_csv:
        rows = (_cells(entry) for entry in access.audit.every(wanted))
        return Download("activity.csv", "text/csv; charset=utf-8", lambda: spreadsheets.lines(HEAD, rows))
    return Download("activity.jsonl", "application/x-ndjson", lambda: _json_lines(access.audit.every(wanted)))


def _moment(text: str, name: str, now: datetime) -> datetime | None:
    if not text:
        return None
    number, unit = text[:-1], text[-1]
    if unit in AGES and number.isascii() and number.isdigit() and len(number) <= 4:
        return now - timedelta(seconds=int(number) * AGES[unit])
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        problem = f"“{text[:40]}” is no time. Give one such as 2026-11-23T10:00 (UTC), or an age such as 24h or 7d."
        raise Invalid(problem, problems={name: "not a time"}) from None


def _mark(backends: dict[str, Backend], name: str) -> Mark | None:
    backend = backends.get(name) if name else None
    return mark(backend.profile) if backend else None


def _facts(entry: Entry) -> dict[str, object]:
    moments = (entry.began_at, entry.ended_at)
    began_at, ended_at = (at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None for at in moments)
    about = (entry.id, began_at, ended_at, entry.kind, entry.name, entry.address, entry.verb, entry.backend, entry.queue, entry.status)
    return dict(zip(HEAD, (*about, dict(entry.values), dict(entry.outcomes)), strict=True))


def _cells(entry: Entry) -> list[str]:
    return [json.dumps(value) if isinstance(value, dict) else "" if value is None else str(value) for value in _facts(entry).values()]


def _json_lines(entries: Iterator[Entry]) -> Iterator[str]:
    return (json.dumps(_facts(entry)) + "\n" for entry in entries)


ROUTES = (
    Route(
        "activity",
        "GET",
        "/activity",
        Permission.OWN,
        view,
        "activity.html",
        parse,
        needs=("access", "backends"),
        nav="activity",
        is_live=True,
    ),
    Route("activity_export", "GET", "/activity/export", Permission.OWN, export, parse=parse, needs=("access",)),
)
