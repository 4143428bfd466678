"""Moving between backends beside the bare protocol: the same steps for the same jobs, without a single check, in the same run."""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rqdash.actions.transfer import Transfer, carried_over
from rqdash.backends.backend import Backend
from rqdash.demo.servers import Server, start_server
from rqdash.model.profile import Profile
from rqdash.model.registry import Registry

JOBS = 20_000
BATCH = 50
ROUNDS = 3
LEAST_SHARE, LEAST_A_SECOND, LONGEST_MS = 0.6, 2_000, 5.0
LOGGED_US = 500

PREPARE = """
local place = 1
for _ = 1, tonumber(ARGV[1]) do
  local id, token, count = ARGV[place + 1], ARGV[place + 2], tonumber(ARGV[place + 3])
  redis.call('HSET', 'rq:job:' .. id, unpack(ARGV, place + 4, place + 3 + count))
  redis.call('HSET', 'rq:job:' .. id, 'status', 'canceled', 'rqdash_move', token)
  redis.call('EXPIRE', 'rq:job:' .. id, 3600)
  redis.call('HSET', 'rq:bare:in:' .. token, 'state', 'prepared', 'at', '1')
  redis.call('EXPIRE', 'rq:bare:in:' .. token, 86400)
  place = place + 3 + count
end
"""
DETACH = """
for index = 1, #ARGV, 2 do
  local id, token = ARGV[index], ARGV[index + 1]
  redis.call('LREM', 'rq:queue:mail', 1, id)
  redis.call('HSET', 'rq:bare:out:' .. token, 'state', 'detached', 'id', id, 'queue', 'mail', 'to_queue', 'slow', 'ttl_ms', '-1')
  redis.call('ZADD', 'rq:bare:out', index, token)
  redis.call('HSET', 'rq:job:' .. id, 'status', 'canceled', 'rqdash_move', token)
  redis.call('PERSIST', 'rq:job:' .. id)
end
"""
ACTIVATE = """
for index = 2, #ARGV, 2 do
  local id, token = ARGV[index], ARGV[index + 1]
  redis.call('HSET', 'rq:job:' .. id, 'status', 'queued', 'origin', 'slow', 'enqueued_at', ARGV[1], 'started_at', '', 'ended_at', '')
  redis.call('HDEL', 'rq:job:' .. id, 'rqdash_move')
  redis.call('PERSIST', 'rq:job:' .. id)
  redis.call('SADD', 'rq:queues', 'rq:queue:slow')
  redis.call('RPUSH', 'rq:queue:slow', id)
  redis.call('HSET', 'rq:bare:in:' .. token, 'state', 'active')
end
"""
CLEANUP = """
for index = 1, #ARGV, 2 do
  local id, token = ARGV[index], ARGV[index + 1]
  redis.call('DEL', 'rq:job:' .. id, 'rq:results:' .. id, 'rq:bare:out:' .. token)
  redis.call('ZREM', 'rq:bare:out', token)
end
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One way of moving; rates in jobs a second, longest_ms the longest that a command held either server."""

    name: str
    a_second: float
    longest_ms: float


def measured(jobs: int = JOBS) -> tuple[Row, Row]:
    """The bare protocol, and ours: the medians of rounds that take turns."""
    with tempfile.TemporaryDirectory() as folder, _servers(Path(folder)) as (here, there):
        rounds = [(_timed(_bare, here, there, jobs), _timed(_ours, here, there, jobs)) for _ in range(ROUNDS)]
    bare, ours = zip(*rounds, strict=True)
    return _median("bare protocol, no checks", bare), _median("rqdash", ours)


def _median(name: str, found: Sequence[tuple[float, float]]) -> Row:
    return Row(name, statistics.median(rate for rate, _ in found), statistics.median(longest for _, longest in found))


@contextmanager
def _servers(folder: Path) -> Iterator[tuple[Server, Server]]:
    servers = [start_server(folder / name) for name in ("here", "there")]
    try:
        yield servers[0], servers[1]
    finally:
        for server in servers:
            server.stop()


