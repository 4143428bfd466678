"""Celery's and redbeat's settings: where their broker is; the queues in it are Celery's, not RQ's."""

from __future__ import annotations

from collections.abc import Mapping

from rqdash.profiles.readers.draft import Draft
from rqdash.profiles.readers.finish import finished
from rqdash.profiles.readers.keys import CELERY, read_table
from rqdash.profiles.readers.notes import Notes, shown
from rqdash.profiles.readers.tree import Bound, Entry, Leaf, Table, Unread
from rqdash.profiles.readers.url_field import is_url, url
from rqdash.profiles.readers.values import Candidate

PARTS = {
    "broker_url": "url",
    "broker_transport_options": "options",
    "broker_use_ssl": "ssl",
    "redbeat_redis_url": "url",
    "redbeat_redis_options": "options",
    "redbeat_redis_use_ssl": "ssl",
}
NOT_RQ = "These are settings of Celery, not of RQ: the connection is offered, but RQ finds its jobs there only if it uses the same Redis."


def celery(names: Mapping[str, Bound], notes: Notes) -> list[Candidate] | None:
    """The broker and redbeat's own connection; None when there is neither."""
    found: dict[str, dict[str, tuple[str, Bound]]] = {}
    for name, bound in names.items():
        plain = name.lower().removeprefix("celery_")
        if plain in PARTS:
            group = "redbeat" if plain.startswith("redbeat") else "broker"
            found.setdefault(group, {})[PARTS[plain]] = (name, bound)
    if not found:
        return None
    offered = [_connection(group, parts, notes=notes) for group, parts in found.items()]
    return [candidate for candidate in offered if candidate is not None]


def _connection(group: str, parts: Mapping[str, tuple[str, Bound]], *, notes: Notes) -> Candidate | None:
    name, bound = next(iter(parts.values()))
    draft = Draft(notes, name, bound.at, is_code=True)
    if "url" in parts:
        name, bound = parts["url"]
        if isinstance(bound.value, Leaf) and not is_url(str(bound.value.value)):
            notes.info(bound.at, "not-redis", message=f"{shown(name)}: this broker is no Redis; not offered.")
            return None
        url(draft, Entry(name, bound.value, bound.at))
    notes.info(bound.at, "other-tool", message=NOT_RQ)
    if "options" in parts:
        _options(draft, parts["options"])
    if "ssl" in parts:
        name, bound = parts["ssl"]
        _use_ssl(draft, Entry(name, bound.value, bound.at))
    draft.name = draft.name or group
    return finished(draft, is_rq=False)


def _options(draft: Draft, found: tuple[str, Bound]) -> None:
    name, bound = found
    table = bound.value
    if isinstance(table, Unread):
        draft.notes.unread(table, of=shown(name))
    elif isinstance(table, Table):
        # redbeat takes a list of Sentinels from here, and of the URL nothing; Celery has no such key.
        read_table(draft, table, keys=CELERY)


def _use_ssl(draft: Draft, entry: Entry) -> None:
    """True, or a table of redis-py's ssl_ options."""
    if isinstance(entry.value, Table):
        draft.sides["tls"].enabled = True
        read_table(draft, entry.value, keys=CELERY)
    else:
        CELERY.handlers["ssl"](draft, entry)
