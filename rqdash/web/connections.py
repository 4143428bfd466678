"""The connection profiles: the list, and what changes one without the editor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.errors import Invalid
from rqdash.model.caller import Caller, Permission, Role
from rqdash.model.profile import Profile
from rqdash.model.queue import BackendSummary
from rqdash.model.reply import Problem
from rqdash.profiles.registry import Profiles
from rqdash.queries import overview as query
from rqdash.web.attention import server_warnings
from rqdash.web.forms import Raw, page_number, page_size, whole
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.overview import KEY
from rqdash.web.paging import Pager, pager
from rqdash.web.route import Notice, Page, Rejected, Result, Route, Scope, To


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A profile with what its backend last said; summary is None when it is disabled or never answered."""

    mark: Mark
    address: str
    kind: str
    db: int
    prefix: str
    has_tls: bool
    is_enabled: bool
    updated_at: datetime | None
    updated_by: str
    summary: BackendSummary | None
    problem: Problem | None
    latency_ms: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectionsPage(Page):
    rows: tuple[ConnectionRow, ...]
    pager: Pager
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DeletePage(Page):
    """Asks before a profile is deleted; its name is typed."""

    mark: Mark
    version: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ListParams:
    now: datetime = field(repr=False)
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one profile; version is the one the page was drawn from."""

    name: str
    version: int
    new_name: str
    typed: str


def parse_list(raw: Raw) -> ListParams:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return ListParams(raw.now, page_number(raw), page_size(raw))


def parse_change(raw: Raw) -> Change:
    version = whole(raw.text("version"), field_name="version", default=0)
    return Change(raw.path["profile"], version, raw.text("new_name").strip(), raw.text("typed").strip())


def view(backends: Many, params: ListParams, caller: Caller, *, profiles: Profiles) -> ConnectionsPage:
    replies = {reply.name: reply for reply in backends.gather(partial(query.summary, now=params.now), key=KEY)}
    seen = [profile for profile in profiles.all() if caller.may(Permission.ADMIN, profile.name)]
    pages = pager(page=params.page, size=params.size, total=len(seen))
    rows = []
    for profile in seen[pages.offset : pages.offset + pages.size]:
        reply = replies.get(profile.name)
        rows.append(
            row(profile, reply.value, reply.problem, reply.elapsed_ms) if reply and profile.enabled else row(profile, None, None, None)
        )
    return ConnectionsPage(tuple(rows), pages, params.now)


def row(profile: Profile, summary: BackendSummary | None, problem: Problem | None, latency_ms: float | None) -> ConnectionRow:
    return ConnectionRow(
        mark=mark(profile),
        address=profile.address,
        kind=profile.kind.value,
        db=profile.db,
        prefix=profile.prefix,
        has_tls=profile.tls.enabled,
        is_enabled=profile.enabled,
        updated_at=profile.updated_at,
        updated_by=profile.updated_by,
        summary=summary,
        problem=problem,
        latency_ms=latency_ms,
        warnings=server_warnings(summary) if summary else (),
    )


def switch(params: Change, caller: Caller, *, profiles: Profiles, on: bool) -> To:
    (profiles.enable if on else profiles.disable)(params.name, by=caller.name, version=params.version or None)
    done = "enabled" if on else "disabled: rqdash does not connect to it until it is enabled"
    return To("connections", notice=Notice(f"{params.name} is {done}."))


def duplicate(params: Change, caller: Caller, *, profiles: Profiles) -> To:
    new_name = params.new_name or _free_name(params.name, profiles)
    refuse_outside(caller, replace(profiles.get(params.name), name=new_name))
    copy = profiles.duplicate(params.name, new_name, by=caller.name)
    return To("connection_edit", {"profile": copy.name}, Notice(f"{copy.name} is a copy of {params.name}, and disabled."))


def delete_page(params: Change, caller: Caller, *, profiles: Profiles) -> DeletePage:  # noqa: ARG001
    profile = profiles.get(params.name)
    return DeletePage(mark(profile), profile.version)


def delete(params: Change, caller: Caller, *, profiles: Profiles) -> Result:
    if params.typed != params.name:
        return Rejected(DeletePage(mark(profiles.get(params.name)), params.version, f"Type {params.name} to delete its connection."))
    profiles.delete(params.name, version=params.version, by=caller.name)
    return To("connections", notice=Notice(f"The connection {params.name} is deleted.", "Nothing on its Redis was touched."))


def refuse_outside(caller: Caller, profile: Profile) -> None:
    """Raises Invalid when the caller would not be admin of a profile once it is saved: it would be lost to them by its own save."""
    if not caller.may_at(Permission.ADMIN, profile.name, profile.environment):
        field_name = "environment" if caller.may(Permission.ADMIN, profile.name) else "name"
        where = " and ".join(each.where for each in caller.granted if each.role is Role.ADMIN)
        problem = f"You are admin of {where}: under this name and environment the connection would be out of your reach."
        raise Invalid(problem, problems={field_name: problem})


def _free_name(name: str, profiles: Profiles) -> str:
    taken = {profile.name for profile in profiles.all()}
    candidates = (f"{name[:17].rstrip('-')}-{number}" for number in range(2, 100))
    found = next((candidate for candidate in candidates if candidate not in taken), None)
    if found is None:
        raise Invalid("Give the copy a name.", problems={"new_name": "no free name found"})
    return found


def _post(endpoint: str, rule: str, change: Callable[..., Result], audit: str) -> Route:
    return Route(
        endpoint,
        "POST",
        rule,
        Permission.ADMIN,
        change,
        "connection_delete.html",
        parse_change,
        needs=("profiles",),
        nav="connections",
        audit=audit,
    )


ROUTES = (
    Route(
        "connections",
        "GET",
        "/connections",
        Permission.ADMIN,
        view,
        "connections.html",
        parse_list,
        Scope.MANY,
        ("profiles",),
        "connections",
    ),
    _post("connection_enable", "/connections/<profile>/enable", partial(switch, on=True), "enable connection"),
    _post("connection_disable", "/connections/<profile>/disable", partial(switch, on=False), "disable connection"),
    _post("connection_duplicate", "/connections/<profile>/duplicate", duplicate, "duplicate connection"),
    Route(
        "connection_delete",
        "GET",
        "/connections/<profile>/delete",
        Permission.ADMIN,
        delete_page,
        "connection_delete.html",
        parse_change,
        needs=("profiles",),
        nav="connections",
    ),
    _post("connection_delete_post", "/connections/<profile>/delete", delete, "delete connection"),
)
