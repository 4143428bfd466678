"""Secrets at rest: encrypted, and bound to their profile and slot, so that a token moved to another row does not open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.exc import IntegrityError

from rqdash.errors import Conflict, Invalid, StoreError
from rqdash.profiles.rebind import PASSWORD, SENTINEL_PASSWORD
from rqdash.store import Store
from rqdash.store.keys import MISSING, SECRETS_KEYS, make_secret_keys, secret_keys
from rqdash.store.tables import SettingRow

CANARY = "secrets canary"
LONGEST = 4096
LOST = "secrets.keys is missing from the data directory, and stored passwords cannot be read without it. Put it back from your backup."
WRONG = "secrets.keys holds other keys than the stored passwords were encrypted with. Put the right file back from your backup."
MALFORMED = "secrets.keys holds a line that is no key. Put the right file back from your backup."


@dataclass(frozen=True, slots=True)
class Keep:
    """The stored secret stays as it is."""


@dataclass(frozen=True, slots=True)
class Set:
    """The secret becomes this value."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Clear:
    """There is no secret any more."""


SecretEdit = Keep | Set | Clear


@dataclass(frozen=True, slots=True)
class SecretEdits:
    """What becomes of each secret of a profile."""

    password: SecretEdit = Keep()
    sentinel_password: SecretEdit = Keep()

    def by_slot(self) -> dict[str, SecretEdit]:
        return {PASSWORD: self.password, SENTINEL_PASSWORD: self.sentinel_password}


class Vault:
    """Encrypts with the first key and opens with any; without keys it is locked, and locked says why and what to do."""

    def __init__(self, keys: Sequence[bytes], *, locked: str = "") -> None:
        self.locked = locked
        self._fernet = None
        if not locked:
            try:
                self._fernet = MultiFernet([Fernet(key) for key in keys])
            except ValueError:
                self.locked = MALFORMED

    def encrypt(self, profile_id: str, slot: str, value: str) -> str:
        """A token for one slot of one profile. Raises Conflict when locked."""
        payload = json.dumps({"p": profile_id, "s": slot, "v": value})
        return self._unlocked().encrypt(payload.encode("ascii")).decode("ascii")

    def decrypt(self, profile_id: str, slot: str, token: str) -> str:
        """What encrypt was given. Raises Conflict when locked, or when the token was made for something else or by other keys."""
        fernet = self._unlocked()
        try:
            payload = json.loads(fernet.decrypt(token.encode("ascii")))
        except (InvalidToken, ValueError):
            raise _unreadable() from None
        if payload["p"] != profile_id or payload["s"] != slot:
            raise _unreadable()
        return str(payload["v"])

    def _unlocked(self) -> MultiFernet:
        if self._fernet is None:
            raise Conflict(f"Stored passwords cannot be used: {self.locked}", code="locked")
        return self._fernet


def open_vault(store: Store) -> Vault:
    """The vault of a store's data directory; a store that never had keys gets them, on SQLite.

    Wrong or missing keys give a locked vault, not an error: profiles stay visible. Raises StoreError when PostgreSQL has no keys yet.
    """
    # The canary before the keys: it is written after them, so that whoever sees it finds the keys of a first start going on beside.
    canary = _canary(store)
    keys = secret_keys(store.data_dir)
    if not keys and canary is not None:
        return Vault((), locked=LOST)
    if not keys and not store.is_sqlite:
        raise StoreError(MISSING.format(name=SECRETS_KEYS))
    vault = Vault(keys or make_secret_keys(store.data_dir))
    if vault.locked:
        return vault
    if canary is None:
        canary = _write_canary(store, vault)
    try:
        vault.decrypt(CANARY, CANARY, canary)
    except Conflict:
        return Vault((), locked=WRONG)
    return vault


def refuse_secrets(edits: SecretEdits) -> None:
    """Raises Invalid when a secret is empty or too long."""
    problems = {
        slot: f"Type the password (at most {LONGEST} characters), keep the stored one, or clear it."
        for slot, edit in edits.by_slot().items()
        if isinstance(edit, Set) and not 0 < len(edit.value) <= LONGEST
    }
    if problems:
        raise Invalid(" ".join(problems.values()), problems=problems)


def _unreadable() -> Conflict:
    message = "The stored password of this connection cannot be read: it was encrypted for another one, or by other keys. Type it again."
    return Conflict(message, code="secret_unreadable")


def _canary(store: Store) -> str | None:
    with store.read() as session:
        row = session.get(SettingRow, CANARY)
        return row.value if row else None


def _write_canary(store: Store, vault: Vault) -> str:
    token = vault.encrypt(CANARY, CANARY, "rqdash")
    try:
        with store.write() as session:
            session.add(SettingRow(name=CANARY, value=token))
    except IntegrityError:
        # Another process was first; whether its keys are ours is what the caller checks.
        return _canary(store) or token
    return token
