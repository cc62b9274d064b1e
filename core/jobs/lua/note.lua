-- ARGV: lease, value. How far a step is; only while its lease is held.
local step = parse(ARGV[1])
local open = is_open(redis.call('HGET', job_key(step.id), 'state'))
if open and redis.call('ZSCORE', 'regrow:leases', ARGV[1]) then
  redis.call('HSET', job_key(step.id), 'live:' .. step.start, ARGV[2])
end
