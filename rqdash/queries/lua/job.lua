-- Everything that Redis holds under a job's id. ARGV: prefix, id, then pairs of a field and the size up to which it is read whole;
-- other fields are cut to 2 KB. Returns {fields, PTTL, dependents, dependencies, results, executions, how many dependents, how many
-- dependencies}; fields are {name, size, value}.
local prefix, id = ARGV[1], ARGV[2]
local key = prefix .. ':job:' .. id
local MOST_FIELDS, MOST_RELATIVES, MOST_OTHER, SHOWN = 500, 100, 65536, 2048

local limits = {}
for i = 3, #ARGV, 2 do
  limits[ARGV[i]] = tonumber(ARGV[i + 1])
end

local fields = {}
local names = (ask('HLEN', key) or 0) <= MOST_FIELDS and ask('HKEYS', key) or {}
for i, name in ipairs(names) do
  local size = ask('HSTRLEN', key, name) or 0
  local value = size <= (limits[name] or MOST_OTHER) and ask('HGET', key, name)
  if value and not limits[name] then
    value = string.sub(value, 1, SHOWN)
  end
  fields[i] = {name, size, value}
end

local function some(set)
  local found = ask('SSCAN', set, 0, 'COUNT', MOST_RELATIVES)
  return found and found[2] or {}
end

return {
  fields,
  ask('PTTL', key),
  some(key .. ':dependents'),
  some(prefix .. ':job::' .. id .. ':dependencies'),
  ask('XREVRANGE', prefix .. ':results:' .. id, '+', '-', 'COUNT', 10) or {},
  ask('ZREVRANGE', prefix .. ':executions:' .. id, 0, 9, 'WITHSCORES') or {},
  ask('SCARD', key .. ':dependents') or 0,
  ask('SCARD', prefix .. ':job::' .. id .. ':dependencies') or 0,
}
