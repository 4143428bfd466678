"""A job's raw fields as text, for the list that shows them, as far as the profile's policy goes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from rqdash.model.duration import size
from rqdash.model.job import Callback, JobRow, Webhook
from rqdash.model.redaction import HIDDEN as BY_POLICY
from rqdash.model.redaction import Redaction
from rqdash.queries import decode
from rqdash.queries.job_fields import RawJob, Stored

PACKED = ("data", "meta", "result", "exc_info")
CALLBACKS = ("success", "failure", "stopped")
PLAIN = (
    *("status", "origin", "created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "worker_name", "timeout"),
    *("result_ttl", "failure_ttl", "ttl", "dependency_ids", "dependency_id", "allow_dependency_failures", "enqueue_at_front"),
    *(f"{event}_callback_{part}" for event in CALLBACKS for part in ("name", "timeout")),
    *("retries_left", "retry_intervals", "number_of_retries", "enqueue_at_front_on_retry", "repeats_left", "repeat_intervals"),
    *("group_id", "rate_limit_key", "rate_limit_concurrency"),
)
"""RQ's own fields that hold nothing of the arguments."""
HIDDEN = "hidden"
MOST_FIELDS = 200
MOST_HOOKS = 20
MOST_HEADERS = 50
_USER = re.compile(r"(?<=//)[^/?#]*@")
_HOST = re.compile(r"[A-Za-z][\w+.-]*://[^/?#]*")


def fields(raw: RawJob, row: JobRow, hides: Redaction) -> tuple[tuple[str, str], ...]:
    """(field, text) by name, at most 200; what is not text is described. Headers of webhooks and what the policy hides are not here."""
    pairs = list(raw.fields.items())[:MOST_FIELDS]
    return tuple((decode.text(decode.wire(name), limit=200), _text(name, stored, row, hides)) for name, stored in pairs)


def callbacks(raw: RawJob) -> tuple[Callback, ...]:
    """What is called at which end; their timeouts are None where RQ's default holds."""
    found = ((event, decode.text(raw.value(f"{event}_callback_name"))) for event in CALLBACKS)
    return tuple(Callback(event, path, decode.timeout_s(raw.value(f"{event}_callback_timeout"))) for event, path in found if path)


def webhooks(raw: RawJob, hides: Redaction) -> tuple[Webhook, ...]:
    """The webhooks, at most 20; what is no webhook is left out."""
    return tuple(_webhook(hook, hides) for hook in (_hooks(raw.fields.get("webhooks")) or ())[:MOST_HOOKS])


def _text(name: str, stored: Stored, row: JobRow, hides: Redaction) -> str:
    if name in PACKED:
        return f"{size(stored.size)}, packed" if stored.size else ""
    if stored.value is None:
        return f"{size(stored.size)}: more than is read"
    if name == "description" and hides.touches(decode.text(stored.value)):
        return row.description
    if name not in PLAIN and (hidden := _hidden(name, stored, hides)):
        return hidden
    if name == "webhooks":
        return _masked(stored, hides)
    if not _is_text(stored.value):
        return f"{size(stored.size)}, not text"
    shown = decode.text(stored.value) if name in PLAIN else hides.text(decode.text(stored.value))
    return shown if stored.size <= decode.SHOWN_BYTES else f"{shown}… ({size(stored.size)})"


def _hidden(name: str, stored: Stored, hides: Redaction) -> str:
    """Why a field that may hold anything is not shown; "" when it is."""
    if rule := hides.rule(name):
        return f"hidden by the rule {rule}"
    return f"{size(stored.size)}, {BY_POLICY}" if not hides.is_shown and name != "webhooks" else ""


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut in two at the end is no sign of binary data.
        return error.start >= len(value) - 3 and len(value) >= decode.SHOWN_BYTES
    return True


def _masked(stored: Stored, hides: Redaction) -> str:
    """Webhooks with the values of their headers hidden: they hold passwords. What cannot be read is hidden whole."""
    hooks = _hooks(stored)
    if hooks is None:
        return f"{HIDDEN}, {size(stored.size)}"
    return json.dumps([dict(_without_secrets(hook, hides)) for hook in hooks[:MOST_HOOKS]])[: decode.SHOWN_BYTES]


def _without_secrets(hook: dict[str, object], hides: Redaction) -> Iterator[tuple[str, object]]:
    for name, value in hook.items():
        if name == "headers":
            yield name, dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN if value else value
        elif name == "url":
            yield name, _address(value, hides)
        elif name in ("job_status", "method", "timeout"):
            yield name, value
        else:
            yield name, HIDDEN


def _hooks(stored: Stored | None) -> list[dict[str, object]] | None:
    """The webhooks as stored; None when they cannot be read."""
    try:
        hooks = json.loads((stored.value if stored else None) or b"[]")
    except (ValueError, RecursionError):
        return None
    return hooks if isinstance(hooks, list) and all(isinstance(hook, dict) for hook in hooks) else None


def _webhook(hook: dict[str, object], hides: Redaction) -> Webhook:
    headers, timeout = hook.get("headers"), hook.get("timeout")
    return Webhook(
        _address(hook.get("url"), hides),
        _word(hook.get("job_status")),
        _word(hook.get("method")),
        tuple(_word(name) for name in list(headers)[:MOST_HEADERS]) if isinstance(headers, dict) else (),
        timeout if isinstance(timeout, int) and not isinstance(timeout, bool) else None,
    )


def _address(value: object, hides: Redaction) -> str:
    """A URL without its user and password, and without what rules hide; under a policy that shows no values its host alone."""
    url = _USER.sub("…@", value[: decode.SHOWN_BYTES]) if isinstance(value, str) else ""
    if hides.is_shown:
        return hides.text(url)
    host = _HOST.match(url)
    return f"{host[0]}/…" if host else BY_POLICY


def _word(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""
