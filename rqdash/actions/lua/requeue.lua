-- Puts failed or canceled jobs back on their queue.

local action = { finish = push }

function action.forbids(job)
  weigh_edges(job)
  return is_poison(job) and 'refused' or is_rate_limited(job) and 'rate_limited' or nil
end

function action.work(job)
  revive(job, queue)
end

return obstacle(
  { [source] = 'zset', [queues] = 'set', [target] = 'list' },
  { 'zrem', 'hset', 'hdel', 'persist', 'expire', 'srem', 'sadd', 'rpush', 'lpush' }
) or answer(action)
