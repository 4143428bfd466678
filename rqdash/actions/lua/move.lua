-- Moves waiting, ended or scheduled jobs to another queue; within one queue, waiting jobs to its front.

local is_scheduled = registry == 'scheduled'
asked[4], asked[5] = 'ttl', 'exc_info'

local action = { forbids = forbids_queue, finish = push }

-- The registries a job passes through later follow its origin, not the list it was popped from. It counts as enqueued now:
-- emptying that queue as it was a moment ago must not sweep it.
local function move_queued(job)
  if to_queue ~= queue then
    redis.call('HSET', job.key, 'origin', to_queue, 'enqueued_at', stamp)
  end
end

local function move_ended(job)
  revive(job, to_queue)
end

local function move_scheduled(job)
  redis.call('HSET', job.key, 'origin', to_queue)
  redis.call('ZADD', target, job.score, job.id)
end

local function list_queue()
  redis.call('SADD', queues, key('queue', to_queue))
end

if is_scheduled then
  action.finish = list_queue
end
action.work = is_listed and move_queued or is_scheduled and move_scheduled or move_ended

return obstacle(
  { [source] = is_listed and 'list' or 'zset', [queues] = 'set', [target] = is_scheduled and 'zset' or 'list' },
  { 'zrem', 'lset', 'lrem', 'ltrim', 'hset', 'hdel', 'persist', 'expire', 'srem', 'sadd', 'zadd', 'rpush', 'lpush' }
) or answer(action)
