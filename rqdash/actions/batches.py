"""Carries an action out on many jobs: batches of at most 200, each one call of a script that checks before it acts."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from rqdash.actions.positions import Hint, positions
from rqdash.backends.backend import Backend
from rqdash.backends.scripts import Argument, Call, load
from rqdash.errors import BackendError, UnknownResult
from rqdash.model.names import encoded
from rqdash.model.outcome import JobOutcome, Outcome, Verdict
from rqdash.model.registry import Registry

BATCH = 200
"""Ids in one call of a script: about 3 ms of the server's time."""

SEARCHES = 3
"""Calls for jobs that must be looked for in a long list; with the last, those not found count as no longer there."""

INCLUDES = {"delete": ("common", "removal"), "empty": ("common", "removal")}
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done to jobs of one registry of a queue; to_queue is where they go, if they go to a queue."""

    verb: str
    queue: str
    registry: Registry
    to_queue: str = ""
    at_front: bool = False


def carried_out(backend: Backend, order: Order, *, ids: Sequence[str]) -> tuple[Outcome, BackendError | None]:
    """The outcome for distinct ids, in their order, and what ended the action before it had reached all of them.

    A batch that got no answer in time is UNKNOWN. Jobs of later batches are counted in left. One round trip a batch, and for jobs
    far from both ends of a list of over 2,000 entries one more plus one per 5,000 entries.
    """
    verdicts: dict[str, Verdict] = {}
    failure = None
    for batch in _batches(order, ids):
        try:
            _settle(backend, order, batch, verdicts)
        except BackendError as error:
            failure = error
            if isinstance(error, UnknownResult):
                verdicts.update((job_id, Verdict.UNKNOWN) for job_id in batch if job_id not in verdicts)
            break
    jobs = tuple(JobOutcome(job_id, verdicts[job_id]) for job_id in ids if job_id in verdicts)
    return Outcome(order.verb, backend.name, order.queue, jobs, left=len(ids) - len(jobs), target=order.to_queue), failure


def ask(backend: Backend, order: Order, ids: Sequence[str], *, hints: Sequence[Hint], is_last: bool) -> dict[str, str]:
    """One call: what the script says of each of at most 200 distinct ids, a Verdict's value, "unplaced" or "later".

    unplaced: it may be done, but hints to its place in a long list are needed (never when is_last). later: the call looked up as many
    relatives as it may; ask again.
    """
    raw = [encoded(job_id) for job_id in ids]
    places = {job_id: index for index, job_id in enumerate(raw, start=1)}
    pairs = [number for hint in hints if hint.job_id in places for number in (places[hint.job_id], hint.position)]
    script = load("rqdash.actions", order.verb, includes=INCLUDES.get(order.verb, ("common",)))
    arguments = (*header(backend, order, is_last=is_last), len(raw), *raw, *pairs)
    # What common.lua answers: a verdict for each id.
    replies = cast("list[bytes]", backend.write(Call(script, _keys(backend, order), arguments)))
    return {job_id: reply.decode() for job_id, reply in zip(ids, replies, strict=True)}


def header(backend: Backend, order: Order, *, is_last: bool = True) -> tuple[Argument, ...]:
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
        "last" if is_last else "ask",
    )


def written(moment: datetime) -> str:
    """A moment as RQ writes it into a job."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def source(backend: Backend, order: Order) -> bytes:
    """The key of the list or registry the jobs are in."""
    keys = backend.keys
    return encoded(keys.queue(order.queue) if order.registry is Registry.QUEUED else keys.registry(order.registry, order.queue))


def _batches(order: Order, ids: Sequence[str]) -> list[Sequence[str]]:
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    # What is pushed to the front last stands first there.
    return batches[::-1] if order.at_front else batches


def _settle(backend: Backend, order: Order, batch: Sequence[str], verdicts: dict[str, Verdict]) -> None:
    """Adds the verdicts of a batch as they become known; raises BackendError."""
    pending, hints, searches = list(batch), list[Hint](), 0
    while pending:
        is_last = searches == SEARCHES - 1
        replies = ask(backend, order, pending, hints=hints, is_last=is_last)
        verdicts.update((job_id, Verdict(reply)) for job_id, reply in replies.items() if reply not in ("unplaced", "later"))
        pending = [job_id for job_id in pending if job_id not in verdicts]
        if "unplaced" in replies.values():
            hints = positions(backend, source(backend, order), ids={encoded(job_id) for job_id in pending})
            searches += 1


def _keys(backend: Backend, order: Order) -> tuple[bytes, ...]:
    """The keys a script declares: where the jobs are, the set of queues, where they go."""
    keys = backend.keys
    target = {
        "cancel": keys.registry(Registry.CANCELED, order.queue),
        "move": keys.registry(Registry.SCHEDULED, order.to_queue) if order.registry is Registry.SCHEDULED else keys.queue(order.to_queue),
        "requeue": keys.queue(order.to_queue),
    }.get(order.verb)
    return (source(backend, order), encoded(keys.queues), *([encoded(target)] if target is not None else []))
