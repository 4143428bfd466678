"""Operations as the database keeps them: values to JSON and back, verdicts as letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from rqdash.model.outcome import Verdict
from rqdash.operations.values import Asked, Event, Operation, Part, Sample, State, Wait, Who
from rqdash.store.tables import OperationRow

LETTERS = {
    Verdict.DONE: "d",
    Verdict.GONE: "g",
    Verdict.RACED: "r",
    Verdict.RUNNING: "w",
    Verdict.STALE: "s",
    Verdict.HAS_DEPENDENTS: "h",
    Verdict.RATE_LIMITED: "l",
    Verdict.CONFLICT: "c",
    Verdict.REFUSED: "x",
    Verdict.BAD_ID: "b",
    Verdict.SERIALIZER: "z",
    Verdict.IN_TRANSIT: "t",
    Verdict.EARLY: "e",
    Verdict.TOLD: "o",
    Verdict.UNHEARD: "n",
    Verdict.UNKNOWN: "u",
}
"""Stored for years: a letter never changes its meaning."""

NOT_REACHED = "."
VERDICTS = {letter: verdict for verdict, letter in LETTERS.items()}

UNATTENDED_S = 5.0
"""After so long without a runner people are told, for runners look every second."""

Fields = dict[str, object]


def letters(ids: Sequence[str], verdicts: Mapping[str, Verdict]) -> str:
    """A letter for each id, in their order; a dot for one without a verdict."""
    return "".join(LETTERS[verdicts[job_id]] if job_id in verdicts else NOT_REACHED for job_id in ids)


def asked_fields(asked: Asked) -> Fields:
    return {
        "backends": list(asked.backends),
        "search": asked.search,
        "as_of": asked.as_of.isoformat(),
        "who": [asked.who.kind, asked.who.name, asked.who.address],
        "everything": asked.everything,
        "to_backend": asked.to_backend,
        "to_queue": asked.to_queue,
        "at_front": asked.at_front,
        "why": asked.why,
    }


def asked_of(verb: str, fields: Mapping[str, Any]) -> Asked:
    return Asked(
        verb=verb,
        backends=tuple(fields["backends"]),
        search=fields["search"],
        as_of=datetime.fromisoformat(fields["as_of"]),
        who=Who(*fields["who"]),
        everything=fields["everything"],
        to_backend=fields["to_backend"],
        to_queue=fields["to_queue"],
        at_front=fields["at_front"],
        why=fields["why"],
    )


def part_fields(part: Part) -> Fields:
    return {
        "name": part.name,
        "endpoint_version": part.endpoint_version,
        "is_protected": part.is_protected,
        "is_target": part.is_target,
        "matched": part.matched,
        "scanned": part.scanned,
        "excluded": [list(pair) for pair in part.excluded],
        "problem": part.problem,
        "warnings": list(part.warnings),
        "samples": [sample_fields(sample) for sample in part.samples],
    }


def part_of(fields: Mapping[str, Any]) -> Part:
    return Part(
        name=fields["name"],
        endpoint_version=fields["endpoint_version"],
        is_protected=fields["is_protected"],
        is_target=fields["is_target"],
        matched=fields["matched"],
        scanned=fields["scanned"],
        excluded=tuple((reason, count) for reason, count in fields["excluded"]),
        problem=fields["problem"],
        warnings=tuple(fields["warnings"]),
        samples=tuple(Sample(*sample) for sample in fields["samples"]),
    )


def sample_fields(sample: Sample) -> list[str]:
    return [sample.backend, sample.queue, sample.registry, sample.id, sample.function]


def wait_of(backend: str, fields: Mapping[str, Any]) -> Wait:
    again_at = datetime.fromisoformat(fields["again_at"]) if fields["again_at"] else None
    return Wait(backend, fields["reason"], datetime.fromisoformat(fields["since"]), again_at, fields["tries"])


def wait_fields(wait: Wait) -> Fields:
    again_at = wait.again_at.isoformat() if wait.again_at else None
    return {"reason": wait.reason, "since": wait.since.isoformat(), "again_at": again_at, "tries": wait.tries}


def counts_of(fields: Mapping[str, Mapping[str, int]]) -> dict[str, dict[Verdict, int]]:
    return {backend: {Verdict(verdict): count for verdict, count in counts.items()} for backend, counts in fields.items()}


def operation(row: OperationRow, *, now_s: float) -> Operation:
    """A row as a value; now_s is the database's clock."""
    return Operation(
        id=row.id,
        state=State(row.state),
        asked=asked_of(row.verb, row.asked),
        total=row.total,
        items=row.items,
        parts=tuple(part_of(cast("dict[str, Any]", part)) for part in row.plan),
        counts=counts_of(row.counts),
        samples={Verdict(verdict): tuple(Sample(*sample) for sample in samples) for verdict, samples in row.samples.items()},
        waits=tuple(wait_of(backend, cast("dict[str, Any]", fields)) for backend, fields in row.waits.items()),
        events=tuple(Event(datetime.fromisoformat(at), who, what) for at, who, what in row.events),
        rate=row.rate,
        problem=row.problem,
        is_attended=row.until_s > now_s or row.not_before_s > now_s or now_s - row.touched_s < UNATTENDED_S,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
