-- Taking jobs out of where they are: all of a batch in one pass, so that a long list is not walked once for each.

-- How far from each end of a list a script looks by itself, how far around a place it was told (entries), and for how many of
-- those that proved wrong.
local EDGE, AROUND, SEARCHES = 1000, 100, 10

-- Entries that the passes of one call go by at most, 1.5 ms for 100,000: lists of up to twice as many can be reached all over.
local REACH = 150000

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

local function follow_each(from, wanted, places, length)
  local search = { length = length, drift = 0, left = SEARCHES }
  for index = from, #ARGV, 2 do
    local job = wanted[ARGV[BEFORE_IDS + tonumber(ARGV[index])]]
    if job then
      follow(job, tonumber(ARGV[index + 1]), search, places)
    end
  end
end

-- Follows every hint: pairs of an id's number in ARGV and a position, ascending; or, of number 0, the first and last position of a
-- stretch in which they all are, when that is short enough to be looked at whole.
local function follow_all(from, wanted, places, length)
  if ARGV[from] == '0' then
    look(math.max(0, tonumber(ARGV[from + 1]) - AROUND), math.max(0, tonumber(ARGV[from + 3]) + AROUND), wanted, places)
  else
    follow_each(from, wanted, places, length)
  end
end

local function has_hints()
  return #ARGV > BEFORE_IDS + how_many
end

-- Looks through both ends, where most jobs are chosen.
local function look_at_ends(wanted, places, length)
  look(0, math.min(EDGE, length) - 1, wanted, places)
  if length > EDGE then
    look(math.max(EDGE, length - EDGE), length - 1, wanted, places)
  end
end

-- Every place of the wanted jobs, by position, and whether the list was looked through whole.
local function located(wanted)
  local length, places = redis.call('LLEN', source), {}
  local is_whole = length <= 2 * EDGE
  if is_whole or not has_hints() then
    look_at_ends(wanted, places, length)
  else
    follow_all(BEFORE_IDS + how_many + 1, wanted, places, length)
  end
  return places, is_whole
end

-- The wanted jobs in their order, if a stretch of the list holds each of them once and nobody else.
local function run_at(first, wanted, count)
  local jobs, seen = {}, {}
  for index, id in ipairs(redis.call('LRANGE', source, first, first + count - 1)) do
    if not wanted[id] or seen[id] then
      return nil
    end
    jobs[index], seen[id] = wanted[id], true
  end
  return jobs
end

-- Takes jobs that are the first of a long list, or the last, off it at once: so they stand for whoever walks along it.
local function take_run(wanted, count)
  local length = redis.call('LLEN', source)
  if length <= 2 * EDGE or has_hints() then
    return nil
  end
  local jobs = run_at(0, wanted, count)
  if jobs then
    redis.call('LTRIM', source, count, -1)
    return jobs
  end
  jobs = run_at(length - count, wanted, count)
  if jobs then
    redis.call('LTRIM', source, 0, -count - 1)
  end
  return jobs
end

-- How many entries a pass has to go by to come to a place, from whichever end is nearer.
local function depth(place, length)
  return math.min(place + 1, length - place)
end

