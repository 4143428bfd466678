"""What is done to ticked rows of a list over many backends: each job where it is, by its backend's own action, with one answer for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rqdash import actions
from rqdash.access.actor import Actor
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Denied, Invalid, ReadOnly, Stale
from rqdash.model import names
from rqdash.model.caller import Caller, Permission
from rqdash.model.outcome import Outcome
from rqdash.model.protection import asks_for, names_to_type
from rqdash.model.registry import Registry
from rqdash.web.forms import Raw, kept, required
from rqdash.web.job_forms import IDS_AT_MOST
from rqdash.web.marks import Mark, mark
from rqdash.web.route import Notice, Page, Rejected, Result, Route, To
from rqdash.web.verbs import LISTED
from rqdash.web.words import jobs_of, together_notice

LISTS = {"jobs": ("q", "backend", "size"), "failures": ("q", "backend", "size", "window", "after")}
"""The lists with ticks, and what of their address is kept."""
Reach = Callable[[str], Backend]


@dataclass(frozen=True, slots=True)
class Place:
    """The list or registry of one queue where some of the ticked jobs are."""

    backend: str
    queue: str
    registry: Registry


@dataclass(frozen=True, slots=True)
class Part:
    """What is ticked in one place. fits: whether the action is one for jobs there; the others are left alone."""

    mark: Mark
    queue: str
    registry: Registry
    count: int
    fits: bool


@dataclass(frozen=True, slots=True)
class TickedPage(Page):
    """What will happen to the ticked jobs of several places. fields repeat the request; back is the list's address."""

    verb: str
    parts: tuple[Part, ...]
    fields: tuple[tuple[str, str], ...]
    typed_names: tuple[str, ...]
    back: tuple[str, Mapping[str, Any]]
    problem: str = ""

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts if part.fits)


@dataclass(frozen=True, slots=True)
class Params:
    """drawn: the versions of the endpoints that the list was drawn for, by backend. back: the list's endpoint and its arguments."""

    ticked: Mapping[Place, tuple[str, ...]]
    drawn: Mapping[str, str]
    confirmed: bool
    typed: tuple[str, ...]
    back: tuple[str, Mapping[str, Any]]
    fields: tuple[tuple[str, str], ...]


def parse(raw: Raw) -> Params:
    """Raises Invalid when nothing is ticked, too much, or what no list has."""
    picked = tuple(dict.fromkeys(raw.form.get("id", ())))
    if not picked:
        raise Invalid("No job is ticked. Tick the jobs you mean and try again.", problems={"id": "none ticked"})
    if len(picked) > IDS_AT_MOST:
        raise Invalid(f"At most {IDS_AT_MOST} jobs at once.", problems={"id": f"more than {IDS_AT_MOST}"})
    ticked: dict[Place, tuple[str, ...]] = {}
    for place, job_id in map(_picked, picked):
        ticked[place] = (*ticked.get(place, ()), job_id)
    drawn = raw.form.get("drawn", ())
    return Params(
        ticked=ticked,
        drawn={name: version for name, _, version in (text.partition(":") for text in drawn)},
        confirmed=raw.ticked("confirmed"),
        typed=tuple(raw.form.get("typed", ())),
        back=_back(raw.text("list"), raw.text("kept")),
        fields=(
            *(("id", value) for value in picked),
            *(("drawn", value) for value in drawn),
            ("list", raw.text("list")),
            ("kept", raw.text("kept")),
        ),
    )


def _picked(value: str) -> tuple[Place, str]:
    """One ticked box: backend, queue, registry and id with dots between."""
    parts = value.split(".")
    if len(parts) != 4:
        raise Invalid("A ticked box is not one of a list.", problems={"id": "garbled"})
    backend, queue, registry, job_id = parts
    return Place(backend, names.from_form(queue), required(registry, Registry, field_name="id")), names.from_form(job_id)


def _back(endpoint: str, address: str) -> tuple[str, Mapping[str, Any]]:
    """Where the list is: one of ours, with what its address may hold; anything else is left out."""
    return (endpoint, kept(address, LISTS[endpoint])) if endpoint in LISTS else ("jobs", {})


