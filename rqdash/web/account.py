"""One's own account: what it may do, where it is signed in, its password."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from rqdash.access.access import Access
from rqdash.access.actor import Actor
from rqdash.access.sessions import Open, public
from rqdash.errors import Denied, Invalid, Throttled
from rqdash.model.caller import Caller, Grant, Permission
from rqdash.web.forms import Raw
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To
from rqdash.web.sign_in import moment


@dataclass(frozen=True, slots=True)
class AccountPage(Page):
    """granted is what role and grants come to; own is the public id of the session that looks."""

    name: str
    granted: tuple[Grant, ...]
    sessions: tuple[Open, ...]
    own: str
    has_password: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NewPassword:
    now: datetime = field(repr=False)
    address: str
    old: str = field(repr=False)
    new: str = field(repr=False)
    repeated: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ending:
    """Which session is to end, by its public id; "" is every one but this."""

    now: datetime = field(repr=False)
    session: str = ""


def parse(raw: Raw) -> Ending:
    return Ending(moment(raw), raw.text("session"))


def parse_password(raw: Raw) -> NewPassword:
    return NewPassword(moment(raw), raw.address, raw.text("old"), raw.text("new"), raw.text("repeated"))


def view(params: Ending, caller: Caller, *, access: Access) -> AccountPage:
    return _page(params.now, caller, access)


def change_password(params: NewPassword, caller: Caller, *, access: Access) -> Result:
    """Ends every session of the account, this one too, and starts a new one."""
    try:
        _set_password(params, caller, access)
    except (Denied, Invalid, Throttled) as error:
        status = 429 if isinstance(error, Throttled) else 400
        return Rejected(replace(_page(params.now, caller, access), problem=error.message), status)
    session = access.sessions.start(access.accounts.get(caller.name), params.address, now=params.now)
    return To("account", notice=Notice("Your password is changed.", "Every other session of yours has ended."), session=session)


def end_session(params: Ending, caller: Caller, *, access: Access, actor: Actor) -> To:
    """Ends one of one's own sessions, or all others. This one ends by signing out."""
    with actor.recording("end session", values={"name": caller.name, "session": params.session or "others"}) as record:
        if params.session:
            access.sessions.revoke(caller.account_id, params.session)
            ended = 1
        else:
            ended = access.sessions.revoke_others(caller.account_id, keeping=caller.session_id)
        record.finish({"ended": ended})
    return To("account", notice=Notice(f"Ended {'1 session' if ended == 1 else f'{ended} sessions'} of yours."))


def _page(now: datetime, caller: Caller, access: Access) -> AccountPage:
    has_password = access.accounts.by_id(caller.account_id).has_password
    sessions = access.sessions.of(caller.account_id, now)
    return AccountPage(caller.name, caller.granted, sessions, public(caller.session_id), has_password)


def _set_password(params: NewPassword, caller: Caller, access: Access) -> None:
    """An account that a one-time link made has no password yet, and none to give."""
    if params.new != params.repeated:
        raise Invalid("The two new passwords differ.")
    if access.accounts.get(caller.name).has_password:
        access.throttle.attempt(caller.name, params.address, now=params.now)
        if access.accounts.verify(caller.name, params.old) is None:
            raise Denied("The old password does not match.")
        access.throttle.clear(caller.name, params.address)
    access.accounts.set_password(caller.name, params.new)


ROUTES = (
    Route("account", "GET", "/account", Permission.ACCOUNT, view, "account.html", parse, needs=("access",), in_api=False),
    Route(
        "change_password",
        "POST",
        "/account",
        Permission.ACCOUNT,
        change_password,
        "account.html",
        parse_password,
        needs=("access",),
        in_api=False,
        audit="change password",
    ),
    Route(
        "session_end",
        "POST",
        "/sessions/end",
        Permission.ACCOUNT,
        end_session,
        parse=parse,
        needs=("access", "actor"),
        in_api=False,
    ),
)
