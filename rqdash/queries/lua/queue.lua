-- One queue: ARGV: prefix, now in whole seconds, name, most workers.
-- Returns its tally, whether RQ lists it, how many live workers listen to it, how many of them are busy, PTTL of suspension,
-- and how many jobs of the backend are on their way to another.
local prefix, name = ARGV[1], ARGV[3]
local listening = ask('SSCAN', prefix .. ':workers:' .. name, 0, 'COUNT', ARGV[4])
local start = prefix .. ':worker:'
local live, busy = 0, 0
for i, key in ipairs(listening and listening[2] or {}) do
  if i > tonumber(ARGV[4]) then
    break
  end
  local values = string.sub(key, 1, #start) == start and ask('HMGET', key, 'birth', 'state')
  -- Without both it is lost; see states.state_of.
  if values and (values[1] or values[2]) then
    live = live + 1
    busy = busy + (values[2] == 'busy' and 1 or 0)
  end
end
return {tally(prefix, name, ARGV[2]), ask('SISMEMBER', prefix .. ':queues', prefix .. ':queue:' .. name) or 0, live, busy, ask('PTTL', prefix .. ':suspended') or -2,
  ask('ZCARD', prefix .. ':rqdash:mv:out') or 0}
