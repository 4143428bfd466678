"""What of the audit log is meant: a filter, and the condition that it is in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, func, literal, not_, or_, true, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from rqdash.store.tables import AuditRow

BEGUN = "begun"
DONE = "done"
FAILED = "failed"
"""Stands for every status but done and begun."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter; "" is anything. Texts are compared whole and in any case, with * for any letters; text is a part of what a row holds.

    backend is one of a row's backends; status is done, begun, failed (whatever else), or a code. Rows began at since or later, and
    before until.
    """

    who: str = ""
    verb: str = ""
    backend: str = ""
    queue: str = ""
    status: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> ColumnElement[bool]:
        parts = [_like(AuditRow.name, self.who), _like(AuditRow.verb, self.verb), _like(AuditRow.queue, self.queue)]
        parts += [_one_of(self.backend), _status(self.status), _part(self.text)]
        parts += [AuditRow.began_at >= self.since] if self.since else []
        parts += [AuditRow.began_at < self.until] if self.until else []
        return and_(true(), *(part for part in parts if part is not None))


def stored(text: str) -> str:
    """A text as any database takes it and any page shows it: bytes that are no UTF-8, and NUL, written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")


def _like(column: InstrumentedAttribute[str] | ColumnElement[str], text: str, *, around: str = "") -> ColumnElement[bool] | None:
    if not text:
        return None
    escaped = stored(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = f"{around}{escaped.replace('*', '%')}{around}"
    # As it is written too: databases differ in which letters they know the small ones of.
    return or_(column.like(pattern, escape="\\"), func.lower(column).like(pattern.lower(), escape="\\"))


def _one_of(backend: str) -> ColumnElement[bool] | None:
    """A row on several says "a, b to c"; a glob ends where the name does, for no name holds a comma or a space."""
    if not backend:
        return None
    listed = literal(", ") + func.replace(AuditRow.backend, " to ", ", ") + ", "
    return _like(listed, f"*, {backend}, *")


def _status(status: str) -> ColumnElement[bool] | None:
    if status == FAILED:
        return not_(AuditRow.status.in_((DONE, BEGUN)))
    return AuditRow.status == stored(status) if status else None


def _part(text: str) -> ColumnElement[bool] | None:
    if not text:
        return None
    plain = (AuditRow.name, AuditRow.address, AuditRow.verb, AuditRow.backend, AuditRow.queue, AuditRow.status)
    # JSON is kept as ASCII: what a person types is looked for as it is written there.
    encoded = json.dumps(stored(text))[1:-1]
    found = [_like(column, text, around="%") for column in plain]
    found += [_like(type_coerce(column, Text), encoded, around="%") for column in (AuditRow.values, AuditRow.outcomes)]
    return or_(*(part for part in found if part is not None))
