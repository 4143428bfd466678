-- Jobs with what is left of their repeats. ARGV: prefix, fields of a row with commas between, ids (at most 50).
-- Returns {repeats_left, job_row} each.
local prefix, fields = ARGV[1], words(ARGV[2])

local rows = {}
for i = 3, #ARGV do
  rows[#rows + 1] = {ask('HGET', prefix .. ':job:' .. ARGV[i], 'repeats_left'), job_row(prefix, ARGV[i], fields)}
end
return rows
