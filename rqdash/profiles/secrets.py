"""Secrets at rest: encrypted, and bound to their profile and slot, so that a token moved to another row does not open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.exc import IntegrityError

from rqdash.errors import Conflict, Invalid, StoreError
from rqdash.model.profile import Profile, Secrets
from rqdash.profiles.certificates import LONGEST_PEM_BYTES
from rqdash.profiles.rebind import DATA_KEY_SLOTS, SENTINEL_KEY_SLOTS, SLOTS, used_slots
from rqdash.store import Store
from rqdash.store.keys import MISSING, SECRETS_KEYS, make_secret_keys, secret_keys, secret_keys_stamp
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
    client_key: SecretEdit = Keep()
    client_key_password: SecretEdit = Keep()
    sentinel_client_key: SecretEdit = Keep()
    sentinel_client_key_password: SecretEdit = Keep()

    def by_slot(self) -> dict[str, SecretEdit]:
        return {slot: getattr(self, slot) for slot in SLOTS}


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys as of one state of their file. locked says why they cannot be used and what to do, "" when they can."""

    fernet: MultiFernet | None = field(default=None, repr=False)
    locked: str = ""
    stamp: tuple[int, int, int] | None = None


class Vault:
    """Encrypts with the first key and opens with any; without keys it is locked, and locked says why and what to do.

    With a store it reads the keys of its data directory, and reads them again when their file has changed.
    """

    def __init__(self, keys: Sequence[bytes] = (), *, store: Store | None = None) -> None:
        self._store = store
        self._ring = _read(store) if store is not None else _ring(keys)

    @property
    def locked(self) -> str:
        return self._current().locked

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
        ring = self._current()
        if ring.fernet is None:
            raise Conflict(f"Stored passwords cannot be used: {ring.locked}", code="locked")
        return ring.fernet

    def _current(self) -> Ring:
        # Asked at every use: a token was read before it is opened here, so the key that made it is in the file by now.
        if self._store is not None and secret_keys_stamp(self._store.data_dir) != self._ring.stamp:
            self._ring = _read(self._store)
        return self._ring


def open_vault(store: Store) -> Vault:
    """The vault of a store's data directory; a store that never had keys gets them, on SQLite.

    Wrong or missing keys give a locked vault, not an error: profiles stay visible. Raises StoreError when PostgreSQL has no keys yet.
    """
    # The canary before the keys: it is written after them, so that whoever sees it finds the keys of a first start going on beside.
    if canary(store) is None:
        keys = secret_keys(store.data_dir)
        if not keys and not store.is_sqlite:
            raise StoreError(MISSING.format(name=SECRETS_KEYS))
        first = Vault(keys or make_secret_keys(store.data_dir))
        if not first.locked:
            _write_canary(store, first)
    return Vault(store=store)


def edits_of(secrets: Secrets) -> SecretEdits:
    """Secrets of a profile that has none yet, as edits; an empty one is none."""
    return SecretEdits(**{slot: Set(value) if (value := getattr(secrets, slot)) else Clear() for slot in SLOTS})


def fitted(profile: Profile, edits: SecretEdits) -> SecretEdits:
    """The edits, clearing what the profile has no use for; a key typed anew comes with a password of its own or with none."""
    used = used_slots(profile)
    changes: dict[str, SecretEdit] = {slot: edit if slot in used else Clear() for slot, edit in edits.by_slot().items()}
    for key, password in (DATA_KEY_SLOTS, SENTINEL_KEY_SLOTS):
        if isinstance(changes[key], Set) and isinstance(changes[password], Keep):
            changes[password] = Clear()
    return SecretEdits(**changes)


def refuse_secrets(edits: SecretEdits) -> None:
    """Raises Invalid when a secret is empty or too long."""
    problems = {}
    for slot, edit in edits.by_slot().items():
        most, what = (LONGEST_PEM_BYTES, "Paste the key") if slot.endswith("_key") else (LONGEST, "Type the password")
        if isinstance(edit, Set) and not 0 < len(edit.value) <= most:
            problems[slot] = f"{what} (at most {most} characters), keep the stored one, or clear it."
    if problems:
        raise Invalid(" ".join(problems.values()), problems=problems)


def _unreadable() -> Conflict:
    message = "The stored password of this connection cannot be read: it was encrypted for another one, or by other keys. Type it again."
    return Conflict(message, code="secret_unreadable")


def _ring(keys: Sequence[bytes], *, stamp: tuple[int, int, int] | None = None) -> Ring:
    try:
        return Ring(MultiFernet([Fernet(key) for key in keys]), stamp=stamp)
    except ValueError:
        return Ring(locked=MALFORMED, stamp=stamp)


def _read(store: Store) -> Ring:
    """The keys of a store as they are now; locked when they are not those of its secrets."""
    # Before the keys: should the file change between the two, the next look reads it again.
    stamp = secret_keys_stamp(store.data_dir)
    token, keys = canary(store), secret_keys(store.data_dir)
    if not keys:
        return Ring(locked=LOST, stamp=stamp)
    found = _ring(keys, stamp=stamp)
    try:
        if found.fernet is not None and token is not None:
            found.fernet.decrypt(token.encode("ascii"))
    except InvalidToken:
        return Ring(locked=WRONG, stamp=stamp)
    return found


def canary(store: Store) -> str | None:
    """The token by which wrong keys are told from right ones, None before the first start."""
    with store.read() as session:
        row = session.get(SettingRow, CANARY)
        return row.value if row else None


def _write_canary(store: Store, vault: Vault) -> None:
    # Another process may be first; whether its keys are ours is what the caller checks.
    with suppress(IntegrityError), store.write() as session:
        session.add(SettingRow(name=CANARY, value=vault.encrypt(CANARY, CANARY, "rqdash")))
