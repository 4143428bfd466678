"""A job's row from its raw fields, for lists of jobs and for what a worker runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rqdash.backends.backend import Command
from rqdash.model import failure, payload
from rqdash.model.duration import size
from rqdash.model.job import JobRow
from rqdash.model.keys import Keys
from rqdash.queries import decode

FIELDS = (
    "status",
    "description",
    "origin",
    "created_at",
    "enqueued_at",
    "started_at",
    "ended_at",
    "timeout",
    "worker_name",
    "number_of_retries",
    "retries_left",
    "last_heartbeat",
)
NAMES = ("origin", "worker_name")
SMALL_DATA_BYTES = 8192
LONGEST_NAME_BYTES = 65536
SMALL_ERROR_BYTES = 65536
CALLED = re.compile(r"([A-Za-z_][\w.<>]*)\(")


@dataclass(frozen=True, slots=True)
class RawError:
    """A job's error as stored; text is None when it is larger than 64 KB."""

    size: int = 0
    text: bytes | None = None


@dataclass(frozen=True, slots=True)
class RawRow:
    """A job's fields as stored. data is None when missing or larger than 8 KB; texts are cut to 2 KB, names over 64 KB are None."""

    data_size: int
    data: bytes | None
    values: dict[str, bytes | None]

    @property
    def exists(self) -> bool:
        return self.data_size > 0 or any(value is not None for value in self.values.values())


def raw_row(reply: object) -> RawRow:
    """What row.lua returns: the size of data, data, then FIELDS."""
    data_size, data, *values = decode.many(reply) or (0, None)
    return _raw(data_size, data, values)


def commands(keys: Keys, job_ids: Sequence[str]) -> list[Command]:
    """The first step without scripts, two commands a job."""
    jobs = [decode.wire(keys.job(job_id)) for job_id in job_ids]
    return [command for job in jobs for command in (("HSTRLEN", job, "data"), ("HMGET", job, *FIELDS))]


def data_commands(keys: Keys, job_ids: Sequence[str], replies: Sequence[object]) -> list[Command]:
    """The second step: the data of the jobs whose data is small."""
    sizes = [decode.integer(reply) or 0 for reply in replies[::2]]
    small = [job_id for job_id, n_bytes in zip(job_ids, sizes, strict=True) if 0 < n_bytes <= SMALL_DATA_BYTES]
    return [("HGET", decode.wire(keys.job(job_id)), "data") for job_id in small]


def raw_rows(replies: Sequence[object], data: Sequence[object]) -> list[RawRow]:
    """The rows that the two steps read, as the script gives them."""
    found = iter(data)
    rows = []
    for size_reply, values in zip(replies[::2], replies[1::2], strict=True):
        data_size = decode.integer(size_reply) or 0
        small = next(found) if 0 < data_size <= SMALL_DATA_BYTES else None
        rows.append(_raw(data_size, small, decode.many(values)))
    return rows


def job_row(raw: RawRow, *, backend: str, job_id: str, queue: str) -> JobRow:
    """The row without what its registry says; queue is taken where the job names none."""
    values = raw.values
    description = decode.text(values["description"])
    function = _function(raw, description)
    attempt, attempts = _attempts(values)
    return JobRow(
        backend,
        job_id,
        queue or decode.name(values["origin"]),
        exists=raw.exists,
        status=decode.text(values["status"], limit=80),
        function=function,
        arguments=arguments(description, function=function),
        description=description,
        created_at=decode.when(values["created_at"]),
        enqueued_at=decode.when(values["enqueued_at"]),
        started_at=decode.when(values["started_at"]),
        ended_at=decode.when(values["ended_at"]),
        worker=decode.name(values["worker_name"]),
        timeout_s=decode.timeout_s(values["timeout"]),
        attempt=attempt,
        attempts=attempts,
    )


def arguments(description: str, *, function: str) -> str:
    """The arguments in RQ's own description, "<function>(<arguments>)"; "" when somebody wrote another description."""
    if not function or not description.startswith(f"{function}("):
        return ""
    return description[len(function) + 1 :].removesuffix(")")


def error_summary(error: RawError) -> tuple[str, str]:
    """(type, message) of an error; one too large to read is unknown and says its size."""
    if error.size > 0 and error.text is None:
        return "", f"unknown, {size(error.size)}"
    text, _ = payload.text(error.text)
    return failure.summary(text) if text else ("", "")


def _raw(data_size: object, data: object, values: Sequence[object]) -> RawRow:
    padded = [*values, *[None] * (len(FIELDS) - len(values))]
    bounded = {field: _bounded(field, value) for field, value in zip(FIELDS, padded, strict=True)}
    return RawRow(decode.integer(data_size) or 0, data if isinstance(data, bytes) else None, bounded)


def _bounded(field: str, value: object) -> bytes | None:
    if not isinstance(value, bytes) or (field in NAMES and len(value) > LONGEST_NAME_BYTES):
        return None
    return value if field in NAMES else value[: decode.SHOWN_BYTES]


def _function(raw: RawRow, description: str) -> str:
    """From the data; where that is too large to read for a row, from the description that RQ writes."""
    if raw.data is not None:
        return payload.function(raw.data)
    called = CALLED.match(description) if raw.data_size > SMALL_DATA_BYTES else None
    return called.group(1) if called else ""


def _attempts(values: dict[str, bytes | None]) -> tuple[int | None, int | None]:
    """(this attempt, attempts at most). RQ before 2.3 does not count retries: with none left, how many there were is unknown."""
    done, left = decode.integer(values["number_of_retries"]), decode.integer(values["retries_left"])
    if done is None and not left:
        return None, None
    attempt = (done or 0) + 1
    return attempt, None if left is None else attempt + left
