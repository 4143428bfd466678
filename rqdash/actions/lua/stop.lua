-- Tells the workers that run these jobs to stop them. Whether a worker obeys is its own affair: one that runs jobs in its own
-- process (SimpleWorker) never does. "told" says that somebody heard it.

asked[4] = 'worker_name'

-- The worker of a live execution; before RQ 2.12 only the job's hash names it.
local function worker_of(job)
  local latest = redis.call('ZREVRANGE', EXECUTIONS .. job.id, 0, 0, 'WITHSCORES')
  if latest[2] and tonumber(latest[2]) >= now then
    job.entry = job.id .. ':' .. latest[1]
    return redis.call('HGET', key('execution', job.entry), 'worker_name') or job.worker_name
  end
  local deadline = redis.call('ZSCORE', source, job.id)
  return deadline and tonumber(deadline) >= now and job.worker_name
end

-- A job keeps the name of its worker when it has ended, so the worker must say that it runs it: by its executions since RQ 3.0, by
-- its hash before.
local function runs(worker, job)
  local name = key('worker', worker)
  if job.entry and redis.call('SISMEMBER', name .. ':executions', job.entry) == 1 then
    return true
  end
  return redis.call('HGET', name, 'current_job') == job.id
end

local action = { take = leave }

function action.judge(id)
  local job = read_job(id)
  if job.is_ghost then
    job.verdict = 'gone'
  elseif job.status ~= 'started' then
    job.verdict = 'raced'
  else
    job.worker = worker_of(job)
    job.verdict = not (job.worker and runs(job.worker, job)) and 'stale' or nil
  end
  job.is_taken = not job.verdict
  return job
end

function action.work(job)
  local command = cjson.encode({ command = 'stop-job', job_id = job.id })
  return redis.call('PUBLISH', key('pubsub', job.worker), command) > 0 and 'told' or 'unheard'
end

return obstacle({ [source] = 'zset' }, {})
  or (redis.acl_check_cmd and denied('publish', key('pubsub', 'name')))
  or answer(action)
