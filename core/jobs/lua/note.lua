-- ARGV: lease, value. How far a step is; only while its lease is held.
if redis.call('ZSCORE', 'regrow:leases', ARGV[1]) then
  local step = parse(ARGV[1])
  redis.call('HSET', job_key(step.id), 'live:' .. step.start, ARGV[2])
end
