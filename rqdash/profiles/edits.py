"""The statements behind the registry: reading and changing profiles inside a transaction of the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from rqdash.errors import Conflict, Invalid, NotFound, Stale
from rqdash.model.profile import Profile
from rqdash.profiles import rows
from rqdash.profiles.rebind import SLOTS
from rqdash.profiles.secrets import Clear, Keep, SecretEdits, Set, Vault, fitted
from rqdash.store.counters import following
from rqdash.store.tables import CounterRow, ProfileRow, RevisionRow, SecretRow

GENERATION = "profiles"
ENDPOINT = "endpoint"
"""Endpoint versions come from one counter for all profiles, so that no two endpoints ever shared one, names notwithstanding."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One edit's who, what and when."""

    verb: str
    by: str
    at: datetime


def unknown(name: str) -> NotFound:
    """The error for a name that no profile has; a name no profile could have is not repeated."""
    shown = f" {name}" if name.isascii() and name.isprintable() and len(name) <= 20 else " of that name"
    return NotFound(f"There is no connection{shown}.")


def generation(session: Session) -> int:
    return session.scalar(select(CounterRow.value).where(CounterRow.name == GENERATION)) or 0


def everything(session: Session) -> tuple[Profile, ...]:
    """Every profile, in the order they were made."""
    slots: dict[str, set[str]] = {}
    for profile_id, slot in session.execute(select(SecretRow.profile_id, SecretRow.slot)):
        slots.setdefault(profile_id, set()).add(slot)
    ordered = session.scalars(select(ProfileRow).order_by(ProfileRow.position, ProfileRow.name))
    return tuple(rows.profile_of(row, slots.get(row.id, ())) for row in ordered)


def names(session: Session) -> set[str]:
    return set(session.scalars(select(ProfileRow.name)))


def stored(session: Session, name: str) -> tuple[Profile, dict[str, str]]:
    """A profile and the encrypted secrets it has, by slot. Raises NotFound."""
    row = session.scalar(select(ProfileRow).where(ProfileRow.name == name))
    if row is None:
        raise unknown(name)
    tokens = tokens_of(session, row)
    return rows.profile_of(row, tokens), tokens


def locked_row(session: Session, name: str) -> ProfileRow:
    """The row of a profile, nobody else's to write until the transaction ends. Raises NotFound."""
    row = session.scalar(select(ProfileRow).where(ProfileRow.name == name).with_for_update())
    if row is None:
        raise unknown(name)
    return row


def own_row(session: Session, name: str) -> ProfileRow:
    """As locked_row, for people's edits. Raises Conflict, too, when the profile comes from a file."""
    row = locked_row(session, name)
    if rows.of_body(row.name, row.body).is_managed:
        message = f"{name} comes from the file {row.updated_by} and is locked here. Change it in that file, then start rqdash again."
        raise Conflict(message, code="managed")
    return row


def body_of(session: Session, row: ProfileRow, *, version: int) -> Profile:
    """The fields a profile had after one of its edits, under its present name. Raises NotFound."""
    found = session.scalar(select(RevisionRow).where(RevisionRow.profile_id == row.id, RevisionRow.version == version))
    if found is None:
        raise NotFound(f"{row.name} has no version {version}.")
    return rows.of_body(row.name, found.body)


def read(session: Session, row: ProfileRow) -> Profile:
    return rows.profile_of(row, tokens_of(session, row))


def refuse_stale(session: Session, row: ProfileRow, *, version: int) -> None:
    """Raises Stale, with what changed since version, when that is not the row's."""
    if row.version == version:
        return
    since = session.scalars(
        select(RevisionRow).where(RevisionRow.profile_id == row.id, RevisionRow.version > version).order_by(RevisionRow.id)
    ).all()
    base = session.scalar(select(RevisionRow).where(RevisionRow.profile_id == row.id, RevisionRow.version == version))
    changes: tuple[rows.Change, ...] = ()
    if base is not None:
        changes = rows.changes(rows.of_body(base.name, base.body), rows.of_body(row.name, row.body)) + _secret_changes(since)
    raise Stale(f"{row.name} was changed by {row.updated_by} meanwhile. Look at what changed, then save again.", changes=changes)


def kept(slots: Iterable[str], edits: SecretEdits) -> tuple[str, ...]:
    """Of some slots, those whose stored secret an edit keeps."""
    asked = edits.by_slot()
    return tuple(slot for slot in slots if isinstance(asked[slot], Keep))


def insert(session: Session, vault: Vault, stroke: Stroke, *, profile: Profile, secrets: SecretEdits) -> Profile:
    """Makes a profile; gives it as stored. Raises Invalid when its name was taken this moment."""
    secrets = fitted(profile, secrets)
    number = following(session, ENDPOINT)
    row = ProfileRow(
        id=str(uuid.uuid4()),
        name=profile.name,
        position=number,
        version=_next_version(session, profile.name),
        endpoint_version=number,
        body=rows.body(profile),
        updated_at=stroke.at,
        updated_by=stroke.by,
    )
    session.add(row)
    _flush(session, profile.name)
    touched = _apply(session, vault, stroke, row=row, secrets=secrets)
    return _written(session, stroke, row=row, changes=touched)


