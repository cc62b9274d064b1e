-- ARGV: lease, whether the try counts, type and message of what went wrong. 1 where the lease was still held.
if redis.call('ZREM', KEY.LEASES, ARGV[1]) == 0 then return 0 end
local unit = parse(ARGV[1])
if ARGV[2] == '0' then
  unit.tries = math.max(0, unit.tries - 1)
elseif redis.call('EXISTS', job_key(unit.id)) == 1 then
  redis.call('HSET', job_key(unit.id), 'last_error_type', ARGV[3], 'last_error_message', ARGV[4])
end
put_back(unit, ARGV[2] == '1')
return 1
