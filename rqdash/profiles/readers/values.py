"""What a file was read as: profiles to offer, what is still needed for them, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rqdash.model.profile import Kind, Profile, Secrets


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Outcome(StrEnum):
    """accept: everything is offered · partial: something is offered and something refused · refuse: nothing is offered."""

    ACCEPT = "accept"
    PARTIAL = "partial"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know, with what to do about it; line and column from 1. Holds no value of the file, for that may be a secret."""

    line: int
    column: int
    severity: Severity
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of a text that the file leaves to the environment."""

    name: str
    default: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Template:
    """A text with holes, and the field it becomes: one of Profile, a secret's slot, ca_pem, sentinel_ca_pem, or url for all at once."""

    target: str
    pieces: tuple[str | Hole, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Need:
    """A value the file does not hold. name is the variable it comes from, or else the field; fields are those it becomes part of."""

    name: str
    fields: tuple[str, ...]
    default: str | None = field(default=None, repr=False)
    is_secret: bool = False
    line: int = 1
    column: int = 1

    @property
    def shown_default(self) -> str:
        """The default as a page may show it: never a secret, nor a URL, which may hold one."""
        return "" if self.is_secret or "url" in self.fields else self.default or ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile on offer. label is what the file calls it; decided are the profile's fields the file has a say in.

    Needs with a default have it in the profile already; a field without a value is empty there, a number has its default.
    """

    profile: Profile
    secrets: Secrets = field(default_factory=Secrets)
    needs: tuple[Need, ...] = ()
    line: int = 1
    label: str = ""
    templates: tuple[Template, ...] = ()
    decided: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The needs without which it cannot be saved: a secret or a certificate can be given later, in the editor."""
        later = {f"{before}{pem}" for before in ("", "sentinel_") for pem in ("ca_pem", "client_cert_pem")}
        return tuple(need.name for need in self.needs if need.default is None and not need.is_secret and not set(need.fields) <= later)

    @property
    def is_complete(self) -> bool:
        """Whether there is an address to connect to."""
        profile = self.profile
        if profile.kind is Kind.SENTINEL:
            return bool(profile.sentinels and profile.master_name)
        return bool(profile.unix_path if profile.kind is Kind.UNIX else profile.host)


@dataclass(frozen=True, slots=True)
class FileReading:
    """One file: what it is, and what came of it. Findings are in the order of the file."""

    name: str
    format: str
    outcome: Outcome
    candidates: tuple[Candidate, ...] = ()
    findings: tuple[Finding, ...] = ()


def outcome_of(candidates: tuple[Candidate, ...], findings: tuple[Finding, ...]) -> Outcome:
    """accept without an error, partial with one, refuse without a candidate."""
    if not candidates:
        return Outcome.REFUSE
    return Outcome.PARTIAL if any(finding.severity is Severity.ERROR for finding in findings) else Outcome.ACCEPT
