-- Groups. ARGV: prefix, members to look at, names (at most 2). Returns {size, {status, queue} each of the members looked at} per name.
local prefix, most = ARGV[1], tonumber(ARGV[2])

local rows = {}
for i = 3, #ARGV do
  local key = prefix .. ':group:' .. ARGV[i]
  local found = ask('SSCAN', key, 0, 'COUNT', most)
  local members = {}
  for at, id in ipairs(found and found[2] or {}) do
    if at > most then
      break
    end
    members[at] = ask('HMGET', prefix .. ':job:' .. id, 'status', 'origin') or {}
  end
  rows[#rows + 1] = {ask('SCARD', key) or 0, members}
end
return rows
