-- Makes parked copies jobs of their queue or schedule, in order. Behind the ids, for each: its token, how long its hash and its
-- results are to last (ms; not positive: for ever), and when it is due ("" unless scheduled).
-- Answers for each "active" (also when it was before), "aborted", "reprepare" (the copy has gone), or "unmarked" (nor is there a
-- marker). With a journal, arrived ids are kept as done: that is how copies are remembered.

local arrived, scored = {}, {}

local function last_for(name, milliseconds)
  if tonumber(milliseconds) > 0 then
    redis.call('PEXPIRE', name, milliseconds)
  else
    redis.call('PERSIST', name)
  end
end

-- Jobs that ended start anew: their lifetime is that of a queued job, not of a failed one.
local function set_lifetime(job, lasts)
  if registry == 'queued' or registry == 'scheduled' then
    last_for(job.key, lasts)
  else
    job.ttl, job.parents = redis.call('HGET', job.key, 'ttl'), 0
    renew(job)
  end
end

local function arrive(job, lasts, results_last, due)
  if registry == 'scheduled' then
    redis.call('HSET', job.key, 'status', 'scheduled', 'origin', to_queue)
    scored[#scored + 1], scored[#scored + 2] = due, job.id
  else
    redis.call('HSET', job.key, 'status', 'queued', 'origin', to_queue, 'enqueued_at', stamp, 'started_at', '', 'ended_at', '',
      'worker_name', '')
    arrived[#arrived + 1] = job.id
  end
  redis.call('HDEL', job.key, 'rqdash_move')
  set_lifetime(job, lasts)
  if survey.has_results then
    last_for(RESULTS .. job.id, results_last)
  end
end

local function activate(id)
  local token, lasts, results_last, due = next_argument(), next_argument(), next_argument(), next_argument()
  local state = state_of(token)
  if state == 'active' or state == 'aborted' then
    mark(token, state, state == 'active' and MARKER_S or TOMBSTONE_S) -- only a write can be waited for until replicas have it
    return state
  end
  if not is_parked(JOB .. id, token) then
    let_go(JOB .. id)
    return state and 'reprepare' or 'unmarked'
  end
  arrive({ id = id, key = JOB .. id }, lasts, results_last, due)
  mark(token, 'active', MARKER_S)
  if journal then
    redis.call('HSET', journal, id, 'done')
    redis.call('EXPIRE', journal, JOURNAL_S)
  end
  return 'active'
end

local function activate_all()
  local answers, ids = {}, ids_asked()
  survey.has_dependents, survey.has_results = true, exist_any(ids, RESULTS)
  for index, id in ipairs(ids) do
    answers[index] = activate(id)
  end
  if #arrived > 0 then
    push(arrived)
  elseif #scored > 0 then
    redis.call('SADD', queues, key('queue', to_queue))
    redis.call('ZADD', target, unpack(scored))
  end
  return answers
end

return obstacle(
  { [queues] = 'set', [target] = registry == 'scheduled' and 'zset' or 'list' },
  { 'hset', 'hdel', 'persist', 'expire', 'sadd', 'zadd', 'rpush', 'lpush' }
) or activate_all()
