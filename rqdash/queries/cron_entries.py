"""The jobs of a cron scheduler from the JSON it keeps, tolerantly: an entry that makes no sense is left out, never an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from rqdash.model import payload
from rqdash.model.cron import CronEntry
from rqdash.model.redaction import Redaction
from rqdash.queries import decode

MOST_ENTRIES = 500
LONGEST = 500
NUMBERS = ("job_timeout", "result_ttl", "ttl", "failure_ttl")
"""Options that RQ writes as numbers, in seconds."""
SET = ("meta", "webhooks")
"""Options that may hold anything, secrets too: that they are there is all that is said."""
NOT_JSON = "<not JSON serializable>"


def entries(raw: bytes, hides: Redaction) -> tuple[CronEntry, ...] | None:
    """The jobs in the field cron_jobs of a scheduler, at most 500, as far as a profile's policy shows them; None when it is garbled."""
    found = _json(raw)
    if not isinstance(found, list):
        return None
    return tuple(_entry(item, hides) for item in found[:MOST_ENTRIES] if isinstance(item, dict) and _text(item, "func_name"))


def _json(raw: bytes | str) -> object:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _entry(item: Mapping[str, object], hides: Redaction) -> CronEntry:
    function, interval = _text(item, "func_name"), item.get("interval")
    interval_s = int(interval) if isinstance(interval, int | float) and 0 < interval < 1e11 else None
    name, queue, cron = _text(item, "name") or function, _text(item, "queue_name"), _text(item, "cron")
    return CronEntry(
        (name, function, queue, interval_s, cron, _text(item, "args"), _text(item, "kwargs")),
        name,
        function,
        queue,
        interval_s=interval_s,
        cron=cron[:LONGEST],
        arguments=_arguments(item, function, hides),
        options=_options(item),
        latest_at=_when(item, "latest_enqueue_time"),
        next_at=_when(item, "next_enqueue_time"),
    )


def _text(item: Mapping[str, object], field: str) -> str:
    """A text of the entry; half a surrogate pair, which no bytes stand for, becomes a question mark."""
    value = item.get(field)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def _when(item: Mapping[str, object], field: str) -> datetime | None:
    moment = decode.when(_text(item, field).encode())
    # RQ writes the last moment there is for a job that never comes.
    return moment if moment is not None and moment.year < 9000 else None


def _arguments(item: Mapping[str, object], function: str, hides: Redaction) -> str:
    """One line, made as of a job whose data is JSON, so that a profile's rules reach it."""
    if hides.is_hidden:
        return ""
    args, kwargs = _text(item, "args"), _text(item, "kwargs")
    if NOT_JSON in (args, kwargs):
        return "arguments that are not JSON"
    positional, named = _json(args or "[]"), _json(kwargs or "{}")
    data = json.dumps([function, None, positional if isinstance(positional, list) else [], named if isinstance(named, dict) else {}])
    return payload.one_line(payload.call(data.encode(), hides, is_brief=True))


def _options(item: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    numbers = [(field, item[field]) for field in NUMBERS if item.get(field) is not None]
    return (*((field, _seconds(value)) for field, value in numbers), *((field, "set") for field in SET if item.get(field)))


def _seconds(value: object) -> str:
    """As RQ takes it: a number of seconds, -1 for ever, or a text such as "1h"."""
    text = str(value)[:40].encode("utf-8", "replace").decode("utf-8")
    if not isinstance(value, int | float):
        return text
    return "for ever" if value < 0 else f"{text} s"
