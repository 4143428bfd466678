-- Keeps verdicts for the operation that asked, where there is none yet. told: verdicts, in the order of the ids.
-- Answers what is kept now.

for index, verdict in ipairs(cjson.decode(told)) do
  redis.call('HSETNX', journal, ARGV[BEFORE_IDS + index], verdict)
end
redis.call('EXPIRE', journal, JOURNAL_S)
return redis.call('HMGET', journal, unpack(ARGV, BEFORE_IDS + 1, BEFORE_IDS + how_many))
