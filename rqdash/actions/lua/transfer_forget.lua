-- Lets the markers of jobs go in a day: the source has closed its journal, so nobody will ask for them. The ids are tokens.

for index = 1, how_many do
  redis.call('EXPIRE', marker_key(ARGV[BEFORE_IDS + index]), DONE_S)
end
return how_many
