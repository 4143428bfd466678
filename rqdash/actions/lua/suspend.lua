-- Suspends all workers of RQ. KEYS: the mark that each looks for between two jobs. ARGV: for how many seconds, "" without end.

if ARGV[1] == '' then
  redis.call('SET', KEYS[1], 1)
else
  redis.call('SET', KEYS[1], 1, 'EX', ARGV[1])
end
return 1
