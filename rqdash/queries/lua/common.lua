-- Shared by the read scripts. A key of another type counts as absent; any other error is raised in the server's own words,
-- which redis.call does the same way in every version.
local function ask(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then
      return false
    end
    return redis.call(...)
  end
  return reply
end

local function words(list)
  local found = {}
  for word in string.gmatch(list, '[^,]+') do
    found[#found + 1] = word
  end
  return found
end
