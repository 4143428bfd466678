-- Puts jobs whose worker is gone back on a queue: those with an entry in the started registry that is past its deadline. RQ's own
-- maintenance fails them, and runs their failure callbacks where it runs.

local MOST = 2000 -- such entries looked at; they are few, for maintenance removes them

asked[4], asked[5], asked[6] = 'ttl', 'exc_info', 'worker_name'

-- An entry is <job>:<execution> since RQ 2.0, the job alone before.
local function job_of(member)
  local id, execution = string.match(member, '^(.*):(%x+)$')
  return execution and #execution == 32 and id or member
end

local function entries()
  local found = {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', source, 0, '(' .. ARGV[6], 'LIMIT', 0, MOST)) do
    local id = job_of(member)
    found[id] = found[id] or {}
    table.insert(found[id], member)
  end
  return found
end

local action = { forbids = forbids_queue, finish = push }

function action.take(jobs)
  local taken = {}
  for _, job in ipairs(jobs) do
    if job.is_taken and overdue[job.id] then
      redis.call('ZREM', source, unpack(overdue[job.id]))
      taken[#taken + 1] = job
    end
  end
  return taken
end

function action.work(job)
  for _, member in ipairs(overdue[job.id]) do
    if member ~= job.id then
      redis.call('UNLINK', key('execution', member))
      redis.pcall('SREM', key('worker', job.worker_name or '') .. ':executions', member)
    end
  end
  redis.call('UNLINK', EXECUTIONS .. job.id)
  revive(job, to_queue)
end

local function requeue_abandoned()
  overdue = entries()
  return answer(action)
end

return obstacle(
  { [source] = 'zset', [queues] = 'set', [target] = 'list' },
  { 'zrem', 'unlink', 'hset', 'hdel', 'persist', 'expire', 'srem', 'sadd', 'rpush', 'lpush' }
) or requeue_abandoned()
