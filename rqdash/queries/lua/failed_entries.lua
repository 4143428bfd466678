-- Entries of failed registries, and when their jobs ended. ARGV: prefix, the oldest ended_at that is of use, then four for each range:
-- queue, 1 when it is of entries that never expire (which sort first) else 0, first and last rank; at most 250 entries in all.
-- Returns a flat list a range: member, score, moment. A moment is ended_at or, of a job that RQ found abandoned, which has none, the id
-- of its newest result: "<milliseconds>-<number>".
local prefix, floor = ARGV[1], ARGV[2]
local LONGEST_MOMENT = 40

local function ended(id)
  local at = ask('HGET', prefix .. ':job:' .. id, 'ended_at')
  if at and at ~= '' then
    return at >= floor and (#at <= LONGEST_MOMENT and at or '')
  end
  local newest = ask('XREVRANGE', prefix .. ':results:' .. id, '+', '-', 'COUNT', 1)
  return newest and newest[1] and newest[1][1] or ''
end

local ranges = {}
for i = 3, #ARGV, 4 do
  local command = ARGV[i + 1] == '1' and 'ZRANGE' or 'ZREVRANGE'
  local flat = ask(command, prefix .. ':failed:' .. ARGV[i], ARGV[i + 2], ARGV[i + 3], 'WITHSCORES') or {}
  local found = {}
  for j = 1, #flat, 2 do
    local at = ended(flat[j])
    if at then
      found[#found + 1] = flat[j]
      found[#found + 1] = flat[j + 1]
      found[#found + 1] = at
    end
  end
  ranges[#ranges + 1] = found
end
return ranges
