-- Shared by every action: who is asked for, where each job is, and whether it may be touched.
--
-- A script first reads and judges every job, then takes the chosen ones out of where they are, then does its work on them.
-- Nothing is written before the last check, because Redis rolls nothing back when a script fails half way.
--
-- KEYS: the list or sorted set the jobs are said to be in, the set of queues, and (where the action has one) the target.
-- ARGV: [1] prefix, [2] registry, [3] its queue, [4] the queue to go to, [5] "front" or "back", [6] now (epoch, s), [7] now as RQ
-- writes it, [8] a mark no id equals, [9] "last" or "ask", [10] how many ids, the ids, then pairs of an id's number (from 1) and
-- its position, ascending. Keys of single jobs are built here: which ones are needed is known only after reading.
--
-- Included in this order: common (names and checks), taking (out of a list or registry), working (on what was taken).

local prefix, registry, queue = ARGV[1], ARGV[2], ARGV[3]
local to_queue, side = ARGV[4], ARGV[5]
local now, stamp = tonumber(ARGV[6]), ARGV[7]
local tombstone, is_last = ARGV[8], ARGV[9] == 'last'

local source, queues, target = KEYS[1], KEYS[2], KEYS[3]
local is_listed = registry == 'queued'

-- Relatives of jobs looked up in one call, and of one job: what keeps a call under 5 ms.
local RELATIVES, DEPENDENTS = 1000, 50

-- Stopped jobs are kept in the failed registry.
local STATUSES = {
  queued = { queued = true },
  scheduled = { scheduled = true },
  deferred = { deferred = true },
  failed = { failed = true, stopped = true },
  finished = { finished = true },
  canceled = { canceled = true },
  started = {},
}

local relatives = 0

local function key(kind, id)
  return prefix .. ':' .. kind .. ':' .. id
end

local function dependents_key(id)
  return prefix .. ':job:' .. id .. ':dependents'
end

local function dependencies_key(id)
  return prefix .. ':job::' .. id .. ':dependencies' -- RQ's double colon
end

local function is_wrong_type(name, expected)
  local found = redis.call('TYPE', name).ok
  return found ~= 'none' and found ~= expected
end

-- A key that each command writes to, built as those of real jobs are: ACLs name keys by pattern.
local function written_keys(command)
  if command == 'hset' or command == 'hdel' then
    return { key('job', 'id') }
  end
  if command == 'persist' or command == 'expire' then
    return { key('job', 'id'), dependents_key('id'), dependencies_key('id') }
  end
  if command == 'unlink' then
    return { key('job', 'id'), dependents_key('id'), dependencies_key('id'), key('results', 'id'), key('executions', 'id') }
  end
  if command == 'srem' then
    return { dependents_key('id') }
  end
  if command == 'sadd' then
    return { queues }
  end
  return (command == 'rpush' or command == 'lpush' or command == 'zadd') and { target } or { source }
end

-- An error for what would fail after the first write: a key of another type, or a command the server's ACL forbids.
local function obstacle(types, commands)
  for name, expected in pairs(types) do
    if is_wrong_type(name, expected) then
      return redis.error_reply('WRONGTYPE ' .. expected .. ' expected')
    end
  end
  if redis.acl_check_cmd then -- since Redis 7.0
    for _, command in ipairs(commands) do
      for _, name in ipairs(written_keys(command)) do
        if not redis.acl_check_cmd(command, name) then
          return redis.error_reply("NOPERM no permissions to run the '" .. command .. "' command")
        end
      end
    end
  end
  return nil
end

local function spend(count)
  relatives = relatives + count
end

-- A live execution (RQ 2.0 and later), or a live entry of the started registry under the bare id (RQ 1.x).
-- It is asked of vanished jobs too: a work horse whose job was deleted writes the hash anew when it ends.
local function is_running(job)
  if registry == 'started' and job.status == 'started' then
    return true
  end
  local latest = redis.call('ZREVRANGE', key('executions', job.id), 0, 0, 'WITHSCORES')
  job.has_executions = latest[2]
  if latest[2] and tonumber(latest[2]) >= now then
    return true
  end
  local deadline = redis.call('ZSCORE', key('wip', job.origin or queue), job.id)
  return deadline and tonumber(deadline) >= now
end

-- A hash without data is what a late heartbeat or status leaves behind; to RQ there is no such job.
local function read_job(id)
  local name = key('job', id)
  local fields = redis.call('HMGET', name, 'status', 'origin', 'ttl', 'group_id', 'rate_limit_key', 'enqueued_at')
  local job = { id = id, key = name, is_ghost = redis.call('HEXISTS', name, 'data') == 0 }
  job.status, job.origin, job.ttl, job.group, job.limit, job.enqueued_at = unpack(fields)
  return job
end

-- The verdict on a job as far as it can be known without looking through the list; nil for one that may be acted on.
local function verdict_of(job, forbids)
  if is_running(job) then
    return 'running'
  end
  if job.is_ghost then
    return 'gone'
  end
  if is_listed and not STATUSES.queued[job.status] then
    return 'raced' -- RQ keeps only queued jobs in a list, so there is nothing to look for
  end
  if not is_listed then
    job.score = redis.call('ZSCORE', source, job.id)
    if not job.score then
      return 'raced'
    end
    if not STATUSES[registry][job.status] then
      return 'stale'
    end
  end
  return forbids(job)
end

local function judge(id, forbids)
  local job = read_job(id)
  job.verdict = verdict_of(job, forbids)
  job.is_taken = not job.verdict or (job.is_ghost and job.verdict == 'gone')
  return job
end

-- A job some key of which has another type is refused alone; any other error is the whole call's.
local function judged(id, forbids)
  if relatives > RELATIVES then
    return { id = id, verdict = 'later' }
  end
  local is_fine, found = pcall(judge, id, forbids)
  if is_fine then
    return found
  end
  local text = type(found) == 'table' and found.err or tostring(found)
  if not string.find(text, 'WRONGTYPE', 1, true) then
    error(found, 0)
  end
  return { id = id, verdict = 'refused' }
end

-- The checks that actions add ------------------------------------------------------------------------------------------

-- A worker of RQ 2.8 and later that pops any other id ends, and the next worker after it.
local function is_poison(job)
  return not string.find(job.id, '^[A-Za-z0-9_-]+$')
end

local function is_rate_limited(job)
  return job.limit and job.limit ~= ''
end

-- Only RQ's own script may free a slot: it lets the next job in.
local function has_slot(job)
  if not is_rate_limited(job) then
    return false
  end
  local name = key('rl', job.limit)
  return redis.call('ZSCORE', name .. ':allowed', job.id) or redis.call('ZSCORE', name .. ':rate_limited', job.id)
end

local function has_dependents(job)
  local name = dependents_key(job.id)
  local count = redis.call('SCARD', name)
  if count == 0 or count > DEPENDENTS then
    return count > 0
  end
  spend(count)
  for _, id in ipairs(redis.call('SMEMBERS', name)) do
    if redis.call('HGET', key('job', id), 'status') == 'deferred' then
      return true
    end
  end
  return false
end

-- Counts the jobs this one waits for, whom cut_edges will visit; fails here, before any write, when the key is of another type.
local function weigh_edges(job)
  job.parents = redis.call('SCARD', dependencies_key(job.id))
  spend(job.parents)
end
