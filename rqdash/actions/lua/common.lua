-- Shared by every action: who is asked for, where each job is, and whether it may be touched.
--
-- A script first reads and judges every job, then takes the chosen ones out of where they are, then does its work on them.
-- Nothing is written before the last check, because Redis rolls nothing back when a script fails half way.
--
-- KEYS: the list or sorted set the jobs are said to be in, the set of queues, and (where the action has one) the target.
-- ARGV: see batches.py. Keys of single jobs are built here: which ones are needed is known only after reading.

local prefix, registry, queue = ARGV[1], ARGV[2], ARGV[3]
local to_queue, side = ARGV[4], ARGV[5]
local now, now_text, stamp = tonumber(ARGV[6]), ARGV[6], ARGV[7]
local tombstone, is_last = ARGV[8], ARGV[9] == 'last'

local source, queues, target = KEYS[1], KEYS[2], KEYS[3]
local is_listed = registry == 'queued'

-- How far from each end of a list a script looks by itself, and how far around a place it was told (entries).
local EDGE, AROUND = 1000, 100
-- Wrong places it searches around, and relatives of jobs it looks up, in one call: what keeps a call under 5 ms.
local SEARCHES, RELATIVES, DEPENDENTS = 10, 1000, 50

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

local function key(...)
  return prefix .. ':' .. table.concat({ ... }, ':')
end

local function dependencies_key(id)
  return key('job:', id, 'dependencies') -- RQ's double colon
end

local function is_wrong_type(name, expected)
  local found = redis.call('TYPE', name).ok
  return found ~= 'none' and found ~= expected
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
      if not redis.acl_check_cmd(command, source) then
        return redis.error_reply("NOPERM no permissions to run the '" .. command .. "' command")
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
  if redis.call('ZCOUNT', key('executions', job.id), now_text, '+inf') > 0 then
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
  return redis.call('ZSCORE', key('rl', job.limit, 'allowed'), job.id) or redis.call('ZSCORE', key('rl', job.limit, 'rate_limited'), job.id)
end

local function has_dependents(job)
  local name = job.key .. ':dependents'
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

-- Counts the edges that cut_edges will remove, and fails here, before any write, when they are of another type.
local function weigh_edges(job)
  spend(redis.call('SCARD', dependencies_key(job.id)))
end

-- Places in a list ---------------------------------------------------------------------------------------------------------

local function near(position, length)
  -- Before Redis 7 a position is walked to from the head, a negative one from the tail.
  return position > length / 2 and position - length or position
end

local function note(job, place, places)
  places[place] = job
  job.place = job.place or place
end

-- Notes where the wanted ids are within first..last; answers the last place, or nil.
local function look(first, last, wanted, places)
  local found
  for offset, id in ipairs(redis.call('LRANGE', source, first, last)) do
    if wanted[id] then
      found = first + offset - 1
      note(wanted[id], found, places)
    end
  end
  return found
end

-- Follows one hint (an id was at a position a moment ago). Pops at the head since then moved everything by the same drift.
local function follow(job, position, search, places)
  local at = math.max(0, math.min(position + search.drift, search.length - 1))
  if redis.call('LINDEX', source, near(at, search.length)) == job.id then
    note(job, at, places)
  elseif search.left > 0 then
    search.left = search.left - 1
    local found = look(math.max(0, at - AROUND), at + AROUND, { [job.id] = job }, places)
    search.drift = found and found - position or search.drift
  end
end

-- Every place of the wanted jobs, by position, and whether the list was looked through whole.
local function located(wanted)
  local length, places = redis.call('LLEN', source), {}
  look(0, math.min(EDGE, length) - 1, wanted, places)
  if length > EDGE then
    look(math.max(EDGE, length - EDGE), length - 1, wanted, places)
  end
  local search, count = { length = length, drift = 0, left = SEARCHES }, tonumber(ARGV[10])
  for index = 11 + count, #ARGV, 2 do
    local job = wanted[ARGV[10 + tonumber(ARGV[index])]]
    if job then
      follow(job, tonumber(ARGV[index + 1]), search, places)
    end
  end
  return places, length <= 2 * EDGE
end

