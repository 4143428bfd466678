-- Puts jobs that did not arrive back where they were taken from, a queue's at its front, and closes their entries. The ids are
-- tokens, the last to have left first. told: the verdict that their operation is answered. Answers "done", or "gone" where there is
-- no such entry (any more).

asked[#asked + 1] = 'rqdash_move'

local function restore_lifetime(entry, name)
  local left_at = redis.call('ZSCORE', departures, entry.token)
  if entry.ttl_ms > 0 then
    local away_ms = (clock() - tonumber(left_at or clock())) / 1000
    redis.call('PEXPIRE', name, plain(math.max(1, entry.ttl_ms - math.max(0, away_ms))))
  end
end

local function put_back(entry, name)
  if entry.way.registry == 'queued' then
    redis.call('LPUSH', key('queue', name), entry.id)
  else
    redis.call('ZADD', key(entry.way.registry, name), entry.score, entry.id)
  end
  redis.call('SADD', queues, key('queue', name))
end

local function reattach(token)
  local entry = read_entry(token)
  if not entry then
    return 'gone'
  end
  local job = read_job(entry.id)
  if is_away(job, token) then
    put_back(entry, unhexed(entry.way.queue))
    redis.call('HSET', job.key, 'status', entry.status)
    restore_lifetime(entry, job.key)
  end
  redis.call('HDEL', job.key, 'rqdash_move')
  close_entry(token)
  settle(entry.way.op, entry.id, told)
  return 'done'
end

local answers = {}
for index, token in ipairs(tokens()) do
  answers[index] = reattach(token)
end
close_entries()
return answers
