-- Reads the same fields of many hashes. ARGV: the fields with commas between, keys (at most 75). Returns a list of values a key.
local fields = words(ARGV[1])
local rows = {}
for i = 2, #ARGV do
  rows[i - 1] = ask('HMGET', ARGV[i], unpack(fields)) or {}
end
return rows
