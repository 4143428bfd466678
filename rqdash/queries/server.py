"""What INFO says of a server, as facts; what it does not say is unknown, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from rqdash.errors import BackendError
from rqdash.model.queue import ServerFacts

FACTS = ("product", "version", "role", "maxmemory_policy", "used_memory_bytes", "keyspaces")
PRODUCTS = (("valkey_version", "Valkey"), ("dragonfly_version", "Dragonfly"), ("redis_version", "Redis"))
ROLES = {"master": "master", "slave": "replica"}
SILENT = "The server's INFO does not say."


def facts(reply: object) -> ServerFacts:
    """The facts in a reply to INFO as redis-py parses it; a refused INFO makes every fact unknown, in the refusal's words."""
    if isinstance(reply, BackendError):
        return ServerFacts(unknown=tuple((fact, reply.message) for fact in FACTS))
    info: Mapping[object, object] = reply if isinstance(reply, dict) else {}
    product, version = next(((title, _word(info, field)) for field, title in PRODUCTS if _word(info, field)), ("", ""))
    policy = _word(info, "maxmemory_policy")
    used, most = info.get("used_memory"), info.get("maxmemory")
    silent = [fact for fact, value in (("version", version), ("role", _word(info, "role")), ("maxmemory_policy", policy)) if not value]
    return ServerFacts(
        product=product,
        version=version,
        role=ROLES.get(_word(info, "role"), _word(info, "role")),
        maxmemory_policy=policy,
        used_memory_bytes=used if isinstance(used, int) else None,
        maxmemory_bytes=most if isinstance(most, int) else None,
        keyspaces=_keyspaces(info),
        unknown=tuple((fact, SILENT) for fact in silent),
    )


def skew_s(reply: object, *, sent_s: float, answered_s: float) -> int | None:
    """By how many whole seconds the server's clock is ahead of ours (negative: behind), at least, in a reply to INFO.

    The server told its time somewhen between sent_s and answered_s, seconds since 1970 by our clock; what lies between is no skew.
    None where INFO does not tell the time, as before Redis 6.2.
    """
    told_us = reply.get("server_time_usec") if isinstance(reply, dict) else None
    if not isinstance(told_us, int):
        return None
    told_s = told_us / 1_000_000
    return int(max(told_s - answered_s, 0) or min(told_s - sent_s, 0))


def _word(info: Mapping[object, object], field: str) -> str:
    value = info.get(field)
    return str(value)[:80] if value is not None else ""


def _keyspaces(info: Mapping[object, object]) -> tuple[int, ...]:
    numbers = (str(field)[2:] for field in info if str(field).startswith("db"))
    return tuple(sorted(int(number) for number in numbers if number.isdecimal()))
