"""Bringing jobs that have left to an end: forward to where they are going, or back to where they were."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import cast

from rqdash.actions.transfer import steps
from rqdash.actions.transfer.journal import Entry
from rqdash.actions.transfer.order import Transfer
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Slow, Switching, UnknownResult, Unreachable
from rqdash.model.names import encoded
from rqdash.model.outcome import Verdict

# A marker lives 30 days. What is nearly as old is not known to be still to come when there is none.
SURE_S = 29 * 24 * 3600
BATCH = 50

AWAY = (Unreachable, Slow, Switching, UnknownResult)
"""What fails for one entry so would fail for every other; anything else may be one entry's own affair."""


@dataclass(frozen=True, slots=True)
class Route:
    """From where to where; what a side with replicas does is waited for, a moment, until one of them has it."""

    source: Backend
    destination: Backend
    has_replicas_here: bool = False
    has_replicas_there: bool = False


@dataclass(slots=True)
class Settled:
    """What became of jobs on their way, by token: DONE, GONE, or a verdict with which they are back; IN_TRANSIT until that is known."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    failure: BackendError | None = None

    def note(self, error: BackendError) -> None:
        """Keeps a failure, of several the first."""
        self.failure = self.failure or error


def forward(route: Route, entries: Sequence[Entry], *, is_sure: bool = True) -> Settled:
    """Finishes moves that were committed, or rolls back those that cannot be.

    entries: in the order in which they go onto the queue. is_sure: the destination is certainly the one that was meant; otherwise only
    what it has a marker for is done. Never raises; three round trips when nothing is wrong, one more where a replica is waited for.
    What cannot be done for some (their queue's key has another type) does not keep the others.
    """
    settled = Settled({entry.token: Verdict.IN_TRANSIT for entry in entries})
    for group in _alike(entries):
        try:
            _forward(route, group, settled, is_sure=is_sure)
        except BackendError as error:
            settled.note(error)
            if isinstance(error, AWAY):
                break
    return settled


def back(route: Route, entries: Sequence[Entry], *, is_sure: bool = True) -> Settled:
    """Rolls moves back that have not arrived; those that have are finished. Never raises.

    is_sure: as in forward; what a destination that is not has no marker for may have arrived elsewhere, and stays on its way.
    """
    settled = Settled({entry.token: Verdict.IN_TRANSIT for entry in entries})
    try:
        _back(route, entries, settled, verdict=Verdict.RACED, is_sure=is_sure)
    except BackendError as error:
        settled.note(error)
    return settled


def put_back(source: Backend, entries: Sequence[Entry]) -> Settled:
    """Puts jobs back without asking whether they have arrived, for a destination that will never answer again. Never raises."""
    settled = Settled({entry.token: Verdict.IN_TRANSIT for entry in entries})
    try:
        _put_back(Route(source, source), entries, settled, verdict=Verdict.RACED)
    except BackendError as error:
        settled.note(error)
    return settled


def _alike(entries: Sequence[Entry]) -> list[list[Entry]]:
    """One call is for jobs of one registry that go to one queue; the order stays."""
    groups = [list(group) for _, group in groupby(entries, key=lambda entry: (entry.registry, entry.to_queue, entry.at_front))]
    return [group[first : first + BATCH] for group in groups for first in range(0, len(group), BATCH)]


def _forward(route: Route, entries: Sequence[Entry], settled: Settled, *, is_sure: bool) -> None:
    replies = _activated(route, entries)
    _concluded(route, entries, replies, settled)
    again = [entry for entry in entries if replies[entry.token] == "reprepare" or (replies[entry.token] == "unmarked" and is_sure)]
    again = [entry for entry in again if replies[entry.token] == "reprepare" or entry.age_s < SURE_S]
    if again:
        _concluded(route, again, _reprepared(route, again, settled), settled)


def _concluded(
    route: Route, entries: Sequence[Entry], replies: steps.Answers, settled: Settled, *, verdict: Verdict = Verdict.RACED
) -> None:
    """Does on the source what the destination's answers ask for; other answers, and none, leave an entry open."""
    _clean(route, [entry for entry in entries if replies.get(entry.token) == "active"], settled)
    _put_back(route, [entry for entry in entries if replies.get(entry.token) == "aborted"], settled, verdict=verdict)


def _activated(route: Route, entries: Sequence[Entry]) -> steps.Answers:
    """An activation without an answer is asked for once more: it then says what the marker does."""
    try:
        return steps.activate(route.destination, entries, replicated=route.has_replicas_there)
    except UnknownResult:
        return steps.activate(route.destination, entries, replicated=route.has_replicas_there)


def _reprepared(route: Route, entries: Sequence[Entry], settled: Settled) -> steps.Answers:
    """The parked copies have expired; the source still has everything. What cannot be parked anew is rolled back here."""
    parcels = _read_again(route.source, entries)
    lost = [entry for entry in entries if entry.token not in parcels]
    _back(route, lost, settled, verdict=Verdict.GONE)
    replies: steps.Answers = {}
    for entry in entries:
        if entry.token in parcels:
            replies |= _prepared(route, entry, parcels[entry.token], settled)
    _back(route, [entry for entry in entries if replies.get(entry.token) == "conflict"], settled, verdict=Verdict.CONFLICT)
    ready = [entry for entry in entries if replies.get(entry.token) == "prepared"]
    return replies | (_activated(route, ready) if ready else {})


def _prepared(route: Route, entry: Entry, parcel: steps.Parcel, settled: Settled) -> steps.Answers:
    """No answer for one that alone cannot be parked; the others may."""
    order = Transfer(entry.queue, entry.registry, entry.to_queue, at_front=entry.at_front)
    try:
        return steps.prepare(route.destination, order, [steps.Sent(entry.job_id, entry.job_id, entry.token, parcel)])
    except AWAY:
        raise
    except BackendError as error:
        settled.note(error)
        return {}


def _read_again(source: Backend, entries: Sequence[Entry]) -> dict[str, steps.Parcel]:
    """The jobs as they wait on the source, by token. One round trip.

    Whoever deleted one meanwhile has deleted it. A producer's new job under its id still has our field, but is not canceled.
    """
    keys = source.keys
    hashes = [("HGETALL", encoded(keys.job(entry.job_id))) for entry in entries]
    streams = [("XRANGE", encoded(keys.results(entry.job_id)), "-", "+") for entry in entries]
    replies = source.read(*hashes, *streams)
    found = {}
    for entry, fields, results in zip(entries, replies[: len(entries)], replies[len(entries) :], strict=True):
        # As redis-py gives a hash and a stream.
        pairs = cast("dict[bytes, bytes]", fields)
        stream = cast("list[tuple[bytes, dict[bytes, bytes]]]", results)
        if pairs.get(b"rqdash_move") == entry.token.encode() and pairs.get(b"status") == b"canceled":
            words = [word for pair in pairs.items() for word in pair]
            flat = [(entry_id, [word for pair in values.items() for word in pair]) for entry_id, values in stream]
            found[entry.token] = steps.Parcel(words, flat, entry.ttl_ms, entry.results_ttl_ms, score=entry.score)
    return found


def _back(route: Route, entries: Sequence[Entry], settled: Settled, *, verdict: Verdict, is_sure: bool = True) -> None:
    if not entries:
        return
    attempts = [(entry.job_id, entry.token) for entry in entries]
    replies = steps.abort(route.destination, attempts, replicated=route.has_replicas_there, marked_only=not is_sure)
    _concluded(route, entries, replies, settled, verdict=verdict)


def _clean(route: Route, entries: Sequence[Entry], settled: Settled) -> None:
    """They have arrived: that is so whatever happens here now. What is left on the source the sweeper removes."""
    if not entries:
        return
    tokens = [entry.token for entry in entries]
    settled.verdicts.update(dict.fromkeys(tokens, Verdict.DONE))
    steps.cleanup(route.source, tokens)
    # Without this their markers only stay longer.
    with suppress(BackendError):
        steps.forget(route.destination, tokens)


def _put_back(route: Route, entries: Sequence[Entry], settled: Settled, *, verdict: Verdict) -> None:
    """A queue gets its jobs back at its front, so the last goes first."""
    if not entries:
        return
    steps.reattach(route.source, [entry.token for entry in reversed(entries)], verdict=verdict.value)
    settled.verdicts.update({entry.token: verdict for entry in entries})
