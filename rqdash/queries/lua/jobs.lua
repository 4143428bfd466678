-- One page of a queue's list or of one of its sorted sets.
-- ARGV: prefix, key, order (list, up, down or window), offset, size, now in whole seconds, window, field that orders a window,
-- fields of a row with commas between, whether members name executions (1), whether to read errors (1), how many entries of a
-- window tell whether it is in order already, rows of a page (of which this call may read a part).
-- Returns entries, entries with a negative score, expired entries, entries scanned, and the page's rows:
-- {member, score, size of the error, error, worker of the execution, job_row, id of the newest result where errors are read}.
local prefix, key, order = ARGV[1], ARGV[2], ARGV[3]
local offset, size, now, window = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local fields = words(ARGV[9])
local has_executions, has_errors = ARGV[10] == '1', ARGV[11] == '1'
local samples, whole = tonumber(ARGV[12]), tonumber(ARGV[13])

-- RQ 2.0 and later write <job id>:<32 hex> as the member of the started registry, RQ 1.x the id alone.
local function job_id(member)
  if has_executions and string.sub(member, -33, -33) == ':' and not string.find(string.sub(member, -32), '[^0-9a-f]') then
    return string.sub(member, 1, -34)
  end
  return member
end

local function ranked(command, first, last)
  local found = {}
  if last < first then
    return found
  end
  local flat = ask(command, key, first, last, 'WITHSCORES') or {}
  for i = 1, #flat, 2 do
    found[#found + 1] = {flat[i], flat[i + 1]}
  end
  return found
end

local function moment_of(entry)
  local moment = ask('HGET', prefix .. ':job:' .. job_id(entry[1]), ARGV[8])
  return moment and (#moment > 26 and string.sub(moment, 1, 26) or moment) or ''
end

-- Whether samples say that the newest come first, as they do where all were given the same time to live.
local function is_in_order(found)
  local before
  for i = 1, #found, math.max(math.floor(#found / samples), 1) do
    local moment = moment_of(found[i])
    if moment == '' or (before and moment > before) then
      return false
    end
    before = moment
  end
  return true
end

local function newest_first(found, place)
  for i, entry in ipairs(found) do
    entry[3] = moment_of(entry)
    entry[4] = place + i
  end
  table.sort(found, function(a, b)
    if a[3] == b[3] then
      return a[4] < b[4]
    end
    return a[3] > b[3]
  end)
  return found
end

-- How many of the first `count` live entries come from the top of the set: top and never-expiring (negative) entries take turns.
local function from_top(count, top, negative)
  return math.min(top, math.max(math.ceil(count / 2), count - negative))
end

local function part(found, first, size)
  local taken = {}
  for i = first, math.min(first + size - 1, #found) do
    taken[#taken + 1] = found[i]
  end
  return taken
end

local function windowed(total, negative, expired)
  local live = total - expired
  local first = offset - offset % window
  local last = math.min(first + window, total)
  local found = {}
  if first < live then
    local stop = math.min(last, live)
    local a, b = from_top(first, live - negative, negative), from_top(stop, live - negative, negative)
    found = ranked('ZREVRANGE', a, b - 1)
    for _, entry in ipairs(ranked('ZRANGE', first - a, stop - b - 1)) do
      found[#found + 1] = entry
    end
    if last <= live and is_in_order(found) then
      -- Then a page needs only its own entries in order; all pages of the window see the same samples.
      local start = offset - first - (offset - first) % whole
      found = newest_first(part(found, start + 1, whole), 0)
      return part(found, offset - first - start + 1, size), #found
    end
    found = newest_first(found, 0)
  end
  if last > live then
    local start = math.max(first, live) - live
    for _, entry in ipairs(newest_first(ranked('ZRANGE', negative + start, negative + last - live - 1), #found)) do
      found[#found + 1] = entry
    end
  end
  return part(found, offset - first + 1, size), #found
end

local total, negative, expired, scanned, page = 0, 0, 0, 0, {}
if order == 'list' then
  total = ask('LLEN', key) or 0
  for i, member in ipairs(ask('LRANGE', key, offset, offset + size - 1) or {}) do
    page[i] = {member, ''}
  end
else
  total = ask('ZCARD', key) or 0
end
if order == 'window' then
  negative = total > 0 and ask('ZCOUNT', key, '-inf', '(0') or 0
  expired = total > 0 and ask('ZCOUNT', key, 0, now) or 0
  page, scanned = windowed(total, negative, expired)
elseif order ~= 'list' then
  page = ranked(order == 'up' and 'ZRANGE' or 'ZREVRANGE', offset, offset + size - 1)
end

local rows = {}
for i, entry in ipairs(page) do
  local id = job_id(entry[1])
  local error_size, error_text, newest = 0, false, false
  if has_errors then
    error_size, error_text, newest = job_error(prefix, id)
  end
  local worker = has_executions and ask('HGET', prefix .. ':execution:' .. entry[1], 'worker_name')
  rows[i] = {entry[1], entry[2], error_size, error_text, worker, job_row(prefix, id, fields), newest or false}
end
return {total, negative, expired, scanned, rows}
