-- ARGV: id, the final state, seconds to remember it for, number of states it is legal after, these, then fields and
-- values. 1 if this call ended the job. It keeps its hash for a while, and frees all else.
local id, count = ARGV[1], tonumber(ARGV[4])
local state = redis.call('HGET', job_key(id), 'state')
for place = 5, 4 + count do
  if ARGV[place] == state then
    close(id, ARGV[2])
    redis.call('HSET', job_key(id), 'finished_ms', now_ms(), unpack(ARGV, 5 + count))
    redis.call('EXPIRE', job_key(id), ARGV[3])
    redis.call('HINCRBY', KEY.COUNTERS, FIELD.ENDED .. ARGV[2], 1)
    local failure = redis.call('HGET', job_key(id), 'error_type')
    if failure then redis.call('HINCRBY', KEY.COUNTERS, FIELD.FAILED .. failure, 1) end
    tell(id, ARGV[2], redis.call('HGET', job_key(id), 'patches_done') or 0, 30)
    return 1
  end
end
return 0