def _timed(way: Callable[[Server, Server, list[str]], None], here: Server, there: Server, jobs: int) -> tuple[float, float]:
    with here.client() as source, there.client() as destination:
        ids = _fill(source, destination, jobs)
        for client in (source, destination):
            client.config_set("slowlog-log-slower-than", LOGGED_US)
            client.slowlog_reset()
        began_s = time.perf_counter()
        way(here, there, ids)
        took_s = time.perf_counter() - began_s
        for client in (source, destination):
            client.config_set("slowlog-log-slower-than", -1)
        longest = max((entry["duration"] for client in (source, destination) for entry in client.slowlog_get(128)), default=0)
        assert destination.llen("rq:queue:slow") == jobs
        assert source.dbsize() == 1
        return jobs / took_s, longest / 1000


def _fill(source: redis.Redis, destination: redis.Redis, jobs: int) -> list[str]:
    """Jobs with the fields of RQ's own in one queue; the servers are otherwise empty."""
    for client in (source, destination):
        client.execute_command("FLUSHALL", "SYNC")
    ids = [str(uuid.UUID(int=number)) for number in range(jobs)]
    names = ("success_callback_name", "failure_callback_name", "stopped_callback_name", "started_at", "ended_at", "worker_name")
    fields = {"status": "queued", "origin": "mail", "data": b"x" * 300, "description": "app.tasks.send(7)", "timeout": 180}
    moments = dict.fromkeys(("created_at", "enqueued_at", "last_heartbeat"), "2026-01-01T00:00:00.000000Z")
    pipeline = source.pipeline(transaction=False)
    for job_id in ids:
        pipeline.hset(f"rq:job:{job_id}", mapping={**fields, **moments, **dict.fromkeys(names, "")})
    pipeline.rpush("rq:queue:mail", *ids)
    pipeline.sadd("rq:queues", "rq:queue:mail")
    pipeline.execute()
    return ids


def _client(server: Server) -> redis.Redis:
    return server.client(retry=Retry(NoBackoff(), 0))


def _ours(here: Server, there: Server, ids: list[str]) -> None:
    ends = [
        Backend(Profile(name=name, id=name, host="127.0.0.1", port=server.port), reader=_client(server), writer=_client(server))
        for name, server in (("here", here), ("there", there))
    ]
    outcome, failure = carried_over(*ends, Transfer("mail", Registry.QUEUED, "slow"), ids=ids)
    assert (outcome.done, failure) == (len(ids), None)
    for end in ends:
        end.close()


def _bare(here: Server, there: Server, ids: list[str]) -> None:
    with _client(here) as source, _client(there) as destination:
        prepare, detach, activate, cleanup = (
            client.script_load(text)
            for client, text in ((destination, PREPARE), (source, DETACH), (destination, ACTIVATE), (source, CLEANUP))
        )
        for first in range(0, len(ids), BATCH):
            batch = ids[first : first + BATCH]
            pipeline = source.pipeline(transaction=False)
            for job_id in batch:
                pipeline.hgetall(f"rq:job:{job_id}")
                pipeline.xrange(f"rq:results:{job_id}")
                pipeline.pttl(f"rq:job:{job_id}")
                pipeline.pttl(f"rq:results:{job_id}")
            hashes = pipeline.execute()[::4]
            tokens = [str(uuid.uuid4()) for _ in batch]
            both = [word for pair in zip(batch, tokens, strict=True) for word in pair]
            destination.evalsha(prepare, 0, len(batch), *_words(batch, tokens, hashes))
            source.evalsha(detach, 0, *both)
            destination.evalsha(activate, 0, "2026-01-01T00:00:00.000000Z", *both)
            source.evalsha(cleanup, 0, *both)
        destination.delete(*destination.keys("rq:bare:*"))


def _words(batch: Sequence[str], tokens: Sequence[str], hashes: Sequence[dict[bytes, bytes]]) -> Iterator[str | bytes | int]:
    for job_id, token, fields in zip(batch, tokens, hashes, strict=True):
        yield from (job_id, token, 2 * len(fields))
        for pair in fields.items():
            yield from pair
