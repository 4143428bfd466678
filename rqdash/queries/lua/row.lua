-- A job for one row of a list: size of its data, the data itself when small, else its first 512 bytes, which tell its function; then
-- the fields asked for: texts cut to 2 KB, names whole or, over 64 KB, absent, for a name that is cut is another name.
local SMALL_DATA = 8192
local HEAD = 512
-- Redis hands out a field only whole: of so many bytes of large data in one call the heads are told, and no head of the rest.
local heads_left = 2097152
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

local function bounded_row(row, values, skipped, fields)
  for i = 1, #fields do
    local value = values and values[skipped + i]
    row[2 + i] = value and (#value <= SHOWN and value or bounded(fields[i], value))
  end
  return row
end

local function head_of(key, size)
  if size > heads_left then
    return false
  end
  heads_left = heads_left - size
  local data = ask('HGET', key, 'data')
  return data and string.sub(data, 1, HEAD)
end

local function job_row(prefix, id, fields)
  local key = prefix .. ':job:' .. id
  local size = ask('HSTRLEN', key, 'data') or 0
  if size > SMALL_DATA then
    local values = ask('HMGET', key, unpack(fields))
    return bounded_row({size, head_of(key, size)}, values, 0, fields)
  end
  -- One command fewer for nearly every row.
  local values = ask('HMGET', key, 'data', unpack(fields))
  return bounded_row({size, values and values[1]}, values, 1, fields)
end

-- The size of a job's error and the error itself when small: of its newest result, else of the field that RQ before 1.12 wrote.
-- Then the id of that result, which tells when it was written.
local function job_error(prefix, id)
  local newest = ask('XREVRANGE', prefix .. ':results:' .. id, '+', '-', 'COUNT', 1)
  local id_of_newest = newest and newest[1] and newest[1][1]
  local values = id_of_newest and newest[1][2] or {}
  for i = 1, #values, 2 do
    if values[i] == 'exc_string' then
      return #values[i + 1], #values[i + 1] <= SMALL_ERROR and values[i + 1], id_of_newest
    end
  end
  local key = prefix .. ':job:' .. id
  local size = ask('HSTRLEN', key, 'exc_info') or 0
  return size, size > 0 and size <= SMALL_ERROR and ask('HGET', key, 'exc_info'), id_of_newest
end
