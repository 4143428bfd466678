"""The history of a profile: each edit with who, when and what changed, and the way back to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rqdash.errors import Invalid, Stale
from rqdash.model.caller import Caller, Permission
from rqdash.profiles.rebind import stored_slots
from rqdash.profiles.registry import Profiles
from rqdash.profiles.revisions import MOST, Revision
from rqdash.web.connections import refuse_outside
from rqdash.web.forms import Raw, whole
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To


@dataclass(frozen=True, slots=True)
class RevisionsPage(Page):
    """The edits, newest first, at most 200; version is the current one. changes are what somebody else saved meanwhile."""

    mark: Mark
    version: int
    revisions: tuple[Revision, ...]
    problem: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Back:
    """Back to the revision of that version; version is the one the page was drawn from."""

    name: str
    revision: int
    version: int


def parse(raw: Raw) -> str:
    return raw.path["profile"]


def parse_back(raw: Raw) -> Back:
    revision, version = (whole(raw.text(name), field_name=name, default=0) for name in ("revision", "version"))
    return Back(raw.path["profile"], revision, version)


def view(params: str, caller: Caller, *, profiles: Profiles) -> RevisionsPage:  # noqa: ARG001
    return _page(params, profiles)


def restore(params: Back, caller: Caller, *, profiles: Profiles) -> Result:
    """Makes a profile what a revision says, as an edit of its own. Secrets are not in revisions: those of now stay where they may go."""
    before = stored_slots(profiles.get(params.name))
    try:
        permit = partial(refuse_outside, caller)
        restored = profiles.restore(params.name, params.revision, version=params.version, by=caller.name, permit=permit)
    except Invalid as error:
        return Rejected(_page(params.name, profiles, problem=error.message))
    except Stale as error:
        return Rejected(_page(params.name, profiles, problem=error.message, changes=error.changes), status=409)
    title = f"{restored.name} is as it was in version {params.revision}."
    lost = [slot.replace("_", " ") for slot in before if slot not in stored_slots(restored)]
    if lost:
        text = f"It leads elsewhere than before, so the stored {' and '.join(lost)} was cleared. Give it again."
        return To("connection_edit", {"profile": restored.name}, Notice(title, text, "warning"))
    return To("connection", {"profile": restored.name}, Notice(title))


def _page(name: str, profiles: Profiles, *, problem: str = "", changes: tuple[tuple[str, str, str], ...] = ()) -> RevisionsPage:
    profile = profiles.get(name)
    return RevisionsPage(mark(profile), profile.version, profiles.revisions(name, limit=MOST), problem, changes)


ROUTES = (
    Route(
        "connection_revisions",
        "GET",
        "/connections/<profile>/revisions",
        Permission.ADMIN,
        view,
        "connection_revisions.html",
        parse,
        needs=("profiles",),
        nav="connections",
    ),
    Route(
        "connection_restore",
        "POST",
        "/connections/<profile>/restore",
        Permission.ADMIN,
        restore,
        "connection_revisions.html",
        parse_back,
        needs=("profiles",),
        nav="connections",
        audit="restore connection",
    ),
)
