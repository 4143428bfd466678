"""The single steps of a transfer: each one call of a script, which answers its present state when it is repeated.

prepare (destination) -> detach (source), the commit point -> activate (destination) -> cleanup (source). Back from a detached one:
abort (destination), whose tombstone no late step overcomes, then reattach (source).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from rqdash.actions.scripted import LATER, Order
from rqdash.actions.transfer.digests import digest
from rqdash.actions.transfer.journal import Entry
from rqdash.actions.transfer.order import Transfer
from rqdash.actions.transfer.wire import Step, answers, by_token, read, write
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument
from rqdash.model.names import decoded, encoded
from rqdash.model.registry import Registry

LARGEST_BYTES = 1024 * 1024
"""Of one job with its results. A script copies it several times: more would hold a server for more than 5 ms."""

BATCH_BYTES = 256 * 1024
"""Of the jobs in one call, unless a single one is larger: about 1 ms of a server's time for each step."""

MOST_FIELDS = 1_000

# What belongs to the place a job leaves.
LEFT_BEHIND = frozenset({b"dependency_ids", b"dependency_id", b"group_id"})
ENDED = (Registry.FAILED, Registry.CANCELED)

Answers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Parcel:
    """A job as it was read.

    words are fields and values of its hash in turn, results (id, fields and values in turn) of its stream; lifetimes in ms, 0 or less =
    for ever. score: its score in the registry it is in; of a scheduled job, when it is due.
    """

    words: Sequence[bytes]
    results: Sequence[tuple[bytes, Sequence[bytes]]]
    ttl_ms: int
    results_ttl_ms: int
    score: str = ""

    @property
    def is_odd(self) -> bool:
        """Whether it has more fields than a script can look at in one command; RQ writes some twenty."""
        return len(self.words) > 2 * MOST_FIELDS

    @property
    def fields(self) -> tuple[bytes, ...]:
        return tuple(self.words[::2])

    @property
    def digest(self) -> str:
        return digest(self.words[1::2], self.results)

    @property
    def data(self) -> bytes:
        return next((value for field, value in self.pairs() if field == b"data"), b"")

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        return zip(self.words[::2], self.words[1::2], strict=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """One job on its way: its id here and there (they differ for copies), its attempt's token, and what it is."""

    job_id: str
    there: str
    token: str
    parcel: Parcel

    def entry(self, order: Transfer) -> Entry:
        """As its journal has it."""
        return Entry(
            self.token,
            self.there,
            order.queue,
            order.registry,
            order.to_queue,
            order.at_front,
            self.parcel.score,
            self.parcel.ttl_ms,
            self.parcel.results_ttl_ms,
        )


@dataclass(frozen=True, slots=True)
class Detached:
    """What detach answered: a verdict by id ("done", "changed", UNPLACED, LATER...), and those done in the order they stood."""

    verdicts: Answers
    order: tuple[str, ...]


def snapshot(source: Backend, order: Transfer, ids: Sequence[str]) -> dict[str, str | Parcel]:
    """Each job as it is, or a verdict, or LATER for what does not fit into one answer; the first always does. One round trip, a read."""
    told = {"bytes": BATCH_BYTES, "largest": LARGEST_BYTES, "copies": order.copy}
    rows = cast("list[list[bytes]]", read(source, Step("snapshot", ids, order.leaving(), told)))
    return {job_id: _parcel(row) if len(row) > 1 else row[0].decode() for job_id, row in zip(ids, rows, strict=True)}


def _parcel(row: Sequence[object]) -> Parcel:
    # What transfer_snapshot.lua answers for a job that may leave.
    _, words, results, ttl_ms, results_ttl_ms, score = cast(
        "tuple[bytes, list[bytes], list[tuple[bytes, list[bytes]]], int, int, bytes]", row
    )
    return Parcel(words, results, ttl_ms, results_ttl_ms, score.decode())


def prepare(destination: Backend, order: Transfer, sent: Sequence[Sent]) -> Answers:
    """Parks copies at the destination: "prepared", "conflict", "active" or "aborted" by token. One round trip."""
    more: list[Argument] = []
    left_behind = LEFT_BEHIND | {b"exc_info"} if order.registry in ENDED else LEFT_BEHIND
    for one in sent:
        words = _without(one.parcel, left_behind)
        more += [one.token, len(words) + 4, *words, "status", "canceled", "rqdash_move", one.token, len(one.parcel.results)]
        for entry_id, fields in one.parcel.results:
            more += [entry_id, len(fields), *fields]
    step = Step("prepare", [one.there for one in sent], _arriving(order), more=more)
    return dict(zip([one.token for one in sent], answers(destination, step), strict=True))


def _without(parcel: Parcel, left_behind: frozenset[bytes]) -> Sequence[bytes]:
    if left_behind.isdisjoint(parcel.words[::2]):
        return parcel.words
    return [word for pair in parcel.pairs() if pair[0] not in left_behind for word in pair]


def detach(
    source: Backend,
    order: Transfer,
    sent: Sequence[Sent],
    *,
    destination: Backend,
    hints: Mapping[str, Sequence[int]],
    is_last: bool,
    journal: str,
    replicated: bool,
) -> Detached:
    """Commits: takes jobs out of where they are, unless they have changed since they were read. One round trip."""
    lists: dict[tuple[bytes, ...], int] = {}
    told = {
        "attempts": [(one.token, one.parcel.digest, lists.setdefault(one.parcel.fields, len(lists) + 1)) for one in sent],
        "lists": [[field.hex() for field in fields] for fields in lists],
        "way": _way(order, destination, journal),
        "op": journal,
    }
    places = sorted((position, number) for number, one in enumerate(sent, start=1) for position in hints.get(one.job_id, ()))
    pairs = [word for position, number in places for word in (number, position)]
    ids = [one.job_id for one in sent]
    step = Step("detach", ids, order.leaving(), told, pairs, journal, is_last)
    # What transfer_detach.lua answers: a verdict each, and the ids detached.
    verdicts, departed = cast("tuple[list[bytes], list[bytes]]", write(source, step, replicated=replicated))
    replies = {job_id: verdict.decode() for job_id, verdict in zip(ids, verdicts, strict=True)}
    return Detached(replies, tuple(decoded(job_id) for job_id in departed))


def _way(order: Transfer, destination: Backend, journal: str) -> str:
    """What the journal says of all jobs of one move alike. Names of queues are any bytes, which JSON does not take."""
    profile = destination.profile
    facts = {
        "queue": encoded(order.queue).hex(),
        "registry": order.registry.value,
        "to_queue": encoded(order.to_queue).hex(),
        "front": order.at_front,
        "destination": profile.id,
        "name": profile.name,
        "version": str(profile.endpoint_version),
        "prefix": profile.prefix,
        "op": journal,
    }
    return json.dumps(facts)


def fence(source: Backend, tokens: Sequence[str]) -> Answers:
    """After a detach without an answer: "detached", or "void" and it will never be. By token; one round trip."""
    return by_token(source, "fence", tokens)


def activate(destination: Backend, entries: Sequence[Entry], *, journal: str = "", replicated: bool = False) -> Answers:
    """Makes parked copies jobs: "active", "aborted", "reprepare" or "unmarked" by token. All go to one queue. One round trip.

    replicated: waits, one round trip more; UNREPLICATED for all where no replica has it in time.
    """
    first = entries[0]
    order = Transfer(first.queue, first.registry, first.to_queue, at_front=first.at_front)
    more = [word for entry in entries for word in (entry.token, entry.ttl_ms, entry.results_ttl_ms, entry.score)]
    step = Step("activate", [entry.job_id for entry in entries], _arriving(order), more=more, journal=journal)
    return dict(zip([entry.token for entry in entries], answers(destination, step, replicated=replicated), strict=True))


def abort(destination: Backend, attempts: Sequence[tuple[str, str]], *, replicated: bool = False, marked_only: bool = False) -> Answers:
    """For pairs of an id there and a token: "active" where it has arrived, else "aborted", for good. By token; one round trip.

    replicated: as in activate. marked_only: a token without a marker is left alone, "unmarked".
    """
    tokens = [token for _, token in attempts]
    step = Step("abort", [there for there, _ in attempts], told="marked" if marked_only else "", more=tokens)
    return dict(zip(tokens, answers(destination, step, replicated=replicated), strict=True))


def cleanup(source: Backend, tokens: Sequence[str]) -> Answers:
    """Removes what has arrived from the source: "done", "has_dependents" (it stays, canceled) or "gone" by token.

    One round trip, more for jobs with many relatives.
    """
    found: Answers = {}
    while asked := [token for token in tokens if found.get(token, LATER) == LATER]:
        found |= by_token(source, "cleanup", asked)
    return found


def reattach(source: Backend, tokens: Sequence[str], *, verdict: str) -> Answers:
    """Puts jobs back where they were taken from: "done" or "gone" by token. tokens: the last to have left first. One round trip."""
    return by_token(source, "reattach", tokens, told=verdict)


def forget(destination: Backend, tokens: Sequence[str]) -> None:
    """Lets the markers of jobs that have arrived, and whose entries are closed, go within a day. One round trip."""
    write(destination, Step("forget", tokens))


def remember(backend: Backend, verdicts: Mapping[str, str], *, journal: str) -> Answers:
    """Keeps verdicts for an operation where it has none yet; what is kept now, by id. One round trip."""
    step = Step("remember", list(verdicts), told=list(verdicts.values()), journal=journal)
    return dict(zip(verdicts, answers(backend, step), strict=True))


def _arriving(order: Transfer) -> Order:
    return Order(order.verb, order.to_queue, order.registry, to_queue=order.to_queue, at_front=order.at_front)
