-- ARGV: lease in ms, then leases. For each 1, or 0 where its unit must not go on: handed to another, done by another,
-- or its job has ended.
local now, answers = now_ms(), {}
for place = 2, #ARGV do
  local lease, answer = ARGV[place], 0
  local unit = parse(lease)
  if redis.call('ZSCORE', KEY.LEASES, lease) and not is_done(unit.id, unit)
    and is_open(redis.call('HGET', job_key(unit.id), 'state')) then
    redis.call('ZADD', KEY.LEASES, now + ARGV[1], lease)
    answer = 1
  end
  answers[#answers + 1] = answer
end
return answers
