"""The bare scripts that our bulk actions are held against: the same change of state in batches, and no check at all.

Jobs of a list are looked up once, then marked and swept a batch at a time; one LREM a job would walk the list for each. Ids are
believed: whatever has become of a job, it is acted upon.
"""

from __future__ import annotations

from collections.abc import Sequence

import redis

TAKE_LISTED = """
local count = tonumber(ARGV[3])
for i = 4, 3 + count do redis.call('LSET', KEYS[1], ARGV[i], 'bare') end
redis.call('LREM', KEYS[1], tonumber(ARGV[4]) * 2 < redis.call('LLEN', KEYS[1]) and count or -count, 'bare')
local first = 4 + count
"""
TAKE_FAILED = """
local first = 4
redis.call('ZREM', KEYS[1], unpack(ARGV, first))
"""
REMOVE = """
for i = first, #ARGV do
  local key = 'rq:job:' .. ARGV[i]
  redis.call('UNLINK', key, key .. ':dependents', 'rq:job::' .. ARGV[i] .. ':dependencies', 'rq:results:' .. ARGV[i],
    'rq:executions:' .. ARGV[i])
end
return #ARGV - first + 1
"""
RELOCATE = """
for i = first, #ARGV do redis.call('HSET', 'rq:job:' .. ARGV[i], 'origin', ARGV[1], 'enqueued_at', ARGV[2]) end
redis.call('SADD', 'rq:queues', KEYS[2])
redis.call('RPUSH', KEYS[2], unpack(ARGV, first))
return #ARGV - first + 1
"""
REVIVE = """
for i = first, #ARGV do
  local key = 'rq:job:' .. ARGV[i]
  redis.call('HSET', key, 'status', 'queued', 'origin', ARGV[1], 'enqueued_at', ARGV[2], 'started_at', '', 'ended_at', '')
  redis.call('HDEL', key, 'exc_info')
  redis.call('PERSIST', key)
end
redis.call('SADD', 'rq:queues', KEYS[2])
redis.call('RPUSH', KEYS[2], unpack(ARGV, first))
return #ARGV - first + 1
"""
WORK = {"delete": REMOVE, "move": RELOCATE, "requeue": REVIVE}
WINDOW = 5_000
STAMP = "2026-01-01T00:00:00.000000Z"


def carried_out(client: redis.Redis, verb: str, keys: Sequence[str], *, to_queue: str, ids: Sequence[str], size: int) -> int:
    """Acts on all of them, so many a call, one call after the other; answers on how many. keys: where they are, where they go."""
    is_listed = client.type(keys[0]) == b"list"
    sha = client.script_load((TAKE_LISTED if is_listed else TAKE_FAILED) + WORK[verb])
    places = _places(client, keys[0], ids) if is_listed else {}
    chosen = sorted(ids, key=places.__getitem__) if places else ids
    done = 0
    for start in range(0, len(chosen), size):
        batch = chosen[start : start + size]
        # Those before them are gone by now.
        spots = [places[job_id] - start for job_id in batch] if places else []
        done += int(client.execute_command("EVALSHA", sha, len(keys), *keys, to_queue, STAMP, len(spots), *spots, *batch))
    return done


def _places(client: redis.Redis, key: str, ids: Sequence[str]) -> dict[str, int]:
    """Where each stands in a list, read in windows."""
    wanted, found = set(ids), {}
    for start in range(0, int(client.llen(key)), WINDOW):
        for place, raw in enumerate(client.lrange(key, start, start + WINDOW - 1), start=start):
            if (job_id := raw.decode()) in wanted:
                found[job_id] = place
    return found
