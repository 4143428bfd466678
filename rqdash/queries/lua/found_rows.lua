-- Jobs that a search found. ARGV: prefix, fields of a row with commas between, then for each (at most 50): id, key of the sorted set it
-- is in ('' for a list), whether to read its error (1). Returns a row each, as jobs.lua gives them.
local prefix, fields = ARGV[1], words(ARGV[2])

local rows = {}
for i = 3, #ARGV, 3 do
  local id, key = ARGV[i], ARGV[i + 1]
  local size, text, newest = 0, false, false
  if ARGV[i + 2] == '1' then
    size, text, newest = job_error(prefix, id)
  end
  rows[#rows + 1] = {id, key ~= '' and ask('ZSCORE', key, id), size, text, false, job_row(prefix, id, fields), newest or false}
end
return rows