local function in_order(places)
  local order = {}
  for place in pairs(places) do
    order[#order + 1] = place
  end
  table.sort(order, side == 'front' and function(one, other) return one > other end or nil)
  return order
end

-- The first and last of some places, and how deep they go from the head and from the tail, with one more.
local function with_place(bounds, place, length)
  local is_near_head = place < length / 2
  return {
    first = math.min(bounds.first, place),
    last = math.max(bounds.last, place),
    head = is_near_head and math.max(bounds.head, place + 1) or bounds.head,
    tail = is_near_head and bounds.tail or math.max(bounds.tail, length - place),
  }
end

-- How many entries are gone by for them: in one pass from the nearer end, or in two, one from each end.
local function passed(bounds, length)
  return math.min(bounds.last + 1, length - bounds.first, bounds.head + bounds.tail)
end

local function put_off(job, verdict)
  job.verdict, job.is_taken = job.is_reached and 'refused' or verdict, false
end

-- Leaves alone what a pass of this call does not come to: of a list so long that not all of it can be gone by, jobs in the middle
-- are refused, and others wait for the next call. Jobs go in the order in which they are to stand where they go.
local function limit_reach(places, length)
  if length <= REACH then
    return
  end
  local bounds, is_over = { first = math.huge, last = -1, head = 0, tail = 0 }, false
  for _, place in ipairs(in_order(places)) do
    local job = places[place]
    if depth(place, length) > REACH then
      put_off(job, 'refused')
    elseif job.is_taken then
      local wider = with_place(bounds, place, length)
      is_over = is_over or passed(wider, length) > REACH
      if is_over then
        put_off(job, 'later')
      else
        bounds, job.is_reached = wider, true
      end
    end
  end
  for place, job in pairs(places) do
    if not job.is_taken then
      places[place] = nil
    end
  end
end

-- Removes the marked entries in one pass from the nearer end; in two, one from each end, where one would go by too many.
local function remove_marked(places, bounds, length)
  if math.min(bounds.last + 1, length - bounds.first) <= REACH then
    redis.call('LREM', source, bounds.last < length - bounds.first and bounds.count or -bounds.count, tombstone)
    return
  end
  local near_head = 0
  for place in pairs(places) do
    near_head = near_head + (place < length / 2 and 1 or 0)
  end
  for _, count in ipairs({ near_head, near_head - bounds.count }) do
    if count ~= 0 then -- to LREM it means all
      redis.call('LREM', source, count, tombstone)
    end
  end
end

-- Removes the entries at these places: at once where they are an end of the list, else marked first, then swept. One LREM a job would
-- walk the whole list for each.
local function sweep(places)
  local first, last, count, length = math.huge, 0, 0, redis.call('LLEN', source)
  for place in pairs(places) do
    first, last, count = math.min(first, place), math.max(last, place), count + 1
  end
  if count == last - first + 1 and first == 0 then
    redis.call('LTRIM', source, count, -1)
  elseif count == last - first + 1 and last == length - 1 then
    redis.call('LTRIM', source, 0, -count - 1)
  elseif count > 0 then
    for place in pairs(places) do
      redis.call('LSET', source, near(place, length), tombstone)
    end
    remove_marked(places, { first = first, last = last, count = count }, length)
  end
end

-- Takes the wanted jobs from wherever in the list they are; answers nil when some must be looked for with the help of hints first.
local function take_scattered(wanted)
  local taken, places, is_whole = {}, located(wanted)
  for _, job in pairs(wanted) do
    if not job.place and not (is_whole or is_last) then
      return nil
    end
    job.verdict, job.is_taken = job.verdict or (not job.place and 'raced' or nil), job.place ~= nil
  end
  limit_reach(places, redis.call('LLEN', source))
  for _, job in pairs(wanted) do
    if job.is_taken then
      taken[#taken + 1] = job
    end
  end
  sweep(places)
  table.sort(taken, function(one, other) return one.place < other.place end)
  return taken
end

-- The jobs to take out of the list, in its order, or nil.
local function take_from_list(jobs)
  local wanted, count, apart = {}, 0, {}
  for _, job in ipairs(jobs) do
    if job.is_taken and job.is_apart then
      apart[#apart + 1] = job
    elseif job.is_taken then
      wanted[job.id], count = job, count + 1
    end
  end
  local taken = count == 0 and {} or take_run(wanted, count) or take_scattered(wanted)
  for _, job in ipairs(taken and apart or {}) do
    taken[#taken + 1] = job
  end
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

-- For actions that leave jobs where they are.
local function leave(jobs)
  local chosen = {}
  for _, job in ipairs(jobs) do
    if job.is_taken and not job.verdict then
      chosen[#chosen + 1] = job
    end
  end
  return chosen
end

local function take(jobs, action)
  if action.take then
    return action.take(jobs)
  elseif is_listed then
    return take_from_list(jobs)
  end
  return registry == 'started' and {} or take_from_registry(jobs)
end
