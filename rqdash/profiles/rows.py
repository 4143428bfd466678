"""A profile as its row, and the difference of two as text; secrets are never in either."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from rqdash.model.profile import Kind, Node, Profile, Tls
from rqdash.profiles.rebind import PASSWORD, SENTINEL_PASSWORD
from rqdash.profiles.validation import fingerprint
from rqdash.store.tables import ProfileRow

Change = tuple[str, str, str]

BODY = (
    "kind",
    "host",
    "port",
    "unix_path",
    "sentinels",
    "master_name",
    "db",
    "username",
    "sentinel_username",
    "tls",
    "sentinel_tls",
    "connect_timeout_s",
    "read_timeout_s",
    "worker_socket_timeout_s",
    "prefix",
    "hue",
    "environment",
    "protected",
    "read_only",
    "enabled",
    "notes",
)
"""What an editor sets, the name aside; a field that an older row does not have has its default."""
LABELS = frozenset({"worker_socket_timeout_s", "hue", "environment", "enabled", "notes"})
"""Of BODY, what no connection and no right depends on; a change of anything else is a new endpoint version."""


def body(profile: Profile) -> dict[str, object]:
    """The fields an editor sets, as JSON values."""
    whole = asdict(profile)
    return {name: list(whole[name]) if name == "sentinels" else whole[name] for name in BODY}


def profile_of(row: ProfileRow, slots: Collection[str]) -> Profile:
    """The profile a row means; slots are those with a stored secret."""
    return replace(
        of_body(row.name, row.body),
        id=row.id,
        version=row.version,
        endpoint_version=row.endpoint_version,
        has_password=PASSWORD in slots,
        has_sentinel_password=SENTINEL_PASSWORD in slots,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def of_body(name: str, stored: Mapping[str, object]) -> Profile:
    """The profile of a name and JSON values; what a newer rqdash may have added is left out."""
    fields: dict[str, Any] = {key: value for key, value in stored.items() if key in BODY}
    fields["kind"] = Kind(fields.get("kind", Kind.STANDALONE))
    fields["sentinels"] = tuple(Node(**node) for node in fields.get("sentinels", ()))
    for key in ("tls", "sentinel_tls"):
        fields[key] = Tls(**fields.get(key, {}))
    return Profile(name=name, **fields)


def changes(old: Profile, new: Profile) -> tuple[Change, ...]:
    """The fields that differ, as (field, before, after) in words for people; fields inside tls are tls_enabled and so on."""
    before, after = _words(old), _words(new)
    return tuple((name, before[name], after[name]) for name in before if before[name] != after[name])


def is_other_endpoint(old: Profile, new: Profile) -> bool:
    """Whether a page drawn for old must not write to new: another place, other rights or other limits."""
    return any(getattr(old, name) != getattr(new, name) for name in BODY if name not in LABELS)


def _words(profile: Profile) -> dict[str, str]:
    words = {"name": profile.name}
    for name in BODY:
        value = getattr(profile, name)
        if isinstance(value, Tls):
            words |= {f"{name}_{part}": _word(inner) for part, inner in asdict(value).items()}
        else:
            words[name] = _word(value)
    return words


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    if isinstance(value, tuple):
        return ", ".join(str(node) for node in value) or "none"
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return f"certificates {fingerprint(value)}"
    return str(value)
