-- ARGV: id, created in ms, seconds to remember it for, then fields and values of a job that has ended. 1 if it was entered:
-- one that is there may have begun anew.
local key = job_key(ARGV[1])
if redis.call('EXISTS', key) == 1 then return 0 end
redis.call('HSET', key, unpack(ARGV, 4))
redis.call('EXPIRE', key, ARGV[3])
redis.call('ZADD', KEY.JOBS, ARGV[2], ARGV[1])
redis.call('ZADD', owned_key(redis.call('HGET', key, 'owner')), ARGV[2], ARGV[1])
return 1
