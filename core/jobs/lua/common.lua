-- In front of every script, and behind what core/jobs/scripts.py makes of Python's constants: KEY, FIELD, OPEN_STATES,
-- PRIORITIES, MOST_TRIES. core/jobs/redis_keys.py says what each key holds, and how `move` and `owe` below keep them
-- true; docs/adr/0006 why work is handed out like this.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function job_key(id) return string.format(KEY.JOB, id) end
local function done_key(id) return string.format(KEY.DONE, id) end
local function again_key(id) return string.format(KEY.AGAIN, id) end
local function events_key(id) return string.format(KEY.EVENTS, id) end
local function owned_key(owner) return string.format(KEY.OWNED, owner) end
local function flight_key(queue) return string.format(KEY.FLIGHT, queue) end

-- Two lines to wait in, each fair by itself: those who assemble need not be those who fit.
local FITTING = {owners = KEY.OWNERS, served = KEY.SERVED, clock = KEY.CLOCK, lane = KEY.LANE}
local ENDING =
  {owners = KEY.ENDING_OWNERS, served = KEY.ENDING_SERVED, clock = KEY.ENDING_CLOCK, lane = KEY.ENDING_LANE}
local function line_of(state) return state == 'assembling' and ENDING or FITTING end
local function lane_key(line, owner, priority) return string.format(line.lane, owner, priority) end

-- Tell those who follow the job (core/jobs/events.py). seconds: how long it is kept, if not for good.
local function tell(id, state, done, seconds)
  local key = events_key(id)
  redis.call('XADD', key, 'MAXLEN', '~', 100, '*', 'state', state, 'patches_done', done)
  if seconds then redis.call('EXPIRE', key, seconds) end
end

local function is_open(state) return OPEN_STATES[state] == true end

local function parse(lease)
  local id, kind, start, stop, tries, far, number, queue =
    string.match(lease, '^(%x+)/(%a+)/(%d+)/(%d+)/(%d+)/(%d+)/(%d+)/?(.*)$')  -- without a queue until protocol 5
  local unit = {id = id, kind = kind, start = tonumber(start), stop = tonumber(stop), number = number, queue = queue}
  unit.tries, unit.far = tonumber(tries), tonumber(far)
  return unit
end

local function text(unit)
  return string.format('%s/%d/%d/%d/%d', unit.kind, unit.start, unit.stop, unit.tries, unit.far)
end

-- The text of a unit that nobody has tried.
local function fresh(kind, start, stop) return text({kind = kind, start = start, stop = stop, tries = 0, far = 0}) end

-- How many patches of [start, stop) have their part.
local function done_in(id, start, stop)
  if stop <= start then return 0 end
  return redis.call('BITCOUNT', done_key(id), start, stop - 1, 'BIT')
end

local function is_done(id, unit)
  return unit.stop > unit.start and done_in(id, unit.start, unit.stop) == unit.stop - unit.start
end

local function lease_of(unit) return unit.id .. '/' .. text(unit) .. '/' .. unit.number .. '/' .. unit.queue end

-- Take a unit that was handed out from whoever has it; whether anybody had.
local function release(lease, unit)
  local held = redis.call('ZREM', KEY.LEASES, lease) + redis.call('ZREM', KEY.SENT, lease)
  if not unit.id then return false end
  redis.call('SREM', flight_key(unit.queue), unit.number)
  redis.call('HDEL', job_key(unit.id), FIELD.STEP .. unit.number)
  return held > 0
end

-- Take the job from where claims look in a line.
local function withdraw(line, id, owner, priority)
  if redis.call('ZREM', lane_key(line, owner, priority), id) == 0 then return end
  for _, each in ipairs(PRIORITIES) do
    if redis.call('EXISTS', lane_key(line, owner, each)) == 1 then return end
  end
  local served = redis.call('ZSCORE', line.owners, owner)
  if served then
    redis.call('ZADD', line.served, served, owner)
    redis.call('ZREM', line.owners, owner)
  end
end

