-- Puts jobs that a worker popped and never started back on their queue. A worker of a single queue keeps what it popped in the
-- queue's intermediate list until the job starts, a moment later. Who stands there for a minute is stuck; so is everyone when no
-- worker of the queue lives. RQ's maintenance notes when it first saw a job there, and fails it after a minute.

local STUCK_S, NOTED_S, MOST_WORKERS = 60, 24 * 3600, 1000
local is_attended

local function seen_key(id)
  return source .. ':first_seen:' .. id
end

-- Whether any worker that listens to the queue lives, or there are too many to ask.
local function find_workers()
  local name = key('workers', queue)
  local count = redis.call('SCARD', name)
  if count == 0 or count > MOST_WORKERS then
    return count > 0
  end
  return redis.call('EXISTS', unpack(redis.call('SMEMBERS', name))) > 0
end

-- Without RQ's note, ours: the same key, so that it matters not whose maintenance comes first.
local function is_stuck(job)
  if is_attended == nil then
    is_attended = find_workers()
  end
  if not is_attended then
    return true
  end
  local seen = tonumber(redis.call('GET', seen_key(job.id)) or nil)
  if not seen then
    redis.call('SET', seen_key(job.id), ARGV[6], 'EX', NOTED_S, 'NX')
  end
  return seen and now - seen > STUCK_S
end

local action = { is_particular = true, finish = push }

function action.forbids(job)
  return is_poison(job) and 'bad_id' or not is_stuck(job) and 'early' or nil
end

function action.work(job)
  redis.call('UNLINK', seen_key(job.id))
end

action.bury = action.work

return obstacle(
  { [source] = 'list', [queues] = 'set', [target] = 'list' },
  { 'lset', 'lrem', 'ltrim', 'sadd', 'rpush', 'lpush' }
) or (redis.acl_check_cmd and (denied('set', seen_key('id')) or denied('unlink', seen_key('id')))) or answer(action)
