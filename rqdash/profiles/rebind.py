"""The rebind rule: where a stored secret would go may change only if the secret is typed again."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from rqdash.errors import Invalid
from rqdash.model.profile import Kind, Profile, Tls

PASSWORD = "password"  # noqa: S105  the name of a slot
SENTINEL_PASSWORD = "sentinel_password"  # noqa: S105  the name of a slot
DATA_KEY_SLOTS = ("client_key", "client_key_password")
SENTINEL_KEY_SLOTS = ("sentinel_client_key", "sentinel_client_key_password")
SLOTS = (PASSWORD, SENTINEL_PASSWORD, *DATA_KEY_SLOTS, *SENTINEL_KEY_SLOTS)
DATA_SLOTS = frozenset({PASSWORD, *DATA_KEY_SLOTS})
SENTINEL_SLOTS = frozenset({SENTINEL_PASSWORD, *SENTINEL_KEY_SLOTS})
NAMES = {
    PASSWORD: "this password",
    SENTINEL_PASSWORD: "the Sentinels' password",
    "client_key": "this key",
    "client_key_password": "the key's password",
    "sentinel_client_key": "the key for the Sentinels",
    "sentinel_client_key_password": "the password of the key for the Sentinels",
}
AGAIN = {
    slot: f"Where {name} goes has changed, so the stored one is not sent there. Type it again, or clear it." for slot, name in NAMES.items()
}


def requires_secret_again(old: Profile, new: Profile) -> tuple[str, ...]:
    """The slots whose stored secret must not be kept when old becomes new; none when it goes where it went, as safely.

    A test, a copy and an import over a profile ask the same. Weaker TLS counts: whoever stands between would get the password. Keys
    count too: they are not sent, but they would sign us in at another server. What new has no use for is not asked for.
    """
    moved: frozenset[str] = frozenset()
    if _destination(old) != _destination(new):
        moved |= DATA_SLOTS
    if _sentinel_destination(old) != _sentinel_destination(new):
        moved |= SENTINEL_SLOTS
    used = used_slots(new)
    return tuple(slot for slot in stored_slots(old) if slot in moved and slot in used)


def refuse_rebind(slots: tuple[str, ...]) -> None:
    """Raises Invalid when a secret has to be typed again."""
    if slots:
        problems = {slot: AGAIN[slot] for slot in slots}
        raise Invalid(" ".join(problems.values()), problems=problems, code="secret_needed")


def stored_slots(profile: Profile) -> tuple[str, ...]:
    """The slots in which a profile has a secret."""
    return tuple(slot for slot in SLOTS if getattr(profile, f"has_{slot}"))


def used_slots(profile: Profile) -> frozenset[str]:
    """The slots a profile of this kind and TLS has a use for; a secret in another would only be one more to lose."""
    used = {PASSWORD}
    if profile.tls.enabled and profile.tls.client_cert_pem:
        used |= {*DATA_KEY_SLOTS}
    if profile.kind is Kind.SENTINEL:
        used.add(SENTINEL_PASSWORD)
        if profile.sentinel_tls.enabled and profile.sentinel_tls.client_cert_pem:
            used |= {*SENTINEL_KEY_SLOTS}
    return frozenset(used)


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
    """What decides who can be at the other end; our own certificate does not."""
    return replace(tls, client_cert_pem="") if tls.enabled else None
