-- Whether a job may be touched: everything is read and judged before anything is written.

-- Relatives of jobs looked up in one call, dependents of one job, and the most parents that a job may have: what keeps a call under
-- 5 ms. To forget one parent takes 1 to 1.5 us.
local RELATIVES, DEPENDENTS, PARENTS = 1000, 50, 2000

-- Stopped jobs are kept in the failed registry; RQ 2.3 to 2.7 leave jobs that wait for their next repeat as finished.
local STATUSES = {
  queued = { queued = true },
  intermediate = { queued = true },
  scheduled = { scheduled = true, finished = true },
  deferred = { deferred = true },
  failed = { failed = true, stopped = true },
  finished = { finished = true },
  canceled = { canceled = true },
  started = { started = true }, -- only abandoned ones come so far
}

local relatives = 0

local function spend(count)
  relatives = relatives + count
end

-- What can be asked of all jobs with one command is: a command a job and question would take most of the time.
local survey = {}

-- For the action on abandoned jobs alone: the entries of the started registry past their deadline, by job.
local overdue

local function exist(names)
  return redis.call('EXISTS', unpack(names)) > 0
end

-- The scores of these ids, in their order; nil before Redis 6.2, and where the key has another type, which is then each job's own
-- affair.
local function scores_in(name, ids)
  local reply = redis.pcall('ZMSCORE', name, unpack(ids))
  return not reply.err and reply or nil
end

local function look_over(ids)
  local executions, dependencies, dependents = {}, {}, {}
  local before_dependencies = JOB .. ':' -- as dependencies_key has it
  for index = 1, #ids do
    local id = ids[index]
    executions[index] = EXECUTIONS .. id
    dependencies[index] = before_dependencies .. id .. ':dependencies'
    dependents[index] = JOB .. id .. ':dependents'
  end
  survey.has_executions, survey.has_dependencies, survey.has_dependents = exist(executions), exist(dependencies), exist(dependents)
  survey.deadlines = redis.call('EXISTS', key('wip', queue)) == 0 and {} or scores_in(key('wip', queue), ids)
  survey.scores = not is_listed and scores_in(source, ids)
  survey.has_poison = not string.find(table.concat(ids), '^[%w_-]*$') -- thrice as fast as looking for another character
end

-- A live execution (RQ 2.0 and later), or a live entry of the started registry under the bare id (RQ 1.x).
-- It is asked of vanished jobs too: a work horse whose job was deleted writes the hash anew when it ends.
local function is_running(job)
  if registry == 'started' and job.status == 'started' and not (overdue and overdue[job.id]) then
    return true
  end
  if survey.has_executions then
    local latest = redis.call('ZREVRANGE', EXECUTIONS .. job.id, 0, 0, 'WITHSCORES')
    job.has_executions = latest[2]
    if latest[2] and tonumber(latest[2]) >= now then
      return true
    end
  end
  local deadline = redis.call('ZSCORE', key('wip', job.origin or queue), job.id)
  return deadline and tonumber(deadline) >= now
end

-- The fields that are read of each job; an action adds what it needs besides, and judged when the job came.
local asked = { 'status', 'origin', 'rate_limit_key' }
local moments_from = math.huge

