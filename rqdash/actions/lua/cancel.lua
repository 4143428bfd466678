-- Takes jobs out of where they wait and keeps them in the canceled registry.

local action = {}

function action.forbids(job)
  weigh_edges(job)
  return has_slot(job) and 'rate_limited' or nil
end

function action.work(job)
  redis.call('HSET', job.key, 'status', 'canceled')
  cut_edges(job)
  redis.call('ZADD', target, math.floor(now), job.id)
end

return obstacle(
  { [source] = is_listed and 'list' or 'zset', [target] = 'zset' },
  { 'zrem', 'lset', 'lrem', 'hset', 'srem', 'zadd' }
) or answer(action)
