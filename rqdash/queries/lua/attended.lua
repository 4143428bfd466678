-- What waits in queues, and which of their started jobs have lost their worker. ARGV: prefix, fields of a job with commas between,
-- names (at most 40). Returns per queue {jobs waiting, {member, score, worker, job_row} of each such job}.
local LOOKED_AT = 16
-- Rows of jobs in one call: beyond, what is left is left unsaid rather than the server held.
local rows_left = 100
local prefix, job_fields = ARGV[1], words(ARGV[2])

-- RQ lists a job as started before the job says so, and by whom: until then it names the worker of its last run.
local function lost_worker(id)
  local job = ask('HMGET', prefix .. ':job:' .. id, 'worker_name', 'status') or {}
  local worker = job[1]
  if not worker or worker == '' or job[2] ~= 'started' then
    return false
  end
  local hash = ask('HMGET', prefix .. ':worker:' .. worker, 'birth', 'state')
  return not (hash and (hash[1] or hash[2])) and worker
end

local function left(queue)
  local found = {}
  local first = ask('ZRANGE', prefix .. ':wip:' .. queue, 0, LOOKED_AT - 1, 'WITHSCORES') or {}
  for i = 1, #first, 2 do
    local id = first[i]
    if string.sub(id, -33, -33) == ':' and not string.find(string.sub(id, -32), '[^0-9a-f]') then
      id = string.sub(id, 1, -34)
    end
    local worker = lost_worker(id)
    if worker and rows_left > 0 then
      rows_left = rows_left - 1
      found[#found + 1] = {first[i], first[i + 1], worker, job_row(prefix, id, job_fields)}
    end
  end
  return found
end

local rows = {}
for i = 3, #ARGV do
  rows[i - 2] = {ask('LLEN', prefix .. ':queue:' .. ARGV[i]) or 0, left(ARGV[i])}
end
return rows
