-- Removing one job from Redis, shared by delete and empty.

local removal = { commands = { 'zrem', 'lset', 'lrem', 'unlink', 'srem' } }

-- Deferred jobs count a vanished parent as met, but nobody would be left to release them.
function removal.forbids(job)
  weigh_edges(job)
  return has_dependents(job) and 'has_dependents' or has_slot(job) and 'rate_limited' or nil
end

-- Executions that ended without being cleaned up; a job with a live one is refused.
local function remove_executions(job)
  for _, execution in ipairs(redis.call('ZRANGE', key('executions', job.id), 0, -1)) do
    local composite = job.id .. ':' .. execution
    redis.call('UNLINK', key('execution', composite))
    redis.pcall('ZREM', key('wip', job.origin or queue), composite)
  end
end

-- RQ takes the name of a group off its list of groups when the group has no jobs left.
local function leave_group(job)
  if job.group and job.group ~= '' then
    redis.pcall('SREM', key('group', job.group), job.id)
    if redis.call('EXISTS', key('group', job.group)) == 0 then
      redis.pcall('SREM', prefix .. ':groups', job.group)
    end
  end
end

-- UNLINK, not DEL: a job's data may be megabytes, and another thread of the server frees them.
function removal.work(job)
  if job.has_executions then
    remove_executions(job)
  end
  cut_edges(job)
  leave_group(job)
  redis.call('UNLINK', job.key, dependents_key(job.id), dependencies_key(job.id), key('results', job.id), key('executions', job.id))
end

-- What may outlive a job: a hash without data, and its results, which have no expiry of their own when they are failures.
function removal.bury(job)
  redis.call('UNLINK', job.key, key('results', job.id))
end
