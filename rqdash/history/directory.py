"""Which numbers backends and queues have in the history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from rqdash.history.archive import Archive
from rqdash.history.tables import BackendRow, QueueRow
from rqdash.model import names

T = TypeVar("T")

AT_ONCE = 500
"""Values one statement may hold."""


class Directory:
    """The numbers that a recorder has given or found; it asks the database only for what it does not know."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._backends: dict[str, tuple[int, str]] = {}
        self._queues: dict[int, dict[str, int]] = {}

    def backend(self, session: Session, key: str, *, name: str) -> int:
        """The number of the backend with this key, whose present name is name."""
        known = self._backends.get(key)
        if known is None or known[1] != name:
            known = self._backends[key] = (self._named(session, key, name), name)
        return known[0]

    def queues(self, session: Session, backend_id: int, *, queues: Sequence[str], now_s: int) -> Mapping[str, int]:
        """The numbers of a backend's queues, by name; those without one get the next."""
        known = self._queues.get(backend_id)
        if known is None:
            named = session.execute(select(QueueRow.name, QueueRow.id).where(QueueRow.backend_id == backend_id))
            known = self._queues[backend_id] = dict(named.all())
        missing = [name for name in queues if name not in known]
        for some in batches(missing):
            digests = [names.digest(name) for name in some]
            rows = [
                {"backend_id": backend_id, "digest": key, "name": name, "seen_s": now_s} for key, name in zip(digests, some, strict=True)
            ]
            session.execute(self._archive.insert(QueueRow).on_conflict_do_nothing(), rows)
            found = select(QueueRow.name, QueueRow.id).where(QueueRow.backend_id == backend_id, QueueRow.digest.in_(digests))
            known |= dict(session.execute(found).all())
        return known

    def forget(self) -> None:
        """Nothing is known any more: another process may have changed it, or what was written down was taken back."""
        self._backends.clear()
        self._queues.clear()

    def _named(self, session: Session, key: str, name: str) -> int:
        session.execute(update(BackendRow).where(BackendRow.name == name, BackendRow.key != key).values(name=""))
        insert = self._archive.insert(BackendRow).values(key=key, name=name)
        session.execute(insert.on_conflict_do_update(index_elements=["key"], set_={"name": name}))
        return session.scalars(select(BackendRow.id).where(BackendRow.key == key)).one()


def seen(session: Session, numbers: Iterable[int], *, now_s: int) -> None:
    """Writes down that these queues are there still."""
    for some in batches(list(numbers)):
        session.execute(update(QueueRow).where(QueueRow.id.in_(some)).values(seen_s=now_s))


def forget_queues(session: Session, *, before_s: int) -> None:
    """Deletes the numbers of queues that were not seen since."""
    session.execute(delete(QueueRow).where(QueueRow.seen_s < before_s))


def batches(values: Sequence[T]) -> Iterator[list[T]]:
    """The values in lists that one statement may hold."""
    rest = iter(values)
    while some := list(islice(rest, AT_ONCE)):
        yield some
