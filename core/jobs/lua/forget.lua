-- ARGV: id. Nothing is left of the job.
local id = ARGV[1]
local key = job_key(id)
local owner = redis.call('HGET', key, 'owner')
close(id, nil)
if owner then
  redis.call('ZREM', owned_key(owner), id)
  tell(id, 'deleted', 0, 30)
end
redis.call('DEL', key)
redis.call('ZREM', KEY.JOBS, id)
