-- ARGV: lease in ms, cost that the worker does in one batch, most patches in a batch, workers alive, the queue's key,
-- the worker's protocol. {lease, whether another worker should be woken}, or nothing; {'', protocol} where the service
-- speaks a later one.

-- How many patches of `left` go into one batch, so that its cost is what the worker does in time, batches are of one
-- size, and a job that is alone is spread over all workers.
local function batch_of(left, patch_cost)
  local most = math.max(1, math.min(tonumber(ARGV[3]), math.floor(ARGV[2] / patch_cost)))
  if redis.call('ZCARD', KEY.OPEN) == 1 then most = math.min(most, math.ceil(left / math.max(1, ARGV[4]))) end
  return math.ceil(left / math.ceil(left / most))
end

-- The job's next unit: one that was handed back, or the next patches. Nothing: what was handed back is done.
local function next_unit(id, job)
  local cost = tonumber(job.patch_cost)
  local item = redis.call('LPOP', again_key(id))
  if item then
    local unit = parse(id .. '/' .. item .. '/0')
    local size = batch_of(math.max(1, unit.stop - unit.start), cost)
    if unit.kind == 'fit' and unit.stop - unit.start > 2 * size then
      unit.far = 0
      local rest = {kind = 'fit', start = unit.start + size, stop = unit.stop, tries = unit.tries, far = 0}
      redis.call('LPUSH', again_key(id), text(rest))
      unit.stop = unit.start + size
    end
    if is_done(id, unit) then return nil end
    return unit
  end
  local start, total = tonumber(job.next), tonumber(job.patches_total)
  if start >= total then return nil end
  local stop = start + batch_of(total - start, cost)
  redis.call('HSET', job_key(id), 'next', stop)
  return {id = id, kind = 'fit', start = start, stop = stop, tries = 0, far = 0}
end

-- Drops from the lanes what is not there any more, which happens only where keys were lost.
local function first_job(owner)
  for _, priority in ipairs(PRIORITIES) do
    local lane = lane_key(owner, priority)
    local id = redis.call('ZRANGE', lane, 0, 0)[1]
    while id do
      if is_open(redis.call('HGET', job_key(id), 'state')) then return id end
      redis.call('ZREM', lane, id)
      id = redis.call('ZRANGE', lane, 0, 0)[1]
    end
  end
  redis.call('ZREM', KEY.OWNERS, owner)
end

local function read(id)
  local names = {'state', 'next', 'patches_total', 'patch_cost', 'started_ms'}
  local job = {}
  for place, value in ipairs(redis.call('HMGET', job_key(id), unpack(names))) do job[names[place]] = value end
  return job
end

local protocol = redis.call('GET', KEY.PROTOCOL)
if protocol and tonumber(protocol) > tonumber(ARGV[6]) then return {'', protocol} end
if protocol ~= ARGV[6] then redis.call('SET', KEY.PROTOCOL, ARGV[6]) end  -- upgraded, with jobs on the way

while true do
  local owner = redis.call('ZRANGE', KEY.OWNERS, 0, 0)[1]
  if not owner then return nil end
  local id = first_job(owner)
  local job = id and read(id)
  local unit = id and next_unit(id, job)
  if unit then
    -- Charged before it is known whether the owner has more: who comes back soon has been served all the same.
    redis.call('SET', KEY.CLOCK, redis.call('ZSCORE', KEY.OWNERS, owner))
    redis.call('ZINCRBY', KEY.OWNERS, math.max(1, unit.stop - unit.start) * job.patch_cost, owner)
    redis.call('ZREMRANGEBYSCORE', KEY.SERVED, '-inf', redis.call('GET', KEY.CLOCK))
  end
  if id then offer(id) end
  if unit then
    local now = now_ms()
    unit.tries = unit.tries + 1
    unit.number = redis.call('INCR', KEY.CLAIMS)
    local lease = lease_of(unit)
    redis.call('ZADD', KEY.LEASES, now + ARGV[1], lease)
    if unit.kind == 'fit' then redis.call('HINCRBY', job_key(id), 'attempts', 1) end
    if job.state == 'queued' then
      move(id, 'fitting')
      tell(id, 'fitting', 0)
    end
    if not job.started_ms then redis.call('HSET', job_key(id), 'started_ms', now) end
    local more = redis.call('EXISTS', KEY.OWNERS) == 1 and redis.call('LLEN', ARGV[5]) < 2
    return {lease, more and 1 or 0}
  end
end
