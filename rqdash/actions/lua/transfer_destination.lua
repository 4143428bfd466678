-- Shared by a transfer's scripts on the backend that jobs come to.
--
-- Each attempt has a marker <prefix>:rqdash:mv:in:<token> with its state: prepared (a copy is parked: canceled, in no list, gone in
-- an hour), active (the job is here), aborted (it never will be under this token, however late somebody asks for it).

-- A marker outlives whatever may still be asked about it: a backend that is away for weeks has its moves finished when it is back.
local MARKER_S, TOMBSTONE_S, PARKED_S, DONE_S = 30 * 24 * 3600, 7 * 24 * 3600, 3600, 24 * 3600

-- The arguments behind the ids, one after another.
local place = BEFORE_IDS + how_many

local function next_argument()
  place = place + 1
  return ARGV[place]
end

local function marker_key(token)
  return prefix .. ':rqdash:mv:in:' .. token
end

local function mark(token, state, seconds)
  redis.call('HSET', marker_key(token), 'state', state, 'at', now)
  redis.call('EXPIRE', marker_key(token), seconds)
end

local function state_of(token)
  return redis.call('HGET', marker_key(token), 'state')
end

-- The token a copy is parked under; nil for a job, and for whatever else may be there.
local function parked_under(name)
  local found = redis.pcall('HMGET', name, 'rqdash_move', 'status')
  return not found.err and found[2] == 'canceled' and found[1] or nil
end

local function is_parked(name, token)
  return parked_under(name) == token
end

local function ids_asked()
  return { unpack(ARGV, BEFORE_IDS + 1, BEFORE_IDS + how_many) }
end

-- Whether there is any of these: what is asked of all together need not be asked of each.
local function exist_any(ids, start)
  local names = {}
  for index = 1, #ids do
    names[index] = start .. ids[index]
  end
  return exist(names)
end

local function drop_parked(id, token)
  if is_parked(JOB .. id, token) then
    redis.call('UNLINK', JOB .. id, RESULTS .. id)
  end
end

-- What has ended lasts as long as RQ then said.
local ENDED = { finished = true, failed = true, stopped = true, canceled = true }

-- A job that a producer enqueued over a parked copy is the producer's: RQ's save leaves our field on it, and our expiry, with which
-- it would vanish from its queue.
local function let_go(name)
  local found = redis.pcall('HMGET', name, 'rqdash_move', 'status', 'ttl')
  if found.err or not found[1] or found[2] == 'canceled' then
    return
  end
  redis.call('HDEL', name, 'rqdash_move')
  if not ENDED[found[2]] then
    last(name, found[2] ~= 'started' and sound_ttl(found[3]) or nil) -- a job that runs is kept by RQ, whatever its ttl
  end
end
