"""The floor: what a page's fields cost to read with one script and hiredis, and nothing else: no checks, no limits, no values, no web.

Each reader fetches the fields that our page of the same name shows, as the replies are. Nothing of rqdash is in it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import redis

COUNT = """
local function count(name, now)
  local list, row = 'rq:queue:' .. name, {name}
  row[2], row[3] = redis.call('LLEN', list), redis.call('LLEN', list .. ':intermediate')
  for i, registry in ipairs({'wip', 'failed', 'finished', 'scheduled', 'deferred', 'canceled', 'ready'}) do
    local key = 'rq:' .. registry .. ':' .. name
    row[3 + i] = redis.call('ZCARD', key)
    if i < 5 then row[10 + i] = redis.call('ZCOUNT', key, 0, now) end
  end
  row[15] = redis.call('EXISTS', 'rq:scheduler-lock:' .. name)
  local head = redis.call('LINDEX', list, 0)
  row[16] = head and redis.call('HGET', 'rq:job:' .. head, 'enqueued_at')
  return row
end
"""
JOB = """
local fields = {'status', 'description', 'origin', 'created_at', 'enqueued_at', 'started_at', 'ended_at', 'timeout', 'worker_name',
  'number_of_retries', 'retries_left', 'last_heartbeat', 'data'}
local function job(id)
  return redis.call('HMGET', 'rq:job:' .. id, unpack(fields))
end
"""
OVERVIEW = (
    COUNT
    + """
local rows, workers = {}, {}
for i, key in ipairs(redis.call('SMEMBERS', 'rq:queues')) do
  rows[i] = count(string.sub(key, 10), ARGV[1])
end
for i, key in ipairs(redis.call('SMEMBERS', 'rq:workers')) do
  workers[i] = redis.call('HMGET', key, 'birth', 'state', 'queues', 'version')
end
return {rows, workers, redis.call('PTTL', 'rq:suspended')}
"""
)
QUEUE = (
    COUNT
    + JOB
    + """
local name, first, last = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local workers, rows = {}, {}
for i, key in ipairs(redis.call('SMEMBERS', 'rq:workers:' .. name)) do
  workers[i] = redis.call('HMGET', key, 'birth', 'state', 'queues', 'version')
end
if ARGV[5] == 'queued' then
  for i, id in ipairs(redis.call('LRANGE', 'rq:queue:' .. name, first, last)) do
    rows[i] = {id, job(id)}
  end
else
  local found = redis.call('ZREVRANGE', 'rq:failed:' .. name, first, last, 'WITHSCORES')
  for i = 1, #found, 2 do
    local id = found[i]
    rows[#rows + 1] = {id, found[i + 1], job(id), redis.call('XREVRANGE', 'rq:results:' .. id, '+', '-', 'COUNT', 1)}
  end
end
return {count(name, ARGV[1]), workers, rows}
"""
)
WORKERS = (
    JOB
    + """
local rows = {}
for i, key in ipairs(redis.call('SMEMBERS', 'rq:workers')) do
  local row = {key, redis.call('HMGET', key, 'current_job', 'birth', 'state', 'queues', 'version', 'python_version', 'last_heartbeat',
    'hostname', 'ip_address', 'pid', 'successful_job_count', 'failed_job_count', 'total_working_time', 'shutdown_requested_date'),
    redis.call('PTTL', key)}
  local running = redis.call('SMEMBERS', key .. ':executions')[1]
  if running then
    row[4], row[5] = redis.call('HGET', 'rq:execution:' .. running, 'created_at'), job(string.sub(running, 1, -34))
  end
  rows[i] = row
end
return {rows, redis.call('EXISTS', 'rq:suspended')}
"""
)
ONE_JOB = """
local id = ARGV[1]
local key, origin = 'rq:job:' .. id, redis.call('HGET', 'rq:job:' .. id, 'origin')
local row = {redis.call('HGETALL', key), redis.call('PTTL', key), redis.call('SMEMBERS', key .. ':dependents'),
  redis.call('SMEMBERS', 'rq:job::' .. id .. ':dependencies'), redis.call('XREVRANGE', 'rq:results:' .. id, '+', '-', 'COUNT', 10),
  redis.call('ZREVRANGE', 'rq:executions:' .. id, 0, 9, 'WITHSCORES'), redis.call('LPOS', 'rq:queue:' .. origin, id),
  redis.call('LPOS', 'rq:queue:' .. origin .. ':intermediate', id)}
for i, registry in ipairs({'wip', 'scheduled', 'deferred', 'failed', 'finished', 'canceled', 'ready'}) do
  row[8 + i] = redis.call('ZSCORE', 'rq:' .. registry .. ':' .. origin, id)
end
local worker = redis.call('HGET', key, 'worker_name')
row[16] = worker and redis.call('HMGET', 'rq:worker:' .. worker, 'birth', 'death')
local listening = redis.call('SRANDMEMBER', 'rq:workers:' .. origin)
row[17], row[18] = redis.call('EXISTS', 'rq:suspended'), redis.call('EXISTS', 'rq:scheduler-lock:' .. origin)
row[19], row[20] = redis.call('SCARD', 'rq:workers:' .. origin), listening and redis.call('HMGET', listening, 'birth', 'state')
row[21], row[22] = redis.call('SCARD', key .. ':dependents'), redis.call('SCARD', 'rq:job::' .. id .. ':dependencies')
return row
"""


@dataclass(frozen=True, slots=True)
class Floor:
    """The readers of one server; each call is one round trip. now_s in whole seconds."""

    client: redis.Redis
    now_s: int

    def overview(self) -> object:
        pipeline = self.client.pipeline(transaction=False)
        pipeline.execute_command("INFO")
        pipeline.execute_command("EVALSHA", _sha(OVERVIEW), 0, self.now_s)
        return pipeline.execute()

    def queue(self, name: str, registry: str, *, offset: int, size: int) -> object:
        return self._run(QUEUE, self.now_s, name, offset, offset + size - 1, registry)

    def workers(self) -> object:
        return self._run(WORKERS)

    def job(self, job_id: str) -> object:
        return self._run(ONE_JOB, job_id)

    def ping(self) -> object:
        return self.client.ping()

    def _run(self, source: str, *arguments: str | int) -> object:
        return self.client.execute_command("EVALSHA", _sha(source), 0, *arguments)


def floor(client: redis.Redis, *, now_s: int) -> Floor:
    """The readers, with their scripts loaded."""
    for source in (OVERVIEW, QUEUE, WORKERS, ONE_JOB):
        client.script_load(source)
    return Floor(client, now_s)


def _sha(source: str) -> str:
    return hashlib.sha1(source.encode()).hexdigest()
