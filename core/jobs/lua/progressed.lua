-- ARGV: lease. A step that came further than before is no poison: its tries start anew. The lease's new text.
local lease = ARGV[1]
local ends = redis.call('ZSCORE', 'regrow:leases', lease)
if not ends then return lease end
local step = parse(lease)
step.tries = 1
local renamed = lease_of(step)
redis.call('ZREM', 'regrow:leases', lease)
redis.call('ZADD', 'regrow:leases', ends, renamed)
return renamed
