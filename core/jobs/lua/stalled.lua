-- Ids of open jobs of which no unit is handed out or to be handed out. There are none unless keys were lost.
local held, found = {}, {}
for _, set in ipairs({KEY.LEASES, KEY.SENT}) do
  for _, lease in ipairs(redis.call('ZRANGE', set, 0, -1)) do held[parse(lease).id or ''] = true end
end
for _, id in ipairs(redis.call('ZRANGE', KEY.OPEN, 0, -1)) do
  if not held[id] then
    local job = redis.call('HMGET', job_key(id), 'owner', 'priority', 'state')
    local line = line_of(job[3])
    local lane = job[1] and lane_key(line, job[1], job[2])
    if not (lane and redis.call('ZSCORE', lane, id) and redis.call('ZSCORE', line.owners, job[1])) then
      found[#found + 1] = id
    end
  end
end
return found
