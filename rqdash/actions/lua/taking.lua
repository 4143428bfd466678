-- Taking jobs out of where they are: all of a batch in one pass, so that a long list is not walked once for each.

-- How far from each end of a list a script looks by itself, how far around a place it was told (entries), and for how many of
-- those that proved wrong.
local EDGE, AROUND, SEARCHES = 1000, 100, 10

local function near(position, length)
  -- Before Redis 7 a position is walked to from the head, a negative one from the tail.
  return position > length / 2 and position - length or position
end

local function note(job, place, places)
  places[place] = job
  job.place = job.place or place
end

-- Notes where the wanted ids are within first..last; answers the last place, or nil.
local function look(first, last, wanted, places)
  local found
  for offset, id in ipairs(redis.call('LRANGE', source, first, last)) do
    if wanted[id] then
      found = first + offset - 1
      note(wanted[id], found, places)
    end
  end
  return found
end

-- Follows one hint (an id was at a position a moment ago). Pops at the head since then moved everything by the same drift.
local function follow(job, position, search, places)
  local at = math.max(0, math.min(position + search.drift, search.length - 1))
  if redis.call('LINDEX', source, near(at, search.length)) == job.id then
    note(job, at, places)
  elseif search.left > 0 then
    search.left = search.left - 1
    local found = look(math.max(0, at - AROUND), at + AROUND, { [job.id] = job }, places)
    search.drift = found and found - position or search.drift
  end
end

-- Follows every hint: pairs of an id's number in ARGV and a position, ascending.
local function follow_all(from, wanted, places, length)
  local search = { length = length, drift = 0, left = SEARCHES }
  for index = from, #ARGV, 2 do
    local job = wanted[ARGV[10 + tonumber(ARGV[index])]]
    if job then
      follow(job, tonumber(ARGV[index + 1]), search, places)
    end
  end
end

-- Every place of the wanted jobs, by position, and whether the list was looked through whole. Without hints both ends are
-- looked through, where most jobs are chosen.
local function located(wanted)
  local length, places, hints = redis.call('LLEN', source), {}, 11 + tonumber(ARGV[10])
  local is_whole = length <= 2 * EDGE
  if is_whole or #ARGV < hints then
    look(0, math.min(EDGE, length) - 1, wanted, places)
    if length > EDGE then
      look(math.max(EDGE, length - EDGE), length - 1, wanted, places)
    end
  else
    follow_all(hints, wanted, places, length)
  end
  return places, is_whole
end

-- Removes the entries at these places in one pass of the list: marked first, then swept from the nearer end.
-- One LREM a job would walk the whole list for each.
local function sweep(places)
  local first, last, count, length = math.huge, 0, 0, redis.call('LLEN', source)
  for place in pairs(places) do
    redis.call('LSET', source, near(place, length), tombstone)
    first, last, count = math.min(first, place), math.max(last, place), count + 1
  end
  if count > 0 then
    redis.call('LREM', source, last < length - first and count or -count, tombstone)
  end
end

-- The jobs to take out of the list, in its order, or nil when some must be looked for with the help of hints first.
local function take_from_list(jobs)
  local wanted, taken = {}, {}
  for _, job in ipairs(jobs) do
    if job.is_taken then
      wanted[job.id] = job
    end
  end
  if next(wanted) == nil then
    return taken
  end
  local places, is_whole = located(wanted)
  for _, job in pairs(wanted) do
    if job.place then
      taken[#taken + 1] = job
    elseif is_whole or is_last then
      job.verdict, job.is_taken = job.verdict or 'raced', false
    else
      return nil
    end
  end
  sweep(places)
  table.sort(taken, function(one, other) return one.place < other.place end)
  return taken
end

local function take_from_registry(jobs)
  local taken, ids = {}, {}
  for _, job in ipairs(jobs) do
    if job.is_taken then
      taken[#taken + 1], ids[#ids + 1] = job, job.id
    end
  end
  if #ids > 0 then
    redis.call('ZREM', source, unpack(ids))
  end
  return taken
end

local function take(jobs)
  if is_listed then
    return take_from_list(jobs)
  end
  return registry == 'started' and {} or take_from_registry(jobs)
end
