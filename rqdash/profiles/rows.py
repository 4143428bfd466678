"""A profile as its row, and the difference of two as text; secrets are never in either."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from dataclasses import fields as dataclass_fields
from typing import Any

from rqdash.model.profile import Kind, Node, Profile, Source, Tls
from rqdash.profiles.certificates import fingerprint
from rqdash.profiles.rebind import SLOTS
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
    "arguments",
    "redact",
    "oldest_warn_s",
    "failures_warn_per_hour",
    "clock_skew_warn_s",
    "source",
    "secret_refs",
)
"""What an editor sets, the name aside; a field that an older row does not have has its default."""
TLS_PARTS = frozenset(part.name for part in dataclass_fields(Tls))
WARNS = frozenset({"oldest_warn_s", "failures_warn_per_hour", "clock_skew_warn_s"})
LABELS = WARNS | {"worker_socket_timeout_s", "hue", "environment", "enabled", "notes"}
"""Of BODY, what no connection and no right depends on; a change of anything else is a new endpoint version."""


def body(profile: Profile) -> dict[str, object]:
    """The fields an editor sets, as JSON values."""
    whole = asdict(profile)
    return {name: list(whole[name]) if name in ("sentinels", "redact") else whole[name] for name in BODY}


def profile_of(row: ProfileRow, slots: Collection[str]) -> Profile:
    """The profile a row means; slots are those with a stored secret."""
    found = of_body(row.name, row.body)
    has = {*slots, *dict(found.secret_refs)}
    return replace(
        found,
        id=row.id,
        version=row.version,
        endpoint_version=row.endpoint_version,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
        **{f"has_{slot}": slot in has for slot in SLOTS},  # type: ignore[arg-type]  # a flag of Profile for each
    )


def of_body(name: str, stored: Mapping[str, object]) -> Profile:
    """The profile of a name and JSON values; what a newer rqdash may have added is left out."""
    fields: dict[str, Any] = {key: value for key, value in stored.items() if key in BODY}
    fields["kind"] = Kind(fields.get("kind", Kind.STANDALONE))
    fields["sentinels"] = tuple(Node(**node) for node in fields.get("sentinels", ()))
    fields["source"] = Source(fields.get("source", Source.UI))
    fields["secret_refs"] = tuple((slot, ref) for slot, ref in fields.get("secret_refs", ()))
    if "redact" in fields:
        fields["redact"] = tuple(fields["redact"])
    for key in ("tls", "sentinel_tls"):
        fields[key] = Tls(**{part: value for part, value in fields.get(key, {}).items() if part in TLS_PARTS})
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
        if name == "secret_refs":
            words[name] = _word(", ".join(f"{slot} from {ref}" for slot, ref in profile.secret_refs))
        elif isinstance(value, Tls):
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
