"""How a request gets its connection: one sequence for every view alike.

Who calls, then access on the name, then parsing, then the backend, then the view inside the backend's reach, then rendering.
Nothing before access reads anything but the session and the profile's row; the view sees arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from rqdash.access import actor
from rqdash.backends.backend import Backend
from rqdash.errors import Denied, NotFound, NotSignedIn, Stale
from rqdash.model.caller import Caller, Permission
from rqdash.model.profile import Profile
from rqdash.web.forms import Raw
from rqdash.web.many import Many
from rqdash.web.route import Rejected, Result, Route, Scope, To
from rqdash.web.services import Services

POLL_MAX_AGE_S = 1.0
NEEDED = {
    Permission.ACCOUNT: "viewer",
    Permission.VIEW: "viewer",
    Permission.OPERATE: "operator",
    Permission.ADMIN: "admin",
    Permission.OWN: "admin of every backend",
}
"""The least role that has a permission."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a view said, and the profile it said it of: by the time it is rendered, the name may point elsewhere.

    read_at: when the oldest value in it was read from a backend, None when that is not known or there is none.
    """

    result: Result
    profile: Profile | None = None
    read_at: datetime | None = None


def answer(services: Services, route: Route, raw: Raw, caller: Caller, *, is_poll: bool) -> Answered:
    """What the view says, for whoever calls. Raises NotSignedIn, NotFound, Denied, Invalid, Stale or a BackendError."""
    admit(services, route, raw, caller)
    params = route.parse(raw)
    if route.scope is Scope.ONE:
        return _of_one(services, route, raw, caller, params=params, is_poll=is_poll)
    arguments: dict[str, Any] = _needed(services, route, caller)
    many = (_many(services, raw, caller, is_poll=is_poll),) if route.scope is Scope.MANY else ()
    call = partial(route.view, *many, params, caller, **arguments)
    result = _recorded(services, route, raw, caller, call) if route.audit else call()
    return Answered(result, read_at=min((moment for one in many for moment in one.read_at), default=None))


def admit(services: Services, route: Route, raw: Raw, caller: Caller) -> None:
    """Access, decided on the name alone: no grant and no such name are the same 404, and build no client."""
    if route.permission is Permission.PUBLIC:
        return
    if caller.is_stranger:
        raise NotSignedIn("Sign in first.")
    named = _names(raw)
    for name in named:
        if not (caller.may_see(name) and any(profile.name == name for profile in services.known())):
            raise NotFound(f"There is no backend named {name}.")
    if not caller.has(route.permission):
        raise Denied(f"This asks for the role {NEEDED[route.permission]}; you are {caller.highest}.")
    for name in named:
        _refuse(caller, name, route.permission)


def placed(services: Services, caller: Caller) -> Caller:
    """The caller with the environments of the backends there are now, which its grants may be on."""
    return replace(caller, environments={profile.name: profile.environment for profile in services.known()})


def visible(services: Services, caller: Caller) -> tuple[Backend, ...]:
    """The enabled backends a caller may see, in the registry's order."""
    live = ((name, services.backends.get(name)) for name in services.backends if caller.may_see(name))
    return tuple(backend for _, backend in live if backend is not None)


def reached(services: Services, caller: Caller, name: str, *, permission: Permission) -> Backend:
    """Another backend than the one in the path, such as where jobs go to. Raises NotFound, also for one without a grant, or Denied."""
    backend = services.backends.get(name) if caller.may_see(name) else None
    if backend is None:
        raise NotFound(f"There is no backend named {name}, or it is disabled.")
    _refuse(caller, name, permission)
    return backend


def _refuse(caller: Caller, name: str, permission: Permission) -> None:
    if not caller.may(permission, name):
        raise Denied(f"This asks for the role {NEEDED[permission]} on {name}; you are {caller.role_on(name)} there.")


def _names(raw: Raw) -> Sequence[str]:
    """The backends, or profiles, that a request names: in its path and in its scope."""
    named = [raw.path[key] for key in ("backend", "profile") if key in raw.path]
    return [*named, *raw.query.get("backend", ())]


def _of_one(services: Services, route: Route, raw: Raw, caller: Caller, *, params: object, is_poll: bool) -> Answered:
    backend = services.backends.get(raw.path["backend"])
    if backend is None:
        raise NotFound(f"{raw.path['backend']} is disabled: enable its connection first.")
    arguments = _needed(services, route, caller)
    if route.method == "GET":
        # The view of a page never depends on the caller, so callers of one moment may share what it read.
        def call(live: Backend) -> Result:
            return route.view(live, params, caller, **arguments)

        key = f"{route.endpoint} {params!r}" if is_poll else route.endpoint
        result = services.gatherer.one(backend, call, key=key, max_age_s=POLL_MAX_AGE_S if is_poll else 0.0)
        return Answered(result, backend.profile, getattr(result, "as_of", None))
    _check_endpoint(backend, raw)
    services.gatherer.refuse_resting(backend)
    with backend.reachable():
        return Answered(route.view(backend, params, caller, **arguments), backend.profile)


def _check_endpoint(backend: Backend, raw: Raw) -> None:
    """A form drawn for another endpoint of the same name does nothing."""
    drawn = raw.text("endpoint_version")
    current = str(backend.profile.endpoint_version)
    if drawn == current or (raw.is_json and not drawn):
        return
    raise Stale(
        f"{backend.name} points elsewhere since this page was drawn, so nothing was done. Look at it again, then repeat.",
        changes=(("endpoint version", drawn or "none", current),),
    )


def _many(services: Services, raw: Raw, caller: Caller, *, is_poll: bool) -> Many:
    chosen = tuple(dict.fromkeys(raw.query.get("backend", ())))
    scope = tuple(backend for backend in visible(services, caller) if not chosen or backend.name in chosen)
    return Many(scope, services.gatherer, POLL_MAX_AGE_S if is_poll else 0.0, chosen)


def _needed(services: Services, route: Route, caller: Caller) -> dict[str, Any]:
    found: dict[str, Any] = {
        "access": services.access,
        "backends": services.backends,
        "actor": actor.of(caller, services.access.audit),
        "reach": partial(reached, services, caller, permission=route.permission),
        "seen": partial(visible, services, caller),
        **services.others,
    }
    return {name: found[name] for name in route.needs}


def _recorded(services: Services, route: Route, raw: Raw, caller: Caller, view: Callable[[], Result]) -> Result:
    """Audits a write that is not an action on a backend; those audit themselves."""
    if route.permission is Permission.PUBLIC:
        return _signed_in(services, route, caller, view)
    named = raw.text("name")[:80]
    values = {"name": named} if named else {}
    with actor.of(caller, services.access.audit).recording(
        route.audit, backend=raw.path.get("profile", ""), queue="", values=values
    ) as record:
        result = view()
        record.finish({"refused": 1} if isinstance(result, Rejected) else {"done": 1})
    return result


def _signed_in(services: Services, route: Route, caller: Caller, view: Callable[[], Result]) -> Result:
    """A sign-in is recorded when it succeeds, by whom it let in. One that fails is not: strangers could fill the log, and people type
    their password into the wrong box.
    """
    result = view()
    if not isinstance(result, Rejected):
        session = result.session if isinstance(result, To) else None
        found = services.access.sessions.caller(session, services.clock(), address=caller.address) if session else None
        with actor.of(found or caller, services.access.audit).recording(route.audit) as record:
            record.finish({"done": 1})
    return result
