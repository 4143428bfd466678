-- After a detach that was not answered: "detached" where it was done, else "void", and it cannot be done any more.
-- The ids are tokens.

local VOID_S = 24 * 3600

local answers = {}
for index, token in ipairs(tokens()) do
  local name = entry_key(token)
  local state = redis.call('HGET', name, 'state')
  if state ~= 'detached' then
    redis.call('HSET', name, 'state', 'void')
    redis.call('EXPIRE', name, VOID_S)
  end
  answers[index] = state == 'detached' and state or 'void'
end
return answers
