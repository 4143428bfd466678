-- RQ's cron. ARGV: prefix, how many schedulers, how many names of cron jobs, largest list of jobs in bytes, all lists together in bytes.
-- Returns {schedulers listed, {name, heartbeat, {hostname, pid, created_at, config_file}, bytes of its list, list or false} each, names
-- listed, names with when each was last enqueued, jobs of the package rq-scheduler, whether that runs}.
local prefix, most, most_names = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local largest, left = tonumber(ARGV[4]), tonumber(ARGV[5])

local rows = {}
local listed = ask('ZREVRANGE', prefix .. ':cron_schedulers', 0, most - 1, 'WITHSCORES') or {}
for i = 1, #listed, 2 do
  local key = prefix .. ':cron_scheduler:' .. listed[i]
  local size = ask('HSTRLEN', key, 'cron_jobs') or 0
  local list = false
  if size > 0 and size <= largest and size <= left then
    list = ask('HGET', key, 'cron_jobs')
    left = left - size
  end
  rows[#rows + 1] = {listed[i], listed[i + 1], ask('HMGET', key, 'hostname', 'pid', 'created_at', 'config_file') or {}, size, list}
end
return {
  ask('ZCARD', prefix .. ':cron_schedulers') or 0,
  rows,
  ask('ZCARD', prefix .. ':cron_jobs') or 0,
  ask('ZREVRANGE', prefix .. ':cron_jobs', 0, most_names - 1, 'WITHSCORES') or {},
  ask('ZCARD', prefix .. ':scheduler:scheduled_jobs') or 0,
  ask('EXISTS', prefix .. ':scheduler_lock'),
}