-- Removes the entries at these places in one pass of the list: marked first, then swept from the nearer end.
-- One LREM a job would walk the whole list for each.
local function sweep(places)
  local first, last, count, length = math.huge, 0, 0, redis.call('LLEN', source)
  for place in pairs(places) do
    redis.call('LSET', source, near(place, length), tombstone)
    first, last, count = math.min(first, place), math.max(last, place), count + 1
  end
  if count > 0 then
    redis.call('LREM', source, last < length - first and count or -count, tombstone)
  end
end

-- Taking jobs out ----------------------------------------------------------------------------------------------------------

-- The jobs to take out of the list, in its order, or nil when some must be looked for with the help of hints first.
local function take_from_list(jobs)
  local wanted, taken = {}, {}
  for _, job in ipairs(jobs) do
    if job.is_taken then
      wanted[job.id] = job
    end
  end
  if next(wanted) == nil then
    return taken
  end
  local places, is_whole = located(wanted)
  for _, job in pairs(wanted) do
    if job.place then
      taken[#taken + 1] = job
    elseif is_whole or is_last then
      job.verdict, job.is_taken = job.verdict or 'raced', false
    else
      return nil
    end
  end
  sweep(places)
  table.sort(taken, function(one, other) return one.place < other.place end)
  return taken
end

local function take_from_registry(jobs)
  local taken = {}
  for _, job in ipairs(jobs) do
    if job.is_taken then
      redis.call('ZREM', source, job.id)
      taken[#taken + 1] = job
    end
  end
  return taken
end

local function take(jobs)
  if is_listed then
    return take_from_list(jobs)
  end
  return registry == 'started' and {} or take_from_registry(jobs)
end

-- Working on jobs that were taken out --------------------------------------------------------------------------------------

-- Forgets that the job waits for others; a parent that ends would put it on a queue a second time.
local function cut_edges(job)
  for _, parent in ipairs(redis.call('SMEMBERS', dependencies_key(job.id))) do
    redis.pcall('SREM', key('job', parent, 'dependents'), job.id)
  end
end

local function put(job)
  redis.call(side == 'front' and 'LPUSH' or 'RPUSH', target, job.id)
end

-- A failed job's hash expires; on a queue it must live as long as its own ttl says, or for ever.
local function renew(job)
  local ttl = job.ttl and string.find(job.ttl, '^[1-9]%d?%d?%d?%d?%d?%d?%d?%d?$') and job.ttl
  for _, name in ipairs({ job.key, job.key .. ':dependents', dependencies_key(job.id) }) do
    if ttl then
      redis.call('EXPIRE', name, ttl)
    else
      redis.call('PERSIST', name)
    end
  end
end

-- Puts a job that ended back on a queue, as RQ's requeue leaves it, with the three things RQ forgets: the hash lives on,
-- the queue is listed, and no parent releases the job again.
local function enqueue(job, name)
  redis.call('HSET', job.key, 'status', 'queued', 'origin', name, 'enqueued_at', stamp, 'started_at', '', 'ended_at', '')
  redis.call('HDEL', job.key, 'exc_info')
  renew(job)
  cut_edges(job)
  put(job)
end

-- What the action does for each job taken, in order; dead entries, taken out too, are only buried. Answers how many it did.
local function work_on(taken, action)
  local done = 0
  for index = 1, #taken do
    -- Pushed to the front one by one, the last goes first, so that they stand there in their order.
    local job = taken[side == 'front' and #taken + 1 - index or index]
    if not job.verdict then
      action.work(job)
      job.verdict, done = 'done', done + 1
    elseif action.bury then
      action.bury(job)
    end
  end
  return done
end

-- Judges, takes and works. The answer is one verdict a job, in the order asked. Nothing is done to any of them when a place
-- is missing and hints may help: those to be done are then "unplaced". "later" jobs are to be asked for again.
-- action: forbids(job) gives a verdict or nil, work(job), bury(job) or nil, and is_registering when it fills a queue.
local function answer(action)
  local jobs, verdicts = {}, {}
  for index = 1, tonumber(ARGV[10]) do
    jobs[index] = judged(ARGV[10 + index], action.forbids)
  end
  local taken = take(jobs)
  if taken and work_on(taken, action) > 0 and action.is_registering then
    redis.call('SADD', queues, key('queue', to_queue))
  end
  for index, job in ipairs(jobs) do
    verdicts[index] = (not taken and job.is_taken) and 'unplaced' or job.verdict
  end
  return verdicts
end
