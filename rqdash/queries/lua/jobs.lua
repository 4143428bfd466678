-- One page of a queue's list or of one of its sorted sets.
-- ARGV: prefix, key, order (list, up, down or window), offset, size, now in whole seconds, window, field that orders a window,
-- fields of a row with commas between, whether members name executions (1), whether to read errors (1).
-- Returns entries, entries with a negative score, expired entries, entries scanned, and the page's rows:
-- {member, score, size of the error, error, worker of the execution, job_row, id of the newest result where errors are read}.
local prefix, key, order = ARGV[1], ARGV[2], ARGV[3]
local offset, size, now, window = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
local fields = words(ARGV[9])
local has_executions, has_errors = ARGV[10] == '1', ARGV[11] == '1'

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

local function newest_first(found, place)
  for i, entry in ipairs(found) do
    local moment = ask('HGET', prefix .. ':job:' .. job_id(entry[1]), ARGV[8])
    entry[3] = moment and (#moment > 26 and string.sub(moment, 1, 26) or moment) or ''
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
    found = newest_first(found, 0)
  end
  if last > live then
    local start = math.max(first, live) - live
    for _, entry in ipairs(newest_first(ranked('ZRANGE', negative + start, negative + last - live - 1), #found)) do
      found[#found + 1] = entry
    end
  end
  local page = {}
  for i = offset - first + 1, math.min(offset - first + size, #found) do
    page[#page + 1] = found[i]
  end
  return page, #found
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
