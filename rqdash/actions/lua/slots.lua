-- Slots of rate limits (RQ 3.0): at most so many jobs of one limit are queued or started, the others wait in a sorted set of its
-- own. A slot given up lets the next one in, as RQ's own scripts do; never both this and RQ's, for the slot is given up by ZREM.

local MOST_LET_IN = 200 -- entries looked at in one call; RQ's maintenance fills slots that are free still
local let_in_so_far = 0

local function waiting_key(limit)
  return key('rl', limit) .. ':rate_limited'
end

local function allowed_key(limit)
  return key('rl', limit) .. ':allowed'
end

-- What keeps a slot from being given up and the next job from being let in: a key of another type, or the ACL.
local function slot_obstacle(job)
  spend(10)
  local allowed, waiting = allowed_key(job.limit), waiting_key(job.limit)
  if is_wrong_type(allowed, 'zset') or is_wrong_type(waiting, 'zset') or is_wrong_type(key('rl', job.limit), 'hash') then
    return true
  end
  if not redis.acl_check_cmd then
    return false
  end
  local may = redis.acl_check_cmd
  return not (may('zrem', allowed, 'id') and may('zadd', allowed, '0', 'id') and may('zpopmin', waiting) and may('zrem', waiting, 'id')
    and may('hset', JOB .. 'id', 'field', 'value') and may('rpush', key('queue', 'name'), 'id') and may('lpush', key('queue', 'name'), 'id'))
end

-- Whether a job that goes away must be left to RQ, because its slot could not be given up with it.
local function keeps_slot(job)
  return is_rate_limited(job) and slot_obstacle(job)
end

-- Queues a job that waited; an entry of a vanished job, or of one that no longer waits, is dropped.
local function let_in(limit, id, score)
  local fields = redis.pcall('HMGET', JOB .. id, 'origin', 'status', 'enqueue_at_front')
  if fields.err or not fields[1] or fields[2] ~= 'rate_limited' then
    return true
  end
  local list = key('queue', fields[1])
  if is_wrong_type(list, 'list') then
    redis.call('ZADD', waiting_key(limit), score, id)
    return false
  end
  redis.call('ZADD', allowed_key(limit), now, id)
  redis.call('HSET', JOB .. id, 'status', 'queued', 'enqueued_at', stamp)
  redis.call(fields[3] == '1' and 'LPUSH' or 'RPUSH', list, id)
  return true
end

-- Gives up the slot of a job that is neither queued nor started any more, and lets in who waits longest.
local function give_up_slot(job)
  if redis.call('ZREM', allowed_key(job.limit), job.id) == 0 then
    return
  end
  local most = tonumber(redis.call('HGET', key('rl', job.limit), 'concurrency')) or 0
  while let_in_so_far < MOST_LET_IN and redis.call('ZCARD', allowed_key(job.limit)) < most do
    local popped = redis.call('ZPOPMIN', waiting_key(job.limit))
    if not popped[1] or not let_in(job.limit, popped[1], popped[2]) then
      return
    end
    let_in_so_far = let_in_so_far + 1
  end
end

-- Called when all jobs of the call are gone from where they were, so that none of them is let in.
local function give_up_slots(jobs)
  for _, job in ipairs(jobs) do
    if is_rate_limited(job) then
      redis.call('ZREM', waiting_key(job.limit), job.id)
    end
  end
  for _, job in ipairs(jobs) do
    if is_rate_limited(job) then
      give_up_slot(job)
    end
  end
end
