"""Profiles and what was read as values of JSON, and back: what a child process answers, and what an export holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from rqdash.model.profile import Kind, Node, Profile, Secrets, Tls
from rqdash.profiles.readers.values import Candidate, Finding, Hole, Need, Severity, Template
from rqdash.profiles.rebind import SLOTS

KEPT = ("id", "version", "endpoint_version", "updated_at", "updated_by", "source", "secret_refs")
STATE = frozenset({*KEPT, *(f"has_{slot}" for slot in SLOTS)})
"""What a profile only has once it is stored."""
BODY = tuple(found.name for found in fields(Profile) if found.name not in STATE)


def plain_profile(profile: Profile) -> dict[str, Any]:
    """The fields an editor sets, the name among them."""
    whole = asdict(profile)
    return {name: list(whole[name]) if isinstance(whole[name], tuple) else whole[name] for name in BODY}


def profile_of(plain: Mapping[str, Any]) -> Profile:
    """What plain_profile was given. The types are the caller's to check."""
    known = {name: value for name, value in plain.items() if name in BODY}
    known["kind"] = Kind(known.get("kind", Kind.STANDALONE))
    known["sentinels"] = tuple(Node(**node) for node in known.get("sentinels", ()))
    for name in ("tls", "sentinel_tls"):
        known[name] = Tls(**known.get(name, {}))
    if "redact" in known:
        known["redact"] = tuple(known["redact"])
    return Profile(**known)


def plain_candidate(candidate: Candidate) -> dict[str, Any]:
    """Everything of a candidate, its secrets among it: for a pipe or an encrypted store, never for a log."""
    return {
        "profile": plain_profile(candidate.profile),
        "secrets": asdict(candidate.secrets),
        "needs": [asdict(need) for need in candidate.needs],
        "line": candidate.line,
        "label": candidate.label,
        "templates": [{"target": found.target, "pieces": [_piece(piece) for piece in found.pieces]} for found in candidate.templates],
        "decided": list(candidate.decided),
    }


def candidate_of(plain: Mapping[str, Any]) -> Candidate:
    """What plain_candidate was given."""
    secrets = Secrets(**plain["secrets"])
    profile = profile_of(plain["profile"])
    return Candidate(
        with_presence(profile, secrets),
        secrets,
        tuple(Need(**{**need, "fields": tuple(need["fields"])}) for need in plain["needs"]),
        plain["line"],
        plain["label"],
        tuple(Template(found["target"], tuple(_of_piece(piece) for piece in found["pieces"])) for found in plain["templates"]),
        tuple(plain["decided"]),
    )


def plain_finding(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "severity": finding.severity.value}


def finding_of(plain: Mapping[str, Any]) -> Finding:
    return Finding(**{**plain, "severity": Severity(plain["severity"])})


def with_presence(profile: Profile, secrets: Secrets) -> Profile:
    """The profile saying which of the secrets there are."""
    present: dict[str, Any] = {f"has_{slot}": bool(getattr(secrets, slot)) for slot in SLOTS}
    return replace(profile, **present)


def _piece(piece: str | Hole) -> Any:
    return piece if isinstance(piece, str) else {"name": piece.name, "default": piece.default}


def _of_piece(plain: Any) -> str | Hole:
    return plain if isinstance(plain, str) else Hole(plain["name"], plain["default"])
