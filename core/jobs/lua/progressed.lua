-- ARGV: lease, how far its step came. A try that came further than any before it is no poison: it does not count, nor do
-- they. The lease's new text.
local lease, far = ARGV[1], tonumber(ARGV[2])
local ends, step = redis.call('ZSCORE', KEY.LEASES, lease), parse(lease)
if not ends or far <= step.far then return lease end
step.tries, step.far = 0, far
local renamed = lease_of(step)
redis.call('ZREM', KEY.LEASES, lease)
redis.call('ZADD', KEY.LEASES, ends, renamed)
return renamed
