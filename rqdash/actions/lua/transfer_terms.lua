-- What decides which jobs can come here. Writes nothing. told: {sample: how many jobs a place, head: bytes of each job's data}.
-- Answers the versions of the live workers ("" where one does not say), how many of the workers listen to the queue to go to, and the
-- beginnings of the data of jobs of that queue, or where it has none of jobs of other queues.

local MOST_WORKERS, MOST_QUEUES, LARGEST = 200, 20, 65536
local wish = cjson.decode(told)

local function safely(...)
  local reply = redis.pcall(...)
  return type(reply) == 'table' and reply.err and {} or reply
end

local function members(name, most)
  local found = safely('SSCAN', name, 0, 'COUNT', most)[2] or {}
  return { unpack(found, 1, math.min(#found, most)) }
end

local function starts_with(name, start)
  return string.sub(name, 1, #start) == start
end

local function versions_of(name)
  local found = {}
  for _, worker in ipairs(members(name, MOST_WORKERS)) do
    local fields = starts_with(worker, key('worker', '')) and safely('HMGET', worker, 'birth', 'version') or {}
    if fields[1] then
      found[#found + 1] = fields[2] or ''
    end
  end
  return found
end

local heads, seen = {}, {}

local function take_heads(ids)
  for _, id in ipairs(ids) do
    local name = key('job', id)
    local length = not seen[id] and safely('HSTRLEN', name, 'data')
    local data = type(length) == 'number' and length <= LARGEST and safely('HGET', name, 'data')
    seen[id] = true
    if type(data) == 'string' then
      heads[#heads + 1] = string.sub(data, 1, wish.head)
    end
  end
end

take_heads(safely('LRANGE', key('queue', to_queue), 0, wish.sample - 1))
for _, other in ipairs({ 'failed', 'finished', 'scheduled', 'canceled' }) do
  take_heads(safely('ZREVRANGE', key(other, to_queue), 0, wish.sample - 1))
end
if #heads == 0 then
  for _, name in ipairs(members(queues, MOST_QUEUES)) do
    take_heads(starts_with(name, key('queue', '')) and safely('LRANGE', name, 0, 0) or {})
  end
end
return { versions_of(prefix .. ':workers'), #versions_of(key('workers', to_queue)), heads }
