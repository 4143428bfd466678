-- How many failures queues hold, and when some of each ended, so that the newest can be looked for where they are.
-- ARGV: prefix, now in whole seconds, size of the first block, names (at most 25). Returns per name {entries, entries that never expire,
-- expired entries, moments}: the live entries that expire, latest first, fall into blocks, each twice as large as the one before it;
-- a moment is the ended_at of the first job of a block.
local prefix, now, first = ARGV[1], ARGV[2], tonumber(ARGV[3])

local rows = {}
for i = 4, #ARGV do
  local key = prefix .. ':failed:' .. ARGV[i]
  local total = ask('ZCARD', key) or 0
  local forever = total > 0 and ask('ZCOUNT', key, '-inf', '(0') or 0
  local expired = total > 0 and ask('ZCOUNT', key, 0, now) or 0
  local moments, rank, size = {}, 0, first
  while rank < total - forever - expired do
    local found = ask('ZREVRANGE', key, rank, rank) or {}
    moments[#moments + 1] = found[1] and ask('HGET', prefix .. ':job:' .. found[1], 'ended_at') or ''
    rank, size = rank + size, size * 2
  end
  rows[#rows + 1] = {total, forever, expired, moments}
end
return rows
