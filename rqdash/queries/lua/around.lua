-- What a job's future depends on: its queue, group and rate limit key are "" where it has none; most is how many workers to look at.
-- Returns {suspended, scheduler's lock, workers listed, a live one found, group size, concurrency, holders, waiters, held since, waits
-- since, waiters before it}; what the job has not is false.
local function is_live(worker)
  local values = ask('HMGET', worker, 'birth', 'state')
  return values and (values[1] or values[2])
end

-- Any one is nearly always alive; else all until the first live one.
local function listening(set, most)
  local any = ask('SRANDMEMBER', set)
  if not any or is_live(any) then
    return any and 1 or 0
  end
  local cursor, looked = '0', 0
  repeat
    local found = ask('SSCAN', set, cursor, 'COUNT', 100)
    if not found then
      return 0
    end
    cursor = found[1]
    for _, worker in ipairs(found[2]) do
      if is_live(worker) then
        return 1
      end
      looked = looked + 1
      if looked >= most then
        return false
      end
    end
  until cursor == '0'
  return 0
end

local function around(prefix, id, queue, group, limit, most)
  local workers = prefix .. ':workers:' .. queue
  local answer = {
    ask('EXISTS', prefix .. ':suspended'),
    ask('EXISTS', prefix .. ':scheduler-lock:' .. queue),
    ask('SCARD', workers) or 0,
    listening(workers, most),
    group ~= '' and ask('SCARD', prefix .. ':group:' .. group),
    false, false, false, false, false, false,
  }
  if limit ~= '' then
    local key = prefix .. ':rl:' .. limit
    local waits = ask('ZSCORE', key .. ':rate_limited', id)
    answer[6] = ask('HGET', key, 'concurrency')
    answer[7] = ask('ZCARD', key .. ':allowed')
    answer[8] = ask('ZCARD', key .. ':rate_limited')
    answer[9] = ask('ZSCORE', key .. ':allowed', id)
    answer[10] = waits
    answer[11] = waits and ask('ZCOUNT', key .. ':rate_limited', '-inf', '(' .. waits)
  end
  return answer
end
