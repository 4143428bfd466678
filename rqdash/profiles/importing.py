"""What would become of candidates beside the profiles there are, and saving those that somebody picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rqdash.errors import Invalid
from rqdash.model.profile import Profile, Secrets, Tls
from rqdash.profiles.readers.read import same_connection
from rqdash.profiles.readers.values import Candidate
from rqdash.profiles.rebind import SLOTS
from rqdash.profiles.registry import Profiles
from rqdash.profiles.rows import Change, changes
from rqdash.profiles.secrets import Keep, SecretEdit, SecretEdits, Set


class State(StrEnum):
    """new: no profile is like it · same: a profile says all of it already · conflicting: one differs · needs: a value is missing."""

    NEW = "new"
    SAME = "same"
    CONFLICTING = "conflicting"
    NEEDS = "needs"


@dataclass(frozen=True, slots=True)
class Planned:
    """A candidate beside what is stored. over is the profile it is compared with, None when there is none; changes are field by field."""

    candidate: Candidate
    state: State
    over: Profile | None = None
    changes: tuple[Change, ...] = ()


SecretsOf = Callable[[Profile], Secrets]


def no_secrets(_: Profile) -> Secrets:
    """For whoever may not open the stored secrets: one that is there counts as the one in the file."""
    return Secrets()


def plan(candidate: Candidate, stored: Sequence[Profile], *, secrets_of: SecretsOf = no_secrets) -> Planned:
    """What a candidate is beside the stored profiles: that of its name goes before that of its connection."""
    profile = candidate.profile
    over = next((found for found in stored if found.name == profile.name), None)
    over = over or next((found for found in stored if same_connection(found, profile)), None)
    if over is None:
        return Planned(candidate, State.NEEDS if candidate.missing else State.NEW)
    if candidate.missing:
        return Planned(candidate, State.NEEDS, over)
    differing = (*changes(over, replace(_over(over, candidate), enabled=over.enabled)), *_secret_changes(over, candidate, secrets_of))
    return Planned(candidate, State.CONFLICTING if differing else State.SAME, over, differing)


def save(profiles: Profiles, planned: Planned, *, by: str, over: bool = False) -> Profile:
    """Saves a candidate, disabled; gives it as stored. With over it replaces the profile it was planned over, whose secrets it may keep.

    Raises Invalid when a value is missing or cannot be, or when a stored secret would go elsewhere; Conflict and Stale as Profiles does.
    """
    candidate = planned.candidate
    if candidate.missing:
        problem = f"{candidate.profile.name} needs values that are not in the file: {', '.join(candidate.missing)}. Fill them in."
        raise Invalid(problem, problems=dict.fromkeys(candidate.missing, "Fill this in."), code="needs_values")
    if not over or planned.over is None:
        return profiles.create(replace(candidate.profile, enabled=False), secrets=candidate.secrets, by=by)
    new = _over(planned.over, candidate)
    return profiles.update(planned.over.name, new, edits=_edits(candidate.secrets), version=planned.over.version, by=by)


def _over(old: Profile, candidate: Candidate) -> Profile:
    """The stored profile with what the file has a say in. A certificate that the file only names stays as it is stored."""
    decided = {name: getattr(candidate.profile, name) for name in candidate.decided}
    new = replace(old, **decided, enabled=False)
    needed = {name for need in candidate.needs for name in need.fields}
    return replace(
        new,
        tls=_kept(old.tls, new.tls, needed=needed, before=""),
        sentinel_tls=_kept(old.sentinel_tls, new.sentinel_tls, needed=needed, before="sentinel_"),
    )


def _kept(old: Tls, new: Tls, *, needed: set[str], before: str) -> Tls:
    kept = {name: getattr(old, name) for name in ("ca_pem", "client_cert_pem") if f"{before}{name}" in needed}
    return replace(new, **kept)


def _edits(secrets: Secrets) -> SecretEdits:
    """What the file holds is set; what it does not is kept, if the rebind rule lets it."""
    edits: dict[str, SecretEdit] = {slot: Set(value) if (value := getattr(secrets, slot)) else Keep() for slot in SLOTS}
    return SecretEdits(**edits)


def _secret_changes(old: Profile, candidate: Candidate, secrets_of: SecretsOf) -> tuple[Change, ...]:
    given = {slot: value for slot in SLOTS if (value := getattr(candidate.secrets, slot))}
    stored = secrets_of(old) if any(getattr(old, f"has_{slot}") for slot in given) else Secrets()
    found: list[Change] = []
    for slot, value in given.items():
        if not getattr(old, f"has_{slot}"):
            found.append((slot, "not set", "set"))
        elif getattr(stored, slot) not in (None, value):
            found.append((slot, "set", "set anew"))
    return tuple(found)
