"""Whether the keys of a profile fit its client certificates, asked before it is saved or tested."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rqdash.errors import Invalid
from rqdash.model.profile import ClientKey, Profile
from rqdash.profiles.certificates import key_problem
from rqdash.profiles.rebind import DATA_KEY_SLOTS, SENTINEL_KEY_SLOTS, used_slots
from rqdash.profiles.secrets import Keep, SecretEdit, SecretEdits, Set, fitted

Stored = Callable[[str], str | None]
"""Gives the stored secret of a slot, None when there is none."""


def refuse_unfit_keys(profile: Profile, edits: SecretEdits, *, stored: Stored, old: Profile | None = None) -> None:
    """Raises Invalid when a certificate has no key, another's, or one that its password does not open.

    With old, the profile that is replaced, nothing is decrypted for a certificate and a key that stay as they are.
    """
    if problems := _problems(profile, edits, stored=stored, old=old):
        raise Invalid(f"The connection cannot be saved: {' '.join(problems.values())}", problems=problems)


def with_keys_only(profile: Profile, edits: SecretEdits, *, stored: Stored, old: Profile) -> Profile:
    """The profile without the certificates that refuse_unfit_keys would refuse it for."""
    for slot in _problems(profile, edits, stored=stored, old=old):
        field = "sentinel_tls" if slot in SENTINEL_KEY_SLOTS else "tls"
        profile = replace(profile, **{field: replace(getattr(profile, field), client_cert_pem="")})
    return profile


def _problems(profile: Profile, edits: SecretEdits, *, stored: Stored, old: Profile | None) -> dict[str, str]:
    asked = fitted(profile, edits).by_slot()
    problems: dict[str, str] = {}
    for before, slots in (("", DATA_KEY_SLOTS), ("sentinel_", SENTINEL_KEY_SLOTS)):
        pem = (profile.sentinel_tls if before else profile.tls).client_cert_pem
        stays = old is not None and _certificate(old, before) == pem and all(isinstance(asked[slot], Keep) for slot in slots)
        if slots[0] not in used_slots(profile) or stays:
            continue
        key, password = (_after(asked, slot, stored) for slot in slots)
        if problem := key_problem(pem, ClientKey(key, password) if key else None):
            problems[f"{before}{problem[0]}"] = problem[1]
    return problems


def _certificate(profile: Profile, before: str) -> str:
    return (profile.sentinel_tls if before else profile.tls).client_cert_pem


def _after(asked: Mapping[str, SecretEdit], slot: str, stored: Stored) -> str | None:
    change = asked[slot]
    if isinstance(change, Set):
        return change.value
    return stored(slot) if isinstance(change, Keep) else None
