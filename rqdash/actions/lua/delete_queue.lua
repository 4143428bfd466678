-- Forgets a queue that holds nothing: the one place where its name is looked up, and what is left of its list.
-- KEYS: the set of queues, its list, its intermediate list, its sorted sets. ARGV: prefix, its name.
-- Answers how many entries are left in it; 0 says that it is deleted. Nothing is done while there is one: RQ finds jobs by the names
-- in the set of queues alone, and so does every dashboard.

local queues, list = KEYS[1], KEYS[2]
local MOST_WAITING = 1000

-- Jobs that wait for a slot of their rate limit come back to the queue they are from, without listing it again.
local function waiting_for_slots()
  local count, looked_at = 0, 0
  for _, limit in ipairs(redis.call('SMEMBERS', ARGV[1] .. ':rl-keys')) do
    for _, id in ipairs(redis.call('ZRANGE', ARGV[1] .. ':rl:' .. limit .. ':rate_limited', 0, MOST_WAITING - looked_at)) do
      looked_at = looked_at + 1
      if redis.call('HGET', ARGV[1] .. ':job:' .. id, 'origin') == ARGV[2] then
        count = count + 1
      end
    end
    if looked_at >= MOST_WAITING then
      return count
    end
  end
  return count
end

local left = redis.call('LLEN', list) + redis.call('LLEN', KEYS[3]) + waiting_for_slots()
for index = 4, #KEYS do
  left = left + redis.call('ZCARD', KEYS[index])
end
if left == 0 then
  redis.call('SREM', queues, list)
end
return left
