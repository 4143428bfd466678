"""What a file offers, as the import page shows it: each profile with what it is beside those there are, and what is still needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rqdash.model.profile import HUES, Profile
from rqdash.profiles.importing import Planned, State
from rqdash.profiles.listing import Line
from rqdash.profiles.readers.values import Candidate, FileReading, Finding, Need, Severity
from rqdash.profiles.rebind import SLOTS
from rqdash.profiles.validation import LONGEST_NAME
from rqdash.web.marks import Mark, mark

ADD, UPDATE = "add", "update"
CERTIFICATES = frozenset({"ca_pem", "sentinel_ca_pem", "client_cert_pem", "sentinel_client_cert_pem"})


@dataclass(frozen=True, slots=True)
class NeedField:
    """A value to fill in. key is the form's field; hint says what it becomes, is_required that nothing is saved without it."""

    key: str
    name: str
    hint: str
    is_secret: bool
    is_required: bool
    is_long: bool = False
    text: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """One profile on offer; key tells it from the others of its import. over is the profile it would replace, changes what in it.

    secrets names the slots that the file fills; the values are kept on the server, encrypted. is_complete: there is an address.
    """

    key: str
    label: str
    line: int
    state: State
    profile: Profile
    name: str
    secrets: tuple[str, ...]
    needs: tuple[NeedField, ...] = ()
    over: Mark | None = None
    over_version: int = 0
    can_update: bool = False
    changes: tuple[tuple[str, str, str], ...] = ()
    is_complete: bool = True
    is_picked: bool = False
    mode: str = ADD
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FileRead:
    """One file: what it is, what it offers, what was found in it, and the lines that findings are about, each with its finding's."""

    key: str
    name: str
    format: str
    offers: tuple[Offer, ...]
    findings: tuple[Finding, ...]
    lines: tuple[Line, ...] = ()

    @property
    def errors(self) -> int:
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        return sum(finding.severity is Severity.WARNING for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Pick:
    """What an operator chose for one offer; values are the needs by their names, version that of the profile to update."""

    name: str
    mode: str = ADD
    version: int = 0
    environment: str = ""
    is_protected: bool = False
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


def offer(key: str, planned: Planned, *, hue: str, name: str) -> Offer:
    """An offer as first shown: what is new and complete is picked, what exists is not. name is free for it to be added under."""
    candidate, over = planned.candidate, planned.over
    is_new = planned.state is State.NEW
    return Offer(
        key=key,
        label=candidate.label,
        line=candidate.line,
        state=planned.state,
        profile=coloured(candidate, hue).profile,
        name=name,
        secrets=tuple(slot for slot in SLOTS if getattr(candidate.secrets, slot)),
        needs=tuple(_need(key, position, need, candidate) for position, need in enumerate(candidate.needs)),
        over=mark(over) if over else None,
        over_version=over.version if over else 0,
        can_update=over is not None and not over.is_managed,
        changes=planned.changes,
        is_complete=candidate.is_complete,
        is_picked=is_new,
        mode=UPDATE if over is not None and not over.is_managed else ADD,
    )


def repeated(shown: Offer, pick: Pick | None, *, problem: str, problems: Mapping[str, str]) -> Offer:
    """An offer shown again with what was typed, secrets aside, and what is wrong; pick is None when it was not picked."""
    if pick is None:
        return replace(shown, is_picked=False)
    needs = tuple(
        replace(need, text="" if need.is_secret else pick.values.get(need.name, ""), problem=problems.get(need.name, ""))
        for need in shown.needs
    )
    profile = replace(shown.profile, environment=pick.environment, protected=pick.is_protected)
    return replace(shown, is_picked=True, name=pick.name, mode=pick.mode, needs=needs, profile=profile, problem=problem)


def coloured(candidate: Candidate, hue: str) -> Candidate:
    """The candidate in a colour that no other profile has, unless its file chose one."""
    return candidate if "hue" in candidate.decided else replace(candidate, profile=replace(candidate.profile, hue=hue))


def free_hues(stored: Sequence[Profile]) -> tuple[str, ...]:
    """The colours in the order to take them: those that no profile has come first."""
    taken = {profile.hue for profile in stored}
    return tuple(sorted(HUES, key=lambda hue: hue in taken))


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or with a number at its end the first that nobody has."""
    free, number = name, 2
    while free in taken:
        ending = f"-{number}"
        free, number = f"{name[: LONGEST_NAME - len(ending)].rstrip('-')}{ending}", number + 1
    return free


def file_read(key: str, reading: FileReading, *, offers: tuple[Offer, ...], lines: tuple[Line, ...] = ()) -> FileRead:
    return FileRead(key, reading.name, reading.format, offers, reading.findings, lines)


def need_key(key: str, position: int) -> str:
    return f"need-{key}-{position}"


def _need(key: str, position: int, need: Need, candidate: Candidate) -> NeedField:
    becomes = " and ".join(name.replace("_", " ") for name in need.fields)
    default = " The file has a value for when this is empty." if need.default is not None else ""
    where = f"Becomes the {becomes}." if need.name not in need.fields else ""
    return NeedField(
        need_key(key, position),
        need.name,
        f"{where}{default}".strip(),
        # A URL may hold a password.
        need.is_secret or "url" in need.fields or bool(set(need.fields) & {*SLOTS}),
        need.name in candidate.missing,
        bool(set(need.fields) & CERTIFICATES),
    )
