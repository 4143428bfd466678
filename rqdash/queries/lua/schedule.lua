-- How many jobs queues hold for later, and who looks after them. ARGV: prefix, the score up to which a job is overdue, names (at most 75).
-- Returns for each name that holds any {its number among the names, jobs, overdue ones, value of the scheduler's lock, {hostname, pid} of
-- the scheduler that the lock names}.
local prefix, overdue = ARGV[1], ARGV[2]

local rows = {}
for i = 3, #ARGV do
  local key = prefix .. ':scheduled:' .. ARGV[i]
  local total = ask('ZCARD', key) or 0
  if total > 0 then
    local lock = ask('GET', prefix .. ':scheduler-lock:' .. ARGV[i])
    local who = lock and ask('HMGET', prefix .. ':scheduler:' .. lock, 'hostname', 'pid') or {}
    rows[#rows + 1] = {i - 2, total, ask('ZCOUNT', key, '-inf', overdue) or 0, lock, who}
  end
end
return rows
