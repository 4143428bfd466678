"""A job's raw fields as text, for the tab that shows them."""

from __future__ import annotations

import json

from rqdash.model.duration import size
from rqdash.queries import decode
from rqdash.queries.job_fields import RawJob, Stored

PACKED = ("data", "meta", "result", "exc_info")
HIDDEN = "hidden"
MOST_FIELDS = 200


def fields(raw: RawJob) -> tuple[tuple[str, str], ...]:
    """(field, text) by name, at most 200; what is not text is described, the headers of webhooks are hidden."""
    pairs = list(raw.fields.items())[:MOST_FIELDS]
    return tuple((decode.text(decode.wire(name), limit=200), _text(name, stored)) for name, stored in pairs)


def _text(name: str, stored: Stored) -> str:
    if name in PACKED:
        return f"{size(stored.size)}, packed" if stored.size else ""
    if stored.value is None:
        return f"{size(stored.size)}: more than is read"
    if name == "webhooks":
        return _masked(stored)
    if not _is_text(stored.value):
        return f"{size(stored.size)}, not text"
    shown = decode.text(stored.value)
    return shown if stored.size <= decode.SHOWN_BYTES else f"{shown}… ({size(stored.size)})"


def _is_text(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut in two at the end is no sign of binary data.
        return error.start >= len(value) - 3 and len(value) >= decode.SHOWN_BYTES
    return True


def _masked(stored: Stored) -> str:
    """Webhooks with the values of their headers hidden: they hold passwords. What cannot be read is hidden whole."""
    try:
        hooks = json.loads(stored.value or b"[]")
    except (ValueError, RecursionError):
        hooks = None
    if not isinstance(hooks, list) or not all(isinstance(hook, dict) for hook in hooks):
        return f"{HIDDEN}, {size(stored.size)}"
    return json.dumps([_without_headers(hook) for hook in hooks])[: decode.SHOWN_BYTES]


def _without_headers(hook: dict[str, object]) -> dict[str, object]:
    headers = hook.get("headers")
    masked = dict.fromkeys(headers, HIDDEN) if isinstance(headers, dict) else HIDDEN if headers else headers
    return {**hook, "headers": masked} if "headers" in hook else hook