def replace_row(session: Session, vault: Vault, stroke: Stroke, *, row: ProfileRow, profile: Profile, secrets: SecretEdits) -> Profile:
    """Writes a profile over a row; gives it as stored. Nothing is written when nothing differs."""
    old = read(session, row)
    new = replace(profile, id=old.id)
    touched = _apply(session, vault, stroke, row=row, secrets=fitted(new, secrets))
    changes = rows.changes(old, new) + touched
    if not changes:
        return old
    if touched or rows.is_other_endpoint(old, new):
        row.endpoint_version = following(session, ENDPOINT)
    row.version = max(row.version + 1, _next_version(session, new.name))
    row.name, row.body, row.updated_at, row.updated_by = new.name, rows.body(new), stroke.at, stroke.by
    _flush(session, new.name)
    return _written(session, stroke, row=row, changes=changes)


def reconcile(session: Session, vault: Vault, stroke: Stroke, *, wanted: Sequence[Profile]) -> None:
    """Makes, changes and removes profiles until those that come from files are the wanted ones; writes nothing when they are."""
    managed = {row.name: row for row in session.scalars(select(ProfileRow)) if rows.of_body(row.name, row.body).is_managed}
    nothing = SecretEdits(**dict.fromkeys(SLOTS, Clear()))
    for name in managed.keys() - {profile.name for profile in wanted}:
        remove(session, replace(stroke, verb="delete"), row=managed[name])
    session.flush()
    for profile in wanted:
        if row := managed.get(profile.name):
            replace_row(session, vault, stroke, row=row, profile=profile, secrets=nothing)
        else:
            insert(session, vault, stroke, profile=profile, secrets=nothing)


def remove(session: Session, stroke: Stroke, *, row: ProfileRow) -> None:
    row.version += 1
    row.updated_at, row.updated_by = stroke.at, stroke.by
    _written(session, stroke, row=row, changes=())
    session.execute(delete(SecretRow).where(SecretRow.profile_id == row.id))
    session.delete(row)


def tokens_of(session: Session, row: ProfileRow) -> dict[str, str]:
    """The encrypted secrets of a profile, by slot."""
    return {secret.slot: secret.token for secret in session.scalars(select(SecretRow).where(SecretRow.profile_id == row.id))}


def _next_version(session: Session, name: str) -> int:
    """Beyond every version that was ever edited under this name: a form drawn for a deleted profile must not fit its successor."""
    return (session.scalar(select(func.max(RevisionRow.version)).where(RevisionRow.name == name)) or 0) + 1


def _apply(session: Session, vault: Vault, stroke: Stroke, *, row: ProfileRow, secrets: SecretEdits) -> tuple[rows.Change, ...]:
    """Changes the secrets; gives (slot, before, after) of those that changed, in words that tell nothing of them."""
    changes: list[rows.Change] = []
    for slot, asked in secrets.by_slot().items():
        found = session.get(SecretRow, (row.id, slot))
        if isinstance(asked, Set):
            token = vault.encrypt(row.id, slot, asked.value)
            session.merge(SecretRow(profile_id=row.id, slot=slot, token=token, set_at=stroke.at, set_by=stroke.by))
            changes.append((slot, "set" if found else "not set", "set anew" if found else "set"))
        elif isinstance(asked, Clear) and found:
            session.delete(found)
            changes.append((slot, "set", "cleared"))
    session.flush()
    return tuple(changes)


def _written(session: Session, stroke: Stroke, *, row: ProfileRow, changes: tuple[rows.Change, ...]) -> Profile:
    """Completes an edit: its revision, and a new generation that tells every process."""
    session.add(
        RevisionRow(
            profile_id=row.id,
            name=row.name,
            version=row.version,
            verb=stroke.verb,
            changes=[list(change) for change in changes],
            body=row.body,
            at=stroke.at,
            by=stroke.by,
        )
    )
    following(session, GENERATION)
    session.flush()
    return read(session, row)


def _flush(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError:
        # Only PostgreSQL lets two transactions look for the same free name.
        problem = f"There is a connection {name} already. Choose another name."
        raise Invalid(problem, problems={"name": problem}) from None


def _secret_changes(since: Iterable[RevisionRow]) -> tuple[rows.Change, ...]:
    """What became of secrets over several revisions, the first state and the last of each slot."""
    found: dict[str, rows.Change] = {}
    for revision in since:
        for slot, before, after in revision.changes:
            if slot in SLOTS:
                found[slot] = (slot, found[slot][1] if slot in found else before, after)
    return tuple(found.values())
