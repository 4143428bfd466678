"""The groups of a backend, with what became of their jobs."""

from __future__ import annotations

from collections.abc import Sequence

from rqdash.backends.backend import Backend, Command
from rqdash.backends.scripts import Call, load
from rqdash.model.sharing import GONE, LONGEST, Group, tallied
from rqdash.queries import decode
from rqdash.queries.counts import PACKAGE
from rqdash.queries.reading import read_either, read_lenient

MOST_MEMBERS = 100
"""Members of one group that are looked at: RQ keeps no count of states, so each costs a command."""
CALL = 2
"""Groups one script call reads: it must not hold the server longer than 5 ms, and takes less than 1."""
STEP = 40
"""Groups one round trip reads."""
Row = tuple[int, list[tuple[object, object]]]


def groups(backend: Backend, names: Sequence[str]) -> tuple[Group, ...]:
    """Groups by name, with the statuses of at most 100 members each; those without members are left out, as RQ will remove them.

    Reads <prefix>:group:<name> and its jobs. One round trip per 40 groups; two where scripts are denied.
    """
    parts = [names[start : start + STEP] for start in range(0, len(names), STEP)]
    read = [(name, row) for part in parts for name, row in zip(part, _read(backend, part), strict=True)]
    return tuple(_group(backend, name, *row) for name, row in read if row[0])


def _group(backend: Backend, name: str, size: int, members: Sequence[tuple[object, object]]) -> Group:
    statuses = [decode.text(status, limit=LONGEST) if status is not None or origin is not None else GONE for status, origin in members]
    there = [origin for status, origin in members if status is not None or origin is not None]
    return Group(
        backend.name,
        name,
        max(size, len(members)),
        looked=len(members),
        statuses=tallied(status or "unknown" for status, (raw, origin) in zip(statuses, members, strict=True) if raw or origin),
        expired=len(members) - len(there),
        queues=tuple(name for name, _ in tallied(decode.name(origin) for origin in there if origin is not None)),
    )


def _read(backend: Backend, names: Sequence[str]) -> list[Row]:
    return read_either(backend, lambda: _by_script(backend, names), otherwise=lambda: _by_pipeline(backend, names))


def _by_script(backend: Backend, names: Sequence[str]) -> list[Row]:
    script = load(PACKAGE, "groups", includes=("common",))
    first = (decode.wire(backend.keys.prefix), MOST_MEMBERS)
    parts = [names[start : start + CALL] for start in range(0, len(names), CALL)]
    replies = backend.read(*(Call(script, arguments=(*first, *map(decode.wire, part))) for part in parts))
    found = [decode.many(row) for reply in replies for row in decode.many(reply)]
    return [(decode.integer(size) or 0, [_pair(member) for member in decode.many(members)]) for size, members in found]


def _by_pipeline(backend: Backend, names: Sequence[str]) -> list[Row]:
    keys = [decode.wire(backend.keys.group(name)) for name in names]
    asked: list[Command] = [command for key in keys for command in (("SCARD", key), ("SSCAN", key, 0, "COUNT", MOST_MEMBERS))]
    replies = read_lenient(backend, *asked)
    members = [decode.members(decode.many(scan)[1] if len(decode.many(scan)) == 2 else ())[:MOST_MEMBERS] for scan in replies[1::2]]
    start = decode.wire(backend.keys.job(""))
    values = iter(read_lenient(backend, *(("HMGET", start + member, "status", "origin") for found in members for member in found)))
    return [(decode.integer(size) or 0, [_pair(next(values)) for _ in found]) for size, found in zip(replies[::2], members, strict=True)]


def _pair(values: object) -> tuple[object, object]:
    status, origin = [*decode.many(values), None, None][:2]
    return status or None, origin or None
