-- Puts jobs on a queue: failed and canceled ones again, scheduled and deferred ones before their time.

asked[4], asked[5] = 'ttl', 'exc_info'

local action = { forbids = forbids_queue, finish = push }

function action.work(job)
  revive(job, to_queue)
end

return obstacle(
  { [source] = 'zset', [queues] = 'set', [target] = 'list' },
  { 'zrem', 'hset', 'hdel', 'persist', 'expire', 'srem', 'sadd', 'rpush', 'lpush' }
) or answer(action)
