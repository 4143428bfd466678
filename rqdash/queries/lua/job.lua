-- Everything that Redis holds under a job's id, where the job is, and what is around it. ARGV: prefix, id, the sorted sets of a queue with
-- commas between, how far to look into its lists, how many workers to look at, then pairs of a field and the size up to which it is read
-- whole; other fields are cut to 2 KB. Returns {fields, PTTL, dependents, dependencies, results, executions, how many dependents, how
-- many dependencies, where, worker, hashes of the executions, around}; fields are {name, size, value}; where is its place in the queue's
-- list and in :intermediate (-1: the server cannot tell; false also where its status tells where it is), then its score in each set and
-- that of each execution in the first.
local prefix, id = ARGV[1], ARGV[2]
local sets, farthest, most_workers = words(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local key = prefix .. ':job:' .. id
local MOST_FIELDS, MOST_RELATIVES, MOST_OTHER, SHOWN, MOST_RESULTS = 500, 100, 65536, 2048, 10
-- Bytes of fields without a size of their own, and of results, after which no more is read: to copy 30 MB takes the server 20 ms.
local ENOUGH = 1048576

local limits = {}
for i = 6, #ARGV, 2 do
  limits[ARGV[i]] = tonumber(ARGV[i + 1])
end

local fields, stored, small, spare = {}, {}, {}, ENOUGH
local names = (ask('HLEN', key) or 0) <= MOST_FIELDS and ask('HKEYS', key) or {}
for i, name in ipairs(names) do
  local size = ask('HSTRLEN', key, name) or 0
  fields[i] = {name, size, false}
  if size <= (limits[name] or math.min(MOST_OTHER, spare)) then
    small[#small + 1] = i
    spare = limits[name] and spare or spare - size
  end
end
-- One command for all that are small enough: one each would take the server as long as all the rest.
local wanted = {}
for i, at in ipairs(small) do
  wanted[i] = names[at]
end
for i, value in ipairs(#wanted > 0 and ask('HMGET', key, unpack(wanted)) or {}) do
  local name = wanted[i]
  if value and not limits[name] then
    value = string.sub(value, 1, SHOWN)
  end
  fields[small[i]][3], stored[name] = value, value
end

local function some(set)
  local found = ask('SSCAN', set, 0, 'COUNT', MOST_RELATIVES)
  return found and found[2] or {}
end

-- The newest results: how large one is shows only when it is read. Redis before 6.2 cannot be asked for those before another.
local function newest(results)
  local found, bytes, from = {}, 0, '+'
  repeat
    local reply = redis.pcall('XREVRANGE', results, from, '-', 'COUNT', 1)
    if reply.err then
      return ask('XREVRANGE', results, '+', '-', 'COUNT', MOST_RESULTS) or {}
    end
    local entry = reply[1]
    if entry then
      found[#found + 1], from = entry, '(' .. entry[1]
      for _, word in ipairs(entry[2]) do
        bytes = bytes + #word
      end
    end
  until not entry or #found == MOST_RESULTS or bytes > ENOUGH
  return found
end

-- Redis before 6.0.6 has no LPOS.
local function position(list)
  local found = redis.pcall('LPOS', list, id, 'MAXLEN', farthest)
  if type(found) ~= 'table' then
    return found
  end
  return string.find(found.err, 'Unknown', 1, true) and -1 or ask('LPOS', list, id, 'MAXLEN', farthest)
end

local SET_OF = {started = 'wip', stopped = 'failed', ready_to_enqueue = 'ready', wip = ''}

local function places(queue, executions)
  local list, status = prefix .. ':queue:' .. queue, stored.status or ''
  local found, is_settled = {false, false}, false
  for i, set in ipairs(sets) do
    found[2 + i] = ask('ZSCORE', prefix .. ':' .. set .. ':' .. queue, id)
    is_settled = is_settled or (found[2 + i] and set == (SET_OF[status] or status))
  end
  for i = 1, #executions, 2 do
    found[#found + 1] = ask('ZSCORE', prefix .. ':' .. sets[1] .. ':' .. queue, id .. ':' .. executions[i])
    is_settled = is_settled or (found[#found] and status == 'started')
  end
  -- Where it is by its status nobody looks for it in lists, which takes the server long when it is in none.
  if not is_settled then
    found[1], found[2] = position(list), position(list .. ':intermediate')
  end
  return found
end

local function hashes_of(executions)
  local found = {}
  for i = 1, #executions, 2 do
    found[#found + 1] = ask('HMGET', prefix .. ':execution:' .. id .. ':' .. executions[i], 'worker_name', 'created_at', 'last_heartbeat')
  end
  return found
end

local executions = ask('ZREVRANGE', prefix .. ':executions:' .. id, 0, 9, 'WITHSCORES') or {}
local queue, worker = stored.origin or '', stored.worker_name or ''
return {
  fields,
  ask('PTTL', key),
  some(key .. ':dependents'),
  some(prefix .. ':job::' .. id .. ':dependencies'),
  newest(prefix .. ':results:' .. id),
  executions,
  ask('SCARD', key .. ':dependents') or 0,
  ask('SCARD', prefix .. ':job::' .. id .. ':dependencies') or 0,
  places(queue, executions),
  worker ~= '' and ask('HMGET', prefix .. ':worker:' .. worker, 'birth', 'death'),
  hashes_of(executions),
  around(prefix, id, queue, stored.group_id or '', stored.rate_limit_key or '', most_workers),
}
