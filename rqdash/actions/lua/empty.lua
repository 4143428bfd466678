-- Deletes the waiting jobs in one stretch of a queue's list that were enqueued up to a moment.
-- ARGV[11] that moment, [12] the position to begin at, [13] how many entries to look at.
-- Answers the list's length before, how many entries stay, and a verdict for each entry looked at.

local as_of, first, size = ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])

-- Texts of times compare as times do, for RQ writes all of them in one form; a job without one is left alone.
local function forbids(job)
  local at = job.enqueued_at
  if not (at and string.find(at, '^%d%d%d%d%-%d%d%-%d%dT') and at <= as_of) then
    return 'young'
  end
  return removal.forbids(job)
end

-- Judges the entries; an id that stands there twice is one job and one dead entry.
local function judged_entries()
  local jobs, seen = {}, {}
  for index, id in ipairs(redis.call('LRANGE', source, first, first + size - 1)) do
    local job = seen[id] and { id = id, key = key('job', id), verdict = 'gone', is_taken = seen[id].is_taken } or judged(id, forbids)
    if job.verdict == 'later' then
      break
    end
    jobs[index], seen[id] = job, job
  end
  return jobs
end

local function chunk()
  local length, jobs, taken, places, verdicts = redis.call('LLEN', source), judged_entries(), {}, {}, {}
  for index, job in ipairs(jobs) do
    if job.is_taken then
      places[first + index - 1] = job
      taken[#taken + 1] = job
    end
  end
  sweep(places)
  work_on(taken, removal)
  for index, job in ipairs(jobs) do
    verdicts[index] = job.verdict
  end
  return { length, #jobs - #taken, verdicts }
end

return obstacle({ [source] = 'list' }, removal.commands) or chunk()
