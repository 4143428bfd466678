"""The items of an operation: up to 200 jobs of one registry each, in the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from rqdash.model.outcome import Verdict
from rqdash.model.registry import Registry
from rqdash.operations.stored import NOT_REACHED, VERDICTS
from rqdash.store import Store
from rqdash.store.tables import OperationItemRow

SIZE = 200
AHEAD = 50
"""Items read at a time: some 400 KB."""

TODO, DONE = "todo", "done"


@dataclass(frozen=True, slots=True)
class Item:
    """Jobs of one registry of a queue, oldest first; verdicts are letters of what is known of them so far, "" for nothing."""

    number: int
    backend: str
    queue: str
    registry: Registry
    ids: tuple[str, ...]
    verdicts: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One job of an operation as its list shows it; verdict None: nothing is known of it yet."""

    backend: str
    queue: str
    registry: str
    id: str
    verdict: Verdict | None


def add(session: Session, operation_id: str, items: Sequence[Item]) -> None:
    """Writes planned items."""
    rows = [
        {
            "operation_id": operation_id,
            "number": item.number,
            "backend": item.backend,
            "queue": item.queue,
            "place": item.registry.value,
            "ids": list(item.ids),
            "state": TODO,
            "verdicts": "",
        }
        for item in items
    ]
    if rows:
        session.execute(OperationItemRow.__table__.insert(), rows)  # type: ignore[attr-defined]  # a Table


def remove(session: Session, operation_id: str, *, backend: str | None = None) -> None:
    """Forgets what was planned, or what was planned on one backend."""
    gone = delete(OperationItemRow).where(OperationItemRow.operation_id == operation_id)
    session.execute(gone if backend is None else gone.where(OperationItemRow.backend == backend))


def settle(session: Session, operation_id: str, settled: Sequence[tuple[int, str, bool]]) -> None:
    """Writes what became of items: number, letters, and whether that is all there will be."""
    table = OperationItemRow.__table__
    change = (
        update(table)  # type: ignore[arg-type]  # a Table
        .where(table.c.operation_id == operation_id, table.c.number == bindparam("which"))
        .values(verdicts=bindparam("letters"), state=bindparam("is_done"))
    )
    rows = [{"which": number, "letters": letters, "is_done": DONE if is_final else TODO} for number, letters, is_final in settled]
    if rows:
        session.execute(change, rows)


def todo(store: Store, operation_id: str, *, is_reversed: bool, but: Collection[str] = (), most: int = AHEAD) -> tuple[Item, ...]:
    """The next items nobody has ended, in the order of their numbers or against it; but those on these backends."""
    row = OperationItemRow
    found = select(row).where(row.operation_id == operation_id, row.state == TODO).limit(most)
    found = found.order_by(row.number.desc() if is_reversed else row.number)
    if but:
        found = found.where(row.backend.not_in(list(but)))
    with store.read() as session:
        return tuple(_item(found_row) for found_row in session.scalars(found))


def lines(store: Store, operation_id: str) -> Iterator[Line]:
    """Every job of an operation, with what became of it; read in steps, so that a slow reader holds no transaction."""
    row, last = OperationItemRow, -1
    while True:
        found = select(row).where(row.operation_id == operation_id, row.number > last).order_by(row.number).limit(AHEAD)
        with store.read() as session:
            page = tuple(_item(found_row) for found_row in session.scalars(found))
        for item in page:
            yield from _lines(item)
        if len(page) < AHEAD:
            return
        last = page[-1].number


def _lines(item: Item) -> Iterator[Line]:
    known = item.verdicts or NOT_REACHED * len(item.ids)
    for job_id, letter in zip(item.ids, known, strict=True):
        yield Line(item.backend, item.queue, item.registry.value, job_id, VERDICTS.get(letter))


def _item(row: OperationItemRow) -> Item:
    return Item(row.number, row.backend, row.queue, Registry(row.place), tuple(row.ids), row.verdicts)
