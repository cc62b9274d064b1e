-- ARGV: id. Nothing is left of the job.
local id = ARGV[1]
if redis.call('EXISTS', job_key(id)) == 1 then
  clear(id)
  redis.call('HSET', job_key(id), 'state', 'cancelled')
  offer(id)
end
redis.call('DEL', job_key(id))
redis.call('ZREM', 'regrow:jobs', id)
