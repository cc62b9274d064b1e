-- ARGV: how long a message may be on its way in ms, most patches in a batch, the caller's protocol, the least number of
-- messages that wait in a queue, most units to hand out, the queue of units that are not fits. Leases of what was handed
-- out, each to be sent to its queue; {'', protocol} where the service speaks a later protocol than the caller.

local ENDINGS = ARGV[6]

-- What queues take: slots of their workers, cost that a slot does in one batch, how many more units they are sent.
local function rooms()
  local found, flat = {}, redis.call('HGETALL', KEY.QUEUES)
  for place = 1, #flat, 2 do
    local queue = flat[place]
    local slots, cost = string.match(flat[place + 1], '^(%d+) (%d+)$')
    slots = tonumber(slots)
    local busy = redis.call('SCARD', flight_key(queue))
    local waiting = math.max(ARGV[4], math.floor(slots / 4))
    found[queue] = {slots = slots, cost = tonumber(cost), idle = slots - busy, room = slots - busy + waiting}
  end
  return found
end

local room_of = rooms()

-- The queue that a fit is sent to: the fastest that has a free slot, or else the fastest that has room.
local function fit_queue()
  local best, name
  for queue, room in pairs(room_of) do
    if queue ~= ENDINGS and room.room > 0 then
      local free, best_free = room.idle > 0, best and best.idle > 0
      if not best or (free and not best_free) or (free == best_free and room.cost > best.cost) then
        best, name = room, queue
      end
    end
  end
  return name
end

-- What all workers do together in the time of one batch.
local function fleet_cost()
  local sum = 0
  for queue, room in pairs(room_of) do
    if queue ~= ENDINGS then sum = sum + room.slots * room.cost end
  end
  return sum
end

-- How many patches of `left` go into one batch of a queue, so that its cost is what a slot does in time, batches are of
-- one size, and a job that is alone is spread over all workers by their speed.
local function batch_of(left, patch_cost, queue)
  local cost = room_of[queue].cost
  local most = math.max(1, math.min(tonumber(ARGV[2]), math.floor(cost / patch_cost)))
  if redis.call('ZCARD', KEY.OPEN) == 1 then most = math.min(most, math.max(1, math.ceil(left * cost / fleet_cost()))) end
  return math.ceil(left / math.ceil(left / most))
end

-- The job's next unit: one that was handed back, or the next patches. Nothing: what was handed back is done.
local function next_unit(id, job, queue)
  local cost = tonumber(job.patch_cost)
  local item = redis.call('LPOP', again_key(id))
  if item then
    local unit = parse(id .. '/' .. item .. '/0')
    local size = unit.kind == 'fit' and batch_of(math.max(1, unit.stop - unit.start), cost, queue)
    if size and unit.stop - unit.start > 2 * size then
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
  local stop = start + batch_of(total - start, cost, queue)
  redis.call('HSET', job_key(id), 'next', stop)
  return {id = id, kind = 'fit', start = start, stop = stop, tries = 0, far = 0}
end

-- Drops from the lanes what is not there any more, which happens only where keys were lost.
local function first_job(line, owner)
  for _, priority in ipairs(PRIORITIES) do
    local lane = lane_key(line, owner, priority)
    local id = redis.call('ZRANGE', lane, 0, 0)[1]
    while id do
      if is_open(redis.call('HGET', job_key(id), 'state')) then return id end
      redis.call('ZREM', lane, id)
      id = redis.call('ZRANGE', lane, 0, 0)[1]
    end
  end
  redis.call('ZREM', line.owners, owner)
end

local function read(id)
  local names = {'state', 'priority', 'next', 'patches_total', 'patch_cost'}
  local job = {}
  for place, value in ipairs(redis.call('HMGET', job_key(id), unpack(names))) do job[names[place]] = value end
  return job
end

-- The next unit of a line, for a queue. Nothing where none waits.
local function claim(line, queue)
  while true do
    local owner = redis.call('ZRANGE', line.owners, 0, 0)[1]
    if not owner then return nil end
    local id = first_job(line, owner)
    local job = id and read(id)
    local unit = nil
    if id and line_of(job.state) == line then
      unit = next_unit(id, job, queue)
    elseif id then
      withdraw(line, id, owner, job.priority)  -- since protocol 5, when there was one line for all
    end
    if unit then
      -- Charged before it is known whether the owner has more: who comes back soon has been served all the same.
      redis.call('SET', line.clock, redis.call('ZSCORE', line.owners, owner))
      redis.call('ZINCRBY', line.owners, math.max(1, unit.stop - unit.start) * job.patch_cost, owner)
      redis.call('ZREMRANGEBYSCORE', line.served, '-inf', redis.call('GET', line.clock))
    end
    if id then offer(id) end
    if unit then
      unit.tries, unit.queue = unit.tries + 1, queue
      unit.number = redis.call('INCR', KEY.CLAIMS)
      local lease = lease_of(unit)
      redis.call('ZADD', KEY.SENT, now_ms() + ARGV[1], lease)
      redis.call('SADD', flight_key(queue), unit.number)
      room_of[queue].idle = room_of[queue].idle - 1
      room_of[queue].room = room_of[queue].room - 1
      return lease
    end
  end
end

local protocol = redis.call('GET', KEY.PROTOCOL)
if protocol and tonumber(protocol) > tonumber(ARGV[3]) then return {'', protocol} end
if protocol ~= ARGV[3] then redis.call('SET', KEY.PROTOCOL, ARGV[3]) end  -- upgraded, with jobs on the way

local leases, most = {}, tonumber(ARGV[5])
local endings = room_of[ENDINGS]
while endings and endings.room > 0 and #leases < most do
  local lease = claim(ENDING, ENDINGS)
  if not lease then break end
  leases[#leases + 1] = lease
end
while #leases < most do
  local queue = fit_queue()
  local lease = queue and claim(FITTING, queue)
  if not lease then break end
  leases[#leases + 1] = lease
end
return leases
