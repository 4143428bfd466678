"""Finishes or rolls back what movers that died, and backends that were away, have left on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rqdash.actions.transfer import journal, settle
from rqdash.actions.transfer.journal import Entry
from rqdash.actions.transfer.settle import Route, Settled
from rqdash.backends.backend import Backend
from rqdash.errors import BackendError, Unreachable
from rqdash.model.outcome import JobOutcome, Outcome, Verdict

Lookup = Callable[[str, str], Backend | None]
"""The backend of a profile's id, and of the name it had; None when there is none that can be used."""

BATCH = 50
MOST = 5_000
"""Entries in one sweep; the next goes on."""

YOUNG_S = 10.0
"""Whoever moves a job needs a moment between two steps. To come before would do no harm, and no good."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """Who an entry goes to: the profile's id and name, its endpoint's version and prefix, all as they were when it left."""

    id: str
    name: str
    endpoint_version: str
    prefix: str


def sweep(
    source: Backend, lookup: Lookup, *, back: bool = False, force: bool = False, min_age_s: float = YOUNG_S
) -> tuple[Outcome, BackendError | None]:
    """What became of jobs that were on their way from a backend; DONE those that have arrived, RACED those back where they were.

    They go forward, or where back is asked and they have not arrived, back. What cannot be brought to an end now stays IN_TRANSIT: its
    destination does not answer, is gone, or was pointed elsewhere since. With force what goes to one that is gone or cannot be reached
    is put back too, unasked: only for a destination that will never be there again. Never raises; the failure of one backend is
    answered.
    """
    jobs: list[JobOutcome] = []
    failure: BackendError | None = None
    try:
        for batch in _batches(source, min_age_s):
            settled = _settled(source, lookup, batch, back=back, force=force)
            failure = failure or settled.failure
            jobs += [JobOutcome(entry.job_id, settled.verdicts[entry.token]) for entry in batch]
    except BackendError as error:
        failure = error
    return Outcome("sweep", source.name, "", tuple(jobs)), failure


def is_due(source: Backend, lookup: Lookup, *, min_age_s: float = YOUNG_S) -> bool:
    """Whether something left long enough ago for a destination that answers. Raises BackendError when the source does not."""
    found = {_destination(entry) for batch in _batches(source, min_age_s) for entry in batch}
    return any(_answers(lookup(one.id, one.name), one) for one in found)


def _answers(destination: Backend | None, key: _Destination) -> bool:
    try:
        return destination is not None and _is_meant(destination, key) and bool(destination.read(("PING",)))
    except BackendError:
        return False


def _is_meant(destination: Backend, key: _Destination) -> bool:
    """Whether the keys of what was sent are still where this backend has its own, and may be written."""
    return destination.profile.prefix == key.prefix and not destination.profile.read_only


def _batches(source: Backend, min_age_s: float) -> Iterable[tuple[Entry, ...]]:
    """All tokens are read first: what is settled leaves the list."""
    tokens = journal.tokens(source, most=MOST)
    for first in range(0, len(tokens), BATCH):
        found = journal.entries(source, tokens[first : first + BATCH])
        yield tuple(entry for entry in found if entry.age_s >= min_age_s)


def _destination(entry: Entry) -> _Destination:
    return _Destination(entry.destination, entry.destination_name, entry.endpoint_version, entry.prefix)


def _settled(source: Backend, lookup: Lookup, batch: Sequence[Entry], *, back: bool, force: bool) -> Settled:
    groups: dict[_Destination, list[Entry]] = {}
    for entry in batch:
        groups.setdefault(_destination(entry), []).append(entry)
    whole = Settled()
    for key, entries in groups.items():
        destination = lookup(key.id, key.name)
        one = (_sent_on(source, destination, entries, key, back=back) if destination is not None else None) or Settled()
        verdicts = dict.fromkeys((entry.token for entry in entries), Verdict.IN_TRANSIT) | one.verdicts
        if back and force and _is_away(destination, one.failure):
            one = settle.put_back(source, [entry for entry in entries if verdicts[entry.token] is Verdict.IN_TRANSIT])
            verdicts |= one.verdicts
        whole.verdicts |= verdicts
        whole.failure = whole.failure or one.failure
    return whole


def _is_away(destination: Backend | None, failure: BackendError | None) -> bool:
    """Whether a destination is gone, or was not reached. A source that fails, or a mere refusal, says nothing about what has arrived."""
    return destination is None or (isinstance(failure, Unreachable) and failure.backend == destination.name)


def _sent_on(source: Backend, destination: Backend, entries: Sequence[Entry], key: _Destination, *, back: bool) -> Settled | None:
    """None for a destination whose keys are elsewhere now, or that is read-only: nothing there can say what became of these jobs."""
    if not _is_meant(destination, key):
        return None
    is_sure = str(destination.profile.endpoint_version) == key.endpoint_version
    route = Route(source, destination, _has_replicas(source), _has_replicas(destination))
    send = settle.back if back else settle.forward
    return send(route, entries, is_sure=is_sure)


def _has_replicas(backend: Backend) -> bool:
    try:
        (info,) = backend.read(("INFO",), strict=False)
    except BackendError:
        return False
    return bool(info.get("connected_slaves")) if isinstance(info, dict) else False
