-- Takes jobs out of where they wait and keeps them in the canceled registry.

local action = { takes_apart = true }

function action.forbids(job)
  return weigh_edges(job) or keeps_slot(job) and 'rate_limited' or nil
end

function action.work(job)
  redis.call('HSET', job.key, 'status', 'canceled')
  cut_edges(job)
end

function action.finish(ids, jobs)
  local scored = {}
  for _, id in ipairs(ids) do
    scored[#scored + 1], scored[#scored + 2] = math.floor(now), id
  end
  redis.call('ZADD', target, unpack(scored))
  give_up_slots(jobs)
end

return obstacle(
  { [source] = is_listed and 'list' or 'zset', [target] = 'zset' },
  { 'zrem', 'lset', 'lrem', 'ltrim', 'hset', 'srem', 'zadd' }
) or answer(action)
