-- What may be wrong with queues. ARGV: prefix, now in whole seconds, names (at most 40). Returns a row a name, in the order of
-- trouble.queue_trouble.
local FIRST = 8
local LOOKED_AT = 3
local TAKEN = 3
local TAKEN_S = 60
local YEAR = 31536000
local FOREVER = math.huge

-- RQ lists a job as started before the job says so, and by whom: until then it names the worker of its last run.
local function worker_gone(prefix, member)
  local id, execution = string.match(member, '^(.*):(%x+)$')
  local key = prefix .. ':job:' .. (execution and #execution == 32 and id or member)
  local job = ask('HMGET', key, 'worker_name', 'status') or {}
  local worker = job[1]
  if not worker or worker == '' or job[2] ~= 'started' then
    return false
  end
  local hash = ask('HMGET', prefix .. ':worker:' .. worker, 'birth', 'state')
  return not (hash and (hash[1] or hash[2])) and worker
end

-- The deadline that passed first, and of the started jobs that a worker last beat for longest ago, and of one without a deadline,
-- how many have lost theirs.
local function started(prefix, queue, now)
  local key = prefix .. ':wip:' .. queue
  local first = ask('ZRANGE', key, 0, FIRST - 1, 'WITHSCORES') or {}
  local passed, gone, worker, looked = false, 0, false, 0
  local last = first[1] and ask('ZREVRANGE', key, 0, 0, 'WITHSCORES') or {}
  if last[2] and tonumber(last[2]) == FOREVER and #first == 2 * FIRST then
    first[#first + 1], first[#first + 2] = last[1], last[2]
  end
  for i = 1, #first, 2 do
    local score = tonumber(first[i + 1])
    if score <= now then
      passed = passed or (score >= 0 and first[i + 1])
    elseif looked < LOOKED_AT or score == FOREVER then
      looked = looked + 1
      local lost = worker_gone(prefix, first[i])
      gone, worker = gone + (lost and 1 or 0), worker or lost
    end
  end
  return passed, gone, worker
end

local function stuck(prefix, queue, now)
  local key = prefix .. ':queue:' .. queue .. ':intermediate'
  local count = 0
  for _, id in ipairs(ask('LRANGE', key, 0, TAKEN - 1) or {}) do
    local seen = tonumber(ask('GET', key .. ':first_seen:' .. id) or nil)
    if seen and now - seen > TAKEN_S then
      count = count + 1
    end
  end
  return count
end

-- Failed in the last 10 minutes and in the last hour: a score is when it failed plus the failure_ttl of its job, for which the job
-- with the last score speaks; -1 is kept for ever, and says nothing of when.
local function failed(prefix, queue, now)
  local key = prefix .. ':failed:' .. queue
  local last = ask('ZREVRANGE', key, 0, 0, 'WITHSCORES') or {}
  if not last[1] then
    return 0, 0
  end
  local ttl = tonumber(ask('HGET', prefix .. ':job:' .. last[1], 'failure_ttl') or nil) or YEAR
  if tonumber(last[2]) < 0 or ttl < 0 then
    return false, false
  end
  local to = now + ttl + TAKEN_S
  return ask('ZCOUNT', key, now + ttl - 600, to), ask('ZCOUNT', key, now + ttl - 3600, to)
end

local rows = {}
local prefix, now = ARGV[1], tonumber(ARGV[2])
for i = 3, #ARGV do
  local queue = ARGV[i]
  local passed, gone, worker = started(prefix, queue, now)
  local due = ask('ZRANGE', prefix .. ':scheduled:' .. queue, 0, 0, 'WITHSCORES') or {}
  local recently, in_hour = failed(prefix, queue, now)
  rows[i - 2] = {passed, gone, worker, stuck(prefix, queue, now), due[2] or false, recently, in_hour}
end
return rows
