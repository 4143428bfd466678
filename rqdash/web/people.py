"""People: the accounts, how one is added, and what an admin of everything may do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.access import rules
from rqdash.access.access import Access
from rqdash.access.accounts import Account
from rqdash.access.actor import Actor
from rqdash.access.sessions import Open, public
from rqdash.errors import Conflict, Invalid, RqdashError
from rqdash.model.caller import Caller, Grant, Permission, Role
from rqdash.web.forms import Raw
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To


@dataclass(frozen=True, slots=True)
class Person:
    """An account as it is listed; granted is what its role and grants come to."""

    account: Account
    granted: tuple[Grant, ...]
    sessions: int
    is_owner: bool
    is_self: bool


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed into a form, to be shown again with what is wrong, by field."""

    name: str = ""
    role: str = Role.VIEWER.value
    grants: str = "*"
    days: str = ""
    problems: tuple[tuple[str, str], ...] = ()


NOTHING = Typed()
"""A form that nobody has touched."""


@dataclass(frozen=True, slots=True)
class PeoplePage(Page):
    """Every account, by name. link is a one-time link of the one called made, shown this once."""

    people: tuple[Person, ...]
    typed: Typed = NOTHING
    problem: str = ""
    made: str = ""
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PersonPage(Page):
    """One account with its sessions, of which own is the one that looks. link is a one-time link, shown this once."""

    person: Person
    sessions: tuple[Open, ...]
    typed: Typed
    own: str = ""
    problem: str = ""
    link: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Params:
    """What a form says; person is the id of an account, session the public id of a session, "" for all."""

    now: datetime = field(repr=False)
    person: str = ""
    session: str = ""
    typed: Typed = NOTHING

    def rights(self) -> rules.Rights:
        """Raises Invalid."""
        return rules.rights(self.typed.role, (self.typed.grants,))


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(raw.now, raw.path.get("person", ""), raw.text("session"), typed(raw))


def typed(raw: Raw) -> Typed:
    """In JSON grants may be a list."""
    name, role = raw.text("name").strip(), raw.text("role").strip()
    return Typed(name, role, ", ".join(raw.form.get("grants", ())).strip(), raw.text("days").strip())


def again(typed: Typed, error: RqdashError) -> Typed:
    """The form as it was typed, with what is wrong with it."""
    problems = error.problems if isinstance(error, Invalid) else {}
    return replace(typed, problems=tuple(problems.items()))


def listing(params: Params, caller: Caller, *, access: Access) -> PeoplePage:
    return PeoplePage(_people(access, caller, params.now))


def add(params: Params, caller: Caller, *, access: Access, actor: Actor) -> Result:
    """Makes an account without a password, and a link that lets its owner in to choose one."""
    name = params.typed.name
    try:
        rights = params.rights()
        with actor.recording("add account", values={"name": name, **rights.facts()}):
            access.accounts.add(name, role=rights.role, password=None, grants=rights.grants)
            link = access.links.issue(name, now=params.now)
    except (Invalid, Conflict) as error:
        page = PeoplePage(_people(access, caller, params.now), again(params.typed, error), error.message)
        return Rejected(page, 400 if isinstance(error, Invalid) else 409)
    return PeoplePage(_people(access, caller, params.now), made=name, link=link)


def view(params: Params, caller: Caller, *, access: Access) -> PersonPage:
    return _page(params, caller, access)


def change(params: Params, caller: Caller, *, access: Access, actor: Actor) -> Result:
    """Another role and other grants, from the account's next request on."""
    account = access.accounts.by_id(params.person)
    try:
        rights = params.rights()
        with actor.recording("change account", values={"name": account.name, **rights.facts()}):
            access.accounts.change(account.name, role=rights.role, grants=rights.grants)
    except (Invalid, Conflict) as error:
        page = replace(_page(params, caller, access), typed=again(params.typed, error), problem=error.message)
        return Rejected(page, 400 if isinstance(error, Invalid) else 409)
    return _back(account, f"{account.name} has these rights from the next request on.")


def switch(params: Params, caller: Caller, *, access: Access, actor: Actor, on: bool) -> Result:
    account = access.accounts.by_id(params.person)
    try:
        with actor.recording("enable account" if on else "disable account", values={"name": account.name}):
            (access.accounts.enable if on else access.accounts.disable)(account.name)
    except Conflict as error:
        return Rejected(replace(_page(params, caller, access), problem=error.message), 409)
    done = "can sign in again." if on else "cannot sign in any more; every session has ended."
    return _back(account, f"{account.name} {done}")


def reset(params: Params, caller: Caller, *, access: Access, actor: Actor) -> Result:
    """The old password and every session end; a one-time link, shown in this answer alone, lets in to choose another."""
    account = access.accounts.by_id(params.person)
    if not account.enabled:
        # It would say that the link lets in, and the first try would spend it for nothing.
        return Rejected(replace(_page(params, caller, access), problem=f"{account.name} is disabled. Enable it first."), 409)
    with actor.recording("reset password", values={"name": account.name}):
        access.accounts.clear_password(account.name)
        link = access.links.issue(account.name, now=params.now)
    return replace(_page(params, caller, access), link=link)


def sign_out(params: Params, caller: Caller, *, access: Access, actor: Actor) -> Result:  # noqa: ARG001
    account = access.accounts.by_id(params.person)
    with actor.recording("end session", values={"name": account.name, "session": params.session or "all"}) as record:
        if params.session:
            access.sessions.revoke(account.id, params.session)
            ended = 1
        else:
            ended = access.sessions.revoke_others(account.id)
        record.finish({"ended": ended})
    return _back(account, f"Ended {'1 session' if ended == 1 else f'{ended} sessions'} of {account.name}.")


def _people(access: Access, caller: Caller, now: datetime) -> tuple[Person, ...]:
    """Two queries of the dashboard's own database."""
    sessions = access.sessions.open(now)
    return tuple(_person(account, caller, len(sessions.get(account.id, ()))) for account in access.accounts.list())


def _person(account: Account, caller: Caller, sessions: int) -> Person:
    return Person(account, account.bearer.granted, sessions, account.is_owner, account.id == caller.account_id)


def _page(params: Params, caller: Caller, access: Access) -> PersonPage:
    """Raises NotFound."""
    account = access.accounts.by_id(params.person)
    sessions = access.sessions.of(account.id, params.now)
    shown = Typed(account.name, account.role.value, ", ".join(account.grants))
    return PersonPage(_person(account, caller, len(sessions)), sessions, shown, own=public(caller.session_id))


def _back(account: Account, said: str) -> To:
    return To("person", {"person": account.id}, Notice(said))


def _act(endpoint: str, rule: str, act: Callable[..., Result]) -> Route:
    return Route(endpoint, "POST", rule, Permission.OWN, act, "person.html", parse, needs=("access", "actor"), nav="people")


ROUTES = (
    Route("people", "GET", "/people", Permission.OWN, listing, "people.html", parse, needs=("access",), nav="people"),
    Route("person_add", "POST", "/people", Permission.OWN, add, "people.html", parse, needs=("access", "actor"), nav="people"),
    Route("person", "GET", "/people/<person>", Permission.OWN, view, "person.html", parse, needs=("access",), nav="people"),
    _act("person_change", "/people/<person>/rights", change),
    _act("person_disable", "/people/<person>/disable", partial(switch, on=False)),
    _act("person_enable", "/people/<person>/enable", partial(switch, on=True)),
    _act("person_reset", "/people/<person>/reset", reset),
    _act("person_sign_out", "/people/<person>/sign-out", sign_out),
)
