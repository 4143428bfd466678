-- One queue counted: the numbers in the order of counts.FIELDS, then enqueued_at of the first job waiting.
local REGISTRIES = {'wip', 'failed', 'finished', 'scheduled', 'deferred', 'canceled', 'ready'}

local function tally(prefix, name, now)
  local row = {}
  local list = prefix .. ':queue:' .. name
  row[1] = ask('LLEN', list) or 0
  row[2] = ask('LLEN', list .. ':intermediate') or 0
  for i, registry in ipairs(REGISTRIES) do
    local key = prefix .. ':' .. registry .. ':' .. name
    local size = ask('ZCARD', key) or 0
    row[2 + i] = size
    if i <= 4 then
      row[9 + i] = size > 0 and ask('ZCOUNT', key, 0, now) or 0
    end
  end
  row[14] = ask('EXISTS', prefix .. ':scheduler-lock:' .. name)
  row[15] = false
  if row[1] > 0 then
    local head = ask('LINDEX', list, 0)
    row[15] = head and ask('HGET', prefix .. ':job:' .. head, 'enqueued_at')
  end
  return row
end
