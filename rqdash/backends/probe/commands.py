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
    key = keys.own("probe")
    plain = (
        ("smembers", key),
        ("scard", key),
        ("sismember", key, "x"),
        ("hgetall", key),
        ("hmget", key, "x"),
        ("hget", key, "x"),
        ("hstrlen", key, "x"),
        ("llen", key),
        ("lrange", key, "0", "0"),
        ("lindex", key, "0"),
        ("lpos", key, "x"),
        ("zcard", key),
        ("zcount", key, "0", "0"),
        ("zrange", key, "0", "0"),
        ("zrevrange", key, "0", "0"),
        ("zscore", key, "x"),
        ("xrevrange", key, "+", "-", "COUNT", "1"),
        ("xlen", key),
        ("get", key),
        ("exists", key),
        ("pttl", key),
        ("ttl", key),
        ("type", key),
        ("time",),
        ("info",),
        ("evalsha", NO_SCRIPT, "0"),
        ("evalsha_ro", NO_SCRIPT, "0"),
    )
    return (
        *(Need(words[0], words) for words in plain),
        Need("script|exists", ("script", "exists", NO_SCRIPT)),
        Need("script|load", ("script", "load", "return 1"), may_be_tried=False),
        Need("pubsub|numsub", ("pubsub", "numsub", keys.of("pubsub", "probe"))),
    )


def writes(keys: Keys) -> tuple[Need, ...]:
    """What actions change with. Never sent: only asked about."""
    key = keys.own("probe")
    plain = (
        ("evalsha", NO_SCRIPT, "1", key),
        ("lpush", key, "x"),
        ("rpush", key, "x"),
        ("lrem", key, "0", "x"),
        ("lset", key, "0", "x"),
        ("lpop", key),
        ("ltrim", key, "0", "0"),
        ("zadd", key, "0", "x"),
        ("zrem", key, "x"),
        ("sadd", key, "x"),
        ("srem", key, "x"),
        ("hset", key, "x", "x"),
        ("hdel", key, "x"),
        ("del", key),
        ("expire", key, "1"),
        ("pexpire", key, "1"),
        ("persist", key),
        ("set", key, "x"),
        ("publish", keys.of("pubsub", "probe"), "x"),
        ("xadd", key, "*", "x", "x"),
        ("xdel", key, "0-1"),
    )
    return tuple(Need(words[0], words, may_be_tried=False) for words in plain)
