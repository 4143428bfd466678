"""New keys for stored secrets: made, taken into use row by row, and dropped when nothing needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from rqdash.errors import Conflict
from rqdash.profiles.secrets import CANARY, open_vault
from rqdash.store import Store
from rqdash.store.keys import replace_secret_keys, secret_keys
from rqdash.store.tables import PendingImportRow, ProfileRow, SecretRow, SettingRow

BATCH = 100


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A secret that no key opens at its place: it was made by another key, or for another profile or slot."""

    profile: str
    slot: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of the secrets: encrypted anew, already on the first key, and beyond help. is_resumed: no key was made."""

    changed: int = 0
    kept: int = 0
    unreadable: tuple[Unreadable, ...] = ()
    is_resumed: bool = False


@dataclass(slots=True)
class _Count:
    changed: int = 0
    kept: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


def rotate(store: Store, *, new_key_only: bool = False) -> Rotation:
    """Makes a key, puts it before the others and encrypts every secret with it; goes on with the last one made while some are not.

    Running processes read the file again. It may be interrupted at any moment: every state of it can be read, and the next call goes
    on. new_key_only makes the key alone, to be copied to other hosts first. Raises Conflict when the keys are not those of the secrets.
    """
    with store.locked():
        keys = _unlocked(store)
        is_resumed = not _is_whole(store, Fernet(keys[0]))
        if not is_resumed:
            keys = (Fernet.generate_key(), *keys)
            replace_secret_keys(store.data_dir, keys)
        if new_key_only:
            return Rotation(is_resumed=is_resumed)
        count = _encrypted_anew(store, keys)
    return Rotation(count.changed, count.kept, tuple(count.unreadable), is_resumed)


def prune(store: Store) -> tuple[int, int]:
    """Drops the keys that no secret needs, never the first; gives how many were dropped and how many are left. Raises Conflict."""
    # Inside the writing transaction no secret is written. One whose key was read before goes on with the first key, which stays.
    with store.locked(), store.write() as session:
        keys = _unlocked(store)
        rings = [Fernet(key) for key in keys]
        needed = {0} | {place for token in (*_tokens(session), *_pending(session)) if (place := _place(rings, token)) is not None}
        left = [key for place, key in enumerate(keys) if place in needed]
        if len(left) < len(keys):
            replace_secret_keys(store.data_dir, left)
    return len(keys) - len(left), len(left)


def check(store: Store) -> tuple[int, tuple[Unreadable, ...]]:
    """How many secrets can be read, and which cannot. Raises Conflict when the keys are not those of the secrets."""
    _unlocked(store)
    vault, readable, unreadable = open_vault(store), 0, []
    with store.read() as session:
        for name, row in _named(session):
            try:
                vault.decrypt(row.profile_id, row.slot, row.token)
                readable += 1
            except Conflict:
                unreadable.append(Unreadable(name, row.slot))
    return readable, tuple(unreadable)


def _unlocked(store: Store) -> tuple[bytes, ...]:
    vault = open_vault(store)
    if vault.locked:
        raise Conflict(vault.locked, code="locked")
    return secret_keys(store.data_dir)


def _is_whole(store: Store, first: Fernet) -> bool:
    """Whether every secret that can be read is on the first key; what cannot is no unfinished rotation."""
    rest = [Fernet(key) for key in secret_keys(store.data_dir)[1:]]
    with store.read() as session:
        return not any(_place([first], token) is None and _place(rest, token) is not None for token in _tokens(session))


def _encrypted_anew(store: Store, keys: Sequence[bytes]) -> _Count:
    """Batch by batch, each a transaction of its own; the canary last, so that it is on the new key only when all is done."""
    count = _Count()
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        with store.write() as session:
            after = _batch(session, keys, after=after, count=count)
    with store.write() as session:
        row = session.get_one(SettingRow, CANARY)
        row.value = MultiFernet([Fernet(key) for key in keys]).rotate(row.value).decode("ascii")
    return count


def _batch(session: Session, keys: Sequence[bytes], *, after: tuple[str, str], count: _Count) -> tuple[str, str] | None:
    """The place of the last row looked at, None when there are no more."""
    first, ring = [Fernet(keys[0])], MultiFernet([Fernet(key) for key in keys])
    found = list(_named(session, after=after, limit=BATCH))
    for name, row in found:
        if _place(first, row.token) is not None:
            count.kept += 1
            continue
        try:
            row.token = ring.rotate(row.token).decode("ascii")
            count.changed += 1
        except InvalidToken:
            count.unreadable.append(Unreadable(name, row.slot))
    return (found[-1][1].profile_id, found[-1][1].slot) if len(found) == BATCH else None


def _named(session: Session, *, after: tuple[str, str] = ("", ""), limit: int | None = None) -> Iterable[tuple[str, SecretRow]]:
    """Secrets with the names of their profiles, in the order of their places; locked where a transaction writes."""
    place = tuple_(SecretRow.profile_id, SecretRow.slot)
    wanted = select(ProfileRow.name, SecretRow).join(ProfileRow, ProfileRow.id == SecretRow.profile_id).where(place > after)
    wanted = wanted.order_by(SecretRow.profile_id, SecretRow.slot).limit(limit)
    return ((name, row) for name, row in session.execute(wanted if limit is None else wanted.with_for_update(of=SecretRow)))


def _tokens(session: Session) -> Iterable[str]:
    yield from session.scalars(select(SettingRow.value).where(SettingRow.name == CANARY))
    yield from session.scalars(select(SecretRow.token))


def _pending(session: Session) -> Iterable[str]:
    """What imports wait to be saved with: not worth encrypting anew, for it is gone in minutes, but its key stays until then."""
    return session.scalars(select(PendingImportRow.token))


def _place(rings: Sequence[Fernet], token: str) -> int | None:
    """Which of some keys opens a token."""
    for place, ring in enumerate(rings):
        try:
            ring.decrypt(token)
        except InvalidToken:
            continue
        return place
    return None
