-- Reads jobs whole, as far as they may leave, up to so many bytes: what does not fit is "later". Writes nothing.
-- told: {bytes: how many in one answer, largest: of one job, copies: whether the jobs stay here}.
-- Answers for each id a verdict, or "" with the hash, the results, the lifetimes of both (ms) and its score.

local wish = cjson.decode(told)
local action = { is_particular = true }
local bytes, is_full = 0, false

-- What may be large of a job is weighed before it is read: to copy 40 MB only to refuse them holds the server for 90 ms.
local HEAVY, MOST_FIELDS, MOST_RESULTS = { 'data', 'description', 'meta', 'exc_info', 'result' }, 1000, 1000

local function weigh(words)
  for _, word in ipairs(words) do
    bytes = bytes + #word
  end
end

-- Answers whether it is small enough to be looked at by scripts, and then keeps it for the answer.
local function read_whole(job)
  local before = bytes
  local words, results, results_last = redis.call('HGETALL', job.key), {}, -2
  weigh(words)
  if survey.has_results then
    results = redis.call('XRANGE', RESULTS .. job.id, '-', '+', 'COUNT', MOST_RESULTS)
    results_last = redis.call('PTTL', RESULTS .. job.id)
  end
  for _, entry in ipairs(results) do
    weigh(entry[2])
  end
  if bytes - before > wish.largest then
    bytes = before
    return false
  end
  job.found = { '', words, results, redis.call('PTTL', job.key), results_last, job.score or '' }
  return true
end

local function is_too_much(job)
  is_full = is_full or (bytes > 0 and bytes + job.weight > wish.bytes)
  return is_full
end

-- More fields than that the other scripts cannot look at in one command; RQ writes some twenty, and keeps ten results.
local function is_too_large(job)
  -- Judging begins anew, one by one, where a job's key is of another type.
  if job.id == ARGV[BEFORE_IDS + 1] then
    bytes, is_full = 0, false
  end
  job.weight = 0
  for _, field in ipairs(HEAVY) do
    job.weight = job.weight + redis.call('HSTRLEN', job.key, field)
  end
  return job.weight > wish.largest or redis.call('HLEN', job.key) > MOST_FIELDS
    or (survey.has_results and redis.call('XLEN', RESULTS .. job.id) > MOST_RESULTS)
end

function action.forbids(job)
  if is_rate_limited(job) then
    return 'rate_limited'
  end
  if not wish.copies and has_dependents(job) then
    return 'has_dependents'
  end
  if not wish.copies and is_being_scheduled(job) then
    return 'raced'
  end
  if is_too_large(job) then
    return 'refused'
  end
  if is_too_much(job) then
    return 'later'
  end
  return not read_whole(job) and 'refused' or nil
end

local ids, answers = tokens(), {}
look_for_results(ids)
for index, job in ipairs(judged(ids, {}, action)) do
  answers[index] = job.verdict and { job.verdict } or job.found
end
return answers
