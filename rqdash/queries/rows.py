"""A job's row from its raw fields, for lists of jobs and for what a worker runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict, Unpack

from rqdash.backends.backend import Backend, Command
from rqdash.model import failure, payload, redaction
from rqdash.model.duration import size
from rqdash.model.job import JobRow
from rqdash.model.keys import Keys
from rqdash.model.payload import Call
from rqdash.model.redaction import Redaction
from rqdash.model.registry import Registry
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
ERROR_END_CHARS = 1_500
"""Of an error's text, for the frames that a row opens to: the last ten or so."""


@dataclass(frozen=True, slots=True)
class RawError:
    """A job's error as stored; text is None when it is larger than 64 KB. newest: the id of its newest result, which tells when."""

    size: int = 0
    text: bytes | None = None
    newest: bytes | None = None


@dataclass(frozen=True, slots=True)
class RawRow:
    """A job's fields as stored. data is None when missing or larger than 8 KB; texts are cut to 2 KB, names over 64 KB are None.

    head: what larger data begins with, where that was read.
    """

    data_size: int
    data: bytes | None
    values: dict[str, bytes | None]
    head: bytes | None = None

    @property
    def exists(self) -> bool:
        return self.data_size > 0 or any(value is not None for value in self.values.values())


def raw_row(reply: object) -> RawRow:
    """What row.lua returns: the size of data, data or what it begins with, then FIELDS."""
    data_size, data, *values = decode.many(reply) or (0, None)
    return _raw(data_size, data, values)


def commands(keys: Keys, job_ids: Sequence[str]) -> list[Command]:
    """The first step without scripts, two commands a job."""
    jobs = [decode.wire(keys.job(job_id)) for job_id in job_ids]
    return [command for job in jobs for command in (("HSTRLEN", job, "data"), ("HMGET", job, *FIELDS))]


def data_commands(keys: Keys, job_ids: Sequence[str], replies: Sequence[object]) -> list[Command]:
    """The second step: the data of the jobs whose data is small; what larger data begins with is told by scripts alone."""
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


class Listed(TypedDict, total=False):
    """What a registry says of a job in it; see JobRow."""

    registry: Registry
    due_at: datetime | None
    expires_at: datetime | None
    is_expired: bool
    execution_id: str
    noticed_at: datetime | None
    canceled_at: datetime | None
    error_type: str
    error_message: str
    error_end: str


def job_row(
    raw: RawRow, *, backend: Backend, job_id: str, queue: str, call: Call | None = None, worker: str = "", **listed: Unpack[Listed]
) -> JobRow:
    """The row of a job, as far as the backend's profile shows arguments; queue is taken where the job names none.

    call is what the job's data says, where that was read already; worker goes before the job's own.
    """
    values = raw.values
    function, line, description = told(Called(raw, decode.text(values["description"]), call), redaction.of(backend.profile))
    attempt, attempts = _attempts(values)
    return JobRow(
        backend.name,
        job_id,
        queue or decode.name(values["origin"]),
        exists=raw.exists,
        status=decode.text(values["status"], limit=80),
        function=function,
        arguments=line,
        description=description,
        created_at=decode.when(values["created_at"]),
        enqueued_at=decode.when(values["enqueued_at"]),
        started_at=decode.when(values["started_at"]),
        ended_at=decode.when(values["ended_at"]),
        worker=worker or decode.name(values["worker_name"]),
        timeout_s=decode.timeout_s(values["timeout"]),
        attempt=attempt,
        attempts=attempts,
        **listed,
    )


@dataclass(frozen=True, slots=True)
class Called:
    """What a job would run, as far as it is known: its raw row, its description, and its call where that was read already."""

    raw: RawRow
    description: str
    call: Call | None = None

    def glance(self, hides: Redaction) -> tuple[str, bool]:
        """(function, whether a rule could hide something of the data).

        The function is what the data says, "" when that is not known: anybody may have written the description.
        """
        if self.call is not None and self.call.function:
            return self.call.function, bool(self.call.rules)
        if self.raw.data is None:
            return payload.function(self.raw.head), False
        function, is_touched = payload.glance(self.raw.data, hides)
        return function, is_touched if self.call is None else bool(self.call.rules)

    def decoded(self, hides: Redaction) -> Call | None:
        """Its call without what is hidden; None when it cannot be read."""
        call = self.call or (payload.call(self.raw.data, hides, is_brief=True) if self.raw.data else None)
        return call if call is not None and call.serializer != "unknown" and not call.problem else None


def told(called: Called, hides: Redaction) -> tuple[str, str, str]:
    """(function, one line of arguments, description) as a profile's policy shows them."""
    function, is_touched = called.glance(hides)
    return (function, *_values(called, function, hides, is_touched=is_touched))


def _values(called: Called, function: str, hides: Redaction, *, is_touched: bool) -> tuple[str, str]:
    """(one line of arguments, description).

    Where a rule could hide something, RQ's own description is written anew from what the data says; it cuts values without a sign
    and takes an object's word for what it is, so its text alone does not tell where a value ends.
    """
    if not hides.is_shown:
        call = None if hides.is_hidden else called.decoded(hides)
        return payload.one_line(call) if call else "", ""
    line = arguments(called.description, function=function)
    if not (is_touched or hides.touches(called.description)):
        return line, called.description
    call = called.decoded(hides)
    if call is None or not function:
        text = hides.text(called.description)
        return arguments(text, function=function), text
    line = payload.one_line(call)
    is_ours = called.description.startswith(f"{function}(")
    return (line, f"{function}({line})") if is_ours else ("", hides.text(called.description))


def arguments(description: str, *, function: str) -> str:
    """The arguments in RQ's own description, "<function>(<arguments>)"; "" when somebody wrote another description."""
    if not function or not description.startswith(f"{function}("):
        return ""
    return description[len(function) + 1 :].removesuffix(")")


def error_summary(error: RawError) -> tuple[str, str, str]:
    """(type, message, how the text ends) of an error; one too large to read is unknown and says its size."""
    if error.size > 0 and error.text is None:
        return "", f"unknown, {size(error.size)}", ""
    text, _ = payload.text(error.text)
    return (*failure.summary(text), text[-ERROR_END_CHARS:]) if text else ("", "", "")


def _raw(data_size: object, data: object, values: Sequence[object]) -> RawRow:
    padded = [*values, *[None] * (len(FIELDS) - len(values))]
    # Nearly every value is None or short; a call for each would take longer than all the rest.
    bounded = {
        field: value if value is None or (type(value) is bytes and len(value) <= decode.SHOWN_BYTES) else _bounded(field, value)
        for field, value in zip(FIELDS, padded, strict=True)
    }
    n_bytes, stored = decode.integer(data_size) or 0, data if isinstance(data, bytes) else None
    is_small = n_bytes <= SMALL_DATA_BYTES
    return RawRow(n_bytes, stored if is_small else None, bounded, None if is_small else stored)


def _bounded(field: str, value: object) -> bytes | None:
    if not isinstance(value, bytes) or (field in NAMES and len(value) > LONGEST_NAME_BYTES):
        return None
    return value if field in NAMES else value[: decode.SHOWN_BYTES]


def _attempts(values: dict[str, bytes | None]) -> tuple[int | None, int | None]:
    """(this attempt, attempts at most). RQ before 2.3 does not count retries: with none left, how many there were is unknown."""
    done, left = decode.integer(values["number_of_retries"]), decode.integer(values["retries_left"])
    if done is None and not left:
        return None, None
    attempt = (done or 0) + 1
    return attempt, None if left is None else attempt + left
