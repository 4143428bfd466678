"""What was read from a file and not saved yet: encrypted, for its reader only, and for 15 minutes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete

from rqdash.errors import Conflict, NotFound
from rqdash.profiles.readers.plain import candidate_of, finding_of, plain_candidate, plain_finding
from rqdash.profiles.readers.values import FileReading, Outcome
from rqdash.profiles.secrets import Vault
from rqdash.store import Store
from rqdash.store.clock import Clock, utc_now
from rqdash.store.tables import PendingImportRow

KEPT_FOR = timedelta(minutes=15)
SLOT = "import"
GONE = "What was read from the file is kept for 15 minutes, and they are over. Import the file again."


class PendingImports:
    """The readings of one store that wait to be picked from. The secrets in them are nowhere else: the files are not kept."""

    def __init__(self, store: Store, vault: Vault, *, clock: Clock = utc_now) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock

    def keep(self, readings: Sequence[FileReading], *, owner: str) -> str:
        """Keeps what was read; gives the id by which its owner finds it. Raises Conflict when secrets cannot be encrypted."""
        pending_id = str(uuid.uuid4())
        token = self._vault.encrypt(pending_id, SLOT, json.dumps([_plain(reading) for reading in readings]))
        with self._store.write() as session:
            session.execute(delete(PendingImportRow).where(PendingImportRow.expires_at <= self._clock()))
            session.add(PendingImportRow(id=pending_id, owner=owner[:128], token=token, expires_at=self._clock() + KEPT_FOR))
        return pending_id

    def readings(self, pending_id: str, *, owner: str) -> tuple[FileReading, ...]:
        """What was kept. Raises NotFound when it has expired, is somebody else's or never was."""
        with self._store.read() as session:
            row = session.get(PendingImportRow, pending_id)
            found = (row.token, row.expires_at) if row is not None and row.owner == owner[:128] else None
        if found is None or found[1] <= self._clock():
            self.purge()
            raise NotFound(GONE)
        try:
            plain = json.loads(self._vault.decrypt(pending_id, SLOT, found[0]))
        except Conflict:
            raise NotFound(GONE) from None
        return tuple(_reading(reading) for reading in plain)

    def forget(self, pending_id: str) -> None:
        with self._store.write() as session:
            session.execute(delete(PendingImportRow).where(PendingImportRow.id == pending_id))

    def purge(self) -> None:
        """Deletes what has expired."""
        with self._store.write() as session:
            session.execute(delete(PendingImportRow).where(PendingImportRow.expires_at <= self._clock()))


def _plain(reading: FileReading) -> dict[str, object]:
    return {
        "name": reading.name,
        "format": reading.format,
        "outcome": reading.outcome.value,
        "candidates": [plain_candidate(candidate) for candidate in reading.candidates],
        "findings": [plain_finding(finding) for finding in reading.findings],
    }


def _reading(plain: dict[str, object]) -> FileReading:
    return FileReading(
        str(plain["name"]),
        str(plain["format"]),
        Outcome(str(plain["outcome"])),
        tuple(candidate_of(candidate) for candidate in plain["candidates"]),  # type: ignore[attr-defined]  # a list, as written
        tuple(finding_of(finding) for finding in plain["findings"]),  # type: ignore[attr-defined]  # as above
    )
