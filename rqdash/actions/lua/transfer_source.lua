-- Shared by a transfer's scripts on the backend that jobs leave.
--
-- A job on its way has an entry <prefix>:rqdash:mv:out:<token>, listed in <prefix>:rqdash:mv:out by when it left (microseconds).
-- Until the entry is closed the job's hash stays here, canceled and in no registry: whatever happens, there is a copy of it.

local departures = prefix .. ':rqdash:mv:out'

-- Of a longer value, its length and windows spread over it stand for it: SHA-1 takes 3 ms a megabyte. The last window is its end,
-- where zlib keeps a checksum of all of it.
local LONG, WINDOW, WINDOWS = 65536, 4096, 15

local function entry_key(token)
  return departures .. ':' .. token
end

-- Microseconds; Lua would write so large a number with an exponent.
local function clock()
  local now_is = redis.call('TIME')
  return tonumber(now_is[1]) * 1000000 + tonumber(now_is[2])
end

local function plain(number)
  return string.format('%.0f', number)
end

local function gist(value)
  local parts, stride = {}, math.floor((#value - WINDOW) / WINDOWS)
  for index = 0, WINDOWS - 1 do
    parts[#parts + 1] = string.sub(value, index * stride + 1, index * stride + WINDOW)
  end
  parts[#parts + 1] = string.sub(value, -WINDOW)
  return table.concat(parts)
end

-- Whether a job's hash has just these fields, and their values and its results are those that this digest was made of (see
-- digests.py). Entries of a stream never change: how many there are and which is the last say all.
local function is_unchanged(job, fields, expected)
  if redis.call('HLEN', job.key) ~= #fields then
    return false
  end
  local values, weight = redis.call('HMGET', job.key, unpack(fields)), 0
  for index = 1, #fields do
    local value = values[index]
    if not value then
      return false
    end
    weight = weight + index * #value
    if #value > LONG then
      values[index] = gist(value)
    end
  end
  local count, latest = 0, ''
  if survey.has_results then
    count = redis.call('XLEN', RESULTS .. job.id)
    latest = count > 0 and redis.call('XREVRANGE', RESULTS .. job.id, '+', '-', 'COUNT', 1)[1][1] or ''
  end
  return redis.sha1hex(plain(weight) .. ';' .. count .. ';' .. latest .. ';' .. table.concat(values, ',')) == expected
end

local function look_for_results(ids)
  local names = {}
  for index = 1, #ids do
    names[index] = RESULTS .. ids[index]
  end
  survey.has_results = exist(names)
end

-- A scheduler reads what is due and enqueues it a moment later without looking again: what is due now is left to it. Its clock may be
-- ahead of ours.
local function is_being_scheduled(job)
  return registry == 'scheduled' and tonumber(job.score) <= now + SOON_S and redis.call('EXISTS', key('scheduler-lock', queue)) == 1
end

-- Whether the hash is still as the transfer left it: a producer may have enqueued another job under the same id since.
local function is_away(job, token)
  return job.rqdash_move == token and job.status == 'canceled'
end

-- Keeps a verdict for the operation that the job was moved for, if it was.
local function settle(op, id, verdict)
  if op ~= '' then
    local name = prefix .. ':rqdash:op:' .. op
    redis.call('HSET', name, id, verdict)
    redis.call('EXPIRE', name, JOURNAL_S)
  end
end

-- What all entries of one batch share is one text in each: see wire.py.
local ways = {}

local function way_of(text)
  ways[text] = ways[text] or cjson.decode(text)
  return ways[text]
end

local function unhexed(text)
  return (string.gsub(text, '..', function(pair) return string.char(tonumber(pair, 16)) end))
end

local function read_entry(token)
  local state, id, way, status, score, lasts = unpack(
    redis.call('HMGET', entry_key(token), 'state', 'id', 'way', 'status', 'score', 'ttl_ms'))
  if state ~= 'detached' then
    return nil
  end
  return { token = token, id = id, way = way_of(way), status = status, score = score, ttl_ms = tonumber(lasts) }
end

local closed = {}

local function close_entry(token)
  closed[#closed + 1] = token
end

local function close_entries()
  if #closed == 0 then
    return
  end
  local names = {}
  for index, token in ipairs(closed) do
    names[index] = entry_key(token)
  end
  redis.call('DEL', unpack(names))
  redis.call('ZREM', departures, unpack(closed))
end

-- The tokens that this script is asked about, in place of ids.
local function tokens()
  return { unpack(ARGV, BEFORE_IDS + 1, BEFORE_IDS + how_many) }
end
