-- Deletes the waiting jobs in one stretch of a queue's list that were enqueued up to a moment.
-- ARGV[13] that moment, [14] the position to begin at, [15] how many entries to look at.
-- Answers the list's length before, how many entries stay, and a verdict for each entry looked at.

local latest, first, size = ARGV[13], tonumber(ARGV[14]), tonumber(ARGV[15])

asked[5] = 'enqueued_at'

-- Texts of times compare as times do, for RQ writes all of them in one form; a job without one is left alone.
local old = { is_particular = true }

function old.forbids(job)
  local at = job.enqueued_at
  if not (at and string.find(at, '^%d%d%d%d%-%d%d%-%d%dT') and at <= latest) then
    return 'young'
  end
  return removal.forbids(job)
end

-- Judges the entries, up to the first that must wait for another call; an id that stands there twice is one job and one dead entry.
local function judged_entries()
  local ids, jobs, seen = redis.call('LRANGE', source, first, first + size - 1), {}, {}
  for index, job in ipairs(#ids > 0 and judged(ids, {}, old) or {}) do
    if job.verdict == 'later' then
      break
    end
    local other = seen[job.id]
    jobs[index] = other and { id = job.id, key = job.key, verdict = 'gone', is_taken = other.is_taken } or job
    seen[job.id] = job
  end
  return jobs
end

-- Which of the entries are to be taken, by their places, and all that this call answers for.
local function reached(jobs, length)
  local places, answered = {}, {}
  for index, job in ipairs(jobs) do
    if job.is_taken then
      places[first + index - 1] = job
    end
  end
  limit_reach(places, length)
  for index, job in ipairs(jobs) do
    if job.verdict == 'later' then
      break
    end
    answered[index] = job
  end
  return places, answered
end

local function chunk()
  local length, taken, verdicts = redis.call('LLEN', source), {}, {}
  local places, answered = reached(judged_entries(), length)
  for _, job in ipairs(answered) do
    if job.is_taken then
      taken[#taken + 1] = job
    end
  end
  sweep(places)
  work_on(taken, removal)
  for index, job in ipairs(answered) do
    verdicts[index] = job.verdict
  end
  return { length, #answered - #taken, verdicts }
end

return obstacle({ [source] = 'list' }, removal.commands) or chunk()
