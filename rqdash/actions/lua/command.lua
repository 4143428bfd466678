-- Tells one worker a command, when the worker is there and what the command is about is still so; whoever listens gets it at once.
-- KEYS: the worker's hash, the set of its executions (RQ 3.0).
-- ARGV: its channel, the command, the job that it must run ("" = any or none), that job's execution ("" before RQ 3.0, or any),
-- "cold" when a second shutdown is meant, the first version of RQ whose workers know the command.
-- Returns "gone", "refused" (its RQ does not know the command), "conflict" (a shutdown was asked for before), "raced" (it runs
-- something else now), "unheard" or "told".

local hash, executions = KEYS[1], KEYS[2]
local channel, command, id, execution, mode, since = unpack(ARGV)
local birth, state, death, current, version, asked = unpack(
  redis.call('HMGET', hash, 'birth', 'state', 'death', 'current_job', 'version', 'shutdown_requested_date'))

local function runs(job_id)
  for _, composite in ipairs(redis.call('SSCAN', executions, 0, 'COUNT', 10)[2]) do
    local its = string.sub(composite, -32)
    if string.sub(composite, 1, -34) == job_id and (execution == '' or execution == its) then
      execution = its
      return true
    end
  end
  return current == job_id
end

local function obstacle()
  if death or not (birth or state) then
    return 'gone'
  end
  local major = tonumber(version and string.match(version, '^%d+') or nil)
  if major and major < tonumber(since) then
    return 'refused'
  end
  if command == 'shutdown' then
    return asked and mode ~= 'cold' and 'conflict'
  end
  return not runs(id) and 'raced'
end

local verdict = obstacle()
if verdict then
  return verdict
end
if redis.acl_check_cmd and not redis.acl_check_cmd('publish', channel) then
  return redis.error_reply("NOPERM no permissions to run the 'publish' command")
end
local message = { command = command }
if command ~= 'shutdown' and command ~= 'kill-horse' then
  message.job_id = id
end
if command == 'stop-execution' then
  message.execution_id = execution
end
return redis.call('PUBLISH', channel, cjson.encode(message)) > 0 and 'told' or 'unheard'
