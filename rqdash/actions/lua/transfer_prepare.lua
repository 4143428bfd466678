-- Parks copies of jobs that are to come. Behind the ids, for each: its token, how many words its hash has, the words (fields and
-- values; status canceled and rqdash_move, the token, among them), how many results, and for each its id, how many words, the words.
-- Answers for each "prepared", "conflict" (another job has that id here), or what its marker says.

-- A parked copy that nobody came back for is in nobody's way any longer than this; between two steps passes a moment. A mover that was
-- only slow finds its attempt aborted, and puts the job back. An operation is resumed later than this.
local ABANDONED_S = 10
local WORDS = 2000

local function words(count)
  local first = place + 1
  place = place + count
  return first, place
end

-- An earlier attempt whose mover has died; from now on it is too late for it.
local function supersedes(name)
  local token = parked_under(name)
  local marker = token and redis.call('HMGET', marker_key(token), 'state', 'at') or {}
  if marker[1] ~= 'prepared' or now - tonumber(marker[2]) < ABANDONED_S then
    return false
  end
  mark(token, 'aborted', TOMBSTONE_S)
  return true
end

local function is_taken_id(id, token)
  local name = JOB .. id
  if survey.has_jobs and redis.call('EXISTS', name) == 1 then
    let_go(name)
    return not is_parked(name, token) and not supersedes(name)
  end
  return is_running({ id = id, key = name })
end

-- Results here without a job are what RQ leaves behind when a job expires.
local function park(id, token, first, last)
  local name = JOB .. id
  if survey.has_jobs or survey.has_results then
    redis.call('UNLINK', name, RESULTS .. id)
  end
  for from = first, last, WORDS do
    redis.call('HSET', name, unpack(ARGV, from, math.min(from + WORDS - 1, last)))
  end
  redis.call('EXPIRE', name, PARKED_S)
  mark(token, 'prepared', MARKER_S)
end

local function park_results(id, count, is_wanted)
  for _ = 1, count do
    local entry = next_argument()
    local first, last = words(tonumber(next_argument()))
    if is_wanted then
      redis.call('XADD', RESULTS .. id, entry, unpack(ARGV, first, last))
    end
  end
  if is_wanted and count > 0 then
    redis.call('EXPIRE', RESULTS .. id, PARKED_S)
  end
end

local function prepare(id)
  local token = next_argument()
  local first, last = words(tonumber(next_argument()))
  local state = state_of(token)
  if state ~= 'active' and state ~= 'aborted' then
    state = is_taken_id(id, token) and 'conflict' or 'prepared'
  end
  if state == 'prepared' then
    park(id, token, first, last)
  end
  park_results(id, tonumber(next_argument()), state == 'prepared')
  return state
end

local function prepare_all()
  local answers, ids = {}, ids_asked()
  look_over(ids)
  survey.has_jobs, survey.has_results = exist_any(ids, JOB), exist_any(ids, RESULTS)
  for index, id in ipairs(ids) do
    answers[index] = prepare(id)
  end
  return answers
end

local function own_denied()
  local name = marker_key('token')
  return redis.acl_check_cmd and (denied('hset', name) or denied('expire', name) or denied('xadd', RESULTS .. 'id'))
end

-- What activating will need is asked for now, while the job is still safe where it is.
return obstacle(
  { [queues] = 'set', [target] = registry == 'scheduled' and 'zset' or 'list' },
  { 'hset', 'hdel', 'persist', 'expire', 'unlink', 'sadd', 'zadd', 'rpush', 'lpush' }
) or own_denied() or prepare_all()
