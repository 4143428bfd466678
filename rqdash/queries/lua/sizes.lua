-- How large the lists and registries of queues are. ARGV: prefix, how many kinds, the kinds (list, intermediate, or the word of a sorted
-- set's key), names. Returns the sizes, the kinds of the first name first.
local prefix, count = ARGV[1], tonumber(ARGV[2])
local sizes = {}
for i = 3 + count, #ARGV do
  for j = 3, 2 + count do
    local kind, name = ARGV[j], ARGV[i]
    if kind == 'queued' then
      sizes[#sizes + 1] = ask('LLEN', prefix .. ':queue:' .. name) or 0
    elseif kind == 'intermediate' then
      sizes[#sizes + 1] = ask('LLEN', prefix .. ':queue:' .. name .. ':intermediate') or 0
    else
      sizes[#sizes + 1] = ask('ZCARD', prefix .. ':' .. kind .. ':' .. name) or 0
    end
  end
end
return sizes
