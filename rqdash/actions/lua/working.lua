-- What is done with jobs that were taken out, and the answer.

-- Forgets that the job waits for others; a parent that ends would put it on a queue a second time.
local function cut_edges(job)
  if job.parents == 0 then
    return
  end
  for _, parent in ipairs(redis.call('SMEMBERS', dependencies_key(job.id))) do
    redis.pcall('SREM', dependents_key(parent), job.id)
  end
end

-- A failed job's hash expires; on a queue it must live as long as its own ttl says, or for ever.
local function renew(job)
  local ttl = job.ttl and string.find(job.ttl, '^[1-9]%d?%d?%d?%d?%d?%d?%d?%d?$') and job.ttl
  local names = { job.key, dependents_key(job.id), job.parents > 0 and dependencies_key(job.id) or nil }
  for _, name in ipairs(names) do
    if ttl then
      redis.call('EXPIRE', name, ttl)
    else
      redis.call('PERSIST', name)
    end
  end
end

-- Makes a job that ended ready to be put on a queue, as RQ's requeue does, with what RQ forgets: the hash lives on, and no
-- parent releases the job again.
local function revive(job, name)
  redis.call('HSET', job.key, 'status', 'queued', 'origin', name, 'enqueued_at', stamp, 'started_at', '', 'ended_at', '')
  redis.call('HDEL', job.key, 'exc_info')
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

-- Does the action's work on each job taken, in order; dead entries, taken out too, are only buried. Answers the ids it worked on.
local function work_on(taken, action)
  local ids = {}
  for _, job in ipairs(taken) do
    if not job.verdict then
      action.work(job)
      job.verdict, ids[#ids + 1] = 'done', job.id
    elseif action.bury then
      action.bury(job)
    end
  end
  return ids
end

-- Judges, takes and works. The answer is one verdict a job, in the order asked. Nothing is done to any of them when a place
-- is missing and hints may help: those to be done are then "unplaced". "later" jobs are to be asked for again.
-- action: forbids(job) gives a verdict or nil, work(job), bury(job) or nil, and finish(ids) or nil for what is done once.
local function answer(action)
  local jobs, verdicts = {}, {}
  for index = 1, tonumber(ARGV[10]) do
    jobs[index] = judged(ARGV[10 + index], action.forbids)
  end
  local taken = take(jobs)
  local ids = work_on(taken or {}, action)
  if action.finish and #ids > 0 then
    action.finish(ids)
  end
  for index, job in ipairs(jobs) do
    verdicts[index] = (not taken and job.is_taken) and 'unplaced' or job.verdict
  end
  return verdicts
end
