-- ARGV: lease, patches of it that failed. The part is stored: count its patches,
-- each once. The last one makes the job ready to be assembled. 1, or 0 where the job has ended or is gone.
local step = parse(ARGV[1])
local id, key = step.id, job_key(step.id)
redis.call('ZREM', 'regrow:leases', ARGV[1])
redis.call('HDEL', key, 'live:' .. step.start)
local job = redis.call('HMGET', key, 'state', 'owner', 'patches_total')
if not is_open(job[1]) then return 0 end
local new = 0
for patch = step.start, step.stop - 1 do new = new + 1 - redis.call('SETBIT', done_key(id), patch, 1) end
if new == 0 then return 1 end
local done = redis.call('HINCRBY', key, 'patches_done', new)
redis.call('HINCRBY', key, 'patches_failed', math.min(new, ARGV[2]))
settle_outstanding(job[2], new)
local all = done == tonumber(job[3])
tell(id, all and 'assembling' or job[1], done)
if all then
  redis.call('HSET', key, 'state', 'assembling', 'next', job[3])
  redis.call('SADD', 'regrow:assembling', id)
  redis.call('DEL', again_key(id))  -- of a batch that another had done meanwhile
  redis.call('RPUSH', again_key(id), fresh('assemble', 0, 0))
  offer(id)
end
return 1
