-- Removing jobs from Redis, shared by delete and empty.

local removal = { takes_apart = true, commands = { 'zrem', 'lset', 'lrem', 'ltrim', 'unlink', 'srem' } }

asked[4] = 'group_id'

-- RQ 2.3 to 2.7 keep jobs that wait for their next repeat in both; no entry may outlive its job.
local TWIN = { scheduled = 'finished', finished = 'scheduled' }

-- Deferred jobs count a vanished parent as met, but nobody would be left to release them.
function removal.forbids(job)
  return weigh_edges(job) or has_dependents(job) and 'has_dependents' or keeps_slot(job) and 'rate_limited' or nil
end

-- Executions that ended without being cleaned up; a job with a live one is refused.
local function remove_executions(job)
  for _, execution in ipairs(redis.call('ZRANGE', EXECUTIONS .. job.id, 0, -1)) do
    local composite = job.id .. ':' .. execution
    redis.call('UNLINK', key('execution', composite))
    redis.pcall('ZREM', key('wip', job.origin or queue), composite)
  end
end

-- RQ takes the name of a group off its list of groups when the group has no jobs left.
local function leave_group(job)
  if job.group_id and job.group_id ~= '' then
    redis.pcall('SREM', key('group', job.group_id), job.id)
    if redis.call('EXISTS', key('group', job.group_id)) == 0 then
      redis.pcall('SREM', prefix .. ':groups', job.group_id)
    end
  end
end

-- The other keys of a job that there may be.
local function further_keys(job)
  local found = {}
  if survey.has_dependents then
    found[#found + 1] = dependents_key(job.id)
  end
  if job.parents > 0 then
    found[#found + 1] = dependencies_key(job.id)
  end
  if job.has_executions then
    found[#found + 1] = EXECUTIONS .. job.id
  end
  return found
end

-- UNLINK, not DEL: a job's data may be megabytes, and another thread of the server frees them. A command for each job: with one for
-- all of them the server's allocator has so much to sort at once that it takes longer.
function removal.work(job)
  if job.has_executions then
    remove_executions(job)
  end
  cut_edges(job)
  leave_group(job)
  if survey.has_dependents or job.parents > 0 or job.has_executions then
    redis.call('UNLINK', job.key, RESULTS .. job.id, unpack(further_keys(job)))
  else
    redis.call('UNLINK', job.key, RESULTS .. job.id)
  end
end

function removal.finish(ids, jobs)
  if TWIN[registry] and #ids > 0 then
    redis.pcall('ZREM', key(TWIN[registry], queue), unpack(ids))
  end
  give_up_slots(jobs)
end

-- What may outlive a job: a hash without data, and its results, which have no expiry of their own when they are failures.
function removal.bury(job)
  redis.call('UNLINK', job.key, RESULTS .. job.id)
end