def view(params: Params, caller: Caller, *, actor: Actor, reach: Reach, verb: str) -> Result:
    """Acts, or asks first. Nothing is done anywhere while a backend is not the one that the list was drawn for."""
    backends = {place.backend: reach(place.backend) for place in params.ticked}
    for backend in backends.values():
        _check(backend, params, caller)
    asking = confirmation(params, backends, verb=verb)
    if not asking.count:
        raise Invalid(f"None of the ticked jobs is where one can {verb} it, so nothing was done.", problems={"id": "none fits"})
    missing = [name for name in asking.typed_names if name not in params.typed]
    if verb in ASKS and not params.confirmed:
        return asking
    if verb in ASKS and missing:
        return Rejected(replace(asking, problem=asks_for(missing)))
    endpoint, values = params.back
    return To(endpoint, values, _notice(params, backends, actor, verb))


def confirmation(params: Params, backends: Mapping[str, Backend], *, verb: str) -> TickedPage:
    """Reads nothing."""
    parts = tuple(
        Part(mark(backends[place.backend].profile), place.queue, place.registry, len(ids), _fits(verb, place))
        for place, ids in sorted(params.ticked.items(), key=lambda item: (item[0].backend, item[0].queue, item[0].registry))
    )
    acted = {place.backend: backends[place.backend].profile for place in params.ticked if _fits(verb, place)}
    return TickedPage(verb, parts, params.fields, names_to_type(acted.values()), params.back)


def _fits(verb: str, place: Place) -> bool:
    return verb in LISTED.get(place.registry, ())


def _check(backend: Backend, params: Params, caller: Caller) -> None:
    if not caller.may(Permission.OPERATE, backend.name):
        raise Denied(f"You may not change {backend.name}.")
    if backend.profile.read_only:
        raise ReadOnly(f"{backend.name} is read-only here, so nothing was done.")
    drawn, current = params.drawn.get(backend.name, "none"), str(backend.profile.endpoint_version)
    if drawn != current:
        raise Stale(
            f"{backend.name} points elsewhere since this page was drawn, so nothing was done. Look at it again, then repeat.",
            changes=(("endpoint version", drawn, current),),
        )


def _notice(params: Params, backends: Mapping[str, Backend], actor: Actor, verb: str) -> Notice:
    """Acts place by place; a backend that fails is named and not tried again, for each try may take seconds. The others go on."""
    outcomes: list[Outcome] = []
    failed: dict[str, str] = {}
    left: Counter[str] = Counter()
    for place, ids in params.ticked.items():
        if not _fits(verb, place):
            left[f"of {place.registry.value} on {place.backend} left alone."] += len(ids)
            continue
        if place.backend in failed:
            left[f"on {place.backend} not tried."] += len(ids)
            continue
        backend = backends[place.backend]
        try:
            with backend.reachable():
                outcomes.append(ACTIONS[verb](backend, actor, queue=place.queue, registry=place.registry, ids=ids))
        except BackendError as error:
            failed[place.backend] = error.message
        else:
            if outcomes[-1].problem:
                failed[place.backend] = ""
    problems = [f"{name}: {message}" for name, message in failed.items() if message]
    return together_notice(verb, outcomes, [*problems, *(f"{jobs_of(count)} {why}" for why, count in left.items())])


ACTIONS: dict[str, Callable[..., Outcome]] = {
    "requeue": actions.requeue,
    "front": partial(actions.requeue, at_front=True),
    "enqueue": actions.enqueue,
    "cancel": actions.cancel,
    "delete": actions.delete,
}
ASKS = ("cancel", "delete")


def offered(registries: Sequence[Registry]) -> tuple[str, ...]:
    """What may be done with ticked rows of these registries, the usual things first."""
    return tuple(verb for verb in ACTIONS if any(verb in LISTED.get(registry, ()) for registry in dict.fromkeys(registries)))


def _route(verb: str) -> Route:
    act = partial(view, verb=verb)
    rule = f"/jobs/ticked/{verb}"
    needs = ("actor", "reach")
    return Route(f"ticked_{verb}", "POST", rule, Permission.OPERATE, act, "ticked.html", parse, needs=needs, nav="jobs", in_api=False)


ROUTES = tuple(_route(verb) for verb in ACTIONS)
