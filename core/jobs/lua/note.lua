-- ARGV: lease, value. How far a unit is; only while its lease is held.
local unit = parse(ARGV[1])
local job = redis.call('HMGET', job_key(unit.id), 'state', 'patches_done')
if is_open(job[1]) and redis.call('ZSCORE', KEY.LEASES, ARGV[1]) then
  redis.call('HSET', job_key(unit.id), FIELD.LIVE .. unit.start, ARGV[2])
  tell(unit.id, job[1], job[2])
end
