-- Workers with what they run. ARGV: prefix, fields of a worker with commas between, fields of a job likewise, names (at most 75).
-- Returns per worker {fields, PTTL, <job id>:<execution id> or job id of what it runs, when that execution began, job_row}.
local prefix = ARGV[1]
local worker_fields, job_fields = words(ARGV[2]), words(ARGV[3])

-- RQ 3.0 keeps a set of executions beside the worker; up to 2.12 the worker's hash names the job.
local function running(key, values)
  local found = ask('SSCAN', key .. ':executions', 0, 'COUNT', 10)
  local composites = found and found[2] or {}
  table.sort(composites)
  return composites[1] or (values and values[1]) or false
end

local rows = {}
for i = 4, #ARGV do
  local key = prefix .. ':worker:' .. ARGV[i]
  local values = ask('HMGET', key, unpack(worker_fields)) or {}
  local composite = running(key, values)
  local row = {values, ask('PTTL', key), composite, false, false}
  if composite and composite ~= '' then
    local id = composite
    if string.sub(id, -33, -33) == ':' and not string.find(string.sub(id, -32), '[^0-9a-f]') then
      row[4] = ask('HGET', prefix .. ':execution:' .. composite, 'created_at')
      id = string.sub(id, 1, -34)
    end
    row[5] = job_row(prefix, id, job_fields)
  end
  rows[i - 3] = row
end
return rows
