-- Looks through one list or sorted set for jobs that a search may mean: drops those that surely do not match, returns the others with
-- what the search reads of them. It stops by itself when its time is up, for what it costs depends on what it finds.
-- ARGV: 1 prefix, 2 key, 3 order (list: from the tail; down, up: by score), 4 whether members name executions (1), 5 most entries,
-- 6 seconds, 7 bytes to read, 8 fields to read with commas between, 9 how large data may be to be read (0: none is), 10 how much of it
-- to return, 11 whether to read errors, 12 newest results of jobs without ended_at (1 each), 13 how many words say where to go on, those
-- words, then the conditions.
-- Returns entries looked at, whether the end was reached (1), where to go on, microseconds, and a row a job: its place among those
-- looked at, member, score ('' in a list), fields; then, each when asked for: size and beginning of data, size and text of the error, the
-- id of the newest result.
local prefix, key, order = ARGV[1], ARGV[2], ARGV[3]
local has_executions, most, budget, room = ARGV[4] == '1', tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local fields, largest, head = words(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local with_data, with_errors, with_ends = largest > 0, ARGV[11] == '1', ARGV[12] == '1'
local is_list, is_up = order == 'list', order == 'up'
local RANGE, RANK = is_up and 'ZRANGE' or 'ZREVRANGE', is_up and 'ZRANK' or 'ZREVRANK'
local CHUNK, TEXT = 256, 8192
-- Where to go on is said by members of at most so many bytes, for it travels in addresses; so many longer ones are passed over.
local LONG, MOST_LONG = 300, 64
local NEAR = 1000
local find, lower, sub = string.find, string.lower, string.sub
local clock = os.clock
local began = clock()

local place, column = {}, {}
for i = 1, tonumber(ARGV[13]) do
  place[i] = ARGV[13 + i]
end
for i, field in ipairs(fields) do
  column[field] = i
end

-- A condition is: its kind, whether it is negated (1), how many words; a word is: how many parts, then the parts between its globs.
local function read_conditions(at)
  local found = {}
  while at <= #ARGV do
    local condition = {kind = ARGV[at], negated = ARGV[at + 1] == '1'}
    local count = tonumber(ARGV[at + 2])
    at = at + 3
    for i = 1, count do
      local parts = {}
      for j = 1, tonumber(ARGV[at]) do
        parts[j] = ARGV[at + j]
      end
      condition[i] = parts
      at = at + 1 + #parts
    end
    found[#found + 1] = condition
  end
  return found
end

local conditions = read_conditions(14 + #place)
local is_filtered = #conditions > 0

local function in_order(parts, text, first, last, from)
  for i = first, last do
    local start, stop = find(text, parts[i], from, true)
    if not start then
      return false
    end
    from = stop + 1
  end
  return true
end

-- In lower case; several conditions look at the same text one after the other.
local last, last_lowered = '', ''
local function lowered(text)
  if text ~= last then
    last, last_lowered = text, lower(text)
  end
  return last_lowered
end

local function is_part(condition, text)
  if text == '' then
    return false
  end
  text = lowered(text)
  for i = 1, #condition do
    local parts = condition[i]
    if #parts == 1 then
      if find(text, parts[1], 1, true) then
        return true
      end
    elseif in_order(parts, text, 1, #parts, 1) then
      return true
    end
  end
  return false
end

local function is_whole(condition, text)
  for _, parts in ipairs(condition) do
    local first, last = parts[1], parts[#parts]
    if #parts == 1 then
      if text == first then
        return true
      end
    elseif #text >= #first + #last and sub(text, 1, #first) == first and sub(text, #text - #last + 1) == last then
      if in_order(parts, sub(text, 1, #text - #last), 2, #parts - 1, #first + 1) then
        return true
      end
    end
  end
  return false
end

-- RQ 2.0 and later write <job id>:<32 hex> as the member of the started registry, RQ 1.x the id alone.
local function job_id(member)
  if has_executions and sub(member, -33, -33) == ':' and not find(sub(member, -32), '[^0-9a-f]') then
    return sub(member, 1, -34)
  end
  return member
end

local function field_of(values, field)
  return values[column[field]] or ''
end

local touched

for _, condition in ipairs(conditions) do
  touched = condition.kind == 'touched' and condition or touched
end

-- Whether rules may hide some of a description: it is not for us to judge then, nor where it has case that we do not know.
local function is_touched(text)
  return touched ~= nil and (is_part(touched, text) or find(text, '[\128-\255]') ~= nil)
end

-- Whether each kind of condition hits, and whether only an error can make it hit.
local hits = {
  id = function(condition, id)
    return is_whole(condition, id)
  end,
  desc = function(condition, _, values)
    local text = field_of(values, 'description')
    return is_part(condition, text) or is_touched(text)
  end,
  worker = function(condition, _, values)
    local name = field_of(values, 'worker_name')
    return name ~= '' and is_whole(condition, name)
  end,
  stopped = function(_, _, values)
    return field_of(values, 'status') == 'stopped'
  end,
  bare = function(condition, id, values)
    local text = column.description and field_of(values, 'description') or ''
    local hit = is_part(condition, id) or is_part(condition, text) or is_touched(text)
    return true, not hit
  end,
  error = function()
    return true, true
  end,
  touched = function()
    return true, false
  end,
}

for _, condition in ipairs(conditions) do
  condition.hits = hits[condition.kind]
end

-- Whether the job surely does not match, as far as its id and fields tell; then whether that hangs on an error being there.
local function is_out(id, values)
  local needs_error = false
  for i = 1, #conditions do
    local condition = conditions[i]
    local hit, by_error = condition.hits(condition, id, values)
    if hit == condition.negated then
      return true, false
    end
    needs_error = needs_error or by_error
  end
  return false, needs_error
end

-- By bytes, as Redis orders members; Lua's own comparison follows the server's locale.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- The rank after score and member, which may be gone by now; ranks count in the order of the scan.
local function rank_after(score, member)
  local rank = ask(RANK, key, member)
  if rank and tonumber(ask('ZSCORE', key, member)) == tonumber(score) then
    return rank + 1
  end
  local low = ask('ZCOUNT', key, is_up and '-inf' or '(' .. score, is_up and '(' .. score or '+inf') or 0
  local high = low + (ask('ZCOUNT', key, score, score) or 0)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local there = ask(RANGE, key, middle, middle)[1]
    if (is_up and before(there, member)) or (not is_up and before(member, there)) then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

-- How many entries from the tail are behind us. place: how many were, how many were not, then ids that were passed, the last one first.
-- Without one of those near by, we go back to where nothing can be missed that was there.
local function behind()
  local passed, ahead, length = tonumber(place[1]), tonumber(place[2]), ask('LLEN', key) or 0
  if passed == 0 or (place[3] and ask('LINDEX', key, -passed) == place[3]) then
    return passed
  end
  local first = math.max(passed - NEAR, 0)
  local near = ask('LRANGE', key, -(passed + NEAR), -(first + 1)) or {}
  for i = 3, #place do
    for j = 1, #near do
      if near[j] == place[i] then
        return first + #near - j + 1
      end
    end
  end
  return math.max(math.min(passed, length - ahead) - NEAR, 0)
end

local start = 0
if #place > 0 then
  start = is_list and behind() or (not is_list and rank_after(place[1], place[2])) or 0
end

-- The next entries: members, and in a sorted set their scores between them.
local function chunk(from, count)
  if not is_list then
    return ask(RANGE, key, from, from + count - 1, 'WITHSCORES') or {}
  end
  local found, backwards = {}, ask('LRANGE', key, -(from + count), -(from + 1)) or {}
  for i = #backwards, 1, -1 do
    found[#found + 1] = backwards[i]
  end
  return found
end

local start_of_job, only = prefix .. ':job:', #fields == 1 and fields[1]
local values = {}

-- The fields of a job, in a table that the next job takes over.
local function values_of(id)
  local found = values
  if only then
    found[1] = ask('HGET', start_of_job .. id, only)
  elseif #fields > 1 then
    found = ask('HMGET', start_of_job .. id, unpack(fields)) or {}
  end
  for i = 1, #fields do
    local value = found[i] or false
    found[i] = value and #value > TEXT and sub(value, 1, TEXT) or value
  end
  return found
end

local bytes = 0

local function row_of(index, member, score, id, values)
  local row = {index, member, score}
  local size, text = 0, false
  for i = 1, #fields do
    row[3 + i] = values[i]
    bytes = bytes + (values[i] and #values[i] or 0)
  end
  if with_data then
    local job = start_of_job .. id
    size = ask('HSTRLEN', job, 'data') or 0
    local data = size > 0 and size <= largest and ask('HGET', job, 'data')
    row[#row + 1] = size
    row[#row + 1] = data and #data > head and sub(data, 1, head) or data
    bytes = bytes + (data and size or 0)
  end
  if with_errors then
    size, text = job_error(prefix, id)
    row[#row + 1] = size
    row[#row + 1] = text
    bytes = bytes + size
  end
  if with_ends then
    local newest = (values[column.ended_at] or '') == '' and ask('XREVRANGE', prefix .. ':results:' .. id, '+', '-', 'COUNT', 1)
    row[#row + 1] = newest and newest[1] and newest[1][1] or false
  end
  return row, size
end

local looked, done, rows, passed, is_over = 0, 0, {}, {}, false
local last_member, last_score
local step, longest = is_list and 1 or 2, most + MOST_LONG
while looked < most and not is_over do
  local count = math.min(CHUNK, most - looked)
  local found = chunk(start + looked, count)
  for i = 1, #found, step do
    local member = found[i]
    local id = has_executions and job_id(member) or member
    local values = values_of(id)
    local out, needs_error = false, false
    if is_filtered then
      out, needs_error = is_out(id, values)
    end
    looked = looked + 1
    if not out then
      local row, size = row_of(looked, member, is_list and '' or found[i + 1], id, values)
      if not needs_error or size > 0 then
        rows[#rows + 1] = row
      end
    end
    if is_list then
      passed[looked] = member
    else
      last_member, last_score = member, found[i + 1]
    end
    if #member > LONG and most < longest then
      most = most + 1
    elseif bytes > room or (looked % 16 == 0 and clock() - began > budget) then
      is_over = true
      break
    end
  end
  if not is_over and #found < count * step then
    done, is_over = 1, true
  end
end

local where = last_member and {last_score, last_member} or place
if is_list then
  local behind_us = start + looked
  where = {tostring(behind_us), tostring(math.max((ask('LLEN', key) or 0) - behind_us, 0))}
  for _, back in ipairs({0, 15, 255}) do
    local id = passed[looked - back]
    where[#where + 1] = id and #id <= LONG and id or nil
  end
end
return {looked, done, where, math.floor((clock() - began) * 1000000), rows}
