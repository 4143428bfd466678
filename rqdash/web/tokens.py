"""Tokens for programs: the list, how one is made, shown once, and how it is revoked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rqdash.access import rules
from rqdash.access.access import Access
from rqdash.access.actor import Actor
from rqdash.access.tokens import Token
from rqdash.errors import Conflict, Invalid
from rqdash.model.caller import Caller, Grant, Permission, grant
from rqdash.web.forms import Raw, whole
from rqdash.web.people import NOTHING, Typed, again, typed
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To

LONGEST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token without what it is; granted is what its role and grants come to."""

    token: Token
    granted: tuple[Grant, ...]
    is_over: bool


@dataclass(frozen=True, slots=True)
class TokensPage(Page):
    """Every token, by name. token is the one called made, shown this once."""

    rows: tuple[TokenRow, ...]
    typed: Typed = NOTHING
    problem: str = ""
    made: str = ""
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Params:
    now: datetime = field(repr=False)
    typed: Typed = NOTHING

    def expires_at(self) -> datetime | None:
        """None for never. Raises Invalid."""
        days = whole(self.typed.days, field_name="days", default=0)
        if not 0 <= days <= LONGEST_DAYS:
            raise Invalid(f"Give 1 to {LONGEST_DAYS} days, or none.", problems={"days": f"1 to {LONGEST_DAYS}, or empty"})
        return self.now + timedelta(days=days) if days else None


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(raw.now, typed(raw))


def listing(params: Params, caller: Caller, *, access: Access) -> TokensPage:  # noqa: ARG001
    return TokensPage(_rows(access, params.now))


def add(params: Params, caller: Caller, *, access: Access, actor: Actor) -> Result:  # noqa: ARG001
    """Makes a token; what it is stands in this answer and nowhere else."""
    name = params.typed.name
    try:
        rights, expires_at = rules.rights(params.typed.role, (params.typed.grants,)), params.expires_at()
        with actor.recording("add token", values={"name": name, **rights.facts()}):
            token = access.tokens.add(name, role=rights.role, grants=rights.grants, expires_at=expires_at)
    except (Invalid, Conflict) as error:
        page = TokensPage(_rows(access, params.now), again(params.typed, error), error.message)
        return Rejected(page, 400 if isinstance(error, Invalid) else 409)
    return TokensPage(_rows(access, params.now), made=name, token=token)


def revoke(params: Params, caller: Caller, *, access: Access, actor: Actor) -> To:  # noqa: ARG001
    with actor.recording("revoke token", values={"name": params.typed.name}):
        access.tokens.revoke(params.typed.name)
    return To("tokens", notice=Notice(f"The token {params.typed.name} is good for nothing now."))


def _rows(access: Access, now: datetime) -> tuple[TokenRow, ...]:
    return tuple(
        TokenRow(token, tuple(grant(text, token.role) for text in token.grants), token.expires_at is not None and token.expires_at <= now)
        for token in access.tokens.list()
    )


WRITES = ("access", "actor")
ROUTES = (
    Route("tokens", "GET", "/tokens", Permission.OWN, listing, "tokens.html", parse, needs=("access",), nav="people"),
    Route("token_add", "POST", "/tokens", Permission.OWN, add, "tokens.html", parse, needs=WRITES, nav="people"),
    Route("token_revoke", "POST", "/tokens/revoke", Permission.OWN, revoke, parse=parse, needs=WRITES, nav="people"),
)
