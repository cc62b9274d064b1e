-- ARGV: lease, how far its unit came. A try that came further than any before it is no poison: it does not count, nor do
-- they. The lease's new text.
local lease, far = ARGV[1], tonumber(ARGV[2])
local ends, unit = redis.call('ZSCORE', KEY.LEASES, lease), parse(lease)
if not ends or far <= unit.far then return lease end
unit.tries, unit.far = 0, far
local renamed = lease_of(unit)
redis.call('ZREM', KEY.LEASES, lease)
redis.call('ZADD', KEY.LEASES, ends, renamed)
return renamed
