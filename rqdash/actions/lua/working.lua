-- What is done with jobs that were taken out, and the answer.

local JOURNAL_S = 7 * 24 * 3600

-- Forgets that the job waits for others; a parent that ends would put it on a queue a second time.
local function cut_edges(job)
  if job.parents == 0 then
    return
  end
  for _, parent in ipairs(redis.call('SMEMBERS', dependencies_key(job.id))) do
    redis.pcall('SREM', dependents_key(parent), job.id)
  end
end

local function last(name, ttl)
  if ttl then
    redis.call('EXPIRE', name, ttl)
  else
    redis.call('PERSIST', name)
  end
end

local function sound_ttl(ttl)
  return ttl and string.find(ttl, '^[1-9]%d?%d?%d?%d?%d?%d?%d?%d?$') and ttl
end

-- A failed job's hash expires; on a queue it must live as long as its own ttl says, or for ever.
local function renew(job)
  local ttl = sound_ttl(job.ttl)
  last(job.key, ttl)
  if survey.has_dependents then
    last(dependents_key(job.id), ttl)
  end
  if job.parents > 0 then
    last(dependencies_key(job.id), ttl)
  end
end

-- Makes a job that ended ready to be put on a queue, as RQ's requeue does, with what RQ forgets: the hash lives on, and no
-- parent releases the job again.
local function revive(job, name)
  redis.call('HSET', job.key, 'status', 'queued', 'enqueued_at', stamp, 'started_at', '', 'ended_at', '')
  if job.origin ~= name then
    redis.call('HSET', job.key, 'origin', name)
  end
  if job.exc_info then
    redis.call('HDEL', job.key, 'exc_info')
  end
  renew(job)
  cut_edges(job)
end

-- Puts these ids on the target list, in their order, and lists its queue, which RQ forgets to do when it requeues.
local function push(ids)
  redis.call('SADD', queues, key('queue', to_queue))
  if side == 'back' then
    redis.call('RPUSH', target, unpack(ids))
    return
  end
  local backwards = {} -- LPUSH puts the last of its arguments first
  for index, id in ipairs(ids) do
    backwards[#ids + 1 - index] = id
  end
  redis.call('LPUSH', target, unpack(backwards))
end

-- Does the action's work on each job taken, in order; dead entries, taken out too, are only buried. Work may say what came of it.
local function work_on(taken, action)
  local ids, worked = {}, {}
  for _, job in ipairs(taken) do
    if not job.verdict then
      job.verdict = action.work(job) or 'done'
      ids[#ids + 1], worked[#worked + 1] = job.id, job
    elseif action.bury then
      action.bury(job)
    end
  end
  if action.finish and #ids > 0 then
    action.finish(ids, worked)
  end
end

-- What the journal says of the ids asked for: a verdict by their number. An operation whose call was not answered asks again.
local function remembered()
  local found = {}
  if not journal or redis.call('EXISTS', journal) == 0 then
    return found
  end
  for index, verdict in ipairs(redis.call('HMGET', journal, unpack(ARGV, BEFORE_IDS + 1, BEFORE_IDS + how_many))) do
    found[index] = verdict or nil
  end
  return found
end

-- Keeps these verdicts with what was done, in the same call: whoever asks again is told, and nothing is done twice.
local function remember(jobs, known)
  local fields = {}
  for index, job in ipairs(jobs) do
    if not known[index] and job.verdict ~= 'later' and job.verdict ~= 'unplaced' then
      fields[#fields + 1], fields[#fields + 2] = job.id, job.verdict
    end
  end
  if #fields > 0 then
    redis.call('HSET', journal, unpack(fields))
    redis.call('EXPIRE', journal, JOURNAL_S)
  end
end

-- Calls sent in a row, none of them waiting for the answers before it, put jobs on a queue in their order: when one leaves jobs that
-- are to be asked for again, those behind it do nothing.
local HALT_S = 60

local function halt_key()
  return prefix .. ':rqdash:halt:' .. row
end

local function is_halted()
  return row and redis.call('EXISTS', halt_key()) == 1
end

-- Where the ACL forbids it the order is not kept, and nothing else is lost.
local function halt()
  redis.pcall('SET', halt_key(), 1, 'EX', HALT_S)
end

local function all_later()
  local reply = {}
  for index = 1, how_many do
    reply[#reply + 1], reply[#reply + 2] = index, 'later'
  end
  return reply
end

-- Judges, takes and works. The answer is the verdicts other than "done": the number of an id (from 1), its verdict, and so on.
-- Nothing is done to any of them when a place is missing and hints may help: those to be done are then "unplaced". "later" jobs are
-- to be asked for again.
-- action: forbids(job) gives a verdict or nil; work(job); and, where it has them, judge(id), take(jobs), bury(job), takes_apart, and
-- finish(ids, jobs) for what is done once.
local function answer(action)
  if is_halted() then
    return all_later()
  end
  local ids, known, reply = { unpack(ARGV, BEFORE_IDS + 1, BEFORE_IDS + how_many) }, remembered(), {}
  watch_scheduler()
  local jobs = judged(ids, known, action)
  local taken, is_left = take(jobs, action), false
  work_on(taken or {}, action)
  for index, job in ipairs(jobs) do
    job.verdict = (not taken and job.is_taken) and 'unplaced' or job.verdict
    if job.verdict ~= 'done' then
      reply[#reply + 1], reply[#reply + 2] = index, job.verdict
      is_left = is_left or job.verdict == 'later' or job.verdict == 'unplaced'
    end
  end
  if row and is_left then
    halt()
  end
  if journal then
    remember(jobs, known)
  end
  return reply
end
