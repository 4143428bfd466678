"""The commands rqdash sends, each with arguments that are valid and touch nothing that exists."""

from __future__ import annotations

from dataclasses import dataclass

from rqdash.model.keys import Keys

NO_SCRIPT = "0" * 40
OPTIONAL = frozenset({"time", "info", "evalsha", "evalsha_ro", "script|exists", "script|load", "pubsub|numsub"})
"""Reads that pages can do without: by pipelines instead of scripts, and with "unknown" where a fact is missing."""

NEWER = frozenset({"evalsha_ro", "lpos"})
"""Commands that older servers lack (before Redis 7 and 6.0.6), and that pages do without there."""


@dataclass(frozen=True, slots=True)
class Need:
    """One command: name as ACL spells it, words as sent. may_be_tried when sending it changes nothing."""

    name: str
    words: tuple[str, ...]
    may_be_tried: bool = True


def reads(keys: Keys) -> tuple[Need, ...]:
    """What pages read with, on a key of our own that is never written."""
    return (
        *(Need(words[0], words) for words in _plain_reads(keys.own("probe"))),
        Need("script|exists", ("script", "exists", NO_SCRIPT)),
        Need("script|load", ("script", "load", "return 1"), may_be_tried=False),
        Need("pubsub|numsub", ("pubsub", "numsub", keys.of("pubsub", "probe"))),
    )


def writes(keys: Keys) -> tuple[Need, ...]:
    """What actions change with. Never sent: only asked about."""
    channel = keys.of("pubsub", "probe")
    plain = (*_plain_writes(keys.own("probe")), ("publish", channel, "x"))
    return tuple(Need(words[0], words, may_be_tried=False) for words in plain)


def _plain_reads(key: str) -> tuple[tuple[str, ...], ...]:
    on_nothing = ("smembers", "scard", "hgetall", "llen", "zcard", "xlen", "get", "exists", "pttl", "ttl", "type")
    return (
        *((name, key) for name in on_nothing),
        ("sismember", key, "x"),
        ("hmget", key, "x"),
        ("hget", key, "x"),
        ("hstrlen", key, "x"),
        ("lrange", key, "0", "0"),
        ("lindex", key, "0"),
        ("lpos", key, "x"),
        ("zcount", key, "0", "0"),
        ("zrange", key, "0", "0"),
        ("zrevrange", key, "0", "0"),
        ("zscore", key, "x"),
        ("xrevrange", key, "+", "-", "COUNT", "1"),
        ("time",),
        ("info",),
        ("evalsha", NO_SCRIPT, "0"),
        ("evalsha_ro", NO_SCRIPT, "0"),
    )


def _plain_writes(key: str) -> tuple[tuple[str, ...], ...]:
    return (
        ("evalsha", NO_SCRIPT, "1", key),
        *((name, key) for name in ("lpop", "del", "persist")),
        *((name, key, "x") for name in ("lpush", "rpush", "zrem", "sadd", "srem", "hdel", "set")),
        *((name, key, "1") for name in ("expire", "pexpire")),
        ("lrem", key, "0", "x"),
        ("lset", key, "0", "x"),
        ("ltrim", key, "0", "0"),
        ("zadd", key, "0", "x"),
        ("hset", key, "x", "x"),
        ("xadd", key, "*", "x", "x"),
        ("xdel", key, "0-1"),
    )
