"""Everything on a server by value, to see what changed and what did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

READ: dict[bytes, Callable[[Any, bytes], Any]] = {
    b"string": lambda pipeline, key: pipeline.get(key),
    b"list": lambda pipeline, key: pipeline.lrange(key, 0, -1),
    b"set": lambda pipeline, key: pipeline.smembers(key),
    b"zset": lambda pipeline, key: pipeline.zrange(key, 0, -1, withscores=True),
    b"hash": lambda pipeline, key: pipeline.hgetall(key),
    b"stream": lambda pipeline, key: pipeline.xrange(key),
}


def contents(client: redis.Redis) -> dict[bytes, object]:
    """Every key with its value; a set's DUMP has no order to rely on, so values are read."""
    keys = sorted(client.keys("*"))
    kinds = client.pipeline(transaction=False)
    for key in keys:
        kinds.type(key)
    values = client.pipeline(transaction=False)
    for key, kind in zip(keys, kinds.execute(), strict=True):
        READ[kind](values, key)
    return dict(zip(keys, values.execute(), strict=True))


def changed(before: dict[bytes, object], after: dict[bytes, object]) -> set[bytes]:
    """The keys that came, went, or have another value."""
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
