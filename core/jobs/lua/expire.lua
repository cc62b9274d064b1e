-- ARGV: type and message of what went wrong. Hands out again what has not been renewed; how many leases have ended.
local ended = redis.call('ZRANGE', KEY.LEASES, '-inf', now_ms(), 'BYSCORE', 'LIMIT', 0, 10)
for _, lease in ipairs(ended) do
  local unit = parse(lease)
  redis.call('ZREM', KEY.LEASES, lease)
  if unit.id and is_open(redis.call('HGET', job_key(unit.id), 'state')) then
    redis.call('HSET', job_key(unit.id), 'last_error_type', ARGV[1], 'last_error_message', ARGV[2])
    put_back(unit, true)
  end
end
return #ended
