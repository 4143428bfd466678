"""One call of an action's script: its keys, its arguments, its answer."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument, Call, Script, load
from rqdash.model.names import encoded
from rqdash.model.registry import Registry

SHARED = ("common", "moments", "judging", "slots", "taking", "working")
REMOVING = ("delete", "empty")
SAME = {"enqueue": "requeue"}
TO_A_QUEUE = ("move", "requeue", "enqueue", "rescue")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
UNPLACED = "unplaced"
DENSE = 8
"""Entries of a list for each place hinted at, up to which all of them are looked at rather than each place."""

LATER = "later"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to jobs of one registry of a queue; to_queue is where they go, if they go to a queue.

    as_of (aware): jobs that came to where they are later, or nobody knows when, are STALE. told is what the action's script itself is
    told, in its own form: see lua/<verb>.lua.
    """

    verb: str
    queue: str
    registry: Registry
    to_queue: str = ""
    at_front: bool = False
    told: str = ""
    as_of: datetime | None = None


def ask(
    backend: Backend, order: Order, ids: Sequence[str], *, hints: Mapping[str, Sequence[int]], is_last: bool, journal: str = ""
) -> dict[str, str]:
    """What the script says of those of these distinct ids that were not done: a Verdict's value, UNPLACED or LATER. One round trip.

    UNPLACED: it may be done, but the script must be told where in a long list the job is (never when is_last). LATER: the call has
    looked up as many relatives of jobs as it may; ask again. hints are positions in the list, which may be wrong by a little. With a
    journal every other verdict is kept in its hash by the same call, and ids already there are answered from it.
    """
    return said(ids, backend.write(request(backend, order, ids, hints=hints, is_last=is_last, journal=journal)))


def request(
    backend: Backend,
    order: Order,
    ids: Sequence[str],
    *,
    hints: Mapping[str, Sequence[int]],
    is_last: bool,
    journal: str = "",
    row: str = "",
) -> Call:
    """The call that asks it. row (hexadecimal) names calls that are sent one behind the other: one that leaves jobs UNPLACED or LATER
    makes those behind it answer LATER and do nothing, so that jobs come to a queue in their order.
    """
    raw = [encoded(job_id) for job_id in ids]
    arguments = (*header(backend, order, is_last=is_last, row=row), len(raw), *raw, *(_hinted(ids, hints) if hints else ()))
    return Call(script_of(order), _keys(backend, order, journal), arguments)


def said(ids: Sequence[str], reply: object) -> dict[str, str]:
    """What was answered: numbers of ids and verdicts take turns, see lua/working.lua."""
    others = cast("list[int | bytes]", reply)
    pairs = cast("Iterable[tuple[int, bytes]]", zip(others[::2], others[1::2], strict=True))
    return {ids[number - 1]: verdict.decode() for number, verdict in pairs}


def _hinted(ids: Sequence[str], hints: Mapping[str, Sequence[int]]) -> list[int]:
    """Hints as the scripts take them: see lua/common.lua."""
    known = [place for places in hints.values() for place in places]
    if max(known) - min(known) < DENSE * len(known):
        return [0, min(known), 0, max(known)]
    places = sorted((place, number) for number, job_id in enumerate(ids, start=1) for place in hints.get(job_id, ()))
    return [argument for place, number in places for argument in (number, place)]


def script(name: str) -> Script:
    """A script of ours by name, with the parts it shares with others."""
    return load("rqdash.actions", name, includes=(*SHARED, "removal") if name in REMOVING else SHARED)


def script_of(order: Order) -> Script:
    """The script that carries an order out."""
    return script("abandoned" if order.registry is Registry.STARTED and order.verb == "requeue" else SAME.get(order.verb, order.verb))


def header(backend: Backend, order: Order, *, is_last: bool = True, row: str = "") -> tuple[Argument, ...]:
    """The arguments every script begins with: names, the moment in both of RQ's forms, and a mark no job id can equal."""
    now = datetime.now(UTC)
    return (
        backend.profile.prefix,
        order.registry.value,
        encoded(order.queue),
        encoded(order.to_queue),
        "front" if order.at_front else "back",
        repr(now.timestamp()),
        written(now),
        f"rqdash:removed:{secrets.token_hex(8)}",
        f"row {row}" if row else "last" if is_last else "ask",
        f"{written(order.as_of)} {order.as_of.timestamp()!r}" if order.as_of else "",
        order.told,
    )


def written(moment: datetime) -> str:
    """A moment as RQ writes it into a job."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def source(backend: Backend, order: Order) -> bytes:
    """The key of the list or registry the jobs are in."""
    keys = backend.keys
    lists = {Registry.QUEUED: keys.queue(order.queue), Registry.INTERMEDIATE: keys.intermediate(order.queue)}
    return encoded(lists.get(order.registry) or keys.registry(order.registry, order.queue))


def _keys(backend: Backend, order: Order, journal: str) -> tuple[bytes, ...]:
    """The keys a script declares: where the jobs are, the set of queues, where they go, and the journal where one is kept."""
    keys = backend.keys
    is_rescheduled = order.verb == "move" and order.registry is Registry.SCHEDULED
    to = keys.registry(Registry.SCHEDULED, order.to_queue) if is_rescheduled else keys.queue(order.to_queue)
    target = {"cancel": keys.registry(Registry.CANCELED, order.queue), **dict.fromkeys(TO_A_QUEUE, to)}.get(order.verb)
    here = source(backend, order)
    kept = [encoded(keys.own("op", journal))] if journal else []
    return (here, encoded(keys.queues), here if target is None else encoded(target), *kept)
