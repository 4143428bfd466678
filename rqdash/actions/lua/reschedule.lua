-- Gives scheduled jobs another time. ARGV[11] that time (epoch, s). Only entries there are get it: RQ's scheduler may have queued
-- a job meanwhile, and a new entry would run it twice.

local action = { take = leave }

function action.work(job)
  redis.call('ZADD', source, 'XX', told, job.id)
end

return obstacle({ [source] = 'zset' }, { 'zadd' }) or answer(action)
