-- ARGV: lease, patches of it that failed. The part is stored: count its patches,
-- each once. The last one makes the job ready to be assembled. 1, or 0 where the job has ended or is gone.
local unit = parse(ARGV[1])
local id, key = unit.id, job_key(unit.id)
release(ARGV[1], unit)
redis.call('HDEL', key, FIELD.LIVE .. unit.start)
local job = redis.call('HMGET', key, 'state', 'owner', 'patches_total')
if not is_open(job[1]) then return 0 end
local new = 0
for patch = unit.start, unit.stop - 1 do new = new + 1 - redis.call('SETBIT', done_key(id), patch, 1) end
if new == 0 then return 1 end
local done = redis.call('HINCRBY', key, 'patches_done', new)
redis.call('HINCRBY', key, 'patches_failed', math.min(new, ARGV[2]))
owe(job[2], -new)
local all = done == tonumber(job[3])
-- A job may still be queued: it was entered anew while this part's worker, which Redis had forgotten, went on.
local state = all and 'assembling' or 'fitting'
if state ~= job[1] then move(id, state) end
tell(id, state, done)
if all then
  redis.call('HSET', key, 'next', job[3])
  redis.call('DEL', again_key(id))  -- of a batch that another had done meanwhile
  redis.call('RPUSH', again_key(id), fresh('assemble', 0, 0))
  offer(id)
end
return 1
