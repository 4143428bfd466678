-- Changes limits of jobs that do not run. ARGV[11]: fields and seconds, each with a space between ("timeout 300 ttl -1"); "-" gives
-- a field back its default. The lifetimes of keys follow where RQ had set them by that field; they count from now.

local RESULT_TTL_S, FAILURE_TTL_S = 500, 365 * 24 * 3600 -- RQ's defaults, rq/defaults.py

local changes = {}
for field, value in string.gmatch(told, '(%S+) (%S+)') do
  changes[#changes + 1] = { field = field, value = value, seconds = tonumber(value) }
end

local function keep_for(seconds, ...)
  for _, name in ipairs({ ... }) do
    last(name, seconds >= 0 and seconds or nil)
  end
end

local function keep_all_for(job, seconds)
  keep_for(seconds, job.key, dependents_key(job.id), dependencies_key(job.id))
end

local follow = {}

-- RQ counts it from when the job was queued; before that and once it ran, nothing expires by it.
function follow.ttl(job, seconds)
  if is_listed then
    keep_all_for(job, seconds or -1)
  end
end

function follow.result_ttl(job, seconds)
  local left = seconds or RESULT_TTL_S
  if registry == 'finished' then
    keep_all_for(job, left)
    keep_for(left, RESULTS .. job.id)
    redis.call('ZADD', source, 'XX', left < 0 and '+inf' or math.floor(now) + left, job.id)
  end
end

-- A failure kept for ever has the score -1; its results have no end of their own unless the job says how long.
function follow.failure_ttl(job, seconds)
  local left = seconds or FAILURE_TTL_S
  if registry == 'failed' then
    keep_all_for(job, left)
    keep_for(seconds or -1, RESULTS .. job.id)
    redis.call('ZADD', source, 'XX', left < 0 and -1 or math.floor(now) + left, job.id)
  end
end

local action = { take = leave }

function action.work(job)
  for _, change in ipairs(changes) do
    if change.seconds then
      redis.call('HSET', job.key, change.field, change.value)
    else
      redis.call('HDEL', job.key, change.field)
    end
    if follow[change.field] then
      follow[change.field](job, change.seconds)
    end
  end
end

return obstacle({ [source] = is_listed and 'list' or 'zset' }, { 'hset', 'hdel', 'persist', 'expire', 'zadd' }) or answer(action)
