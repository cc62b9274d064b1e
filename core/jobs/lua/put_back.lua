-- ARGV: lease, whether the try counts, type and message of what went wrong. 1 where the unit was still the caller's.
local unit = parse(ARGV[1])
if not release(ARGV[1], unit) then return 0 end
if ARGV[2] == '0' then
  unit.tries = math.max(0, unit.tries - 1)
elseif redis.call('EXISTS', job_key(unit.id)) == 1 then
  redis.call('HSET', job_key(unit.id), 'last_error_type', ARGV[3], 'last_error_message', ARGV[4])
end
put_back(unit, ARGV[2] == '1')
return 1
