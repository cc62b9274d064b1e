-- ARGV: id. Nothing is left of the job.
local id = ARGV[1]
local owner = redis.call('HGET', job_key(id), 'owner')
if redis.call('EXISTS', job_key(id)) == 1 then
  clear(id)
  redis.call('HSET', job_key(id), 'state', 'cancelled')
  offer(id)
  tell(id, 'deleted', 0, 30)
end
redis.call('DEL', job_key(id))
redis.call('ZREM', 'regrow:jobs', id)
if owner then redis.call('ZREM', owned_key(owner), id) end
