-- Counts queues. ARGV: prefix, now in whole seconds, names (at most 75). Returns a row a name.
local rows = {}
for i = 3, #ARGV do
  rows[i - 2] = tally(ARGV[1], ARGV[i], ARGV[2])
end
return rows
