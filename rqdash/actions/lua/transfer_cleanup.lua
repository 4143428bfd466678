-- Removes jobs that have arrived at their destination, and their entries in the journal. The ids are tokens.
-- Answers "done", "has_dependents" (see keep), "gone" where there is no such entry (any more), or "later".

asked[#asked + 1] = 'rqdash_move'

-- A key of another type among those around a job must not keep it in transit for ever.
local function remove(job)
  job.has_executions = survey.has_executions
  if not pcall(removal.work, job) then
    redis.call('UNLINK', job.key)
  end
end

local function is_waited_for(job)
  local is_fine, found = pcall(has_dependents, job)
  return is_fine and found
end

-- Somebody enqueued a job here that waits for this one, while it was away. What has arrived elsewhere will never release it, so it is
-- as when RQ is told to enqueue a job after a canceled one: it stays deferred, and what it waits for stays where both can be found.
local function keep(entry, job)
  redis.call('HDEL', job.key, 'rqdash_move')
  redis.pcall('ZADD', key('canceled', unhexed(entry.way.queue)), now, job.id)
  return 'has_dependents'
end

-- What has another type is somebody else's, and nothing of the job that has left: its entry, and those beside it, must still be closed.
local function found_job(id)
  local is_fine, job = pcall(read_job, id)
  return is_fine and job or { id = id, key = JOB .. id }
end

local function clean(entry)
  local job, answer = found_job(entry.id), 'done'
  if is_away(job, entry.token) and is_waited_for(job) then
    answer = keep(entry, job)
  elseif is_away(job, entry.token) then
    local is_fine, problem = pcall(weigh_edges, job)
    if is_fine and problem == 'later' then
      return problem
    end
    job.parents = is_fine and job.parents or 0
    remove(job)
  else
    redis.pcall('HDEL', job.key, 'rqdash_move')
  end
  close_entry(entry.token)
  settle(entry.way.op, entry.id, 'done')
  return answer
end

local function clean_all()
  local answers, entries, ids = {}, {}, {}
  for index, token in ipairs(tokens()) do
    local entry = read_entry(token)
    answers[index], entries[index] = 'gone', entry or false
    ids[#ids + 1] = entry and entry.id or nil
  end
  if #ids > 0 then
    look_over(ids)
  end
  for index, entry in ipairs(entries) do
    if entry then
      answers[index] = relatives > RELATIVES and 'later' or clean(entry)
    end
  end
  close_entries()
  return answers
end

return obstacle({ [departures] = 'zset' }, { 'unlink', 'srem' }) or clean_all()
