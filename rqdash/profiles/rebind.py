"""The rebind rule: where a stored secret would go may change only if the secret is typed again."""

from __future__ import annotations

from collections.abc import Hashable

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Profile, Tls

PASSWORD = "password"  # noqa: S105  the name of a slot
SENTINEL_PASSWORD = "sentinel_password"  # noqa: S105  the name of a slot
SLOTS = (PASSWORD, SENTINEL_PASSWORD)
AGAIN = {
    PASSWORD: "Where this password goes has changed, so the stored one is not sent there. Type it again, or clear it.",
    SENTINEL_PASSWORD: "Where the Sentinels' password goes has changed, so the stored one is not sent there. Type it again, or clear it.",
}


def requires_secret_again(old: Profile, new: Profile) -> tuple[str, ...]:
    """The slots whose stored secret must not be kept when old becomes new; none when it goes where it went, as safely.

    A test, a copy and an import over a profile ask the same. Weaker TLS counts: whoever stands between would get the password.
    """
    slots = []
    if old.has_password and _destination(old) != _destination(new):
        slots.append(PASSWORD)
    if old.has_sentinel_password and new.kind is Kind.SENTINEL and _sentinel_destination(old) != _sentinel_destination(new):
        slots.append(SENTINEL_PASSWORD)
    return tuple(slots)


def refuse_rebind(slots: tuple[str, ...]) -> None:
    """Raises Invalid when a secret has to be typed again."""
    if slots:
        problems = {slot: AGAIN[slot] for slot in slots}
        raise Invalid(" ".join(problems.values()), problems=problems, code="secret_needed")


def _destination(profile: Profile) -> Hashable:
    """Who gets the password: with Sentinel it is whoever the Sentinels name, so they and their TLS are part of it."""
    reached: Hashable = (profile.host, profile.port)
    if profile.kind is Kind.UNIX:
        reached = profile.unix_path
    elif profile.kind is Kind.SENTINEL:
        reached = (frozenset(profile.sentinels), _safety(profile.sentinel_tls), profile.master_name)
    return profile.kind, reached, profile.username, _safety(profile.tls)


def _sentinel_destination(profile: Profile) -> Hashable:
    return profile.kind, frozenset(profile.sentinels), profile.sentinel_username, _safety(profile.sentinel_tls)


def _safety(tls: Tls) -> Tls | None:
    return tls if tls.enabled else None
