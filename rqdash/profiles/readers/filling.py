"""Filling in what a file leaves open, so that a candidate can be saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rqdash.errors import Invalid
from rqdash.model.profile import Secrets, Tls
from rqdash.profiles.readers import tls_fields as tls
from rqdash.profiles.readers.draft import Draft, Handler, Side, entry_of, secret, text
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.keys import DB, PORT, socket_path, timeout
from rqdash.profiles.readers.nodes import nodes
from rqdash.profiles.readers.notes import Notes
from rqdash.profiles.readers.plain import with_presence
from rqdash.profiles.readers.tree import At, Leaf, filled
from rqdash.profiles.readers.url_field import url
from rqdash.profiles.readers.values import Candidate, Hole, Severity
from rqdash.profiles.rebind import SLOTS

HANDLERS: dict[str, Handler] = {
    "url": url,
    "port": PORT,
    "db": DB,
    "sentinels": nodes,
    "unix_path": socket_path,
    "worker_socket_timeout_s": timeout,
    **{name: text(name) for name in ("host", "master_name", "username", "sentinel_username")},
    **{slot: secret(slot) for slot in SLOTS},
    **{side: tls.enabled(side) for side in ("tls", "sentinel_tls")},
    **{tls.side_field(side, "ca_pem"): tls.authority(side) for side in ("tls", "sentinel_tls")},
    **{tls.side_field(side, "client_cert_pem"): tls.client_certificate(side) for side in ("tls", "sentinel_tls")},
}


def fill(candidate: Candidate, values: Mapping[str, str]) -> Candidate:
    """The candidate with values for some of its needs, by their names; an empty one leaves a need as it is.

    Raises Invalid, by the names of the needs, when a value cannot be what it is needed for.
    """
    given = {need.name: values[need.name] for need in candidate.needs if values.get(need.name, "").strip()}
    problems: dict[str, str] = {}
    for target, typed in _texts(candidate, given).items():
        try:
            candidate = _placed(candidate, target, value=typed)
        except Invalid as invalid:
            names = [need.name for need in candidate.needs if target in need.fields and need.name in given]
            problems |= dict.fromkeys(names, invalid.message)
    if problems:
        raise Invalid(" ".join(problems.values()), problems=problems)
    return replace(candidate, needs=tuple(need for need in candidate.needs if need.name not in given))


def _texts(candidate: Candidate, given: Mapping[str, str]) -> dict[str, str]:
    """What each field becomes: templates with their holes filled, and plain fields. The URL comes first, for it sets the others."""

    secret_names = {need.name for need in candidate.needs if need.is_secret}

    def value_of(hole: Hole) -> str | None:
        return given.get(hole.name, hole.default)

    def value_in_url(hole: Hole) -> str | None:
        # A secret has a slot of its own, where it needs no escapes: the rest of the URL is read without it.
        return "" if hole.name in secret_names else value_of(hole)

    found: dict[str, str] = {}
    templates = sorted(candidate.templates, key=lambda template: template.target != "url")
    for template in templates:
        names = {piece.name for piece in template.pieces if isinstance(piece, Hole)}
        whole = filled(template.pieces, value_in_url if template.target == "url" else value_of)
        if whole is not None and names & given.keys():
            found[template.target] = whole
    covered = {name for template in templates for name in (piece.name for piece in template.pieces if isinstance(piece, Hole))}
    return found | {need.fields[0]: given[need.name] for need in candidate.needs if need.name in given and need.name not in covered}


def _placed(candidate: Candidate, target: str, *, value: str) -> Candidate:
    """Reads one text as the file would have been read with it, and takes over what it sets."""
    draft = Draft(Notes(), "", At())
    handler = HANDLERS.get(target)
    if handler is not None:
        handler(draft, entry_of(target, Leaf(value)))
    errors = [finding.message for finding in draft.notes.findings if finding.severity is Severity.ERROR]
    if handler is None or errors or draft.is_refused:
        raise Invalid(errors[0] if errors else "This cannot be filled in here. Save the connection, then edit it.")
    profile, secrets = candidate.profile, Secrets(**draft.secrets)
    if target == "url":
        read = finished(draft, is_rq=False)
        profile = replace(read.profile, name=profile.name) if read else profile
    else:
        values: dict[str, Any] = {name: found for name, found in draft.values.items() if name != "name"}
        profile = replace(profile, **values)
        profile = replace(
            profile, tls=_secured(profile.tls, draft.sides["tls"]), sentinel_tls=_secured(profile.sentinel_tls, draft.sides["sentinel_tls"])
        )
    secrets = _joined(candidate.secrets, secrets)
    return replace(candidate, profile=with_presence(profile, secrets), secrets=secrets)


def _secured(now: Tls, side: Side) -> Tls:
    enabled = now.enabled if side.enabled is None else side.enabled
    return replace(now, enabled=enabled, ca_pem=side.ca_pem or now.ca_pem, client_cert_pem=side.client_cert_pem or now.client_cert_pem)


def _joined(secrets: Secrets, more: Secrets) -> Secrets:
    changes: dict[str, Any] = {slot: value for slot in SLOTS if (value := getattr(more, slot))}
    return replace(secrets, **changes)