local function ask_for_moments()
  moments_from = #asked + 1
  for _, field in ipairs(moment_fields()) do
    asked[#asked + 1] = field
  end
end

local function moments_of(fields)
  local found = {}
  for index = moments_from, #asked do
    found[#found + 1] = fields[index] or ''
  end
  return found
end

-- A hash without data is what a late heartbeat or status leaves behind; to RQ there is no such job. RQ writes data with the origin.
local function read_job(id)
  local name = JOB .. id
  local fields = redis.call('HMGET', name, unpack(asked))
  local job = { id = id, key = name, status = fields[1], origin = fields[2], limit = fields[3], parents = 0, score = false, verdict = nil }
  for index = 4, #asked do
    job[asked[index]] = fields[index]
  end
  job.moments = moments_of(fields)
  job.is_ghost = not job.origin and redis.call('HEXISTS', name, 'data') == 0
  return job
end

-- Whether a job is in the sorted set it is said to be in; notes its score.
local function is_member(job)
  if overdue then
    return overdue[job.id]
  end
  job.score = redis.call('ZSCORE', source, job.id)
  return job.score
end

-- A job that waits for a slot of its rate limit is in no list and no registry of its queue.
local function is_apart(job)
  local is_waiting = job.status == 'rate_limited' and job.limit
  job.is_apart = is_waiting and redis.call('ZSCORE', key('rl', job.limit) .. ':rate_limited', job.id)
  return job.is_apart
end

-- The verdict on a job as far as it can be known without looking through the list; nil for one that may be acted on.
local function verdict_of(job, action)
  if is_running(job) then
    return 'running'
  end
  if job.is_ghost then
    return 'gone'
  end
  if is_listed and not STATUSES[registry][job.status] and not (action.takes_apart and is_apart(job)) then
    return 'raced' -- RQ keeps only queued jobs in a list, so there is nothing to look for
  end
  if not is_listed and not is_member(job) then
    return 'raced'
  end
  if not is_listed and not STATUSES[registry][job.status] then
    return 'stale'
  end
  if is_late(job.id, job.moments, job.score) then
    return 'stale'
  end
  if is_with_scheduler(job.id, job.score) then
    return 'raced'
  end
  return action.forbids and action.forbids(job)
end

local function judge(id, action)
  local job = read_job(id)
  job.verdict = verdict_of(job, action) or nil
  job.is_taken = not job.verdict or (job.is_ghost and job.verdict == 'gone')
  return job
end

-- A job some key of which has another type is refused alone; any other error is the whole call's.
local function judge_alone(id, action)
  local is_fine, found = pcall(action.judge or judge, id, action)
  if is_fine then
    return found
  end
  local text = type(found) == 'table' and found.err or tostring(found)
  if not string.find(text, 'WRONGTYPE', 1, true) then
    error(found, 0)
  end
  return { id = id, verdict = 'refused' }
end

-- Whether nothing was found that would have to be asked of each job, and the action asks nothing more.
local function is_simple(action)
  local is_alone = not (survey.has_executions or survey.has_dependencies or survey.has_dependents or survey.has_poison)
  return is_alone and not (action.judge or action.is_particular or overdue or registry == 'started') and survey.deadlines and survey.scores ~= nil
end

-- What is the same of all simple jobs. A table with all of its fields for each would take a third of the time.
local SIMPLE = { __index = { origin = queue, score = true, parents = 0, is_taken = true } }

-- The job, if a look at its fields is enough to say that it may be acted on; most are like that, and the time goes into them.
-- score: of its entry; true in a list, where it has none.
local function simple_job(id, score, statuses)
  local name = JOB .. id
  local fields = redis.call('HMGET', name, unpack(asked))
  local limit = fields[3]
  if not statuses[fields[1]] or fields[2] ~= queue or (limit and limit ~= '') or id == '' then
    return nil
  end
  if as_of and not is_surely_early(fields[moments_from]) and is_late(id, moments_of(fields), score) then
    return nil
  end
  if is_scheduling and is_with_scheduler(id, score) then
    return nil
  end
  local job = is_listed and { id = id, key = name, place = nil, verdict = nil } or { id = id, key = name, score = score, verdict = nil }
  for index = 4, moments_from - 1 do
    if fields[index] then -- even nil would make the table grow
      job[asked[index]] = fields[index]
    end
  end
  return setmetatable(job, SIMPLE)
end

local function judge_simply(ids, known, action)
  local jobs, statuses, scores, deadlines = {}, STATUSES[registry], survey.scores, survey.deadlines
  for index = 1, #ids do
    local id, score = ids[index], is_listed or scores[index]
    if known[index] then
      jobs[index] = { id = id, verdict = known[index] }
    else
      jobs[index] = score and not deadlines[index] and simple_job(id, score, statuses) or judge(id, action)
    end
  end
  return jobs
end

local function judge_with(how, ids, known, action)
  local jobs = {}
  relatives = 0
  for index, id in ipairs(ids) do
    if known[index] then
      jobs[index] = { id = id, verdict = known[index] }
    else
      jobs[index] = relatives > RELATIVES and { id = id, verdict = 'later' } or how(id, action)
    end
  end
  return jobs
end

-- A job for each id; those known already, by their number, are not looked at. Judging only reads, so it may be done again, one by
-- one, when it failed.
local function judged(ids, known, action)
  look_over(ids)
  ask_for_moments()
  local is_fine, jobs
  if is_simple(action) then
    is_fine, jobs = pcall(judge_simply, ids, known, action)
  else
    is_fine, jobs = pcall(judge_with, action.judge or judge, ids, known, action)
  end
  return is_fine and jobs or judge_with(judge_alone, ids, known, action)
end

-- The checks that actions add ------------------------------------------------------------------------------------------

-- Counts the jobs this one waits for, whom cut_edges will visit; fails here, before any write, when the key is of another type.
-- Answers a verdict where they are too many: for this call, or for any.
local function weigh_edges(job)
  job.parents = survey.has_dependencies and redis.call('SCARD', dependencies_key(job.id)) or 0
  if job.parents > PARENTS then
    return 'refused'
  end
  if relatives > 0 and relatives + job.parents > PARENTS then
    return 'later'
  end
  spend(job.parents)
end

local function is_rate_limited(job)
  return job.limit and job.limit ~= ''
end

-- A worker of RQ 2.8 and later that pops any other id ends, and the next worker after it.
local function is_poison(job)
  return not string.find(job.id, '^[A-Za-z0-9_-]+$')
end

-- What forbids putting a job on a queue. One with a rate limit is put there by RQ alone, which counts its slots.
local function forbids_queue(job)
  return weigh_edges(job) or is_poison(job) and 'bad_id' or is_rate_limited(job) and 'rate_limited' or nil
end

local function has_dependents(job)
  if not survey.has_dependents then
    return false
  end
  local name = dependents_key(job.id)
  local count = redis.call('SCARD', name)
  if count == 0 or count > DEPENDENTS then
    return count > 0
  end
  spend(count)
  for _, id in ipairs(redis.call('SMEMBERS', name)) do
    if redis.call('HGET', JOB .. id, 'status') == 'deferred' then
      return true
    end
  end
  return false
end
