-- Two moments that keep a job from being touched: it came to where it is later than was meant, or RQ's scheduler has it in hand.

-- A scheduler reads what is due and enqueues it a moment later without looking again; it reads by a clock of its own.
local SOON_S = 5

-- When a job came to its list or registry: the first of these fields that is set, as planning has it (queries/scan_plan.py).
local CAME = {
  queued = { 'enqueued_at' },
  scheduled = { 'ended_at', 'created_at' },
  deferred = { 'created_at' },
  failed = { 'ended_at', 'created_at' },
  finished = { 'ended_at' },
  canceled = { 'created_at' },
}

-- RQ writes all times in one form, in UTC; old versions wrote no fraction. As texts of one length they compare as times do.
local function comparable(text)
  local whole, fraction = string.match(text, '^(%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d)%.?(%d*)')
  return whole and whole .. '.' .. string.sub(fraction .. '000000', 1, 6)
end

local as_of, as_of_s = string.match(ARGV[10], '^(%S+) (%S+)$')
as_of, as_of_s = as_of and comparable(as_of), tonumber(as_of_s)

-- What is read of each job to tell when it came; nothing where no moment is meant.
local function moment_fields()
  return as_of and CAME[registry] or {}
end

-- When the newest result of a job was written (epoch, s): RQ empties ended_at of a job that it found abandoned.
local function result_at(id)
  local found = redis.pcall('XREVRANGE', RESULTS .. id, '+', '-', 'COUNT', 1)
  local written_ms = not found.err and found[1] and tonumber(string.match(found[1][1], '^(%d%d%d%d%d+)%-'))
  return written_ms and written_ms / 1000
end

-- When a job came as the registry's scores or the results know it (epoch, s), where they know better than the job.
local function came_s(id, moments, score)
  if registry == 'canceled' then
    local canceled_s = tonumber(score)
    return canceled_s and canceled_s > 0 and canceled_s
  end
  return registry == 'failed' and not comparable(moments[1]) and result_at(id)
end

-- Whether a job came later than as_of, or nobody knows when: then it is not the one that was found there.
local function is_late(id, moments, score)
  if not as_of then
    return false
  end
  local at_s = came_s(id, moments, score)
  if at_s then
    return at_s > as_of_s
  end
  for _, text in ipairs(moments) do
    local at = comparable(text)
    if at then
      return at > as_of
    end
  end
  return true
end

local IN_FULL = '^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$'

-- Whether the first of a job's moments is as RQ writes them and says that it came in time; where not, is_late looks closer.
local function is_surely_early(moment)
  return moment and registry ~= 'canceled' and moment < as_of and string.find(moment, IN_FULL)
end

-- Set where a scheduler may have a job in hand: by the actions that answer for jobs, once a call.
local is_scheduling = false

local function watch_scheduler()
  local may_be_due = registry == 'scheduled' or registry == 'finished'
  is_scheduling = may_be_due and redis.call('EXISTS', key('scheduler-lock', queue)) == 1
end

-- RQ 2.3 to 2.7 keep jobs that wait for their next repeat in the finished registry too.
local function is_with_scheduler(id, score)
  if not is_scheduling then
    return false
  end
  local due = registry == 'scheduled' and score or redis.call('ZSCORE', key('scheduled', queue), id)
  return due and tonumber(due) <= now + SOON_S
end
