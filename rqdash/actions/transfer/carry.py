"""Carries jobs over to another backend: as part of an operation, or as an action of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rqdash.access.actor import Actor
from rqdash.actions import batches
from rqdash.actions.jobs import SHOWN_IDS
from rqdash.actions.recording import Values, recorded
from rqdash.actions.scripted import Order
from rqdash.actions.transfer import journal as journals
from rqdash.actions.transfer import settle
from rqdash.actions.transfer.copies import Copy
from rqdash.actions.transfer.move import Move
from rqdash.actions.transfer.order import Transfer, check, check_within
from rqdash.actions.transfer.preflight import Terms, examined
from rqdash.actions.transfer.settle import Route
from rqdash.actions.transfer.wire import remembered
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Invalid, ReadOnly
from rqdash.model.outcome import JobOutcome, Outcome, Verdict
from rqdash.model.registry import Registry

Result = tuple[Outcome, BackendError | None]


def transfer(
    source: Backend,
    destination: Backend,
    actor: Actor,
    *,
    queue: str,
    registry: Registry,
    ids: Iterable[str],
    to_queue: str,
    at_front: bool = False,
    copy: bool = False,
) -> Outcome:
    """Moves, or copies, jobs of a backend's queue to a queue of another backend; one row of the audit log.

    Queued jobs go in the order they stand, failed and canceled ones as requeued, scheduled ones as due. Copies get new ids, which the
    outcome says. Raises Invalid, ReadOnly or BackendError.
    """
    order = Transfer(queue, registry, to_queue, at_front=at_front, copy=copy)
    distinct = tuple(dict.fromkeys(ids))

    def work() -> Result:
        return carried_over(source, destination, order, ids=distinct)

    return recorded(source, actor, verb=order.verb, queue=queue, values=_values(destination, order, distinct), work=work)


def _values(destination: Backend, order: Transfer, ids: Sequence[str]) -> Values:
    values: dict[str, str | int] = {"registry": order.registry.value, "jobs": len(ids), "ids": " ".join(ids[:SHOWN_IDS])}
    values |= {"to_backend": destination.name, "to_queue": order.to_queue}
    return values | ({"at_front": True} if order.at_front else {})


def carried_over(source: Backend, destination: Backend, order: Transfer, *, ids: Sequence[str], journal: str = "") -> Result:
    """The outcome for distinct ids, in their order, and what ended it before it had reached all of them. Not audited.

    Two names of the same server, database and prefix make a move within it. With a journal (such as "<operation>:<item>"), what was
    settled is kept for seven days in <prefix>:rqdash:op:<journal> on the source (of copies: on the destination); asked again with the
    same one, those jobs are answered from it, and those that had left are brought to their end. Raises Invalid or ReadOnly.
    """
    check(order, ids)
    found, terms, failure = examined(source, destination, to_queue=order.to_queue, copy=order.copy)
    if found.is_same and not order.copy:
        return _within(source, order, ids, journal)
    if failure is not None:
        return _outcome(source, destination, order, ids, {}), failure
    if found.refusal:
        raise ReadOnly(found.refusal)
    route = Route(source, destination, bool(terms.source.replicas), bool(terms.destination.replicas))
    try:
        if order.copy:
            return _copied(route, order, terms, ids, journal)
        return _moved(route, order, terms, ids, journal)
    except BackendError as error:
        return _outcome(source, destination, order, ids, {}), error


def _within(source: Backend, order: Transfer, ids: Sequence[str], journal: str) -> Result:
    try:
        check_within(order)
    except Invalid:
        if not journal:
            raise
        return _outcome(source, source, order, ids, dict.fromkeys(ids, Verdict.REFUSED)), None
    local = Order("move", order.queue, order.registry, to_queue=order.to_queue, at_front=order.at_front, as_of=order.as_of)
    return batches.carried_out(source, local, ids=ids, journal=journal)


def _moved(route: Route, order: Transfer, terms: Terms, ids: Sequence[str], journal: str) -> Result:
    verdicts, failure = _resumed(route, ids, journal)
    move = Move(route, order, terms, journal=journal)
    rest = [job_id for job_id in ids if job_id not in verdicts]
    failure = failure or (move.run(rest) if rest else None)
    return _outcome(route.source, route.destination, order, ids, verdicts | move.verdicts), failure


def _resumed(route: Route, ids: Sequence[str], journal: str) -> tuple[dict[str, Verdict], BackendError | None]:
    """What an earlier call for the same operation has settled; what had left is finished now."""
    verdicts = {job_id: Verdict(word) for job_id, word in remembered(route.source, ids, journal=journal).items()}
    left = [job_id for job_id, verdict in verdicts.items() if verdict is Verdict.IN_TRANSIT]
    tokens = journals.tokens_of(route.source, left)
    settled = settle.forward(route, journals.entries(route.source, tuple(tokens.values())))
    known = {job_id: settled.verdicts[token] for job_id, token in tokens.items() if token in settled.verdicts}
    # The sweeper finished the others between two of our reads; then it has kept what became of them.
    closed = [job_id for job_id in left if job_id not in known]
    verdicts |= {job_id: Verdict(word) for job_id, word in remembered(route.source, closed, journal=journal).items()}
    return verdicts | known, settled.failure


def _copied(route: Route, order: Transfer, terms: Terms, ids: Sequence[str], journal: str) -> Result:
    copy = Copy(route, order, terms, journal=journal)
    names = {copy.name(job_id): job_id for job_id in ids} if journal else {}
    kept = {names[name]: name for name in remembered(route.destination, tuple(names), journal=journal)}
    failure = copy.run([job_id for job_id in ids if job_id not in kept])
    verdicts = copy.verdicts | dict.fromkeys(kept, Verdict.DONE)
    return _outcome(route.source, route.destination, order, ids, verdicts, new_ids=copy.new_ids | kept), failure


def _outcome(
    source: Backend,
    destination: Backend,
    order: Transfer,
    ids: Sequence[str],
    verdicts: Mapping[str, Verdict],
    *,
    new_ids: Mapping[str, str] | None = None,
) -> Outcome:
    named = new_ids or {}
    jobs = tuple(JobOutcome(job_id, verdicts[job_id], named.get(job_id, "")) for job_id in ids if job_id in verdicts)
    target = f"{order.to_queue} on {destination.name}"
    return Outcome(order.verb, source.name, order.queue, jobs, left=len(ids) - len(jobs), target=target)
