"""The connection editor: fill from a URL, test, save. Saving is allowed when a test fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rqdash.backends.probe.report import Report
from rqdash.errors import Invalid, Stale
from rqdash.model.caller import Caller, Permission
from rqdash.model.profile import HUES, Profile
from rqdash.profiles.rebind import stored_slots
from rqdash.profiles.registry import Profiles
from rqdash.profiles.url import profile_from_url
from rqdash.web import profile_form
from rqdash.web.connections import refuse_outside
from rqdash.web.forms import Raw
from rqdash.web.marks import Mark, mark
from rqdash.web.profile_form import ProfileForm
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To
from rqdash.web.trials import Trials

NEW = Profile(name="")


@dataclass(frozen=True, slots=True)
class ConnectionPage(Page):
    """The editor. mark is None for a new profile; report is a test's; changes are what somebody else saved meanwhile.

    file is the name of the one that the profile comes from, and is locked by; "" when it is edited here.
    """

    mark: Mark | None
    form: ProfileForm
    hues: tuple[str, ...] = HUES
    taken_hues: tuple[str, ...] = ()
    report: Report | None = None
    problem: str = ""
    changes: tuple[tuple[str, str, str], ...] = ()
    file: str = ""


def new(params: Raw, caller: Caller, *, profiles: Profiles) -> ConnectionPage:  # noqa: ARG001
    return _page(params, profiles, None, profile_form.shown(NEW))


def edit(params: Raw, caller: Caller, *, profiles: Profiles) -> ConnectionPage:  # noqa: ARG001
    profile = profiles.get(params.path["profile"])
    return _page(params, profiles, profile, profile_form.shown(profile))


def create(params: Raw, caller: Caller, *, profiles: Profiles) -> Result:
    """Saves a new profile, or shows the form again with what is wrong."""
    if params.text("do") == "fill":
        return _filled(params, profiles, None)
    try:
        typed = profile_form.parsed(params, NEW)
        refuse_outside(caller, typed)
        profile = profiles.create(typed, secrets=profile_form.new_secrets(params), by=caller.name)
    except Invalid as error:
        return _rejected(params, profiles, None, error)
    return To("connection_edit", {"profile": profile.name}, Notice(f"The connection {profile.name} is saved."))


def save(params: Raw, caller: Caller, *, profiles: Profiles) -> Result:
    """Saves an edit. A stale version answers 409 with what changed meanwhile; the form keeps what was typed."""
    stored = profiles.get(params.path["profile"])
    if params.text("do") == "fill":
        return _filled(params, profiles, stored)
    try:
        edited = profile_form.parsed(params, stored)
        refuse_outside(caller, edited)
        profile = profiles.update(stored.name, edited, edits=profile_form.secret_edits(params), version=_version(params), by=caller.name)
    except Invalid as error:
        return _rejected(params, profiles, stored, error)
    except Stale as error:
        form = replace(profile_form.typed(params, stored, problems={}), version=stored.version)
        return Rejected(replace(_page(params, profiles, stored, form), problem=error.message, changes=error.changes), status=409)
    return To("connection_edit", {"profile": profile.name}, Notice(f"The connection {profile.name} is saved."))


def test(params: Raw, caller: Caller, *, profiles: Profiles, tester: Trials) -> Result:
    """The staged test of what is typed, saved or not; stored secrets are used only where they may go. Raises Throttled."""
    assert params.now is not None  # noqa: S101  the seam always sets it
    name = params.text("profile") or params.arg("profile")
    stored = profiles.get(name) if name and caller.may(Permission.ADMIN, name) else None
    base = stored or NEW
    # What comes from a file cannot be typed into, so that its form sends no fields: it is tested as it is.
    is_locked = base.is_managed
    try:
        typed = base if is_locked else profile_form.parsed(params, base)
        profile, secrets = profiles.draft(typed, edits=profile_form.secret_edits(params), over=stored.name if stored else "")
    except Invalid as error:
        return _rejected(params, profiles, stored, error)
    form = profile_form.shown(base) if is_locked else replace(profile_form.typed(params, base, problems={}), version=_version(params))
    return replace(_page(params, profiles, stored, form), report=tester.run(profile, secrets, by=caller, now=params.now))


def _filled(params: Raw, profiles: Profiles, stored: Profile | None) -> Result:
    """The form with what a pasted URL says; its password is named as found, and typed again or saved at once."""
    base = stored or NEW
    try:
        found, secrets = profile_from_url(params.text("url").strip())
    except Invalid as error:
        problem = error.problems.get("url", error.message)
        form = profile_form.typed(params, base, problems={"url": problem})
        return Rejected(replace(_page(params, profiles, stored, form), problem=error.message))
    kept = profile_form.typed(params, base, problems={})
    filled = profile_form.shown(replace(found, name=kept.texts["name"] or found.name, environment=kept.texts["environment"], hue=kept.hue))
    # What a URL cannot say stays as it was typed.
    texts = {**filled.texts, **{name: kept.texts[name] for name in ("arguments", "redact", *profile_form.WARNINGS)}}
    hint = {"password": "The URL has a password. It is not shown back: type it here."} if secrets.password else {}
    ticks = {**filled.ticks, **{name: kept.ticks[name] for name in profile_form.FLAGS}}
    return _page(
        params, profiles, stored, replace(filled, texts=texts, problems=hint, ticks=ticks, version=base.version, stored=stored_slots(base))
    )


def _rejected(params: Raw, profiles: Profiles, stored: Profile | None, error: Invalid) -> Rejected:
    form = profile_form.typed(params, stored or NEW, problems=error.problems)
    return Rejected(replace(_page(params, profiles, stored, replace(form, version=_version(params))), problem=error.message))


def _version(params: Raw) -> int:
    """The version the form was drawn from; a garbled one is none that ever was."""
    text = params.text("version")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _page(params: Raw, profiles: Profiles, stored: Profile | None, form: ProfileForm) -> ConnectionPage:
    assert params.now is not None  # noqa: S101  the seam always sets it
    taken = tuple(profile.hue for profile in profiles.all() if stored is None or profile.id != stored.id)
    file = stored.updated_by if stored is not None and stored.is_managed else ""
    return ConnectionPage(mark(stored) if stored else None, profile_form.dated(form, now=params.now), taken_hues=taken, file=file)


def _route(
    endpoint: str, method: str, rule: str, view: Callable[..., Result], *, audit: str = "", needs: tuple[str, ...] = ("profiles",)
) -> Route:
    return Route(endpoint, method, rule, Permission.ADMIN, view, "connection_edit.html", needs=needs, nav="connections", audit=audit)


ROUTES = (
    _route("connection_new", "GET", "/connections/new", new),
    _route("connection_create", "POST", "/connections/new", create, audit="create connection"),
    _route("connection_edit", "GET", "/connections/<profile>/edit", edit),
    _route("connection_save", "POST", "/connections/<profile>/edit", save, audit="edit connection"),
    _route("connection_test", "POST", "/connections/test", test, audit="test connection", needs=("profiles", "tester")),
)
