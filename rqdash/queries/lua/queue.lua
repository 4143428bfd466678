-- One queue: ARGV: prefix, now in whole seconds, name, fields of a worker with commas between, most workers.
-- Returns its tally, whether RQ lists it, and those fields of each worker that listens to it.
local prefix, name = ARGV[1], ARGV[3]
local fields = words(ARGV[4])
local listening = ask('SSCAN', prefix .. ':workers:' .. name, 0, 'COUNT', ARGV[5])
local start = prefix .. ':worker:'
local workers = {}
for i, key in ipairs(listening and listening[2] or {}) do
  if i > tonumber(ARGV[5]) then
    break
  end
  if string.sub(key, 1, #start) == start then
    workers[#workers + 1] = ask('HMGET', key, unpack(fields)) or {}
  end
end
return {tally(prefix, name, ARGV[2]), ask('SISMEMBER', prefix .. ':queues', prefix .. ':queue:' .. name) or 0, workers}
