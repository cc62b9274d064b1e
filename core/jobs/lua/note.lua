-- ARGV: lease, value. How far a step is; only while its lease is held.
local step = parse(ARGV[1])
local job = redis.call('HMGET', job_key(step.id), 'state', 'patches_done')
if is_open(job[1]) and redis.call('ZSCORE', KEY.LEASES, ARGV[1]) then
  redis.call('HSET', job_key(step.id), FIELD.LIVE .. step.start, ARGV[2])
  tell(step.id, job[1], job[2])
end
