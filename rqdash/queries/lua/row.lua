-- A job for one row of a list: size of its data, the data itself when small, then the fields asked for: texts cut to 2 KB, names
-- whole or, over 64 KB, absent, for a name that is cut is another name.
local SMALL_DATA = 8192
local SMALL_ERROR = 65536
local SHOWN = 2048
local LONGEST_NAME = 65536
local IS_NAME = {origin = true, worker_name = true}

local function bounded(field, value)
  if #value <= SHOWN then
    return value
  end
  if IS_NAME[field] then
    return #value <= LONGEST_NAME and value
  end
  return string.sub(value, 1, SHOWN)
end

local function job_row(prefix, id, fields)
  local key = prefix .. ':job:' .. id
  local size = ask('HSTRLEN', key, 'data') or 0
  local row = {size, false}
  if size > 0 and size <= SMALL_DATA then
    row[2] = ask('HGET', key, 'data')
  end
  local values = ask('HMGET', key, unpack(fields))
  for i = 1, #fields do
    local value = values and values[i]
    row[2 + i] = value and bounded(fields[i], value)
  end
  return row
end

-- The size of a job's error and the error itself when small: of its newest result, else of the field that RQ before 1.12 wrote.
local function job_error(prefix, id)
  local newest = ask('XREVRANGE', prefix .. ':results:' .. id, '+', '-', 'COUNT', 1)
  local values = newest and newest[1] and newest[1][2] or {}
  for i = 1, #values, 2 do
    if values[i] == 'exc_string' then
      return #values[i + 1], #values[i + 1] <= SMALL_ERROR and values[i + 1]
    end
  end
  local key = prefix .. ':job:' .. id
  local size = ask('HSTRLEN', key, 'exc_info') or 0
  return size, size > 0 and size <= SMALL_ERROR and ask('HGET', key, 'exc_info')
end
