-- The commit point of a transfer: takes jobs out of where they are, if they are still as they were read, and writes the journal.
-- told: {attempts: [[token, digest, which of the lists of fields]...] in the order of the ids, lists: of fields in hexadecimal,
-- way: what the entries of all of them say, op: the operation they are moved for, or ""}.
-- Answers a verdict for each id ("done": detached; "changed": read it again), and the ids detached, in the order they stood.

local wish = cjson.decode(told)
local attempts, action, departed, listed = {}, { is_particular = true }, {}, {}

for _, list in ipairs(wish.lists) do
  for index, name in ipairs(list) do
    list[index] = unhexed(name)
  end
end

function action.forbids(job)
  local attempt, problem = attempts[job.id], weigh_edges(job)
  if problem then
    return problem
  end
  if is_rate_limited(job) then
    return 'rate_limited'
  end
  if has_dependents(job) then
    return 'has_dependents'
  end
  if is_being_scheduled(job) or (survey.has_entries and redis.call('EXISTS', entry_key(attempt[1])) == 1) then
    return 'raced'
  end
  return not is_unchanged(job, wish.lists[attempt[3]], attempt[2]) and 'changed' or nil
end

local function depart(job, left_at)
  local token = attempts[job.id][1]
  local lasts, results_last = redis.call('PTTL', job.key), survey.has_results and redis.call('PTTL', RESULTS .. job.id) or -2
  redis.call('HSET', entry_key(token), 'state', 'detached', 'id', job.id, 'way', wish.way, 'status', job.status,
    'score', job.score or '', 'ttl_ms', lasts, 'results_ttl_ms', results_last)
  listed[#listed + 1], listed[#listed + 2] = plain(left_at), token
  redis.call('HSET', job.key, 'status', 'canceled', 'rqdash_move', token)
  if lasts > 0 then
    redis.call('PERSIST', job.key)
  end
  settle(wish.op, job.id, 'in_transit')
  departed[#departed + 1] = job.id
end

-- Servers before Redis 7 cannot be asked what an ACL allows: what must not fail after a job was taken out is tried before.
local function try_journal()
  local name = entry_key(wish.attempts[1][1])
  if redis.acl_check_cmd or redis.call('EXISTS', name) == 1 then
    return
  end
  redis.call('HSET', name, 'state', 'tried')
  redis.call('ZADD', departures, 0, wish.attempts[1][1])
  redis.call('DEL', name)
  redis.call('ZREM', departures, wish.attempts[1][1])
end

local function detach()
  local verdicts, ids, entries = {}, tokens(), {}
  try_journal()
  for index, id in ipairs(ids) do
    attempts[id] = wish.attempts[index]
    entries[index] = entry_key(wish.attempts[index][1])
  end
  survey.has_entries = exist(entries)
  look_for_results(ids)
  local jobs = judged(ids, {}, action)
  local taken = take(jobs, action)
  local left_at = clock()
  for index, job in ipairs(taken or {}) do
    if not job.verdict then
      depart(job, left_at + index)
      job.verdict = 'done'
    end
  end
  if #listed > 0 then
    redis.call('ZADD', departures, unpack(listed))
  end
  for index, job in ipairs(jobs) do
    verdicts[index] = (not taken and job.is_taken) and 'unplaced' or job.verdict
  end
  return { verdicts, departed }
end

local function journal_denied()
  local name = entry_key(wish.attempts[1][1])
  return redis.acl_check_cmd and (denied('hset', name) or denied('del', name) or denied('zadd', departures) or denied('zrem', departures))
end

return obstacle(
  { [source] = is_listed and 'list' or 'zset', [departures] = 'zset' },
  { 'zrem', 'lset', 'lrem', 'ltrim', 'hset', 'hdel', 'persist', 'unlink', 'srem' }
) or journal_denied() or detach()
