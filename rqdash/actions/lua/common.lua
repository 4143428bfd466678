-- Shared by every action: what it is asked, the names of keys, and what its user may write.
--
-- A script first reads and judges every job, then takes the chosen ones out of where they are, then does its work on them.
-- Nothing is written before the last check, because Redis rolls nothing back when a script fails half way.
--
-- KEYS: the list or sorted set the jobs are said to be in, the set of queues, the target (the first again where the action has
-- none), and the journal where one is kept.
-- ARGV: [1] prefix, [2] registry, [3] its queue, [4] the queue to go to, [5] "front" or "back", [6] now (epoch, s), [7] now as RQ
-- writes it, [8] a mark no id equals, [9] "last", "ask", or of calls sent one behind the other the name of their row, [10] up to when jobs must have come to be meant ("", or as RQ writes it
-- and epoch, s), [11] what the action itself is told, [12] how many ids, the ids, then hints: pairs of an id's number (from 1)
-- and its position, ascending, or of 0 and the first and last position of all. Keys of single jobs are built here: which ones are needed is known only after reading.
--
-- Included in this order: common (names, rights), moments (when a job came, who has it in hand), judging (may it be touched), slots
-- (of rate limits), taking (out of a list or registry), working (on what was taken).

local prefix, registry, queue = ARGV[1], ARGV[2], ARGV[3]
local to_queue, side = ARGV[4], ARGV[5]
local now, stamp = tonumber(ARGV[6]), ARGV[7]
local tombstone, is_last, told = ARGV[8], ARGV[9] == 'last', ARGV[11]
local row = string.match(ARGV[9], '^row (%x+)$')
local BEFORE_IDS = 12
local how_many = tonumber(ARGV[BEFORE_IDS])

local source, queues, target, journal = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local is_listed = registry == 'queued' or registry == 'intermediate'

local JOB, RESULTS, EXECUTIONS = prefix .. ':job:', prefix .. ':results:', prefix .. ':executions:'

local function key(kind, name)
  return prefix .. ':' .. kind .. ':' .. name
end

local function dependents_key(id)
  return JOB .. id .. ':dependents'
end

local function dependencies_key(id)
  return JOB .. ':' .. id .. ':dependencies' -- RQ's double colon
end

local function is_wrong_type(name, expected)
  local found = redis.call('TYPE', name).ok
  return found ~= 'none' and found ~= expected
end

-- A key that each command writes to, built as those of real jobs are: ACLs name keys by pattern.
local function written_keys(command)
  if command == 'hset' or command == 'hdel' then
    return { JOB .. 'id' }
  end
  if command == 'persist' or command == 'expire' then
    return { JOB .. 'id', dependents_key('id'), dependencies_key('id') }
  end
  if command == 'unlink' then
    return { JOB .. 'id', dependents_key('id'), dependencies_key('id'), RESULTS .. 'id', EXECUTIONS .. 'id' }
  end
  if command == 'srem' then
    return { dependents_key('id') }
  end
  if command == 'sadd' then
    return { queues }
  end
  return (command == 'rpush' or command == 'lpush' or command == 'zadd') and { target } or { source }
end

local function denied(command, name)
  if not redis.acl_check_cmd(command, name) then
    return redis.error_reply("NOPERM no permissions to run the '" .. command .. "' command")
  end
end

-- The same for the journal, which is written last of all.
local function journal_obstacle()
  if is_wrong_type(journal, 'hash') then
    return redis.error_reply('WRONGTYPE hash expected')
  end
  return redis.acl_check_cmd and (denied('hset', journal) or denied('expire', journal))
end

-- An error for what would fail after the first write: a key of another type, or a command the server's ACL forbids.
local function obstacle(types, commands)
  for name, expected in pairs(types) do
    if is_wrong_type(name, expected) then
      return redis.error_reply('WRONGTYPE ' .. expected .. ' expected')
    end
  end
  if redis.acl_check_cmd then -- since Redis 7.0
    for _, command in ipairs(commands) do
      for _, name in ipairs(written_keys(command)) do
        local problem = denied(command, name)
        if problem then
          return problem
        end
      end
    end
  end
  return journal and journal_obstacle()
end
