"""What surrounds every page: navigation, the scope's chips, the flag of the page's backend, notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rqdash.backends.backend import Backend
from rqdash.backends.guard import Health
from rqdash.model.caller import Caller, Permission
from rqdash.model.profile import Profile
from rqdash.model.reply import Problem
from rqdash.web.marks import Mark
from rqdash.web.route import Notice


@dataclass(frozen=True, slots=True)
class NavItem:
    endpoint: str
    label: str
    icon: str
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Chip:
    """One backend of the scope picker; health "" is well, else down, slow, denied, suspended, warning or a word of Health."""

    name: str
    hue: str
    environment: str
    is_protected: bool
    is_read_only: bool
    health: str = ""
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """The band that says whose page this is; note is its policy in a sentence, facts its address and the like."""

    mark: Mark
    note: str = ""
    facts: str = ""


@dataclass(frozen=True, slots=True)
class Shell:
    """Everything around a page. caller is None for a stranger; may_operate speaks for the page's backend.

    cautions are what Sentinel says of it, notices what was just done. digest tells what a live page shows, "" for other pages;
    is_fragment: only what a poll morphs in is rendered. administered names the backends whose connections the caller may change.
    """

    title: str
    caller: Caller | None = None
    nav: tuple[NavItem, ...] = ()
    chips: tuple[Chip, ...] = ()
    is_all_current: bool = True
    flag: Flag | None = None
    notices: tuple[Notice, ...] = ()
    may_operate: bool = False
    is_admin: bool = False
    administered: tuple[str, ...] = ()
    as_of: datetime | None = None
    scope_endpoint: str = "overview"
    cautions: tuple[Notice, ...] = ()
    digest: str = ""
    is_fragment: bool = False

    @property
    def down(self) -> int:
        return sum(1 for chip in self.chips if chip.health == "down")


NAV = (
    ("overview", "Overview", "overview", Permission.VIEW),
    ("queues", "Queues", "queues", Permission.VIEW),
    ("jobs", "Jobs", "jobs", Permission.VIEW),
    ("failures", "Failures", "failures", Permission.VIEW),
    ("workers", "Workers", "workers", Permission.VIEW),
    ("schedule", "Schedule", "schedule", Permission.VIEW),
    ("insights", "Insights", "insights", Permission.VIEW),
    ("operations", "Operations", "operations", Permission.VIEW),
    ("connections", "Connections", "connections", Permission.ADMIN),
    ("activity", "Activity", "file", Permission.OWN),
    ("people", "People", "user", Permission.OWN),
)
HEALTH = {
    "slow": "slow",
    "denied": "denied",
    "auth": "denied",
    "replica": "switching",
    "read_only": "switching",
    **{word.value: word.value for word in Health if word is not Health.OK},
}
"""What a chip says of a problem's code; everything else is down."""
NO_AILMENT: Mapping[str, str] = {}
CAUTIONS = {
    Health.DEGRADED: "Sentinel is degraded.",
    Health.SWITCHING: "Failover under way.",
    Health.SETTLING: "The master has just changed.",
    Health.NO_MASTER: "No master.",
    Health.BLIND: "No Sentinel answers.",
}


def shared(shell: Shell) -> tuple[object, ...]:
    """What of a shell is inside the part of a page that a poll morphs: the same for all callers of the same rights."""
    rights = (shell.may_operate, shell.is_admin, shell.administered)
    return (shell.chips, shell.is_all_current, shell.flag, shell.cautions, rights, shell.scope_endpoint)


def nav(caller: Caller, current: str) -> tuple[NavItem, ...]:
    """The places a caller may go."""
    return tuple(NavItem(endpoint, label, icon, endpoint == current) for endpoint, label, icon, asks in NAV if caller.has(asks))


def chips(
    profiles: Sequence[tuple[Profile, Problem | None]], *, chosen: Sequence[str], ailments: Mapping[str, str] = NO_AILMENT
) -> tuple[Chip, ...]:
    """A chip a backend, with what its last call found; ailments are a word for each that answers and is not well."""
    return tuple(
        _chip(profile, HEALTH.get(problem.code, "down") if problem else ailments.get(profile.name, ""), is_current=profile.name in chosen)
        for profile, problem in profiles
    )


def flag(profile: Profile) -> Flag:
    """The flag of a page of one backend."""
    note = "Read-only: rqdash changes nothing here" if profile.read_only else ""
    if profile.protected and not profile.read_only:
        note = "Protected: deleting and moving ask for its name"
    mark = Mark(profile.name, profile.hue, profile.environment, profile.protected, profile.read_only, profile.endpoint_version)
    return Flag(mark, note, f"{profile.address}, db {profile.db}")


def cautions(live: Sequence[Backend], profile: Profile | None) -> tuple[Notice, ...]:
    """On pages of one backend, what Sentinel says of it."""
    found = [backend.caution for backend in live if profile is not None and backend.name == profile.name]
    return tuple(caution_notice(caution) for caution in found if caution is not None)


def caution_notice(caution: Problem) -> Notice:
    """What Sentinel says of a page's backend, as the banner over the page; caution is Backend.caution."""
    tone = "failed" if caution.code == Health.NO_MASTER else "warning"
    return Notice(CAUTIONS[Health(caution.code)], f"{caution.message} {caution.hint}", tone)


def _chip(profile: Profile, health: str, *, is_current: bool) -> Chip:
    return Chip(profile.name, profile.hue, profile.environment, profile.protected, profile.read_only, health, is_current)
