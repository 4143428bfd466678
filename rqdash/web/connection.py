"""The page of one connection profile: what it says, how its backend is now, and a test of it as it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rqdash.backends.guard import GuardState
from rqdash.backends.probe.report import Report
from rqdash.model.caller import Caller, Permission
from rqdash.model.profile import Kind, Profile, Tls
from rqdash.profiles.certificates import lasting
from rqdash.profiles.registry import Profiles
from rqdash.queries import overview as query
from rqdash.web.connections import ConnectionRow, row
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.marks import Mark, mark
from rqdash.web.overview import KEY
from rqdash.web.route import Page, Route, Scope
from rqdash.web.trials import Trials


@dataclass(frozen=True, slots=True)
class ProfilePage(Page):
    """row is what the list shows of it; read_at is when its summary was read, None when never.

    sentinels is what its Sentinels say, None where there are none or it is disabled; tls and sentinel_tls are sentences about the way.
    """

    mark: Mark
    profile: Profile
    row: ConnectionRow
    tls: tuple[str, ...]
    sentinel_tls: tuple[str, ...] = ()
    read_at: datetime | None = None
    sentinels: GuardState | None = None
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Params:
    name: str
    now: datetime = field(repr=False)


def parse(raw: Raw) -> Params:
    assert raw.now is not None  # noqa: S101  the seam always sets it
    return Params(raw.path["profile"], raw.now)


def view(backends: Many, params: Params, caller: Caller, *, profiles: Profiles) -> ProfilePage:  # noqa: ARG001
    """The profile and its backend's state now: the summary's round trips, and one to all Sentinels side by side."""
    profile = profiles.get(params.name)
    page = ProfilePage(
        mark=mark(profile),
        profile=profile,
        row=row(profile, None, None, None),
        tls=tls_sentences(profile.tls, now=params.now),
        sentinel_tls=tls_sentences(profile.sentinel_tls, now=params.now) if profile.kind is Kind.SENTINEL else (),
    )
    one = replace(backends, backends=[backend for backend in backends.backends if backend.name == profile.name])
    if not one.backends:
        return page
    reply = one.gather(partial(query.summary, now=params.now), key=KEY)[0]
    shown = row(profile, reply.value, reply.problem, reply.elapsed_ms)
    return replace(page, row=shown, read_at=reply.as_of, sentinels=one.backends[0].sentinels())


def test(backends: Many, params: Params, caller: Caller, *, profiles: Profiles, tester: Trials) -> ProfilePage:
    """The page with a test of the profile as it is stored, enabled or not. Raises Throttled, or Conflict when secrets cannot be read."""
    profile = profiles.get(params.name)
    report = tester.run(profile, profiles.secrets(profile), by=caller, now=params.now)
    return replace(view(backends, params, caller, profiles=profiles), report=report)


def tls_sentences(tls: Tls, *, now: datetime) -> tuple[str, ...]:
    """How a way is secured, and when the certificates that we hold expire."""
    if not tls.enabled:
        return ("Off.",)
    return tuple(sentence for sentence in (_checks(tls), *_expiries(tls, now)) if sentence)


def _checks(tls: Tls) -> str:
    if not tls.verify:
        return "On; the certificate is not checked."
    whom = "the authorities given here" if tls.ca_pem else "the system's authorities"
    if not tls.check_hostname:
        return f"On, checked against {whom}, whatever name the certificate has."
    return f"On, checked against {whom}, for {tls.server_name or 'the host connected to'}."


def _expiries(tls: Tls, now: datetime) -> tuple[str, ...]:
    held = (("Authority", tls.ca_pem), ("Client certificate", tls.client_cert_pem))
    return tuple(f"{what}: {lasting(pem, now=now)}" for what, pem in held if pem)


ROUTES = (
    Route(
        "connection",
        "GET",
        "/connections/<profile>",
        Permission.ADMIN,
        view,
        "connection.html",
        parse,
        Scope.MANY,
        ("profiles",),
        "connections",
    ),
    Route(
        "connection_test_stored",
        "POST",
        "/connections/<profile>/test",
        Permission.ADMIN,
        test,
        "connection.html",
        parse,
        Scope.MANY,
        ("profiles", "tester"),
        "connections",
        audit="test connection",
    ),
)
