-- ARGV: type and message of what went wrong, how long a message may be on its way in ms. Hands out again what has not
-- been renewed, and what was sent and is lost. {how many leases have ended, how many messages were lost}.
local now = now_ms()
local ended = redis.call('ZRANGE', KEY.LEASES, '-inf', now, 'BYSCORE', 'LIMIT', 0, 10)
for _, lease in ipairs(ended) do
  local unit = parse(lease)
  release(lease, unit)
  if unit.id and is_open(redis.call('HGET', job_key(unit.id), 'state')) then
    redis.call('HSET', job_key(unit.id), 'last_error_type', ARGV[1], 'last_error_message', ARGV[2])
    put_back(unit, true)
  end
end

-- A message may wait for as long as a worker's step before it takes. It is lost where its queue has no worker any more,
-- or where fewer messages lie in the queue than are on their way.
local late = redis.call('ZRANGE', KEY.SENT, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
local sent, lost = {}, 0
if #late > 0 then
  for _, lease in ipairs(redis.call('ZRANGE', KEY.SENT, 0, -1)) do
    local queue = parse(lease).queue
    sent[queue] = (sent[queue] or 0) + 1
  end
end
for _, lease in ipairs(late) do
  local unit = parse(lease)
  local lies = redis.call('LLEN', unit.queue) >= sent[unit.queue]
  if lies and redis.call('HEXISTS', KEY.QUEUES, unit.queue) == 1 then
    redis.call('ZADD', KEY.SENT, now + ARGV[3], lease)
  else
    release(lease, unit)
    unit.tries = math.max(0, unit.tries - 1)
    put_back(unit, false)
    lost = lost + 1
  end
end
return {#ended, lost}
