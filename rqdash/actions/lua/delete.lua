-- Removes jobs with everything RQ keeps of them; how one is removed is in removal.lua.

return obstacle({ [source] = is_listed and 'list' or 'zset' }, removal.commands) or answer(removal)
