-- Rate limits. ARGV: prefix, now, holders and waiters to look at, names (at most 2). Returns per name {concurrency, holders,
-- {id, since, status, queue, live executions} each, waiters, {id, since, queue} each}; the oldest come first.
local prefix, now, most_holders, most_waiters = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local function holders(key)
  local rows = {}
  local found = ask('ZRANGE', key, 0, most_holders - 1, 'WITHSCORES') or {}
  for i = 1, #found, 2 do
    local values = ask('HMGET', prefix .. ':job:' .. found[i], 'status', 'origin') or {}
    rows[#rows + 1] = {found[i], found[i + 1], values[1], values[2], ask('ZCOUNT', prefix .. ':executions:' .. found[i], '(' .. now, '+inf')}
  end
  return rows
end

local function waiters(key)
  local rows = {}
  local found = ask('ZRANGE', key, 0, most_waiters - 1, 'WITHSCORES') or {}
  for i = 1, #found, 2 do
    rows[#rows + 1] = {found[i], found[i + 1], ask('HGET', prefix .. ':job:' .. found[i], 'origin')}
  end
  return rows
end

local rows = {}
for i = 5, #ARGV do
  local key = prefix .. ':rl:' .. ARGV[i]
  local allowed, waiting = key .. ':allowed', key .. ':rate_limited'
  rows[#rows + 1] = {
    ask('HGET', key, 'concurrency'),
    ask('ZCARD', allowed) or 0,
    holders(allowed),
    ask('ZCARD', waiting) or 0,
    waiters(waiting),
  }
end
return rows
