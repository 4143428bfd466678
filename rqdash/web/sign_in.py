"""Signing in and out, and the one-time link."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from rqdash.access import access as entry
from rqdash.access.access import Access
from rqdash.errors import Denied, Throttled
from rqdash.model.caller import Caller, Permission
from rqdash.web.forms import Raw
from rqdash.web.route import Page, Rejected, Result, Route, To
from rqdash.web.security import safe_path


@dataclass(frozen=True, slots=True)
class SignInPage(Page):
    """next is a path of ours to go on to; problem is why the last attempt failed."""

    name: str = ""
    next: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LinkPage(Page):
    """A one-time link opens this page with one button, so that a preview or a prefetch does not use it up."""

    token: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    now: datetime = field(repr=False)
    address: str
    name: str
    next: str
    password: str = field(repr=False)
    session: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    now: datetime = field(repr=False)
    address: str
    token: str = field(repr=False)
    session: str = field(repr=False)


def moment(raw: Raw) -> datetime:
    """When the request came."""
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return raw.now


def parse_sign_in(raw: Raw) -> SignIn:
    next_path = safe_path(raw.text("next") or raw.arg("next"))
    return SignIn(moment(raw), raw.address, raw.text("name").strip(), next_path, raw.text("password"), raw.session)


def parse_link(raw: Raw) -> Link:
    return Link(moment(raw), raw.address, raw.text("token") or raw.arg("token"), raw.session)


def sign_in_page(params: SignIn, caller: Caller) -> Result:
    return SignInPage(next=params.next) if caller.is_stranger else To("overview")


def sign_in(params: SignIn, caller: Caller, *, access: Access) -> Result:  # noqa: ARG001
    """A new session, always; a wrong name and a wrong password get the same answer."""
    try:
        session = entry.sign_in(
            access, params.name, password=params.password, address=params.address, now=params.now, replaces=params.session
        )
    except (Denied, Throttled) as error:
        status = 429 if isinstance(error, Throttled) else 401
        return Rejected(SignInPage(params.name, params.next, error.message), status)
    return To("overview", path=params.next, session=session)


def link_page(params: Link, caller: Caller) -> LinkPage:  # noqa: ARG001
    return LinkPage(params.token)


def use_link(params: Link, caller: Caller, *, access: Access) -> Result:  # noqa: ARG001
    try:
        session = entry.sign_in_by_link(access, params.token, address=params.address, now=params.now, replaces=params.session)
    except Denied as error:
        return Rejected(LinkPage("", error.message), 403)
    return To("overview", session=session)


def sign_out(params: Raw, caller: Caller, *, access: Access) -> To:  # noqa: ARG001
    access.sessions.end(params.session)
    return To("sign_in", session="")


ROUTES = (
    Route("sign_in", "GET", "/sign-in", Permission.PUBLIC, sign_in_page, "sign_in.html", parse_sign_in, in_api=False),
    Route(
        "sign_in_post",
        "POST",
        "/sign-in",
        Permission.PUBLIC,
        sign_in,
        "sign_in.html",
        parse_sign_in,
        needs=("access",),
        in_api=False,
        audit="sign-in",
    ),
    Route("link", "GET", "/sign-in/link", Permission.PUBLIC, link_page, "link.html", parse_link, in_api=False),
    Route(
        "link_post",
        "POST",
        "/sign-in/link",
        Permission.PUBLIC,
        use_link,
        "link.html",
        parse_link,
        needs=("access",),
        in_api=False,
        audit="sign-in",
    ),
    Route("sign_out", "POST", "/sign-out", Permission.ACCOUNT, sign_out, needs=("access",), in_api=False, audit="sign-out"),
)
