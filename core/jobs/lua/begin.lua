-- ARGV: lease, lease in ms, the worker's node. 1 where the unit is the worker's now; 0 where the message that named it
-- is stale: it was begun by another message, sent again, done, or its job has ended.
local lease = ARGV[1]
local unit = parse(lease)
if not redis.call('ZSCORE', KEY.SENT, lease) then return 0 end
local id, key = unit.id, job_key(unit.id)
local job = redis.call('HMGET', key, 'state', 'started_ms', 'timeout_ms')
if not is_open(job[1]) or is_done(id, unit) then
  release(lease, unit)
  return 0
end
local now = now_ms()
redis.call('ZREM', KEY.SENT, lease)
redis.call('ZADD', KEY.LEASES, now + ARGV[2], lease)
local step = table.concat({unit.kind, unit.start, unit.stop, unit.queue, string.format('%d', now), ARGV[3]}, ' ')
redis.call('HSET', key, FIELD.STEP .. unit.number, step)
if unit.kind == 'fit' then redis.call('HINCRBY', key, 'attempts', 1) end
if job[1] == 'queued' then
  move(id, 'fitting')
  tell(id, 'fitting', 0)
end
if not job[2] then
  redis.call('HSET', key, 'started_ms', now)
  if job[3] then redis.call('ZADD', KEY.DEADLINES, now + job[3], id) end
end
return 1
