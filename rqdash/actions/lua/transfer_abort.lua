-- Sees to it that jobs do not arrive. Behind the ids, for each its token. Answers "active" where one has arrived already, else
-- "aborted": then no prepare or activate of that token does anything any more, however late it comes.
-- told: "marked" where this may be another server than the one they were sent to; a token it has no marker of is then "unmarked".

local answers = {}
for index = 1, how_many do
  local id, token = ARGV[BEFORE_IDS + index], next_argument()
  local state = state_of(token)
  if not state and told == 'marked' then
    answers[index] = 'unmarked'
  elseif state == 'active' then
    answers[index] = state
    mark(token, state, MARKER_S) -- only a write can be waited for until replicas have it
  else
    answers[index] = 'aborted'
    drop_parked(id, token)
    let_go(JOB .. id)
    mark(token, 'aborted', TOMBSTONE_S)
  end
end
return answers