-- Put the job where claims look if it has a unit to hand out, or take it from there. In a lane, small jobs pass large
-- ones that came less than a second per patch before them: nobody waits for ever, and a thumbnail not for a poster.
local function offer(id)
  local job = redis.call('HMGET', job_key(id), 'state', 'owner', 'priority', 'next', 'patches_total', 'created_ms')
  local state, owner, priority = job[1], job[2], job[3]
  local line = line_of(state)
  if line == ENDING or not is_open(state) then withdraw(FITTING, id, owner, priority) end
  local untouched = (state == 'queued' or state == 'fitting') and tonumber(job[4]) < tonumber(job[5])
  if is_open(state) and (untouched or redis.call('EXISTS', again_key(id)) == 1) then
    redis.call('ZADD', lane_key(line, owner, priority), job[6] / 1000 + job[5], id)
    if not redis.call('ZSCORE', line.owners, owner) then
      local clock = tonumber(redis.call('GET', line.clock) or 0)
      local served = tonumber(redis.call('ZSCORE', line.served, owner) or 0)
      redis.call('ZADD', line.owners, math.max(clock, served), owner)
      redis.call('ZREM', line.served, owner)
    end
    return
  end
  withdraw(line, id, owner, priority)
  if not is_open(state) then withdraw(ENDING, id, owner, priority) end
end

-- Hand a unit out again. After the last try a batch is split into its patches, and a single patch, or an assembly, is
-- given up, which is a unit of its own (`abandon`), as it takes the blob store to do it.
local function put_back(unit, failed)
  local id, again = unit.id, again_key(unit.id)
  redis.call('HDEL', job_key(id), FIELD.LIVE .. unit.start)
  if not is_open(redis.call('HGET', job_key(id), 'state')) or is_done(id, unit) then return end
  if unit.tries < MOST_TRIES or unit.kind == 'abandon' then
    -- What has failed comes after what was not tried yet.
    redis.call(failed and 'RPUSH' or 'LPUSH', again, text(unit))
  elseif unit.kind == 'fit' and unit.stop - unit.start > 1 then
    for patch = unit.start, unit.stop - 1 do
      if redis.call('GETBIT', done_key(id), patch) == 0 then
        redis.call('RPUSH', again, fresh('fit', patch, patch + 1))
      end
    end
  else
    redis.call('LPUSH', again, fresh('abandon', unit.start, unit.stop))
  end
  offer(id)
end

-- Add patches to what the owner has outstanding; fewer than none to take them off.
local function owe(owner, patches)
  for _, field in ipairs({owner, '*'}) do
    if redis.call('HINCRBY', KEY.OUTSTANDING, field, patches) <= 0 then
      redis.call('HDEL', KEY.OUTSTANDING, field)
    end
  end
end

-- Put the job into a state, and into the sets of that state. nil: there is no such job any more.
local function move(id, state)
  local key = job_key(id)
  local created = redis.call('HGET', key, 'created_ms')
  if state then redis.call('HSET', key, 'state', state) else redis.call('HDEL', key, 'state') end
  for set, holds in pairs({[KEY.OPEN] = is_open(state), [KEY.WAITING] = state == 'queued'}) do
    if holds then redis.call('ZADD', set, created, id) else redis.call('ZREM', set, id) end
  end
  redis.call(state == 'assembling' and 'SADD' or 'SREM', KEY.ASSEMBLING, id)
  redis.call('ZREM', KEY.START_DEADLINES, id)
end

-- Take the job to its end, or to nothing where the state is nil: all of it but its hash and its place in the lists of
-- all jobs goes.
local function close(id, state)
  local key = job_key(id)
  local job = redis.call('HMGET', key, 'state', 'owner', 'patches_total', 'patches_done')
  if is_open(job[1]) then owe(job[2], job[4] - job[3]) end
  redis.call('DEL', done_key(id), again_key(id))
  for _, field in ipairs(redis.call('HKEYS', key)) do
    local is_of_a_unit = string.sub(field, 1, #FIELD.LIVE) == FIELD.LIVE or string.sub(field, 1, #FIELD.STEP) == FIELD.STEP
    if is_of_a_unit then redis.call('HDEL', key, field) end
  end
  redis.call('ZREM', KEY.DEADLINES, id)
  move(id, state)
  if job[2] then offer(id) end
end
